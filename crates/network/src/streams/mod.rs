//! The streams of the lanes: opened and accepted by [`lanes`], fed by [`writer`] from [`queue`],
//! emptied by [`reader`].
//!
//! Whoever opens a stream writes frames to it: a `u32` big-endian length and that many bytes. The
//! other side writes acknowledgements back: a `u32` big-endian number of frames that its consumer's
//! queue has taken since the last one. Frames are acknowledged together, a few milliseconds late
//! at most, so they cost next to nothing.

pub(crate) mod handler;
pub(crate) mod lanes;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod writer;

use libp2p::StreamProtocol;
use libp2p::swarm::InvalidProtocol;

use crate::config::Lane;

/// The length prefix of a frame, in bytes.
pub(crate) const HEADER_BYTES: usize = 4;

/// An acknowledgement, in bytes.
pub(crate) const ACKNOWLEDGEMENT_BYTES: usize = 4;

/// The protocol names of the lanes of one swarm.
#[derive(Clone, Debug)]
pub(crate) struct LaneProtocols([StreamProtocol; Lane::ALL.len()]);

impl LaneProtocols {
    /// `/quorate/<swarm>/<lane>/1` for each lane.
    pub(crate) fn new(swarm_prefix: &str) -> Result<Self, InvalidProtocol> {
        let protocol = |lane: Lane| {
            StreamProtocol::try_from_owned(format!("{swarm_prefix}/{}/1", lane.name()))
        };
        let [consensus, bulk, client] = Lane::ALL;
        Ok(Self([
            protocol(consensus)?,
            protocol(bulk)?,
            protocol(client)?,
        ]))
    }

    /// The protocol of a lane.
    pub(crate) fn protocol(&self, lane: Lane) -> StreamProtocol {
        let [consensus, bulk, client] = &self.0;
        match lane {
            Lane::Consensus => consensus.clone(),
            Lane::Bulk => bulk.clone(),
            Lane::Client => client.clone(),
        }
    }

    /// Lanes with their protocols.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Lane, StreamProtocol)> {
        Lane::ALL.into_iter().zip(self.0.iter().cloned())
    }
}
