//! The bodies of proposed blocks: awaited, verified, executed, judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_consensus::{Input, Verdict};
use quorate_crypto::{Verified, is_body_of_header};
use quorate_ledger::{Execution, InvalidBlock};
use quorate_types::message::{FetchBlock, PeerMessage};
use quorate_types::{
    Block, BlockId, Header, MonotonicMillis, PublicKey, QuorumCertificate, Round, Signature, cbor,
    limits,
};

use crate::event::Action;
use crate::recover::LogRecord;
use crate::replica::Replica;
use crate::sync::Service;
use crate::timers::Timer;
use crate::work::{BlockContext, Claim, Origin};

/// Once this many bodies of a height are kept, a body that nobody asked for is dropped.
const BODIES: usize = 32;
/// The bodies of one builder that are kept at one height without being asked for, at most.
const UNASKED: usize = 2;

/// The blocks of the height that is being decided.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    bodies: BTreeMap<BlockId, Candidate>,
    /// Blocks that the driver wants judged, each with the monotonic time at which all peers are
    /// asked for its body.
    wanted: BTreeMap<BlockId, Option<MonotonicMillis>>,
}

#[derive(Debug)]
struct Candidate {
    block: Option<Arc<Verified<Block>>>,
    builder: PublicKey,
    execution: Option<Box<Execution>>,
    /// Whether the block time was near this node's clock when the body arrived.
    timely: bool,
    judged: bool,
    /// Whether the body is in the log.
    logged: bool,
    refusal: Option<String>,
    /// The round for which this node built the block; taken once the block is executed.
    built: Option<Round>,
    /// The body if it is bad (L-22), until its builder is accused of it.
    bad: Option<Box<Block>>,
}

impl Candidate {
    /// An entry for a body that is not verified yet.
    fn awaited(builder: PublicKey, timely: bool) -> Self {
        Self {
            block: None,
            builder,
            execution: None,
            timely,
            judged: false,
            logged: false,
            refusal: None,
            built: None,
            bad: None,
        }
    }
}

impl Candidates {
    pub(crate) fn body(&self, block: &BlockId) -> Option<Arc<Verified<Block>>> {
        self.bodies.get(block)?.block.clone()
    }

    /// Takes the execution of a block out; `None` if it was not executed here.
    pub(crate) fn take_execution(&mut self, block: &BlockId) -> Option<Box<Execution>> {
        self.bodies.get_mut(block)?.execution.take()
    }

    pub(crate) fn refusal(&self, block: &BlockId) -> String {
        let candidate = self.bodies.get(block);
        candidate
            .and_then(|of| of.refusal.clone())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// Keeps a body that is bad, if it is short enough for evidence.
    pub(crate) fn keep_bad(&mut self, block: Box<Block>) {
        let is_short = cbor::encode(&block).len() <= limits::BAD_BLOCK_BYTES;
        let candidate = self.bodies.get_mut(&block.header.id());
        if let Some(candidate) = candidate.filter(|_| is_short) {
            candidate.bad = Some(block);
        }
    }

    /// The header of a body that [`Self::keep_bad`] kept.
    pub(crate) fn bad_header(&self, block: &BlockId) -> Option<&Header> {
        Some(&self.bodies.get(block)?.bad.as_ref()?.header)
    }

    /// Takes out the body that [`Self::keep_bad`] kept.
    pub(crate) fn take_bad(&mut self, block: &BlockId) -> Option<Box<Block>> {
        self.bodies.get_mut(block)?.bad.take()
    }

    pub(crate) fn clear(&mut self) {
        self.bodies.clear();
        self.wanted.clear();
    }

    /// Keeps a block that this node built for `round`.
    pub(crate) fn insert_own(&mut self, round: Round, block: Arc<Verified<Block>>) {
        let candidate = Candidate {
            block: Some(Arc::clone(&block)),
            built: Some(round),
            ..Candidate::awaited(block.header.builder, true)
        };
        self.bodies.insert(block.header.id(), candidate);
    }

    /// Blocks whose body has not arrived, with the time at which it is asked for.
    fn missing(&self) -> impl Iterator<Item = (BlockId, MonotonicMillis)> {
        let wanted = self
            .wanted
            .iter()
            .filter(|(id, _)| !self.bodies.contains_key(id));
        wanted.filter_map(|(id, at)| Some((*id, (*at)?)))
    }

    /// Whether a body may be taken: the driver asked for it, or it is one of few that its builder
    /// sent without being asked. Bodies that the driver asked for are bounded by the rounds of the
    /// height and are always taken, since the height might never end without them.
    fn takes(&self, id: &BlockId, header: &Header, from: &PublicKey) -> bool {
        let of_builder = || {
            self.bodies
                .values()
                .filter(|c| c.builder == header.builder)
                .count()
        };

        let has_room = || self.bodies.len() < BODIES && of_builder() < UNASKED;

        if self.bodies.contains_key(id) {
            return false;
        }

        self.wanted.contains_key(id) || (header.builder == *from && has_room())
    }
}

impl Replica {
    /// Takes a body from a peer.
    pub(crate) fn on_block(&mut self, from: PublicKey, block: Block) {
        let id = block.header.id();

        if block.header.height != self.height() {
            // The builder is a height ahead: its body arrived before this node's commit.
            self.sync.keep_early_block(from, self.height(), block);
            return;
        }

        if !self.candidates.takes(&id, &block.header, &from) {
            self.counters.blocks_dropped += 1;
            return;
        }

        // A block id names the header alone. From here on this is the only body there can be for
        // the id, so every fact about it, its signatures included, is a fact about the block.
        if !is_body_of_header(&block) {
            self.counters.unauthentic += 1;
            return;
        }

        self.check_body(from, block);
    }

