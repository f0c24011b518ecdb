//! The pinned values that are signed or hashed.

use quorate_certificate::Dossier;
use quorate_crypto::map::AuthenticatedMap;
use quorate_crypto::{merkle, verify_evidence};
use quorate_types::{Block, CommitProof, Evidence, Hash, Header, Kind, Statement, cbor};

use super::Vector;
use crate::common::*;

pub fn files() -> Vec<(&'static str, Vec<Vector>)> {
    vec![
        ("genesis", genesis_vectors()),
        ("statements", statements()),
        ("commits", commits()),
        ("attestations", attestations()),
        ("operations", operations()),
        ("blocks", blocks()),
        ("outcomes", outcome_vectors()),
        ("merkle", merkle_vectors()),
        ("state", state()),
        ("certificates", certificates()),
    ]
}

fn genesis_vectors() -> Vec<Vector> {
    let genesis = genesis();
    vec![
        Vector::new("genesis", "genesis", &genesis)
            .with("swarm", genesis.swarm_id())
            .with("parameters", genesis.parameters_hash())
            .with("fingerprint", root().fingerprint()),
        Vector::new("validators", "validator-set", &genesis.validators)
            .with("hash", genesis.validators.hash()),
        Vector::new(
            "weighted",
            "validator-set",
            &set_with_powers(&[(1, 3), (2, 1 << 59)]),
        )
        .with("hash", set_with_powers(&[(1, 3), (2, 1 << 59)]).hash()),
    ]
}

fn first_header() -> Header {
    let set = set_of(&[1, 2, 3, 4]);
    header(HEIGHT, &set, &set, &outcomes())
}

fn said() -> Vec<(&'static str, Statement)> {
    let precommit = precommit(&first_header());
    let prevote = Statement {
        kind: Kind::Prevote,
        ..precommit.clone()
    };
    let fresh = Statement {
        kind: Kind::Proposal,
        round: 0,
        ..precommit.clone()
    };
    let again = Statement {
        kind: Kind::Proposal,
        pol_round: Some(0),
        ..precommit.clone()
    };
    let nil = Statement {
        block: None,
        ..precommit.clone()
    };
    vec![
        ("fresh proposal", fresh),
        ("proposal with a POL round", again),
        ("prevote", prevote),
        ("precommit", precommit),
        ("nil precommit", nil),
    ]
}

fn statements() -> Vec<Vector> {
    let key = validator_key(1).public_key();
    let mut vectors = Vec::new();
    for (name, statement) in said() {
        vectors.push(Vector::new(name, "statement", &statement).with(
            "to_be_signed_by_1",
            hex::encode(statement.to_be_signed(&key)),
        ));
        vectors.push(Vector::new(
            format!("{name}, signed by 1"),
            "signed-statement",
            &signed(1, &statement),
        ));
    }
    let (prevote, precommit) = (said().remove(2).1, said().remove(3).1);
    let nil = Statement {
        block: None,
        ..prevote.clone()
    };
    let evidence = Evidence::new(signed(1, &prevote), signed(1, &nil)).unwrap();
    vectors.push(Vector::new("conflict", "evidence", &evidence).with("hash", evidence.hash()));
    assert!(!prevote.conflicts_with(&precommit));
    vectors
}

fn commits() -> Vec<Vector> {
    let three = commit(&first_header(), &[1, 2, 3]);
    let polka = votes_of(said().remove(2).1, &[1, 2, 3, 4]);
    vec![
        Vector::new("commit by 3 of 4", "quorum-certificate", &three)
            .with("hash", CommitProof::from(three.clone()).hash()),
        Vector::new("polka by 4 of 4", "quorum-certificate", &polka)
            .with("hash", CommitProof::from(polka.clone()).hash()),
    ]
}

fn attestations() -> Vec<Vector> {
    let attestation = attestation();
    let to_be_signed = attestation.to_be_signed();
    vec![
        Vector::new("attestation", "attestation", &attestation)
            .with("hash", attestation.id())
            .with("to_be_signed", hex::encode(to_be_signed)),
        Vector::new("suspicion by 1", "suspicion", &suspicion(1)),
    ]
}

fn operations() -> Vec<Vector> {
    let bodies = bodies().into_iter().enumerate();
    let mut vectors: Vec<_> = bodies
        .map(|(sequence, body)| {
            let operation = operation(&agent_key(), sequence as u64, body);
            let name = operation.payload.body.name();
            Vector::new(name, "signed-operation", &operation).with("id", operation.id())
        })
        .collect();
    vectors.push(Vector::new("task", "task-spec", &task_spec()).with("hash", task_spec().hash()));
    vectors
}

