//! The dialer: which peers this node wants to be connected with, and when it dials them again.
//!
//! It has no I/O: the event loop passes the time in and dials the targets that [`Dialer::take_due`]
//! returns.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::config::NetworkLimits;

/// Pauses that double from the shortest to the longest. They have no jitter: peers that lose each
/// other at the same time are few enough that jitter would gain nothing.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(limits: &NetworkLimits) -> Self {
        Self {
            min: limits.retry_min,
            max: limits.retry_max,
            next: limits.retry_min,
        }
    }

    /// Returns the pause to make now.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause
    }

    /// Starts with the shortest pause again.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }
}

/// A target to dial: a known peer, or the peer that answers at an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Goal {
    Peer(PeerId),
    Boot(Multiaddr),
}

#[derive(Debug)]
struct Target {
    addresses: Vec<Multiaddr>,
    /// The peer to reach, or the one that answered last at a boot address.
    peer: Option<PeerId>,
    state: DialState,
    backoff: Backoff,
}

#[derive(Debug)]
enum DialState {
    /// To be dialed at this time.
    Waiting(Instant),
    /// Being dialed by this attempt.
    Dialing(ConnectionId),
    /// Connected with a peer of this swarm, or with one whose swarm is not yet known; nothing to do
    /// until it is lost.
    Connected,
}

/// All targets, with the times at which they are dialed.
#[derive(Debug)]
pub(crate) struct Dialer {
    targets: BTreeMap<Goal, Target>,
    limits: NetworkLimits,
}

impl Dialer {
    pub(crate) const fn new(limits: NetworkLimits) -> Self {
        Self {
            targets: BTreeMap::new(),
            limits,
        }
    }

    /// Wants a peer. If no addresses are given, the addresses from before stay. A peer that has
    /// none is not dialed, but may connect from its side.
    pub(crate) fn want(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>, now: Instant) {
        // The target is made anew, so that it is dialed now and its back-off starts over.
        let before = self.targets.remove(&Goal::Peer(peer));
        if addresses.is_empty() {
            addresses = before.map(|target| target.addresses).unwrap_or_default();
        }

        let target = self.target(addresses, Some(peer), DialState::Waiting(now));
        self.targets.insert(Goal::Peer(peer), target);
    }

    /// Wants the peer that answers at an address.
    pub(crate) fn want_boot(&mut self, address: Multiaddr, now: Instant) {
        let target = self.target(vec![address.clone()], None, DialState::Waiting(now));
        self.targets.entry(Goal::Boot(address)).or_insert(target);
    }

    /// Forgets a peer, and the boot addresses at which it answered.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.targets
            .retain(|_, target| target.peer.as_ref() != Some(peer));
    }

    /// Returns whether a peer is wanted.
    pub(crate) fn wants(&self, peer: &PeerId) -> bool {
        self.targets
            .values()
            .any(|target| target.peer.as_ref() == Some(peer))
    }

    /// Returns the time at which to call [`take_due`](Self::take_due) next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self
            .targets
            .values()
            .filter(|target| !target.addresses.is_empty());
        waiting.filter_map(|target| target.state.due()).min()
    }

    /// Returns the targets that must be dialed now. Every attempt ends in `on_failed`,
    /// `on_own_address` or `on_established`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<DialOpts> {
        let targets = self.targets.iter_mut();
        targets
            .filter_map(|(goal, target)| target.dial_if_due(goal, now))
            .collect()
    }

    /// Notes that an attempt failed; its target is dialed again after the next pause.
    pub(crate) fn on_failed(&mut self, attempt: ConnectionId, now: Instant) {
        if let Some(target) = self.dialing(attempt) {
            target.schedule(now);
        }
    }

    /// Forgets the target of an attempt, because its address is this node's own.
    pub(crate) fn on_own_address(&mut self, attempt: ConnectionId) {
        self.targets
            .retain(|_, target| !target.state.is_attempt(attempt));
    }

    /// Notes that a connection begins, by this attempt or from the other side.
    pub(crate) fn on_established(&mut self, attempt: ConnectionId, peer: PeerId) {
        if let Some(target) = self.dialing(attempt) {
            target.peer = Some(peer);
        }
        self.on_connected(peer);
    }

    /// Notes that a peer has a connection, so it is not dialed.
    pub(crate) fn on_connected(&mut self, peer: PeerId) {
        for target in self.targets_of(peer) {
            target.state = DialState::Connected;
        }
    }

    /// Notes that a connected peer is of this swarm: its next pause is the shortest again.
    pub(crate) fn on_admitted(&mut self, peer: PeerId) {
        for target in self.targets_of(peer) {
            target.backoff.reset();
        }
    }

    /// Notes that the last connection with a peer is gone; it is dialed again after a pause.
    pub(crate) fn on_lost(&mut self, peer: PeerId, now: Instant) {
        for target in self.targets_of(peer) {
            target.schedule(now);
        }
    }

    fn target(&self, addresses: Vec<Multiaddr>, peer: Option<PeerId>, state: DialState) -> Target {
        Target {
            addresses,
            peer,
            state,
            backoff: Backoff::new(&self.limits),
        }
    }

    fn dialing(&mut self, attempt: ConnectionId) -> Option<&mut Target> {
        self.targets
            .values_mut()
            .find(|target| target.state.is_attempt(attempt))
    }

    fn targets_of(&mut self, peer: PeerId) -> impl Iterator<Item = &mut Target> {
        self.targets
            .values_mut()
            .filter(move |target| target.peer == Some(peer))
    }
}

