//! Tests of the report of a demo run: it is complete, it is safe with hostile names, and the same
//! run always gives the same page.
//!
//! The pages of the sample runs stay in Cargo's folder for temporary files, for a look by eye.

mod sample;

use std::path::Path;

use quorate_demo::report::{DemoReport, Ended, GeoPoint, Trading};

#[test]
fn the_same_report_gives_the_same_page() {
    let page = sample::run().to_html();
    assert!(page == sample::run().to_html());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    std::fs::write(&file, &page).unwrap();
}

#[test]
fn a_report_survives_json() {
    for report in [sample::run(), sample::trading()] {
        let json = serde_json::to_string_pretty(&report).unwrap();
        assert!(serde_json::from_str::<DemoReport>(&json).unwrap() == report);
    }
}

#[test]
fn the_page_asks_for_nothing() {
    let page = sample::run().to_html() + &sample::trading().to_html();
    for forbidden in [
        "<script", "http://", "https://", "url(", "@import", " src=", " href=", "//",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// Markup in place of a name: it would leave the text or the attribute that the name stands in.
const ATTACK: &str = "\"'><script>alert(1)</script>&";

#[test]
fn names_from_the_run_stay_text() {
    let mut flown = sample::run();
    attack_run(&mut flown);
    let mut traded = sample::trading();
    attack_run(&mut traded);
    attack_day(traded.trading.as_mut().unwrap());

    for report in [flown, traded] {
        let page = report.to_html();
        assert!(!page.contains("<script"));
        assert!(!page.contains("alert(1)</script>"));
        assert!(page.contains("&quot;'&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"));
        // No name is escaped in part.
        assert_eq!(
            page.matches("alert(1)").count(),
            page.matches("&quot;'&gt;&lt;script").count()
        );
    }
}

/// Replaces each text of a run that comes from outside.
fn attack_run(report: &mut DemoReport) {
    report.title = ATTACK.to_owned();
    report.swarm_id = ATTACK.to_owned();
    report.fingerprint = ATTACK.to_owned();
    report.started = ATTACK.to_owned();
    report.certificate_dir = ATTACK.to_owned();
    report.trust_root = ATTACK.to_owned();
    for validator in &mut report.validators {
        (validator.name, validator.key) = (ATTACK.to_owned(), ATTACK.to_owned());
    }
    for agent in &mut report.agents {
        (agent.name, agent.key) = (ATTACK.to_owned(), ATTACK.to_owned());
    }
    for height in &mut report.heights {
        height.builder = ATTACK.to_owned();
    }
    for refusal in &mut report.refusals {
        (refusal.agent, refusal.task) = (ATTACK.to_owned(), ATTACK.to_owned());
        (refusal.name, refusal.text) = (ATTACK.to_owned(), ATTACK.to_owned());
        refusal.certificate = Some(ATTACK.to_owned());
    }
    for task in &mut report.tasks {
        task.id = ATTACK.to_owned();
        task.requires = vec![ATTACK.to_owned()];
        for award in &mut task.assignments {
            (award.agent, award.certificate) = (ATTACK.to_owned(), ATTACK.to_owned());
        }
    }
}

/// Replaces each text of a day of trading that comes from outside.
fn attack_day(day: &mut Trading) {
    day.bars
        .iter_mut()
        .for_each(|bar| bar.time = ATTACK.to_owned());
    day.orders
        .iter_mut()
        .for_each(|order| order.name = ATTACK.to_owned());
    day.orders
        .iter_mut()
        .for_each(|order| order.schedule = ATTACK.to_owned());
    day.mechanisms
        .iter_mut()
        .for_each(|found| found.mechanism = ATTACK.to_owned());
    for fill in &mut day.fills {
        (fill.slice, fill.maker) = (ATTACK.to_owned(), ATTACK.to_owned());
        (fill.mechanism, fill.certificate) = (ATTACK.to_owned(), ATTACK.to_owned());
    }
    for names in [&mut day.ring, &mut day.silent, &mut day.over_credit] {
        names.iter_mut().for_each(|name| *name = ATTACK.to_owned());
    }
}

#[test]
fn every_fact_of_the_run_is_on_the_page() {
    let report = sample::run();
    let page = report.to_html();
    for task in &report.tasks {
        assert!(page.contains(&task.id), "{}", task.id);
        for award in &task.assignments {
            assert!(page.contains(&award.certificate), "{}", award.certificate);
        }
    }
    for fact in [
        "<b>drone-3</b> is killed in flight",
        "<b>validator-2</b> is killed",
        "of <b>drone-3</b> lapsed",
        "awarded again, under a higher fencing token",
        "of <b>drone-7</b> refused",
        "400 capability_not_attested",
        "quorate audit verify certificates/* --trust trust-root.json",
        "drone-3 killed",
        ">r1<",
    ] {
        assert!(page.contains(fact), "{fact}");
    }
}

#[test]
fn every_fact_of_a_day_of_trading_is_on_the_page() {
    let report = sample::trading();
    let page = report.to_html();
    let trading = report.trading.as_ref().unwrap();
    for fill in &trading.fills {
        assert!(
            page.contains(&fill.slice) && page.contains(&fill.certificate),
            "{fill:?}"
        );
    }
    for fact in [
        "4 validators, 8 traders",
        "9900<small>/10000</small>",
        "<b>mcafee</b> resists better: collusion cost 0.12 bps",
        "2.36 bps under <b>second-price</b>",
        "302 budget_exceeded",
        "407 unopened",
        "colludes",
        "aria-label=\"Bars, fills and slippage\"",
    ] {
        assert!(page.contains(fact), "{fact}");
    }
    assert!(!page.contains("Who flew what") && !page.contains("drones killed"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trading.html");
    std::fs::write(&file, &page).unwrap();
}

#[test]
fn a_certificate_that_did_not_verify_is_marked() {
    let mut report = sample::run();
    assert!(!report.to_html().contains("<li class=\"warn\"><b>"));
    report.summary.certificates_verified -= 1;
    assert!(report.to_html().contains("<li class=\"warn\"><b>"));
}

/// Extreme data must cause no panic, and no coordinate that a browser refuses.
#[test]
fn strange_runs_are_drawn_too() {
    let nothing = DemoReport {
        validators: Vec::new(),
        agents: Vec::new(),
        tasks: Vec::new(),
        heights: Vec::new(),
        refusals: Vec::new(),
        duration_ms: 0,
        ..sample::run()
    };
    let mut nowhere = sample::run();
    nowhere
        .tasks
        .iter_mut()
        .for_each(|task| task.place.as_mut().unwrap().lat = f64::NAN);
    nowhere
        .agents
        .iter_mut()
        .for_each(|agent| agent.home.as_mut().unwrap().lng = f64::INFINITY);
    let mut poles = sample::run();
    for (number, task) in poles.tasks.iter_mut().enumerate() {
        let lat = if number % 2 == 0 { 90.0 } else { -90.0 };
        task.place = Some(GeoPoint { lat, lng: 180.0 });
    }
    let mut endless = sample::run();
    endless.duration_ms = u64::MAX;
    endless.tasks[0].assignments[0].ended = Ended::Held;
    endless.tasks[0].assignments[0].ended_at_ms = None;
    let mut dull = sample::trading();
    let day = dull.trading.as_mut().unwrap();
    day.bars.truncate(1);
    day.fills.clear();
    let mut closed = sample::trading();
    closed.trading.as_mut().unwrap().bars.clear();
    for report in [nothing, nowhere, poles, endless, dull, closed] {
        let page = report.to_html();
        assert!(page.ends_with("</html>\n"));
        for number in ["NaN", "inf,", "inf\""] {
            assert!(!page.contains(number), "{number}");
        }
    }
}

#[test]
fn a_drone_that_flew_nowhere_flew_no_negative_distance() {
    let mut report = sample::run();
    report.agents[0].path.clear();
    let page = report.to_html();
    assert!(page.contains("0.0 km") && !page.contains("-0.0 km"));
}
