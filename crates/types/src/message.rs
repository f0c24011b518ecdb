//! Messages between peers (`protocols/wire.md`). One frame holds one message in canonical CBOR.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::{ContentHeader, Owned};
use crate::operation::Suspicion;
use crate::signed::{Sign1, Signable};
use crate::{
    ActiveMillis, Block, BlockId, Evidence, FencingToken, Hash, Height, Label, OperationId, Price,
    PublicKey, QuorumCertificate, Round, SignedOperation, SignedStatement, Stage, SwarmId, TaskId,
    TaskSpec, limits,
};

/// A message between committee members and observers, on the consensus and bulk lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerMessage {
    /// A proposal or vote.
    Statement(SignedStatement),
    /// A polka or commit certificate, for a peer that missed the votes (N-23).
    Certificate(QuorumCertificate),
    /// The position of the sender. It is sent on connecting, and again while a height takes long.
    Status(PeerStatus),
    /// A block body, from its builder or on request.
    Block(Box<Block>),
    /// Asks for the body of a proposed block.
    FetchBlock(FetchBlock),
    /// Operations for the mempool.
    Operations(Vec<SignedOperation>),
    /// Asks for decided blocks from this height on.
    FetchDecided(FetchDecided),
    /// A decided block with its commit.
    Decided(Box<Decided>),
    /// Evidence that convicts a validator.
    Evidence(Box<Evidence>),
    /// The signed word of a validator that it no longer hears an assignee.
    Suspicion(Sign1<Suspicion>),
    /// The addresses of members, as the sender knows them; at most [`limits::ANNOUNCEMENTS`].
    Announcements(Vec<Sign1<Announcement>>),
    /// Asks a validator which height it is deciding. [`Self::Located`] is the answer (N-28).
    Locate(Locate),
    /// The answer to [`Self::Locate`].
    Located(Located),
}

/// The position of a peer: see [`PeerMessage::Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PeerStatus {
    /// The height that the peer is deciding.
    pub height: Height,
    /// The round of that height in which the peer is.
    pub round: Round,
}

/// A question for the height in progress: see [`PeerMessage::Locate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Locate {
    /// A number that the asking process chose at random when it started, so that no answer is older
    /// than the process.
    pub challenge: u64,
}

/// The answer with the height in progress: see [`PeerMessage::Located`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Located {
    /// The challenge of the question.
    pub challenge: u64,
    /// The height that the sender is deciding.
    pub height: Height,
}

/// A request for a block body: see [`PeerMessage::FetchBlock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchBlock {
    /// The height at which the block was proposed.
    pub height: Height,
    /// The id of the block.
    pub block: BlockId,
}

/// A request for decided blocks: see [`PeerMessage::FetchDecided`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchDecided {
    /// The first height that is wanted.
    pub from: Height,
}

/// A decided block and the commit that decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Decided {
    /// The block that was decided.
    pub block: Block,
    /// Precommits for the block by more than two thirds of the power.
    pub commit: QuorumCertificate,
}

/// A request of an agent to a validator, on the client lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClientRequest {
    /// A number that the client chose. The reply repeats it.
    pub id: u64,
    /// The request itself.
    pub request: Request,
}

/// The requests that a client may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Asks to take an operation into the mempool and to pass it on.
    Submit(Box<SignedOperation>),
    /// Says that the client is alive and has seen this block, so that its leases run on.
    Heartbeat(Heartbeat),
    /// Asks for notices about this client and for open calls from now on, and for those about this
    /// client from this height on.
    Follow(Follow),
    /// Asks for the client's account.
    Account(PublicKey),
    /// Asks for the state of a task.
    Task(TaskId),
    /// Asks for the tasks of a market that are open now.
    Open(Label),
    /// Asks for the certificates of all outcomes of a task, oldest first.
    Certificates(TaskId),
    /// Asks for the position of the validator.
    Status(StatusRequest),
    /// Asks for the dossier of a clearing, from some byte on.
    Dossier(FetchDossier),
    /// Asks for the certificate of a clearing, which is named by the hash of its record.
    Clearing(Hash),
    /// Asks for the bids that stand in a market while it takes solutions, from some byte on.
    Bids(FetchBids),
}

/// A request for a part of a dossier: see [`Request::Dossier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchDossier {
    /// The clearing, named by its [`crate::outcome::ClearingRecord::hash`].
    pub clearing: Hash,
    /// The first byte that is wanted, counted from 0.
    pub from: u64,
}

/// A request for a part of the bids in a market: see [`Request::Bids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchBids {
    /// The name of the market.
    pub market: Label,
    /// The number of the window.
    pub window: u64,
    /// The first byte that is wanted, counted from 0.
    pub from: u64,
}

/// The request for a summary: see [`Request::Status`]. It has no parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusRequest {
    /// Asks for a [`Summary`].
    Summary,
}

/// A sign of life: see [`Request::Heartbeat`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Heartbeat {
    /// The height of the block.
    pub height: Height,
    /// The id of a recent block that the client has seen.
    pub block: BlockId,
}

