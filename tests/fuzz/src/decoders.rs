//! Targets for decoders. W-1: a message that decodes encodes to the same bytes. And no message with
//! a changed byte verifies.

use std::fmt::Debug;

use quorate_certificate::{Certificate, Dossier, TrustRoot, explain};
use quorate_crypto::merkle::InclusionProof;
use quorate_crypto::{is_body_of_header, map::MapProof, verify, verify_evidence, verify_statement};
use quorate_replica::LogRecord;
use quorate_types::attestation::Claims;
use quorate_types::genesis::GenesisError;
use quorate_types::message::{Announcement, ClientMessage, ClientRequest, PeerMessage};
use quorate_types::operation::Suspicion;
use quorate_types::outcome::ClearingRecord;
use quorate_types::{
    Block, Evidence, Genesis, Header, Operation, Outcome, QuorumCertificate, Sign1, Signable,
    SignedStatement, Statement, TaskSpec, ValidatorSet, cbor, limits,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Target, vectors};

macro_rules! decoders {
    ($($name:literal: $run:expr,)*) => {
        [$(Target { name: $name, run: $run, seeds: || vectors::with_changes($name) }),*]
    };
}

/// One target for each shape that comes from outside, named after its rule in
/// `protocols/quorate.cddl`.
pub(crate) const DECODERS: [Target; 22] = decoders! {
    "announcement": |data| signed::<Announcement>(data, "announcement"),
    "attestation": |data| signed::<Claims>(data, "attestation"),
    "block": block,
    "certificate": certificate,
    "clearing-record": plain::<ClearingRecord, { limits::FRAME_BYTES }>,
    "client-message": plain::<ClientMessage, { limits::BULK_FRAME_BYTES }>,
    "client-request": plain::<ClientRequest, { limits::FRAME_BYTES }>,
    "dossier": dossier,
    "evidence": evidence,
    "genesis": genesis,
    "header": plain::<Header, { limits::FRAME_BYTES }>,
    "inclusion-proof": plain::<InclusionProof, { limits::FRAME_BYTES }>,
    "map-proof": plain::<MapProof, { limits::FRAME_BYTES }>,
    "outcome": plain::<Outcome, { limits::BLOCK_BYTES }>,
    "peer-message": plain::<PeerMessage, { limits::BULK_FRAME_BYTES }>,
    "quorum-certificate": quorum_certificate,
    "signed-operation": |data| signed::<Operation>(data, "signed-operation"),
    "signed-statement": signed_statement,
    "statement": plain::<Statement, { limits::STATEMENT_BYTES }>,
    "suspicion": |data| signed::<Suspicion>(data, "suspicion"),
    "task-spec": task_spec,
    "validator-set": plain::<ValidatorSet, { limits::GENESIS_BYTES }>,
};

/// Decodes a message and checks that it encodes to the same bytes; `None` if it does not decode.
fn canonical<T: Serialize + DeserializeOwned>(data: &[u8], limit: usize) -> Option<T> {
    let value: T = cbor::decode(data, limit).ok()?;
    assert_eq!(cbor::check(data), Ok(()), "only canonical bytes may decode");
    assert_eq!(cbor::encode(&value), data, "a value must have one encoding");
    assert!(
        cbor::decode::<T>(data, data.len().saturating_sub(1)).is_err(),
        "a message over the limit must not decode"
    );
    Some(value)
}

fn plain<T: Serialize + DeserializeOwned, const LIMIT: usize>(data: &[u8]) {
    canonical::<T>(data, LIMIT);
}

/// Checks that a message which verifies is a pinned one, since the fuzzer has none of the keys.
fn assert_pinned(data: &[u8], rule: &str) {
    assert!(
        vectors::of_rule(rule).iter().any(|pinned| pinned == data),
        "a forged {rule}"
    );
}

fn signed<T: Signable + Debug>(data: &[u8], rule: &str) {
    if canonical::<Sign1<T>>(data, limits::OPERATION_BYTES).is_some_and(|of| verify(of).is_ok()) {
        assert_pinned(data, rule);
    }
}

fn signed_statement(data: &[u8]) {
    let signed = canonical::<SignedStatement>(data, limits::STATEMENT_BYTES);
    if signed.is_some_and(|signed| verify_statement(signed).is_ok()) {
        assert_pinned(data, "signed-statement");
    }
}

