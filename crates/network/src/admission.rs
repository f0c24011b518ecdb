//! Admission: which connections have shown that they are of this swarm, and how much time the
//! others have left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

/// Keeps track of the connections that have not yet shown that they are of this swarm.
///
/// A connection shows it by its identify message or by a stream of a lane, either of which names
/// the swarm. One such connection admits its peer until the last connection is gone.
#[derive(Debug)]
pub(crate) struct Admission {
    patience: Duration,
    pending: BTreeMap<ConnectionId, Pending>,
    admitted: BTreeSet<PeerId>,
}

#[derive(Debug)]
struct Pending {
    peer: PeerId,
    due: Instant,
}

/// The answer to an admission: whether the peer was admitted by it or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Now,
    Before,
}

impl Admission {
    pub(crate) const fn new(patience: Duration) -> Self {
        Self {
            patience,
            pending: BTreeMap::new(),
            admitted: BTreeSet::new(),
        }
    }

    /// Notes that a connection begins; its time runs from `now`.
    pub(crate) fn on_established(&mut self, connection: ConnectionId, peer: PeerId, now: Instant) {
        self.pending.insert(
            connection,
            Pending {
                peer,
                due: now + self.patience,
            },
        );
    }

    /// Notes that a connection has shown that it is of this swarm.
    pub(crate) fn admit(&mut self, connection: ConnectionId, peer: PeerId) -> Admitted {
        self.pending.remove(&connection);
        if self.admitted.insert(peer) {
            Admitted::Now
        } else {
            Admitted::Before
        }
    }

    /// Notes that a connection is gone.
    pub(crate) fn on_closed(&mut self, connection: ConnectionId) {
        self.pending.remove(&connection);
    }

    /// Notes that the last connection with a peer is gone, and returns whether the peer was
    /// admitted.
    pub(crate) fn on_lost(&mut self, peer: &PeerId) -> bool {
        self.admitted.remove(peer)
    }

    /// Returns the time at which to call [`take_overdue`](Self::take_overdue) next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.due).min()
    }

    /// Removes and returns the connections that have shown nothing in their time.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<(ConnectionId, PeerId)> {
        let overdue = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.due <= now);

        let overdue: Vec<_> = overdue.map(|(id, pending)| (*id, pending.peer)).collect();
        self.pending.retain(|_, pending| pending.due > now);
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_in_its_time_is_overdue_once() {
        let (now, patience) = (Instant::now(), Duration::from_secs(10));
        let mut admission = Admission::new(patience);
        let (silent, spoken, gone) = (connection(1), connection(2), connection(3));
        let [peer, other, third] = [(); 3].map(|()| PeerId::random());

        for (connection, peer) in [(silent, peer), (spoken, other), (gone, third)] {
            admission.on_established(connection, peer, now);
        }

        assert_eq!(admission.admit(spoken, other), Admitted::Now);
        admission.on_closed(gone);

        assert_eq!(admission.next_due(), Some(now + patience));
        assert_eq!(admission.take_overdue(now), []);
        assert_eq!(admission.take_overdue(now + patience), [(silent, peer)]);
        assert_eq!(admission.next_due(), None);
    }

    #[test]
    fn a_peer_is_admitted_once_until_it_is_lost() {
        let mut admission = Admission::new(Duration::ZERO);
        let peer = PeerId::random();
        assert!(!admission.on_lost(&peer));

        assert_eq!(admission.admit(connection(1), peer), Admitted::Now);
        assert_eq!(admission.admit(connection(2), peer), Admitted::Before);

        assert!(admission.on_lost(&peer));
        assert_eq!(admission.admit(connection(3), peer), Admitted::Now);
    }

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }
}
