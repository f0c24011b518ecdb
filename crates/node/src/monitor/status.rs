//! The pages `/health` and `/status`.

use quorate_ledger::WindowView;
use quorate_replica::VotingStatus;
use quorate_types::{
    ActiveMillis, BlockId, Height, Label, Millis, Power, PublicKey, Round, Stage, SwarmId,
    UnixMillis,
};
use serde::Serialize;

use super::view::View;

/// The greatest age of the last block that counts as progress, in longest block intervals.
const PATIENCE: Millis = 3;

/// The reason why the validator makes no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unhealthy {
    /// The validator is still executing its stored blocks again.
    #[error("starting: not recovered yet")]
    Starting,
    /// The connected validators have no quorum, so nothing can be decided here.
    #[error("no quorum: validators with {power} of {total} power are connected, this one included")]
    NoQuorum {
        /// The voting power of the connected validators.
        power: Power,
        /// The voting power of all validators.
        total: Power,
    },
    /// No block was ever decided.
    #[error("no block yet")]
    NoBlock,
    /// No block was decided lately, or this node is behind.
    #[error("no progress: block {height} is {age_ms} ms old, more than {limit_ms} ms")]
    Stale {
        /// The last decided height.
        height: Height,
        /// Milliseconds since the block time, by this node's clock.
        age_ms: Millis,
        /// The age in milliseconds up to which there is progress.
        limit_ms: Millis,
    },
}

/// Checks that the validator makes progress.
pub(super) fn health(view: &View) -> Result<(), Unhealthy> {
    let ledger = &view.ledger;
    let power = view.power_present();
    if !ledger.validators.is_quorum(power) {
        return Err(Unhealthy::NoQuorum {
            power,
            total: ledger.validators.total(),
        });
    }

    // The time of the genesis says nothing about progress.
    if ledger.height == 0 {
        return Err(Unhealthy::NoBlock);
    }

    let age_ms = view.now.saturating_since(ledger.block_time);
    let limit_ms = PATIENCE.saturating_mul(view.max_block_interval);
    if age_ms > limit_ms {
        return Err(Unhealthy::Stale {
            height: ledger.height,
            age_ms,
            limit_ms,
        });
    }

    Ok(())
}

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    swarm: SwarmId,
    key: PublicKey,
    height: Height,
    block: BlockId,
    block_time: UnixMillis,
    round: Round,
    voting: Voting,
    pool: usize,
    peers: usize,
    validators: Vec<Member<'a>>,
    markets: Vec<Window<'a>>,
}

/// The field `voting`: `votes`; or `waits` with the height from which it votes; or `rejoining` with
/// the voting power that it heard, and the power of all, of which it needs more than two thirds.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Voting {
    Votes,
    Waits {
        from_height: Height,
    },
    Rejoining {
        power_heard: Power,
        power_total: Power,
    },
}

#[derive(Serialize)]
struct Member<'a> {
    key: PublicKey,
    power: Power,
    operator: &'a Label,
    connected: bool,
    benched: bool,
}

#[derive(Serialize)]
struct Window<'a> {
    market: &'a Label,
    number: u64,
    stage: Stage,
    opened: Option<Height>,
    closes_from: Option<ActiveMillis>,
    open_tasks: u64,
    live_bids: u64,
}

/// Renders the state of the node and its committee as one JSON object.
pub(super) fn render(view: &View) -> String {
    let ledger = &view.ledger;
    let members = ledger.validators.iter().map(|validator| Member {
        key: validator.key,
        power: validator.power,
        operator: &validator.operator,
        connected: view.present.contains(&validator.key),
        benched: ledger.benched.contains(&validator.key),
    });

    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        swarm: view.swarm,
        key: view.me,
        height: ledger.height,
        block: ledger.block,
        block_time: ledger.block_time,
        round: view.status.round,
        voting: view.status.standing.into(),
        pool: view.status.pool,
        peers: view.peers,
        validators: members.collect(),
        markets: ledger.windows.iter().map(Window::from).collect(),
    };

    // Only a map with keys that are not text, or a failing writer, could cause an error.
    serde_json::to_string(&status).unwrap_or_default() + "\n"
}

impl From<VotingStatus> for Voting {
    fn from(standing: VotingStatus) -> Self {
        match standing {
            VotingStatus::Votes => Self::Votes,
            VotingStatus::Waits(from_height) => Self::Waits { from_height },
            VotingStatus::Rejoins { heard, total } => Self::Rejoining {
                power_heard: heard,
                power_total: total,
            },
        }
    }
}

impl<'a> From<&'a WindowView> for Window<'a> {
    fn from(window: &'a WindowView) -> Self {
        Self {
            market: &window.market,
            number: window.number,
            stage: window.stage,
            opened: window.opened,
            closes_from: window.closes_from,
            open_tasks: window.open_tasks,
            live_bids: window.live_bids,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use quorate_types::{Validator, ValidatorSet};

    use super::*;
    use crate::monitor::tally::Tally;
    use crate::status::{LedgerSummary, ValidatorStatus};

    /// Builds a view of four validators of equal power, of which the first `present` are connected;
    /// blocks come at least every second.
    fn view(present: u8, height: Height, age_ms: Millis) -> View {
        let keys = || (0..4).map(|number| PublicKey([number; 32]));
        let operator: Label = "test".parse().unwrap();
        let member = |key| Validator {
            key,
            power: 1,
            operator: operator.clone(),
        };

        let ledger = LedgerSummary {
            height,
            block: BlockId::GENESIS,
            block_time: UnixMillis(100_000),
            validators: Arc::new(ValidatorSet::new(keys().map(member).collect()).unwrap()),
            benched: BTreeSet::new(),
            windows: Vec::new(),
        };

        View {
            me: PublicKey([0; 32]),
            swarm: SwarmId([7; 32]),
            max_block_interval: 1_000,
            started: UnixMillis::ZERO,
            now: UnixMillis(100_000) + age_ms,
            status: ValidatorStatus::default(),
            ledger: Arc::new(ledger),
            peers: 3,
            present: keys().take(present.into()).collect(),
            traffic: quorate_network::Counters::default(),
            tally: Tally::default(),
        }
    }

    #[test]
    fn health_needs_a_quorum_and_a_young_block() {
        let stale = Unhealthy::Stale {
            height: 9,
            age_ms: 3_001,
            limit_ms: 3_000,
        };
        for (present, height, age_ms, verdict) in [
            (4, 9, 0, Ok(())),
            (3, 9, 3_000, Ok(())),
            (3, 9, 3_001, Err(stale)),
            (4, 0, 0, Err(Unhealthy::NoBlock)),
            (2, 9, 0, Err(Unhealthy::NoQuorum { power: 2, total: 4 })),
            (2, 0, 9_999, Err(Unhealthy::NoQuorum { power: 2, total: 4 })),
        ] {
            assert_eq!(
                health(&view(present, height, age_ms)),
                verdict,
                "{present} {age_ms}"
            );
        }
        assert!(!stale.to_string().contains('\n'));
    }

    #[test]
    fn the_status_says_whether_it_votes() {
        for (standing, said) in [
            (VotingStatus::Votes, r#""voting":{"state":"votes"}"#),
            (
                VotingStatus::Waits(12),
                r#""voting":{"state":"waits","from_height":12}"#,
            ),
            (
                VotingStatus::Rejoins { heard: 2, total: 4 },
                r#""voting":{"state":"rejoining","power_heard":2,"power_total":4}"#,
            ),
        ] {
            let mut view = view(4, 9, 0);
            view.status.standing = standing;
            assert!(render(&view).contains(said), "{}", render(&view));
        }
    }
}
