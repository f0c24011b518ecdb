//! Evidence: found here or taken from peers, judged, and kept until it is committed.
//!
//! Two conflicting votes convict on their own; the ordering finds them. A block convicts only by
//! being executed: when this node accuses its builder, and again for evidence that a peer brings.
//! Both happen as [`Work::Evidence`], off the path of the votes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::PeerMessage;
use quorate_types::{Evidence, PublicKey, limits};

use crate::context::Context;
use crate::event::Origin;
use crate::signal::Signal;
use crate::work::Work;

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

    /// Takes evidence from a peer. A bad block costs an execution, and an honest member brings only
    /// evidence that it has judged itself. So a member that sent something false lately, which
    /// `trusted` excludes, is not heard.
    pub(crate) fn on_evidence(
        &mut self,
        cx: &mut Context<'_>,
        from: PublicKey,
        trusted: bool,
        evidence: Evidence,
    ) {
        if self.outweighs(&evidence) {
            return;
        }

        let admitted = |evidence| cx.ledger().admits_evidence(evidence).is_ok();
        let heard = match &evidence {
            Evidence::Conflict(_) => admitted(&evidence),
            // One trial at a time over all peers: each costs as much as a block.
            Evidence::BadBlock(_) => {
                let tried = trusted && self.trial.is_none() && admitted(&evidence);

                if tried {
                    self.trial = Some(from);
                }
                tried
            }
        };

        if heard {
            try_evidence(cx, Origin::Peer(from), evidence);
        } else {
            cx.counters().evidence_dropped += 1;
        }
    }

    /// Has a bad block judged that was found here, so that its builder is convicted.
    pub(crate) fn on_accused(&self, cx: &mut Context<'_>, evidence: Evidence) {
        if !self.outweighs(&evidence) && cx.ledger().admits_evidence(&evidence).is_ok() {
            try_evidence(cx, Origin::Local, evidence);
        }
    }

    /// Takes evidence that convicts: by the votes that were counted here, or by [`Work::Evidence`].
    pub(crate) fn on_judged(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        evidence: Verified<Evidence>,
    ) {
        self.end_trial(origin);

        // Evidence that no block would take must neither cause blocks nor keep out evidence that a
        // block would take.
        if !self.outweighs(&evidence) && cx.ledger().admits_evidence(&evidence).is_ok() {
            cx.counters().evidence += 1;
            self.held.insert(evidence.culprit(), evidence.clone());
            pass_on(cx, origin, evidence.into_inner());
            cx.tell(Signal::Waiting);
        }
    }

    /// At the beginning of a height, sends evidence that a whole height has not taken to the
    /// builder of the next height, where it arrives in time. Messages get lost, and so does
    /// evidence that comes while another trial is going on. Once a height, for as long as a block
    /// may take it (N-23).
    pub(crate) fn repeat(&self, cx: &mut Context<'_>) {
        let height = cx.height();
        let builder = cx.ledger().proposers().proposer(height + 1, 0);
        if builder == cx.me() {
            return;
        }

        // Only evidence that a whole height had the time to take.
        let due = self.held.values().filter(|held| held.height() + 1 < height);
        for held in due {
            let evidence = (**held).clone();
            cx.send(builder, PeerMessage::Evidence(Box::new(evidence)));
        }
    }
}

fn is_conflict(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Conflict(_))
}

fn try_evidence(cx: &mut Context<'_>, origin: Origin, evidence: Evidence) {
    let ledger = Arc::clone(cx.ledger());
    cx.run(Work::Evidence(origin, Box::new(evidence), ledger));
}

/// Passes evidence on. A conflict goes to everyone from everyone that learns of it. A bad block is
/// long, and the validators that judged it have it already, so only they send it, to the builders
/// of the blocks that may carry it.
fn pass_on(cx: &mut Context<'_>, origin: Origin, evidence: Evidence) {
    let everyone = is_conflict(&evidence);
    let message = PeerMessage::Evidence(Box::new(evidence));

    match (everyone, origin) {
        (true, _) => cx.broadcast(message),
        (false, Origin::Local) => {
            for builder in next_builders(cx) {
                cx.send(builder, message.clone());
            }
        }
        // The peer that brought it sends it to the builders itself.
        (false, Origin::Peer(_) | Origin::Client { .. }) => {}
    }
}

/// The first proposers of the heights at which evidence of this height may be committed.
fn next_builders(cx: &Context<'_>) -> BTreeSet<PublicKey> {
    let heights = (0..=limits::BAD_BLOCK_HEIGHTS).map(|ahead| cx.height() + ahead);
    let schedule = cx.ledger().proposers();

    let mut builders: BTreeSet<_> = heights.map(|height| schedule.proposer(height, 0)).collect();

    // This node holds the evidence already.
    builders.remove(&cx.me());
    builders
}