/// A subscription to notices: see [`Request::Follow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Follow {
    /// The first height whose outcomes are wanted.
    pub from: Height,
}

/// A message from a validator to a client, on the client lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMessage {
    /// Answers the request with this id.
    Reply(Reply),
    /// Tells of something that the client follows.
    Notice(Notice),
}

/// An answer with the id of its request: see [`ClientMessage::Reply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Reply {
    /// The id of the request.
    pub id: u64,
    /// The answer to the request.
    pub answer: Answer,
}

/// The answers that a validator gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The operation is in the mempool, or was committed before.
    Accepted(OperationId),
    /// The operation was not taken, for this reason.
    Rejected(Rejection),
    /// The account; `None` for a stranger.
    Account(Option<AccountSummary>),
    /// The task; `None` if there is no such task.
    Task(Option<TaskSummary>),
    /// The open tasks of a market.
    Open(Call),
    /// Certificates in canonical CBOR (`protocols/certificate.md`).
    Certificates(Vec<Owned>),
    /// The position of the validator.
    Status(Summary),
    /// A part of a dossier; `None` if the validator does not have the dossier, or the dossier does
    /// not have so many bytes.
    Dossier(Option<Part>),
    /// A part of the bids that stand: the canonical CBOR of the [`crate::outcome::ClearingInput`]s
    /// that a clearing would have. `None` if the window takes no solutions, or there are not so
    /// many bytes.
    Bids(Option<Part>),
}

/// A part of a dossier or of the bids, which may be longer than a frame: see [`Answer::Dossier`]
/// and [`Answer::Bids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Part {
    /// The number of bytes that the whole has in canonical CBOR.
    pub total: u64,
    /// The bytes from the first one asked for on; 1 to [`limits::PART_BYTES`] of them.
    pub bytes: Owned,
}

/// The reason why an operation did not get into the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The signature, the swarm or the agent is wrong.
    Unauthentic,
    /// The agent is not a member and the operation does not admit it.
    Unknown,
    /// The sequence number was used before.
    Sequence,
    /// The sequence number is too far ahead.
    Gap,
    /// The mempool, or the agent's share of it, is full: try again later.
    Full,
}

/// The account of a member in short: see [`Answer::Account`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct AccountSummary {
    /// The sequence number of its next operation.
    pub next_sequence: u64,
    /// The number of its next task.
    pub next_task: u64,
    /// The assignments that it holds now.
    pub assigned: Vec<(TaskId, FencingToken)>,
}

/// The state of a task in short: see [`Answer::Task`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskSummary {
    /// The name of the state: `open`, `assigned`, `working`, `completed`, `failed`, `canceled`,
    /// `expired`.
    pub state: Label,
    /// The fencing token in force.
    pub token: FencingToken,
    /// The agent that holds the task, if one does.
    pub agent: Option<PublicKey>,
    /// The price of the assignment in force, if there is one.
    pub price: Option<Price>,
}

/// The position of a validator in short: see [`Answer::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Summary {
    /// The id of the swarm.
    pub swarm: SwarmId,
    /// The last decided height.
    pub height: Height,
    /// The id of the block of that height.
    pub block: BlockId,
    /// The active time of that block.
    pub active_time: ActiveMillis,
    /// The number of tasks that are open now.
    pub open_tasks: u64,
    /// The number of operations in the mempool.
    pub pool: u64,
}

/// A notice of something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A block was decided.
    Block(BlockNotice),
    /// A certificate of an outcome that concerns the client, in canonical CBOR.
    Certificate(Owned),
    /// Bids, openings or solutions are wanted.
    Call(Call),
}

/// A decided block in short: see [`Notice::Block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BlockNotice {
    /// The height of the block.
    pub height: Height,
    /// The id of the block.
    pub block: BlockId,
    /// The active time of the block.
    pub active_time: ActiveMillis,
}

/// A call for bids, openings or solutions in a window of a market. The calls topic carries it too.
///
/// It proves nothing, and need not: a bid on a task that is not there is refused, and that is all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Call {
    /// The name of the market.
    pub market: Label,
    /// The number of the window that the bids are for.
    pub window: u64,
    /// The last height that the sender had decided.
    pub height: Height,
    /// The stage of the window, which says what it takes now.
    pub stage: Stage,
    /// The open tasks, ascending; at most [`limits::OFFERS_PER_BID`]. Empty unless bids are taken.
    pub tasks: Vec<(TaskId, TaskSpec)>,
}

/// The word of a peer on the addresses where it can be reached. Others pass it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Announcement {
    /// The only swarm that the announcement is valid in.
    pub swarm: SwarmId,
    /// Unix milliseconds at the peer. The announcement replaces those with a smaller number.
    pub sequence: u64,
    /// The multiaddresses of the peer, at most [`limits::ADDRESSES`] of [`limits::ADDRESS_BYTES`]
    /// each.
    pub addresses: Vec<String>,
}

impl Signable for Announcement {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.announcement+cose");
    const MAX_BYTES: usize = limits::ADDRESSES * (limits::ADDRESS_BYTES + 2) + 64;

    type Id = ();

    fn id_of(_: &[u8]) {}
}
