//! Formats numbers and lists for people.

use std::collections::BTreeMap;
use std::fmt::Display;

use quorate_sim::Waits;
use quorate_types::Millis;

/// A line of a summary: a name, and what there is to say about it.
pub(super) fn line(name: &str, what: &str) -> String {
    format!("  {name:<12} {what}")
}

/// Counts by name, in one line.
pub(super) fn counts<Name: Display>(counts: &BTreeMap<Name, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let parts = counts
        .iter()
        .map(|(name, count)| format!("{name} {}", thousands(*count)));
    parts.collect::<Vec<_>>().join(", ")
}

/// A number of things, in the plural unless there is one.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// A number with a comma between every three digits.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();

    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The rate of `number` things in `elapsed_ms`, per second.
pub(super) fn rate(number: u64, elapsed_ms: Millis) -> u64 {
    number.saturating_mul(1000) / elapsed_ms.max(1)
}

/// Simulated time, and the real time that it took.
pub(super) fn pace(simulated_ms: Millis, elapsed_ms: Millis) -> String {
    let seconds = |ms: Millis| format!("{}.{} s", thousands(ms / 1000), ms % 1000 / 100);
    format!(
        "{} in {} of real time",
        seconds(simulated_ms),
        seconds(elapsed_ms)
    )
}

/// How long tasks waited: half of them, 95 % of them, and all.
pub(super) fn waits(waits: &Waits) -> String {
    if waits.count == 0 {
        return "no task was".to_owned();
    }

    let seconds = |ms: Millis| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let [half, most, all] = [waits.p50_ms, waits.p95_ms, waits.max_ms].map(seconds);
    format!(
        "{half} for half of {}, {most} for 95 %, {all} at most",
        count(waits.count, "task")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_things_counted() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(
            (count(1, "task"), count(0, "task")),
            ("1 task".into(), "0 tasks".into())
        );
        assert_eq!(pace(23_450, 1_001), "23.4 s in 1.0 s of real time");
    }
}
