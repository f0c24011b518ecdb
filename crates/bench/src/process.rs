//! One validator as a process: it runs this same program, takes orders and reports, line by line.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::sample::{HeightProgress, Line};

/// A child process. It is killed when this value is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// The lines that it reports, except for heights.
    lines: mpsc::UnboundedReceiver<Line>,
}

impl Process {
    /// Starts the validator of `data_dir`; its log is written beside that folder. With `heights`,
    /// it reports every height, and the reports are sent there.
    pub(super) fn start(
        data_dir: &Path,
        heights: Option<mpsc::UnboundedSender<HeightProgress>>,
    ) -> Result<Self> {
        let mut child = spawn(data_dir, heights.iter().map(|_| "--tells"))?;
        let pid = child.id().context("the process ended at once")?;
        let output = child
            .stdout
            .take()
            .context("the process has no standard output")?;

        let (tell, lines) = mpsc::unbounded_channel();
        tokio::spawn(pass_on(output, tell, heights));
        Ok(Self { child, pid, lines })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the next line that it reports, except for heights.
    pub(super) async fn hear(&mut self) -> Result<Line> {
        self.lines
            .recv()
            .await
            .context("a validator ended unexpectedly; --out DIR keeps its log")
    }

    /// Waits for the first line that it reports, and returns the first address at which it listens.
    pub(super) async fn hear_address(&mut self) -> Result<String> {
        let Line::Ready { addresses } = self.hear().await? else {
            bail!("a validator did not begin with its addresses");
        };

        addresses
            .into_iter()
            .next()
            .context("a validator has no address")
    }

    /// Sends it an order.
    pub(super) async fn tell(&mut self, order: &str) -> Result<()> {
        let input = self
            .child
            .stdin
            .as_mut()
            .context("the process has no standard input")?;
        input
            .write_all(format!("{order}\n").as_bytes())
            .await
            .context("tell a validator")
    }

    /// Kills it without warning (SIGKILL), as a crash would.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("kill a validator")
    }

    /// Closes its input, so that it ends. It is killed if it has not ended after five seconds.
    pub(super) async fn stop(&mut self) {
        drop(self.child.stdin.take());

        let limit = std::time::Duration::from_secs(5);
        if tokio::time::timeout(limit, self.child.wait())
            .await
            .is_err()
        {
            // It did not react, and must not outlive the measurement.
            let _ = self.child.kill().await;
        }
    }
}

/// Starts `quorate bench worker DATA_DIR` with these options.
fn spawn(data_dir: &Path, options: impl Iterator<Item = &'static str>) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let log = data_dir.with_extension("log");
    let file = std::fs::File::create(&log).with_context(|| log.display().to_string())?;

    Command::new(&program)
        .args(["bench", "worker"])
        .arg(data_dir)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(file)
        // An interrupt from the terminal is for the parent, which then stops its children.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))
}

/// Passes on the lines of a process until it closes its output: heights to `heights` if it is
/// given, everything else to `tell`.
async fn pass_on(
    output: ChildStdout,
    tell: mpsc::UnboundedSender<Line>,
    heights: Option<mpsc::UnboundedSender<HeightProgress>>,
) {
    let mut output = BufReader::new(output).lines();
    while let Ok(Some(text)) = output.next_line().await {
        // A line that nobody waits for any more may be lost.
        match (serde_json::from_str(&text), &heights) {
            (Ok(Line::Height(progress)), Some(heights)) => drop(heights.send(progress)),
            (Ok(line), _) => drop(tell.send(line)),
            (Err(error), _) => tracing::warn!(%error, "a validator sent a broken line"),
        }
    }
}
