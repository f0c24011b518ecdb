//! The trace of a run: one line for each observation, for files and to show the moments before a
//! violation.

use std::collections::VecDeque;

use serde::Serialize;

use quorate_agent::ClientEvent;
use quorate_oracle::Effects;
use quorate_types::{Block, Millis, Round, Statement};

use crate::host::HostId;
use crate::seen::Seen;
use crate::world::World;

/// The number of lines that a report keeps.
const TAIL: usize = 40;

/// One observation as a line of a trace. Files hold them as JSON Lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Milliseconds since the start.
    pub at_ms: Millis,
    /// The step of the run, counted from 1.
    pub step: u64,
    /// The kind of observation, as [`Seen::name`] calls it.
    pub what: &'static str,
    /// The host that it is about: `v0` for a validator, `c0` for a client. It is empty for faults
    /// and when the healed phase begins.
    pub who: String,
    /// The details, for people to read.
    pub text: String,
}

impl Line {
    pub(crate) fn of(world: &World, step: u64, seen: &Seen) -> Self {
        Self {
            at_ms: world.now(),
            step,
            what: seen.name(),
            who: host_of(seen),
            text: describe(seen),
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            at_ms,
            step,
            what,
            who,
            text,
        } = self;

        write!(
            f,
            "{at_ms:>8} ms  step {step:<8} {who:<4} {what:<11} {text}"
        )
    }
}

/// The newest lines, at most [`TAIL`].
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<Line>);

impl Tail {
    pub(crate) fn push(&mut self, line: Line) {
        if self.0.len() >= TAIL {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.0.into()
    }
}

/// The host that an observation is about, as a line names it.
fn host_of(seen: &Seen) -> String {
    // The text of a fault names its host.
    if matches!(seen, Seen::Fault { .. }) {
        return String::new();
    }

    match seen.place() {
        Some(HostId::Validator(at)) => format!("v{at}"),
        Some(HostId::Client(at)) => format!("c{at}"),
        None => String::new(),
    }
}

/// The details of an observation in words.
fn describe(seen: &Seen) -> String {
    match seen {
        Seen::Signed { statement, .. } => describe_statement(&statement.statement),

        Seen::Accused {
            height, evidence, ..
        } => {
            let culprit = evidence.culprit();
            format!("holds evidence against {culprit:?} at height {height}")
        }

        Seen::Committed {
            round,
            block,
            effects,
            ..
        } => describe_block(*round, block, effects),

        Seen::Started {
            height, guarded, ..
        } => format!("at height {height}, guard at {guarded:?}"),

        Seen::Stopped { why, .. } | Seen::Unopened { why, .. } | Seen::Halted { why, .. } => {
            why.clone()
        }

        Seen::Damaged { .. } => "a frame was not as sent".to_owned(),

        Seen::Submitted { operation, .. } => {
            let payload = &operation.payload;
            format!("{} #{}", payload.body.name(), payload.sequence)
        }

        Seen::Certificate { bytes, .. } => format!("{} bytes", bytes.len()),
        Seen::Learned { event, .. } => describe_event(event),

        Seen::Fault { name, place } => describe_fault(name, *place),
        Seen::Healed => "nothing new goes wrong from here".to_owned(),
    }
}

/// A statement in words: its slot and its value.
fn describe_statement(said: &Statement) -> String {
    let block = said.block.map_or("nil".to_owned(), |block| block.short());
    format!("{}/{} {:?} {block}", said.height, said.round, said.kind)
}

/// A decided block in words.
fn describe_block(round: Round, block: &Block, effects: &Effects) -> String {
    let header = &block.header;

    format!(
        "{}/{round} {} of {}, {} operations, {} outcomes",
        header.height,
        header.id().short(),
        header.builder.short(),
        block.operations.len(),
        effects.outcomes.len(),
    )
}

/// An event of a light client in words. A refusal names its reasons.
fn describe_event(event: &ClientEvent) -> String {
    let ClientEvent::Refused { items, .. } = event else {
        return event.name().to_owned();
    };

    let names: Vec<_> = items.iter().map(|(_, reason)| reason.name()).collect();
    format!("refused: {}", names.join(", "))
}

/// A fault in words, with its host if it is about exactly one.
fn describe_fault(name: &str, place: Option<HostId>) -> String {
    match place {
        Some(place) => format!("{name} {place:?}"),
        None => name.to_owned(),
    }
}
