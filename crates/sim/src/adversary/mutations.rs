//! Mutations: one small change of a message.

use quorate_types::message::{Decided, FetchBlock, Located, PeerMessage, PeerStatus};
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, BlockId, Evidence, Hash, Header, Kind, QuorumCertificate, Sign1, Signed,
    SignedOperation, SignedStatement, Statement,
};

use super::LiarContext;
use crate::seed::Dice;

/// Of a thousand changed statements, the number that name another block. They are few, because two
/// conflicting votes convict the liar, and its later changes are not seen any more.
const BLOCK_PERMILLE: u64 = 50;

/// Changes a message, and signs again what the liar itself signed.
pub(super) fn message(context: &mut LiarContext<'_>, message: &mut PeerMessage) {
    let dice = &mut *context.dice;
    match message {
        PeerMessage::Statement(signed) => change_signed(context, signed),
        PeerMessage::Certificate(of) => certificate(dice, of),
        PeerMessage::Status(of) => status(dice, of),
        PeerMessage::Block(of) => block(dice, of),
        PeerMessage::FetchBlock(of) => fetch_block(dice, of),
        PeerMessage::Operations(operations) => operation_in(dice, operations),
        PeerMessage::FetchDecided(wanted) => number(dice, &mut wanted.from),
        PeerMessage::Locate(asked) => number(dice, &mut asked.challenge),
        PeerMessage::Located(of) => located(dice, of),
        PeerMessage::Decided(of) => decided(dice, of),
        PeerMessage::Evidence(of) => evidence(dice, of),
        PeerMessage::Suspicion(signed) => suspicion(context, signed),
        PeerMessage::Announcements(of) => drop(of.pop()),
    }
}

/// Changes the height or the round.
fn status(dice: &mut Dice, status: &mut PeerStatus) {
    match dice.below(2) {
        0 => number(dice, &mut status.height),
        _ => round(dice, &mut status.round),
    }
}

/// Changes the height or the block that is asked for.
fn fetch_block(dice: &mut Dice, wanted: &mut FetchBlock) {
    match dice.below(2) {
        0 => number(dice, &mut wanted.height),
        _ => byte(dice, &mut wanted.block.0),
    }
}

/// Changes the challenge or the height.
fn located(dice: &mut Dice, answer: &mut Located) {
    match dice.below(2) {
        0 => number(dice, &mut answer.challenge),
        _ => number(dice, &mut answer.height),
    }
}

/// Changes the block or its commit.
fn decided(dice: &mut Dice, decided: &mut Decided) {
    match dice.below(2) {
        0 => block(dice, &mut decided.block),
        _ => certificate(dice, &mut decided.commit),
    }
}

/// Changes one field of a suspicion; the liar signs its own suspicion again.
fn suspicion(context: &mut LiarContext<'_>, signed: &mut Sign1<Suspicion>) {
    let dice = &mut *context.dice;

    signed.alter(|Signed { payload, .. }| match dice.below(4) {
        0 => byte(dice, &mut payload.swarm.0),
        1 => number(dice, &mut payload.task.number),
        2 => number(dice, &mut payload.token.0),
        _ => number(dice, &mut payload.height),
    });

    if signed.signer == context.me() {
        *signed = context.key.sign(signed.payload.clone()).into_inner();
    }
}

/// Changes one field of a header.
pub(super) fn header(dice: &mut Dice, header: &mut Header) {
    match dice.below(16) {
        0 => header.version = header.version.wrapping_add(1),
        1 => byte(dice, &mut header.swarm.0),
        2 => number(dice, &mut header.height),
        3 => number(dice, &mut header.active_time.0),
        4 => number(dice, &mut header.block_time.0),
        5 => byte(dice, &mut header.previous.0),
        6 => byte(dice, &mut header.previous_commit.0),
        7 => byte(dice, &mut header.validators.0),
        8 => byte(dice, &mut header.next_validators.0),
        9 => byte(dice, &mut header.parameters.0),
        10 => byte(dice, &mut header.builder.0),
        11 => round(dice, &mut header.missed_turns),
        12 => byte(dice, &mut header.operations.0),
        13 => byte(dice, &mut header.state.0),
        14 => byte(dice, &mut header.outcomes.0),
        _ => byte(dice, &mut header.evidence.0),
    }
}

