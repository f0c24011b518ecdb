//! Runs one driver under a script. Each line is an input and, behind `->`, all outputs that must
//! come of it.
//!
//! ```text
//! start              -> enter 0, timer 0 propose
//! proposal 0 A       -> check A
//! valid A            -> prevote 0 A
//! prevote 0 A by 0 1 -> polka 0 A, precommit 0 A
//! ```
//! Validators are named 0, 1, ... in the order of their keys; with equal powers validator `r`
//! proposes in round `r`. A block is a letter and the round it was built in (`B1`; `A` is `A0`).
//! A statement that the driver signs is fed back at once, and the outputs that come of it follow.
//!
//! Inputs: `start`, `proposal R B [pol V] [by W]`, `prevote R B by W..`, `precommit R B by W..`,
//! `polka R B by W..` and `commit R B by W..` (certificates), `valid B`, `invalid B`, `late B`
//! (valid, but its time was not near), `foreign B` (valid, but not its builder's turn),
//! `built R B`, `timeout R STEP`, and `state`, which shows `round step locked valid`.
//! `locked` is short for [`LOCKED`]: validator 2 or 3 locks A in round 0 and goes on to round 1.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_consensus::{Config, Driver, Input, Output, Step, Verdict};
use quorate_crypto::{SecretKey, Verified};
use quorate_types::{
    BlockId, Height, Kind, Power, ProposerSchedule, PublicKey, QuorumCertificate, Round,
    SignedStatement, Statement, SwarmId, Validator, ValidatorSet,
};

use crate::coverage;

/// A multiple of all numbers from 1 to 7: with so many equal validators, validator 0 proposes in
/// round 0.
pub const HEIGHT: Height = 420;
pub const SWARM: SwarmId = SwarmId([7; 32]);

/// The script that the word `locked` stands for.
pub const LOCKED: &str = "
    start                    -> enter 0, timer 0 propose
    proposal 0 A             -> check A
    valid A                  -> prevote 0 A
    prevote 0 A by 0 1       -> polka 0 A, precommit 0 A
    precommit 0 nil by 0 1   -> timer 0 precommit
    timeout 0 precommit      -> enter 1, timer 1 propose
    state                    -> 1 propose A@0 A@0
";

/// Secret keys in the order of their public keys, and the set of these validators.
pub struct Committee {
    pub keys: Vec<SecretKey>,
    pub set: Arc<ValidatorSet>,
}

impl Committee {
    pub fn new(powers: &[Power]) -> Self {
        let mut keys: Vec<_> = (0..powers.len())
            .map(|n| SecretKey::from_seed(&[n as u8 + 1; 32]))
            .collect();
        keys.sort_by_key(SecretKey::public_key);
        let validators = keys.iter().zip(powers).map(|(key, power)| Validator {
            key: key.public_key(),
            power: *power,
            operator: "test".parse().unwrap(),
        });
        let set = Arc::new(ValidatorSet::new(validators.collect()).unwrap());
        Self { keys, set }
    }

    pub fn key(&self, who: usize) -> PublicKey {
        self.keys[who].public_key()
    }

    pub fn who(&self, key: &PublicKey) -> usize {
        self.keys
            .iter()
            .position(|k| k.public_key() == *key)
            .unwrap()
    }

    pub fn driver(&self, height: Height, me: Option<usize>) -> Driver {
        Driver::new(Config {
            swarm: SWARM,
            height,
            validators: self.set.clone(),
            proposers: ProposerSchedule::new(&self.set, &BTreeSet::new()),
            me: me.map(|who| self.key(who)),
        })
    }

    pub fn statement(&self, kind: Kind, round: Round, block: Option<BlockId>) -> Statement {
        Statement {
            swarm: SWARM,
            height: HEIGHT,
            round,
            kind,
            block,
            validators: self.set.hash(),
            pol_round: None,
        }
    }

    pub fn sign(&self, who: usize, statement: Statement) -> Verified<SignedStatement> {
        self.keys[who].sign_statement(statement)
    }

    pub fn certificate(&self, who: &[usize], said: &Statement) -> Verified<QuorumCertificate> {
        let signed: Vec<_> = who.iter().map(|w| self.sign(*w, said.clone())).collect();
        Verified::<QuorumCertificate>::assemble(&signed, &self.set).expect("a quorum")
    }
}

