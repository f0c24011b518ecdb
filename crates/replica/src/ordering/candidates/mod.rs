//! The bodies of proposed blocks: awaited, verified, executed, judged.

mod body;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_consensus::{Driver, Verdict};
use quorate_crypto::{Verified, is_body_of_header};
use quorate_ledger::{Execution, InvalidBlock};
use quorate_types::message::{FetchBlock, PeerMessage};
use quorate_types::{
    Block, BlockId, Evidence, Header, Kind, MonotonicMillis, PublicKey, Round, SignedStatement,
    UnixMillis,
};

use super::pace::TimeoutConfig;
use super::record::LogRecord;
use crate::action::Write;
use crate::context::Context;
use crate::signal::Signal;
use crate::timers::Timer;
use crate::work::Work;

use body::{Body, is_short};

/// Once this many bodies of a height are kept, a body that nobody asked for is dropped.
const BODIES: usize = 32;
/// The bodies of one builder that are kept at one height without being asked for, at most.
const UNASKED: usize = 2;

/// The blocks of the height that is being decided.
#[derive(Debug)]
pub(super) struct Candidates {
    config: TimeoutConfig,
    bodies: BTreeMap<BlockId, Candidate>,
    /// Blocks that the driver wants judged, each with the monotonic time at which all peers are
    /// asked for its body.
    wanted: BTreeMap<BlockId, Option<MonotonicMillis>>,
}

#[derive(Debug)]
struct Candidate {
    builder: PublicKey,
    /// Whether the block time was near this node's clock when the body arrived.
    timely: bool,
    /// Whether the body is in the log.
    logged: bool,
    body: Body,
}

/// The results of an execution that the height goes on with.
#[derive(Debug)]
pub(super) struct Executed {
    /// The round for which this node built the block, if it is valid.
    pub(super) built: Option<Round>,
    /// The verdict, unless it was given before a restart.
    pub(super) verdict: Option<Verdict>,
}

impl Candidate {
    fn verdict(&self, block: BlockId, build_round: Round, valid: bool) -> Verdict {
        Verdict {
            block,
            valid,
            builder: self.builder,
            build_round,
            timely: self.timely,
        }
    }
}