fn blocks() -> Vec<Vector> {
    let header = first_header();
    let first = Block {
        header: Header {
            height: 1,
            ..header.clone()
        },
        operations: Vec::new(),
        evidence: Vec::new(),
        previous_commit: None,
    };
    let full = Block {
        header: header.clone(),
        operations: vec![operation(&agent_key(), 6, bodies().remove(6))],
        evidence: Vec::new(),
        previous_commit: Some(commit(&header, &[2, 3, 4]).into()),
    };
    let bad = bad_block(full.clone());
    vec![
        Vector::new("header", "header", &header).with("id", header.id()),
        Vector::new("block of height 1", "block", &first),
        Vector::new("block", "block", &full),
        Vector::new("bad block", "evidence", &bad).with("hash", bad.hash()),
    ]
}

/// Evidence against validator 1, which built the block and proposed it. The header binds the body.
pub fn bad_block(mut block: Block) -> Evidence {
    let operations: Vec<_> = block.operations.iter().map(cbor::encode).collect();
    let evidence: Vec<_> = block.evidence.iter().map(cbor::encode).collect();
    let commit = block.previous_commit.as_ref();
    block.header.evidence = merkle::root(&evidence);
    block.header.builder = validator_key(1).public_key();
    block.header.operations = merkle::root(&operations);
    block.header.previous_commit = commit.map_or(Hash::ZERO, CommitProof::hash);
    let proposal = Statement {
        kind: Kind::Proposal,
        round: 0,
        ..precommit(&block.header)
    };
    let evidence = Evidence::bad_block(signed(1, &proposal), block).unwrap();
    assert!(verify_evidence(evidence.clone()).is_ok());
    evidence
}

fn outcome_vectors() -> Vec<Vector> {
    let outcomes = outcomes();
    let mut vectors: Vec<_> = outcomes
        .iter()
        .enumerate()
        .map(|(index, outcome)| Vector::new(format!("outcome {index}"), "outcome", outcome))
        .collect();
    let clearing = clearing();
    vectors.push(
        Vector::new("clearing record", "clearing-record", &clearing).with("hash", clearing.hash()),
    );
    let dossier = Dossier {
        record: clearing,
        inputs: clearing_inputs(),
    };
    vectors.push(Vector::new("dossier", "dossier", &dossier));
    vectors
}

/// Proofs of each leaf of trees over the texts `leaf 0`, `leaf 1` and so on.
fn merkle_vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for size in [1usize, 2, 3, 5, 8] {
        let leaves: Vec<_> = (0..size)
            .map(|at| format!("leaf {at}").into_bytes())
            .collect();
        for (at, proof) in merkle::prove_all(&leaves).iter().enumerate() {
            vectors.push(
                Vector::new(format!("leaf {at} of {size}"), "inclusion-proof", proof)
                    .with("root", merkle::root(&leaves))
                    .with("leaf", hex::encode(&leaves[at])),
            );
        }
    }
    vectors
}

/// Proofs in a map of `key 0` to `key 4` with values `value 0` and so on; `key 9` is not in it.
fn state() -> Vec<Vector> {
    let mut map = AuthenticatedMap::default();
    for at in 0..5 {
        let (key, value) = (format!("key {at}"), format!("value {at}"));
        map.update([(key.as_bytes(), Some(value.as_bytes()))]);
    }
    let proofs = [0, 1, 2, 3, 4, 9].map(|at| {
        let key = format!("key {at}");
        Vector::new(key.clone(), "map-proof", &map.prove(key.as_bytes())).with("root", map.root())
    });
    proofs.into()
}

fn certificates() -> Vec<Vector> {
    let of_outcomes =
        (0..outcomes().len()).map(|index| (format!("outcome {index}"), certificate(index)));
    let all = of_outcomes.chain([("after two hand-overs".to_owned(), handed_over())]);
    all.map(|(name, certificate)| Vector {
        name,
        rule: "certificate",
        bytes: certificate.encode(),
        derived: vec![("identity", certificate.identity().to_string())],
        again: |bytes| {
            let decoded = quorate_certificate::Certificate::decode(bytes);
            decoded
                .map(|c| c.encode())
                .map_err(|_| cbor::CborError::NotCanonical)
        },
    })
    .collect()
}
