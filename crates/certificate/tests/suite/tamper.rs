//! One row for each way to tamper that has a name of its own, and a change of every single byte.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use crate::common::*;
use ciborium::Value;
use quorate_certificate::{
    Certificate, Judgement, MAX_BYTES, MAX_HANDOVERS, Policy, Refused, verify,
};
use quorate_types::operation::{Cancel, Submit, Suspicion};
use quorate_types::outcome::{Assignment, ClearingRecord, Expiry, Receipt, Refusal};
use quorate_types::{
    FencingToken, Hash, Header, Kind, OperationBody, Outcome, PublicKey, QuorumCertificate, Reason,
    Sign1, Signature, Statement, SwarmId, Validator, ValidatorSet, Vote, cbor, limits,
};

type Tampered = fn() -> Vec<u8>;

/// The certificate of the assignment after a change.
fn changed(change: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let mut certificate = certificate(1);
    change(&mut certificate);
    certificate.encode()
}

/// After a change of the header, which validators 1, 2 and 3 then sign.
fn header_changed(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    changed(|certificate| {
        change(&mut certificate.header);
        certificate.commit = commit(&certificate.header, &[1, 2, 3]);
    })
}

/// After a change of the statement, which validators 1, 2 and 3 then sign as their precommit.
fn statement_changed(change: impl FnOnce(&mut Statement)) -> Vec<u8> {
    changed(|certificate| {
        let mut statement = certificate.commit.statement.clone();
        change(&mut statement);
        certificate.commit = votes_of(statement, &[1, 2, 3]);
    })
}

/// The certificate with two hand-overs after a change.
fn handovers_changed(change: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let mut certificate = handed_over();
    change(&mut certificate);
    certificate.encode()
}

fn assignment_changed(change: impl FnOnce(&mut Assignment)) -> Vec<u8> {
    let mut assignment = assignment();
    change(&mut assignment);
    certify(Outcome::Assignment(assignment)).encode()
}

fn clearing_changed(change: impl FnOnce(&mut ClearingRecord)) -> Vec<u8> {
    let mut record = clearing();
    change(&mut record);
    certify(Outcome::Clearing(record)).encode()
}

/// The receipt of an acceptance after a change.
fn receipt_changed(change: impl FnOnce(&mut Receipt)) -> Vec<u8> {
    let mut receipt = receipt(&agent_key(), OperationBody::Accept(report()));
    change(&mut receipt);
    certify(Outcome::Receipt(Box::new(receipt))).encode()
}

fn lapse_changed(change: impl FnOnce(&mut quorate_types::operation::Lapse)) -> Vec<u8> {
    let mut lapse = lapse(&[1, 2, 4]);
    change(&mut lapse);
    let receipt = receipt(&validator_key(1), OperationBody::Lapse(lapse));
    certify(Outcome::Receipt(Box::new(receipt))).encode()
}

/// After a change of the untyped items, which are encoded again.
fn items_changed(bytes: &[u8], change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let mut items: Value = ciborium::from_reader(bytes).unwrap();
    change(items.as_array_mut().unwrap());
    cbor::encode(&items)
}

/// The four parts of a COSE_Sign.
fn cose_sign(item: &mut Value) -> &mut Vec<Value> {
    let Value::Tag(98, parts) = item else {
        panic!("no COSE_Sign")
    };
    parts.as_array_mut().unwrap()
}

fn first_vote(item: &mut Value) -> &mut Vec<Value> {
    cose_sign(item)[3].as_array_mut().unwrap()[0]
        .as_array_mut()
        .unwrap()
}