    /// Has the signatures of a body checked, which is the only one for its id. It counts as arrived
    /// from now on.
    fn check_body(&mut self, from: PublicKey, block: Block) {
        let timely = self.is_timely(&block.header);
        let candidate = Candidate::awaited(block.header.builder, timely);
        self.candidates.bodies.insert(block.header.id(), candidate);

        let context = self.block_context(&block);
        self.verify(Origin::Peer(from), Claim::Block(Box::new(block), context));
    }

    /// Whether the block time is near this node's clock, within a tolerance that widens with the
    /// build round (N-26).
    fn is_timely(&self, header: &Header) -> bool {
        let slack = self
            .pace
            .config
            .timely_ms
            .saturating_mul(1 + u64::from(header.missed_turns));

        header.block_time.abs_diff(self.now.unix) <= slack
    }

    /// The signatures of a block that were verified before, so they are not checked again:
    /// operations in the pool, and votes in this node's last commit.
    pub(crate) fn block_context(&self, block: &Block) -> BlockContext {
        let held = block
            .operations
            .iter()
            .filter(|operation| self.pool.holds(operation));
        let operations = held.map(|held| (held.payload.id(), held.signature));

        BlockContext {
            previous: Arc::clone(self.ledger.previous_validators()),
            operations: operations.collect(),
            votes: self.known_votes(block),
        }
    }

    /// Returns the votes that both the commit in a block and this node's last commit carry, with
    /// the same signature.
    fn known_votes(&self, block: &Block) -> BTreeSet<(PublicKey, Signature)> {
        let (Some(theirs), Some(ours)) = (&block.previous_commit, &self.last_commit) else {
            return BTreeSet::new();
        };

        let theirs = theirs.certificate();
        if theirs.statement != ours.statement {
            return BTreeSet::new();
        }

        let mut votes = signatures_of(ours);
        let listed = signatures_of(theirs);
        votes.retain(|vote| listed.contains(vote));
        votes
    }

    pub(crate) fn on_verified_block(&mut self, block: Verified<Block>) {
        let id = block.header.id();
        if block.header.height != self.height() {
            return;
        }

        // Before anything else: the commit in it may convict, whatever becomes of the block.
        self.compare_commit(&block);
        let timely = self.is_timely(&block.header);

        let candidate = self
            .candidates
            .bodies
            .entry(id)
            .or_insert_with(|| Candidate::awaited(block.header.builder, timely));

        if candidate.block.is_none() {
            candidate.logged = self.replaying;
            candidate.block = Some(Arc::new(block));
            if self.candidates.wanted.contains_key(&id) {
                self.on_check(id);
            }
        }
    }

    /// Executes a block that the driver wants judged. If its body has not arrived, waits a little
    /// and then asks for it.
    pub(crate) fn on_check(&mut self, block: BlockId) {
        self.candidates.wanted.entry(block).or_default();
        // The verdict may follow in the log; if it does not, `resume` comes here again (N-32).
        if self.replaying {
            return;
        }

        self.accuse(&block);

        let candidate = self.candidates.bodies.get(&block);
        let Some(body) = candidate.and_then(|candidate| candidate.block.clone()) else {
            self.await_body(block);
            return;
        };

        if candidate.is_some_and(|candidate| candidate.execution.is_some()) {
            self.judge(block, true);
        } else if candidate.is_some_and(|candidate| candidate.refusal.is_none()) {
            self.act(Action::Execute {
                ledger: Arc::clone(&self.ledger),
                block: body,
            });
        }
    }

    /// Sets the time at which all peers are asked for a body, unless it is set already.
    fn await_body(&mut self, block: BlockId) {
        let at = self.now.monotonic + self.pace.config.fetch_ms;
        let wanted = self.candidates.wanted.entry(block).or_default();
        wanted.get_or_insert(at);
        self.set_fetch();
    }

