//! Frames arrive whole and in order on each lane: over TCP, over QUIC, and across restarts (W-7).

use std::time::Duration;

use quorate_network::{
    Bytes, Lane, Multiaddr, NetworkConfig, NetworkEvent, SendError, peer_id, start,
};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::support::{Node, PATIENCE, config, quic, tcp, until};

/// W-6, W-7: every lane carries frames in both directions, over TCP as over QUIC.
async fn frames_both_ways(listen: impl Fn() -> Multiaddr) {
    let mut left = Node::start(config(1, listen())).await;
    let mut right = Node::start(config(2, listen())).await;
    left.connect(&right).await;
    for lane in Lane::ALL {
        for length in [0_usize, 1, 200, 70_000, 256 * 1024] {
            let bytes = vec![length as u8; length];
            for (from, to) in [(&left, &mut right)] {
                from.network.send(&to.key(), lane, bytes.clone()).unwrap();
                expect_frame(to, from.key(), lane, &bytes).await;
            }
            for (from, to) in [(&right, &mut left)] {
                from.network.send(&to.key(), lane, bytes.clone()).unwrap();
                expect_frame(to, from.key(), lane, &bytes).await;
            }
        }
        let (sent, received) = (left.network.counters(), right.network.counters());
        assert_eq!(sent.lane(lane).sent_frames, 5);
        assert_eq!(received.lane(lane).received_frames, 5);
        assert_eq!(
            sent.lane(lane).sent_bytes,
            received.lane(lane).received_bytes
        );
    }
}

