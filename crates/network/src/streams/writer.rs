//! The task that writes the frames of one peer and lane, and reads how many of them arrived.

use std::io;
use std::sync::Arc;

use futures::io::{ReadHalf, WriteHalf};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use libp2p::bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::Instrument;

use super::queue::LaneQueue;
use super::{ACKNOWLEDGEMENT_BYTES, HEADER_BYTES};
use crate::command::Command;
use crate::config::Lane;
use crate::dialer::Backoff;
use crate::key::{self, PeerKey};
use crate::shared::Shared;

/// The number of bytes up to which frames are written and flushed together.
const BATCH_BYTES: usize = 64 * 1024;

/// The number of bytes up to which frames are copied behind their headers into one buffer. Larger
/// frames are written directly.
const COPY_BYTES: usize = 16 * 1024;

/// The reason why a stream is written no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is a newer connection, on which a new stream will be opened.
    Renewed,
    /// The stream failed, was ended by its peer or could not be opened.
    Failed,
}

/// Writes until the queue closes or the network stops.
pub(crate) async fn run(shared: Arc<Shared>, to: PeerKey, lane: Lane, queue: Arc<LaneQueue>) {
    let stop = shared.stop.clone();

    let mut writer = Writer {
        shared,
        to,
        lane,
        queue,
        batch: vec![],
        scratch: vec![],
    };

    let span = tracing::debug_span!("writer", to = %key::short(&to), lane = lane.name());
    stop.run_until_cancelled_owned(writer.run())
        .instrument(span)
        .await;
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
    /// Opens a stream whenever frames wait and none is open, and pauses after a failure. The pause
    /// gets longer each time, until frames arrive.
    async fn run(&mut self) {
        let mut backoff = Backoff::new(&self.shared.limits);
        while self.queue.ready().await {
            let arrived = self.queue.arrived();
            let end = match self.open().await {
                Some(stream) => self.use_stream(stream).await,
                None => End::Failed,
            };

            // The next stream writes again what this one did not see acknowledged.
            self.queue.retry();
            if self.queue.arrived() > arrived {
                backoff.reset();
            }

            if end == End::Failed {
                sleep(backoff.next()).await;
            }
        }
    }

    /// Asks for a stream and waits until the peer is connected. Returns `None` if the stream could
    /// not be opened.
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

    /// Writes frames and reads acknowledgements until either fails, there is a newer connection or
    /// the queue closes. Then the stream is dropped, whether or not all was written: frames that
    /// were not acknowledged are written again.
    async fn use_stream(&mut self, stream: Stream) -> End {
        self.shared.counters.lane(self.lane).streams_opened.count();

        let (receiver, sender) = stream.split();
        let queue = Arc::clone(&self.queue);
        let result = tokio::select! {
            // A newer connection is looked at first: the stream of the older one may hang without
            // an error.
            biased;
            () = queue.renewed() => return End::Renewed,
            result = read_acknowledgements(receiver, &queue) => result,
            result = self.write_frames(sender) => result,
        };

        if let Err(error) = result {
            tracing::debug!(%error, "stream failed");
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

            // Small frames share one write; a large one is not worth the copy.
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

/// Reads acknowledgements until the stream ends or acknowledges more than was sent.
async fn read_acknowledgements(mut stream: ReadHalf<Stream>, queue: &LaneQueue) -> io::Result<()> {
    loop {
        let mut frames = [0; ACKNOWLEDGEMENT_BYTES];
        stream.read_exact(&mut frames).await?;
        if !queue.acknowledge(u32::from_be_bytes(frames)) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