/// A hand-over to a set with a key of small order in it, which then "signs".
fn weak_member() -> Vec<u8> {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = PublicKey(identity);
    let mut members: Vec<Validator> = set_of(&[2, 3, 4]).iter().cloned().collect();
    members.push(Validator {
        key: weak,
        power: 1,
        operator: label("mallory"),
    });
    let set = ValidatorSet::new(members).unwrap();
    let mut handover = handover(2, &[1, 2, 3, 4], &[1]);
    handover.header.next_validators = set.hash();
    handover.commit = commit(&handover.header, &[1, 2, 3, 4]);
    handover.validators = set.clone();
    let outcomes = outcomes();
    let header = header(HEIGHT, &set, &set, &outcomes);
    let mut commit = commit(&header, &[2, 3]);
    let mut forged = [0; 64];
    forged[0] = 1;
    commit.votes.push(Vote {
        signer: weak,
        signature: Signature(forged),
    });
    commit.votes.sort_by_key(|vote| vote.signer);
    Certificate::assemble(header, commit, &outcomes, 1, vec![handover])
        .unwrap()
        .encode()
}

fn too_many_handovers() -> Vec<u8> {
    let mut handover = handover(2, &[1], &[2]);
    handover.commit.votes.clear();
    changed(|certificate| certificate.handovers = vec![handover; MAX_HANDOVERS + 1])
}

/// C-10, bytes: one canonical item (W-1) within the size of C-1, with COSE structures as in C-4.
const BYTES: &[(Refused, Tampered)] = &[
    (Refused::Empty, Vec::new),
    (Refused::TooLong, || vec![0; MAX_BYTES + 1]),
    (Refused::TrailingBytes, || {
        [certificate(1).encode(), vec![0]].concat()
    }),
    (Refused::NotCanonical, || {
        let mut bytes = certificate(1).encode();
        bytes.splice(1..2, [0x18, 0x01]);
        bytes
    }),
    (Refused::NotCanonical, || {
        // The same inside the byte string that is signed.
        items_changed(&certificate(1).encode(), |items| {
            let statement = cose_sign(&mut items[2])[2].as_bytes_mut().unwrap();
            statement.splice(2..3, [0x18, 0x01]);
        })
    }),
    (Refused::Malformed, || {
        let mut bytes = certificate(1).encode();
        bytes.pop();
        bytes
    }),
    (Refused::Malformed, || {
        items_changed(&certificate(1).encode(), |items| drop(items.pop()))
    }),
    (Refused::UnsupportedVersion, || {
        let mut bytes = certificate(1).encode();
        bytes[1] = 2;
        bytes
    }),
    (Refused::UnsupportedVersion, || {
        items_changed(&certificate(1).encode(), |items| {
            cose_sign(&mut items[2])[2].as_bytes_mut().unwrap()[2] = 2;
        })
    }),
    (Refused::UnsupportedAlgorithm, || {
        items_changed(&certificate(1).encode(), |items| {
            let header = first_vote(&mut items[2])[0].as_bytes_mut().unwrap();
            header[2] = 0x32; // -19
        })
    }),
    (Refused::UnprotectedHeader, || {
        items_changed(&certificate(1).encode(), |items| {
            let kid = Value::Bytes(vec![7; 32]);
            first_vote(&mut items[2])[1] = Value::Map(vec![(4.into(), kid)]);
        })
    }),
    (Refused::UnprotectedHeader, || {
        items_changed(&certificate(1).encode(), |items| {
            cose_sign(&mut items[2])[1] = Value::Map(vec![(1.into(), (-8).into())]);
        })
    }),
    (Refused::PolRound, || {
        statement_changed(|statement| statement.pol_round = Some(0))
    }),
    (Refused::DuplicateSigner, || {
        changed(|certificate| {
            let vote = certificate.commit.votes[1];
            certificate.commit.votes.insert(1, vote);
        })
    }),
    (Refused::VotesUnsorted, || {
        changed(|certificate| certificate.commit.votes.reverse())
    }),
    (Refused::SetMalformed, || {
        items_changed(&handed_over().encode(), |items| {
            let handovers = items[5].as_array_mut().unwrap();
            handovers[0].as_array_mut().unwrap()[2] = Value::Array(Vec::new());
        })
    }),
    (Refused::UnknownReason, || {
        items_changed(&certificate(6).encode(), |items| {
            let expiry = &mut items[3].as_map_mut().unwrap()[0].1;
            expiry.as_array_mut().unwrap()[2] = 9999.into();
        })
    }),
];

