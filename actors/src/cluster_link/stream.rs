//! The bytes of a session, as ractor_cluster gets them: counted, with deadlines, and ended with the
//! session. What ractor_cluster leaves behind when a session ends (its writer may still hold the
//! stream) ends here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::{Instant, Sleep};

use super::secure_channel::Duplex;
use super::session::Session;

/// Nothing came for so long: ractor_cluster itself sends something every five seconds.
const READ_IDLE_MAX: Duration = Duration::from_secs(8);
/// Nothing went for so long, though something waits.
const WRITE_STALL_MAX: Duration = Duration::from_secs(3);
/// ractor_cluster reads in pieces of 8 KiB.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// A session's connection.
pub(super) struct LinkStream {
    pub stream: Box<dyn Duplex>,
    pub session: Arc<Session>,
}

impl ClusterBidiStream for LinkStream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (read, write) = tokio::io::split(self.stream);
        let read = BufReader::with_capacity(READ_BUFFER_BYTES, read);
        let session = Arc::clone(&self.session);
        let reader = LinkReader { read, session, patience: Patience::new(READ_IDLE_MAX) };
        let patience = Patience::new(WRITE_STALL_MAX);
        let frames = Frames::default();
        let writer = LinkWriter { write, session: self.session, patience, frames };
        (Box::new(reader), Box::new(writer))
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.session.number.to_string())
    }
}

/// A deadline that runs while something waits.
struct Patience {
    limit: Duration,
    ends: Option<Pin<Box<Sleep>>>,
    is_running: bool,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, ends: None, is_running: false }
    }

    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let ends = self.ends.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.is_running {
            ends.as_mut().reset(Instant::now() + limit);
            self.is_running = true;
        }
        ends.as_mut().poll(context)
    }

    fn stop(&mut self) {
        self.is_running = false;
    }
}

struct LinkReader {
    read: BufReader<ReadHalf<Box<dyn Duplex>>>,
    session: Arc<Session>,
    patience: Patience,
}

impl AsyncRead for LinkReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.read).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                self.patience.stop();
                let read = buffer.filled().len() - before;
                if read == 0 {
                    self.session.close();
                }
                self.session.traffic.received.fetch_add(read as u64, Ordering::Relaxed);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.session.close();
                // ractor_cluster takes it for an ordinary end, and does not log it as a fault
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)))
            }
            Poll::Pending => {
                ready!(self.patience.poll_ended(context));
                self.session.close();
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
        }
    }
}

impl Drop for LinkReader {
    fn drop(&mut self) {
        self.session.close();
    }
}

struct LinkWriter {
    write: WriteHalf<Box<dyn Duplex>>,
    session: Arc<Session>,
    patience: Patience,
    frames: Frames,
}

impl LinkWriter {
    fn on_polled<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Ok(done)) => {
                self.patience.stop();
                Poll::Ready(Ok(done))
            }
            Poll::Ready(Err(error)) => {
                self.session.close();
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                ready!(self.patience.poll_ended(context));
                self.session.close();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for LinkWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.write).poll_write(context, bytes);
        let written = ready!(self.on_polled(polled, context))?;
        let this = &mut *self;
        this.session.traffic.sent.fetch_add(written as u64, Ordering::Relaxed);
        this.frames.on_written(bytes.get(..written).unwrap_or(bytes), |frame_bytes| {
            this.session.in_flight.on_left(frame_bytes);
        });
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.write).poll_flush(context);
        self.on_polled(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.write).poll_shutdown(context);
        self.on_polled(polled, context)
    }
}

impl Drop for LinkWriter {
    fn drop(&mut self) {
        self.session.close();
    }
}

/// Finds the ends of frames in what is written: eight bytes of length, big endian, then so many.
#[derive(Default)]
struct Frames {
    prefix: [u8; 8],
    prefix_bytes: usize,
    length: u64,
    left: u64,
}

impl Frames {
    fn on_written(&mut self, mut bytes: &[u8], mut on_left: impl FnMut(u64)) {
        while let Some(first) = bytes.first() {
            if self.left > 0 {
                let part = usize::try_from(self.left).map_or(bytes.len(), |l| l.min(bytes.len()));
                self.left -= part as u64;
                bytes = bytes.get(part..).unwrap_or_default();
                if self.left == 0 {
                    on_left(self.length);
                }
                continue;
            }
            if let Some(place) = self.prefix.get_mut(self.prefix_bytes) {
                *place = *first;
            }
            self.prefix_bytes += 1;
            bytes = bytes.get(1..).unwrap_or_default();
            if self.prefix_bytes == self.prefix.len() {
                self.prefix_bytes = 0;
                self.length = u64::from_be_bytes(self.prefix);
                self.left = self.length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for length in [5_u64, 0, 70_000, 1] {
            bytes.extend(length.to_be_bytes());
            bytes.extend(std::iter::repeat_n(0xff, usize::try_from(length).unwrap()));
        }
        for piece in [1, 3, 8, 64 * 1024, bytes.len()] {
            let mut frames = Frames::default();
            let mut left = Vec::new();
            for part in bytes.chunks(piece) {
                frames.on_written(part, |length| left.push(length));
            }
            assert_eq!(left, [5, 70_000, 1], "in pieces of {piece}");
        }
    }
}