fn evidence(data: &[u8]) {
    let Some(evidence) = canonical::<Evidence>(data, limits::BLOCK_BYTES) else {
        return;
    };
    let _ = (evidence.hash(), evidence.culprit());
    if verify_evidence(evidence).is_ok() {
        assert_pinned(data, "evidence");
    }
}

fn quorum_certificate(data: &[u8]) {
    let certificate = canonical::<QuorumCertificate>(data, limits::CERTIFICATE_BYTES);
    let Some(certificate) = certificate else {
        return;
    };
    let validators = &vectors::genesis().validators;
    if quorate_crypto::verify_quorum(certificate.clone(), validators, &|_| false).is_ok() {
        let pinned = vectors::of_rule("quorum-certificate").into_iter();
        let mut pinned = pinned.map(|bytes| cbor::decode(&bytes, bytes.len()).unwrap());
        let same = |pinned: QuorumCertificate| {
            pinned.statement == certificate.statement
                && certificate
                    .votes
                    .iter()
                    .all(|vote| pinned.votes.contains(vote))
        };
        assert!(pinned.any(same), "a forged quorum");
    }
}

fn block(data: &[u8]) {
    let Some(block) = canonical::<Block>(data, limits::BLOCK_BYTES) else {
        return;
    };
    let _ = (block.header.id(), is_body_of_header(&block));
    for operation in &block.operations {
        let _ = (operation.id(), operation.payload.order());
    }
}

fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::decode(data) else {
        return;
    };
    assert_eq!(certificate.encode(), data, "a certificate has one encoding");
    let _ = (certificate.identity(), explain(&certificate));
}

fn dossier(data: &[u8]) {
    let Ok(dossier) = Dossier::decode(data) else {
        return;
    };
    assert_eq!(dossier.encode(), data, "a dossier has one encoding");
    let _ = dossier.check_root();
}

fn task_spec(data: &[u8]) {
    if let Some(spec) = canonical::<TaskSpec>(data, limits::OPERATION_BYTES) {
        let _ = (spec.hash(), spec.check());
    }
}

fn genesis(data: &[u8]) {
    let Some(genesis) = canonical::<Genesis>(data, limits::GENESIS_BYTES) else {
        return;
    };
    let Ok(root) = TrustRoot::from_genesis(&genesis) else {
        return;
    };
    assert_eq!(root.swarm(), genesis.swarm_id());
    assert!(root.has_fingerprint(&root.fingerprint()));
    // A verifier needs no mechanism, a ledger does: so it may add only what mechanisms are asked.
    match quorate_ledger::Ledger::genesis(genesis) {
        Ok(_) | Err(GenesisError::Mechanism { .. } | GenesisError::Solutions { .. }) => {}
        Err(error) => panic!("a trust root must be a valid genesis: {error}"),
    }
}

/// A genesis file that is taken must be written back as a file of the same swarm.
pub(crate) fn trust_root(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(root) = TrustRoot::parse(text) else {
        return;
    };
    let genesis: Genesis = toml::from_str(text).unwrap();
    assert!(cbor::encode(&genesis).len() <= limits::GENESIS_BYTES);
    let again = TrustRoot::parse(&toml::to_string(&genesis).unwrap());
    assert_eq!(
        again.unwrap(),
        root,
        "a genesis file must be written back as it was read"
    );
}

pub(crate) fn genesis_files() -> Vec<Vec<u8>> {
    vec![vectors::GENESIS.as_bytes().to_vec()]
}

/// A record of the write-ahead log.
pub(crate) fn log_record(data: &[u8]) {
    plain::<LogRecord, { limits::BULK_FRAME_BYTES }>(data);
}

/// Seeds: a record of each kind.
pub(crate) fn log_records() -> Vec<Vec<u8>> {
    fn first<T: Serialize + DeserializeOwned>(rule: &str) -> T {
        let bytes = vectors::of_rule(rule).swap_remove(0);
        cbor::decode(&bytes, bytes.len()).unwrap()
    }
    let block: Block = first("block");
    let (id, builder) = (block.header.id(), block.header.builder);
    let records = [
        LogRecord::Start(0),
        LogRecord::Statement(first("signed-statement")),
        LogRecord::Certificate(first("quorum-certificate")),
        LogRecord::Verdict(id, true, builder, 3, false),
        LogRecord::Built(1, id),
        LogRecord::Timeout(2, 1),
        LogRecord::Block(Box::new(block)),
    ];
    records.iter().map(cbor::encode).collect()
}
