//! The mempool: verified operations that wait for a block, bounded and fair per agent.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_ledger::Ledger;
use quorate_types::message::{Answer, PeerMessage, Rejection};
use quorate_types::{Operation, OperationBody, PublicKey, Round, SignedOperation, limits};

use crate::context::Context;
use crate::event::Origin;
use crate::signal::Signal;
use crate::work::Work;

/// Operations by agent and sequence number, each with its place in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    agents: BTreeMap<PublicKey, BTreeMap<u64, Waiting>>,
    count: usize,
    arrivals: u64,
    /// The operations offered to the last block that was built here, by agent and sequence number,
    /// with the round that the block is for.
    offered: (Round, Vec<(PublicKey, u64)>),
    /// The number of operations of each peer whose signatures are being checked.
    checking: BTreeMap<PublicKey, usize>,
}

/// The number of operations of one peer that are checked at a time. A peer can send faster than
/// anyone can check.
const CHECKING: usize = limits::OPERATIONS_PER_BLOCK;

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    operation: Verified<SignedOperation>,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether exactly this operation, signature included, waits here.
    pub(crate) fn holds(&self, operation: &SignedOperation) -> bool {
        let payload = &operation.payload;
        let waiting = self
            .agents
            .get(&payload.agent)
            .and_then(|of| of.get(&payload.sequence));
        waiting.is_some_and(|waiting| *waiting.operation == *operation)
    }

    /// Takes operations of clients, peers or this process, before their signatures are checked.
    pub(crate) fn on_operations(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        operations: Vec<SignedOperation>,
    ) {
        let mut wanted = Vec::new();

        for operation in operations {
            // A client that hands in an operation twice gets the same answer twice (W-12).
            if self.holds(&operation) {
                accept(cx, origin, &operation);
                continue;
            }

            match self.admits(cx.ledger(), &operation) {
                Ok(()) if is_too_long(&operation) => cx.counters().operations_dropped += 1,
                Ok(()) => wanted.push(operation),
                Err(rejection) => refuse(cx, origin, rejection),
            }
        }

        if !wanted.is_empty() {
            self.check(cx, origin, wanted);
        }
    }

    /// Has the signatures of operations checked, unless too many of this origin are under check.
    fn check(&mut self, cx: &mut Context<'_>, origin: Origin, wanted: Vec<SignedOperation>) {
        if !self.begin_check(origin, wanted.len()) {
            cx.counters().operations_dropped += wanted.len() as u64;
            return;
        }

        cx.run(Work::Operations(origin, wanted));
    }

    /// Takes the operations of a check whose signatures hold; those of `refused` more do not.
    pub(crate) fn on_checked(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        held: Vec<Verified<SignedOperation>>,
        refused: u64,
    ) {
        cx.counters().unauthentic += refused;
        self.end_check(origin, held.len() + refused as usize);

        if refused > 0 {
            cx.reject(origin, Rejection::Unauthentic);
        }

        self.on_verified(cx, origin, held);
    }

    /// Takes an operation that this node signed. Returns whether it waits here now.
    pub(crate) fn on_own(
        &mut self,
        cx: &mut Context<'_>,
        operation: Verified<SignedOperation>,
    ) -> bool {
        let plain = (*operation).clone();
        self.on_verified(cx, Origin::Local, vec![operation]);
        self.holds(&plain)
    }

    fn on_verified(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin,
        operations: Vec<Verified<SignedOperation>>,
    ) {
        let mut fresh = Vec::new();

        for operation in operations {
            if let Err(rejection) = self.admits_verified(cx, &operation) {
                refuse(cx, origin, rejection);
                continue;
            }

            accept(cx, origin, &operation);
            // The place may be taken: another operation of this agent and number may have come
            // first.
            let plain = (*operation).clone();
            if self.insert(operation) {
                fresh.push(plain);
            }
        }

        // A peer that passes operations on sends them to everyone, so they need not be passed on
        // again.
        if !matches!(origin, Origin::Peer(_)) && !fresh.is_empty() {
            cx.broadcast(PeerMessage::Operations(fresh));
        }

        cx.tell(Signal::Waiting);
    }

    /// As [`Self::admits`]. A stranger needs the word of an attester as well, or no block would
    /// ever take its operations.
    fn admits_verified(
        &self,
        cx: &Context<'_>,
        operation: &SignedOperation,
    ) -> Result<(), Rejection> {
        let ledger = cx.ledger();
        self.admits(ledger, operation)?;

        let payload = &operation.payload;
        let first = payload.sequence == 0 && !ledger.knows_agent(&payload.agent);

        if first && !ledger.admits(payload, cx.unix()) {
            return Err(Rejection::Unknown);
        }

        Ok(())
    }

    /// Whether an operation could be taken, before its signature is checked.
    fn admits(&self, ledger: &Ledger, operation: &SignedOperation) -> Result<(), Rejection> {
        let payload = &operation.payload;

        if payload.agent != operation.signer || payload.swarm != ledger.swarm() {
            return Err(Rejection::Unauthentic);
        }

        if !ledger.knows_agent(&payload.agent) && !self.admits_stranger(payload) {
            return Err(Rejection::Unknown);
        }

        check_sequence(payload.sequence, ledger.next_sequence(&payload.agent))?;
        if self.count >= limits::POOL {
            return Err(Rejection::Full);
        }

        Ok(())
    }

    /// Whether an agent that the ledger does not know may bring this: it begins with its admission,
    /// and may go on while that still waits here.
    fn admits_stranger(&self, payload: &Operation) -> bool {
        let admits = payload.sequence == 0 && matches!(payload.body, OperationBody::Admit(_));
        admits || self.agents.contains_key(&payload.agent)
    }

    /// Whether the signatures of `count` more operations may be checked now; if so, they count as
    /// being checked. A peer with nothing under way may always begin, however large its batch is.
    fn begin_check(&mut self, origin: Origin, count: usize) -> bool {
        let Origin::Peer(peer) = origin else {
            return true;
        };

        let checking = self.checking.entry(peer).or_default();
        let fits = *checking == 0 || *checking + count <= CHECKING;

        if fits {
            *checking += count;
        }
        fits
    }

    /// Notes that `count` operations of this origin are checked.
    fn end_check(&mut self, origin: Origin, count: usize) {
        let Origin::Peer(peer) = origin else { return };
        let left = self
            .checking
            .get(&peer)
            .map_or(0, |checking| checking.saturating_sub(count));

        match left {
            0 => self.checking.remove(&peer),
            left => self.checking.insert(peer, left),
        };
    }

    /// Takes an operation. Returns `false` if another one of this agent and sequence number came
    /// first.
    fn insert(&mut self, operation: Verified<SignedOperation>) -> bool {
        let agent = operation.payload.agent;
        let sequence = operation.payload.sequence;
        let of_agent = self.agents.entry(agent).or_default();

        if of_agent.contains_key(&sequence) {
            return false;
        }

        self.arrivals += 1;
        self.count += 1;
        let waiting = Waiting {
            arrival: self.arrivals,
            operation,
        };

        of_agent.insert(sequence, waiting);
        true
    }

    /// Whether any agent has an operation that could go into the next block.
    pub(crate) fn has_ready(&self, ledger: &Ledger) -> bool {
        self.agents
            .iter()
            .any(|(agent, of)| of.contains_key(&ledger.next_sequence(agent)))
    }

    /// At most `most` operations for a block to be built for `round`: the contiguous runs of all
    /// agents, oldest arrival first.
    pub(crate) fn offer(
        &mut self,
        ledger: &Ledger,
        most: usize,
        round: Round,
    ) -> Vec<Verified<SignedOperation>> {
        let ready = self.ready(ledger);
        let offer: Vec<_> = ready.into_iter().take(most).cloned().collect();

        let places = offer
            .iter()
            .map(|op| (op.payload.agent, op.payload.sequence));
        self.offered = (round, places.collect());

        offer
    }

    /// Returns the operations that could go into the next block, oldest first. An operation is as
    /// old as the youngest one that it must follow.
    fn ready(&self, ledger: &Ledger) -> Vec<&Verified<SignedOperation>> {
        let mut ready = Vec::new();

        for (agent, of) in &self.agents {
            let mut age = 0;

            for ((sequence, waiting), next) in of.iter().zip(ledger.next_sequence(agent)..) {
                // A gap ends the run: a block with it would not be valid (L-5).
                if *sequence != next {
                    break;
                }

                age = waiting.arrival.max(age);
                ready.push((age, next, &waiting.operation));
            }
        }

        ready.sort_by_key(|(age, sequence, _)| (*age, *sequence));
        ready.into_iter().map(|(_, _, op)| op).collect()
    }

    /// Drops the operations offered to a block for `round` that took none of them. No block ever
    /// will, and while they wait here they would keep asking for another block. If a later block
    /// was asked for meanwhile, that one decides.
    pub(crate) fn drop_offered(&mut self, round: Round) {
        if self.offered.0 != round {
            return;
        }

        for (agent, sequence) in std::mem::take(&mut self.offered.1) {
            let Some(of) = self.agents.get_mut(&agent) else {
                continue;
            };

            self.count -= usize::from(of.remove(&sequence).is_some());
            if of.is_empty() {
                self.agents.remove(&agent);
            }
        }
    }

    /// Whether any operation of this agent waits.
    pub(crate) fn waits_for(&self, agent: &PublicKey) -> bool {
        self.agents.contains_key(agent)
    }

    /// Forgets the operations of these agents that the ledger has moved past.
    pub(crate) fn prune(&mut self, ledger: &Ledger, agents: impl Iterator<Item = PublicKey>) {
        for agent in agents {
            let Some(of) = self.agents.get_mut(&agent) else {
                continue;
            };

            // Numbers below the next one are used up: no block takes them again.
            let kept = of.split_off(&ledger.next_sequence(&agent));
            self.count -= of.len();
            *of = kept;

            if of.is_empty() {
                self.agents.remove(&agent);
            }
        }
    }
}

