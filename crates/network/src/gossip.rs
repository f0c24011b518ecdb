//! gossipsub as it is configured for a swarm: topics, mesh and message ids.

use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, TopicHash,
    ValidationMode,
};
use libp2p::identity::Keypair;
use sha2::{Digest, Sha256};
use std::time::Duration;

use crate::config::{NetworkLimits, Topic};
use crate::error::NetworkError;

/// The time for which the id of a message is remembered, so that the message is passed on once.
const DUPLICATE_CACHE: Duration = Duration::from_secs(60);

/// The number of messages that are read from one RPC.
const MAX_MESSAGES_PER_RPC: usize = 64;

/// The room in bytes for the author, signature, sequence number and topic of a message.
const ENVELOPE_BYTES: usize = 512;

/// The topics of one swarm.
#[derive(Clone, Debug)]
pub(crate) struct Topics([IdentTopic; Topic::ALL.len()]);

impl Topics {
    /// Makes `/quorate/<swarm>/<topic>/1` for each topic.
    pub(crate) fn new(swarm_prefix: &str) -> Self {
        Self(Topic::ALL.map(|topic| IdentTopic::new(format!("{swarm_prefix}/{}/1", topic.name()))))
    }

    /// Returns the name under which gossipsub knows a topic.
    pub(crate) fn hash(&self, topic: Topic) -> TopicHash {
        let [announcements, calls, evidence] = &self.0;
        match topic {
            Topic::Announcements => announcements.hash(),
            Topic::Calls => calls.hash(),
            Topic::Evidence => evidence.hash(),
        }
    }

    /// Returns the topic that gossipsub knows under this name, or `None` if the swarm has none.
    pub(crate) fn topic(&self, hash: &TopicHash) -> Option<Topic> {
        Topic::ALL
            .into_iter()
            .find(|topic| self.hash(*topic) == *hash)
    }
}

/// Builds gossipsub, subscribed to every topic. Messages are signed by their author and checked
/// before they are passed on (gossipsub specification, "StrictSign"). The mesh is small, 4 peers (2
/// to 8), because gossip is not urgent here. A node's own messages go to all its peers.
pub(crate) fn behaviour(
    keypair: &Keypair,
    swarm_prefix: &str,
    limits: &NetworkLimits,
) -> Result<Behaviour, NetworkError> {
    let config = ConfigBuilder::default()
        .protocol_id_prefix(format!("{swarm_prefix}/gossip"))
        .mesh_n(4)
        .mesh_n_low(2)
        .mesh_n_high(8)
        .mesh_outbound_min(1)
        .flood_publish(true)
        .validation_mode(ValidationMode::Strict)
        .message_id_fn(content_id)
        .max_transmit_size(limits.max_gossip_bytes.saturating_add(ENVELOPE_BYTES))
        .max_publish_messages(MAX_MESSAGES_PER_RPC)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .build()?;

    // Flood publishing: a new message must not depend on a mesh that has just been formed.
    let author = MessageAuthenticity::Signed(keypair.clone());
    let mut behaviour = Behaviour::new(author, config).map_err(NetworkError::Gossip)?;
    for topic in &Topics::new(swarm_prefix).0 {
        behaviour.subscribe(topic)?;
    }

    Ok(behaviour)
}

/// Returns the id of a message: the hash of topic and content. A peer that repeats what others said
/// adds nothing to the load.
fn content_id(message: &Message) -> MessageId {
    let mut hash = Sha256::new();
    hash.update(message.topic.as_str());
    hash.update([0]);
    hash.update(&message.data);
    MessageId::new(hash.finalize().as_slice())
}
