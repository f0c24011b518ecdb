//! Benchmark of the exact assignment beside the crates `lapjv` and `pathfinding`, with sides from
//! 100 to 2000.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use quorate_peers::instances;
use quorate_peers::solvers::{NAMES, Prepared};

/// The largest side for pathfinding, which takes minutes beyond.
const PATHFINDING_SIDE: usize = 500;

fn assignment(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assignment");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300));
    for instance in instances::all(&[100, 200, 500, 1000, 2000]) {
        for solver in NAMES {
            if solver == "pathfinding" && instance.side > PATHFINDING_SIDE {
                continue;
            }
            let prepared = Prepared::new(solver, &instance);
            let id = BenchmarkId::new(solver, &instance.name);
            group.bench_with_input(id, &prepared, |bencher, prepared| {
                bencher.iter(|| black_box(prepared.solve()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, assignment);
criterion_main!(benches);
