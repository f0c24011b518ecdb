//! Tests of gossip: it also reaches nodes that are not connected to its sender.

use quorate_network::{NetworkEvent, SendError, Topic};
use tokio::time::{Duration, timeout};

use crate::support::{Node, PATIENCE, config, tcp};

fn gossip(event: NetworkEvent) -> Option<(Topic, Vec<u8>)> {
    match event {
        NetworkEvent::Gossip { topic, bytes, .. } => Some((topic, bytes)),
        _ => None,
    }
}

/// W-9: messages on every topic reach everybody, here over two nodes in between.
#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_in_a_line() {
    let mut nodes = vec![];
    for seed in 1..=4 {
        nodes.push(Node::start(config(seed, tcp())).await);
    }
    for pair in nodes.windows(2) {
        pair[1].connect(&pair[0]).await;
    }
    let (first, last) = {
        let (first, rest) = nodes.split_first_mut().unwrap();
        (first, rest.last_mut().unwrap())
    };
    for topic in Topic::ALL {
        // The mesh of gossipsub forms within some of its heartbeats, and messages published before
        // that are lost. So a new message is published every fifth of a second until one arrives.
        let publishing = async {
            for number in 0_u32.. {
                first
                    .network
                    .publish(topic, number.to_be_bytes().to_vec())
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let receiving = last.expect("gossip", |event| {
            gossip(event).filter(|(on, _)| *on == topic)
        });
        let (_, bytes) = tokio::select! {
            received = receiving => received,
            () = publishing => panic!("publishing must not end"),
        };
        assert_eq!(bytes.len(), 4);
    }
    assert!(last.network.counters().gossip.received >= 3);
    let from = first.network.counters().gossip;
    assert_eq!(from.received, 0, "a node must not receive its own messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_arrives_once() {
    let left = Node::start(config(1, tcp())).await;
    let mut right = Node::start(config(2, tcp())).await;
    left.connect(&right).await;
    let until_first = async {
        loop {
            left.network.publish(Topic::Calls, vec![1]).unwrap();
            let wait = right.expect("gossip", gossip);
            if timeout(Duration::from_millis(200), wait).await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, until_first).await.unwrap();
    left.network.publish(Topic::Calls, vec![1]).unwrap();
    left.network.publish(Topic::Calls, vec![2]).unwrap();
    assert_eq!(
        right.expect("gossip", gossip).await,
        (Topic::Calls, vec![2])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_message_is_refused() {
    let node = Node::start(config(1, tcp())).await;
    let limit = 64 * 1024;
    let refused = Err(SendError::GossipTooLarge {
        bytes: limit + 1,
        limit,
    });
    assert_eq!(
        node.network.publish(Topic::Evidence, vec![0; limit + 1]),
        refused
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_message_arrives() {
    let left = Node::start(config(1, tcp())).await;
    let mut right = Node::start(config(2, tcp())).await;
    left.connect(&right).await;
    let until_first = async {
        for number in 0.. {
            left.network
                .publish(Topic::Evidence, vec![number; 64 * 1024])
                .unwrap();
            let wait = right.expect("gossip", gossip);
            if let Ok((_, bytes)) = timeout(Duration::from_millis(300), wait).await {
                return assert_eq!(bytes.len(), 64 * 1024);
            }
        }
    };
    timeout(PATIENCE, until_first).await.unwrap();
}
