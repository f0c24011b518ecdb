//! Evidence: made here of bad blocks, taken from peers, kept until it is committed.
//!
//! Two votes that contradict convict by themselves; the driver sees them. A block convicts by being
//! executed: here when its voters find it bad, and again for evidence that a peer brings. Either
//! happens as [`Claim::Evidence`], away from the votes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_consensus::{Input, Output};
use quorate_crypto::{Verified, verify_quorum};
use quorate_ledger::Ledger;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, BlockId, Evidence, Kind, PublicKey, SignedStatement, limits};

use crate::replica::Replica;
use crate::work::{Claim, Origin};

/// What waits to be committed, and what is being judged.
#[derive(Debug, Default)]
pub(crate) struct Accusations {
    /// One piece for each culprit is enough to convict; more would be a way to fill memory. A
    /// conflict takes the place of a bad block: it needs no trial, and holds longer.
    held: BTreeMap<PublicKey, Verified<Evidence>>,
    /// The member whose word on a bad block is being judged.
    trial: Option<PublicKey>,
}

impl Accusations {
    /// Whether there is a reason to build a block.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What a block built now may carry.
    pub(crate) fn offer(&self) -> Vec<Verified<Evidence>> {
        self.held.values().cloned().collect()
    }

    /// Forgets what the next block would not take: whom a block convicted, and what is too old.
    pub(crate) fn prune(&mut self, ledger: &Ledger) {
        self.held
            .retain(|_, evidence| ledger.admits_evidence(evidence).is_ok());
    }

    pub(crate) fn end_trial(&mut self, origin: Origin) {
        if let Origin::Peer(member) = origin {
            self.trial.take_if(|on_trial| *on_trial == member);
        }
    }

    /// Whether what is held against this culprit serves as well as this does.
    fn outweighs(&self, evidence: &Evidence) -> bool {
        let held = self.held.get(&evidence.culprit());
        held.is_some_and(|held| is_conflict(held) || !is_conflict(evidence))
    }
}

fn is_conflict(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Conflict(_))
}

impl Replica {
    /// Evidence from a peer. A bad block takes executing it: a member that was caught once lying is
    /// not listened to, since an honest one brings only what it has judged itself.
    pub(crate) fn on_evidence(&mut self, from: PublicKey, evidence: Evidence) {
        if self.evidence.outweighs(&evidence) {
            return;
        }
        let admitted = |evidence| self.ledger.admits_evidence(evidence).is_ok();
        let heard = match &evidence {
            Evidence::Conflict(_) => admitted(&evidence),
            // One trial at a time, whoever brings it: each costs as much as a block.
            Evidence::BadBlock(_) => {
                let tried = !self.sync.is_liar(&from, self.now.monotonic)
                    && self.evidence.trial.is_none()
                    && admitted(&evidence);
                if tried {
                    self.evidence.trial = Some(from);
                }
                tried
            }
        };
        if heard {
            self.try_evidence(Origin::Peer(from), evidence);
        } else {
            self.counters.evidence_dropped += 1;
        }
    }

    fn try_evidence(&mut self, origin: Origin, evidence: Evidence) {
        let ledger = Arc::clone(&self.ledger);
        self.verify(origin, Claim::Evidence(Box::new(evidence), ledger));
    }

    /// Evidence that convicts, from the driver or from [`Claim::Evidence`].
    pub(crate) fn on_judged_evidence(&mut self, origin: Origin, evidence: Verified<Evidence>) {
        self.evidence.end_trial(origin);
        // What no block would take must neither make blocks nor stand in the way of what one takes.
        if !self.evidence.outweighs(&evidence) && self.ledger.admits_evidence(&evidence).is_ok() {
            self.counters.evidence += 1;
            self.evidence
                .held
                .insert(evidence.culprit(), evidence.clone());
            self.pass_on_evidence(origin, evidence.into_inner());
            self.await_height();
        }
    }

