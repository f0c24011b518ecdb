//! The transports: TCP with Noise and Yamux, QUIC, and host names resolved for both.

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, tcp, yamux};

use crate::config::NetworkLimits;
use crate::error::NetworkError;

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Builds the transport that a node dials and listens with. A machine without a resolver
/// configuration still reaches numeric addresses.
pub(crate) fn build(
    keypair: &Keypair,
    limits: &NetworkLimits,
) -> Result<Connections, NetworkError> {
    match dns::tokio::Transport::system(tcp_and_quic(keypair, limits)?) {
        Ok(resolving) => Ok(resolving.boxed()),
        Err(error) => {
            tracing::warn!(%error, "no resolver; host names in addresses are not resolved");
            tcp_and_quic(keypair, limits)
        }
    }
}

fn tcp_and_quic(keypair: &Keypair, limits: &NetworkLimits) -> Result<Connections, NetworkError> {
    let both = OrTransport::new(quic(keypair, limits), tcp(keypair, limits)?);
    Ok(both.map(|either, _| either.into_inner()).boxed())
}

fn tcp(keypair: &Keypair, limits: &NetworkLimits) -> Result<Connections, NetworkError> {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(limits.streams_per_connection);
    let noise = noise::Config::new(keypair).map_err(NetworkError::Noise)?;

    Ok(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(limits.handshake_timeout)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

fn quic(keypair: &Keypair, limits: &NetworkLimits) -> Connections {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = limits.handshake_timeout;
    config.max_concurrent_stream_limit =
        u32::try_from(limits.streams_per_connection).unwrap_or(u32::MAX);

    quic::tokio::Transport::new(config)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed()
}
