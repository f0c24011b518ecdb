//! One measurement: start, kill, floor, load, warm-up, count, stop.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::args::Args;
use crate::committee::Committee;
use crate::floor::Floor;
use crate::load::Load;
use crate::report::{BenchReport, Measured};
use crate::stage::BenchSetup;
use crate::system;

/// The time between two steps of the bar.
const STEP: Duration = Duration::from_millis(100);

pub(super) async fn measure(args: &Args, stage: &BenchSetup) -> Result<BenchReport> {
    let bar = bar(args)?;
    bar.set_message("validators start");
    let (tell, heights) = mpsc::unbounded_channel();
    let mut committee = Committee::start(args, stage, tell).await?;
    committee.kill(args.dead).await?;

    bar.set_message("floor");
    // The floor is measured before the load begins, while the committee is idle.
    let floor = Floor::measure(&stage.folder, args.transport).await?;

    let mut load = None;
    if !args.idle {
        bar.set_message("agents are admitted");
        load = Some(Load::start(args, stage, &committee.addresses(), heights).await?);
    }

    bar.set_message("warm-up");
    pass(&bar, args.warmup).await;
    bar.set_message("measuring");
    let measured = count(args, &mut committee, &bar).await?;

    if let Some(load) = load {
        load.stop().await;
    }

    committee.stop().await;
    bar.finish_and_clear();

    Ok(BenchReport::new(args, &floor, measured))
}

async fn count(args: &Args, committee: &mut Committee, bar: &ProgressBar) -> Result<Measured> {
    let own = std::process::id();
    let before = committee.usage()?;
    let load_before = system::cpu_time(own)?;

    let started = Instant::now();
    committee.begin().await?;
    pass(bar, args.duration).await;

    let elapsed = started.elapsed();
    // Usage is read first: the reports that `end` asks for take time, too.
    let after = committee.usage()?;
    let load_after = system::cpu_time(own)?;
    let sample = committee.end().await?;

    Ok(Measured {
        sample,
        elapsed,
        cpu: after.cpu.saturating_sub(before.cpu),
        load_cpu: load_after.saturating_sub(load_before),
        rss_bytes: after.rss_bytes,
    })
}

/// Lets time pass, and shows it on the bar.
async fn pass(bar: &ProgressBar, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        tokio::time::sleep(left.min(STEP)).await;
        bar.inc(u64::try_from(left.min(STEP).as_millis()).unwrap_or(0));
    }
}

/// Returns a bar on standard error, which shows only on a terminal.
fn bar(args: &Args) -> Result<ProgressBar> {
    let total = u64::try_from((args.warmup + args.duration).as_millis())?;
    let style = ProgressStyle::with_template("{bar:30} {elapsed_precise} {msg}")?;
    Ok(ProgressBar::new(total).with_style(style))
}
