//! All limits of the protocol in one place. Whoever takes a value checks them, most of them while
//! it is decoded; whoever makes one keeps to them.
//!
//! A limit that two nodes must agree on is a constant of the protocol version, not a setting.

/// The deepest nesting of CBOR items.
pub const CBOR_DEPTH: usize = 16;
/// The most bytes of a [`crate::Label`].
pub const LABEL_BYTES: usize = 32;
/// The most labels or amounts in one map or set.
pub const MAP_ENTRIES: usize = 16;
/// The most validators in a set.
pub const VALIDATORS: usize = 128;
/// The most voting power of a whole set, so that three times it fits into 64 bits.
pub const TOTAL_POWER: u64 = 1 << 60;
/// The most slots that a proposer schedule has, approximately.
pub const SCHEDULE_SLOTS: u64 = 4096;
/// The most attesters in a genesis.
pub const ATTESTERS: usize = 64;
/// The most markets in a genesis.
pub const MARKETS: usize = 32;
/// The most bytes of a genesis in canonical form.
pub const GENESIS_BYTES: usize = 128 * 1024;
/// The most bytes of a signed statement in canonical form.
pub const STATEMENT_BYTES: usize = 512;
/// The most bytes of a quorum certificate: 128 votes of 143 bytes and the statement.
pub const CERTIFICATE_BYTES: usize = 32 * 1024;
/// The most bytes of a signed operation in canonical form.
pub const OPERATION_BYTES: usize = 64 * 1024;
/// The most bytes of the opaque part of a task, which only requester and agent understand.
pub const TASK_PAYLOAD_BYTES: usize = 4096;
/// The most bytes of a result that an agent reports.
pub const RESULT_BYTES: usize = 4096;
/// The most bytes of an attestation.
pub const ATTESTATION_BYTES: usize = 4096;
/// The most attestations of one agent that are in force.
pub const ATTESTATIONS_PER_AGENT: usize = 16;
/// The most tasks that one block expires. The rest waits for the next block.
pub const EXPIRIES_PER_BLOCK: usize = 1024;
/// The most tasks in one submit operation.
pub const TASKS_PER_OPERATION: usize = 64;
/// The most offers in one bid operation.
pub const OFFERS_PER_BID: usize = 512;
/// The most live bids in one window of a market. Clearing ends them all at once.
pub const BIDS_PER_WINDOW: u64 = 131_072;
/// The most open tasks of one requester.
pub const OPEN_TASKS_PER_REQUESTER: u64 = 10_000;
/// The highest price. Sums over a whole clearing then fit into 64 bits.
pub const PRICE: i64 = 1 << 40;
/// The greatest amount of one dimension.
pub const AMOUNT: i64 = 1 << 40;
/// The most operations in a block.
pub const OPERATIONS_PER_BLOCK: usize = 4096;
/// The most pieces of evidence in a block.
pub const EVIDENCE_PER_BLOCK: usize = 16;
/// The most bytes of an accused block in evidence. It then fits into a block that carries it, with
/// everything else that a block must have.
pub const BAD_BLOCK_BYTES: usize = 1024 * 1024;
/// The most pieces of evidence in a block that require executing an accused block.
pub const BAD_BLOCKS_PER_BLOCK: usize = 1;
/// The number of heights for which evidence of a bad block may be brought, after the height that it
/// speaks of. The states that it is executed on are kept as long.
pub const BAD_BLOCK_HEIGHTS: u64 = 8;
/// The most bytes of a block in canonical form.
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// The most tasks that one clearing takes. The rest waits for the next one.
pub const TASKS_PER_CLEARING: usize = 1024;
/// The most bidders that one clearing takes.
pub const BIDDERS_PER_CLEARING: usize = 1024;
/// The most solutions that a window keeps: the best ones, of one agent each.
pub const SOLUTIONS_PER_WINDOW: usize = 4;
/// The most execution cost of a block, in the units of `quorate-ledger`'s cost table (about a
/// microsecond).
pub const BLOCK_COST: u64 = 400_000;
/// The number of rounds ahead of its own for which a replica keeps statements.
pub const ROUNDS_AHEAD: u32 = 8;
/// The most suspicions in one lapse operation: one for each validator.
pub const SUSPICIONS: usize = VALIDATORS;
/// The most announcements in one message, and the most that a node keeps beyond those of
/// validators.
pub const ANNOUNCEMENTS: usize = 256;
/// The most addresses in an announcement.
pub const ADDRESSES: usize = 8;
/// The most bytes of an address in an announcement.
pub const ADDRESS_BYTES: usize = 128;
/// The most bytes of one frame between committee members outside the bulk lane.
pub const FRAME_BYTES: usize = 256 * 1024;
/// The most bytes of a dossier in canonical form. The cost that one clearing may have in a block
/// bounds its bids to 40,000, of 130 bytes each, and 2,048 tasks and bidders have their amounts.
pub const DOSSIER_BYTES: usize = 12 * 1024 * 1024;
/// The most bytes of a dossier, or of the bids that stand in a market, in one answer.
pub const PART_BYTES: usize = FRAME_BYTES;
/// The most bytes of one frame in the bulk lane: a block with its certificate, and room for the
/// wrapping.
pub const BULK_FRAME_BYTES: usize = BLOCK_BYTES + 64 * 1024;
/// The number of heights after which a decided change of the validator set takes effect (N-25).
pub const VALIDATOR_SET_DELAY: u64 = 2;
/// The most operations of one agent that a mempool holds.
pub const POOL_PER_AGENT: usize = 256;
/// The most operations that a mempool holds.
pub const POOL: usize = 50_000;
