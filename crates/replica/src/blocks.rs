//! Bodies of proposed blocks: awaited, verified, executed, judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_consensus::{Input, Verdict};
use quorate_crypto::{Verified, is_body_of_header};
use quorate_ledger::{Execution, InvalidBlock};
use quorate_types::message::{FetchBlock, PeerMessage};
use quorate_types::{Block, BlockId, Header, Millis, PublicKey, Round, cbor, limits};

use crate::event::Action;
use crate::recover::LogRecord;
use crate::replica::Replica;
use crate::sync::Service;
use crate::timers::Timer;
use crate::work::{BlockContext, Claim, Origin};

/// Bodies of one height, beyond which none is kept unasked.
const BODIES: usize = 32;
/// Bodies of one builder, unasked, at one height.
const UNASKED: usize = 2;

/// Blocks of the height being decided.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    bodies: BTreeMap<BlockId, Candidate>,
    /// Blocks the driver wants judged, each with the time at which all are asked for its body.
    wanted: BTreeMap<BlockId, Option<Millis>>,
}

#[derive(Debug)]
struct Candidate {
    block: Option<Arc<Verified<Block>>>,
    builder: PublicKey,
    execution: Option<Box<Execution>>,
    /// Whether the block time was near this node's clock when the body came.
    timely: bool,
    judged: bool,
    /// Whether the body is in the log.
    logged: bool,
    refusal: Option<String>,
    /// The round for which this node built it, until it executed it.
    built: Option<Round>,
    /// The body again where it is bad by itself, until its builder is accused of it.
    bad: Option<Box<Block>>,
}

impl Candidate {
    /// A body that is under way.
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

    /// Takes the execution of a block out; `None` where it was not executed here.
    pub(crate) fn take_execution(&mut self, block: &BlockId) -> Option<Box<Execution>> {
        self.bodies.get_mut(block)?.execution.take()
    }

    pub(crate) fn refusal(&self, block: &BlockId) -> String {
        let candidate = self.bodies.get(block);
        candidate
            .and_then(|of| of.refusal.clone())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// Keeps a body that is bad by itself, if it is not too long for evidence.
    pub(crate) fn keep_bad(&mut self, block: Box<Block>) {
        let is_short = cbor::encode(&block).len() <= limits::BAD_BLOCK_BYTES;
        let candidate = self.bodies.get_mut(&block.header.id());
        if let Some(candidate) = candidate.filter(|_| is_short) {
            candidate.bad = Some(block);
        }
    }

    /// The header of a body that is bad by itself.
    pub(crate) fn bad_header(&self, block: &BlockId) -> Option<&Header> {
        Some(&self.bodies.get(block)?.bad.as_ref()?.header)
    }

    /// Takes out what [`Self::keep_bad`] kept.
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

    /// Blocks whose body is asked for, and when.
    fn missing(&self) -> impl Iterator<Item = (BlockId, Millis)> {
        let wanted = self
            .wanted
            .iter()
            .filter(|(id, _)| !self.bodies.contains_key(id));
        wanted.filter_map(|(id, at)| Some((*id, (*at)?)))
    }

    /// Whether a body may be taken: asked for, or one of few that its builder sent itself. What
    /// the driver asked for is bounded by the rounds of the height, and always taken: without it
    /// the height might never end.
    fn takes(&self, id: &BlockId, header: &Header, from: &PublicKey) -> bool {
        let of_builder = || {
            self.bodies
                .values()
                .filter(|c| c.builder == header.builder)
                .count()
        };
        let has_room = || self.bodies.len() < BODIES && of_builder() < UNASKED;
        !self.bodies.contains_key(id)
            && (self.wanted.contains_key(id) || (header.builder == *from && has_room()))
    }
}

impl Replica {
    /// A body from a peer.
    pub(crate) fn on_block(&mut self, from: PublicKey, block: Block) {
        let id = block.header.id();
        if block.header.height != self.height() {
            // The builder is a height ahead: its body comes before our own commit.
            self.sync.keep_early_block(from, self.height(), block);
            return;
        }
        if !self.candidates.takes(&id, &block.header, &from) {
            self.counters.blocks_dropped += 1;
            return;
        }
        // From here on it is the one body there is for this id: all that is found out about it,
        // its signatures too, is true of the block.
        if !is_body_of_header(&block) {
            self.counters.unauthentic += 1;
            return;
        }
        let timely = self.is_timely(&block.header);
        let builder = block.header.builder;
        self.candidates
            .bodies
            .insert(id, Candidate::awaited(builder, timely));
        let context = self.block_context(&block);
        self.verify(Origin::Peer(from), Claim::Block(Box::new(block), context));
    }

