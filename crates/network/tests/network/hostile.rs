//! Tests of peers that break the rules; some of them run on a bare libp2p swarm.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, NetworkBehaviour, Swarm, SwarmEvent, dummy};
use libp2p::{Multiaddr, StreamProtocol, Transport, noise, ping, tcp, yamux};
use libp2p_stream::Control;
use quorate_network::{Lane, MisbehaviourKind, NetworkConfig, NetworkEvent, PeerKey, peer_id};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Node, PATIENCE, config, tcp as tcp_address, until};

fn misbehaviour(event: NetworkEvent) -> Option<MisbehaviourKind> {
    match event {
        NetworkEvent::Misbehaviour { kind, .. } => Some(kind),
        _ => None,
    }
}

fn bare_swarm<B: NetworkBehaviour>(behaviour: B) -> Swarm<B> {
    let keypair = Keypair::generate_ed25519();
    let transport = tcp::tokio::Transport::new(tcp::Config::new())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keypair).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config =
        Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(3600));
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config)
}

/// A peer that answers pings, so that its connection is kept, and opens any streams that it likes.
#[derive(NetworkBehaviour)]
struct LaneSpeaker {
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
}

/// Connects a [`LaneSpeaker`] to the victim; returns the means to open streams.
async fn lane_speaker(victim: Multiaddr) -> Control {
    let streams = libp2p_stream::Behaviour::new();
    let control = streams.new_control();
    let mut swarm = bare_swarm(LaneSpeaker {
        streams,
        ping: ping::Behaviour::default(),
    });
    swarm.dial(victim).unwrap();
    let connected = async {
        while !matches!(
            swarm.select_next_some().await,
            SwarmEvent::ConnectionEstablished { .. }
        ) {}
    };
    timeout(PATIENCE, connected).await.unwrap();
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    control
}

/// Opens a stream of a lane by its protocol name (W-7).
async fn open(control: &mut Control, victim: PeerKey, lane: &str) -> libp2p::Stream {
    let protocol = StreamProtocol::try_from_owned(format!("/quorate/aa11/{lane}/1")).unwrap();
    let opening = control.open_stream(peer_id(&victim).unwrap(), protocol);
    timeout(PATIENCE, opening).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_frame_ends_its_stream_and_no_other() {
    let mut node = Node::start(config(1, tcp_address())).await;
    let mut generous = config(2, tcp_address());
    generous.limits.consensus.max_frame_bytes = 1 << 20;
    let other = Node::start(generous).await;
    other.connect(&node).await;

    other
        .network
        .send(&node.key(), Lane::Consensus, vec![0; 300_000])
        .unwrap();
    let kind = node.expect("a report", misbehaviour).await;
    let oversized = MisbehaviourKind::OversizedFrame {
        lane: Lane::Consensus,
        bytes: 300_000,
    };
    assert_eq!(kind, oversized);
    assert!(node.network.counters().consensus.streams_refused >= 1);
    other
        .network
        .send(&node.key(), Lane::Bulk, vec![5; 300_000])
        .unwrap();
    assert_eq!(node.frame().await.len(), 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_frame_that_does_not_come_ends_its_stream() {
    let mut impatient = config(1, tcp_address());
    impatient.limits.frame_timeout = Duration::from_millis(200);
    let mut node = Node::start(impatient).await;
    let mut control = lane_speaker(node.address()).await;
    let mut stream = open(&mut control, node.key(), "bulk").await;
    stream.write_all(&1000_u32.to_be_bytes()).await.unwrap();
    stream.write_all(&[1; 999]).await.unwrap();
    stream.flush().await.unwrap();
    let stalled = MisbehaviourKind::StalledFrame { lane: Lane::Bulk };
    assert_eq!(node.expect("a report", misbehaviour).await, stalled);
    let mut rest = vec![];
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .unwrap();
    assert!(ended.is_err() || rest.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_streams_replace_the_oldest() {
    let mut node = Node::start(config(1, tcp_address())).await;
    let mut control = lane_speaker(node.address()).await;
    let mut streams = vec![];
    for number in 0..10_u8 {
        let mut stream = open(&mut control, node.key(), "client").await;
        stream.write_all(&[0, 0, 0, 1, number]).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(node.frame().await, [number]);
        streams.push(stream);
    }
    for stream in &mut streams[..8] {
        let mut end = vec![];
        let ended = timeout(PATIENCE, stream.read_to_end(&mut end)).await;
        assert!(ended.is_ok(), "the stream is still open");
    }
    for (number, stream) in (0..).zip(&mut streams[8..]) {
        stream.write_all(&[0, 0, 0, 1, number]).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(node.frame().await, [number]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_never_speaks_is_closed() {
    let node = Node::start(impatient(1)).await;
    let address = node.address().to_string();
    let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut received = vec![];
    let closed = timeout(PATIENCE, socket.read_to_end(&mut received)).await;
    assert!(closed.is_ok(), "the socket is still open");
    until("the refusal to be counted", || {
        node.network.counters().refused_connections == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_speaks_no_protocol_is_disconnected() {
    let node = Node::start(impatient(1)).await;
    let mut swarm = bare_swarm(dummy::Behaviour);
    swarm.dial(node.address()).unwrap();
    let closed = async {
        while !matches!(
            swarm.select_next_some().await,
            SwarmEvent::ConnectionClosed { .. }
        ) {}
    };
    timeout(PATIENCE, closed).await.unwrap();
    assert!(node.network.peers().is_empty());
}

/// A configuration with a short time for handshakes.
fn impatient(seed: u8) -> NetworkConfig {
    let mut config = config(seed, tcp_address());
    config.limits.handshake_timeout = Duration::from_millis(300);
    config
}