/// C-10, header, hand-overs (C-7) and validator set.
const HEADERS: &[(Refused, Tampered)] = &[
    (Refused::TooManyHandovers, too_many_handovers),
    (Refused::HeaderVersion, || {
        header_changed(|header| header.version = 2)
    }),
    (Refused::WrongSwarm, || {
        header_changed(|header| header.swarm = SwarmId([1; 32]))
    }),
    (Refused::HeightZero, || {
        header_changed(|header| header.height = 0)
    }),
    (Refused::UnknownParameters, || {
        header_changed(|header| header.parameters = Hash::ZERO)
    }),
    (Refused::HandoverLate, || {
        handovers_changed(|certificate| {
            certificate.handovers[1] = handover(HEIGHT, &[2, 3, 4, 33], &[3, 4, 33, 34]);
        })
    }),
    (Refused::HandoverOrder, || {
        handovers_changed(|certificate| {
            certificate.handovers[1] = handover(2, &[2, 3, 4, 33], &[3, 4, 33, 34]);
        })
    }),
    (Refused::HandoverGap, || {
        handovers_changed(|certificate| drop(certificate.handovers.remove(0)))
    }),
    (Refused::HandoverSuperfluous, || {
        changed(|certificate| {
            certificate.handovers = vec![handover(2, &[1, 2, 3, 4], &[1, 2, 3, 4])]
        })
    }),
    (Refused::HandoverSet, || {
        handovers_changed(|certificate| certificate.handovers[1].validators = set_of(&[3, 4, 33]))
    }),
    (Refused::UntrustedValidators, || {
        let set = set_of(&[65, 66, 67, 68]);
        let header = header(HEIGHT, &set, &set, &outcomes());
        let commit = commit(&header, &[65, 66, 67, 68]);
        Certificate::assemble(header, commit, &outcomes(), 1, Vec::new())
            .unwrap()
            .encode()
    }),
    (Refused::UntrustedValidators, || {
        handovers_changed(|certificate| drop(certificate.handovers.pop()))
    }),
];

/// C-10, commit: the statement, the votes and the power.
const COMMITS: &[(Refused, Tampered)] = &[
    (Refused::NotPrecommit, || {
        statement_changed(|statement| statement.kind = Kind::Prevote)
    }),
    (Refused::NotPrecommit, || {
        statement_changed(|statement| {
            statement.kind = Kind::Proposal;
            statement.pol_round = Some(0);
        })
    }),
    (Refused::NilCommit, || {
        statement_changed(|statement| statement.block = None)
    }),
    (Refused::StatementSwarm, || {
        statement_changed(|statement| statement.swarm = SwarmId([1; 32]))
    }),
    (Refused::StatementHeight, || {
        statement_changed(|statement| statement.height += 1)
    }),
    (Refused::StatementBlock, || {
        changed(|certificate| certificate.header.state = Hash::ZERO)
    }),
    (Refused::StatementValidators, || {
        statement_changed(|statement| statement.validators = set_of(&[1, 2, 3]).hash())
    }),
    (Refused::NoVotes, || {
        changed(|certificate| certificate.commit.votes.clear())
    }),
    (Refused::UnknownSigner, || {
        changed(|certificate| certificate.commit = commit(&certificate.header, &[1, 2, 3, 5]))
    }),
    (Refused::InsufficientPower, || {
        changed(|certificate| certificate.commit.votes.truncate(2))
    }),
    (Refused::WeakKey, weak_member),
    (Refused::BadSignature, || {
        changed(|certificate| {
            // The vote is one that the quorum would not need.
            let mut commit = commit(&certificate.header, &[1, 2, 3, 4]);
            commit.votes[3].signature = commit.votes[2].signature;
            certificate.commit = commit;
        })
    }),
    (Refused::BadSignature, || {
        changed(|certificate| {
            // The right keys signed the prevote for the same block.
            let prevote = Statement {
                kind: Kind::Prevote,
                ..precommit(&certificate.header)
            };
            certificate.commit.votes = votes_of(prevote, &[1, 2, 3]).votes;
        })
    }),
    (Refused::BadSignature, || {
        changed(|certificate| certificate.commit.statement.round += 1)
    }),
];

