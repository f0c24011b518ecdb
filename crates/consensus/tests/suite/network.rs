//! Several drivers and a seeded network between them: losses, repetitions, any order, verdicts and
//! own votes that come back late, a Byzantine validator. With every output it checks the laws that
//! must always hold: one decision, one statement per slot, evidence only against the guilty.

use std::collections::{BTreeMap, BTreeSet};

use quorate_consensus::{Driver, Input, Output, Step, Verdict};
use quorate_crypto::{Verified, verify_quorum, verify_statement};
use quorate_types::{
    BlockId, Height, Kind, Power, PublicKey, QuorumCertificate, Round, SignedStatement, Statement,
};

use crate::coverage;
use crate::harness::{Committee, SWARM};

/// The number of turns after which a network that should decide has failed.
const PATIENCE: usize = 20_000;

/// The faults of the network until it is healed. A faulty validator stays faulty.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub seed: u64,
    /// Messages that are lost, in percent; `repeated` are those that come twice.
    pub lost: u64,
    pub repeated: u64,
    /// Whether messages come in any order and timers fire at any time.
    pub disorder: bool,
    pub silent: BTreeSet<usize>,
    pub deaf: BTreeSet<usize>,
    pub byzantine: Option<usize>,
}

impl Policy {
    /// Adds a validator that does not run.
    pub fn silent(mut self, who: usize) -> Self {
        self.silent.insert(who);
        self
    }

    /// Adds a validator that hears nothing until the network is healed.
    pub fn deaf(mut self, who: usize) -> Self {
        self.deaf.insert(who);
        self
    }

    /// Makes a validator say anything, and different things to different peers.
    pub fn byzantine(mut self, who: usize) -> Self {
        self.byzantine = Some(who);
        self
    }
}

struct Letter {
    to: usize,
    input: Input,
    /// From the node itself: never lost.
    local: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    due: u64,
    who: usize,
    round: Round,
    step: Step,
}

/// A committee deciding one height.
pub struct Network {
    committee: Committee,
    height: Height,
    drivers: BTreeMap<usize, Driver>,
    policy: Policy,
    random: Random,
    letters: Vec<Letter>,
    timers: BTreeSet<Timer>,
    now: u64,
    /// The notes of the oracle, which does not ask the drivers.
    signed: BTreeMap<(usize, Round, Kind), Statement>,
    decided: BTreeMap<usize, Verified<QuorumCertificate>>,
    polkas: BTreeMap<Round, BlockId>,
    pub convicted: BTreeSet<usize>,
}

impl Network {
    pub fn new(powers: &[Power], height: Height, policy: Policy) -> Self {
        let committee = Committee::new(powers);
        let runs = |who: &usize| !policy.silent.contains(who) && policy.byzantine != Some(*who);
        let drivers: BTreeMap<usize, Driver> = (0..powers.len())
            .filter(runs)
            .map(|who| (who, committee.driver(height, Some(who))))
            .collect();
        let letters = drivers.keys().map(|to| Letter {
            to: *to,
            input: Input::Start,
            local: true,
        });
        Self {
            letters: letters.collect(),
            random: Random(policy.seed),
            committee,
            height,
            drivers,
            policy,
            timers: BTreeSet::new(),
            now: 0,
            signed: BTreeMap::new(),
            decided: BTreeMap::new(),
            polkas: BTreeMap::new(),
            convicted: BTreeSet::new(),
        }
    }

    /// Plays on until each of `who` has decided.
    pub fn run_until_decided(&mut self, who: &[usize]) {
        for _ in 0..PATIENCE {
            if who.iter().all(|who| self.decided.contains_key(who)) {
                return;
            }
            self.turn();
        }
        let at: Vec<_> = self
            .drivers
            .values()
            .map(|driver| *driver.state())
            .collect();
        panic!(
            "no decision after {PATIENCE} turns of {:?}: {at:?}",
            self.policy
        );
    }

    /// Plays a number of turns, decided or not.
    pub fn run(&mut self, turns: usize) {
        for _ in 0..turns {
            self.turn();
        }
    }

