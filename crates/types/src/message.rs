//! Messages between peers (`protocols/wire.md`). One frame holds one message in canonical CBOR.

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::{ContentHeader, Owned, Sign1, Signable};
use crate::operation::Suspicion;
use crate::{
    Block, BlockId, Evidence, FencingToken, Hash, Height, Label, Millis, OperationId, Price,
    PublicKey, QuorumCertificate, Round, SignedOperation, SignedStatement, Stage, SwarmId, TaskId,
    TaskSpec, limits,
};

/// Between committee members and observers, on the consensus and bulk lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerMessage {
    /// A proposal or vote.
    Statement(SignedStatement),
    /// A polka or commit certificate, for a peer that missed the votes (N-23).
    Certificate(QuorumCertificate),
    /// Where the sender is; sent on connecting and again while a height takes long.
    Status(PeerStatus),
    /// A block body, by its builder or on request.
    Block(Box<Block>),
    /// Asks for the body of a proposed block.
    FetchBlock(FetchBlock),
    /// Operations for the mempool.
    Operations(Vec<SignedOperation>),
    /// Asks for decided blocks from this height on.
    FetchDecided(FetchDecided),
    /// A decided block with its commit.
    Decided(Box<Decided>),
    /// What convicts a validator.
    Evidence(Box<Evidence>),
    /// A validator no longer hears an assignee.
    Suspicion(Sign1<Suspicion>),
    /// Where members can be reached, as the sender knows it; at most [`limits::ANNOUNCEMENTS`].
    Announcements(Vec<Sign1<Announcement>>),
    /// Asks a validator which height is in progress with it; [`Self::Located`] answers (N-28).
    Locate(Locate),
    /// The answer to [`Self::Locate`].
    Located(Located),
}

/// See [`PeerMessage::Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PeerStatus {
    /// Height being decided.
    pub height: Height,
    /// Round of it.
    pub round: Round,
}

/// See [`PeerMessage::Locate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Locate {
    /// Chosen at random by whoever asks, for this life of its process: no answer is older.
    pub challenge: u64,
}

/// See [`PeerMessage::Located`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Located {
    /// That of the question.
    pub challenge: u64,
    /// Height being decided.
    pub height: Height,
}

/// See [`PeerMessage::FetchBlock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchBlock {
    /// Height it was proposed at.
    pub height: Height,
    /// Block.
    pub block: BlockId,
}

/// See [`PeerMessage::FetchDecided`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchDecided {
    /// First height wanted.
    pub from: Height,
}

/// A decided block and the commit that decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Decided {
    /// Block.
    pub block: Block,
    /// Precommits for it of more than two thirds of the power.
    pub commit: QuorumCertificate,
}

/// From an agent to a validator, on the client lane. `id` comes back with the reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClientRequest {
    /// Chosen by the client.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Takes an operation into the mempool and passes it on.
    Submit(Box<SignedOperation>),
    /// The client is alive and has seen this block; its leases run on.
    Heartbeat(Heartbeat),
    /// Notices about this client and open calls from now on, and about it from this height on.
    Follow(Follow),
    /// The client's account.
    Account(PublicKey),
    /// State of a task.
    Task(TaskId),
    /// Tasks of a market that are open now.
    Open(Label),
    /// Certificates of all outcomes of a task, oldest first.
    Certificates(TaskId),
    /// Where the validator is.
    Status(StatusRequest),
    /// The dossier of a clearing, from some byte on.
    Dossier(FetchDossier),
    /// The certificate of a clearing, named by the hash of its record.
    Clearing(Hash),
    /// The bids that stand in a market while it takes solutions, from some byte on.
    Bids(FetchBids),
}

/// See [`Request::Dossier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchDossier {
    /// [`crate::outcome::ClearingRecord::hash`].
    pub clearing: Hash,
    /// First byte wanted.
    pub from: u64,
}

/// See [`Request::Bids`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FetchBids {
    /// Market.
    pub market: Label,
    /// Number of the window.
    pub window: u64,
    /// First byte wanted.
    pub from: u64,
}

/// See [`Request::Status`]. It has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusRequest {
    /// Height, validators and counts.
    Summary,
}

/// See [`Request::Heartbeat`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Heartbeat {
    /// Height of the block.
    pub height: Height,
    /// A recent block.
    pub block: BlockId,
}

