//! The network of a scenario: it decides which frames are heard, and in which order.

use std::collections::VecDeque;

use quorate_types::message::PeerMessage;
use quorate_types::{Kind, Round};

use crate::form::{Entry, Groups};
use crate::votes::HEIGHT;

/// The fate of messages that a host did not hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// They are lost. After healing, hosts say again whatever others have to know.
    Lost,
    /// They arrive when the partitions heal.
    Late,
}

/// A message from one host to another.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) message: PeerMessage,
}

/// The group of each host: one for precommits and commits, and one for everything else.
#[derive(Debug)]
pub(crate) struct Hearing {
    all: Vec<usize>,
    precommits: Vec<usize>,
}

impl Hearing {
    /// Nobody hears anybody.
    pub(crate) fn alone(hosts: usize) -> Self {
        Self {
            all: (0..hosts).collect(),
            precommits: (0..hosts).collect(),
        }
    }

    /// Hosts hear each other as an entry says.
    pub(crate) fn of(entry: &Entry, hosts: usize) -> Self {
        let precommits = entry.precommits.as_ref().unwrap_or(&entry.partitions);
        Self {
            all: groups(&entry.partitions, hosts),
            precommits: groups(precommits, hosts),
        }
    }

    /// Whether two hosts are in one group.
    pub(crate) fn connects(&self, a: usize, b: usize) -> bool {
        self.all[a] == self.all[b]
    }

    /// Whether a frame is heard.
    fn carries(&self, frame: &Frame) -> bool {
        let group = if is_of_precommits(&frame.message) {
            &self.precommits
        } else {
            &self.all
        };

        group[frame.from] == group[frame.to]
    }
}

/// The group of each host. A host in no group has one of its own.
fn groups(listed: &Groups, hosts: usize) -> Vec<usize> {
    let group = |host: usize| listed.iter().position(|group| group.contains(&host));
    (0..hosts)
        .map(|host| group(host).unwrap_or(listed.len() + host))
        .collect()
}

/// The frames that are on their way.
#[derive(Debug)]
pub(crate) struct Network {
    queue: VecDeque<Frame>,
    /// The frames about rounds to come.
    early: Vec<Frame>,
    /// The frames that were not heard, if they arrive late.
    missed: Vec<Frame>,
    withheld: Withheld,
    /// The round that is played, and the groups in it; `None` once healed.
    playing: Option<(Round, Hearing)>,
}

impl Network {
    pub(crate) fn new(withheld: Withheld, hosts: usize) -> Self {
        let queue = VecDeque::new();
        let early = Vec::new();
        let missed = Vec::new();
        Self {
            queue,
            early,
            missed,
            withheld,
            playing: Some((0, Hearing::alone(hosts))),
        }
    }

    /// Begins a round, in which hosts hear each other like this.
    pub(crate) fn play(&mut self, round: Round, hearing: Hearing) {
        self.queue.extend(self.early.drain(..));
        self.playing = Some((round, hearing));
    }

    /// Lets everyone hear everyone from now on. Late frames arrive now.
    pub(crate) fn heal(&mut self) {
        self.queue.extend(self.missed.drain(..));
        self.queue.extend(self.early.drain(..));
        self.playing = None;
    }

    /// Whether two hosts can hear each other at present.
    pub(crate) fn connects(&self, a: usize, b: usize) -> bool {
        self.playing
            .as_ref()
            .is_none_or(|(_, hearing)| hearing.connects(a, b))
    }

    /// Puts a frame on its way.
    pub(crate) fn send(&mut self, frame: Frame) {
        self.queue.push_back(frame);
    }

    /// The next frame that arrives; `None` if there is none now.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        while let Some(frame) = self.queue.pop_front() {
            // Frames about later rounds wait. Frames that are not heard are lost, or arrive late.
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

/// Whether a message is about a later round than the one that is played, or about a later height.
fn is_later(message: &PeerMessage, round: Round) -> bool {
    let of = match message {
        PeerMessage::Statement(signed) => (signed.statement.height, signed.statement.round),
        PeerMessage::Certificate(held) => (held.statement.height, held.statement.round),
        PeerMessage::Block(block) => (block.header.height, block.header.missed_turns),
        _ => return false,
    };
    of > (HEIGHT, round)
}

/// Whether a message goes by the groups for precommits: a precommit, or a commit.
fn is_of_precommits(message: &PeerMessage) -> bool {
    match message {
        PeerMessage::Statement(signed) => signed.statement.kind == Kind::Precommit,
        PeerMessage::Certificate(held) => held.statement.kind == Kind::Precommit,
        PeerMessage::Decided(_) => true,
        _ => false,
    }
}
