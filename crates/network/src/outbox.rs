//! Events of the event loop on their way to the consumer.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::event::{NetworkEvent, Queued};

/// Events that may wait here before the swarm is polled no further.
const MAX_WAITING: usize = 256;

/// Events that may wait here before gossip is dropped.
const MAX_WAITING_GOSSIP: usize = 128;

/// A short queue in front of the consumer's, so that the event loop never waits for the consumer.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: VecDeque<NetworkEvent>,
    events: mpsc::Sender<Queued>,
}

impl Outbox {
    pub(crate) const fn new(events: mpsc::Sender<Queued>) -> Self {
        Self {
            waiting: VecDeque::new(),
            events,
        }
    }

    /// The consumer's queue, for readers.
    pub(crate) fn events(&self) -> mpsc::Sender<Queued> {
        self.events.clone()
    }

    /// Hands an event to the consumer, at once if it has room.
    pub(crate) fn push(&mut self, event: NetworkEvent) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            if let Err(error) = self.events.try_send(event.into()) {
                return self.waiting.push_front(error.into_inner().event);
            }
        }
    }

    /// Hands on what may be lost; false if it was, because the consumer is behind.
    #[must_use]
    pub(crate) fn offer(&mut self, event: NetworkEvent) -> bool {
        let room = self.waiting.len() < MAX_WAITING_GOSSIP;
        if room {
            self.push(event);
        }
        room
    }

    /// Whether more events may be produced.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Waits until the consumer takes the oldest waiting event, or is gone (then false). Waits
    /// for the latter if no event waits. Cancel safe.
    pub(crate) async fn flush(&mut self) -> bool {
        if self.waiting.is_empty() {
            self.events.closed().await;
            return false;
        }
        let Ok(permit) = self.events.reserve().await else {
            return false;
        };
        if let Some(event) = self.waiting.pop_front() {
            permit.send(event.into());
        }
        true
    }
}
