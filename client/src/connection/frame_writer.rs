//! The writing half of a connection.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use super::{Outgoing, Shared};
use crate::error::Error;

/// Small frames that wait together leave together.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

type BrokerWriter = Box<dyn AsyncWrite + Send + Unpin>;

/// Writes frames in the order of the queue until the connection ends.
pub(super) async fn run(
    socket: BrokerWriter,
    shared: Arc<Shared>,
    mut frames: mpsc::Receiver<Outgoing>,
) {
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, socket);
    let mut written = Vec::new();
    while let Some(first) = frames.recv().await {
        let mut next = Some(first);
        while let Some(outgoing) = next {
            if let Err(error) = write(&mut writer, &outgoing).await {
                shared.close(&lost(&shared, error));
                return;
            }
            written.extend(outgoing.written);
            next = frames.try_recv().ok();
        }
        if let Err(error) = writer.flush().await {
            shared.close(&lost(&shared, error));
            return;
        }
        for told in written.drain(..) {
            // nobody listens if the caller has gone
            let _ = told.send(());
        }
    }
}

async fn write(writer: &mut BufWriter<BrokerWriter>, outgoing: &Outgoing) -> io::Result<()> {
    for chunk in &outgoing.frame.chunks {
        writer.write_all(chunk).await?;
    }
    Ok(())
}

fn lost(shared: &Shared, error: io::Error) -> Error {
    Error::ConnectionLost { address: Arc::clone(&shared.address), source: Some(Arc::new(error)) }
}