/// C-10, proof: the tree of C-5, whose root binds the number of leaves too.
const INCLUSION: &[(Refused, Tampered)] = &[
    (Refused::ProofTooLong, || {
        changed(|certificate| certificate.proof.path = vec![Hash::ZERO; 65])
    }),
    (Refused::ProofIndex, || {
        changed(|certificate| certificate.proof.index = certificate.proof.size)
    }),
    (Refused::NotIncluded, || {
        changed(|certificate| certificate.proof.index += 1)
    }),
    (Refused::NotIncluded, || {
        changed(|certificate| certificate.proof.size += 1)
    }),
    (Refused::NotIncluded, || {
        changed(|certificate| certificate.proof.path.swap(0, 1))
    }),
    (Refused::NotIncluded, || {
        changed(|certificate| certificate.outcome = Outcome::Clearing(clearing()))
    }),
    (Refused::NotIncluded, || {
        changed(|certificate| {
            let cheaper = Assignment {
                price: 1,
                ..assignment()
            };
            certificate.outcome = Outcome::Assignment(cheaper);
        })
    }),
];

/// C-11: outcomes other than receipts.
const MEANING: &[(Refused, Tampered)] = &[
    (Refused::AssignmentToken, || {
        assignment_changed(|assignment| assignment.token = FencingToken::ZERO)
    }),
    (Refused::AssignmentPrice, || {
        assignment_changed(|assignment| assignment.price = -1)
    }),
    (Refused::AssignmentPrice, || {
        assignment_changed(|assignment| assignment.price = limits::PRICE + 1)
    }),
    (Refused::AssignmentPrice, || {
        assignment_changed(|assignment| assignment.charge = 419)
    }),
    (Refused::AssignmentPrice, || {
        assignment_changed(|assignment| assignment.charge = limits::PRICE + 1)
    }),
    (Refused::AssignmentTime, || {
        assignment_changed(|assignment| {
            assignment.assigned_at = assignment.assigned_at.saturating_sub(1)
        })
    }),
    (Refused::AssignmentTime, || {
        assignment_changed(|assignment| assignment.lease = 0)
    }),
    (Refused::AssignmentAttestations, || {
        assignment_changed(|assignment| assignment.attestations = vec![Hash::ZERO; 2])
    }),
    (Refused::ClearingCounts, || {
        clearing_changed(|record| record.assigned = 7)
    }),
    (Refused::ClearingCounts, || {
        clearing_changed(|record| record.total = -1)
    }),
    (Refused::ExpiryReason, || {
        let reason = Reason::LateBid;
        certify(Outcome::Expiry(Expiry {
            task: task(),
            token: FencingToken(1),
            reason,
        }))
        .encode()
    }),
    (Refused::RefusalItems, || {
        let operation = quorate_types::OperationId([1; 32]);
        let agent = agent_key().public_key();
        certify(Outcome::Refusal(Refusal {
            operation,
            agent,
            items: Vec::new(),
        }))
        .encode()
    }),
];