    /// From now on nothing is lost, the order is kept, and timers wait for messages.
    pub fn heal(&mut self) {
        self.policy.deaf.clear();
        (self.policy.lost, self.policy.repeated, self.policy.disorder) = (0, 0, false);
    }

    pub fn is_decided(&self, who: usize) -> bool {
        self.decided.contains_key(&who)
    }

    pub fn running(&self) -> Vec<usize> {
        self.drivers.keys().copied().collect()
    }

    pub fn decided_round(&self) -> Option<Round> {
        self.decided
            .values()
            .map(|commit| commit.statement.round)
            .min()
    }

    /// The validator that built the decided block.
    pub fn decided_builder(&self) -> Option<usize> {
        self.decided
            .values()
            .next()?
            .statement
            .block
            .map(|block| usize::from(block.0[0]))
    }

    pub fn assert_agreement(&self) {
        let blocks: BTreeSet<_> = self.decided.values().map(|c| c.statement.block).collect();
        assert!(
            blocks.len() <= 1,
            "two decisions: {blocks:?} under {:?}",
            self.policy
        );
        for commit in self.decided.values() {
            let commit = (**commit).clone();
            assert!(verify_quorum(commit, &self.committee.set, &|_| false).is_ok());
        }
    }

    /// Delivers one message or fires one timer.
    fn turn(&mut self) {
        let waits = !self.letters.is_empty();
        if waits && !(self.policy.disorder && self.random.below(20) == 0) {
            self.deliver();
        } else {
            self.fire();
        }
    }

    fn deliver(&mut self) {
        let count = self.letters.len() as u64;
        let at = if self.policy.disorder {
            self.random.below(count)
        } else {
            0
        } as usize;
        let letter = self.letters.remove(at);
        if !letter.local {
            if self.policy.deaf.contains(&letter.to) || self.random.below(100) < self.policy.lost {
                return;
            }
            if self.random.below(100) < self.policy.repeated {
                self.send(letter.to, letter.input.clone(), false);
            }
        }
        self.feed(letter.to, letter.input);
    }

    /// Time passes: a timer fires, peers that are stuck are helped, and the Byzantine validator
    /// speaks.
    fn fire(&mut self) {
        let count = self.timers.len() as u64;
        let at = if self.policy.disorder && count > 0 {
            self.random.below(count)
        } else {
            0
        };
        if let Some(timer) = self.timers.iter().nth(at as usize).copied() {
            self.timers.remove(&timer);
            self.now = self.now.max(timer.due);
            let input = Input::Timeout {
                round: timer.round,
                step: timer.step,
            };
            self.feed(timer.who, input);
        }
        self.help();
        if let Some(who) = self.policy.byzantine {
            for _ in 0..4 {
                self.lie(who);
            }
        }
    }

    /// Every pair of validators exchanges the messages of N-23.
    fn help(&mut self) {
        let pairs: Vec<(usize, usize)> = self
            .running()
            .into_iter()
            .flat_map(|from| self.running().into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from != to && !self.decided.contains_key(to))
            .collect();
        for (from, to) in pairs {
            let help = self.drivers[&from].catch_up(self.drivers[&to].round());
            let peer = &self.drivers[&to];
            let mut inputs = Vec::new();
            for certificate in help
                .certificates
                .into_iter()
                .filter(|c| peer.wants_certificate(c))
            {
                let known = |signed: &SignedStatement| peer.verified(signed);
                let verified = verify_quorum(certificate, &self.committee.set, &known).unwrap();
                inputs.push(Input::Certificate(verified));
            }
            for signed in help
                .statements
                .into_iter()
                .filter(|signed| peer.wants(signed))
            {
                inputs.push(Input::Statement(verify_statement(signed).unwrap()));
            }
            inputs
                .into_iter()
                .for_each(|input| self.send(to, input, false));
        }
    }

    fn feed(&mut self, to: usize, input: Input) {
        let Some(driver) = self.drivers.get_mut(&to) else {
            return;
        };
        let outputs = driver.handle(input);
        coverage::note(driver);
        for output in outputs {
            self.obey(to, output);
        }
    }