    pub(crate) fn on_executed(
        &mut self,
        block: BlockId,
        result: Result<Box<Execution>, InvalidBlock>,
    ) {
        let Some(candidate) = self.candidates.bodies.get_mut(&block) else {
            return;
        };

        let built = candidate.built.take();
        let valid = result.is_ok();

        match result {
            Ok(execution) => candidate.execution = Some(execution),
            Err(reason) => {
                self.note_refusal(&block, &reason);
                // This node does not accuse itself: a block of its own that fails is a fault of its
                // memory (N-8).
                if built.is_none() && reason.convicts() {
                    self.accuse_of_body(&block);
                }
            }
        }

        // Only now, with its proposal, does this node vouch for the block that it built (N-8).
        if let Some(round) = built.filter(|_| valid) {
            self.feed(Input::Built { round, block });
        }

        self.judge(block, valid);
        self.resume_decided(&block);
    }

    /// Keeps the reason why a block is invalid.
    fn note_refusal(&mut self, id: &BlockId, reason: &InvalidBlock) {
        self.counters.blocks_invalid += 1;
        if let Some(candidate) = self.candidates.bodies.get_mut(id) {
            candidate.refusal = Some(reason.to_string());
        }
    }

    /// Accuses the builder of a bad block whose body is here.
    fn accuse_of_body(&mut self, id: &BlockId) {
        if let Some(body) = self.candidates.body(id) {
            self.candidates.keep_bad(Box::new((**body).clone()));
            self.accuse(id);
        }
    }

    /// Gives the driver its verdict, once. The body goes into the log first: a vote for a block
    /// must not outlive the block (N-21).
    fn judge(&mut self, id: BlockId, valid: bool) {
        let Some(candidate) = self.candidates.bodies.get_mut(&id) else {
            return;
        };

        let Some(block) = candidate.block.clone() else {
            return;
        };

        if std::mem::replace(&mut candidate.judged, true) {
            return;
        }

        self.candidates.wanted.remove(&id);
        let timely = candidate.timely;
        // A refused block is never voted for, so its body is not needed after a crash.
        if valid {
            self.log_body(&id);
        }

        let Header {
            builder,
            missed_turns: build_round,
            ..
        } = block.header;

        self.feed(Input::Verdict(Verdict {
            block: id,
            valid,
            builder,
            build_round,
            timely,
        }));
    }

    /// Writes a body to the log, unless it is there already.
    pub(crate) fn log_body(&mut self, id: &BlockId) {
        let Some(candidate) = self.candidates.bodies.get_mut(id) else {
            return;
        };

        let Some(block) = &candidate.block else {
            return;
        };

        if !std::mem::replace(&mut candidate.logged, true) {
            let record = LogRecord::Block(Box::new((***block).clone()));
            self.act(Action::Log(self.height(), record));
        }
    }

    /// Asks everyone for wanted bodies that have not arrived, and again while they are missing. A
    /// body that is being checked is here already, and one that was refused would not be better
    /// from another peer.
    pub(crate) fn on_fetch(&mut self) {
        let height = self.height();
        let now = self.now.monotonic;

        let missing = self.candidates.missing().filter(|(_, at)| *at <= now);
        let due: Vec<BlockId> = missing.map(|(id, _)| id).collect();

        let again = now + self.pace.config.resend_ms;

        for block in due {
            self.candidates.wanted.insert(block, Some(again));
            let wanted = FetchBlock { height, block };
            self.broadcast(PeerMessage::FetchBlock(wanted));
        }

        self.set_fetch();
    }

    /// Sets the timer for the earliest body that is missing. A newly wanted body does not wait for
    /// the repetition of older requests: in a height of many rounds each round has its own body,
    /// and one that comes late is of no use.
    fn set_fetch(&mut self) {
        if let Some(next) = self.candidates.missing().map(|(_, at)| at).min() {
            self.timers.set(Timer::Fetch, next);
        }
    }

    pub(crate) fn on_fetch_block(&mut self, from: PublicKey, wanted: FetchBlock) {
        if wanted.height == self.height()
            && let Some(body) = self.candidates.body(&wanted.block)
            && self.may_serve(Service::Body(wanted.block), from)
        {
            self.send(from, PeerMessage::Block(Box::new((**body).clone())));
        }
    }

    /// Marks a block as judged before a restart of this process.
    pub(crate) fn mark_judged(&mut self, block: &BlockId) {
        self.candidates.wanted.remove(block);
        if let Some(candidate) = self.candidates.bodies.get_mut(block) {
            candidate.judged = true;
        }
    }
}

/// Returns the votes of a certificate, as signers and their signatures.
fn signatures_of(certificate: &QuorumCertificate) -> BTreeSet<(PublicKey, Signature)> {
    let votes = certificate.votes.iter();
    votes.map(|vote| (vote.signer, vote.signature)).collect()
}