/// See [`Request::Follow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Follow {
    /// First height whose outcomes are wanted.
    pub from: Height,
}

/// From a validator to a client, on the client lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMessage {
    /// Answers the request with this id.
    Reply(Reply),
    /// Something happened that the client follows.
    Notice(Notice),
}

/// See [`ClientMessage::Reply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Reply {
    /// Of the request.
    pub id: u64,
    /// Answer.
    pub answer: Answer,
}

/// What a validator answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The operation is in the mempool, or was committed before.
    Accepted(OperationId),
    /// The operation was not taken.
    Rejected(Rejection),
    /// The account, or `None` for a stranger.
    Account(Option<AccountSummary>),
    /// The task, or `None` where there is none.
    Task(Option<TaskSummary>),
    /// Open tasks.
    Open(Call),
    /// Certificates in canonical CBOR (`protocols/certificate.md`).
    Certificates(Vec<Owned>),
    /// Where the validator is.
    Status(Summary),
    /// A part of a dossier; `None` where the validator does not have it, or not so many bytes.
    Dossier(Option<Part>),
    /// A part of the bids that stand: the canonical CBOR of the [`crate::outcome::ClearingInput`]s
    /// that a clearing would have; `None` where the window takes no solutions, or there are not so
    /// many bytes.
    Bids(Option<Part>),
}

/// See [`Answer::Dossier`] and [`Answer::Bids`], which may be longer than a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Part {
    /// Bytes of the whole in canonical CBOR.
    pub total: u64,
    /// Those from the first one asked for; 1 to [`limits::PART_BYTES`].
    pub bytes: Owned,
}

/// Why an operation did not get into the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Signature, swarm or agent is wrong.
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

/// See [`Answer::Account`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct AccountSummary {
    /// Sequence number of its next operation.
    pub next_sequence: u64,
    /// Number of its next task.
    pub next_task: u64,
    /// Assignments it holds now.
    pub assigned: Vec<(TaskId, FencingToken)>,
}

/// See [`Answer::Task`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TaskSummary {
    /// State by name: `open`, `assigned`, `working`, `completed`, `failed`, `canceled`, `expired`.
    pub state: Label,
    /// Fencing token in force.
    pub token: FencingToken,
    /// Assignee in force.
    pub agent: Option<PublicKey>,
    /// Price of the assignment in force.
    pub price: Option<Price>,
}

/// See [`Answer::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Summary {
    /// Swarm.
    pub swarm: SwarmId,
    /// Last decided height.
    pub height: Height,
    /// Its block.
    pub block: BlockId,
    /// Active time of it.
    pub active_time: Millis,
    /// Tasks that are open now.
    pub open_tasks: u64,
    /// Operations in the mempool.
    pub pool: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A block was decided.
    Block(BlockNotice),
    /// A certificate of an outcome that concerns the client, in canonical CBOR.
    Certificate(Owned),
    /// Bids are wanted.
    Call(Call),
}

/// See [`Notice::Block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BlockNotice {
    /// Height.
    pub height: Height,
    /// Block.
    pub block: BlockId,
    /// Its active time.
    pub active_time: Millis,
}

/// Bids, openings or solutions are wanted in a window of a market. Also what the calls topic
/// carries.
///
/// It proves nothing: a bid on a task that is not there is refused, no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Call {
    /// Market.
    pub market: Label,
    /// Number of the clearing that the bids are for.
    pub window: u64,
    /// Height at which the sender stood.
    pub height: Height,
    /// What the window takes now.
    pub stage: Stage,
    /// Open tasks, ascending; at most [`limits::OFFERS_PER_BID`]. None but while bids are taken.
    pub tasks: Vec<(TaskId, TaskSpec)>,
}

/// A peer's own word on where it can be reached, passed on by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Announcement {
    /// The only swarm it is valid in.
    pub swarm: SwarmId,
    /// Replaces announcements with a smaller number; Unix milliseconds at the peer.
    pub sequence: u64,
    /// Multiaddresses, at most [`limits::ADDRESSES`] of [`limits::ADDRESS_BYTES`] each.
    pub addresses: Vec<String>,
}

impl Signable for Announcement {
    const HEADER: ContentHeader = ContentHeader::Type("application/vnd.quorate.announcement+cose");
    const MAX_BYTES: usize = limits::ADDRESSES * (limits::ADDRESS_BYTES + 2) + 64;
}
