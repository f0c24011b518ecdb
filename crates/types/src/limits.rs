//! Every limit of the protocol in one place, asserted when encoding and when decoding.
//!
//! A limit that two nodes must agree on is a constant of the protocol version, not a setting.

/// Nesting of CBOR items.
pub const CBOR_DEPTH: usize = 16;
/// Bytes of a [`crate::Label`].
pub const LABEL_BYTES: usize = 32;
/// Labels or amounts in one map or set.
pub const MAP_ENTRIES: usize = 16;
/// Validators in a set.
pub const VALIDATORS: usize = 128;
/// Total voting power of a set, so that three times it fits into 64 bits.
pub const TOTAL_POWER: u64 = 1 << 60;
/// Slots of a proposer schedule, at most.
pub const SCHEDULE_SLOTS: u64 = 4096;
/// Attesters in a genesis.
pub const ATTESTERS: usize = 64;
/// Markets in a genesis.
pub const MARKETS: usize = 32;
/// Bytes of a genesis in canonical form.
pub const GENESIS_BYTES: usize = 128 * 1024;
/// Bytes of a signed statement in canonical form.
pub const STATEMENT_BYTES: usize = 512;
/// Bytes of a quorum certificate: 128 votes of 143 bytes and the statement.
pub const CERTIFICATE_BYTES: usize = 32 * 1024;
/// Bytes of a signed operation in canonical form.
pub const OPERATION_BYTES: usize = 64 * 1024;
/// Bytes of the opaque part of a task (what only requester and agent understand).
pub const TASK_PAYLOAD_BYTES: usize = 4096;
/// Bytes of a result that an agent reports.
pub const RESULT_BYTES: usize = 4096;
/// Bytes of an attestation.
pub const ATTESTATION_BYTES: usize = 4096;
/// Attestations of one agent that are in force.
pub const ATTESTATIONS_PER_AGENT: usize = 16;
/// Tasks that one block expires, at most; the rest waits for the next.
pub const EXPIRIES_PER_BLOCK: usize = 1024;
/// Tasks in one submit operation.
pub const TASKS_PER_OPERATION: usize = 64;
/// Offers in one bid operation.
pub const OFFERS_PER_BID: usize = 512;
/// Live bids in one window of a market: clearing ends them all at once.
pub const BIDS_PER_WINDOW: u64 = 131_072;
/// Open tasks of one requester.
pub const OPEN_TASKS_PER_REQUESTER: u64 = 10_000;
/// Price, at most: sums of a whole clearing fit into 64 bits.
pub const PRICE: i64 = 1 << 40;
/// An amount of one dimension, at most.
pub const AMOUNT: i64 = 1 << 40;
/// Operations in a block.
pub const OPERATIONS_PER_BLOCK: usize = 4096;
/// Evidence in a block.
pub const EVIDENCE_PER_BLOCK: usize = 16;
/// Bytes of an accused block in evidence: it fits into a block that carries it with all else that
/// a block must have.
pub const BAD_BLOCK_BYTES: usize = 1024 * 1024;
/// Evidence in a block that takes executing an accused block.
pub const BAD_BLOCKS_PER_BLOCK: usize = 1;
/// Evidence of a bad block may be brought for this many heights after the one it speaks of: the
/// states that it is executed on are kept as long.
pub const BAD_BLOCK_HEIGHTS: u64 = 8;
/// Bytes of a block in canonical form.
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// Tasks that one clearing takes, at most; the rest waits for the next.
pub const TASKS_PER_CLEARING: usize = 1024;
/// Bidders that one clearing takes, at most.
pub const BIDDERS_PER_CLEARING: usize = 1024;
/// Solutions that a window keeps: the best, of one agent each.
pub const SOLUTIONS_PER_WINDOW: usize = 4;
/// Execution cost of a block in the units of `quorate-ledger`'s cost table (about a microsecond).
pub const BLOCK_COST: u64 = 400_000;
/// Rounds ahead of its own from which a replica keeps statements.
pub const ROUNDS_AHEAD: u32 = 8;
/// Suspicions in one lapse operation: one for each validator.
pub const SUSPICIONS: usize = VALIDATORS;
/// Announcements in one message, and kept by a node beyond those of validators.
pub const ANNOUNCEMENTS: usize = 256;
/// Addresses in an announcement.
pub const ADDRESSES: usize = 8;
/// Bytes of an address in an announcement.
pub const ADDRESS_BYTES: usize = 128;
/// Bytes of one frame between committee members outside the bulk lane.
pub const FRAME_BYTES: usize = 256 * 1024;
/// Bytes of a dossier in canonical form: what one clearing may cost in a block bounds its bids to
/// 40,000, of 130 bytes each, and 2,048 tasks and bidders have their amounts.
pub const DOSSIER_BYTES: usize = 12 * 1024 * 1024;
/// Bytes of a dossier, or of the bids that stand in a market, in one answer.
pub const PART_BYTES: usize = FRAME_BYTES;
/// Bytes of one frame in the bulk lane: a block with its certificate, and room for the wrapping.
pub const BULK_FRAME_BYTES: usize = BLOCK_BYTES + 64 * 1024;
/// A decided change of the validator set takes effect this many heights later (N-25).
pub const VALIDATOR_SET_DELAY: u64 = 2;
/// Operations of one agent that a mempool holds.
pub const POOL_PER_AGENT: usize = 256;
/// Operations that a mempool holds.
pub const POOL: usize = 50_000;