/// Flips one bit, if there are any bytes.
pub(super) fn byte(dice: &mut Dice, bytes: &mut [u8]) {
    let at = dice.index(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

/// Changes the signature, the signer or the statement; the liar signs its own statement again.
fn change_signed(context: &mut LiarContext<'_>, signed: &mut SignedStatement) {
    match context.dice.below(8) {
        0 => byte(context.dice, &mut signed.signature.0),
        1 => byte(context.dice, &mut signed.signer.0),
        _ => {
            statement(context.dice, &mut signed.statement);
            if signed.signer == context.me() {
                // It can sign again only for its own key; other statements stay badly signed.
                *signed = context
                    .key
                    .sign_statement(signed.statement.clone())
                    .into_inner();
            }
        }
    }
}

/// Changes one field of a statement.
fn statement(dice: &mut Dice, statement: &mut Statement) {
    if dice.chance(BLOCK_PERMILLE) {
        statement.block = other_block(dice, statement);
        return;
    }

    match dice.below(6) {
        0 => byte(dice, &mut statement.swarm.0),
        1 => number(dice, &mut statement.height),
        2 => round(dice, &mut statement.round),
        3 => statement.kind = other_kind(statement.kind),
        4 => byte(dice, &mut statement.validators.0),
        _ => {
            let mut pol = statement.pol_round.unwrap_or(statement.round);
            round(dice, &mut pol);
            statement.pol_round = Some(pol);
        }
    }
}

/// A block that does not exist or, for a vote for a block, nil half of the time.
fn other_block(dice: &mut Dice, statement: &Statement) -> Option<BlockId> {
    match statement.block {
        Some(_) if statement.kind != Kind::Proposal && dice.chance(500) => None,
        _ => Some(BlockId(Hash::derive("quorate 1 simulated lie", &[]).0)),
    }
}

/// Another kind of statement than this one.
fn other_kind(kind: Kind) -> Kind {
    match kind {
        Kind::Proposal => Kind::Prevote,
        Kind::Prevote => Kind::Precommit,
        Kind::Precommit => Kind::Proposal,
    }
}

/// Removes, repeats, moves or damages a vote, or changes the statement of a certificate.
fn certificate(dice: &mut Dice, certificate: &mut QuorumCertificate) {
    let votes = &mut certificate.votes;
    let at = dice.index(votes.len());
    let Some(vote) = votes.get(at).copied() else {
        return;
    };

    match dice.below(6) {
        0 => {
            votes.remove(at);
        }
        1 => votes.insert(at, vote),
        2 => votes.swap(0, at),
        3 => byte(dice, &mut votes[at].signature.0),
        4 => byte(dice, &mut votes[at].signer.0),
        _ => statement(dice, &mut certificate.statement),
    }
}

/// Changes the header, an operation or the previous commit of a block, or repeats its evidence.
fn block(dice: &mut Dice, block: &mut Block) {
    match dice.below(4) {
        0 => header(dice, &mut block.header),
        1 => operation_in(dice, &mut block.operations),
        2 => match &mut block.previous_commit {
            Some(commit) => {
                let mut changed = commit.certificate().clone();
                certificate(dice, &mut changed);
                *commit = changed.into();
            }
            None => header(dice, &mut block.header),
        },
        _ => block.evidence.extend(block.evidence.first().cloned()),
    }
}

/// Damages, repeats or removes one of the operations, if there are any.
fn operation_in(dice: &mut Dice, operations: &mut Vec<SignedOperation>) {
    let at = dice.index(operations.len());
    let Some(operation) = operations.get_mut(at) else {
        return;
    };

    match dice.below(6) {
        0 => operation.alter(|parts| byte(dice, &mut parts.signature.0)),
        1 => operation.alter(|parts| byte(dice, &mut parts.signer.0)),
        2 => operation.alter(|parts| byte(dice, &mut parts.payload.agent.0)),
        3 => operation.alter(|parts| number(dice, &mut parts.payload.sequence)),
        4 => {
            let again = operation.clone();
            operations.push(again);
        }
        _ => {
            operations.remove(at);
        }
    }
}

/// Changes one part of a piece of evidence.
fn evidence(dice: &mut Dice, evidence: &mut Evidence) {
    match evidence {
        Evidence::Conflict(pair) => match dice.below(3) {
            0 => std::mem::swap(&mut pair.first, &mut pair.second),
            1 => byte(dice, &mut pair.second.signature.0),
            _ => statement(dice, &mut pair.second.statement),
        },
        Evidence::BadBlock(bad) => match dice.below(2) {
            0 => statement(dice, &mut bad.proposal.statement),
            _ => block(dice, &mut bad.block),
        },
    }
}

/// Makes a number one more, one less, zero, or anything at all.
fn number(dice: &mut Dice, number: &mut u64) {
    *number = match dice.below(4) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => 0,
        _ => dice.number(),
    };
}

/// Changes a round in the way of [`number`].
fn round(dice: &mut Dice, round: &mut u32) {
    let mut wide = u64::from(*round);
    number(dice, &mut wide);
    *round = wide as u32;
}