    /// N-26: near this node's clock, the more loosely the later the round.
    fn is_timely(&self, header: &Header) -> bool {
        let slack = self
            .pace
            .config
            .timely_ms
            .saturating_mul(1 + u64::from(header.build_round));
        header.block_time.abs_diff(self.now.unix) <= slack
    }

    /// What of a block needs no second look: operations in the pool, votes in the last commit.
    pub(crate) fn block_context(&self, block: &Block) -> BlockContext {
        let held = block
            .operations
            .iter()
            .filter(|operation| self.pool.holds(operation));
        let operations = held
            .map(|held| (held.payload.id(), held.signature))
            .collect();
        let mut votes = BTreeSet::new();
        if let (Some(theirs), Some(ours)) = (&block.previous_commit, &self.last_commit)
            && theirs.statement == ours.statement
        {
            votes.extend(ours.votes.iter().map(|vote| (vote.signer, vote.signature)));
            let listed: BTreeSet<_> = theirs
                .votes
                .iter()
                .map(|vote| (vote.signer, vote.signature))
                .collect();
            votes.retain(|vote| listed.contains(vote));
        }
        let previous = Arc::clone(self.ledger.previous_validators());
        BlockContext {
            previous,
            operations,
            votes,
        }
    }

    pub(crate) fn on_verified_block(&mut self, block: Verified<Block>) {
        let id = block.header.id();
        if block.header.height != self.height() {
            return;
        }
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

    /// The driver wants a verdict: execute if the body is here, else wait for it a little.
    pub(crate) fn on_check(&mut self, block: BlockId) {
        self.candidates.wanted.entry(block).or_default();
        if self.replaying {
            return;
        }
        self.accuse(&block);
        let candidate = self.candidates.bodies.get(&block);
        let Some(body) = candidate.and_then(|candidate| candidate.block.clone()) else {
            let at = self.now.monotonic + self.pace.config.fetch_ms;
            self.candidates
                .wanted
                .entry(block)
                .or_default()
                .get_or_insert(at);
            self.set_fetch();
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

    pub(crate) fn on_executed(
        &mut self,
        block: BlockId,
        result: Result<Box<Execution>, InvalidBlock>,
    ) {
        let Some(candidate) = self.candidates.bodies.get_mut(&block) else {
            return;
        };
        let built = candidate.built.take();
        let valid = match result {
            Ok(execution) => {
                candidate.execution = Some(execution);
                true
            }
            Err(reason) => {
                candidate.refusal = Some(reason.to_string());
                self.counters.blocks_invalid += 1;
                let accuses = built.is_none() && reason.convicts();
                if let Some(body) = candidate.block.clone().filter(|_| accuses) {
                    self.candidates.keep_bad(Box::new((**body).clone()));
                    self.accuse(&block);
                }
                false
            }
        };
        // Only now this node stands for the block it built, with its proposal.
        if let Some(round) = built.filter(|_| valid) {
            self.feed(Input::Built { round, block });
        }
        self.judge(block, valid);
        self.resume_decided(&block);
    }

    /// Gives the driver its verdict, once. The body goes into the log before: a vote for a block
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
        if valid {
            self.log_body(&id);
        }
        let Header {
            builder,
            build_round,
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

    /// Writes a body to the log, unless it is there.
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

    /// A wanted body has not come by itself: ask everyone, and again while it is missing. One that
    /// is being checked is here, and one that was refused comes no better from someone else.
    pub(crate) fn on_fetch(&mut self) {
        let (height, now) = (self.height(), self.now.monotonic);
        let again = now + self.pace.config.resend_ms;
        let due = self
            .candidates
            .missing()
            .filter(|(_, at)| *at <= now)
            .map(|(id, _)| id);
        let due: Vec<BlockId> = due.collect();
        for block in due {
            self.candidates.wanted.insert(block, Some(again));
            self.broadcast(PeerMessage::FetchBlock(FetchBlock { height, block }));
        }
        self.set_fetch();
    }

    /// A body that is wanted newly does not wait for the repetition of older ones: in a height of
    /// many rounds each round's body is asked for, and late is never.
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

    /// Marks a block as judged in an earlier life of this process.
    pub(crate) fn mark_judged(&mut self, block: &BlockId) {
        self.candidates.wanted.remove(block);
        if let Some(candidate) = self.candidates.bodies.get_mut(block) {
            candidate.judged = true;
        }
    }
}
