//! What the tests of this crate share: batches, logs, and reading a log back.

#![allow(dead_code, reason = "every test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use commit_log::{
    Append, AppendOrigin, AppendOutcome, AppendResult, CommitLog, LogReader, LogResources,
    LogSettings, OpenHints, ReadMode, ReadRequest, RecoveryReport, Storage,
};
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::record_batch::{BatchHeader, ProducerStamp, RecordBatchBuilder, RecordBatches};
use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// A time that no test depends on, in milliseconds since 1970.
pub const NOW_MS: i64 = 1_800_000_000_000;

/// One batch with these values as records, all at one time.
pub fn batch_at(timestamp: i64, values: &[&str], producer: ProducerStamp) -> Bytes {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    for value in values {
        let content = RecordContent { key: None, value: Some(value.as_bytes()), headers: &[] };
        builder.append(timestamp, &content).unwrap();
    }
    Bytes::from(builder.build(producer).unwrap())
}

/// One batch with these values as records.
pub fn batch(values: &[&str]) -> Bytes {
    batch_at(NOW_MS, values, ProducerStamp::NONE)
}

/// One record of an idempotent producer.
pub fn idempotent(id: i64, epoch: i16, sequence: i32, value: &str) -> Bytes {
    let producer =
        ProducerStamp { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: sequence };
    batch_at(NOW_MS, &[value], producer)
}

/// An append by a client of a leader in this epoch.
pub fn append_in(epoch: i32, batch: Bytes) -> Append {
    let header = BatchHeader::parse(&batch).unwrap();
    let leader_epoch = LeaderEpoch::new(epoch);
    Append { batch, header, leader_epoch, origin: AppendOrigin::Client, now_ms: NOW_MS }
}

/// An append by a client of a leader in epoch 0.
pub fn append(batch: Bytes) -> Append {
    append_in(0, batch)
}

/// An append of what a leader sent.
pub fn replicated(batch: Bytes) -> Append {
    Append { origin: AppendOrigin::Replication, ..append(batch) }
}

/// Appends one batch; it must be accepted.
pub fn must_append(log: &mut CommitLog, batch: Bytes) -> AppendOutcome {
    append_one(log, append(batch)).unwrap()
}

pub fn append_one(log: &mut CommitLog, append: Append) -> AppendResult {
    log.append(&[append]).pop().unwrap()
}

/// Small segments and an index entry for every other batch, so that little data meets all of it.
pub fn small_settings() -> LogSettings {
    LogSettings {
        segment_bytes: 1024,
        index_interval_bytes: 150,
        retention_ms: None,
        file_delete_delay_ms: 0,
        message_timestamp_after_max_ms: i64::MAX,
        ..LogSettings::default()
    }
}

/// A place for a log and what is known of it from outside.
#[derive(Clone)]
pub struct Home {
    pub resources: LogResources,
    pub directory: PathBuf,
    pub settings: LogSettings,
}

impl Home {
    pub fn new(storage: Arc<dyn Storage>, directory: &Path) -> Self {
        let resources = LogResources::new(storage);
        Self { resources, directory: directory.join("orders-0"), settings: small_settings() }
    }

    pub fn try_open(
        &self,
        hints: OpenHints,
    ) -> Result<(CommitLog, RecoveryReport), commit_log::LogError> {
        CommitLog::open(&self.resources, &self.directory, self.settings.clone(), hints)
    }

    pub fn open_from(&self, recovery_point: i64) -> (CommitLog, RecoveryReport) {
        self.try_open(hints(recovery_point)).unwrap()
    }

    pub fn open(&self) -> CommitLog {
        self.open_from(0).0
    }
}

pub fn hints(recovery_point: i64) -> OpenHints {
    OpenHints {
        recovery_point: Some(Offset::new(recovery_point)),
        now_ms: NOW_MS,
        ..OpenHints::default()
    }
}

/// Reads everything from the log start to `up_to`: each record's offset and value.
pub fn read_all(reader: &LogReader, up_to: Offset) -> Vec<(i64, String)> {
    let mut records = Vec::new();
    let mut from = reader.log_start_offset();
    while from < up_to {
        let request = ReadRequest {
            from,
            up_to,
            bytes_max: 300,
            at_least_one_batch: true,
            mode: ReadMode::MayBlock,
        };
        let outcome = reader.read(request).unwrap();
        if outcome.batches.is_empty() {
            break;
        }
        for batch in RecordBatches::new(outcome.batches) {
            for record in batch.unwrap().records(1 << 20).unwrap() {
                let record = record.unwrap();
                if record.offset >= from {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    records.push((record.offset.value(), value));
                }
            }
        }
        from = outcome.next_offset;
    }
    records
}

pub fn contents(log: &CommitLog) -> Vec<(i64, String)> {
    read_all(&log.reader(), log.log_end_offset())
}

/// `count` records from offset 0, the value of each its offset.
pub fn numbered(count: i64) -> Vec<(i64, String)> {
    (0..count).map(|offset| (offset, format!("value-{offset}"))).collect()
}

/// Appends records whose value is their offset, one a batch.
pub fn append_numbered(log: &mut CommitLog, count: i64) {
    for _ in 0..count {
        let value = format!("value-{}", log.log_end_offset());
        must_append(log, batch(&[&value]));
    }
}