/// Checks a sequence number against `next`, the one that the ledger takes next of this agent.
fn check_sequence(sequence: u64, next: u64) -> Result<(), Rejection> {
    if sequence < next {
        Err(Rejection::Sequence)
    } else if sequence - next >= limits::POOL_PER_AGENT as u64 {
        Err(Rejection::Gap)
    } else {
        Ok(())
    }
}

/// Tells a client that its operation is taken; nobody else waits for that.
fn accept(cx: &mut Context<'_>, origin: Origin, operation: &SignedOperation) {
    if let Origin::Client { from, id } = origin {
        cx.answer(from, id, Answer::Accepted(operation.id()));
    }
}

/// Counts an operation that is not taken, and tells the client that brought it the reason.
fn refuse(cx: &mut Context<'_>, origin: Origin, rejection: Rejection) {
    cx.counters().operations_dropped += 1;
    cx.reject(origin, rejection);
}

/// Whether the signed operation is longer than a block takes: its payload alone may be short
/// enough.
fn is_too_long(operation: &SignedOperation) -> bool {
    operation.bytes().len() > limits::OPERATION_BYTES
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use quorate_types::message::{ClientMessage, Reply};
    use quorate_types::operation::{Cancel, Submit};
    use quorate_types::{TaskId, TaskSpec};

    use super::*;
    use crate::action::Recipients;
    use crate::testing::{AGENT, Bench, REQUESTER, public};

    const CLIENT: Origin = Origin::Client {
        from: PublicKey([9; 32]),
        id: 7,
    };

    /// A bench whose ledger knows the requester and the agent.
    fn bench() -> Bench {
        let mut bench = Bench::new();
        bench.commit(vec![bench.admission(REQUESTER), bench.admission(AGENT)]);
        bench
    }

    fn operation(bench: &Bench, seed: u8, sequence: u64) -> Verified<SignedOperation> {
        let task = TaskId {
            requester: public(seed),
            number: 0,
        };
        bench.operation(seed, sequence, OperationBody::Cancel(Cancel { task }))
    }

    fn plain(operation: &Verified<SignedOperation>) -> SignedOperation {
        (**operation).clone()
    }

    fn answers(bench: &mut Bench) -> Vec<Answer> {
        let replies = bench.take().replies().into_iter();
        let answers = replies.filter_map(|(_, message)| match message {
            ClientMessage::Reply(Reply { id: 7, answer }) => Some(answer),
            _ => None,
        });
        answers.collect()
    }

    /// The answer to an operation that comes unchecked; `None` if its signature is checked.
    fn submitted(
        pool: &mut Pool,
        bench: &mut Bench,
        operation: &Verified<SignedOperation>,
    ) -> Option<Answer> {
        pool.on_operations(&mut bench.cx(), CLIENT, vec![plain(operation)]);
        answers(bench).pop()
    }

    fn places(offer: &[Verified<SignedOperation>]) -> Vec<(PublicKey, u64)> {
        let payloads = offer.iter().map(|operation| &operation.payload);
        payloads.map(|of| (of.agent, of.sequence)).collect()
    }

    #[test]
    fn w12_the_answer_is_the_id_also_to_an_operation_handed_in_twice() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let first = operation(&bench, AGENT, 1);
        let accepted = Answer::Accepted(first.payload.id());
        assert_eq!(submitted(&mut pool, &mut bench, &first), None);
        pool.on_checked(&mut bench.cx(), CLIENT, vec![first.clone()], 0);
        assert_eq!(answers(&mut bench), from_ref(&accepted));
        assert_eq!(submitted(&mut pool, &mut bench, &first), Some(accepted));
        assert_eq!(pool.len(), 1);
    }

    #[test]
    fn the_same_operation_with_another_signature_is_not_taken_as_held() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let held = operation(&bench, AGENT, 1);
        pool.on_own(&mut bench.cx(), held.clone());
        let mut forged = held.into_inner();
        forged.alter(|parts| parts.signature.0[0] ^= 1);
        bench.take();
        pool.on_operations(&mut bench.cx(), CLIENT, vec![forged]);
        assert_eq!(bench.take().work().len(), 1);
    }

    #[test]
    fn w12_an_operation_that_is_not_taken_gets_the_reason() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let most = limits::POOL_PER_AGENT as u64;
        for (seed, sequence, reason) in [
            (AGENT, 0, Some(Rejection::Sequence)),
            (AGENT, 1, None),
            (AGENT, most, None),
            (AGENT, most + 1, Some(Rejection::Gap)),
            (70, 0, Some(Rejection::Unknown)),
        ] {
            let operation = operation(&bench, seed, sequence);
            let answer = submitted(&mut pool, &mut bench, &operation);
            assert_eq!(answer, reason.map(Answer::Rejected), "{sequence}");
        }
        let mut stolen = operation(&bench, AGENT, 1).into_inner();
        stolen.alter(|parts| parts.signer = public(REQUESTER));
        pool.on_operations(&mut bench.cx(), CLIENT, vec![stolen]);
        let unauthentic = Answer::Rejected(Rejection::Unauthentic);
        assert_eq!(answers(&mut bench), [unauthentic]);
        pool.count = limits::POOL;
        let one = operation(&bench, AGENT, 1);
        let full = submitted(&mut pool, &mut bench, &one);
        assert_eq!(full, Some(Answer::Rejected(Rejection::Full)));
        assert_eq!(bench.counters().operations_dropped, 5);
    }

    #[test]
    fn a_stranger_goes_on_while_its_admission_waits() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let (admission, second) = (bench.admission(70), operation(&bench, 70, 1));
        let unknown = Some(Answer::Rejected(Rejection::Unknown));
        assert_eq!(submitted(&mut pool, &mut bench, &second), unknown);
        assert_eq!(submitted(&mut pool, &mut bench, &admission), None);
        pool.on_checked(&mut bench.cx(), CLIENT, vec![admission], 0);
        bench.take();
        assert_eq!(submitted(&mut pool, &mut bench, &second), None);
    }

    #[test]
    fn a_stranger_without_an_attester_is_not_taken() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let mut body = bench.admission(70).payload.body.clone();
        if let OperationBody::Admit(admit) = &mut body {
            admit.attestation.alter(|parts| {
                parts.payload.issuer = public(70);
                parts.signer = public(70);
            });
        }
        let admission = bench.operation(70, 0, body);
        pool.on_checked(&mut bench.cx(), CLIENT, vec![admission], 0);
        let unknown = Answer::Rejected(Rejection::Unknown);
        assert_eq!((answers(&mut bench), pool.len()), (vec![unknown], 0));
    }

    #[test]
    fn an_operation_that_is_longer_than_a_block_takes_is_dropped() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let mut spec = TaskSpec::new("jobs".parse().unwrap());
        spec.payload.0 = vec![0; limits::TASK_PAYLOAD_BYTES];
        let submit = OperationBody::Submit(Submit {
            first: 0,
            tasks: vec![spec; limits::TASKS_PER_OPERATION],
        });
        let long = bench.operation(AGENT, 1, submit);
        pool.on_operations(&mut bench.cx(), CLIENT, vec![plain(&long)]);
        assert!(bench.take().is_empty());
        assert_eq!(bench.counters().operations_dropped, 1);
    }

    #[test]
    fn one_peer_has_no_more_checked_at_a_time_than_a_block_takes() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let [first, second] = [1, 2].map(|seed| Origin::Peer(public(seed)));
        assert!(pool.begin_check(first, CHECKING + 1), "a first batch");
        assert!(!pool.begin_check(first, 1));
        let one = plain(&operation(&bench, AGENT, 1));
        pool.on_operations(&mut bench.cx(), first, vec![one.clone()]);
        assert!(bench.take().work().is_empty());
        assert_eq!(bench.counters().operations_dropped, 1);
        for origin in [second, CLIENT, Origin::Local] {
            pool.on_operations(&mut bench.cx(), origin, vec![one.clone()]);
            assert_eq!(bench.take().work().len(), 1, "{origin:?}");
        }
        pool.end_check(first, CHECKING);
        assert!(!pool.begin_check(first, CHECKING), "one is left");
        assert!(pool.begin_check(first, CHECKING - 1));
    }

    #[test]
    fn a_check_ends_for_held_and_refused_operations_alike() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let peer = Origin::Peer(bench.other());
        assert!(pool.begin_check(peer, 3));
        let held = vec![operation(&bench, AGENT, 1)];
        pool.on_checked(&mut bench.cx(), peer, held, 2);
        assert!(pool.checking.is_empty());
        assert_eq!(bench.counters().unauthentic, 2);
        pool.on_checked(&mut bench.cx(), CLIENT, Vec::new(), 1);
        let unauthentic = Answer::Rejected(Rejection::Unauthentic);
        assert_eq!(answers(&mut bench), [unauthentic]);
    }

    #[test]
    fn only_operations_that_no_peer_sent_are_passed_on_once() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let client = operation(&bench, AGENT, 1);
        pool.on_checked(&mut bench.cx(), CLIENT, vec![client.clone()], 0);
        let taken = bench.take();
        let passed = PeerMessage::Operations(vec![plain(&client)]);
        assert_eq!(taken.sent(), [(Recipients::All, passed)]);
        assert!(matches!(taken.signals[..], [Signal::Waiting]));
        pool.on_checked(&mut bench.cx(), CLIENT, vec![client], 0);
        assert!(bench.take().sent().is_empty());
        let peer = Origin::Peer(bench.other());
        let of_peer = operation(&bench, REQUESTER, 1);
        pool.on_checked(&mut bench.cx(), peer, vec![of_peer], 0);
        assert!(bench.take().sent().is_empty());
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn the_first_operation_of_a_number_keeps_the_place() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let first = operation(&bench, REQUESTER, 1);
        let second = bench.submission(1, 0);
        assert!(pool.on_own(&mut bench.cx(), first.clone()));
        assert!(!pool.on_own(&mut bench.cx(), second));
        assert!(pool.holds(&first) && pool.len() == 1);
    }

    #[test]
    fn l5_the_offer_has_the_runs_without_a_gap_oldest_first() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        // The second of the agent came before its first, so both are as old as the first.
        for (seed, sequence) in [(AGENT, 2), (REQUESTER, 1), (AGENT, 1), (AGENT, 4)] {
            let operation = operation(&bench, seed, sequence);
            pool.on_own(&mut bench.cx(), operation);
        }
        let [agent, boss] = [AGENT, REQUESTER].map(public);
        let run = [(boss, 1), (agent, 1), (agent, 2)];
        assert_eq!(places(&pool.offer(bench.ledger(), 9, 0)), run);
        assert_eq!(places(&pool.offer(bench.ledger(), 2, 0)), run[..2]);
    }

    #[test]
    fn an_operation_behind_a_gap_is_no_reason_for_a_block() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        let second = operation(&bench, AGENT, 2);
        pool.on_own(&mut bench.cx(), second);
        assert!(!pool.has_ready(bench.ledger()));
        let first = operation(&bench, AGENT, 1);
        pool.on_own(&mut bench.cx(), first);
        assert!(pool.has_ready(bench.ledger()));
    }

    #[test]
    fn what_a_block_did_not_take_though_offered_is_dropped() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        for sequence in 1..=3 {
            let operation = operation(&bench, AGENT, sequence);
            pool.on_own(&mut bench.cx(), operation);
        }
        pool.offer(bench.ledger(), 2, 7);
        pool.drop_offered(6);
        assert_eq!(pool.len(), 3, "a later block was asked for since");
        pool.drop_offered(7);
        assert_eq!(pool.len(), 1);
        pool.drop_offered(7);
        assert_eq!(pool.len(), 1, "nothing was offered since");
    }

    #[test]
    fn what_the_ledger_has_moved_past_is_forgotten() {
        let (mut pool, mut bench) = (Pool::default(), bench());
        for sequence in 1..=2 {
            let operation = operation(&bench, AGENT, sequence);
            pool.on_own(&mut bench.cx(), operation);
        }
        bench.commit(vec![operation(&bench, AGENT, 1)]);
        pool.prune(bench.ledger(), [public(AGENT)].into_iter());
        assert_eq!(
            places(&pool.offer(bench.ledger(), 9, 0)),
            [(public(AGENT), 2)]
        );
        assert!(pool.len() == 1 && pool.waits_for(&public(AGENT)));
        bench.commit(vec![operation(&bench, AGENT, 2)]);
        pool.prune(bench.ledger(), [public(AGENT)].into_iter());
        assert!(pool.len() == 0 && !pool.waits_for(&public(AGENT)));
    }
}
