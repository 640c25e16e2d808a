//! The reading half of a connection.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::frame::{ResponseFrame, SIZE_BYTES, frame_size};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

use super::Shared;
use crate::error::{Error, Result};

/// Reserved for a frame before its bytes come; beyond it the buffer grows with them.
const RESERVED_BYTES_MAX: usize = 1 << 20;
/// What one read may bring along beyond the frame that is being read.
const READ_AHEAD_BYTES: usize = 64 * 1024;

type BrokerReader = Box<dyn AsyncRead + Send + Unpin>;

/// Reads responses and hands them to those who wait, until the connection ends.
pub(super) async fn run(socket: BrokerReader, shared: Arc<Shared>, bytes_max: usize) {
    let mut reader = BufReader::with_capacity(READ_AHEAD_BYTES, socket);
    loop {
        if let Err(error) = receive(&mut reader, &shared, bytes_max).await {
            shared.close(&error);
            return;
        }
    }
}

async fn receive(
    reader: &mut BufReader<BrokerReader>,
    shared: &Shared,
    bytes_max: usize,
) -> Result<()> {
    let lost = |error: io::Error| {
        let closed = error.kind() == io::ErrorKind::UnexpectedEof;
        let source = (!closed).then(|| Arc::new(error));
        Error::ConnectionLost { address: Arc::clone(&shared.address), source }
    };
    let mut prefix = [0; SIZE_BYTES];
    reader.read_exact(&mut prefix).await.map_err(lost)?;
    let size = frame_size(prefix, bytes_max)
        .map_err(|source| Error::FrameSize { address: Arc::clone(&shared.address), source })?;
    let frame = read_frame(reader, size).await.map_err(lost)?;
    hand_over(frame, shared)
}

async fn read_frame(reader: &mut BufReader<BrokerReader>, size: usize) -> io::Result<Bytes> {
    let mut frame = BytesMut::with_capacity(size.min(RESERVED_BYTES_MAX));
    while frame.len() < size {
        let left = size - frame.len();
        if frame.len() == frame.capacity() {
            frame.reserve(left.min(frame.len()));
        }
        if reader.take(left as u64).read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

fn hand_over(frame: Bytes, shared: &Shared) -> Result<()> {
    let id = frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes));
    let waiting = id.and_then(|id| shared.waiting().by_id.remove(&id));
    let Some(waiting) = waiting else {
        // an answer to nothing: the two sides no longer agree on where a frame begins
        return Err(Error::ConnectionLost { address: Arc::clone(&shared.address), source: None });
    };
    let response = ResponseFrame::decode(frame, waiting.api, waiting.version);
    let response = response.map_err(|source| Error::Decode { api: waiting.api, source });
    // nobody listens if the caller has gone
    let _ = waiting.reply.send(response);
    Ok(())
}
