//! Coverage: the lines of Algorithm 1 that the scenario tables reach.
//!
//! [`note`] collects the rules that the drivers of the current thread applied. The report replays
//! the tables in its own thread, so that tests which run beside it change nothing.

use std::cell::Cell;
use std::collections::BTreeMap;

use quorate_consensus::{Driver, Rule, RuleSet};

use crate::harness::{Shows, play};
use crate::{cometbft, malachite_driver, malachite_quint};

const LINES: u8 = 67;

/// Lines that do not belong to a rule, and where they are done instead.
const ELSEWHERE: [(std::ops::RangeInclusive<u8>, &str); 2] = [
    (
        1..=10,
        "by a new driver and its first input, in every scenario",
    ),
    (52..=54, "by nobody: the next height is another driver"),
];

thread_local! {
    static FIRED: Cell<RuleSet> = Cell::default();
}

/// Notes the rules that a driver of this thread has applied.
pub fn note(driver: &Driver) {
    FIRED.set(FIRED.get().union(driver.rules_fired()));
}

#[test]
fn the_scenarios_reach_every_line_of_algorithm_1() {
    let tables = [
        cometbft::SCENARIOS,
        malachite_driver::SCENARIOS,
        malachite_quint::SCENARIOS,
    ];
    let mut reached: BTreeMap<Rule, Vec<&str>> = BTreeMap::new();
    for (title, shows) in tables.into_iter().flatten() {
        for rule in rules_of(title, shows).iter() {
            reached.entry(rule).or_default().push(title);
        }
    }
    report(&reached);
    let rules: Vec<Rule> = Rule::ALL
        .into_iter()
        .filter(|r| !reached.contains_key(r))
        .collect();
    let lines: Vec<u8> = (1..=LINES)
        .filter(|line| count(*line, &reached) == Some(0))
        .collect();
    assert!(
        rules.is_empty() && lines.is_empty(),
        "not reached: lines {lines:?}, rules {rules:?}"
    );
}

fn rules_of(title: &str, shows: &Shows) -> RuleSet {
    FIRED.take();
    play(title, shows);
    FIRED.take()
}

fn report(reached: &BTreeMap<Rule, Vec<&str>>) {
    println!("rule                lines                           scenarios  for example");
    for rule in Rule::ALL {
        let titles = reached.get(&rule).map_or(&[][..], Vec::as_slice);
        let example = titles.first().unwrap_or(&"");
        let name = format!("{rule:?}");
        let lines = rule
            .lines()
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        println!("{name:<18}  {lines:<30}  {:>9}  {example}", titles.len());
    }
    println!("\nlines    executed (each scenario once for each of its rules)");
    let mut line = 1;
    while line <= LINES {
        let same = |other: &u8| {
            count(*other, reached) == count(line, reached) && elsewhere(*other) == elsewhere(line)
        };
        let last = (line..=LINES).take_while(same).last().unwrap_or(line);
        let times = count(line, reached).map_or("-".to_owned(), |count| count.to_string());
        println!(
            "L{line}-L{last:<4} {times:>5}  {}",
            elsewhere(line).unwrap_or("")
        );
        line = last + 1;
    }
}

/// The number of times that a line was executed; `None` if it does not belong to a rule.
fn count(line: u8, reached: &BTreeMap<Rule, Vec<&str>>) -> Option<usize> {
    let rules = Rule::ALL
        .into_iter()
        .filter(|rule| rule.lines().contains(&line));
    let counts = rules.map(|rule| reached.get(&rule).map_or(0, Vec::len));
    elsewhere(line).is_none().then(|| counts.sum())
}

fn elsewhere(line: u8) -> Option<&'static str> {
    ELSEWHERE
        .iter()
        .find(|(lines, _)| lines.contains(&line))
        .map(|(_, place)| *place)
}

#[test]
fn a_script_notes_exactly_the_rules_it_applies() {
    let script = "start                  -> enter 0, timer 0 propose
                  proposal 0 A           -> check A
                  valid A                -> prevote 0 A
                  prevote 0 A by 0 1     -> polka 0 A, precommit 0 A";
    let found: Vec<Rule> = rules_of("three rules", &Shows::Script(Some(3), script))
        .iter()
        .collect();
    assert_eq!(
        found,
        [Rule::FollowRound, Rule::PrevoteProposal, Rule::Lock]
    );
}
