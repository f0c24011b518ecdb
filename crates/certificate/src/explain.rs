//! Puts a certificate into words, for reading. It verifies nothing, and says so.

use std::fmt::{self, Write};

use quorate_types::outcome::{Assignment, ClearingRecord, Receipt, Refusal};
use quorate_types::{Header, Outcome, QuorumCertificate};

use crate::Certificate;

/// Returns what a certificate claims, as lines of text. The first says that nothing was verified.
pub fn explain(certificate: &Certificate) -> String {
    let mut text = String::new();
    // Writing to a `String` does not fail.
    let _ = write_certificate(&mut text, certificate);
    text
}

fn write_certificate(text: &mut String, certificate: &Certificate) -> fmt::Result {
    let Certificate {
        header,
        commit,
        outcome,
        proof,
        handovers,
    } = certificate;

    writeln!(
        text,
        "What this certificate claims. NOTHING HERE WAS VERIFIED."
    )?;
    writeln!(text, "identity       {}", certificate.identity())?;

    write_outcome(text, outcome)?;
    writeln!(
        text,
        "place          outcome {} of {} of the block",
        proof.index + 1,
        proof.size
    )?;

    write_header(text, header)?;
    write_commit(text, commit)?;

    writeln!(text, "hand-overs     {}", handovers.len())?;
    for handover in handovers {
        let height = handover.header.height;
        let count = handover.validators.len();
        writeln!(text, "  at height {height} to {count} validators")?;
    }

    Ok(())
}

fn write_header(text: &mut String, header: &Header) -> fmt::Result {
    writeln!(text, "swarm          {}", header.swarm)?;
    writeln!(
        text,
        "block          {} at height {}",
        header.id(),
        header.height
    )?;

    writeln!(
        text,
        "block time     {} ms of Unix time, by the builder's clock",
        header.block_time
    )?;
    writeln!(text, "active time    {} ms", header.active_time)?;

    writeln!(
        text,
        "builder        {} in round {}",
        header.builder, header.missed_turns
    )
}

fn write_commit(text: &mut String, commit: &QuorumCertificate) -> fmt::Result {
    writeln!(text, "decided in     round {}", commit.statement.round)?;
    writeln!(text, "signatures     {}", commit.votes.len())?;
    commit
        .votes
        .iter()
        .try_for_each(|vote| writeln!(text, "  {}", vote.signer))
}

fn write_outcome(text: &mut String, outcome: &Outcome) -> fmt::Result {
    match outcome {
        Outcome::Assignment(assignment) => write_assignment(text, assignment),
        Outcome::Clearing(record) => write_clearing(text, record),
        Outcome::Receipt(receipt) => write_receipt(text, receipt),
        Outcome::Refusal(refusal) => write_refusal(text, refusal),
        Outcome::Expiry(expiry) => {
            writeln!(text, "expiry         of task {}", expiry.task)?;
            writeln!(text, "after          {} assignments", expiry.token)?;
            writeln!(text, "because        {}", expiry.reason.text())
        }
    }
}

fn write_assignment(text: &mut String, assignment: &Assignment) -> fmt::Result {
    writeln!(text, "assignment     of task {}", assignment.task)?;
    writeln!(text, "to             agent {}", assignment.agent)?;
    writeln!(text, "fencing token  {}", assignment.token)?;
    writeln!(
        text,
        "price          {} in market {}",
        assignment.price, assignment.market
    )?;

    // Only `mcafee` charges more than it pays.
    if assignment.charge != assignment.price {
        writeln!(
            text,
            "charged        {} to the requester",
            assignment.charge
        )?;
    }

    writeln!(text, "by bid         {}", assignment.bid)?;
    writeln!(
        text,
        "lease          {} ms of active time without a heartbeat",
        assignment.lease
    )?;

    writeln!(text, "attestations   {}", assignment.attestations.len())?;
    assignment
        .attestations
        .iter()
        .try_for_each(|hash| writeln!(text, "  {hash}"))?;
    writeln!(text, "clearing       {}", assignment.clearing)
}

fn write_clearing(text: &mut String, record: &ClearingRecord) -> fmt::Result {
    writeln!(
        text,
        "clearing       number {} of market {}",
        record.window, record.market
    )?;
    writeln!(
        text,
        "mechanism      {} version {}",
        record.mechanism, record.version
    )?;
    writeln!(
        text,
        "inputs         {} under root {}",
        record.input_count, record.inputs
    )?;
    writeln!(
        text,
        "assigned       {} for {} in all",
        record.assigned, record.total
    )?;

    record
        .solution
        .map_or(Ok(()), |by| writeln!(text, "by solution    {by}"))
}

fn write_receipt(text: &mut String, receipt: &Receipt) -> fmt::Result {
    let operation = &receipt.operation.payload;
    writeln!(
        text,
        "receipt        {} of task {}",
        operation.body.name(),
        receipt.task
    )?;
    writeln!(text, "fencing token  {}", receipt.token)?;

    if let Some(agent) = receipt.agent {
        writeln!(text, "assignee       {agent}")?;
    }

    writeln!(text, "made by        {}", operation.agent)
}

fn write_refusal(text: &mut String, refusal: &Refusal) -> fmt::Result {
    writeln!(text, "refusal        of operation {}", refusal.operation)?;
    writeln!(text, "charged to     {}", refusal.agent)?;

    for (task, reason) in &refusal.items {
        match task {
            Some(task) => writeln!(text, "  task {task}: {reason}: {}", reason.text())?,
            None => writeln!(text, "  the whole operation: {reason}: {}", reason.text())?,
        }
    }

    Ok(())
}
