//! The names of hosts.

/// A host: the place of a validator's process or of a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostId {
    /// A validator, by its index in the plan. The twins of liars follow after the last one.
    Validator(usize),
    /// An agent, by its index in the plan. The requester follows after the last one.
    Client(usize),
}
