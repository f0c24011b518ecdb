//! Faults: the things that a plan makes go wrong. Each kind is a file here and a line in the
//! registry: how it is written and drawn, how it begins and how it ends.

mod agent_crash;
mod agent_cut;
mod bridge;
mod clock_jump;
mod crash;
mod crash_at_write;
mod deaf;
mod draw;
mod entry;
mod full_disk;
mod ground;
mod isolate_leader;
mod kind;
mod log_lost;
mod misdirected_write;
mod mute;
mod partition;
mod pause;
mod registry;
mod restart_storm;
mod ring;
mod slow_disk;
mod sync_error;
mod sync_lie;
mod tear;
mod wipe;

pub use agent_crash::AgentCrash;
pub use agent_cut::AgentCut;
pub use bridge::Bridge;
pub use clock_jump::ClockJump;
pub use crash::Crash;
pub use crash_at_write::CrashAtWrite;
pub use deaf::Deaf;
pub use full_disk::FullDisk;
pub use isolate_leader::IsolateLeader;
pub use log_lost::LogLost;
pub use misdirected_write::MisdirectedWrite;
pub use mute::Mute;
pub use partition::Partition;
pub use pause::Pause;
pub use registry::{Fault, TimedFault};
pub use restart_storm::RestartStorm;
pub use ring::Ring;
pub use slow_disk::SlowDisk;
pub use sync_error::SyncError;
pub use sync_lie::SyncLie;
pub use tear::TearPlan;
pub use wipe::Wipe;

pub(crate) use draw::{Draw, Part};
pub(crate) use entry::Entry;
pub(crate) use ground::{End, Ground};
pub(crate) use kind::Begun;
pub(crate) use registry::{Described, KINDS};
