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

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::action::Recipients;
    use crate::testing::{Bench, COMMITTEE, accusation, public};

    /// The seed of a culprit that is not the bench's own validator.
    const CULPRIT: u8 = 3;

    /// A piece of evidence about a bad block, with its builder.
    fn bad_block(bench: &Bench) -> (Verified<Evidence>, PublicKey) {
        let evidence = accusation(&bench.bad_block());
        let culprit = evidence.culprit();
        (evidence, culprit)
    }

    fn sent(evidence: &Verified<Evidence>) -> PeerMessage {
        PeerMessage::Evidence(Box::new((**evidence).clone()))
    }

    /// Whether evidence that a peer brings is tried.
    fn tried(
        accusations: &mut Accusations,
        bench: &mut Bench,
        evidence: &Verified<Evidence>,
    ) -> bool {
        let from = bench.other();
        accusations.on_evidence(&mut bench.cx(), from, true, (**evidence).clone());
        let taken = bench.take();
        matches!(taken.work()[..], [Work::Evidence(..)])
    }

    fn judge(
        accusations: &mut Accusations,
        bench: &mut Bench,
        origin: Origin,
        evidence: &Verified<Evidence>,
    ) {
        accusations.on_judged(&mut bench.cx(), origin, evidence.clone());
    }

    #[test]
    fn n24_a_conflict_takes_the_place_of_a_bad_block_and_keeps_it() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let (bad, culprit) = bad_block(&bench);
        let seed = (1..=COMMITTEE)
            .find(|seed| public(*seed) == culprit)
            .unwrap();
        let conflict = bench.conflict(seed);
        judge(&mut accusations, &mut bench, Origin::Local, &bad);
        assert_eq!(accusations.offer(), from_ref(&bad));
        judge(&mut accusations, &mut bench, Origin::Local, &conflict);
        assert_eq!(accusations.offer(), from_ref(&conflict));
        judge(&mut accusations, &mut bench, Origin::Local, &bad);
        assert_eq!(accusations.offer(), [conflict]);
        assert_eq!(bench.counters().evidence, 2);
        assert!(
            !tried(&mut accusations, &mut bench, &bad),
            "it is outweighed"
        );
    }

    #[test]
    fn evidence_is_a_reason_to_build_a_block() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let conflict = bench.conflict(CULPRIT);
        assert!(accusations.is_empty());
        judge(&mut accusations, &mut bench, Origin::Local, &conflict);
        assert!(!accusations.is_empty());
        assert!(matches!(bench.take().signals[..], [Signal::Waiting]));
    }

    #[test]
    fn a_conflict_goes_to_everyone_from_everyone_that_learns_of_it() {
        for peer in [false, true] {
            let mut bench = Bench::new();
            let origin = if peer {
                Origin::Peer(bench.other())
            } else {
                Origin::Local
            };
            let conflict = bench.conflict(CULPRIT);
            judge(&mut Accusations::default(), &mut bench, origin, &conflict);
            let all = [(Recipients::All, sent(&conflict))];
            assert_eq!(bench.take().sent(), all, "{origin:?}");
        }
    }

    #[test]
    fn a_bad_block_goes_to_the_next_builders_from_those_that_judged_it_themselves() {
        let mut bench = Bench::new();
        let (bad, _) = bad_block(&bench);
        judge(&mut Accusations::default(), &mut bench, Origin::Local, &bad);
        let sent = bench.take().sent();
        for other in bench.others() {
            let to = Recipients::One(other);
            let times = sent.iter().filter(|(whom, _)| *whom == to).count();
            assert_eq!(times, 1, "{other:?}");
        }
        assert_eq!(sent.len(), bench.others().len(), "not to itself");
        let peer = Origin::Peer(bench.other());
        judge(&mut Accusations::default(), &mut bench, peer, &bad);
        assert!(bench.take().sent().is_empty());
    }

    #[test]
    fn one_bad_block_of_peers_is_judged_at_a_time() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let (bad, _) = bad_block(&bench);
        assert!(tried(&mut accusations, &mut bench, &bad));
        assert!(!tried(&mut accusations, &mut bench, &bad));
        assert_eq!(bench.counters().evidence_dropped, 1);
        let conflict = bench.conflict(CULPRIT);
        assert!(tried(&mut accusations, &mut bench, &conflict));
        accusations.end_trial(Origin::Peer(bench.others()[1]));
        assert!(!tried(&mut accusations, &mut bench, &bad), "not its trial");
        accusations.end_trial(Origin::Peer(bench.other()));
        assert!(tried(&mut accusations, &mut bench, &bad));
    }

    #[test]
    fn a_member_that_lied_lately_costs_no_execution() {
        let mut bench = Bench::new();
        let (bad, _) = bad_block(&bench);
        let mut accusations = Accusations::default();
        let from = bench.other();
        accusations.on_evidence(&mut bench.cx(), from, false, bad.into_inner());
        assert!(bench.take().is_empty() && accusations.trial.is_none());
        assert_eq!(bench.counters().evidence_dropped, 1);
    }

    #[test]
    fn evidence_that_no_block_would_take_is_neither_tried_nor_held() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let early = bench.conflict(CULPRIT);
        let stranger = bench.conflict(90);
        bench.commit_with(Vec::new(), vec![early.clone()]);
        for evidence in [early, stranger] {
            assert!(!tried(&mut accusations, &mut bench, &evidence));
            judge(&mut accusations, &mut bench, Origin::Local, &evidence);
            accusations.on_accused(&mut bench.cx(), evidence.into_inner());
            assert!(bench.take().is_empty() && accusations.is_empty());
        }
    }

    #[test]
    fn a_block_that_this_node_accuses_is_judged_first() {
        let mut bench = Bench::new();
        let accusations = Accusations::default();
        let (bad, _) = bad_block(&bench);
        accusations.on_accused(&mut bench.cx(), bad.into_inner());
        let taken = bench.take();
        let work = taken.work();
        assert!(matches!(work[..], [Work::Evidence(Origin::Local, ..)]));
        assert!(accusations.is_empty());
    }

    #[test]
    fn evidence_that_a_block_took_is_forgotten() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let [taken, waits] = [2, CULPRIT].map(|seed| bench.conflict(seed));
        for evidence in [&taken, &waits] {
            judge(&mut accusations, &mut bench, Origin::Local, evidence);
        }
        bench.commit_with(Vec::new(), vec![taken]);
        accusations.prune(bench.ledger());
        assert_eq!(accusations.offer(), [waits]);
    }

    #[test]
    fn n23_evidence_that_a_whole_height_did_not_take_goes_to_the_next_builder() {
        let mut bench = Bench::new();
        let mut accusations = Accusations::default();
        let conflict = bench.conflict(CULPRIT);
        judge(&mut accusations, &mut bench, Origin::Local, &conflict);
        for height in 1..=9 {
            bench.take();
            accusations.repeat(&mut bench.cx());
            let next = bench.ledger().proposers().proposer(height + 1, 0);
            let due = height > 2 && next != bench.me();
            let expected = due.then(|| (Recipients::One(next), sent(&conflict)));
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(bench.take().sent(), expected, "height {height}");
            bench.commit(Vec::new());
        }
    }
}
