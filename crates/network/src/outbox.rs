//! The outbox: events of the event loop on their way to the consumer.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::event::{NetworkEvent, Queued};

/// The number of waiting events at which the swarm is no longer polled.
const MAX_WAITING: usize = 256;

/// The number of waiting events at which gossip is dropped.
const MAX_WAITING_GOSSIP: usize = 128;

/// A short queue in front of the consumer's queue, so that the event loop never waits for the
/// consumer.
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

    /// Returns the sending end of the consumer's queue, for readers.
    pub(crate) fn events(&self) -> mpsc::Sender<Queued> {
        self.events.clone()
    }

    /// Hands an event to the consumer if it has room; otherwise the event waits here.
    pub(crate) fn push(&mut self, event: NetworkEvent) {
        self.waiting.push_back(event);
        // Older events go first, so that the consumer gets all in their order.
        while let Some(event) = self.waiting.pop_front() {
            if let Err(error) = self.events.try_send(event.into()) {
                return self.waiting.push_front(error.into_inner().event);
            }
        }
    }

    /// Hands on an event that may be lost. Returns false if it was dropped because the consumer is
    /// behind.
    #[must_use]
    pub(crate) fn offer(&mut self, event: NetworkEvent) -> bool {
        let room = self.waiting.len() < MAX_WAITING_GOSSIP;
        if room {
            self.push(event);
        }
        room
    }

    /// Returns whether more events may be produced.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Waits until the consumer takes the oldest waiting event, and returns true; returns false if
    /// the consumer is gone. If no event waits, it waits until the consumer is gone. Cancel safe.
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
