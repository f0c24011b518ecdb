//! Tests of connections: the peers that are let in, those that are refused, and how a connection
//! ends.

use std::net::{Ipv4Addr, TcpListener};

use quorate_network::{
    Lane, MisbehaviourKind, NetworkConfig, NetworkError, NetworkEvent, NetworkStopped, SendError,
    start,
};

use crate::support::{Node, config, quic, tcp, until};

/// W-6: the name of the swarm is in every protocol name, so two swarms have none in common.
#[tokio::test(flavor = "multi_thread")]
async fn peers_of_another_swarm_are_refused() {
    for listen in [tcp, quic] {
        let mut node = Node::start(config(1, listen())).await;
        let other = NetworkConfig {
            protocol: "bb22".into(),
            ..config(2, listen())
        };
        let other = Node::start(other).await;
        other.network.dial(node.address()).await.unwrap();

        let stranger = other.key();
        let kind = node.expect("a report", |event| match event {
            NetworkEvent::Connected(_) => panic!("a peer of another swarm is connected"),
            NetworkEvent::Misbehaviour { from, kind } if from == stranger => Some(kind),
            _ => None,
        });
        assert_eq!(kind.await, MisbehaviourKind::OtherSwarm);
        assert!(node.network.peers().is_empty());
        assert!(other.network.peers().is_empty());
        assert!(node.network.counters().refused_peers >= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_peer_stays_out_until_it_is_unbanned() {
    let node = Node::start(config(1, tcp())).await;
    let other = Node::start(config(2, tcp())).await;
    other.connect(&node).await;
    node.network.ban(other.key()).await.unwrap();
    until("the ban", || !node.network.is_connected(&other.key())).await;
    let refused = node.network.counters().refused_connections;
    until("two more refusals", || {
        node.network.counters().refused_connections >= refused + 2
    })
    .await;
    assert!(!node.network.is_connected(&other.key()));
    let to = other.key();
    let unknown = Err(SendError::UnknownPeer { to });
    assert_eq!(node.network.send(&to, Lane::Client, vec![1]), unknown);

    node.network.unban(other.key()).await.unwrap();
    until("a return", || node.network.is_connected(&other.key())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_and_connected_are_reported() {
    let mut node = Node::start(config(1, tcp())).await;
    let other = Node::start(config(2, tcp())).await;
    other.connect(&node).await;
    let key = other.key();
    node.expect("the connection", |event| {
        (event == NetworkEvent::Connected(key)).then_some(())
    })
    .await;
    other.network.shutdown().await;
    node.expect("the end of the connection", |event| {
        (event == NetworkEvent::Disconnected(key)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_a_connected_peer_are_reported() {
    let mut node = Node::start(config(1, tcp())).await;
    let other = Node::start(config(2, quic())).await;
    node.connect(&other).await;
    let found = node.expect("the addresses", |event| match event {
        NetworkEvent::Discovered { key, addresses } => Some((key, addresses)),
        _ => None,
    });
    assert_eq!(found.await, (other.key(), vec![other.address()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_dialers_get_ten_connections() {
    let mut server = config(1, tcp());
    server.limits.max_incoming = 10;
    let server = Node::start(server).await;
    let mut dialers = vec![];
    for seed in 100..200 {
        let (network, events) = start(NetworkConfig {
            listen: vec![],
            ..config(seed, tcp())
        })
        .unwrap();
        network.dial(server.address()).await.unwrap();
        dialers.push((network, events));
    }
    until("90 refusals", || {
        assert!(server.network.peers().len() <= 10);
        server.network.counters().refused_connections >= 90
    })
    .await;
    until("ten connections", || server.network.peers().len() == 10).await;

    // A wanted peer is let in beyond the limit.
    let wanted = Node::start(config(2, tcp())).await;
    server.network.add_peer(wanted.key(), vec![]).await.unwrap();
    wanted.network.dial(server.address()).await.unwrap();
    until("the connection of the wanted peer", || {
        server.network.is_connected(&wanted.key())
    })
    .await;
    assert!(server.network.peers().len() <= 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_closes_the_sockets() {
    let mut node = Node::start(config(1, tcp())).await;
    let other = Node::start(config(2, tcp())).await;
    node.connect(&other).await;
    let address = node.address().to_string();
    let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
    assert!(
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err(),
        "the port must be in use"
    );

    node.network.shutdown().await;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert_eq!(
        node.network.send(&other.key(), Lane::Bulk, vec![1]),
        Err(SendError::Stopped)
    );
    assert_eq!(
        node.network.dial(other.address()).await,
        Err(NetworkStopped)
    );
    while node.events.recv().await.is_some() {}
    until("the end", || !other.network.is_connected(&node.key())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_handle_or_the_events_stops_the_network() {
    let other = Node::start(config(9, tcp())).await;
    let Node {
        network,
        mut events,
    } = Node::start(config(1, tcp())).await;
    drop(network);
    while events.recv().await.is_some() {}

    let Node { network, events } = Node::start(config(2, tcp())).await;
    drop(events);
    let key = other.key();
    until("the network to stop", || {
        network.send(&key, Lane::Bulk, vec![]) == Err(SendError::Stopped)
    })
    .await;
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    for protocol in ["", "a/b", "é", &"a".repeat(65)] {
        let result = start(NetworkConfig::new([1; 32], protocol));
        assert!(
            matches!(result, Err(NetworkError::ProtocolName { .. })),
            "{protocol}"
        );
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    assert!(matches!(
        start(config(1, address)),
        Err(NetworkError::Listen { .. })
    ));
}