/// The id of a block by its name: a letter, and the round it was built in.
pub fn block(name: &str) -> BlockId {
    let round: u8 = name[1..].parse().unwrap_or(0);
    let mut id = [0xb0; 32];
    (id[0], id[1]) = (name.as_bytes()[0], round);
    BlockId(id)
}

pub fn build_round(block: BlockId) -> Round {
    block.0[1].into()
}

/// The name of a block.
pub fn name(block: Option<BlockId>) -> String {
    match block {
        None => "nil".into(),
        Some(BlockId([letter, 0, ..])) => char::from(letter).to_string(),
        Some(BlockId([letter, round, ..])) => format!("{}{round}", char::from(letter)),
    }
}

/// A driver and the committee around it.
pub struct Bench {
    pub committee: Committee,
    pub driver: Driver,
    pub me: Option<usize>,
}

impl Bench {
    pub fn new(powers: &[Power], me: Option<usize>) -> Self {
        let committee = Committee::new(powers);
        let driver = committee.driver(HEIGHT, me);
        Self {
            committee,
            driver,
            me,
        }
    }

    /// Runs a script. `title` is shown if it fails.
    pub fn run(&mut self, title: &str, script: &str) {
        for line in script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let (input, expected) = line.split_once("->").unwrap_or((line, ""));
            let found = self.play(input.trim());
            assert_eq!(
                found.join(", "),
                expected.trim(),
                "{title}: after `{}`",
                input.trim()
            );
        }
    }

    /// Plays one line. Returns the outputs as text.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "state" => return vec![self.state()],
            "locked" => {
                self.run("locked", LOCKED);
                return Vec::new();
            }
            _ => {}
        }
        let inputs = self.inputs(&words);
        inputs
            .into_iter()
            .flat_map(|input| self.feed(input))
            .collect()
    }

    /// Feeds an input, and the statements that are signed because of it.
    pub fn feed(&mut self, input: Input) -> Vec<String> {
        let mut shown = Vec::new();
        for output in self.driver.handle(input) {
            shown.push(self.show(&output));
            if let (Output::Sign(statement), Some(me)) = (output, self.me) {
                let own = self.committee.sign(me, statement);
                shown.extend(self.feed(Input::Statement(own)));
            }
        }
        coverage::note(&self.driver);
        shown
    }

    /// The outputs that are still open after a recovery, as text.
    pub fn unanswered(&self) -> Vec<String> {
        self.driver
            .unanswered()
            .iter()
            .map(|output| self.show(output))
            .collect()
    }

    pub fn state(&self) -> String {
        let state = self.driver.state();
        let pair = |pair: Option<(BlockId, Round)>| match pair {
            None => "none".to_owned(),
            Some((block, round)) => format!("{}@{round}", name(Some(block))),
        };
        let (locked, valid) = (pair(state.locked), pair(state.valid));
        format!("{} {} {locked} {valid}", state.round, step_name(state.step))
    }

    /// The inputs of one line.
    pub fn inputs(&self, words: &[&str]) -> Vec<Input> {
        let number = |at: usize| words[at].parse().unwrap();
        match words[0] {
            "start" => vec![Input::Start],
            "proposal" => self.proposal(words),
            "prevote" | "precommit" => self.votes(words),
            "polka" | "commit" => self.certificate(words),
            "valid" | "invalid" | "late" | "foreign" => vec![self.verdict(words)],
            "built" => vec![Input::Built {
                round: number(1),
                block: block(words[2]),
            }],
            "timeout" => vec![Input::Timeout {
                round: number(1),
                step: step(words[2]),
            }],
            other => panic!("unknown input {other}"),
        }
    }

    fn said(&self, kind: Kind, words: &[&str]) -> Statement {
        let block = (words[2] != "nil").then(|| block(words[2]));
        self.committee
            .statement(kind, words[1].parse().unwrap(), block)
    }

    fn proposal(&self, words: &[&str]) -> Vec<Input> {
        let said = self.said(Kind::Proposal, words);
        let pol_round = after(words, "pol")
            .first()
            .copied()
            .map(|round| round as Round);
        let proposer = self.committee.who(&self.driver.proposer(said.round));
        let who = after(words, "by").first().copied().unwrap_or(proposer);
        vec![Input::Statement(
            self.committee.sign(who, Statement { pol_round, ..said }),
        )]
    }

    fn votes(&self, words: &[&str]) -> Vec<Input> {
        let kind = if words[0] == "prevote" {
            Kind::Prevote
        } else {
            Kind::Precommit
        };
        let said = self.said(kind, words);
        let sign = |who| Input::Statement(self.committee.sign(who, said.clone()));
        after(words, "by").into_iter().map(sign).collect()
    }

    fn certificate(&self, words: &[&str]) -> Vec<Input> {
        let kind = if words[0] == "polka" {
            Kind::Prevote
        } else {
            Kind::Precommit
        };
        let said = self.said(kind, words);
        vec![Input::Certificate(
            self.committee.certificate(&after(words, "by"), &said),
        )]
    }

    fn verdict(&self, words: &[&str]) -> Input {
        let block = block(words[1]);
        let build_round = build_round(block);
        let turn = if words[0] == "foreign" {
            build_round + 1
        } else {
            build_round
        };
        Input::Verdict(Verdict {
            block,
            valid: words[0] != "invalid",
            builder: self.driver.proposer(turn),
            build_round,
            timely: words[0] != "late",
        })
    }

    fn show(&self, output: &Output) -> String {
        let said = |statement: &Statement| format!("{} {}", statement.round, name(statement.block));
        match output {
            Output::EnteredRound { round, .. } => format!("enter {round}"),
            Output::Build { round } => format!("build {round}"),
            Output::Check { block } => format!("check {}", name(Some(*block))),
            Output::Sign(statement) => match (statement.kind, statement.pol_round) {
                (Kind::Proposal, None) => format!("propose {}", said(statement)),
                (Kind::Proposal, Some(pol)) => format!("propose {} pol {pol}", said(statement)),
                (Kind::Prevote, _) => format!("prevote {}", said(statement)),
                (Kind::Precommit, _) => format!("precommit {}", said(statement)),
            },
            Output::Schedule { round, step } => format!("timer {round} {}", step_name(*step)),
            Output::Polka(polka) => format!("polka {}", said(&polka.statement)),
            Output::Decided(commit) => format!("decide {}", said(&commit.statement)),
            Output::Evidence(pair) => {
                let who = self.committee.who(&pair.culprit());
                let at = &pair.statements().next().unwrap().statement;
                format!("evidence {who} {} {:?}", at.round, at.kind).to_lowercase()
            }
            Output::Contradiction(commit) => format!("contradiction {}", said(&commit.statement)),
        }
    }
}

