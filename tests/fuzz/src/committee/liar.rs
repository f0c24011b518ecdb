//! The lies of the validator that lies. It has no key but its own, and uses the signatures that it
//! heard.

use quorate_crypto::{Verified, merkle, verify_commit};
use quorate_ledger::Proposal;
use quorate_types::cose::Owned;
use quorate_types::message::{Decided, FetchBlock, FetchDecided, PeerMessage, PeerStatus};
use quorate_types::operation::{
    Attest, Bid, Cancel, Lapse, Offer, Revoke, Submit, Suspicion, TaskReport, Withdraw,
};
use quorate_types::{
    Amounts, Block, BlockId, CommitProof, Evidence, FencingToken, Hash, Kind, OperationBody,
    QuorumCertificate, Round, SignedOperation, SignedStatement, Statement, TaskId, TaskSpec,
    UnixMillis, Vote, cbor,
};

use super::cluster::{Cluster, LIAR, NODES};
use super::say;
use crate::choices::Choices;
use crate::swarm::{self, AGENTS, START, jobs, key, precommit, public};

/// Tells one lie to one node or to several.
pub(super) fn lie(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    match choices.below(12) {
        0..=2 => {
            let vote = vote(cluster, at, choices);
            say_to_some(cluster, choices, &PeerMessage::Statement(vote));
        }
        3..=5 => propose(cluster, at, choices),
        6 => {
            let certificate = certificate(cluster, at, choices);
            certificate
                .into_iter()
                .for_each(|of| say(cluster, at, PeerMessage::Certificate(of)));
        }
        7 => {
            let decided = decided(cluster, choices);
            decided
                .into_iter()
                .for_each(|of| say(cluster, at, PeerMessage::Decided(of)));
        }
        8 => {
            let evidence = evidence(cluster, at, choices);
            evidence
                .into_iter()
                .for_each(|of| say(cluster, at, PeerMessage::Evidence(of)));
        }
        9 => {
            let count = 1 + choices.below(4);
            let operations = (0..count).map(|_| operation(cluster, at, choices).into_inner());
            let operations = operations.collect();
            say(cluster, at, PeerMessage::Operations(operations));
        }
        10 => {
            let height = cluster.nodes[at].replica.height();
            let (task, token) = (task(choices), choices.number(1));
            let height = choices.number(height.saturating_sub(1));
            let swarm = swarm::genesis().swarm_id();
            let suspicion = key(LIAR)
                .sign(Suspicion {
                    swarm,
                    task,
                    token: FencingToken(token),
                    height,
                })
                .into_inner();
            say(cluster, at, PeerMessage::Suspicion(suspicion));
        }
        _ => say(cluster, at, question(cluster, at, choices)),
    }
}

/// Sends a message to each node whose bit is not set in the next byte.
fn say_to_some(cluster: &mut Cluster, choices: &mut Choices<'_>, message: &PeerMessage) {
    let some = choices.byte();
    let chosen = (0..NODES).filter(|at| some >> at & 1 == 0);
    chosen.for_each(|at| say(cluster, at, message.clone()));
}

/// A request to a node, or a false status.
fn question(cluster: &Cluster, at: usize, choices: &mut Choices<'_>) -> PeerMessage {
    let replica = &cluster.nodes[at].replica;
    let height = choices.number(replica.height());
    match choices.below(4) {
        0 => PeerMessage::FetchDecided(FetchDecided { from: height }),
        1 => {
            let block = block_id(cluster, choices).unwrap_or(BlockId([1; 32]));
            PeerMessage::FetchBlock(FetchBlock { height, block })
        }
        2 => PeerMessage::Announcements(Vec::new()),
        _ => PeerMessage::Status(PeerStatus {
            height,
            round: round(replica.round(), choices),
        }),
    }
}

fn round(near: Round, choices: &mut Choices<'_>) -> Round {
    Round::try_from(choices.number(near.into())).unwrap_or(Round::MAX)
}

