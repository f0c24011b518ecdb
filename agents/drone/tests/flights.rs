//! Tests of drones that bid and fly, on a simulated clock.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use quorate_agent::{
    Agent, Award, CallForBids, LeaseControl, LeaseGuard, LeaseLost, TaskError, Timer,
};
use quorate_drone::{Behaviour, Drone, DroneConfig, DroneTask, Point, Track, Visit};
use quorate_types::cose::Owned;
use quorate_types::{ActiveMillis, Amounts, FencingToken, Hash, PublicKey, TaskId, TaskSpec};

/// A timer whose sleeps take no time and are added up.
#[derive(Default)]
struct Clock {
    micros: AtomicU64,
    /// The number of sleeps after which the lease is lost, with the control that loses it.
    patience: Mutex<Option<(u32, LeaseControl)>>,
}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut patience = self.patience.lock().unwrap();
        match patience.take() {
            Some((0, control)) => {
                control.lose();
                return futures::future::pending().boxed();
            }
            Some((left, control)) => *patience = Some((left - 1, control)),
            None => {}
        }
        self.micros
            .fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
        futures::future::ready(()).boxed()
    }
}

const HOME: Point = Point {
    lat: 53.54,
    lng: 10.0,
};

/// A point `metres` metres north of home.
fn north(metres: f64) -> Point {
    Point::new(HOME.lat + metres / 111_195.08, HOME.lng)
}

fn task(point: Point) -> DroneTask {
    let visit = Visit {
        point,
        service_s: 30,
        window: None,
    };
    DroneTask {
        id: "t".to_owned(),
        visit,
        demand_g: 0,
        then: Vec::new(),
    }
}

fn config() -> DroneConfig {
    DroneConfig {
        range_m: 5_000.0,
        speed_mps: 10.0,
        time_scale: 10.0,
        ..DroneConfig::new(HOME)
    }
}

fn spec(task: &DroneTask) -> TaskSpec {
    TaskSpec {
        payload: Owned(task.to_payload()),
        ..TaskSpec::new("drones".parse().unwrap())
    }
}

fn id() -> TaskId {
    TaskId {
        requester: PublicKey([1; 32]),
        number: 0,
    }
}

fn price(drone: &mut Drone, task: &DroneTask) -> Option<i64> {
    let spec = spec(task);
    let market = spec.market.clone();
    let call = CallForBids {
        market,
        window: 0,
        task: id(),
        spec,
        free: Amounts::new(),
    };
    block_on(drone.bid(&call)).map(|offer| offer.price)
}

/// Lets a drone do a task; after `lost_after` sleeps, if given, it loses the lease.
fn fly(drone: &mut Drone, task: &DroneTask, lost_after: Option<u32>) -> Result<Track, TaskError> {
    let clock = Arc::new(Clock::default());
    let (guard, control) = LeaseGuard::new(clock.clone());
    *clock.patience.lock().unwrap() = Some((lost_after.unwrap_or(u32::MAX), control));
    let award = Award {
        task: id(),
        spec: spec(task),
        token: FencingToken(1),
        price: 0,
        idempotency_key: Hash::ZERO,
        certificate: quorate_certificate::example().unwrap(),
        lease: Duration::from_secs(10),
        assigned_at: ActiveMillis::ZERO,
    };
    let outcome = block_on(drone.execute(award, guard))?;
    let track: Track = serde_json::from_slice(&outcome.detail).unwrap();
    let slept = clock.micros.load(Ordering::Relaxed) as f64 / 1e6;
    assert!(
        (slept * 10.0 - track.simulated_s).abs() < 0.2,
        "{slept} {track:?}"
    );
    assert!(outcome.detail.len() <= quorate_types::limits::RESULT_BYTES);
    Ok(track)
}

#[test]
fn the_price_is_the_flight_in_decimetres() {
    let mut drone = Drone::new(config());
    assert_eq!(price(&mut drone, &task(north(1_000.0))), Some(10_000));
    assert_eq!(price(&mut drone, &task(HOME)), Some(0));
}

