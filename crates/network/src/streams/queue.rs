//! The bounded queue between `Network::send` and the writer of a stream.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libp2p::bytes::Bytes;
use tokio::sync::Notify;

use crate::config::LaneLimits;

/// Frames for one peer on one lane, bounded in frames and bytes. Frames that were written and not
/// yet acknowledged count against the bounds, because they are written again if the stream fails.
#[derive(Debug, Default)]
pub(crate) struct LaneQueue {
    state: Lock<QueueState>,
    wake: Notify,
    renewed: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: VecDeque<Bytes>,
    unacknowledged: VecDeque<Bytes>,
    bytes: usize,
    arrived: u64,
    has_writer: bool,
    closed: bool,
}

/// The reason why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The frame is larger than its lane allows.
    TooLarge { bytes: usize, limit: u32 },
    /// The queue is at its limit of frames or bytes.
    Full,
    /// The peer is neither connected nor wanted any more.
    Closed,
}

impl LaneQueue {
    /// Takes a frame if there is room.
    pub(crate) fn push(&self, frame: Bytes, limits: &LaneLimits) -> Result<(), Refusal> {
        let bytes = frame.len();
        if u32::try_from(bytes).map_or(true, |bytes| bytes > limits.max_frame_bytes) {
            return Err(Refusal::TooLarge {
                bytes,
                limit: limits.max_frame_bytes,
            });
        }

        let mut state = self.state.lock();
        if state.closed {
            return Err(Refusal::Closed);
        }

        // Unacknowledged frames may have to be written again, so they take room too.
        let frames = state.waiting.len() + state.unacknowledged.len();
        if frames >= limits.queue_frames || bytes > limits.queue_bytes.saturating_sub(state.bytes) {
            return Err(Refusal::Full);
        }

        state.bytes += bytes;
        state.waiting.push_back(frame);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Returns whether the caller is the first to ask; if it is, it must start the one writer.
    pub(crate) fn claim_writer(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().has_writer, true)
    }

    /// Waits until a frame is there and returns true; returns false once the queue is closed. Only
    /// the one writer waits.
    pub(crate) async fn ready(&self) -> bool {
        loop {
            {
                // The lock must not be held while waiting.
                let state = self.state.lock();
                if state.closed || !state.waiting.is_empty() {
                    return !state.closed;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Tells the writer that its peer has a newer connection.
    pub(crate) fn renew(&self) {
        self.renewed.notify_one();
    }

    /// Waits until the peer has a newer connection than before.
    pub(crate) async fn renewed(&self) {
        self.renewed.notified().await;
    }

    /// Takes the oldest waiting frames for writing: one frame, and more while all stay within
    /// `max_bytes`. They are kept until acknowledged.
    pub(crate) fn take(&self, batch: &mut Vec<Bytes>, max_bytes: usize) {
        let mut state = self.state.lock();
        let mut total = 0_usize;
        while let Some(next) = state.waiting.front() {
            total = total.saturating_add(next.len());
            // At least one frame is taken, however long it is.
            if total > max_bytes && !batch.is_empty() {
                return;
            }

            batch.push(next.clone());
            let taken = state.waiting.pop_front();
            state.unacknowledged.extend(taken);
        }
    }

    /// Forgets the oldest taken frames, which arrived. Returns false if fewer frames were taken.
    #[must_use]
    pub(crate) fn acknowledge(&self, frames: u32) -> bool {
        let mut state = self.state.lock();
        let frames = frames as usize;
        if frames > state.unacknowledged.len() {
            return false;
        }

        let arrived: usize = state
            .unacknowledged
            .drain(..frames)
            .map(|frame| frame.len())
            .sum();

        state.bytes = state.bytes.saturating_sub(arrived);
        state.arrived = state.arrived.saturating_add(frames as u64);
        true
    }

    /// Returns the number of frames that arrived so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.state.lock().arrived
    }

    /// Puts the frames that were taken and not acknowledged back in front of all waiting frames.
    pub(crate) fn retry(&self) {
        let mut state = self.state.lock();
        let mut waiting = std::mem::take(&mut state.unacknowledged);
        waiting.append(&mut state.waiting);
        state.waiting = waiting;
    }

    /// Refuses frames from now on, ends the writer, and returns the number of frames that were not
    /// acknowledged.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state.lock();
        let dropped = state.waiting.len() + state.unacknowledged.len();

        // A closed queue still has its writer: `has_writer` stays, so that no second one is
        // started.
        *state = QueueState {
            has_writer: state.has_writer,
            closed: true,
            ..QueueState::default()
        };
        drop(state);
        self.wake.notify_one();
        dropped
    }
}

/// A mutex that is never held across an await and whose holders do not panic.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// Waits for the lock. Poison is ignored: every change under a lock is one assignment or leaves
    /// a valid value at each step.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: LaneLimits = LaneLimits {
        max_frame_bytes: 100,
        queue_frames: 8,
        queue_bytes: 300,
        inbound_bytes: 100,
    };