/// The id of a block that messages named, nil, or an id that nobody knows.
fn block_id(cluster: &Cluster, choices: &mut Choices<'_>) -> Option<BlockId> {
    let choice = choices.byte();
    let known: Vec<_> = cluster.heard.iter().filter_map(named).collect();
    match choice {
        0..=191 => known
            .iter()
            .rev()
            .nth(usize::from(choice) % known.len().max(1))
            .copied(),
        192..=223 => None,
        _ => Some(BlockId([choice; 32])),
    }
}

fn named(message: &PeerMessage) -> Option<BlockId> {
    match message {
        PeerMessage::Statement(signed) => signed.statement.block,
        PeerMessage::Block(block) => Some(block.header.id()),
        _ => None,
    }
}

/// A statement with the liar's signature; it may be false.
fn vote(cluster: &Cluster, at: usize, choices: &mut Choices<'_>) -> SignedStatement {
    let replica = &cluster.nodes[at].replica;
    let detail = choices.below(8);
    let kind = [Kind::Prevote, Kind::Precommit, Kind::Proposal][choices.below(3)];
    let block = block_id(cluster, choices);
    let mut statement = precommit(replica.height(), BlockId([1; 32]));
    statement.kind = kind;
    statement.validators = replica.ledger().validators().hash();
    statement.round = replica.round();
    statement.block = if kind == Kind::Proposal {
        block.or(statement.block)
    } else {
        block
    };
    match detail {
        0 => statement.round = round(statement.round, choices),
        1 => statement.height = choices.number(statement.height),
        2 if kind == Kind::Proposal => statement.pol_round = Some(round(0, choices)),
        3 => statement.validators = Hash([choices.byte(); 32]),
        _ => {}
    }
    key(LIAR).sign_statement(statement).into_inner()
}

/// Sends a block for the next round in which the liar is the proposer, valid or not, and a proposal
/// of it.
fn propose(cluster: &mut Cluster, at: usize, choices: &mut Choices<'_>) {
    let replica = &cluster.nodes[at].replica;
    let (height, current) = (replica.height(), replica.round());
    let ledger = replica.ledger();
    let mine = |round: &Round| ledger.proposers().proposer(height, *round) == public(LIAR);
    let Some(mut round) = (current..current.saturating_add(5)).find(mine) else {
        return;
    };
    let mut block = build(cluster, at, round, choices);
    let detail = choices.below(8);
    match detail {
        0 | 1 => spoil(&mut block, choices),
        2 => round = self::round(round, choices),
        _ => {}
    }
    let statement = Statement {
        swarm: block.header.swarm,
        height: block.header.height,
        round,
        kind: Kind::Proposal,
        block: Some(block.header.id()),
        validators: block.header.validators,
        pol_round: (detail == 3).then_some(current.saturating_sub(1)),
    };
    let proposal = key(LIAR).sign_statement(statement).into_inner();
    say_to_some(cluster, choices, &PeerMessage::Statement(proposal));
    say_to_some(cluster, choices, &PeerMessage::Block(Box::new(block)));
}

/// Builds a valid block on the last decided block of a node.
fn build(cluster: &Cluster, at: usize, missed_turns: Round, choices: &mut Choices<'_>) -> Block {
    let node = &cluster.nodes[at];
    let ledger = node.replica.ledger();
    let commit = node.blocks.last().map(|(_, commit)| commit.clone());
    let previous = ledger.previous_validators();
    let previous_commit = commit.and_then(|of| verify_commit(of.into(), previous, &|_| false).ok());
    let operations = (0..choices.below(4))
        .map(|_| operation(cluster, at, choices))
        .collect();
    let block_time = UnixMillis(choices.number(START.0 + cluster.now.0));
    let proposal = Proposal {
        block_time,
        builder: public(LIAR),
        missed_turns,
        previous_commit,
        operations,
        evidence: Vec::new(),
    };
    ledger.propose(proposal).0.into_inner()
}