    fn obey(&mut self, who: usize, output: Output) {
        match output {
            Output::EnteredRound { .. } => {}
            Output::Build { round } => {
                let block = made_by(who, round);
                self.send(who, Input::Built { round, block }, true);
            }
            Output::Check { block } => {
                let verdict = self.verdict(block);
                self.send(who, Input::Verdict(verdict), true);
            }
            Output::Sign(statement) => self.sign(who, statement),
            Output::Schedule { round, step } => {
                let due = self.now + 10 + u64::from(round);
                assert!(
                    self.timers.insert(Timer {
                        due,
                        who,
                        round,
                        step
                    }),
                    "scheduled twice"
                );
            }
            Output::Polka(polka) => {
                let said = &polka.statement;
                let held = self.polkas.entry(said.round).or_insert(said.block.unwrap());
                assert_eq!(
                    Some(*held),
                    said.block,
                    "two polkas in round {}",
                    said.round
                );
            }
            Output::Decided(commit) => {
                assert!(self.decided.insert(who, commit).is_none(), "decided twice");
                self.assert_agreement();
            }
            Output::Evidence(pair) => {
                let culprit = self.committee.who(&pair.culprit());
                assert_eq!(
                    Some(culprit),
                    self.policy.byzantine,
                    "an innocent was convicted"
                );
                self.convicted.insert(culprit);
            }
            Output::Contradiction(commit) => panic!("contradiction {commit:?}"),
        }
    }

    fn sign(&mut self, who: usize, statement: Statement) {
        let slot = (who, statement.round, statement.kind);
        let before = self.signed.insert(slot, statement.clone());
        assert!(
            before.is_none(),
            "{who} was asked twice to sign in {slot:?}"
        );
        let signed = self.committee.sign(who, statement);
        self.send(who, Input::Statement(signed.clone()), true);
        for to in self.running().into_iter().filter(|to| *to != who) {
            self.send(to, Input::Statement(signed.clone()), false);
        }
    }

    fn send(&mut self, to: usize, input: Input, local: bool) {
        self.letters.push(Letter { to, input, local });
    }

    fn verdict(&self, block: BlockId) -> Verdict {
        let builder: PublicKey = self.committee.key(usize::from(block.0[0]));
        let (build_round, valid) = (block.0[1].into(), block.0[2] == 0);
        Verdict {
            block,
            valid,
            builder,
            build_round,
            timely: true,
        }
    }

    /// Sends one of the others a statement of any kind, about any block, in a round near theirs.
    fn lie(&mut self, who: usize) {
        let latest = self.drivers.values().map(Driver::round).max().unwrap_or(0);
        let round = self.random.below(u64::from(latest) + 3) as Round;
        let kind = [Kind::Proposal, Kind::Prevote, Kind::Precommit][self.random.below(3) as usize];
        let mut block = match self.random.below(4) {
            0 => None,
            1 => Some(made_by(who, round)),
            _ => {
                let builder = self.random.below(self.committee.keys.len() as u64) as usize;
                let at = self.random.below(u64::from(latest) + 1) as Round;
                Some(made_by(builder, at))
            }
        };
        let mut pol_round = None;
        if kind == Kind::Proposal {
            let mut made = block.unwrap_or_else(|| made_by(who, round));
            made.0[2] = u8::from(self.random.below(4) == 0);
            block = Some(made);
            pol_round = self
                .random
                .below(3)
                .checked_sub(1)
                .map(|back| round.saturating_sub(back as Round + 1));
            pol_round = pol_round.filter(|pol_round| *pol_round < round);
        }
        let statement = Statement {
            swarm: SWARM,
            height: self.height,
            round,
            kind,
            block,
            validators: self.committee.set.hash(),
            pol_round,
        };
        let running = self.running();
        let to = running[self.random.below(running.len() as u64) as usize];
        let signed = self.committee.sign(who, statement);
        self.send(to, Input::Statement(signed), false);
    }
}

/// The block that `who` builds in a round; its third byte says whether it is invalid.
fn made_by(who: usize, round: Round) -> BlockId {
    let mut id = [0; 32];
    (id[0], id[1], id[31]) = (who as u8, round as u8, 1);
    BlockId(id)
}

/// The pseudo-random generator splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
