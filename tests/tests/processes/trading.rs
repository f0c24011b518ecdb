//! Tests of `quorate demo trading`: its summary is right, makers that misbehave sell nothing, and
//! the folder that it leaves is complete for an auditor.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use quorate_tests::certificates::audit;
use quorate_tests::host::Host;
use quorate_tests::process::{Log, Process, tail};
use quorate_tests::{Checked, repository};
use serde_json::Value;

/// The number of bars that are traded.
const BARS: u64 = 3;

#[test]
fn a_morning_is_traded_and_the_run_folder_holds_by_itself() -> Checked {
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path())?;
    let mut demo = Process::start(&mut demo(&host)?, &host.log("demo"))?;
    let ended = demo.wait_for_end()?;
    assert!(ended.success(), "{ended}; {}", tail(&host.log("demo")));
    let summary = Log::new(&host.log("demo"))
        .new_objects()?
        .pop()
        .ok_or("there is no summary")?;

    check_summary(&summary)?;
    check_certificates(&host, &summary)?;
    check_report(&host)
}

/// The command that runs the demo on the first bars and keeps its folder in `run`.
fn demo(host: &Host) -> Checked<Command> {
    let bars = repository::root()
        .join("examples/trading/day.csv")
        .display()
        .to_string();
    let folder = host.path("run").display().to_string();
    let take = BARS.to_string();
    host.quorate(&[
        "demo", "trading", "--bars", &bars, "--out", &folder, "--take", &take, "--json",
    ])
}

/// Checks the documented names of the summary, and the relations between their values. M-3: bids
/// beyond the attested credit are refused (302); `refused_over_credit` counts them.
fn check_summary(summary: &Value) -> Checked {
    let number = |name: &str| {
        summary[name]
            .as_u64()
            .ok_or_else(|| format!("{name}: {summary}"))
    };
    assert_eq!(number("bars")?, BARS);
    assert_eq!(number("completed")?, number("fills")?);
    assert_eq!(
        number("completed")? + number("canceled")?,
        number("tasks")?,
        "{summary}"
    );
    for name in [
        "fills",
        "defaults",
        "refused_over_credit",
        "refused_bids",
        "heights",
        "auctions",
    ] {
        assert!(number(name)? > 0, "{name}: {summary}");
    }
    assert_eq!(number("certificates")?, number("certificates_verified")?);
    assert_eq!(number("auctions")?, number("auctions_replayed")?);
    assert_eq!(summary["faults"], Value::Array(Vec::new()));
    for name in ["slippage_bps", "collusion_cost"] {
        assert!(summary[name].is_number(), "{name}: {summary}");
    }
    let mechanisms = summary["mechanisms"].as_array().ok_or("no mechanisms")?;
    let names: Vec<&str> = mechanisms
        .iter()
        .filter_map(|found| found["mechanism"].as_str())
        .collect();
    assert_eq!(names, ["mcafee", "second-price"]);
    assert!(
        mechanisms
            .iter()
            .all(|found| found["collusion_cost"].is_i64()),
        "{summary}"
    );
    Ok(())
}

/// Verifies the certificates and replays the auctions in a process that has only the genesis.
fn check_certificates(host: &Host, summary: &Value) -> Checked {
    let path = |name: &str| host.path(summary[name].as_str().unwrap_or("nothing"));
    let (certificates, genesis) = (path("certificate_dir"), path("trust_root"));
    let certified = audit(host, &certificates, &genesis)?;
    assert_eq!(
        Some(certified.len() as u64),
        summary["certificates_verified"].as_u64()
    );
    let (certificates, genesis) = (
        certificates.display().to_string(),
        genesis.display().to_string(),
    );
    let output = host
        .quorate(&["audit", "replay", &certificates, "--trust", &genesis])?
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(())
}

/// Checks that makers that were silent or bid over their credit sold nothing, and that a browser
/// fetches nothing else for the page.
fn check_report(host: &Host) -> Checked {
    let report: Value = serde_json::from_str(&fs::read_to_string(host.path("run/report.json"))?)?;
    let trading = &report["trading"];
    let names = |list: &str| -> BTreeSet<&str> {
        trading[list]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let fills = trading["fills"].as_array().ok_or("no fills")?;
    let sellers: BTreeSet<&str> = fills
        .iter()
        .filter_map(|fill| fill["maker"].as_str())
        .collect();
    assert_eq!(names("ring").len(), 2);
    assert!(
        !names("silent").is_empty() && names("silent").is_disjoint(&sellers),
        "{sellers:?}"
    );
    assert!(names("over_credit").is_disjoint(&sellers), "{sellers:?}");
    for fill in fills {
        let paid = fill["paid"].as_i64().ok_or("a fill without payment")?;
        assert!(fill["charged"].as_i64() >= Some(paid), "{fill}");
    }
    let page = fs::read_to_string(host.path("run/report.html"))?;
    assert!(page.contains("Prices and fills") && page.contains("</html>"));
    for outside in [
        "src=\"",
        "href=\"http",
        "@import",
        "url(http",
        "<link",
        "fetch(",
    ] {
        assert!(!page.contains(outside), "the report holds `{outside}`");
    }
    Ok(())
}
