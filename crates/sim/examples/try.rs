//! Try seeds.
use quorate_sim::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let from: u64 = args[1].parse().unwrap();
    let to: u64 = args[2].parse().unwrap();
    let profile = Profile::ALL.into_iter().find(|p| p.name() == args[3]).unwrap();
    let started = std::time::Instant::now();
    let (mut heights, mut steps) = (0, 0);
    for seed in from..to {
        let mut simulation = Simulation::new(profile.plan(seed, Size::default())).unwrap();
        if args.len() > 4 {
            simulation = simulation.traced(|line| println!("{line}"));
        }
        if args.len() > 5 {
            while simulation.violations().is_empty() && simulation.step() {}
            for v in simulation.world().validators() {
                println!("{} height {:?}", v.index(), v.replica().map(|r| (r.height(), r.round())));
                for n in v.disk().names() {
                    println!("  {n} {}", v.disk().contents(&n).map_or(0, |c| c.len()));
                }
            }
            continue;
        }
        let report = simulation.run();
        heights += report.heights;
        steps += report.steps;
        println!(
            "{seed} {} h={} tasks={} assigned={} done={} ms={} steps={} {:?}",
            &report.digest[..8],
            report.heights,
            report.committed_tasks,
            report.assignments,
            report.completed_tasks,
            report.simulated_ms,
            report.steps,
            report.faults
        );
        for v in &report.violations {
            println!("{v}");
            for l in &report.last {
                println!("  {l}");
            }
        }
    }
    let s = started.elapsed().as_secs_f64();
    println!("{heights} heights {steps} steps in {s:.2} s: {:.0} heights/s", heights as f64 / s);
}