    /// A conflict goes to everyone from everyone who learns of it. A bad block is long, and who
    /// judged it has it: it goes from these to those who build the blocks that may carry it.
    fn pass_on_evidence(&mut self, origin: Origin, evidence: Evidence) {
        let everyone = is_conflict(&evidence);
        let message = PeerMessage::Evidence(Box::new(evidence));
        match (everyone, origin) {
            (true, _) => self.broadcast(message),
            (false, Origin::Local) => {
                for builder in self.next_builders() {
                    self.send(builder, message.clone());
                }
            }
            (false, Origin::Peer(_) | Origin::Client { .. }) => {}
        }
    }

    /// A height began. What a whole height has not taken goes to the builder of the next one, whom
    /// it reaches in time: messages get lost, and so does what comes while another trial goes on.
    /// Once a height, for as long as a block may take it.
    pub(crate) fn repeat_evidence(&mut self) {
        let builder = self.ledger.proposers().proposer(self.height() + 1, 0);
        if builder == self.config.me {
            return;
        }
        let due = self
            .evidence
            .held
            .values()
            .filter(|held| held.height() + 1 < self.height());
        let due: Vec<Evidence> = due.map(|held| (**held).clone()).collect();
        for evidence in due {
            self.send(builder, PeerMessage::Evidence(Box::new(evidence)));
        }
    }

    /// Compares the commit in a block with the votes that were counted here for the block before:
    /// who shows one vote to some and another to others is seen by nobody else (N-24).
    pub(crate) fn compare_commit(&mut self, block: &Verified<Block>) {
        let (Some(last), Some(commit)) = (&mut self.last_driver, &block.previous_commit) else {
            return;
        };
        // Its votes were checked with the block.
        let checked = |_: &SignedStatement| true;
        let set = self.ledger.previous_validators();
        let Ok(commit) = verify_quorum(commit.clone(), set, &checked) else {
            return;
        };
        for output in last.handle(Input::Certificate(commit)) {
            if let Output::Evidence(evidence) = output {
                self.on_judged_evidence(Origin::Local, *evidence);
            }
        }
    }

    /// The first proposers of the heights at which evidence of this one may be committed.
    fn next_builders(&self) -> BTreeSet<PublicKey> {
        let heights = (0..=limits::BAD_BLOCK_HEIGHTS).map(|ahead| self.height() + ahead);
        let schedule = self.ledger.proposers();
        let mut builders: BTreeSet<_> =
            heights.map(|height| schedule.proposer(height, 0)).collect();
        builders.remove(&self.config.me);
        builders
    }

    /// A body with a signature in it that does not hold. Its header binds it, so it is its
    /// builder's doing; whoever passed it on did not look.
    pub(crate) fn on_forged_block(&mut self, origin: Origin, block: Box<Block>) {
        self.on_refused(origin);
        if block.header.height == self.height() {
            let id = block.header.id();
            self.candidates.keep_bad(block);
            self.accuse(&id);
        }
    }

    /// Accuses the builder of a bad block, once his proposal of it is here too.
    pub(crate) fn accuse(&mut self, id: &BlockId) {
        let Some(header) = self.candidates.bad_header(id) else {
            return;
        };
        let (builder, round) = (header.builder, header.build_round);
        let is_his = |said: &SignedStatement| {
            said.signer == builder
                && said.statement.kind == Kind::Proposal
                && said.statement.round == round
                && said.statement.block == Some(*id)
        };
        let Some(proposal) = self
            .driver
            .catch_up(round)
            .statements
            .into_iter()
            .find(is_his)
        else {
            return;
        };
        let Some(block) = self.candidates.take_bad(id) else {
            return;
        };
        let Some(evidence) = Evidence::bad_block(proposal, *block) else {
            return;
        };
        if !self.evidence.outweighs(&evidence) && self.ledger.admits_evidence(&evidence).is_ok() {
            self.try_evidence(Origin::Local, evidence);
        }
    }
}
