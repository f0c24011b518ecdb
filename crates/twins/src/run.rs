//! The run of one scenario: the synchronous scheduler that the crate documents.

use std::sync::Arc;

use quorate_replica::{Event, Recipients};
use quorate_types::message::PeerMessage;
use quorate_types::{
    Height, Kind, Millis, MonotonicMillis, PublicKey, Round, SignedStatement, ValidatorSet,
};

use crate::committee::Committee;
use crate::form::Entry;
use crate::hosts::{Host, HostOutput, INTERVAL_MS, RESEND_MS, SignatureCache};
use crate::network::{Frame, Hearing, Network, Withheld};
use crate::oracle::Oracle;
use crate::report::ScheduleOutcome;
use crate::votes::{HEIGHT, Votes};

/// The number of heights that correct hosts have to decide after healing.
const HEIGHTS_AFTER: Height = 1;
/// The number of heights within which evidence must be committed. Every validator has proposed by
/// then.
const EVIDENCE_BY: Height = 16;
/// The number of frames and timers of one scenario after which it counts as endless.
const STEPS: u64 = 50_000;
/// Milliseconds after which a replica serves a peer again. Steps time out within them.
const PAUSE_MS: Millis = RESEND_MS / 10 + 1;

/// One scenario while it runs.
pub(crate) struct Run<'a> {
    mint: &'a mut SignatureCache,
    nodes: usize,
    twins: usize,
    hosts: Vec<Host>,
    validators: Arc<ValidatorSet>,
    network: Network,
    votes: Votes,
    oracle: Oracle,
    /// Whether after some round a correct host had precommitted a block and not decided.
    locked: bool,
    now: MonotonicMillis,
    steps: u64,
}

impl<'a> Run<'a> {
    /// Sets up all hosts at the genesis.
    pub(crate) fn new(committee: &'a mut Committee, withheld: Withheld) -> Self {
        let nodes = committee.nodes();
        let twins = committee.twins();
        let hosts = committee.hosts();

        let mut oracle = Oracle::default();
        let twinned = hosts.iter().take(twins);
        oracle.twins.extend(twinned.map(|host| host.key));

        Self {
            nodes,
            twins,
            network: Network::new(withheld, hosts.len()),
            validators: Arc::clone(committee.ledger().validators()),
            mint: committee.mint(),
            hosts,
            votes: Votes::default(),
            oracle,
            locked: false,
            // By now the first heartbeat is due, so hosts propose blocks.
            now: MonotonicMillis(INTERVAL_MS),
            steps: 0,
        }
    }

    /// Plays an entry when it is the turn of its leader.
    pub(crate) fn play_entry(&mut self, entry: &Entry) {
        let hosts = self.hosts.len();

        // Rounds pass in total isolation until it is the leader's turn.
        for _ in 1..self.nodes {
            if self.proposes(entry.leader) {
                break;
            }

            self.network.play(self.frontier(), Hearing::alone(hosts));
            self.play();
        }

        self.network
            .play(self.frontier(), Hearing::of(entry, hosts));

        self.now += PAUSE_MS;
        self.connect();
        self.play();

        self.locked |= self.hosts.iter().any(|host| {
            self.is_correct(host) && host.replica.height() == HEIGHT && host.has_precommitted()
        });
    }

    /// The outcome so far, before healing.
    pub(crate) fn standing(&self) -> ScheduleOutcome {
        ScheduleOutcome {
            decided: self.correct_heights().any(|height| height >= HEIGHT),
            locked: self.locked,
            rounds: u64::from(self.frontier()),
            ..ScheduleOutcome::default()
        }
    }

    /// Lets everyone hear everyone, until all correct hosts have decided a further height and each
    /// key that contradicted itself is convicted.
    pub(crate) fn heal(&mut self) {
        self.network.heal();
        self.now += PAUSE_MS;
        self.steps = 0;
        self.connect();

        let goal = self.correct_heights().max().unwrap_or(0) + HEIGHTS_AFTER;

        while self.oracle.violation.is_none() && !self.is_done(goal) {
            // Time passes only when nothing is on its way.
            match self.network.next() {
                Some(frame) => self.hand(frame),
                None if self.fire(|_| true, Millis::MAX) => {}
                None => self
                    .oracle
                    .object("after healing nothing happens any more".to_owned()),
            }

            self.count_step();
        }
    }

    /// The outcome at the end, with what was known before healing.
    pub(crate) fn outcome(self, standing: ScheduleOutcome) -> ScheduleOutcome {
        let oracle = self.oracle;
        ScheduleOutcome {
            violation: oracle.violation,
            reproposed: oracle.reproposed,
            conflict: !oracle.exposed.is_empty(),
            convicted: oracle.convicted.len(),
            digest: oracle.digest.text(),
            ..standing
        }
    }

