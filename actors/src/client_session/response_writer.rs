//! Writes encoded responses to a connection, many in one system call, under a deadline: a client
//! that does not read its responses loses the connection rather than hold their memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::ports::net::ClientStream;

/// Slices given to one system call; Linux takes at most 1024.
const SLICES_MAX: usize = 64;

/// Responses that wait to be written, in the order of their requests.
#[derive(Debug, Default)]
pub struct ResponseWriter {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

impl ResponseWriter {
    /// Adds one encoded response, its size prefix included.
    pub fn push(&mut self, frame: impl IntoIterator<Item = Bytes>) {
        for chunk in frame {
            self.bytes += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// Writes all that waits. Not safe to cancel: half a response may have gone.
    ///
    /// # Errors
    /// The socket's, or [`io::ErrorKind::TimedOut`] where the client took nothing for `deadline`.
    pub async fn flush(
        &mut self,
        stream: &mut dyn ClientStream,
        deadline: Duration,
    ) -> io::Result<()> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut filled = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(chunk);
                filled += 1;
            }
            let writing = stream.write_vectored(&slices[..filled]);
            let written = timeout(deadline, writing).await.unwrap_or_else(|_| {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no responses"))
            })?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.advance(written);
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(chunk) = self.chunks.front_mut() {
            if written < chunk.len() {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn responses_arrive_whole_and_in_order_through_a_narrow_socket() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let mut writer = ResponseWriter::default();
        let expected: Vec<u8> = (0..=255).cycle().take(2000).collect();
        for chunk in expected.chunks(13) {
            writer.push([Bytes::copy_from_slice(chunk), Bytes::new()]);
        }
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.map(|_| all)
        });
        writer.flush(&mut near, Duration::from_secs(5)).await.unwrap();
        assert_eq!(writer.waiting_bytes(), 0);
        drop(near);
        assert_eq!(reading.await.unwrap().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_times_out() {
        let (mut near, _far) = tokio::io::duplex(7);
        let mut writer = ResponseWriter::default();
        writer.push([Bytes::from_static(b"more than seven bytes")]);
        let end = writer.flush(&mut near, Duration::from_secs(60)).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