    /// One thing that the sender, the writer or the peer does.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(usize),
        Take(usize),
        Acknowledge(u32),
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..120_usize).prop_map(Step::Push),
            2 => (0..200_usize).prop_map(Step::Take),
            2 => (0..4_u32).prop_map(Step::Acknowledge),
            1 => Just(Step::Fail),
        ]
    }

    /// The frames that the queue accepted, and the numbers of those that arrived or are on their
    /// way.
    #[derive(Default)]
    struct Model {
        accepted: Vec<Bytes>,
        arrived: usize,
        taken: usize,
    }

    impl Model {
        fn apply(&mut self, step: Step, queue: &LaneQueue) {
            match step {
                Step::Push(length) => {
                    let frame = Bytes::from(vec![self.accepted.len() as u8; length]);
                    if queue.push(frame.clone(), &LIMITS).is_ok() {
                        self.accepted.push(frame);
                    }
                }
                Step::Take(max) => {
                    let mut batch = vec![];
                    queue.take(&mut batch, max);
                    let next = &self.accepted[self.taken..];
                    assert_eq!(batch, next[..batch.len()], "in order, nothing left out");
                    self.taken += batch.len();
                }
                Step::Acknowledge(frames) => {
                    let possible = self.arrived + frames as usize <= self.taken;
                    assert_eq!(queue.acknowledge(frames), possible);
                    self.arrived += if possible { frames as usize } else { 0 };
                }
                Step::Fail => {
                    queue.retry();
                    self.taken = self.arrived;
                }
            }
        }
    }

    proptest! {
        /// Accepted frames are taken in order until they are acknowledged, whichever step fails in
        /// between, and the queue never holds more than its limits.
        #[test]
        fn frames_keep_their_order_and_bounds(steps in prop::collection::vec(step(), 0..200)) {
            let (queue, mut model) = (LaneQueue::default(), Model::default());
            for step in steps {
                model.apply(step, &queue);
                let held = &model.accepted[model.arrived..];
                prop_assert!(held.len() <= LIMITS.queue_frames);
                prop_assert!(held.iter().map(Bytes::len).sum::<usize>() <= LIMITS.queue_bytes);
            }

            model.apply(Step::Fail, &queue);
            model.apply(Step::Take(usize::MAX), &queue);
            prop_assert_eq!(model.taken, model.accepted.len());
        }
    }

    #[test]
    fn each_bound_has_its_refusal() {
        let queue = LaneQueue::default();
        let push = |length: usize| queue.push(Bytes::from(vec![0; length]), &LIMITS);

        assert_eq!(
            push(101),
            Err(Refusal::TooLarge {
                bytes: 101,
                limit: 100
            })
        );

        assert_eq!((push(100), push(100), push(100)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(push(1), Err(Refusal::Full));

        assert_eq!(queue.close(), 3);
        assert_eq!(push(1), Err(Refusal::Closed));
    }

    #[test]
    fn a_batch_holds_one_frame_or_what_fits() {
        let queue = LaneQueue::default();
        for length in [90, 40, 40, 40] {
            queue.push(Bytes::from(vec![0; length]), &LIMITS).unwrap();
        }

        let lengths = |max| {
            let mut batch = vec![];
            queue.take(&mut batch, max);
            batch.iter().map(Bytes::len).collect::<Vec<_>>()
        };

        assert_eq!(lengths(80), [90]);
        assert_eq!(lengths(80), [40, 40]);
        assert_eq!(lengths(80), [40]);
        assert!(lengths(80).is_empty());
    }

    #[test]
    fn there_is_one_writer() {
        let queue = LaneQueue::default();
        assert!(queue.claim_writer());
        assert!(!queue.claim_writer());
    }
}
