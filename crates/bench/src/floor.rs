//! The floor: the least time from proposal to commit that the protocol allows, measured on this
//! machine in this run.
//!
//! The help of `quorate bench` defines it.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_crypto::{SecretKey, verify_statement};
use quorate_network::{Lane, Multiaddr, Network, NetworkConfig, NetworkEvent, NetworkEvents};
use quorate_types::{BlockId, Hash, Kind, Statement, SwarmId};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::args::Transport;
use crate::quantiles::{rank, round};

/// Bytes of a vote, as a frame and as a record.
const BYTES: usize = 300;
/// Round trips that are measured, after as many that are not.
const ROUND_TRIPS: usize = 1000;
/// Appends and signatures that are measured.
const REPETITIONS: usize = 200;
/// The longest wait for anything that the two endpoints do.
const LIMIT: Duration = Duration::from_secs(10);

/// The medians of the parts, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Floor {
    /// One way on a long-lived stream: half a round trip.
    hop_us: f64,
    /// Appending with `fdatasync`.
    append_us: f64,
    /// Making the signature of a vote.
    sign_us: f64,
    /// Checking the signature of a vote.
    verify_us: f64,
}

impl Floor {
    /// Measures all parts. The committee must be idle meanwhile.
    pub(super) async fn measure(folder: &Path, transport: Transport) -> Result<Self> {
        let hop_us = round(hop(transport).await? / 2.0);
        let append_us = append(folder)?;
        let (sign_us, verify_us) = signatures()?;

        Ok(Self {
            hop_us,
            append_us,
            sign_us,
            verify_us,
        })
    }

    /// Returns the milliseconds from proposal to commit with this many validators of equal power.
    pub(super) fn commit_ms(&self, validators: u64) -> f64 {
        let quorum = validators * 2 / 3 + 1;
        let checks = 1 + 2 * (quorum - 1);

        let us = 3.0 * self.hop_us
            + 4.0 * self.append_us
            + 3.0 * self.sign_us
            + checks as f64 * self.verify_us;

        round(us / 1000.0)
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hop_us,
            append_us,
            sign_us,
            verify_us,
        } = self;

        write!(
            f,
            "hop {hop_us:.0}, append {append_us:.0}, sign {sign_us:.0}, "
        )?;
        write!(f, "check {verify_us:.0} us")
    }
}

/// Returns the median round trip between two endpoints, in microseconds.
async fn hop(transport: Transport) -> Result<f64> {
    let (near, mut near_events) = endpoint(1, transport)?;
    let (far, mut far_events) = endpoint(2, transport)?;
    let peer = far.local_key();

    let address = listening(&mut far_events).await?;
    let echo = tokio::spawn(echo(far.clone(), far_events));
    near.add_peer(peer, vec![address]).await?;

    let mut times = Vec::with_capacity(2 * ROUND_TRIPS);
    // The first half warms the stream up; its times are dropped below.
    for _ in 0..2 * ROUND_TRIPS {
        let started = Instant::now();
        near.send(&peer, Lane::Consensus, vec![7; BYTES])?;
        let returned = timeout(LIMIT, frame(&mut near_events)).await;
        returned.context("a frame was lost")??;

        times.push(started.elapsed());
    }

    near.shutdown().await;
    far.shutdown().await;
    echo.abort();

    Ok(median_us(times.split_off(ROUND_TRIPS)))
}

/// Waits for the address at which an endpoint listens.
async fn listening(events: &mut NetworkEvents) -> Result<Multiaddr> {
    loop {
        match timeout(LIMIT, events.recv())
            .await
            .context("no socket could be bound")?
        {
            Some(NetworkEvent::Listening(address)) => return Ok(address),
            Some(_) => {}
            None => bail!("the network stopped"),
        }
    }
}

/// Sends every frame back to where it came from.
async fn echo(network: Network, mut events: NetworkEvents) {
    while let Some(event) = events.recv().await {
        if let NetworkEvent::Frame { from, lane, bytes } = event {
            // The other end may be gone already.
            let _ = network.send(&from, lane, bytes);
        }
    }
}

fn endpoint(seed: u8, transport: Transport) -> Result<(Network, NetworkEvents)> {
    let mut config = NetworkConfig::new([seed; 32], "floor");
    config.listen = vec![transport.any_port()?];
    Ok(quorate_network::start(config)?)
}

async fn frame(events: &mut NetworkEvents) -> Result<()> {
    loop {
        match events.recv().await {
            Some(NetworkEvent::Frame { .. }) => return Ok(()),
            Some(_) => {}
            None => bail!("the network stopped"),
        }
    }
}

/// Returns the median durable append to a file in `folder`, in microseconds.
fn append(folder: &Path) -> Result<f64> {
    let path = folder.join("floor");
    let name = || path.display().to_string();
    let mut file = std::fs::File::create(&path).with_context(name)?;
    let mut times = Vec::with_capacity(REPETITIONS);

    for _ in 0..REPETITIONS {
        let started = Instant::now();
        file.write_all(&[7; BYTES])
            .and_then(|()| file.sync_data())
            .with_context(name)?;
        times.push(started.elapsed());
    }

    std::fs::remove_file(&path).with_context(name)?;
    Ok(median_us(times))
}

/// Returns the medians of signing a vote and of checking its signature, in microseconds.
fn signatures() -> Result<(f64, f64)> {
    let key = SecretKey::from_seed(&[7; 32]);
    let mut signing = Vec::with_capacity(REPETITIONS);
    let mut checking = Vec::with_capacity(REPETITIONS);

    for height in 1..=REPETITIONS as u64 {
        let vote = precommit(height);
        let started = Instant::now();
        let signed = key.sign_statement(vote).into_inner();
        signing.push(started.elapsed());

        let started = Instant::now();
        verify_statement(signed).context("a fresh signature does not verify")?;
        checking.push(started.elapsed());
    }

    Ok((median_us(signing), median_us(checking)))
}

fn precommit(height: u64) -> Statement {
    Statement {
        swarm: SwarmId([7; 32]),
        height,
        round: 0,
        kind: Kind::Precommit,
        block: Some(BlockId([7; 32])),
        validators: Hash([7; 32]),
        pol_round: None,
    }
}

fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    rank(&times, 50).map_or(0.0, |time| round(time.as_secs_f64() * 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_three_hops_four_appends_and_the_signatures_of_two_quorums() {
        let floor = Floor {
            hop_us: 1000.0,
            append_us: 100.0,
            sign_us: 10.0,
            verify_us: 1.0,
        };
        assert_eq!(floor.commit_ms(4), 3.435, "quorum of 3: 5 checks");
        assert_eq!(floor.commit_ms(7), 3.439, "quorum of 5: 9 checks");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_part_takes_time() {
        let folder = tempfile::tempdir().unwrap();
        let floor = Floor::measure(folder.path(), Transport::Tcp).await.unwrap();
        let parts = [
            floor.hop_us,
            floor.append_us,
            floor.sign_us,
            floor.verify_us,
        ];
        assert!(parts.iter().all(|part| *part > 0.0), "{floor:?}");
        assert!(!folder.path().join("floor").exists());
    }
}
