//! Records of one group on their way to its partition of the offsets topic: what a drained mailbox
//! has brought together becomes one batch, in Kafka's format.

use bytes::Bytes;
use coordination::offsets_topic::{EncodedRecord, encode};
use coordination::{AppendTicket, GroupRecord};
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::{BatchHeader, BuildError, ProducerStamp, RecordBatchBuilder};
use protocol::{ErrorCode, GroupId};
use tracing::error;

/// Appends are brought together up to this many bytes. One append alone may be larger, up to what
/// the topic takes.
const COALESCED_BYTES_MAX: usize = 256 * 1024;

/// Some appends as one batch.
pub struct QueuedBatch {
    /// Which appends.
    pub tickets: Vec<AppendTicket>,
    /// The batch, or why it cannot be.
    pub built: Result<(Bytes, BatchHeader), ErrorCode>,
}

/// Appends that wait to be one batch. Bounded by the machine's appends in flight.
#[derive(Default)]
pub struct QueuedAppends {
    waiting: Vec<(AppendTicket, Result<Vec<EncodedRecord>, ErrorCode>)>,
}

impl QueuedAppends {
    /// Queues an append; true if it is the first that waits.
    pub fn push(&mut self, group: &GroupId, ticket: AppendTicket, records: &[GroupRecord]) -> bool {
        let encoded = records.iter().map(|record| encode(group, record)).collect::<Result<_, _>>();
        let encoded = encoded.map_err(|error| {
            error!(%group, %error, "a record of the group cannot be written");
            ErrorCode::UnknownServerError
        });
        self.waiting.push((ticket, encoded));
        self.waiting.len() == 1
    }

    /// Takes everything out, in order, as few batches of at most `bytes_max` bytes. The records of
    /// one append are never parted.
    pub fn take_batches(&mut self, timestamp: i64, bytes_max: usize) -> Vec<QueuedBatch> {
        let mut batches = Vec::new();
        let mut open = OpenBatch::new();
        for (ticket, records) in self.waiting.drain(..) {
            match records {
                Ok(records) => {
                    let bytes: usize = records.iter().map(least_bytes).sum();
                    if open.bytes().saturating_add(bytes) > COALESCED_BYTES_MAX.min(bytes_max) {
                        batches.extend(open.close(bytes_max));
                        open = OpenBatch::new();
                    }
                    open.append(ticket, timestamp, &records);
                }
                Err(code) => {
                    batches.extend(open.close(bytes_max));
                    open = OpenBatch::new();
                    batches.push(QueuedBatch { tickets: vec![ticket], built: Err(code) });
                }
            }
        }
        batches.extend(open.close(bytes_max));
        batches
    }
}

fn content(record: &EncodedRecord) -> RecordContent<'_> {
    let (key, value) = (Some(&*record.key), record.value.as_deref());
    RecordContent { key, value, headers: &[] }
}

fn least_bytes(record: &EncodedRecord) -> usize {
    RecordBatchBuilder::single_record_bytes(&content(record))
}

/// A batch that still takes appends.
struct OpenBatch {
    tickets: Vec<AppendTicket>,
    builder: RecordBatchBuilder,
    failure: Option<BuildError>,
}

impl OpenBatch {
    const fn new() -> Self {
        let builder = RecordBatchBuilder::new(Compression::None);
        Self { tickets: Vec::new(), builder, failure: None }
    }

    const fn bytes(&self) -> usize {
        self.builder.uncompressed_bytes()
    }

    fn append(&mut self, ticket: AppendTicket, timestamp: i64, records: &[EncodedRecord]) {
        self.tickets.push(ticket);
        for record in records {
            if let Err(failure) = self.builder.append(timestamp, &content(record)) {
                self.failure = Some(failure);
            }
        }
    }

    fn close(self, bytes_max: usize) -> Option<QueuedBatch> {
        if self.tickets.is_empty() {
            return None;
        }
        let built = self.build(bytes_max);
        Some(QueuedBatch { tickets: self.tickets, built })
    }

    fn build(&self, bytes_max: usize) -> Result<(Bytes, BatchHeader), ErrorCode> {
        if self.failure.is_some() || self.bytes() > bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        let batch = self.builder.build(ProducerStamp::NONE);
        let batch = batch.map_err(|_| ErrorCode::UnknownServerError)?;
        let header = BatchHeader::parse(&batch).map_err(|_| ErrorCode::UnknownServerError)?;
        Ok((Bytes::from(batch), header))
    }
}
