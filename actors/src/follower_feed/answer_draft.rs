//! An answer while it is written: what fits, and what has been said.

use bytes::Bytes;
use metadata::PartitionKey;
use protocol::Offset;

use crate::peer_messages::follower_fetch::{FollowerFetchAnswer, ToldOutcome, ToldPartition};
use crate::read_view::ReadView;

/// Bytes of record batches in one answer; one larger batch comes alone.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Partitions in one answer: what is said about them fits beside the largest batch.
pub const PARTITIONS_MAX: usize = 500;
/// The least that a partition may read, so that many of them do not make many small reads.
const SHARE_MIN: usize = 64 << 10;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct AnswerDraft {
    partitions: Vec<ToldPartition>,
    batches: Vec<Bytes>,
    bytes: usize,
}

impl AnswerDraft {
    /// Whether nothing has been said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Whether there are batches in it.
    #[must_use]
    pub const fn has_batches(&self) -> bool {
        self.bytes > 0
    }

    /// Whether nothing more fits.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes >= ANSWER_BYTES_MAX || self.partitions.len() >= PARTITIONS_MAX
    }

    /// How much one of `waiting` partitions may read.
    #[must_use]
    pub fn share(&self, waiting: usize) -> usize {
        let left = ANSWER_BYTES_MAX.saturating_sub(self.bytes);
        (left / waiting.max(1)).max(SHARE_MIN).min(left)
    }

    /// Says something of a partition.
    pub fn tell(&mut self, key: PartitionKey, view: &ReadView, outcome: ToldOutcome) {
        self.partitions.push(ToldPartition {
            key,
            leader_epoch: view.leader_epoch,
            high_watermark: view.high_watermark,
            log_start_offset: view.log_start_offset,
            outcome,
        });
    }

    /// Refuses a question.
    pub fn refuse(&mut self, key: PartitionKey, code: i16) {
        self.partitions.push(ToldPartition {
            key,
            leader_epoch: protocol::LeaderEpoch::UNKNOWN,
            high_watermark: Offset::ZERO,
            log_start_offset: Offset::ZERO,
            outcome: ToldOutcome::Refused { code },
        });
    }

    /// Gives batches of a partition.
    pub fn give(&mut self, key: PartitionKey, view: &ReadView, base: Offset, batches: Bytes) {
        let length = u32::try_from(batches.len()).unwrap_or(u32::MAX);
        self.tell(key, view, ToldOutcome::Batches { base_offset: base, length });
        self.bytes = self.bytes.saturating_add(batches.len());
        self.batches.push(batches);
    }

    /// The answer.
    #[must_use]
    pub fn finish(self) -> FollowerFetchAnswer {
        let Self { partitions, batches, .. } = self;
        FollowerFetchAnswer { knows_session: true, partitions, batches }
    }
}
