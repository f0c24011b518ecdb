//! The tasks that read frames into the queue of events, and acknowledge them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::Instrument;

use super::HEADER_BYTES;
use crate::config::{Lane, LaneLimits};
use crate::event::{MisbehaviourKind, NetworkEvent, Queued};
use crate::key::{self, PeerKey};
use crate::shared::Shared;

/// The least that a frame counts against the budget of its stream, in bytes, so that the number of
/// tiny frames is bounded too.
const MIN_COST: u32 = 1024;

/// If no further frame comes within this time, those that arrived are acknowledged.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(5);

/// The number of frames after which an acknowledgement is sent at once.
const ACKNOWLEDGE_FRAMES: u32 = 64;

/// The number of bytes after which an acknowledgement is sent at once.
const ACKNOWLEDGE_BYTES: usize = 256 * 1024;

/// The readers of all incoming streams, a few per peer and lane.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    running: BTreeMap<(PeerKey, Lane), VecDeque<AbortHandle>>,
}

impl Readers {
    /// Starts a reader. If the peer has too many readers on this lane, its oldest one ends.
    pub(crate) fn start(&mut self, reader: Reader, stream: Stream) {
        let running = self.running.entry((reader.from, reader.lane)).or_default();
        running.retain(|handle| !handle.is_finished());

        // The oldest stream ends, since it is the one whose connection is most likely dead.
        while running.len() >= reader.shared.limits.streams_per_lane.max(1) {
            let oldest = running.pop_front();
            oldest.inspect(AbortHandle::abort);
        }

        let tasks = reader.shared.tasks.clone();
        running.push_back(tasks.spawn(reader.run(stream)).abort_handle());
    }

    /// Forgets a peer that has no connection. Its readers end on their own, after the frames that
    /// had arrived.
    pub(crate) fn forget(&mut self, key: PeerKey) {
        for lane in Lane::ALL {
            self.running.remove(&(key, lane));
        }
    }
}

/// One incoming stream.
pub(crate) struct Reader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) events: mpsc::Sender<Queued>,
    pub(crate) from: PeerKey,
    pub(crate) lane: Lane,
}

/// A stream, with the count of frames and bytes that arrived on it and are not yet acknowledged.
struct Link {
    stream: Stream,
    frames: u32,
    bytes: usize,
}

