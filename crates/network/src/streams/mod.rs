//! The streams of the lanes: opened and accepted by [`lanes`], fed by [`writer`] from [`queue`],
//! emptied by [`reader`].
//!
//! The side that opens a stream writes frames to it: a `u32` big-endian length and that many bytes.
//! The other side writes acknowledgements back: a `u32` big-endian number of frames that its
//! consumer's queue has taken since the last one. Many frames share one acknowledgement, at most a
//! few milliseconds late, so acknowledgements cost next to nothing.

pub(crate) mod handler;
pub(crate) mod lanes;
pub(crate) mod queue;
pub(crate) mod reader;
pub(crate) mod writer;

use libp2p::StreamProtocol;
use libp2p::swarm::InvalidProtocol;

use crate::config::Lane;

/// The size of a frame's length prefix in bytes.
pub(crate) const HEADER_BYTES: usize = 4;

/// The size of an acknowledgement in bytes.
pub(crate) const ACKNOWLEDGEMENT_BYTES: usize = 4;

/// The protocol names of the lanes of one swarm.
#[derive(Clone, Debug)]
pub(crate) struct LaneProtocols([StreamProtocol; Lane::ALL.len()]);

impl LaneProtocols {
    /// Makes `/quorate/<swarm>/<lane>/1` for each lane.
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

    /// Returns the protocol of a lane.
    pub(crate) fn protocol(&self, lane: Lane) -> StreamProtocol {
        let [consensus, bulk, client] = &self.0;
        match lane {
            Lane::Consensus => consensus.clone(),
            Lane::Bulk => bulk.clone(),
            Lane::Client => client.clone(),
        }
    }

    /// Returns the lanes with their protocols.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Lane, StreamProtocol)> {
        Lane::ALL.into_iter().zip(self.0.iter().cloned())
    }
}
