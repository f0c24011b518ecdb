//! Tests of backpressure: queues are bounded, and a slow peer slows down only those that send to
//! it.

use quorate_network::{Lane, LaneLimits, NetworkConfig, NetworkEvent, SendError};

use crate::support::{Node, config, frame_bytes, quic, tcp, until};
use quorate_network::Multiaddr;

const MIB: usize = 1024 * 1024;

/// Sends a frame; if the queue is full, waits for room first.
async fn send_patiently(from: &Node, to: [u8; 32], bytes: &[u8]) {
    let sent = || match from.network.send(&to, Lane::Bulk, bytes.to_vec()) {
        Ok(()) => true,
        Err(SendError::QueueFull { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    until("room in the queue", sent).await;
}

async fn many_large_frames(listen: impl Fn() -> Multiaddr) {
    let left = Node::start(config(1, listen())).await;
    let mut right = Node::start(config(2, listen())).await;
    left.connect(&right).await;
    let to = right.key();

    let sending = async {
        for number in 0..120_u8 {
            send_patiently(&left, to, &vec![number; MIB]).await;
        }
    };
    let receiving = async {
        // The receiver takes no event until the queue of the sender is full.
        until("a drop", || left.network.counters().bulk.dropped_frames > 0).await;
        for number in 0..120_u8 {
            let bytes = right.expect("a frame", frame_bytes).await;
            assert_eq!(bytes.len(), MIB);
            assert!(bytes.iter().all(|byte| *byte == number), "frame {number}");
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_frames_arrive_in_order_over_tcp() {
    many_large_frames(tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_frames_arrive_in_order_over_quic() {
    many_large_frames(quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_an_error() {
    let mut small = config(1, tcp());
    small.limits.client = LaneLimits {
        max_frame_bytes: 100,
        queue_frames: 3,
        queue_bytes: 150,
        inbound_bytes: 100,
    };
    let node = Node::start(small).await;
    let to = Node::start(config(2, tcp())).await.key();
    node.network.add_peer(to, vec![]).await.unwrap();
    let send = |length: usize| node.network.send(&to, Lane::Client, vec![0; length]);

    let too_large = SendError::FrameTooLarge {
        lane: Lane::Client,
        bytes: 101,
        limit: 100,
    };
    let full = Err(SendError::QueueFull {
        to,
        lane: Lane::Client,
    });
    assert_eq!(send(101), Err(too_large));
    assert_eq!(send(100), Ok(()));
    assert_eq!(send(51), full, "bytes must be bounded");
    assert_eq!(send(50), Ok(()));
    assert_eq!(send(0), Ok(()));
    assert_eq!(send(0), full, "frames must be bounded");
    assert_eq!(node.network.counters().client.dropped_frames, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sender_does_not_fill_the_queue_of_events() {
    let mut small = config(1, tcp());
    small.limits.event_queue = 64;
    small.limits.client.max_frame_bytes = 1024;
    small.limits.client.inbound_bytes = 8 * 1024;
    let mut receiver = Node::start(small).await;
    let loud = Node::start(config(2, tcp())).await;
    let quiet = Node::start(config(3, tcp())).await;
    loud.connect(&receiver).await;
    quiet.connect(&receiver).await;

    for _ in 0..1000 {
        loud.network
            .send(&receiver.key(), Lane::Client, vec![0; 8])
            .unwrap();
    }
    until("the loud peer to use its budget", || {
        receiver.network.counters().client.received_frames >= 8
    })
    .await;
    quiet
        .network
        .send(&receiver.key(), Lane::Consensus, vec![1])
        .unwrap();
    until("the frame of the quiet peer", || {
        receiver.network.counters().consensus.received_frames == 1
    })
    .await;

    let mut before = 0;
    let quiet_key = quiet.key();
    receiver
        .expect("the frame of the quiet peer", |event| match event {
            NetworkEvent::Frame { from, .. } if from == quiet_key => Some(()),
            NetworkEvent::Frame { .. } => {
                before += 1;
                None
            }
            _ => None,
        })
        .await;
    assert!(before <= 16, "{before} frames of the loud peer came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_taken_while_nobody_takes_events() {
    let mut small: NetworkConfig = config(1, tcp());
    small.limits.event_queue = 1;
    let node = Node::start(small).await;
    let mut others = vec![];
    for seed in 2..10 {
        let other = Node::start(config(seed, tcp())).await;
        node.connect(&other).await;
        others.push(other);
    }
    for other in &others {
        node.network
            .send(&other.key(), Lane::Bulk, vec![7])
            .unwrap();
        node.network.disconnect(other.key()).await.unwrap();
    }
    node.network.shutdown().await;
}
