//! Tests of market makers that quote and sell.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use quorate_agent::{Agent, Award, CallForBids, LeaseGuard, TaskError, Timer};
use quorate_trader::{CREDIT, Fill, MakerConfig, MarketMaker, Slice};
use quorate_types::cose::Owned;
use quorate_types::{ActiveMillis, Amounts, FencingToken, Hash, PublicKey, TaskId, TaskSpec};

/// A timer whose sleeps never end.
struct Never;

impl Timer for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        futures::future::pending().boxed()
    }
}

fn config() -> MakerConfig {
    MakerConfig {
        venue: "venue.lit".parse().unwrap(),
        credit: 1_000,
        claims: None,
        cost_ppm: 500,
        noise_ppm: 0,
        padding_ppm: 0,
        seed: 7,
    }
}

/// A slice of 100 units at a benchmark of 100.00.
fn slice(bar: usize) -> Slice {
    let (id, order) = ("s".to_owned(), "o".to_owned());
    Slice {
        id,
        order,
        bar,
        quantity: 100,
        benchmark: 1_000_000,
    }
}

fn spec(payload: Vec<u8>, max_price: Option<i64>) -> TaskSpec {
    TaskSpec {
        payload: Owned(payload),
        max_price,
        ..TaskSpec::new("slices".parse().unwrap())
    }
}

fn id() -> TaskId {
    TaskId {
        requester: PublicKey([1; 32]),
        number: 0,
    }
}

fn quote(config: MakerConfig, spec: TaskSpec) -> Option<i64> {
    let market = spec.market.clone();
    let call = CallForBids {
        market,
        window: 0,
        task: id(),
        spec,
        free: Amounts::new(),
    };
    block_on(MarketMaker::new(config).bid(&call)).map(|offer| offer.price)
}

fn sell(spec: TaskSpec) -> Result<Fill, TaskError> {
    let (guard, _control) = LeaseGuard::new(Arc::new(Never));
    let award = Award {
        task: id(),
        spec,
        token: FencingToken(1),
        price: 100_070_000,
        idempotency_key: Hash::ZERO,
        certificate: quorate::certificate::example().unwrap(),
        lease: Duration::from_secs(1),
        assigned_at: ActiveMillis::ZERO,
    };
    let outcome = block_on(MarketMaker::new(config()).execute(award, guard))?;
    Ok(Fill::from_detail(&outcome.detail).unwrap())
}

#[test]
fn an_honest_maker_asks_what_it_costs() {
    assert_eq!(
        quote(config(), spec(slice(0).to_payload(), None)),
        Some(100_050_000)
    );
}

#[test]
fn a_padded_quote_lies_above_the_cost() {
    let padded = MakerConfig {
        padding_ppm: 1_000,
        ..config()
    };
    assert_eq!(padded.cost(&slice(0)), 100_050_000);
    assert_eq!(
        quote(padded, spec(slice(0).to_payload(), None)),
        Some(100_150_050)
    );
}

#[test]
fn it_passes_what_is_no_slice_or_is_to_cost_less() {
    let payload = slice(0).to_payload();
    assert_eq!(
        quote(config(), spec(payload.clone(), Some(100_050_000))),
        Some(100_050_000)
    );
    assert_eq!(quote(config(), spec(payload, Some(100_049_999))), None);
    assert_eq!(quote(config(), spec(b"{}".to_vec(), None)), None);
}

#[test]
fn costs_go_up_and_down_within_their_bounds_and_are_the_same_again() {
    let noisy = MakerConfig {
        noise_ppm: 200,
        ..config()
    };
    let costs: Vec<i64> = (0..100).map(|bar| noisy.cost(&slice(bar))).collect();
    assert_eq!(
        costs,
        (0..100)
            .map(|bar| noisy.cost(&slice(bar)))
            .collect::<Vec<_>>()
    );
    assert!(
        costs
            .iter()
            .all(|cost| (100_030_000..=100_070_000).contains(cost))
    );
    assert!(costs.iter().any(|cost| *cost < 100_040_000));
    assert!(costs.iter().any(|cost| *cost > 100_060_000));
}

#[test]
fn it_claims_what_was_attested_or_more_and_is_attested_no_claims() {
    let credit = CREDIT.parse().unwrap();
    let claims = MakerConfig {
        claims: Some(5_000),
        ..config()
    };
    assert_eq!(
        MarketMaker::new(config()).capabilities(),
        config().attested()
    );
    assert_eq!(
        MarketMaker::new(claims.clone()).capabilities().get(&credit),
        5_000
    );
    assert_eq!(claims.attested().get(&credit), 1_000);
    assert!(claims.attested().labels.contains(&claims.venue));
}

#[test]
fn a_fill_says_what_was_paid() {
    let fill = sell(spec(slice(3).to_payload(), None)).unwrap();
    assert_eq!(
        fill,
        Fill {
            id: "s".to_owned(),
            quantity: 100,
            paid: 100_070_000
        }
    );
    assert!(matches!(
        sell(spec(Vec::new(), None)),
        Err(TaskError::Failed { .. })
    ));
}
