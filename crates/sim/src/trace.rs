//! The trace of a run: one line for each observation, for files and to show the moments before a
//! violation.

use std::collections::VecDeque;

use serde::Serialize;

use quorate_agent::Event;
use quorate_types::Millis;

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
        let (who, text) = describe(seen);
        Self {
            at_ms: world.now(),
            step,
            what: seen.name(),
            who,
            text,
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

/// The host that an observation is about, and its details in words.
fn describe(seen: &Seen) -> (String, String) {
    let v = |at: &usize| format!("v{at}");
    match seen {
        Seen::Signed {
            validator,
            statement,
        } => {
            let said = &statement.statement;
            let block = said.block.map_or("nil".to_owned(), |block| block.short());
            let text = format!("{}/{} {:?} {block}", said.height, said.round, said.kind);
            (v(validator), text)
        }

        Seen::Accused {
            validator,
            height,
            evidence,
        } => {
            let culprit = evidence.culprit();
            (
                v(validator),
                format!("holds evidence against {culprit:?} at height {height}"),
            )
        }

        Seen::Committed {
            validator,
            round,
            block,
            committed,
            ..
        } => {
            let (header, outcomes) = (&block.header, committed.outcomes.len());
            let text = format!(
                "{}/{round} {} of {}, {} operations, {outcomes} outcomes",
                header.height,
                header.id().short(),
                header.builder.short(),
                block.operations.len()
            );
            (v(validator), text)
        }

        Seen::Started {
            validator,
            height,
            guarded,
            ..
        } => (
            v(validator),
            format!("at height {height}, guard at {guarded:?}"),
        ),

        Seen::Stopped { validator, why }
        | Seen::Unopened { validator, why }
        | Seen::Halted { validator, why } => (v(validator), why.clone()),
        Seen::Damaged { validator, .. } => (v(validator), "a frame was not as sent".to_owned()),

        Seen::Submitted { client, operation } => {
            let payload = &operation.payload;
            (
                format!("c{client}"),
                format!("{} #{}", payload.body.name(), payload.sequence),
            )
        }
        Seen::Certificate { validator, bytes } => (v(validator), format!("{} bytes", bytes.len())),

        Seen::Learned { client, event } => {
            let text = match &**event {
                Event::Refused { items, .. } => {
                    let names: Vec<_> = items.iter().map(|(_, reason)| reason.name()).collect();
                    format!("refused: {}", names.join(", "))
                }
                event => event.name().to_owned(),
            };
            (format!("c{client}"), text)
        }

        Seen::Fault { name, place } => (
            String::new(),
            place.map_or((*name).to_owned(), |place| format!("{name} {place:?}")),
        ),
        Seen::Healed => (String::new(), "nothing new goes wrong from here".to_owned()),
    }
}