/// The numbers that follow `word`.
fn after(words: &[&str], word: &str) -> Vec<usize> {
    let from = words
        .iter()
        .position(|w| *w == word)
        .map_or(words.len(), |at| at + 1);
    words[from..].iter().map_while(|w| w.parse().ok()).collect()
}

fn step(name: &str) -> Step {
    match name {
        "propose" => Step::Propose,
        "prevote" => Step::Prevote,
        "precommit" => Step::Precommit,
        "decided" => Step::Decided,
        _ => Step::Unstarted,
    }
}

fn step_name(step: Step) -> String {
    format!("{step:?}").to_lowercase()
}

/// The form in which a named scenario of another implementation is shown here.
pub enum Shows {
    /// A script for validator `.0` of four with equal power (`None`: an observer).
    Script(Option<usize>, &'static str),
    /// A script for a validator of a committee with these powers.
    Powers(&'static [Power], usize, &'static str),
    /// A test of its own.
    Test(fn()),
    /// Nothing: the reason why the scenario cannot occur under our rules.
    Moot(&'static str),
}

/// Runs a table of named scenarios, and names those that fail.
pub fn run_all(table: &[(&str, Shows)]) {
    let fails = |(title, shows): &&(&str, Shows)| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(title, shows))).is_err()
    };
    let failed: Vec<_> = table.iter().filter(fails).map(|(title, _)| title).collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// Plays one scenario.
pub fn play(title: &str, shows: &Shows) {
    match shows {
        Shows::Script(me, script) => Bench::new(&[1; 4], *me).run(title, script),
        Shows::Powers(powers, me, script) => Bench::new(powers, Some(*me)).run(title, script),
        Shows::Test(test) => test(),
        Shows::Moot(reason) => assert!(!reason.is_empty(), "{title}"),
    }
}
