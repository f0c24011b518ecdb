//! Who hears what, and when.

use std::collections::VecDeque;

use quorate_types::message::PeerMessage;
use quorate_types::{Kind, Round};

use super::run::HEIGHT;
use super::{Entry, Groups, Withheld};

/// What one host says to another.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) message: PeerMessage,
}

/// Group of each host: for all that is said, and for precommits and commits.
#[derive(Debug)]
pub(super) struct Hearing {
    all: Vec<usize>,
    precommits: Vec<usize>,
}

impl Hearing {
    pub(super) fn alone(hosts: usize) -> Self {
        Self {
            all: (0..hosts).collect(),
            precommits: (0..hosts).collect(),
        }
    }

    pub(super) fn of(entry: &Entry, hosts: usize) -> Self {
        let precommits = entry.precommits.as_ref().unwrap_or(&entry.partitions);
        Self {
            all: groups(&entry.partitions, hosts),
            precommits: groups(precommits, hosts),
        }
    }

    pub(super) fn connects(&self, a: usize, b: usize) -> bool {
        self.all[a] == self.all[b]
    }

    fn carries(&self, frame: &Frame) -> bool {
        let group = if is_of_precommits(&frame.message) {
            &self.precommits
        } else {
            &self.all
        };
        group[frame.from] == group[frame.to]
    }
}

/// The group of each host; who is in none has one of its own.
fn groups(listed: &Groups, hosts: usize) -> Vec<usize> {
    let group = |host: usize| listed.iter().position(|group| group.contains(&host));
    (0..hosts)
        .map(|host| group(host).unwrap_or(listed.len() + host))
        .collect()
}

/// Frames under way.
#[derive(Debug)]
pub(super) struct Network {
    queue: VecDeque<Frame>,
    /// What speaks of rounds to come.
    early: Vec<Frame>,
    /// What was not heard, where it arrives late.
    missed: Vec<Frame>,
    withheld: Withheld,
    /// The round that is being played, and who hears whom; `None` once healed.
    playing: Option<(Round, Hearing)>,
}

impl Network {
    pub(super) fn new(withheld: Withheld, hosts: usize) -> Self {
        let (queue, early, missed) = (VecDeque::new(), Vec::new(), Vec::new());
        Self {
            queue,
            early,
            missed,
            withheld,
            playing: Some((0, Hearing::alone(hosts))),
        }
    }

    /// From now on it is this round, and these hear each other.
    pub(super) fn play(&mut self, round: Round, hearing: Hearing) {
        self.queue.extend(self.early.drain(..));
        self.playing = Some((round, hearing));
    }

    /// From now on all hear all.
    pub(super) fn heal(&mut self) {
        self.queue.extend(self.missed.drain(..));
        self.queue.extend(self.early.drain(..));
        self.playing = None;
    }

    pub(super) fn connects(&self, a: usize, b: usize) -> bool {
        self.playing
            .as_ref()
            .is_none_or(|(_, hearing)| hearing.connects(a, b))
    }

    pub(super) fn send(&mut self, frame: Frame) {
        self.queue.push_back(frame);
    }

    /// The next frame that arrives.
    pub(super) fn next(&mut self) -> Option<Frame> {
        while let Some(frame) = self.queue.pop_front() {
            match &self.playing {
                Some((round, _)) if is_later(&frame.message, *round) => self.early.push(frame),
                Some((_, hearing)) if !hearing.carries(&frame) => {
                    if self.withheld == Withheld::Late {
                        self.missed.push(frame);
                    }
                }
                _ => return Some(frame),
            }
        }
        None
    }
}

/// Whether a message speaks of a later round than the one that is played, or of a later height.
fn is_later(message: &PeerMessage, round: Round) -> bool {
    let of = match message {
        PeerMessage::Statement(signed) => (signed.statement.height, signed.statement.round),
        PeerMessage::Certificate(held) => (held.statement.height, held.statement.round),
        PeerMessage::Block(block) => (block.header.height, block.header.build_round),
        _ => return false,
    };
    of > (HEIGHT, round)
}

fn is_of_precommits(message: &PeerMessage) -> bool {
    match message {
        PeerMessage::Statement(signed) => signed.statement.kind == Kind::Precommit,
        PeerMessage::Certificate(held) => held.statement.kind == Kind::Precommit,
        PeerMessage::Decided(_) => true,
        _ => false,
    }
}
