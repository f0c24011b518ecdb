//! The questions that validators are asked, and the data that is fetched from them.

use quorate_types::message::{Answer, FetchBids, FetchDossier, Request};
use quorate_types::{Hash, Label, PublicKey, TaskId};

/// The subject of an answer that is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The operation of this number.
    Submit(u64),
    /// The account of this client.
    Account,
    /// The certificates of a task.
    Certificates(TaskId),
    /// The open tasks of a market.
    Open,
    /// The next part of data that is longer than one answer.
    Part(Rest),
    /// The certificate of a clearing.
    Clearing(Hash),
}

/// An answer of a validator, with what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    from: PublicKey,
    asked: Asked,
    answer: Answer,
}

/// Data that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// The dossier of a clearing.
    Dossier(Hash),
    /// The problem to be solved in a window of a market.
    Bids(Label, u64),
}

/// Data that is fetched, from a byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    wanted: Wanted,
    from: u64,
}

impl Answered {
    pub(super) fn new(from: PublicKey, asked: Asked, answer: Answer) -> Self {
        Self {
            from,
            asked,
            answer,
        }
    }

    /// Returns the validator that answered.
    pub(super) fn from(&self) -> PublicKey {
        self.from
    }

    /// Returns the question and the answer to it.
    pub(super) fn into_parts(self) -> (Asked, Answer) {
        (self.asked, self.answer)
    }
}

impl Wanted {
    /// Returns the number of intervals after which a silent validator is passed over. It is short
    /// for a window that takes solutions, which does not wait.
    pub(super) fn silent_ticks(&self) -> u64 {
        match self {
            Self::Dossier(_) => 3,
            Self::Bids(..) => 1,
        }
    }

    /// Returns which of so many validators is asked first. In each window it is another one, so
    /// that one that lies or is slow does not spoil all of them.
    pub(super) fn first(&self, validators: usize) -> usize {
        match self {
            Self::Dossier(_) => 0,
            Self::Bids(_, window) => (*window % validators.max(1) as u64) as usize,
        }
    }
}

impl Rest {
    pub(super) fn new(wanted: Wanted, from: u64) -> Self {
        Self { wanted, from }
    }

    /// Returns what is fetched.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Returns the position of the first byte, counted from 0.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    pub(super) fn is_of_dossier(&self) -> bool {
        matches!(self.wanted, Wanted::Dossier(_))
    }

    /// Returns the request for the next part.
    pub(super) fn request(&self) -> Request {
        let from = self.from;

        match self.wanted.clone() {
            Wanted::Dossier(clearing) => Request::Dossier(FetchDossier { clearing, from }),
            Wanted::Bids(market, window) => Request::Bids(FetchBids {
                market,
                window,
                from,
            }),
        }
    }
}
