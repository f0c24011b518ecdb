//! A sample of the data that a demo run leaves: 100 tasks; 8 drones, of which one is killed and one
//! lies; 4 validators, of which one is killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use quorate_demo::report::{
    Agent, Assignment, Bar, Collusion, DemoReport, Ended, Fill, GeoPoint, Height, Mechanism, Order,
    Refusal, Stop, Summary, Task, TaskState, Trading, Validator,
};

const TASKS: usize = 100;
const DRONES: usize = 8;
/// The index of the drone that claims a camera nobody attested.
const LIAR: usize = 6;
/// The index of the drone that is killed in flight.
const KILLED: usize = 2;
// Times are in milliseconds since the start of the run.
const AWARDED_AT: u64 = 2_400;
const KILLED_AT: u64 = 12_300;
const LAPSED_AT: u64 = 18_400;
const AGAIN_AT: u64 = 19_100;
const DURATION: u64 = 36_700;

pub fn run() -> DemoReport {
    let mut random = Random(7);
    let homes: Vec<GeoPoint> = (0..DRONES)
        .map(|_| near(&mut random, 0.012, 0.02))
        .collect();
    let mut tasks = mission(&mut random, &homes);
    (0..DRONES).for_each(|drone| fly(&mut tasks, drone, homes[drone]));
    reassign(&mut tasks, &homes);
    let agents: Vec<Agent> = (0..DRONES)
        .map(|number| drone(number, &homes, &tasks))
        .collect();
    let heights = heights(&mut random);
    let refusals = refusals(&tasks);
    let awards = tasks.iter().map(|task| task.assignments.len() as u64).sum();
    DemoReport {
        title: "Bridges of Hamburg".to_owned(),
        swarm_id: "9f3b2c61d07e4a55b8c1f2e3d4a5968778695a4b3c2d1e0f9f3b2c61d07e4a55".to_owned(),
        fingerprint: "KLOR-7QXM-2VTA-91DE".to_owned(),
        started: "2026-03-14T09:26:53Z".to_owned(),
        duration_ms: DURATION,
        certificate_dir: "certificates".to_owned(),
        trust_root: "trust-root.json".to_owned(),
        summary: Summary {
            tasks: TASKS as u64,
            completed: TASKS as u64,
            reassigned: awards - TASKS as u64,
            refused_bids: refusals.len() as u64,
            killed_drones: Some(1),
            killed_validators: 1,
            heights: heights.len() as u64,
            certificates: awards,
            certificates_verified: awards,
            auctions: 9,
            auctions_replayed: 9,
        },
        validators: validators(),
        agents,
        tasks,
        heights,
        refusals,
        trading: None,
    }
}

/// The same run, as if its drones had been market makers and each task a slice of an order.
pub fn trading() -> DemoReport {
    let mut report = run();
    report.summary.killed_drones = None;
    report.agents.iter_mut().for_each(|agent| agent.home = None);
    report
        .agents
        .iter_mut()
        .for_each(|agent| agent.path.clear());
    report.tasks.iter_mut().for_each(|task| task.place = None);
    let fill = |(number, task): (usize, &Task)| Fill {
        slice: task.id.clone(),
        order: "pension".to_owned(),
        bar: number % BARS,
        market: "slices-vickrey".to_owned(),
        mechanism: if number % 2 == 0 {
            "second-price"
        } else {
            "mcafee"
        }
        .to_owned(),
        maker: task.assignments[0].agent.clone(),
        quantity: 100,
        benchmark: 1_000_000,
        charged: 100_000_000 + number as i64 * 1_000,
        paid: 100_000_000,
        slippage_ppm: number as i64 * 10,
        certificate: task.assignments[0].certificate.clone(),
    };
    report.trading = Some(Trading {
        source: "day.csv".to_owned(),
        bars: (0..BARS).map(bar).collect(),
        orders: vec![Order {
            name: "pension".to_owned(),
            schedule: "even".to_owned(),
            limit_ppm: 900,
            quantity: 10_000,
            bought: 9_900,
            charged: 9_910_000_000,
            slippage_ppm: 495,
        }],
        fills: report.tasks.iter().enumerate().map(fill).collect(),
        mechanisms: vec![mechanism("mcafee", 12), mechanism("second-price", 236)],
        ring: vec![name(0), name(1)],
        silent: vec![name(KILLED)],
        over_credit: vec![name(LIAR)],
    });
    report
}