impl Candidates {
    pub(super) fn new(config: TimeoutConfig) -> Self {
        Self {
            config,
            bodies: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// The body of a block whose signatures hold.
    pub(super) fn body(&self, id: &BlockId) -> Option<Arc<Verified<Block>>> {
        self.bodies.get(id)?.body.block().cloned()
    }

    /// Takes the execution of a block out; `None` if it was not executed here.
    pub(super) fn take_execution(&mut self, id: &BlockId) -> Option<Box<Execution>> {
        match &mut self.bodies.get_mut(id)?.body {
            Body::Valid { execution, .. } => execution.take(),
            _ => None,
        }
    }

    /// The reason why a block is invalid; `None` unless execution here refused it.
    pub(super) fn refusal(&self, id: &BlockId) -> Option<&str> {
        match &self.bodies.get(id)?.body {
            Body::Invalid { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The header of a bad body of which its builder was not accused yet.
    fn bad_header(&mut self, id: &BlockId) -> Option<Header> {
        let bad = self.bodies.get_mut(id)?.body.accusable()?;
        bad.as_ref().map(|block| block.header.clone())
    }

    /// Takes out the bad body of which its builder is accused now.
    fn take_bad(&mut self, id: &BlockId) -> Option<Box<Block>> {
        self.bodies.get_mut(id)?.body.accusable()?.take()
    }

    // A body arrives.

    /// Begins with a body that a peer sent, if it may be taken. Returns whether its signatures must
    /// be checked now. From here on this is the only body for its id.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, from: PublicKey, block: &Block) -> bool {
        let id = block.header.id();
        if !self.takes(&id, &block.header, &from) {
            cx.counters().blocks_dropped += 1;
            return false;
        }

        // A block id names the header alone. So every fact about this body, its signatures
        // included, is a fact about the block.
        if !is_body_of_header(block) {
            cx.counters().unauthentic += 1;
            return false;
        }

        let candidate = self.unverified(cx.unix(), &block.header);
        self.bodies.insert(id, candidate);
        true
    }

    /// Whether a body may be taken: the driver asked for it, or it is one of few that its builder
    /// sent without being asked. Bodies that the driver asked for are bounded by the rounds of the
    /// height and are always taken, since the height might never end without them.
    fn takes(&self, id: &BlockId, header: &Header, from: &PublicKey) -> bool {
        let of_builder = || {
            self.bodies
                .values()
                .filter(|candidate| candidate.builder == header.builder)
                .count()
        };

        let has_room = || self.bodies.len() < BODIES && of_builder() < UNASKED;

        if self.bodies.contains_key(id) {
            return false;
        }

        self.wanted.contains_key(id) || (header.builder == *from && has_room())
    }

    fn unverified(&self, now: UnixMillis, header: &Header) -> Candidate {
        Candidate {
            builder: header.builder,
            timely: self.is_timely(now, header),
            logged: false,
            body: Body::Unverified,
        }
    }

    /// Whether the block time is near this node's clock, within a tolerance that widens with the
    /// build round (N-26).
    fn is_timely(&self, now: UnixMillis, header: &Header) -> bool {
        let rounds = 1 + u64::from(header.missed_turns);
        let slack = self.config.timely_ms.saturating_mul(rounds);

        header.block_time.abs_diff(now) <= slack
    }

    /// Keeps a block that this node built for `round`, and has it executed.
    pub(super) fn keep_own(
        &mut self,
        cx: &mut Context<'_>,
        round: Round,
        block: &Arc<Verified<Block>>,
    ) {
        let body = Body::own(Arc::clone(block), round);
        let candidate = Candidate {
            builder: block.header.builder,
            timely: true,
            logged: false,
            body,
        };
        let id = block.header.id();
        self.bodies.insert(id, candidate);
        self.log_body(cx, &id);

        // Others check the body while this node executes it, and have it before the proposal.
        cx.broadcast(PeerMessage::Block(Box::new((***block).clone())));
        execute(cx, block);
    }

    /// Keeps a body whose signatures hold. Returns whether it is new and the driver wants it
    /// judged.
    pub(super) fn on_verified(&mut self, cx: &Context<'_>, block: Verified<Block>) -> bool {
        let id = block.header.id();
        let fresh = self.unverified(cx.unix(), &block.header);
        let candidate = self.bodies.entry(id).or_insert(fresh);

        if candidate.body.block().is_some() {
            return false;
        }

        candidate.logged = cx.is_replaying();
        candidate.body = Body::Verified(Arc::new(block));
        self.wanted.contains_key(&id)
    }

    /// Keeps a body in which a signature does not hold, if it is short enough for evidence.
    pub(super) fn on_forged(&mut self, block: Box<Block>) {
        if let Some(candidate) = self.bodies.get_mut(&block.header.id())
            && candidate.body.block().is_none()
            && is_short(&block)
        {
            candidate.body = Body::Forged(Some(block));
        }
    }

    // The driver wants a block judged.

    /// Notes that the driver wants a block judged.
    pub(super) fn want(&mut self, id: BlockId) {
        self.wanted.entry(id).or_default();
    }

    /// Has a block executed that the driver wants judged. If its body has not arrived, waits a
    /// little and then asks for it.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>, id: BlockId) {
        match self.bodies.get(&id).map(|candidate| &candidate.body) {
            Some(Body::Unverified | Body::Forged(_)) | None => self.await_body(cx, id),
            Some(_) => self.execute(cx, &id),
        }
    }

    /// Has a block executed whose signatures hold, unless it is being executed or was.
    pub(super) fn execute(&mut self, cx: &mut Context<'_>, id: &BlockId) {
        let Some(candidate) = self.bodies.get_mut(id) else {
            return;
        };

        if let Some(block) = candidate.body.begin_execution() {
            execute(cx, &block);
        }
    }

    /// Sets the time at which all peers are asked for a body, unless it is set already.
    fn await_body(&mut self, cx: &mut Context<'_>, id: BlockId) {
        let at = cx.monotonic() + self.config.fetch_ms;
        let wanted = self.wanted.entry(id).or_default();
        wanted.get_or_insert(at);
        self.set_fetch(cx);
    }

    /// Asks everyone for wanted bodies that have not arrived, and again while they are missing. A
    /// body that is being checked is here already, and one that was refused would not be better
    /// from another peer.
    pub(super) fn on_fetch(&mut self, cx: &mut Context<'_>) {
        let height = cx.height();
        let now = cx.monotonic();

        let missing = self.missing().filter(|(_, at)| *at <= now);
        let due: Vec<BlockId> = missing.map(|(id, _)| id).collect();

        let again = now + self.config.resend_ms;

        for block in due {
            self.wanted.insert(block, Some(again));
            let wanted = FetchBlock { height, block };
            cx.broadcast(PeerMessage::FetchBlock(wanted));
        }

        self.set_fetch(cx);
    }

    /// Sets the timer for the earliest body that is missing. A newly wanted body does not wait for
    /// the repetition of older requests: in a height of many rounds each round has its own body,
    /// and one that comes late is of no use.
    fn set_fetch(&self, cx: &mut Context<'_>) {
        if let Some(next) = self.missing().map(|(_, at)| at).min() {
            cx.set_timer(Timer::Fetch, next);
        }
    }

    /// Blocks whose body has not arrived, with the time at which it is asked for.
    fn missing(&self) -> impl Iterator<Item = (BlockId, MonotonicMillis)> {
        let wanted = self
            .wanted
            .iter()
            .filter(|(id, _)| !self.bodies.contains_key(id));
        wanted.filter_map(|(id, at)| Some((*id, (*at)?)))
    }

    // A block was executed.

    /// Takes the result of an execution. The body of a valid block goes into the log first: a vote
    /// for a block must not outlive the block (N-21). A refused block is never voted for, so its
    /// body is not needed after a crash.
    pub(super) fn on_executed(
        &mut self,
        cx: &mut Context<'_>,
        id: &BlockId,
        result: Result<Box<Execution>, InvalidBlock>,
    ) -> Option<Executed> {
        let valid = result.is_ok();
        let candidate = self.bodies.get_mut(id)?;
        let awaited = candidate.body.awaited()?;
        let build_round = awaited.block.header.missed_turns;
        let verdict = candidate.verdict(*id, build_round, valid);

        candidate.body = match result {
            Ok(execution) => Body::valid(awaited.block, execution),
            Err(reason) => {
                cx.counters().blocks_invalid += 1;
                Body::invalid(awaited.block, &reason, awaited.built.is_some())
            }
        };

        if !awaited.is_judged {
            self.wanted.remove(id);
            if valid {
                self.log_body(cx, id);
            }
        }

        Some(Executed {
            built: awaited.built.filter(|_| valid),
            verdict: (!awaited.is_judged).then_some(verdict),
        })
    }

    /// Accuses the builder of a bad block, once its proposal of the block has arrived here too.
    pub(super) fn accuse(&mut self, cx: &mut Context<'_>, id: &BlockId, driver: &Driver) {
        let Some(header) = self.bad_header(id) else {
            return;
        };

        let Some(proposal) = proposal_of(driver, id, &header) else {
            return;
        };

        let Some(block) = self.take_bad(id) else {
            return;
        };

        if let Some(evidence) = Evidence::bad_block(proposal, *block) {
            cx.tell(Signal::Accused(Box::new(evidence)));
        }
    }

    /// Notes that the log holds the verdict on a block, given before a restart of this process.
    pub(super) fn recover_verdict(&mut self, id: &BlockId) {
        self.wanted.remove(id);

        if let Some(candidate) = self.bodies.get_mut(id)
            && let Body::Verified(block) = &candidate.body
        {
            candidate.body = Body::Recovered(Arc::clone(block));
        }
    }

    /// Writes a body to the log, unless it is there already.
    fn log_body(&mut self, cx: &mut Context<'_>, id: &BlockId) {
        let Some(candidate) = self.bodies.get_mut(id) else {
            return;
        };

        let Some(block) = candidate.body.block() else {
            return;
        };

        if !std::mem::replace(&mut candidate.logged, true) {
            let record = LogRecord::Block(Box::new((***block).clone()));
            cx.write(Write::Log(cx.height(), record));
        }
    }
}

fn execute(cx: &mut Context<'_>, block: &Arc<Verified<Block>>) {
    let ledger = Arc::clone(cx.ledger());
    cx.run(Work::Execute(ledger, Arc::clone(block)));
}

/// Returns the proposal that evidence of a bad block needs, if it has arrived: the builder's
/// own, made in the build round (N-24).
fn proposal_of(driver: &Driver, id: &BlockId, header: &Header) -> Option<SignedStatement> {
    let round = header.missed_turns;

    let is_wanted = |said: &SignedStatement| {
        said.signer == header.builder
            && said.statement.kind == Kind::Proposal
            && said.statement.round == round
            && said.statement.block == Some(*id)
    };

    // The driver's catch-up for a round carries its proposal.
    let mut statements = driver.catch_up(round).statements.into_iter();
    statements.find(is_wanted)
}

#[cfg(test)]
mod tests;