    /// Plays a round until nothing is left to happen in it.
    fn play(&mut self) {
        let round = self.frontier();

        while self.oracle.violation.is_none() {
            self.count_step();

            // Deliver what there is, then let time pass, then help a host that is stuck.
            if let Some(frame) = self.network.next() {
                self.hand(frame);
            } else if !self.fire(|host| is_in(host, round), PAUSE_MS) && !self.pass(round) {
                return;
            }
        }
    }

    /// The furthest round of the hosts that have not decided.
    fn frontier(&self) -> Round {
        let undecided = self
            .hosts
            .iter()
            .filter(|host| host.replica.height() == HEIGHT);
        undecided
            .map(|host| host.replica.round())
            .max()
            .unwrap_or(0)
    }

    /// Whether it is a node's turn to propose.
    fn proposes(&self, node: usize) -> bool {
        let Some(host) = self.hosts.get(node) else {
            return false;
        };

        // All hosts at this height have the same order of proposers.
        let mut hosts = self.hosts.iter();
        let schedule = hosts.find(|host| host.replica.height() == HEIGHT);

        schedule.is_none_or(|any| {
            let proposers = any.replica.ledger().proposers();
            proposers.proposer(HEIGHT, self.frontier()) == host.key
        })
    }

    /// Lets hosts that hear each other tell where they stand, as after connecting.
    fn connect(&mut self) {
        for at in 0..self.hosts.len() {
            for peer in 0..self.hosts.len() {
                if self.connects(at, peer) {
                    let event = Event::Connected(self.hosts[peer].key);
                    let deeds = self.hosts[at].handle(self.now, event, self.mint);

                    self.absorb(at, deeds);
                }
            }
        }
    }

    /// Whether a host connects to another that it hears. Instances of one node do not: nobody
    /// speaks to its own key.
    fn connects(&self, at: usize, peer: usize) -> bool {
        self.hosts[at].node != self.hosts[peer].node && self.network.connects(at, peer)
    }

    /// Delivers a frame.
    fn hand(&mut self, Frame { from, to, message }: Frame) {
        self.note_votes(to, &message);

        let event = Event::Peer {
            from: self.hosts[from].key,
            message,
        };

        let deeds = self.hosts[to].handle(self.now, event, self.mint);
        self.absorb(to, deeds);
    }

    /// Takes in the votes of a message that a host receives.
    fn note_votes(&mut self, to: usize, message: &PeerMessage) {
        match message {
            PeerMessage::Statement(signed) => {
                self.votes.told(to, signed);

                let host = &self.hosts[to];
                if self.is_correct(host) {
                    self.oracle.told(to, host.replica.height(), signed);
                }
            }

            PeerMessage::Certificate(certificate) => {
                for vote in certificate.signed_statements() {
                    self.votes.told(to, &vote);
                }
            }

            _ => {}
        }
    }

    /// Fires the earliest timer of some hosts, if it is due within that time. Returns whether there
    /// was one.
    fn fire(&mut self, of: impl Fn(&Host) -> bool, within: Millis) -> bool {
        let hosts = self.hosts.iter().enumerate().filter(|(_, host)| of(host));
        let timers = hosts.filter_map(|(at, host)| Some((host.replica.poll_timeout()?, at)));

        let Some((due, at)) = timers.min() else {
            return false;
        };

        if due > self.now.saturating_add(within) {
            return false;
        }

        self.now = self.now.max(due);
        let deeds = self.hosts[at].handle_timeout(self.now, self.mint);

        self.absorb(at, deeds);

        true
    }

    /// Gives one host that cannot go on the votes that it lacks. Returns whether there was one.
    fn pass(&mut self, round: Round) -> bool {
        let Some((to, lacking)) = self.first_stuck(round) else {
            return false;
        };

        for (from, vote) in lacking {
            self.hand(Frame {
                from,
                to,
                message: PeerMessage::Statement(vote),
            });
        }

        true
    }

    /// The first host that cannot leave a round, and the votes that it lacks. Prevotes are given to
    /// all hosts before the first precommit is: by then all have cast theirs, and there is a
    /// choice.
    fn first_stuck(&self, round: Round) -> Option<(usize, Vec<(usize, SignedStatement)>)> {
        let prevotes = self.first_lacking(round, Kind::Prevote);
        prevotes.or_else(|| self.first_lacking(round, Kind::Precommit))
    }

    /// The first host in a round that lacks votes of a kind, and these votes.
    fn first_lacking(
        &self,
        round: Round,
        kind: Kind,
    ) -> Option<(usize, Vec<(usize, SignedStatement)>)> {
        let hosts = self.hosts.iter().enumerate();
        let mut inside = hosts.filter(|(_, host)| is_in(host, round));

        inside.find_map(|(at, host)| {
            let of = (host.replica.round(), kind);
            let lacking = self.votes.lacking(at, of, &self.validators);

            (!lacking.is_empty()).then_some((at, lacking))
        })
    }