/// C-11: receipts.
const RECEIPTS: &[(Refused, Tampered)] = &[
    (Refused::ReceiptOperation, || {
        receipt_changed(|receipt| {
            let submit = Submit {
                first: 0,
                tasks: Vec::new(),
            };
            receipt.operation = operation(&agent_key(), 3, OperationBody::Submit(submit));
        })
    }),
    (Refused::ReceiptSwarm, || {
        receipt_changed(|receipt| {
            let mut foreign = receipt.operation.payload.clone();
            foreign.swarm = SwarmId([1; 32]);
            receipt.operation = agent_key().sign(foreign).into_inner();
        })
    }),
    (Refused::ReceiptTask, || {
        receipt_changed(|receipt| receipt.task.number += 1)
    }),
    (Refused::ReceiptToken, || {
        receipt_changed(|receipt| receipt.token = receipt.token.next())
    }),
    (Refused::ReceiptSigner, || {
        receipt_changed(|receipt| {
            let payload = receipt.operation.payload.clone();
            receipt.operation = requester_key().sign(payload).into_inner();
        })
    }),
    (Refused::ReceiptAgent, || {
        receipt_changed(|receipt| {
            receipt.operation = operation(&requester_key(), 3, OperationBody::Accept(report()));
        })
    }),
    (Refused::ReceiptAgent, || {
        receipt_changed(|receipt| receipt.agent = None)
    }),
    (Refused::ReceiptAgent, || {
        receipt_changed(|receipt| {
            let cancel = OperationBody::Cancel(Cancel { task: task() });
            receipt.operation = operation(&agent_key(), 3, cancel);
        })
    }),
    (Refused::ReceiptSignature, || {
        receipt_changed(|receipt| receipt.operation.alter(|parts| parts.payload.sequence += 1))
    }),
    (Refused::LapsePower, || {
        lapse_changed(|lapse| {
            // One of the three suspicions is on the assignment before.
            let earlier = validator_key(1);
            let of_1 = |s: &&mut Sign1<Suspicion>| s.signer == earlier.public_key();
            let mut all = lapse.suspicions.iter_mut();
            let suspicion = all.find(of_1).unwrap();
            let payload = Suspicion {
                token: FencingToken(1),
                ..suspicion.payload.clone()
            };
            *suspicion = earlier.sign(payload).into_inner();
        })
    }),
    (Refused::LapseStranger, || {
        lapse_changed(|lapse| {
            lapse.suspicions.push(suspicion(5));
            lapse.suspicions.sort_by_key(|signed| signed.signer);
        })
    }),
    (Refused::LapseOrder, || {
        lapse_changed(|lapse| {
            let again = lapse.suspicions[0].clone();
            lapse.suspicions.insert(0, again);
        })
    }),
    (Refused::LapsePower, || {
        lapse_changed(|lapse| lapse.suspicions.truncate(2))
    }),
    (Refused::LapseSignature, || {
        lapse_changed(|lapse| {
            let other = lapse.suspicions[1].signature;
            lapse.suspicions[0].alter(|parts| parts.signature = other);
        })
    }),
];

fn table() -> impl Iterator<Item = &'static (Refused, Tampered)> {
    [BYTES, HEADERS, COMMITS, INCLUSION, MEANING, RECEIPTS]
        .into_iter()
        .flatten()
}

/// a refusal has the name of the broken rule, and the judgement that follows from it.
#[test]
fn c10_each_way_to_tamper_is_refused_by_its_own_name() {
    let root = root();
    for (at, (reason, tampered)) in table().enumerate() {
        let verdict = verify(&tampered(), &root, &Policy::default());
        let found = verdict.reason.map(|error| error.reason);
        assert_eq!(found, Some(*reason), "row {at}");
        assert_eq!(verdict.verdict, reason.judgement());
        assert_ne!(verdict.verdict, Judgement::Verified);
        assert!(verdict.summary.is_none() && !verdict.not_checked.is_empty());
    }
}

