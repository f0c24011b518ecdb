//! The task that writes the frames of one peer and lane, and reads which of them arrived.

use std::io;
use std::sync::Arc;

use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use libp2p::bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::queue::LaneQueue;
use super::{ACKNOWLEDGEMENT_BYTES, HEADER_BYTES};
use crate::config::Lane;
use crate::dialer::Backoff;
use crate::event_loop::{Command, Shared};
use crate::key::PeerKey;

/// Frames up to this many bytes are written and flushed together.
const BATCH_BYTES: usize = 64 * 1024;

/// Frames are copied behind their headers into one buffer up to this size; larger ones are
/// written from where they are.
const COPY_BYTES: usize = 16 * 1024;

/// Why a stream is written no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is a newer connection.
    Renewed,
    /// It failed, was ended by its peer or could not be opened.
    Failed,
}

/// Writes until the peer is forgotten or the network stops.
pub(crate) async fn run(shared: Arc<Shared>, to: PeerKey, lane: Lane, queue: Arc<LaneQueue>) {
    let stop = shared.stop.clone();
    let (batch, scratch) = (vec![], vec![]);
    let mut writer = Writer {
        shared,
        to,
        lane,
        queue,
        batch,
        scratch,
    };
    stop.run_until_cancelled_owned(writer.run()).await;
}

struct Writer {
    shared: Arc<Shared>,
    to: PeerKey,
    lane: Lane,
    queue: Arc<LaneQueue>,
    batch: Vec<Bytes>,
    scratch: Vec<u8>,
}

impl Writer {
    /// Opens a stream whenever frames wait and none is open, and pauses after a failure: longer
    /// each time, until frames arrive.
    async fn run(&mut self) {
        let mut backoff = Backoff::new(&self.shared.limits);
        while self.queue.ready().await {
            let arrived = self.queue.arrived();
            let end = match self.open().await {
                Some(stream) => self.use_stream(stream).await,
                None => End::Failed,
            };
            self.queue.retry();
            if self.queue.arrived() > arrived {
                backoff.reset();
            }
            if end == End::Failed {
                sleep(backoff.next()).await;
            }
        }
    }

    /// Asks for a stream; answered once the peer is connected, `None` if it could not be opened.
    async fn open(&self) -> Option<Stream> {
        let (reply, stream) = oneshot::channel();
        let command = Command::OpenStream {
            to: self.to,
            lane: self.lane,
            reply,
        };
        self.shared.commands.send(command).await.ok()?;
        stream.await.ok()
    }

    /// Writes frames and reads acknowledgements until either fails, there is a newer connection
    /// or the queue closes. The stream is dropped then, written to its end or not: what was not
    /// acknowledged is written again.
    async fn use_stream(&mut self, stream: Stream) -> End {
        self.shared.counters.lane(self.lane).streams_opened.count();
        let (receiver, sender) = stream.split();
        let queue = Arc::clone(&self.queue);
        let result = tokio::select! {
            biased;
            () = queue.renewed() => return End::Renewed,
            result = read_acknowledgements(receiver, &queue) => result,
            result = self.write_frames(sender) => result,
        };
        if let Err(error) = result {
            tracing::debug!(lane = self.lane.name(), %error, "stream failed");
        }
        End::Failed
    }

    /// Writes batches until the queue closes.
    async fn write_frames(&mut self, mut stream: WriteHalf<Stream>) -> io::Result<()> {
        while self.queue.ready().await {
            self.batch.clear();
            self.queue.take(&mut self.batch, BATCH_BYTES);
            self.write_batch(&mut stream).await?;
            self.count_batch();
        }
        stream.close().await
    }

    async fn write_batch(&mut self, stream: &mut WriteHalf<Stream>) -> io::Result<()> {
        self.scratch.clear();
        for frame in &self.batch {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most max_frame_bytes, a u32"
            )]
            self.scratch
                .extend_from_slice(&(frame.len() as u32).to_be_bytes());
            if self.scratch.len().saturating_add(frame.len()) <= COPY_BYTES + HEADER_BYTES {
                self.scratch.extend_from_slice(frame);
            } else {
                stream.write_all(&self.scratch).await?;
                self.scratch.clear();
                stream.write_all(frame).await?;
            }
        }
        stream.write_all(&self.scratch).await?;
        stream.flush().await
    }

    fn count_batch(&self) {
        let cells = self.shared.counters.lane(self.lane);
        cells.sent_frames.add(self.batch.len());
        cells
            .sent_bytes
            .add(self.batch.iter().map(Bytes::len).sum());
    }
}

/// Reads how many frames arrived, again and again, until the stream ends.
async fn read_acknowledgements(mut stream: ReadHalf<Stream>, queue: &LaneQueue) -> io::Result<()> {
    loop {
        let mut frames = [0; ACKNOWLEDGEMENT_BYTES];
        stream.read_exact(&mut frames).await?;
        if !queue.acknowledge(u32::from_be_bytes(frames)) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
