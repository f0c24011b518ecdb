//! Whom this node wants to be connected with, and when it dials them again.
//!
//! Without I/O: the event loop passes the time in and dials what [`Dialer::take_due`] returns.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::config::NetworkLimits;

/// Pauses that double from the shortest to the longest. Deterministic: peers that lose each other
/// at once are few enough that jitter would buy nothing.
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

    /// The pause to make now.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause
    }

    /// Begins with the shortest pause again.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }
}

/// What is dialed: a known peer, or whoever answers at an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Goal {
    Peer(PeerId),
    Boot(Multiaddr),
}

#[derive(Debug)]
struct Target {
    addresses: Vec<Multiaddr>,
    /// The peer itself, or who answered at a boot address last.
    peer: Option<PeerId>,
    state: State,
    backoff: Backoff,
}

#[derive(Debug)]
enum State {
    /// Dialed at this time.
    Waiting(Instant),
    /// Being dialed.
    Dialing(ConnectionId),
    /// Connected, of this swarm or not yet known; nothing to do until it is lost.
    Connected,
}

/// All targets with their timers.
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

    /// Wants a peer. Without addresses those given before stay, and without any it is not dialed
    /// but may connect itself.
    pub(crate) fn want(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>, now: Instant) {
        let before = self.targets.remove(&Goal::Peer(peer));
        if addresses.is_empty() {
            addresses = before.map(|target| target.addresses).unwrap_or_default();
        }
        let target = self.target(addresses, Some(peer), State::Waiting(now));
        self.targets.insert(Goal::Peer(peer), target);
    }

    /// Wants whoever answers at an address.
    pub(crate) fn want_boot(&mut self, address: Multiaddr, now: Instant) {
        let target = self.target(vec![address.clone()], None, State::Waiting(now));
        self.targets.entry(Goal::Boot(address)).or_insert(target);
    }

    /// Forgets a peer, and boot addresses at which it answered.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.targets
            .retain(|_, target| target.peer.as_ref() != Some(peer));
    }

    /// Whether this peer is wanted.
    pub(crate) fn wants(&self, peer: &PeerId) -> bool {
        self.targets
            .values()
            .any(|target| target.peer.as_ref() == Some(peer))
    }

    /// When to call [`take_due`](Self::take_due) next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self
            .targets
            .values()
            .filter(|target| !target.addresses.is_empty());
        waiting.filter_map(|target| target.state.due()).min()
    }

    /// What is to be dialed now; every attempt ends in `on_failed` or `on_established`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<DialOpts> {
        let targets = self.targets.iter_mut();
        targets
            .filter_map(|(goal, target)| target.dial_if_due(goal, now))
            .collect()
    }

    /// An attempt failed: again after the next pause.
    pub(crate) fn on_failed(&mut self, attempt: ConnectionId, now: Instant) {
        if let Some(target) = self.dialing(attempt) {
            target.schedule(now);
        }
    }

    /// An address turned out to be this node's own: never again.
    pub(crate) fn on_own_address(&mut self, attempt: ConnectionId) {
        self.targets
            .retain(|_, target| !target.state.is_attempt(attempt));
    }

    /// A connection begins: this attempt's, or one from the other side.
    pub(crate) fn on_established(&mut self, attempt: ConnectionId, peer: PeerId) {
        if let Some(target) = self.dialing(attempt) {
            target.peer = Some(peer);
        }
        self.on_connected(peer);
    }

    /// A peer has a connection, so it is not dialed.
    pub(crate) fn on_connected(&mut self, peer: PeerId) {
        for target in self.targets_of(peer) {
            target.state = State::Connected;
        }
    }

    /// A connected peer turned out to be of this swarm: its pauses begin short again.
    pub(crate) fn on_admitted(&mut self, peer: PeerId) {
        for target in self.targets_of(peer) {
            target.backoff.reset();
        }
    }

    /// The last connection with a peer is gone.
    pub(crate) fn on_lost(&mut self, peer: PeerId, now: Instant) {
        for target in self.targets_of(peer) {
            target.schedule(now);
        }
    }

    fn target(&self, addresses: Vec<Multiaddr>, peer: Option<PeerId>, state: State) -> Target {
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
        self.state = State::Dialing(options.connection_id());
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
        self.state = State::Waiting(now + self.backoff.next());
    }
}

impl State {
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
