//! The slots that a validator's key signs in, as this ordering numbers them (N-21).
//!
//! A slot is 16 bytes: the height (8 bytes), the round (4 bytes) and the kind of the statement (4
//! bytes), each big-endian. So the order of the bytes is the order in which a key signs. The
//! signing guard compares slots and reads no more of them than the height.

use quorate_types::{Height, PublicKey, Round, Statement};

use super::record::LogRecord;

/// The part of a slot behind its height with which a guard stands behind everything of that height.
const END_OF_HEIGHT: u64 = u64::MAX;

/// The names of the kinds, by their numbers.
const KINDS: [&str; 3] = ["proposal", "prevote", "precommit"];

/// Returns the slot of a statement. A key signs at most one statement in it.
pub fn slot_of(statement: &Statement) -> [u8; 16] {
    let height = u128::from(statement.height) << 64;
    let round = u128::from(statement.round) << 32;
    let kind = statement.kind as u128;
    (height | round | kind).to_be_bytes()
}

/// Returns the slot in which `me` signed, if the record holds a statement of `me`.
pub fn signed_slot(record: &LogRecord, me: &PublicKey) -> Option<[u8; 16]> {
    match record {
        LogRecord::Statement(signed) if signed.signer == *me => Some(slot_of(&signed.statement)),
        _ => None,
    }
}

/// Returns the height, the round and the number of the kind in a slot. A guard that was raised
/// behind a height stands at the greatest round and kind of it.
pub fn parts_of_slot(slot: [u8; 16]) -> (Height, Round, u8) {
    let slot = u128::from_be_bytes(slot);
    ((slot >> 64) as u64, (slot >> 32) as u32, slot as u8)
}

/// Returns a slot in words, for errors and logs: `height 6, round 0, prevote`.
pub fn describe_slot(slot: [u8; 16]) -> String {
    let (height, round, kind) = parts_of_slot(slot);
    if u128::from_be_bytes(slot) as u64 == END_OF_HEIGHT {
        return format!("the end of height {height}");
    }

    match KINDS.get(usize::from(kind)) {
        Some(kind) => format!("height {height}, round {round}, {kind}"),
        None => format!("height {height}, round {round}, kind {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use quorate_crypto::SecretKey;
    use quorate_types::{Hash, Kind, SwarmId};

    use super::*;

    fn statement(height: Height, round: Round, kind: Kind) -> Statement {
        Statement {
            swarm: SwarmId([0; 32]),
            height,
            round,
            kind,
            block: None,
            validators: Hash::ZERO,
            pol_round: None,
        }
    }

    #[test]
    fn n21_slots_rise_in_the_order_in_which_a_key_signs() {
        let ascending = [
            statement(1, 0, Kind::Proposal),
            statement(1, 0, Kind::Prevote),
            statement(1, 0, Kind::Precommit),
            statement(1, 1, Kind::Proposal),
            statement(1, 256, Kind::Proposal),
            statement(1, Round::MAX, Kind::Precommit),
            statement(2, 0, Kind::Proposal),
            statement(256, 0, Kind::Proposal),
        ];

        let slots = ascending.each_ref().map(slot_of);
        assert!(slots.is_sorted_by(|a, b| a < b));

        for (said, slot) in ascending.iter().zip(slots) {
            let parts = (said.height, said.round, said.kind as u8);
            assert_eq!(parts_of_slot(slot), parts);
        }
    }

    #[test]
    fn n21_a_slot_begins_with_its_height_and_its_bytes_are_pinned() {
        let slot = slot_of(&statement(0x0102, 0x0304, Kind::Precommit));
        assert_eq!(slot, [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 2]);
    }

    #[test]
    fn a_slot_is_described_in_words() {
        let last = slot_of(&statement(6, 1, Kind::Precommit));
        assert_eq!(describe_slot(last), "height 6, round 1, precommit");

        let mut raised = [u8::MAX; 16];
        raised[..8].copy_from_slice(&6u64.to_be_bytes());
        assert_eq!(describe_slot(raised), "the end of height 6");
        assert_eq!(parts_of_slot(raised), (6, Round::MAX, u8::MAX));
    }

    #[test]
    fn only_own_statements_in_the_log_are_signatures() {
        let [me, other] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let said = statement(3, 0, Kind::Prevote);
        let slot = slot_of(&said);

        let record = LogRecord::Statement(me.sign_statement(said).into_inner());
        assert_eq!(signed_slot(&record, &me.public_key()), Some(slot));
        assert_eq!(signed_slot(&record, &other.public_key()), None);
        assert_eq!(signed_slot(&LogRecord::Start(0), &me.public_key()), None);
    }
}
