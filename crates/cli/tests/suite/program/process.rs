//! A running `quorate` process and the lines that it prints.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::quorate;

/// The longest time that a test waits for a line or for the end of a process.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that is killed, at the latest, when its test ends.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts `quorate` with these arguments. Its standard error goes to the file `log` in the
    /// folder.
    pub fn start(folder: &Path, arguments: &[&str], log: &str) -> Self {
        let log = std::fs::File::create(folder.join(log)).unwrap();
        let mut command = quorate(folder);
        command.args(arguments).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Waits for the next line that begins with `start` and returns the rest of that line.
    pub fn wait_for(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LIMIT).unwrap();
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Waits until the process ends without a signal; returns the lines still unread and its exit
    /// code.
    pub fn finish(mut self) -> (Vec<String>, Option<i32>) {
        let next = || match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(error) => panic!("the process does not end: {error}"),
        };
        let lines = std::iter::from_fn(next).collect();
        (lines, self.end())
    }

    /// Asks the process to end with SIGTERM and returns its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.end()
    }

    fn end(&mut self) -> Option<i32> {
        for _ in 0..LIMIT.as_millis() / 20 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("process {} does not end", self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either the process has ended already, or the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
