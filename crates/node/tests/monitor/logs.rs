//! A line of the log says whose it is.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing_subscriber::EnvFilter;

use crate::LIMIT;
use crate::swarm::Swarm;

/// The lines of all validators of this process: they log on threads of their own.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn log() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for a line that holds all of these texts.
async fn line_with(texts: &[&str]) -> String {
    let search = async {
        loop {
            let text = String::from_utf8_lossy(&log()).into_owned();
            let found = text
                .lines()
                .find(|line| texts.iter().all(|text| line.contains(text)));
            if let Some(line) = found {
                return line.to_owned();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, search).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_names_its_validator_and_the_height_in_progress() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("quorate_node=debug"))
        .with_ansi(false)
        .with_writer(|| Log)
        .init();

    let swarm = Swarm::of(1);
    let validator = swarm.start().await.unwrap();
    let key = format!("validator{{key={}}}", validator.public_key().short());

    let recovered = line_with(&[&key, "recovered"]).await;
    assert!(!recovered.contains("height{"), "{recovered}");

    // The event of this line says nothing of a height.
    line_with(&[&key, ":height{height=", "round=", "listening"]).await;
    line_with(&[&key, ":height{height=", "round=", "committed"]).await;

    validator.shutdown().await.unwrap();
}
