//! Cuts the bytes of a connection into request frames: a four-byte size, then as many bytes.
//!
//! The size is checked before anything is reserved for it, and the buffer grows with what has
//! really arrived, never with what a client claims. A frame is handed out as a slice of the
//! buffer, so the records in it are not copied before they reach the file.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use protocol::frame::{FrameSizeError, SIZE_BYTES, frame_size};
use tokio::io::AsyncReadExt;

use crate::ports::net::ClientStream;

/// What a quiet connection's buffer holds.
const READ_BYTES_MIN: usize = 4 * 1024;
/// What one read takes at most.
const READ_BYTES_MAX: usize = 256 * 1024;

/// The receiving side of one connection.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    size_max: usize,
    read_bytes: usize,
}

impl FrameReader {
    /// A reader that refuses frames above `size_max` bytes.
    #[must_use]
    pub fn new(size_max: usize) -> Self {
        Self { buffer: BytesMut::new(), size_max, read_bytes: READ_BYTES_MIN }
    }

    /// The size of the frame that begins the buffer, if its four bytes are there.
    ///
    /// # Errors
    /// A size out of bounds; nothing after it can be understood.
    pub fn announced_bytes(&self) -> Result<Option<usize>, FrameSizeError> {
        let Some(prefix) = self.buffer.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        frame_size(*prefix, self.size_max).map(Some)
    }

    /// Takes the next frame, without its size, if all of it has arrived.
    ///
    /// # Errors
    /// A size out of bounds; nothing after it can be understood.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameSizeError> {
        let Some(bytes) = self.announced_bytes()? else { return Ok(None) };
        if self.buffer.len() < SIZE_BYTES + bytes {
            return Ok(None);
        }
        self.buffer.advance(SIZE_BYTES);
        Ok(Some(self.buffer.split_to(bytes).freeze()))
    }

    /// Whether a frame has begun to arrive but is not whole.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes received and not yet handed out.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Reads what has arrived. Gives how many bytes; 0 means that the client closed. Safe to
    /// cancel.
    ///
    /// # Errors
    /// The socket's.
    pub async fn fill(&mut self, stream: &mut dyn ClientStream) -> io::Result<usize> {
        self.buffer.reserve(self.read_bytes);
        let room = self.buffer.capacity() - self.buffer.len();
        let read = stream.read_buf(&mut self.buffer).await?;
        // a connection that fills its buffer is a busy one: fewer, larger reads serve it better
        if read == room {
            self.read_bytes = (self.read_bytes * 4).min(READ_BYTES_MAX);
        } else if read < self.read_bytes / 8 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reader_with(bytes: &[u8]) -> FrameReader {
        let mut reader = FrameReader::new(1000);
        let mut stream = tokio_test_stream(bytes);
        while reader.fill(&mut stream).await.unwrap() > 0 {}
        reader
    }

    fn tokio_test_stream(bytes: &[u8]) -> impl ClientStream + use<> {
        tokio::io::join(io::Cursor::new(bytes.to_vec()), tokio::io::sink())
    }

    #[tokio::test]
    async fn frames_come_out_whole_and_in_order() {
        let mut reader = reader_with(b"\0\0\0\x05abcde\0\0\0\x04fghi\0\0\0\x05jk").await;
        assert_eq!(reader.next_frame().unwrap().as_deref(), Some(&b"abcde"[..]));
        assert_eq!(reader.next_frame().unwrap().as_deref(), Some(&b"fghi"[..]));
        assert_eq!(reader.next_frame().unwrap(), None);
        assert!(reader.is_inside_frame());
    }

    #[tokio::test]
    async fn a_size_out_of_bounds_is_refused_before_anything_is_reserved() {
        for prefix in
            [&b"\xff\xff\xff\xff"[..], b"\0\0\x03\xe9", b"GET ", b"\x16\x03\x01\x02", b"\0\0\0\0"]
        {
            let reader = reader_with(prefix).await;
            assert!(reader.announced_bytes().is_err());
            assert!(reader.buffer.capacity() <= 2 * READ_BYTES_MIN);
        }
    }
}
