//! Thresholds over the votes of three correct validators and a liar, which says anything to each of
//! them. There are few cases, so the thresholds are looked up in a table.

use std::array;

use quorate_consensus::tally::Tally;
use quorate_types::{BlockId, Kind, Statement};

use crate::harness::Committee;

/// The number of correct validators.
pub const CORRECT: usize = 3;
/// The place of the liar in the committee behind [`Counts::of_the_tally`].
const LIAR: usize = CORRECT;
const CASES: usize = Said::ALL.len().pow(CORRECT as u32);

/// One of two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    A,
    B,
}

impl Value {
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    pub fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }

    pub fn block(self) -> BlockId {
        BlockId([self as u8; 32])
    }

    pub fn of(block: BlockId) -> Self {
        Self::ALL[usize::from(block.0[0])]
    }
}

/// A vote of one validator in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    Nothing,
    Nil,
    A,
    B,
}

impl Said {
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Nil, Self::A, Self::B];

    pub fn value(self) -> Option<Value> {
        match self {
            Self::Nothing | Self::Nil => None,
            Self::A => Some(Value::A),
            Self::B => Some(Value::B),
        }
    }

    pub fn other(self) -> Self {
        self.value()
            .map_or(self, |value| Some(value.other()).into())
    }
}

impl From<Option<Value>> for Said {
    fn from(value: Option<Value>) -> Self {
        match value {
            None => Self::Nil,
            Some(Value::A) => Self::A,
            Some(Value::B) => Self::B,
        }
    }
}

/// The quorums of one round and kind that a correct validator can see, if the liar helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// A quorum for nil; `a` and `b` are those for the two values.
    pub nil: bool,
    pub a: bool,
    pub b: bool,
    /// A quorum of votes that need not agree.
    pub any: bool,
}

impl Held {
    pub fn value(self, value: Value) -> bool {
        if value == Value::A { self.a } else { self.b }
    }

    fn or(self, other: Self) -> Self {
        Self {
            nil: self.nil || other.nil,
            a: self.a || other.a,
            b: self.b || other.b,
            any: self.any || other.any,
        }
    }
}

/// The thresholds for every combination of votes of three correct validators in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    prevotes: Vec<Held>,
    precommits: Vec<Held>,
    /// Whether a round is skipped to, by the number of correct validators that voted in it.
    skips: [bool; CORRECT + 1],
}

impl Counts {
    /// Asks the real [`Tally`], once for each case.
    pub fn of_the_tally() -> Self {
        let committee = Committee::new(&[1; CORRECT + 1]);
        let held = |kind| cases().map(|said| ask(&committee, kind, said)).collect();
        Self {
            prevotes: held(Kind::Prevote),
            precommits: held(Kind::Precommit),
            skips: array::from_fn(|voters| skips(&committee, voters)),
        }
    }

    /// Counts without the tally: `quorum` of four validators are a quorum, and two of four are
    /// enough for a skip. The liar is one of them.
    pub fn on_fingers(quorum: usize) -> Self {
        let count = |said: [Said; CORRECT], which: fn(Said) -> bool| {
            1 + said.into_iter().filter(|said| which(*said)).count()
        };
        let held = |said| Held {
            nil: count(said, |said| said == Said::Nil) >= quorum,
            a: count(said, |said| said == Said::A) >= quorum,
            b: count(said, |said| said == Said::B) >= quorum,
            any: count(said, |said| said != Said::Nothing) >= quorum,
        };
        let held: Vec<Held> = cases().map(held).collect();
        Self {
            prevotes: held.clone(),
            precommits: held,
            skips: array::from_fn(|voters| voters + 1 >= 2),
        }
    }

    pub fn prevotes(&self, said: [Said; CORRECT]) -> Held {
        self.prevotes[case(said)]
    }

    pub fn precommits(&self, said: [Said; CORRECT]) -> Held {
        self.precommits[case(said)]
    }

    /// Whether a round is skipped to in which so many correct validators voted.
    pub fn skips(&self, voters: u8) -> bool {
        self.skips[usize::from(voters)]
    }
}

/// Every combination of votes of three validators, in the order of [`case`].
fn cases() -> impl Iterator<Item = [Said; CORRECT]> {
    (0..CASES).map(|case| [0, 1, 2].map(|who| Said::ALL[case / 4usize.pow(who) % 4]))
}

fn case(said: [Said; CORRECT]) -> usize {
    said.into_iter()
        .rev()
        .fold(0, |case, said| 4 * case + said as usize)
}

/// Asks the tally for each message of the liar to one validator: nothing, or one vote, since only
/// the first counts.
fn ask(committee: &Committee, kind: Kind, said: [Said; CORRECT]) -> Held {
    Said::ALL.into_iter().fold(Held::default(), |held, lie| {
        let mut tally = Tally::new(committee.set.clone());
        vote(
            &mut tally,
            committee,
            committee.statement(kind, 0, None),
            said,
            lie,
        );
        let holds = |block| tally.certificate(0, kind, block).is_some();
        held.or(Held {
            nil: holds(None),
            a: holds(Some(Value::A.block())),
            b: holds(Some(Value::B.block())),
            any: tally.has_quorum_any(0, kind),
        })
    })
}

/// Prevotes and precommits count together: every second voter precommits, and so does the liar.
fn skips(committee: &Committee, voters: usize) -> bool {
    let mut tally = Tally::new(committee.set.clone());
    for who in (0..voters).chain([LIAR]) {
        let kind = if who % 2 == 0 {
            Kind::Prevote
        } else {
            Kind::Precommit
        };
        tally.add(0, committee.sign(who, committee.statement(kind, 1, None)));
    }
    tally.skip_round(0) == Some(1)
}

fn vote(
    tally: &mut Tally,
    committee: &Committee,
    slot: Statement,
    said: [Said; CORRECT],
    lie: Said,
) {
    let votes = said.into_iter().enumerate().chain([(LIAR, lie)]);
    for (who, said) in votes.filter(|(_, said)| *said != Said::Nothing) {
        let statement = Statement {
            block: said.value().map(Value::block),
            ..slot.clone()
        };
        tally.add(0, committee.sign(who, statement));
    }
}

#[test]
fn the_tally_counts_as_one_does_on_fingers() {
    assert_eq!(Counts::of_the_tally(), Counts::on_fingers(3));
    for (index, said) in cases().enumerate() {
        assert_eq!(case(said), index);
    }
}

/// A quorum that is seen with some votes is seen with more. So a validator that heard everything
/// can do all that one can do that heard less.
#[test]
fn more_votes_take_nothing_away() {
    let counts = Counts::of_the_tally();
    for said in cases() {
        for who in 0..CORRECT {
            let mut less = said;
            less[who] = Said::Nothing;
            let (held, before) = (counts.prevotes(said), counts.prevotes(less));
            assert_eq!(held, held.or(before), "{less:?} holds more than {said:?}");
        }
    }
}
