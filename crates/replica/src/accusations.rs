//! Evidence: made here of bad blocks, taken from peers, and kept until it is committed.
//!
//! Two conflicting votes convict on their own; the driver finds them. A block convicts only by
//! being executed: when this node accuses its builder, and again for evidence that a peer brings.
//! Both happen as [`Claim::Evidence`], off the path of the votes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_consensus::{Input, Output};
use quorate_crypto::{Verified, verify_quorum};
use quorate_ledger::Ledger;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, BlockId, Evidence, Kind, PublicKey, SignedStatement, limits};

use crate::replica::Replica;
use crate::work::{Claim, Origin};

/// The evidence that waits to be committed, and the evidence that is being judged.
#[derive(Debug, Default)]
pub(crate) struct Accusations {
    /// One piece for each culprit: one is enough to convict, and more would let a peer fill memory.
    /// A conflict takes the place of a bad block, since it needs no execution and stays admissible
    /// longer.
    held: BTreeMap<PublicKey, Verified<Evidence>>,
    /// The member whose evidence of a bad block is being judged.
    trial: Option<PublicKey>,
}

impl Accusations {
    /// Whether no evidence waits. If some does, that is a reason to build a block.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The evidence that a block built now may carry.
    pub(crate) fn offer(&self) -> Vec<Verified<Evidence>> {
        self.held.values().cloned().collect()
    }

    /// Forgets evidence that the next block may not carry: its culprit is convicted already, or it
    /// is too old.
    pub(crate) fn prune(&mut self, ledger: &Ledger) {
        self.held
            .retain(|_, evidence| ledger.admits_evidence(evidence).is_ok());
    }

    pub(crate) fn end_trial(&mut self, origin: Origin) {
        if let Origin::Peer(member) = origin {
            self.trial.take_if(|on_trial| *on_trial == member);
        }
    }

    /// Whether the evidence that is held against this culprit serves as well as this piece does.
    fn outweighs(&self, evidence: &Evidence) -> bool {
        let held = self.held.get(&evidence.culprit());
        held.is_some_and(|held| is_conflict(held) || !is_conflict(evidence))
    }
}

fn is_conflict(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Conflict(_))
}

impl Replica {
    /// Takes evidence from a peer. A bad block costs an execution, and an honest member brings only
    /// evidence that it has judged itself. So a member that sent something false lately is not
    /// heard.
    pub(crate) fn on_evidence(&mut self, from: PublicKey, evidence: Evidence) {
        if self.evidence.outweighs(&evidence) {
            return;
        }

        let admitted = |evidence| self.ledger.admits_evidence(evidence).is_ok();
        let heard = match &evidence {
            Evidence::Conflict(_) => admitted(&evidence),
            // One trial at a time over all peers: each costs as much as a block.
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

    /// Takes evidence that convicts, from the driver or from [`Claim::Evidence`].
    pub(crate) fn on_judged_evidence(&mut self, origin: Origin, evidence: Verified<Evidence>) {
        self.evidence.end_trial(origin);

        // Evidence that no block would take must neither cause blocks nor keep out evidence that a
        // block would take.
        if !self.evidence.outweighs(&evidence) && self.ledger.admits_evidence(&evidence).is_ok() {
            self.counters.evidence += 1;
            self.evidence
                .held
                .insert(evidence.culprit(), evidence.clone());
            self.pass_on_evidence(origin, evidence.into_inner());
            self.await_height();
        }
    }

    /// Passes evidence on. A conflict goes to everyone from everyone that learns of it. A bad block
    /// is long, and the validators that judged it have it already, so only they send it, to the
    /// builders of the blocks that may carry it.
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
            // The peer that brought it sends it to the builders itself.
            (false, Origin::Peer(_) | Origin::Client { .. }) => {}
        }
    }

    /// At the beginning of a height, sends evidence that a whole height has not taken to the
    /// builder of the next height, where it arrives in time. Messages get lost, and so does
    /// evidence that comes while another trial is going on. Once a height, for as long as a block
    /// may take it (N-23).
    pub(crate) fn repeat_evidence(&mut self) {
        let builder = self.ledger.proposers().proposer(self.height() + 1, 0);
        if builder == self.config.me {
            return;
        }

        // Only evidence that a whole height had the time to take.
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

    /// Compares the commit in a block with the votes that were counted here for the block before. A
    /// validator that shows one vote to some and another to others is found only this way (N-24).
    pub(crate) fn compare_commit(&mut self, block: &Verified<Block>) {
        let (Some(last), Some(commit)) = (&mut self.last_driver, &block.previous_commit) else {
            return;
        };

        // These votes were verified together with the block.
        let checked = |_: &SignedStatement| true;
        let set = self.ledger.previous_validators();
        let Ok(commit) = verify_quorum(commit.certificate().clone(), set, &checked) else {
            return;
        };

        for output in last.handle(Input::Certificate(commit)) {
            if let Output::Evidence(evidence) = output {
                self.on_judged_evidence(Origin::Local, *evidence);
            }
        }
    }

    /// The first proposers of the heights at which evidence of this height may be committed.
    fn next_builders(&self) -> BTreeSet<PublicKey> {
        let heights = (0..=limits::BAD_BLOCK_HEIGHTS).map(|ahead| self.height() + ahead);
        let schedule = self.ledger.proposers();

        let mut builders: BTreeSet<_> =
            heights.map(|height| schedule.proposer(height, 0)).collect();

        // This node holds the evidence already.
        builders.remove(&self.config.me);
        builders
    }

    /// Handles a body with a signature in it that does not hold. The header binds the body, so its
    /// builder made it; the peer that passed it on did not check it.
    pub(crate) fn on_forged_block(&mut self, origin: Origin, block: Box<Block>) {
        self.on_refused(origin);

        if block.header.height == self.height() {
            let id = block.header.id();
            self.candidates.keep_bad(block);
            self.accuse(&id);
        }
    }

    /// Accuses the builder of a bad block, once its proposal of the block has arrived here too.
    pub(crate) fn accuse(&mut self, id: &BlockId) {
        let Some(proposal) = self.proposal_of_bad(id) else {
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

    /// Returns the proposal that evidence of a bad block needs, if it has arrived: the builder's
    /// own, made in the build round (N-24).
    fn proposal_of_bad(&self, id: &BlockId) -> Option<SignedStatement> {
        let header = self.candidates.bad_header(id)?;
        let round = header.missed_turns;

        let is_wanted = |said: &SignedStatement| {
            said.signer == header.builder
                && said.statement.kind == Kind::Proposal
                && said.statement.round == round
                && said.statement.block == Some(*id)
        };

        // The driver's catch-up for a round carries its proposal.
        let mut statements = self.driver.catch_up(round).statements.into_iter();
        statements.find(is_wanted)
    }
}
