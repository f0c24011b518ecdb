//! A requester that has tasks done, again and again, until it is told to stop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use quorate_tests::Checked;
use quorate_tests::certificates::text;
use quorate_tests::host::Host;
use quorate_tests::process::{Log, tail};
use quorate_tests::wait::{self, LIMIT};

/// The number of tasks of one submission.
const TASKS: &str = "3";

/// The requester, on a thread of its own. It ends when it is dropped.
pub struct Traffic {
    /// Tells the thread to end after the current submission.
    finish: Arc<AtomicBool>,
    /// Tells the thread to end at once.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Checked<BTreeSet<String>>>>,
}

impl Traffic {
    /// Starts to submit from the folder `desk` of a host; certificates go to `certificates`.
    pub fn start(host: &Host) -> Checked<Self> {
        let (finish, stop) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (host, told) = (host.clone(), (Arc::clone(&finish), Arc::clone(&stop)));
        let thread = std::thread::spawn(move || {
            let mut tasks = BTreeSet::new();
            for number in 0.. {
                if told.0.load(Ordering::Relaxed) || told.1.load(Ordering::Relaxed) {
                    break;
                }
                tasks.append(&mut submit(&host, number, &told.1)?);
            }
            Ok(tasks)
        });
        Ok(Self {
            finish,
            stop,
            thread: Some(thread),
        })
    }

    /// Fails if the requester has ended: unless it is told to, it ends only because of an error.
    pub fn expect_well(&self) -> Checked {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if ended {
            Err("the requester gave up; see the last submit-*.log".into())
        } else {
            Ok(())
        }
    }

    /// Lets the current submission end, and returns all tasks, each of which was completed.
    pub fn finish(mut self) -> Checked<BTreeSet<String>> {
        self.finish.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or("it has ended before")?;
        thread.join().map_err(|_| "the requester panicked")?
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The test has failed already for another reason, so this result does not matter.
            let _ = thread.join();
        }
    }
}

/// Has a few tasks done, and returns them.
fn submit(host: &Host, number: usize, stop: &AtomicBool) -> Checked<BTreeSet<String>> {
    let log = format!("submit-{number}");
    let what = [
        "submit",
        "desk",
        "--payload",
        "shout this",
        "--tasks",
        TASKS,
    ];
    let how = ["--json", "--out", "certificates", "--timeout", "100s"];
    let mut process = host.start(&log, &[&what[..], &how].concat())?;
    let mut lines = Log::new(&host.log(&log));
    let ended = wait::until(LIMIT, "a submission to end", || {
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".into());
        }
        process.ended()
    })?;
    if !ended.success() {
        return Err(format!("{ended}; {}", tail(&host.log(&log))).into());
    }
    let mut completed = BTreeSet::new();
    for event in lines
        .new_objects()?
        .iter()
        .filter(|event| event["event"] == "completed")
    {
        assert_eq!(event["detail"], "SHOUT THIS");
        completed.insert(text(&event["task"])?);
    }
    Ok(completed)
}