/// Makes a block invalid in one respect. Its header still binds its body.
fn spoil(block: &mut Block, choices: &mut Choices<'_>) {
    let Block {
        header,
        operations,
        evidence,
        previous_commit,
    } = block;
    match choices.below(18) {
        0 => header.height = choices.number(header.height),
        1 => header.active_time.0 = choices.number(header.active_time.0),
        2 => header.block_time.0 = choices.number(header.block_time.0),
        3 => header.previous.0[0] ^= 1,
        4 => header.validators.0[0] ^= 1,
        5 => header.next_validators.0[0] ^= 1,
        6 => header.parameters.0[0] ^= 1,
        7 => header.builder = public(1 + choices.below(5) as u8),
        8 => header.missed_turns = round(header.missed_turns, choices),
        9 => header.state.0[0] ^= 1,
        10 => header.outcomes.0[0] ^= 1,
        11 => header.version = choices.byte(),
        12 => header.swarm.0[0] ^= 1,
        13 => operations.reverse(),
        14 => operations.extend(operations.clone()),
        15 => {
            let key = key(AGENTS[0]);
            operations
                .iter_mut()
                .for_each(|of| *of = key.sign(of.payload.clone()).into_inner());
        }
        16 => *previous_commit = None,
        _ => previous_commit.iter_mut().for_each(|commit| {
            let mut fewer = commit.certificate().clone();
            fewer.votes.pop();
            *commit = fewer.into();
        }),
    }
    let leaves = |of: &[SignedOperation]| of.iter().map(cbor::encode).collect::<Vec<_>>();
    header.operations = merkle::root(&leaves(operations));
    header.evidence = merkle::root(&evidence.iter().map(cbor::encode).collect::<Vec<_>>());
    header.previous_commit = previous_commit
        .as_ref()
        .map_or(Hash::ZERO, CommitProof::hash);
}

/// A certificate of votes that were heard, maybe with one of the liar added and some left out.
fn certificate(
    cluster: &Cluster,
    at: usize,
    choices: &mut Choices<'_>,
) -> Option<QuorumCertificate> {
    let said = cluster.heard.iter().filter_map(|message| match message {
        PeerMessage::Statement(signed) => Some(signed),
        _ => None,
    });
    let said: Vec<_> = said.collect();
    let statement = choices.pick(&said)?.statement.clone();
    let same = said.iter().filter(|signed| signed.statement == statement);
    let vote = |signed: &SignedStatement| Vote {
        signer: signed.signer,
        signature: signed.signature,
    };
    let mut votes: Vec<_> = same.map(|signed| vote(signed)).collect();
    if choices.byte() & 1 == 0 {
        votes.push(vote(
            &key(LIAR).sign_statement(statement.clone()).into_inner(),
        ));
    }
    votes.truncate(1 + choices.below(NODES + 2) + at / NODES);
    votes.sort_unstable();
    votes.dedup_by_key(|vote| vote.signer);
    Some(QuorumCertificate { statement, votes })
}

/// A decided block with its commit; either may be changed.
fn decided(cluster: &Cluster, choices: &mut Choices<'_>) -> Option<Box<Decided>> {
    let all = cluster
        .nodes
        .iter()
        .flat_map(|node| &node.blocks)
        .collect::<Vec<_>>();
    let (block, commit) = choices.pick(&all).map(|pair| (*pair).clone())?;
    let mut decided = Decided { block, commit };
    match choices.below(4) {
        0 => {}
        1 => spoil(&mut decided.block, choices),
        2 => {
            spoil(&mut decided.block, choices);
            decided.commit.statement.block = Some(decided.block.header.id());
        }
        _ => drop(decided.commit.votes.pop()),
    }
    Some(Box::new(decided))
}

