//! Tests of sealed markets in the simulator, from commitment to award.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate_sim::Simulation;
use quorate_sim::scenario::Scenario;

/// A swarm whose only agent is cut off while its commitment should be opened.
const CUT: &str = r#"
name = "Cut off between commitment and opening"
heights = 30
heal_at = "8s"
patience = "60s"

[[validators]]
name = "site"
count = 4

[[agents]]
name = "maker"
work = "300ms"

[market]
mechanism = "second-price"
window = "300ms"
reveal = "500ms"

[[tasks]]
from = "2s"

[links]
regions = ["plant"]
round_trip_ms = [[6]]

[[faults]]
kind = "agent-cut"
at = "2150ms"
lasts = "1200ms"
agents = ["maker"]
"#;

/// Nobody tells the agent when its bar is over. It must find out, since without its bid no window
/// would ever clear again.
#[test]
fn m27_who_defaulted_commits_again_when_its_bar_is_over() {
    let plan = Scenario::parse(CUT).unwrap().plan(5, None).unwrap();
    let report = Simulation::new(plan).unwrap().run();
    assert!(report.holds(), "{:?}", report.violations);
    // One commitment is not opened, one comes while the agent is barred, one is opened.
    let count = |what: &str| report.outcomes.get(what).copied().unwrap_or(0);
    assert_eq!(
        (count("refused"), count("sealed"), count("completed")),
        (2, 3, 1)
    );
}
