//! What one fetch brought of one partition: its batches, and which of them belong to transactions
//! that were aborted. Pure.

use std::collections::{HashSet, VecDeque};

use protocol::record::RecordError;
use protocol::record_batch::{RecordBatch, RecordReader};
use protocol::{Offset, ProducerId};

/// An aborted transaction: its producer, and the offset of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer: ProducerId,
    pub(crate) first_offset: Offset,
}

/// The fetched batches of a partition that have not been handed out.
#[derive(Debug, Default)]
pub(crate) struct Section {
    batches: VecDeque<RecordBatch>,
    /// Ascending by first offset; those that the batches have reached are removed.
    aborted: VecDeque<AbortedTransaction>,
    /// The producers whose transaction at the current place was aborted.
    aborting: HashSet<ProducerId>,
}

impl Section {
    pub(crate) fn new(
        batches: VecDeque<RecordBatch>,
        mut aborted: Vec<AbortedTransaction>,
    ) -> Self {
        aborted.sort_unstable_by_key(|transaction| transaction.first_offset);
        Self { batches, aborted: aborted.into(), aborting: HashSet::new() }
    }

    /// Bytes of the batches, as they were fetched.
    pub(crate) fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes().len()).sum()
    }

    /// The next batch, and whether its records are for the consumer's eyes: control batches and
    /// what was aborted are not.
    pub(crate) fn next_batch(&mut self) -> Option<(RecordBatch, bool)> {
        let batch = self.batches.pop_front()?;
        let header = batch.header();
        while let Some(next) = self.aborted.front()
            && next.first_offset <= header.last_offset()
        {
            self.aborting.insert(next.producer);
            self.aborted.pop_front();
        }
        if header.is_control() {
            if is_abort_marker(&batch) {
                self.aborting.remove(&header.producer_id);
            }
            return Some((batch, false));
        }
        let aborted = header.is_transactional() && self.aborting.contains(&header.producer_id);
        Some((batch, !aborted))
    }
}

/// Whether a control batch ends its producer's transaction by an abort (type 0; a commit is 1).
fn is_abort_marker(batch: &RecordBatch) -> bool {
    // a marker's key is a version and a type, two bytes each
    const MARKER_BYTES_MAX: usize = 1024;
    let records: Result<RecordReader, RecordError> = batch.records(MARKER_BYTES_MAX);
    let first = records.ok().and_then(|mut records| records.next()?.ok());
    let key = first.and_then(|record| record.key);
    key.is_some_and(|key| key.get(2..4) == Some(&[0, 0]))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;
    use protocol::compression::Compression;
    use protocol::record::RecordContent;
    use protocol::record_batch::{ProducerStamp, RecordBatch, RecordBatchBuilder};
    use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

    use super::{AbortedTransaction, Section};

    fn batch(offset: i64, producer: i64, builder: RecordBatchBuilder, key: &[u8]) -> RecordBatch {
        let mut builder = builder;
        builder.append(0, &RecordContent { key: Some(key), ..Default::default() }).unwrap();
        let (id, epoch) = (ProducerId(producer), ProducerEpoch(0));
        let mut bytes = builder.build(ProducerStamp { id, epoch, base_sequence: 0 }).unwrap();
        let length = i32::try_from(bytes.len() - 12).unwrap();
        let head =
            protocol::record_batch::patched_head(Offset::new(offset), length, LeaderEpoch::ZERO);
        bytes[..16].copy_from_slice(&head);
        RecordBatch::parse(&Bytes::from(bytes)).unwrap()
    }

    fn builder() -> RecordBatchBuilder {
        RecordBatchBuilder::new(Compression::None)
    }

    #[test]
    fn records_of_an_aborted_transaction_are_not_seen_and_those_around_it_are() {
        const ABORT: [u8; 4] = [0, 0, 0, 0];
        const COMMIT: [u8; 4] = [0, 0, 0, 1];
        let transactional = || builder().transactional();
        let marker = || builder().transactional().control();
        let batches = VecDeque::from([
            batch(10, 1, transactional(), b"aborted"),
            batch(11, 2, transactional(), b"committed"),
            batch(12, 1, builder(), b"no transaction"),
            batch(13, 1, marker(), &ABORT),
            batch(14, 2, marker(), &COMMIT),
            batch(15, 1, transactional(), b"the next transaction"),
        ]);
        let aborted = AbortedTransaction { producer: ProducerId(1), first_offset: Offset::new(10) };
        let mut section = Section::new(batches, vec![aborted]);
        let mut seen = Vec::new();
        while let Some((batch, visible)) = section.next_batch() {
            if visible {
                seen.push(batch.header().base_offset.value());
            }
        }
        assert_eq!(seen, [11, 12, 15]);
    }
}