async fn expect_frame(node: &mut Node, sender: [u8; 32], sent_on: Lane, sent: &[u8]) {
    let found = node.expect("a frame", |event| match event {
        NetworkEvent::Frame { from, lane, bytes } => Some((from, lane, bytes)),
        _ => None,
    });
    let (from, lane, bytes) = found.await;
    assert_eq!((from, lane), (sender, sent_on));
    assert!(bytes == sent, "{} bytes", sent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp() {
    frames_both_ways(tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_quic() {
    frames_both_ways(quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_frames_keep_their_order() {
    let left = Node::start(config(1, tcp())).await;
    let mut right = Node::start(config(2, tcp())).await;
    left.connect(&right).await;
    for number in 0..500_u32 {
        left.network
            .send(&right.key(), Lane::Consensus, number.to_be_bytes().to_vec())
            .unwrap();
    }
    for number in 0..500_u32 {
        assert_eq!(right.frame().await, number.to_be_bytes());
    }
}

/// W-7: frames that were not taken are sent again on the next stream.
#[tokio::test(flavor = "multi_thread")]
async fn queued_frames_survive_a_restart_of_the_peer() {
    let left = Node::start(config(1, tcp())).await;
    let mut right = Node::start(config(2, tcp())).await;
    left.connect(&right).await;
    left.network
        .send(&right.key(), Lane::Bulk, vec![1])
        .unwrap();
    assert_eq!(right.frame().await, [1]);

    let (key, address) = (right.key(), right.address());
    right.network.shutdown().await;
    until("the disconnection", || !left.network.is_connected(&key)).await;
    for number in 2..50_u8 {
        left.network.send(&key, Lane::Bulk, vec![number]).unwrap();
    }
    let mut right = Node::start(config(2, address)).await;
    expect_up_to(&mut right, 49).await;
}

/// Expects one-byte frames up to `last`, each of them once and in order. Only frame 1 may come
/// again, because its acknowledgement may have been lost (W-7).
async fn expect_up_to(node: &mut Node, last: u8) {
    let mut numbers = vec![];
    while numbers.last() != Some(&last) {
        numbers.extend(node.frame().await);
    }
    if numbers.first() == Some(&1) {
        numbers.remove(0);
    }
    assert_eq!(numbers, (2..=last).collect::<Vec<_>>());
}

/// A process that is killed does not close its QUIC connections: to its peers the old connection
/// looks alive until it times out after ten seconds.
#[test]
fn frames_reach_a_peer_that_was_killed_and_came_back() {
    let doomed = Runtime::new().unwrap();
    let patient = || {
        let mut config = config(1, quic());
        config.limits.ping_timeout = Duration::from_secs(600);
        config
    };
    Runtime::new().unwrap().block_on(async {
        let node = Node::start(patient()).await;
        let right = doomed
            .spawn(async { Node::start(config(2, quic())).await })
            .await
            .unwrap();
        node.connect(&right).await;
        let (key, address) = (right.key(), right.address());
        node.network.send(&key, Lane::Consensus, vec![1]).unwrap();
        until("the first frame", || {
            right.network.counters().consensus.received_frames == 1
        })
        .await;
        doomed.shutdown_background();

        // This frame is written into the dead connection, which still looks alive.
        let sent = node.network.counters().consensus.sent_frames;
        node.network.send(&key, Lane::Consensus, vec![2]).unwrap();
        until("the second frame to be written", || {
            node.network.counters().consensus.sent_frames > sent
        })
        .await;
        assert!(node.network.is_connected(&key));

        let mut right = restart(config(2, address)).await;
        let renewed = tokio::time::Instant::now();
        right.connect(&node).await;
        node.network.send(&key, Lane::Consensus, vec![3]).unwrap();
        expect_up_to(&mut right, 3).await;
        assert!(
            renewed.elapsed() < Duration::from_secs(5),
            "{:?}",
            renewed.elapsed()
        );
    });
}

/// Starts a node on an address that another node is about to leave; tries until it is free.
async fn restart(config: NetworkConfig) -> Node {
    let starting = async {
        loop {
            match start(config.clone()) {
                Ok((network, events)) => return Node { network, events },
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, starting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_peers_are_sent_to() {
    let node = Node::start(config(1, tcp())).await;
    let to = Node::start(config(2, tcp())).await.key();
    let unknown = Err(SendError::UnknownPeer { to });
    assert_eq!(node.network.send(&to, Lane::Client, vec![1]), unknown);
    node.network.add_peer(to, vec![]).await.unwrap();
    assert_eq!(node.network.send(&to, Lane::Client, vec![1]), Ok(()));
    node.network.remove_peer(to).await.unwrap();
    until("the peer to be forgotten", || {
        node.network.send(&to, Lane::Client, vec![1]) == unknown
    })
    .await;
    assert!(node.network.counters().client.dropped_frames >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_address_is_retried_until_it_answers_and_after_a_loss() {
    let late = Node::start(config(2, tcp())).await;
    let (key, address) = (late.key(), late.address());
    late.network.shutdown().await;

    let node = Node::start(config(1, tcp())).await;
    node.network.dial(address.clone()).await.unwrap();
    until("failed dials", || node.network.counters().failed_dials >= 2).await;
    let late = Node::start(config(2, address.clone())).await;
    until("a connection", || node.network.is_connected(&key)).await;
    late.network.shutdown().await;
    until("the disconnection", || !node.network.is_connected(&key)).await;
    let _again = Node::start(config(2, address)).await;
    until("another connection", || node.network.is_connected(&key)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_address_may_name_the_peer() {
    let node = Node::start(config(1, tcp())).await;
    let boot = Node::start(config(2, quic())).await;
    let address = boot
        .address()
        .with_p2p(peer_id(&boot.key()).unwrap())
        .unwrap();
    node.network.dial(address).await.unwrap();
    until("a connection", || node.network.is_connected(&boot.key())).await;
}

/// A frame that many peers get is encoded once and lies in memory once.
#[tokio::test(flavor = "multi_thread")]
async fn the_queues_of_all_peers_share_one_buffer() {
    let node = Node::start(config(1, tcp())).await;
    let absent = [2, 3].map(|seed| quorate_network::key_of_secret([seed; 32]));

    let frame = Bytes::from(vec![7; 1_000]);
    for peer in absent {
        node.network.add_peer(peer, vec![]).await.unwrap();
        assert!(frame.is_unique() || peer == absent[1]);
        node.network
            .send(&peer, Lane::Consensus, frame.clone())
            .unwrap();
        assert!(!frame.is_unique(), "the queue holds a copy");
    }

    node.network.shutdown().await;
}
