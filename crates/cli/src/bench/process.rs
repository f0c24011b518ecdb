//! One validator as a process: started from this very program, told and heard line by line.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::sample::{Line, Progress};

/// A child that ends with this value at the latest.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// What it says, but for heights.
    lines: mpsc::UnboundedReceiver<Line>,
}

impl Process {
    /// Starts the validator of `home`; its log goes beside the folder. With `heights`, it says
    /// there what each height did.
    pub(super) fn start(
        home: &Path,
        heights: Option<mpsc::UnboundedSender<Progress>>,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("where this program is")?;
        let log = home.with_extension("log");
        let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;
        let mut child = Command::new(&program)
            .args(["bench", "worker"])
            .arg(home)
            .args(heights.iter().map(|_| "--tells"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            // An interrupt from the terminal is for the parent, which then stops its children.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().context("a child that ended at once")?;
        let output = child.stdout.take().context("a child without output")?;
        let (tell, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(text)) = output.next_line().await {
                // What nobody waits for any more may be lost.
                match (serde_json::from_str(&text), &heights) {
                    (Ok(Line::Height(progress)), Some(heights)) => drop(heights.send(progress)),
                    (Ok(line), _) => drop(tell.send(line)),
                    (Err(error), _) => tracing::warn!(%error, "a line that is none"),
                }
            }
        });
        Ok(Self { child, pid, lines })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The next thing it says, but for heights.
    pub(super) async fn hear(&mut self) -> Result<Line> {
        self.lines
            .recv()
            .await
            .context("a validator ended; --keep DIR keeps its log")
    }

    /// Tells it a line.
    pub(super) async fn tell(&mut self, order: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("a child without input")?;
        input
            .write_all(format!("{order}\n").as_bytes())
            .await
            .context("tell a validator")
    }

    /// Kills it without warning (SIGKILL), as a crash would.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("kill a validator")
    }

    /// Lets it end by itself: its input closes.
    pub(super) async fn stop(&mut self) {
        drop(self.child.stdin.take());
        let limit = std::time::Duration::from_secs(5);
        if tokio::time::timeout(limit, self.child.wait())
            .await
            .is_err()
        {
            // It did not listen; it must not outlive the measurement.
            let _ = self.child.kill().await;
        }
    }
}