    /// Takes in what a host did: votes, messages and decisions.
    fn absorb(&mut self, at: usize, deeds: Vec<HostOutput>) {
        let correct = self.is_correct(&self.hosts[at]);

        for deed in deeds {
            match deed {
                HostOutput::Signed(signed) => self.note_signature(at, &signed),

                HostOutput::Said(to, message) => self.send(at, to, message),

                HostOutput::Refused(statement) => self.oracle.refused(at, &statement),

                // Twins may decide anything, so their decisions are not judged.
                HostOutput::Decided(block) if correct => self.oracle.decided(at, &block),
                HostOutput::Halted(why) if correct => self.oracle.halted(at, &why),

                HostOutput::Decided(_) | HostOutput::Halted(_) => {}
            }
        }
    }

    /// Takes in that a host signed a statement.
    fn note_signature(&mut self, at: usize, signed: &SignedStatement) {
        self.votes.said(at, signed);

        let set = self.hosts[at].replica.ledger().validators();
        self.oracle.signed(at, signed, set);
    }

    /// Sends a message to a key, which means to all its instances. Nobody sends to its own key.
    fn send(&mut self, from: usize, to: Recipients, message: PeerMessage) {
        let own = self.hosts[from].key;

        let is_meant = |key: PublicKey| match to {
            Recipients::One(one) => key == one,
            Recipients::All => true,
        };

        for (to, host) in self.hosts.iter().enumerate() {
            if host.key != own && is_meant(host.key) {
                self.network.send(Frame {
                    from,
                    to,
                    message: message.clone(),
                });
            }
        }
    }

    fn is_correct(&self, host: &Host) -> bool {
        host.node >= self.twins
    }

    fn correct_heights(&self) -> impl Iterator<Item = Height> {
        let correct = self.hosts.iter().filter(|host| self.is_correct(host));
        correct.map(|host| host.replica.ledger().height())
    }

    /// Whether all correct hosts have reached a height, and each key that contradicted itself is
    /// convicted.
    fn is_done(&mut self, goal: Height) -> bool {
        // If every node has a twin, no host is left of which anything could be demanded.
        let Some(least) = self.correct_heights().min() else {
            return true;
        };

        if least < goal {
            return false;
        }

        let exposed = &self.oracle.exposed;
        let free = exposed.difference(&self.oracle.convicted).next().copied();

        if let Some(free) = free.filter(|_| least >= goal + EVIDENCE_BY) {
            self.oracle
                .object(format!("{free} contradicted itself and is not convicted"));
        }

        free.is_none()
    }

    /// Counts a step. Too many are a violation.
    fn count_step(&mut self) {
        self.steps += 1;
        if self.steps >= STEPS {
            let heights: Vec<_> = self.correct_heights().collect();
            self.oracle.object(format!(
                "no end after {STEPS} steps, at heights {heights:?}"
            ));
        }
    }
}

/// Whether a host has not decided, and has not left a round.
fn is_in(host: &Host, round: Round) -> bool {
    host.replica.height() == HEIGHT && host.replica.round() <= round
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host 0 has a twin, host 4. In the first round hosts 1 and 2 lock a block, and no commit is
    /// heard. In the second round hosts 1, 3 and 4 could commit another block.
    fn entries() -> [Entry; 2] {
        let precommits = Some(Vec::new());
        [
            Entry {
                leader: 1,
                partitions: vec![vec![0, 1, 2], vec![3, 4]],
                precommits,
            },
            Entry {
                leader: 3,
                partitions: vec![vec![1, 3, 4], vec![0, 2]],
                precommits: None,
            },
        ]
    }

    /// Runs a scenario as a runner does, but after the first entry these hosts forget
    /// everything that they said.
    fn run(forgetful: &[usize]) -> ScheduleOutcome {
        let mut committee = Committee::new(4, 1).unwrap();
        let fresh = committee.hosts();
        let mut run = Run::new(&mut committee, Withheld::Lost);

        let [first, second] = entries();
        run.play_entry(&first);
        assert!(run.locked);

        for (at, host) in fresh.into_iter().enumerate() {
            if forgetful.contains(&at) {
                run.hosts[at] = host;
            }
        }

        run.play_entry(&second);

        let standing = run.standing();
        run.heal();
        run.outcome(standing)
    }

    #[test]
    fn a_lock_that_is_forgotten_is_found() {
        assert_eq!(run(&[]).violation, None);
        let violation = run(&[1]).violation.unwrap();
        assert!(violation.contains("precommits commit"), "{violation}");
    }
}