impl Target {
    fn dial_if_due(&mut self, goal: &Goal, now: Instant) -> Option<DialOpts> {
        if self.addresses.is_empty() || self.state.due()? > now {
            return None;
        }
        let options = self.options(goal);
        self.state = DialState::Dialing(options.connection_id());
        Some(options)
    }

    fn options(&self, goal: &Goal) -> DialOpts {
        match goal {
            Goal::Peer(peer) => DialOpts::peer_id(*peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(self.addresses.clone())
                .build(),
            Goal::Boot(address) => DialOpts::unknown_peer_id().address(address.clone()).build(),
        }
    }

    fn schedule(&mut self, now: Instant) {
        self.state = DialState::Waiting(now + self.backoff.next());
    }
}

impl DialState {
    const fn due(&self) -> Option<Instant> {
        match self {
            Self::Waiting(due) => Some(*due),
            Self::Dialing(_) | Self::Connected => None,
        }
    }

    fn is_attempt(&self, attempt: ConnectionId) -> bool {
        matches!(self, Self::Dialing(dialing) if *dialing == attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn dialer() -> Dialer {
        Dialer::new(NetworkLimits {
            retry_min: 100 * MS,
            retry_max: 500 * MS,
            ..NetworkLimits::default()
        })
    }

    fn address() -> Multiaddr {
        "/ip4/127.0.0.1/tcp/1".parse().unwrap()
    }

    /// The one attempt that is due now.
    fn attempt(dialer: &mut Dialer, now: Instant) -> ConnectionId {
        let due = dialer.take_due(now);
        assert_eq!(due.len(), 1);
        due[0].connection_id()
    }

    #[test]
    fn pauses_double_to_the_longest_and_begin_again_once_admitted() {
        let (mut dialer, peer, mut now) = (dialer(), PeerId::random(), Instant::now());

        dialer.want(peer, vec![address()], now);
        for pause in [100, 200, 400, 500, 500] {
            let failed = attempt(&mut dialer, now);
            assert_eq!(dialer.next_due(), None, "while dialing");
            dialer.on_failed(failed, now);
            assert_eq!(dialer.next_due(), Some(now + pause * MS));
            assert!(dialer.take_due(now + (pause - 1) * MS).is_empty());
            now += pause * MS;
        }

        let reached = attempt(&mut dialer, now);
        dialer.on_established(reached, peer);
        assert_eq!(dialer.next_due(), None, "while connected");

        dialer.on_lost(peer, now);
        assert_eq!(dialer.next_due(), Some(now + 500 * MS), "it was of no use");

        dialer.on_admitted(peer);
        dialer.on_lost(peer, now);
        assert_eq!(dialer.next_due(), Some(now + 100 * MS), "it was");
    }

    #[test]
    fn a_peer_that_connects_itself_is_not_dialed() {
        let (mut dialer, peer, now) = (dialer(), PeerId::random(), Instant::now());
        dialer.want(peer, vec![address()], now);
        dialer.on_established(ConnectionId::new_unchecked(usize::MAX), peer);
        assert!(dialer.take_due(now).is_empty());
    }

    #[test]
    fn a_peer_without_addresses_is_not_dialed_and_keeps_those_it_had() {
        let (mut dialer, peer, now) = (dialer(), PeerId::random(), Instant::now());
        dialer.want(peer, vec![], now);
        assert_eq!(dialer.next_due(), None);
        assert!(dialer.take_due(now).is_empty());

        dialer.want(peer, vec![address()], now);
        dialer.want(peer, vec![], now);
        assert_eq!(dialer.take_due(now).len(), 1);
    }

    #[test]
    fn who_answers_at_a_boot_address_is_wanted_until_forgotten() {
        let (mut dialer, peer, now) = (dialer(), PeerId::random(), Instant::now());
        dialer.want_boot(address(), now);
        let reached = attempt(&mut dialer, now);

        assert!(!dialer.wants(&peer));
        dialer.on_established(reached, peer);
        assert!(dialer.wants(&peer));

        dialer.on_lost(peer, now);
        assert_eq!(dialer.next_due(), Some(now + 100 * MS));

        dialer.forget(&peer);
        assert_eq!(dialer.next_due(), None);
    }

    #[test]
    fn an_own_address_is_not_dialed_again() {
        let (mut dialer, now) = (dialer(), Instant::now());
        dialer.want_boot(address(), now);
        let own = attempt(&mut dialer, now);
        dialer.on_own_address(own);
        assert_eq!(dialer.next_due(), None);
    }
}