/// Evidence of two statements of the liar, of two statements that were heard, or of a proposal with
/// a block.
fn evidence(cluster: &Cluster, at: usize, choices: &mut Choices<'_>) -> Option<Box<Evidence>> {
    let heard = |index: usize| match cluster.heard.get(index) {
        Some(PeerMessage::Statement(signed)) => Some(signed.clone()),
        _ => None,
    };
    let evidence = match choices.below(3) {
        0 => Evidence::new(vote(cluster, at, choices), vote(cluster, at, choices)),
        1 => {
            let mut pick = || heard(choices.below(cluster.heard.len()));
            Evidence::new(pick()?, pick()?)
        }
        _ => {
            let proposal = heard(choices.below(cluster.heard.len()))?;
            let blocks = cluster.heard.iter().filter_map(|message| match message {
                PeerMessage::Block(block) => Some(block),
                _ => None,
            });
            let blocks: Vec<_> = blocks.collect();
            Evidence::bad_block(proposal, Block::clone(choices.pick(&blocks)?))
        }
    };
    evidence.map(Box::new)
}

fn task(choices: &mut Choices<'_>) -> TaskId {
    TaskId {
        requester: public(AGENTS[choices.below(AGENTS.len())]),
        number: choices.number(0),
    }
}

/// An operation of an agent or of the liar. Its number is mostly the next one that a node expects.
pub(super) fn operation(
    cluster: &Cluster,
    at: usize,
    choices: &mut Choices<'_>,
) -> Verified<SignedOperation> {
    let agent = [AGENTS[0], AGENTS[1], AGENTS[2], LIAR][choices.below(4)];
    let kind = choices.below(12);
    let next = cluster.nodes[at]
        .replica
        .ledger()
        .next_sequence(&public(agent));
    if next == 0 && agent != LIAR && kind < 8 {
        return swarm::admission(agent);
    }
    let body = body(cluster, at, (agent, kind), choices);
    swarm::operation(agent, choices.number(next), body)
}

fn body(
    cluster: &Cluster,
    at: usize,
    (agent, kind): (u8, usize),
    choices: &mut Choices<'_>,
) -> OperationBody {
    let ledger = cluster.nodes[at].replica.ledger();
    let report = |choices: &mut Choices<'_>| TaskReport {
        task: task(choices),
        token: FencingToken(choices.number(1)),
        detail: Owned(vec![7; choices.below(8)]),
    };
    match kind {
        0 | 1 => {
            let account = ledger.account(&public(agent));
            let first = choices.number(account.map_or(0, |account| account.next_task));
            let mut spec = TaskSpec::new(jobs());
            spec.max_price = Some(choices.number(100) as i64).filter(|price| *price != 100);
            OperationBody::Submit(Submit {
                first,
                tasks: vec![spec; 1 + choices.below(3)],
            })
        }
        2..=4 => {
            let price = choices.number(10) as i64;
            let offers = vec![Offer {
                task: task(choices),
                price,
            }];
            let slots = choices.number(1) as i64;
            let budget = Amounts::from([("slots".parse().unwrap(), slots)]);
            OperationBody::Bid(Bid {
                market: jobs(),
                budget,
                offers,
            })
        }
        5 => OperationBody::Accept(report(choices)),
        6 => OperationBody::Complete(report(choices)),
        7 => OperationBody::Fail(report(choices)),
        8 => OperationBody::Cancel(Cancel {
            task: task(choices),
        }),
        9 => OperationBody::Withdraw(Withdraw { market: jobs() }),
        10 => match choices.below(3) {
            0 => OperationBody::Decline(report(choices)),
            1 => OperationBody::Attest(Attest {
                attestation: swarm::attestation(AGENTS[0]),
            }),
            _ => {
                let attestation = swarm::attestation(AGENTS[0]).id();
                OperationBody::Revoke(Revoke {
                    subject: public(AGENTS[0]),
                    attestation,
                })
            }
        },
        _ => {
            let (task, token) = (task(choices), choices.number(1));
            OperationBody::Lapse(Lapse {
                task,
                token: FencingToken(token),
                suspicions: Vec::new(),
            })
        }
    }
}