const BARS: usize = 26;

fn bar(number: usize) -> Bar {
    let open = 1_000_000 + number as i64 * 300;
    let (high, low, close) = (open + 900, open - 700, open + 200);
    Bar {
        time: format!("{number}:00"),
        open,
        high,
        low,
        close,
        benchmark: open + 100,
    }
}

fn mechanism(name: &str, cost_ppm: i64) -> Mechanism {
    Mechanism {
        market: format!("slices-{name}"),
        mechanism: name.to_owned(),
        slices: 60,
        filled: 50,
        value: 5_000_000_000,
        charged: 5_004_000_000,
        paid: 5_003_000_000,
        slippage_ppm: 800,
        collusion: Some(Collusion {
            auctions: 26,
            cost: 7,
            cost_ppm,
            ..Collusion::default()
        }),
    }
}

/// A xorshift64* generator, so that the sample looks scattered and is always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.below(10_000) as f64 / 10_000.0
    }
}

/// A place near the middle of Hamburg, at most `lat` and `lng` degrees away from it.
fn near(random: &mut Random, lat: f64, lng: f64) -> GeoPoint {
    let (north, east) = (random.between(-lat, lat), random.between(-lng, lng));
    GeoPoint {
        lat: rounded(53.545 + north),
        lng: rounded(9.99 + east),
    }
}

/// Rounds to six decimals, as in mission files.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

fn name(number: usize) -> String {
    format!("drone-{}", number + 1)
}

/// The rough distance in hundred-thousandths of a degree.
fn distance(a: GeoPoint, b: GeoPoint) -> i64 {
    ((a.lat - b.lat).hypot((a.lng - b.lng) * 0.6) * 100_000.0) as i64
}

/// Scatters tasks over a city and awards each to the drone in whose sector it lies.
fn mission(random: &mut Random, homes: &[GeoPoint]) -> Vec<Task> {
    (0..TASKS)
        .map(|number| {
            let place = near(random, 0.045, 0.095);
            let angle = ((place.lat - 53.545) / 0.6).atan2(place.lng - 9.99);
            let turn = angle / std::f64::consts::TAU + 0.5;
            let drone = ((turn * DRONES as f64) as usize).min(DRONES - 1);
            let id = format!("bridge-{:03}", number + 1);
            let camera = number % 3 == 0;
            let requires = if camera {
                vec!["camera".to_owned()]
            } else {
                Vec::new()
            };
            let price = distance(place, homes[drone]);
            let assignments = vec![award(&id, drone, 1, price)];
            Task {
                id,
                place: Some(place),
                requires,
                state: TaskState::Completed,
                assignments,
            }
        })
        .collect()
}

fn award(task: &str, drone: usize, token: u64, price: i64) -> Assignment {
    Assignment {
        agent: name(drone),
        token,
        price,
        at_ms: AWARDED_AT,
        height: 4,
        certificate: format!("{task}-{token}.cbor"),
        ended: Ended::Completed,
        ended_at_ms: None,
    }
}

/// Lets a drone do its tasks: it holds three at a time and always flies to the nearest one left.
fn fly(tasks: &mut [Task], drone: usize, home: GeoPoint) {
    let (mut at, mut now) = (home, AWARDED_AT);
    let mut ends = vec![AWARDED_AT; 3];
    loop {
        let mine = tasks.iter_mut().filter(|task| {
            task.assignments[0].agent == name(drone) && task.assignments[0].ended_at_ms.is_none()
        });
        let Some(next) = mine.min_by_key(|task| distance(task.place.unwrap(), at)) else {
            return;
        };
        let place = next.place.unwrap();
        now += 900 + distance(place, at).unsigned_abs() / 2;
        at = place;
        let held_since = ends[ends.len() - 3];
        let award = &mut next.assignments[0];
        award.at_ms = held_since + 150;
        award.height = 4 + (held_since - AWARDED_AT) / 650;
        award.ended_at_ms = Some(now);
        ends.push(now);
    }
}

