//! The processes of a demonstration: they run this same program and report line by line.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::worker::Line;

/// A line that a process sent, or the news that it ended.
#[derive(Debug)]
pub(super) enum Heard {
    Line(Line),
    Ended,
}

/// A child process. It is killed when this value is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Whether it was killed on purpose.
    pub(super) killed: bool,
}

impl Process {
    /// Starts `quorate demo worker ROLE HOME`. Its standard error goes to `log`; the lines of its
    /// standard output go to `heard`, each with `index`.
    pub(super) fn start(
        role: &str,
        data_dir: &Path,
        log: &Path,
        index: usize,
        heard: mpsc::UnboundedSender<(usize, Heard)>,
    ) -> Result<Self> {
        let mut child = spawn(role, data_dir, log)?;
        let output = child
            .stdout
            .take()
            .context("the process has no standard output")?;

        tokio::spawn(hear(output, index, heard));
        Ok(Self {
            child,
            killed: false,
        })
    }

    /// Kills it without warning (SIGKILL), as a crash would.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.killed = true;
        self.child
            .kill()
            .await
            .context("kill a process of the demonstration")
    }

    /// Closes its input, so that it ends. It is killed if it has not ended after five seconds.
    pub(super) async fn stop(&mut self) {
        drop(self.child.stdin.take());

        let limit = std::time::Duration::from_secs(5);
        if tokio::time::timeout(limit, self.child.wait())
            .await
            .is_err()
        {
            // It did not react, and must not outlive the demonstration.
            let _ = self.child.kill().await;
        }
    }
}

fn spawn(role: &str, data_dir: &Path, log: &Path) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let file = std::fs::File::create(log).with_context(|| log.display().to_string())?;

    Command::new(&program)
        .args(["demo", "worker", role])
        .arg(data_dir)
        // It ends when its input closes: see `Process::stop`.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(file)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))
}

/// Hears a process until it closes its output.
async fn hear(output: ChildStdout, index: usize, heard: mpsc::UnboundedSender<(usize, Heard)>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        if let Ok(line) = serde_json::from_str(&text) {
            // Nobody receives it once the demonstration is over.
            let _ = heard.send((index, Heard::Line(line)));
        }
    }

    let _ = heard.send((index, Heard::Ended));
}
