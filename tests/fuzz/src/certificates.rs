//! Targets for the verifier of certificates: it verifies nothing that no quorum signed.

use std::sync::LazyLock;

use quorate_certificate::{Certificate, Policy, TrustRoot, verify};
use quorate_types::QuorumCertificate;

use crate::choices::{Choices, edit};
use crate::vectors;

/// The pinned certificates, and the trust root by which they verify.
struct Pinned {
    root: TrustRoot,
    certificates: Vec<(Vec<u8>, Certificate)>,
}

static PINNED: LazyLock<Pinned> = LazyLock::new(|| {
    let root = TrustRoot::parse(vectors::GENESIS).unwrap();
    let certificates = vectors::of_rule("certificate").into_iter();
    let certificates = certificates.map(|bytes| {
        let certificate = Certificate::decode(&bytes).unwrap();
        assert!(verify(&bytes, &root, &Policy::default()).is_verified());
        (bytes, certificate)
    });
    Pinned {
        certificates: certificates.collect(),
        root,
    }
});

/// Verifies any bytes.
pub(crate) fn arbitrary(data: &[u8]) {
    let verdict = verify(data, &PINNED.root, &Policy::default());
    assert_eq!(verdict.is_verified(), verdict.reason.is_none());
    assert!(!verdict.not_checked.is_empty());
    if verdict.is_verified() {
        let certificate = Certificate::decode(data).unwrap();
        assert_eq!(
            verdict.summary.map(|of| of.identity),
            Some(certificate.identity())
        );
        let genuine = PINNED
            .certificates
            .iter()
            .any(|(_, other)| says_the_same(&certificate, other));
        assert!(genuine, "a certificate verifies that nobody signed");
    }
}

pub(crate) fn genuine() -> Vec<Vec<u8>> {
    PINNED
        .certificates
        .iter()
        .map(|(bytes, _)| bytes.clone())
        .collect()
}

/// Verifies a changed certificate: the first byte chooses it, the rest says how it is changed.
pub(crate) fn mutated(data: &[u8]) {
    let mut choices = Choices::new(data);
    let Some((bytes, _)) = choices.pick(&PINNED.certificates) else {
        return;
    };
    let mut bytes = bytes.clone();
    let changed = edit(&mut bytes, &mut choices);
    let verdict = verify(&bytes, &PINNED.root, &Policy::default());
    assert!(
        changed || verdict.is_verified(),
        "a genuine certificate must verify"
    );
    if changed && verdict.is_verified() {
        arbitrary(&bytes);
    }
}

/// Seeds: each certificate as it is, with one bit changed, with a part cut out, and with a part
/// repeated.
pub(crate) fn mutations() -> Vec<Vec<u8>> {
    let edits: [&[u8]; 5] = [
        &[],
        &[9, 0, 1],
        &[200, 0, 128],
        &[40, 0, 3, 143, 0],
        &[70, 1, 4, 143, 213, 1],
    ];
    let count = PINNED.certificates.len() as u8;
    let all = (0..count).flat_map(|at| edits.map(|edit| [&[at][..], edit].concat()));
    all.collect()
}

/// Whether a certificate has the same content as a pinned one, with no votes but those of the
/// pinned one. Votes beyond a quorum may be left out of a certificate.
fn says_the_same(found: &Certificate, pinned: &Certificate) -> bool {
    let Certificate {
        header,
        commit,
        outcome,
        proof,
        handovers,
    } = found;
    let handed_over = handovers.len() == pinned.handovers.len()
        && handovers
            .iter()
            .zip(&pinned.handovers)
            .all(|(found, pinned)| {
                found.header == pinned.header
                    && found.validators == pinned.validators
                    && is_part_of(&found.commit, &pinned.commit)
            });
    *header == pinned.header
        && *outcome == pinned.outcome
        && *proof == pinned.proof
        && is_part_of(commit, &pinned.commit)
        && handed_over
}

fn is_part_of(found: &QuorumCertificate, pinned: &QuorumCertificate) -> bool {
    found.statement == pinned.statement
        && found.votes.iter().all(|vote| pinned.votes.contains(vote))
}