/// Gives the tasks that the killed drone did not complete to its neighbours.
fn reassign(tasks: &mut [Task], homes: &[GeoPoint]) {
    let mut number = 0;
    for task in tasks {
        let first = &mut task.assignments[0];
        if first.agent != name(KILLED) || first.ended_at_ms < Some(KILLED_AT) {
            continue;
        }
        number += 1;
        let drone = if number % 2 == 0 {
            KILLED - 1
        } else {
            KILLED + 1
        };
        let (token, at_ms) = if first.at_ms < KILLED_AT {
            first.ended = Ended::Lapsed;
            first.ended_at_ms = Some(LAPSED_AT);
            (2, AGAIN_AT)
        } else {
            task.assignments.clear();
            (1, KILLED_AT + 900 * number)
        };
        let price = distance(task.place.unwrap(), homes[drone]);
        task.assignments.push(Assignment {
            at_ms,
            height: 31,
            ended_at_ms: Some(at_ms + 2_500 + 1_700 * (number / 2)),
            ..award(&task.id, drone, token, price)
        });
    }
}

fn drone(number: usize, homes: &[GeoPoint], tasks: &[Task]) -> Agent {
    let mut path: Vec<Stop> = Vec::new();
    for task in tasks {
        for award in &task.assignments {
            if award.agent == name(number) && award.ended == Ended::Completed {
                let t_ms = award.ended_at_ms.unwrap_or(DURATION);
                path.push(Stop {
                    place: task.place.unwrap(),
                    t_ms,
                    task: Some(task.id.clone()),
                });
            }
        }
    }
    path.sort_by_key(|stop| stop.t_ms);
    let tasks_done = path.len() as u64;
    let killed = number == KILLED;
    if killed {
        let from = path.last().map_or(homes[number], |stop| stop.place);
        let place = GeoPoint {
            lat: rounded(from.lat - 0.006),
            lng: rounded(from.lng - 0.009),
        };
        path.push(Stop {
            place,
            t_ms: KILLED_AT,
            task: None,
        });
    }
    Agent {
        name: name(number),
        key: format!("{:064x}", 0x1234_5678_9abc_u64 * (number as u64 + 3)),
        home: Some(homes[number]),
        killed_at_ms: killed.then_some(KILLED_AT),
        liar: number == LIAR,
        tasks_done,
        path,
    }
}

fn validators() -> Vec<Validator> {
    (1..=4_u64)
        .map(|number| Validator {
            name: format!("validator-{number}"),
            key: format!("{:064x}", 0xfeed_beef_u64 * number),
            killed_at_ms: (number == 2).then_some(21_500),
        })
        .collect()
}

fn heights(random: &mut Random) -> Vec<Height> {
    let mut time_ms = 600;
    (1..=46_u64)
        .map(|height| {
            let mut builder = height % 4 + 1;
            let passed_over = builder == 2 && time_ms > 21_500;
            if passed_over {
                builder = 3;
                time_ms += 700;
            }
            time_ms += 350 + random.below(600);
            Height {
                height,
                round: u64::from(passed_over),
                time_ms,
                builder: format!("validator-{builder}"),
                operations: 1 + random.below(if height % 7 == 3 { 130 } else { 22 }),
                outcomes: random.below(14),
            }
        })
        .collect()
}

fn refusals(tasks: &[Task]) -> Vec<Refusal> {
    let wanted = tasks
        .iter()
        .filter(|task| !task.requires.is_empty())
        .take(3);
    wanted
        .zip([3_100, 3_900, 4_700])
        .map(|(task, at_ms)| Refusal {
            agent: name(LIAR),
            task: task.id.clone(),
            at_ms,
            code: 400,
            name: "capability_not_attested".to_owned(),
            text: "No valid attestation gives the agent a required label.".to_owned(),
            certificate: Some(format!("refused-{}.cbor", task.id)),
        })
        .collect()
}