#[test]
fn what_it_cannot_do_it_passes() {
    let late = Visit {
        window: Some((0, 50)),
        ..task(north(1_000.0)).visit
    };
    let table: &[(&str, DroneTask)] = &[
        ("no battery left to fly home", task(north(2_600.0))),
        (
            "too heavy",
            DroneTask {
                demand_g: 501,
                ..task(HOME)
            },
        ),
        (
            "too late",
            DroneTask {
                visit: late,
                ..task(HOME)
            },
        ),
        (
            "second visit out of range",
            DroneTask {
                then: vec![task(north(2_600.0)).visit],
                ..task(HOME)
            },
        ),
        ("nowhere", task(Point::new(91.0, 0.0))),
        (
            "negative",
            DroneTask {
                demand_g: -1,
                ..task(HOME)
            },
        ),
    ];
    for (why, task) in table {
        assert_eq!(price(&mut Drone::new(config()), task), None, "{why}");
    }
    let in_time = Visit {
        window: Some((0, 120)),
        ..task(north(1_000.0)).visit
    };
    let in_time = DroneTask {
        visit: in_time,
        ..task(HOME)
    };
    assert_eq!(price(&mut Drone::new(config()), &in_time), Some(10_000));
}

#[test]
fn a_flight_is_tracked_from_start_to_end() {
    let mut drone = Drone::new(config());
    let delivery = DroneTask {
        then: vec![task(HOME).visit],
        ..task(north(1_000.0))
    };
    let track = fly(&mut drone, &delivery, None).unwrap();
    assert_eq!(track.flown_m, 2_000.0);
    assert_eq!(track.start.point, HOME);
    assert!(track.arrival.point.distance_m(&north(1_000.0)) < 1.0);
    assert!(
        (95.0..=105.3).contains(&track.arrival.t),
        "{}",
        track.arrival.t
    );
    assert!((track.finished_s - 2.0 * track.arrival.t - 60.0).abs() < 0.5);
    assert!(track.path.is_sorted_by(|a, b| a.2 <= b.2));
    assert!(!track.battery_changed);
}

#[test]
fn it_changes_the_battery_when_it_must_and_goes_on_from_where_it_is() {
    let mut drone = Drone::new(config());
    fly(&mut drone, &task(north(2_000.0)), None).unwrap();
    // The battery is left with 3 km, which is not enough for 4.2 km south and the way home. But
    // home is near enough to change it.
    assert_eq!(price(&mut drone, &task(north(-2_200.0))), Some(42_000));
    let track = fly(&mut drone, &task(north(-2_200.0)), None).unwrap();
    assert!(track.battery_changed);
    assert!((track.flown_m - 4_200.0).abs() < 1.0);
    assert!(track.start.t > 200.0);
}

#[test]
fn it_waits_for_a_window_to_open() {
    let visit = Visit {
        window: Some((600, 900)),
        ..task(north(100.0)).visit
    };
    let track = fly(
        &mut Drone::new(config()),
        &DroneTask {
            visit,
            ..task(HOME)
        },
        None,
    )
    .unwrap();
    assert_eq!(track.finished_s, 630.0);
}

#[test]
fn it_stops_where_it_is_when_the_lease_is_lost() {
    let mut drone = Drone::new(config());
    let lost = fly(&mut drone, &task(north(1_600.0)), Some(4));
    assert_eq!(lost, Err(TaskError::LeaseLost(LeaseLost)));
    assert!(
        drone.position().distance_m(&north(800.0)) < 1.0,
        "{:?}",
        drone.position()
    );
}

#[test]
fn a_liar_claims_what_was_not_attested() {
    let camera = "thermal-camera".parse().unwrap();
    let behaviour = Behaviour::Liar { claims: camera };
    let config = DroneConfig {
        behaviour,
        ..config()
    };
    assert!(config.attested().labels.is_empty());
    let claimed = Drone::new(config.clone()).capabilities();
    assert_eq!(claimed.labels.len(), 1);
    assert_eq!(claimed.amounts, config.attested().amounts);
}

#[test]
fn a_payload_that_is_no_task_fails() {
    let mut drone = Drone::new(config());
    for payload in [
        "",
        "{}",
        r#"{"id":"x","lat":1}"#,
        r#"{"id":"x","lat":1,"lng":1e9}"#,
    ] {
        assert_eq!(
            DroneTask::from_payload(payload.as_bytes()),
            None,
            "{payload}"
        );
    }
    let nowhere = task(Point::new(91.0, 0.0));
    assert!(matches!(
        fly(&mut drone, &nowhere, None),
        Err(TaskError::Failed { .. })
    ));
}