/// The reason why a stream is read no further.
enum End {
    /// The stream ended or failed, or the consumer is gone.
    Closed,
    /// The peer broke a rule.
    Misbehaviour(MisbehaviourKind),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl Reader {
    async fn run(self, stream: Stream) {
        let stop = self.shared.stop.clone();
        let span = tracing::debug_span!(
            "reader",
            from = %key::short(&self.from),
            lane = self.lane.name()
        );
        stop.run_until_cancelled_owned(self.read_all(stream))
            .instrument(span)
            .await;
    }

    /// Reads frames until the stream ends, and reports the peer if it broke a rule.
    async fn read_all(self, stream: Stream) {
        let budget = Arc::new(Semaphore::new(budget(self.limits())));
        let mut link = Link {
            stream,
            frames: 0,
            bytes: 0,
        };

        let end = loop {
            if let Err(end) = self.read_frame(&mut link, &budget).await {
                break end;
            }
        };

        // The stream is closed before the report, so that the consumer finds the rule enforced.
        drop(link);
        if let End::Misbehaviour(kind) = end {
            self.shared.counters.lane(self.lane).streams_refused.count();
            let event = NetworkEvent::Misbehaviour {
                from: self.from,
                kind,
            };

            // A consumer that is gone needs no report.
            let _ = self.events.send(event.into()).await;
        }
    }

    async fn read_frame(&self, link: &mut Link, budget: &Arc<Semaphore>) -> Result<(), End> {
        let length = self.read_length(link).await?;
        // The budget bounds memory, so it is taken before the body is read. Its permit goes with
        // the event and is given back when the consumer takes it.
        let permit = take_budget(budget, length, self.limits()).await?;
        let bytes = self.read_body(link, length).await?;

        let cells = self.shared.counters.lane(self.lane);
        cells.received_frames.count();
        cells.received_bytes.add(bytes.len());

        let event = NetworkEvent::Frame {
            from: self.from,
            lane: self.lane,
            bytes,
        };
        let queued = Queued {
            event,
            _permit: Some(permit),
        };

        self.events.send(queued).await.map_err(|_| End::Closed)?;
        self.note_arrival(link, length).await
    }

    /// Reads and checks a length prefix. A stream may be silent here for as long as it likes.
    async fn read_length(&self, link: &mut Link) -> Result<u32, End> {
        let mut header = [0; HEADER_BYTES];
        let mut filled = 0;
        while filled < HEADER_BYTES {
            filled += self
                .read_some(link, header.get_mut(filled..).unwrap_or_default())
                .await?;
        }

        let bytes = u32::from_be_bytes(header);
        if bytes > self.limits().max_frame_bytes {
            let kind = MisbehaviourKind::OversizedFrame {
                lane: self.lane,
                bytes,
            };
            return Err(End::Misbehaviour(kind));
        }

        Ok(bytes)
    }

    /// Reads the bytes that are there. If nothing comes for a while, acknowledges first and waits.
    async fn read_some(&self, link: &mut Link, buffer: &mut [u8]) -> Result<usize, End> {
        if link.frames > 0 {
            match timeout(ACKNOWLEDGE_AFTER, link.stream.read(buffer)).await {
                Ok(read) => return some_bytes(read?),
                Err(_) => self.acknowledge(link).await?,
            }
        }
        some_bytes(link.stream.read(buffer).await?)
    }

    async fn read_body(&self, link: &mut Link, length: u32) -> Result<Vec<u8>, End> {
        // Zeroed pages are only backed by memory once bytes arrive in them.
        let mut bytes = vec![0; length as usize];
        let reading = link.stream.read_exact(&mut bytes);
        let Ok(read) = timeout(self.shared.limits.frame_timeout, reading).await else {
            return Err(End::Misbehaviour(MisbehaviourKind::StalledFrame {
                lane: self.lane,
            }));
        };

        read?;
        Ok(bytes)
    }

    async fn note_arrival(&self, link: &mut Link, length: u32) -> Result<(), End> {
        link.frames += 1;
        link.bytes = link.bytes.saturating_add(length as usize);
        if link.frames >= ACKNOWLEDGE_FRAMES || link.bytes >= ACKNOWLEDGE_BYTES {
            self.acknowledge(link).await?;
        }
        Ok(())
    }

    /// Sends an acknowledgement. A peer that does not read its acknowledgements loses the stream in
    /// the end.
    async fn acknowledge(&self, link: &mut Link) -> Result<(), End> {
        let frames = std::mem::take(&mut link.frames).to_be_bytes();
        link.bytes = 0;

        let writing = async {
            link.stream.write_all(&frames).await?;
            link.stream.flush().await
        };

        let written = timeout(self.shared.limits.frame_timeout, writing).await;
        Ok(written.map_err(|_| End::Closed)??)
    }

    fn limits(&self) -> &LaneLimits {
        self.shared.limits.lane(self.lane)
    }
}

/// Turns a read of nothing into an end, since it means that the stream has ended.
fn some_bytes(read: usize) -> Result<usize, End> {
    if read == 0 {
        Err(End::Closed)
    } else {
        Ok(read)
    }
}

/// Returns the budget of one stream in bytes; one frame of the largest size always fits.
fn budget(limits: &LaneLimits) -> usize {
    let least = limits.max_frame_bytes.max(MIN_COST) as usize;
    limits.inbound_bytes.clamp(least, Semaphore::MAX_PERMITS)
}

async fn take_budget(
    budget: &Arc<Semaphore>,
    length: u32,
    limits: &LaneLimits,
) -> Result<OwnedSemaphorePermit, End> {
    let most = limits.max_frame_bytes.max(MIN_COST);
    let cost = length.clamp(MIN_COST, most);

    Arc::clone(budget)
        .acquire_many_owned(cost)
        .await
        .map_err(|_| End::Closed)
}