#[test]
fn each_reason_has_a_row() {
    // The two reasons of the policy have their own tests.
    let policy = [Refused::PolicyOperators, Refused::PolicyHandovers];
    let missing: Vec<_> = Refused::ALL
        .iter()
        .filter(|reason| !policy.contains(reason))
        .filter(|reason| !table().any(|(row, _)| row == *reason))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn r2_a_fault_in_a_hand_over_names_the_hand_over() {
    type Break = fn(&mut QuorumCertificate);
    let broken: &[(Refused, Break)] = &[
        (Refused::BadSignature, |commit| {
            commit.votes[0].signature = commit.votes[1].signature
        }),
        (Refused::InsufficientPower, |commit| {
            commit.votes.truncate(2)
        }),
        (Refused::NilCommit, |commit| commit.statement.block = None),
        (Refused::NotPrecommit, |commit| {
            commit.statement.kind = Kind::Prevote
        }),
        (Refused::StatementHeight, |commit| {
            commit.statement.height += 1
        }),
    ];
    for (reason, change) in broken {
        let mut certificate = handed_over();
        change(&mut certificate.handovers[1].commit);
        let error = verify(&certificate.encode(), &root(), &Policy::default())
            .reason
            .unwrap();
        assert_eq!((error.reason, error.handover), (*reason, Some(1)));
    }
}

#[test]
fn c10_exactly_two_thirds_is_not_enough() {
    for (members, signers, enough) in [
        (&[(1, 1), (2, 1), (3, 1)][..], &[1, 2][..], false),
        (&[(1, 1), (2, 1), (3, 1)], &[1, 2, 3], true),
        (&[(1, 3), (2, 3), (3, 2), (4, 1)], &[1, 2], false),
        (&[(1, 3), (2, 3), (3, 2), (4, 1)], &[1, 2, 4], true),
        (&[(1, 1 << 58), (2, 1 << 58), (3, 1 << 58)], &[1, 2], false),
    ] {
        let set = set_with_powers(members);
        let genesis = genesis_of(set.clone());
        let root = quorate_certificate::TrustRoot::from_genesis(&genesis).unwrap();
        let outcomes = [Outcome::Clearing(clearing())];
        let mut header = header(1, &set, &set, &outcomes);
        header.swarm = genesis.swarm_id();
        let commit = commit(&header, signers);
        let certificate = Certificate::assemble(header, commit, &outcomes, 0, vec![]).unwrap();
        let verdict = verify(&certificate.encode(), &root, &Policy::default());
        assert_eq!(verdict.is_verified(), enough, "{members:?} {signers:?}");
        let reason = verdict.reason.map(|error| error.reason);
        assert_eq!(reason, (!enough).then_some(Refused::InsufficientPower));
    }
}

/// Every bit of one certificate, and one bit of every byte of others.
#[test]
fn no_single_flipped_byte_passes() {
    let (root, whole) = (root(), (certificate(1), 8));
    let others = [certificate(2), certificate(5), handed_over()].map(|other| (other, 1));
    for (certificate, flips) in [whole].into_iter().chain(others) {
        let mut bytes = certificate.encode();
        assert!(verify(&bytes, &root, &Policy::default()).is_verified());
        for at in 0..bytes.len() {
            for bit in 0..flips {
                let flipped = 1 << ((at + bit) % 8);
                bytes[at] ^= flipped;
                let verdict = verify(&bytes, &root, &Policy::default());
                assert!(!verdict.is_verified(), "byte {at}, bit {flipped:#x}");
                bytes[at] ^= flipped;
            }
        }
    }
}

#[test]
fn no_truncation_insertion_or_deletion_passes() {
    let root = root();
    let bytes = certificate(1).encode();
    for at in 0..bytes.len() {
        let mut shorter = bytes.clone();
        shorter.remove(at);
        let mut longer = bytes.clone();
        longer.insert(at, bytes[at]);
        for tampered in [&bytes[..at], &shorter, &longer] {
            assert!(
                !verify(tampered, &root, &Policy::default()).is_verified(),
                "at {at}"
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(!verify(&bytes, &root(), &Policy::default()).is_verified());
    }

    #[test]
    fn no_splice_of_two_certificates_passes_as_another_claim(
        from: usize,
        to: usize,
        length in 1usize..200,
    ) {
        let (mut bytes, other) = (certificate(1).encode(), certificate(2).encode());
        let (from, to) = (from % (other.len() - length), to % (bytes.len() - length));
        bytes[to..to + length].copy_from_slice(&other[from..from + length]);
        if verify(&bytes, &root(), &Policy::default()).is_verified() {
            let spliced = Certificate::decode(&bytes).unwrap();
            proptest::prop_assert_eq!(spliced, certificate(1));
        }
    }
}
