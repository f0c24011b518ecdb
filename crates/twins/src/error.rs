//! The reasons why a file of Twins scenarios is not valid.

/// The reason why a file is not valid. Scenarios, rounds and hosts count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TwinsError {
    /// The text is not JSON, or a field is unknown, missing or of the wrong type.
    #[error("line {line}: {message}")]
    Form {
        /// The line, counted from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// A number of the file, outside of the scenarios, is out of range.
    #[error("`{field}` is {value}; write {least} to {most}")]
    Range {
        /// The name of the number.
        field: &'static str,
        /// The number as written.
        value: usize,
        /// The least value allowed.
        least: usize,
        /// The greatest value allowed.
        most: usize,
    },
    /// A scenario has more or fewer entries than `rounds` says.
    #[error("scenario {scenario} has {found} entries, but `rounds` is {rounds}")]
    Length {
        /// The index of the scenario.
        scenario: usize,
        /// The number of its entries.
        found: usize,
        /// The number that `rounds` asks for.
        rounds: usize,
    },
    /// A leader that does not exist.
    #[error("scenario {scenario}, round {round}: leader {leader} is not one of the {nodes} nodes")]
    Leader {
        /// The index of the scenario.
        scenario: usize,
        /// The index of the entry.
        round: usize,
        /// The leader as written.
        leader: usize,
        /// The number of nodes.
        nodes: usize,
    },
    /// A host that does not exist, or is in two groups.
    #[error("scenario {scenario}, round {round}: host {host} does not exist, or is in two groups")]
    Host {
        /// The index of the scenario.
        scenario: usize,
        /// The index of the entry.
        round: usize,
        /// The host as written.
        host: usize,
    },
    /// An entry has more groups than `partitions` says.
    #[error(
        "scenario {scenario}, round {round}: more than {most} groups, the number in `partitions`"
    )]
    Groups {
        /// The index of the scenario.
        scenario: usize,
        /// The index of the entry.
        round: usize,
        /// The greatest number of groups.
        most: usize,
    },
}
