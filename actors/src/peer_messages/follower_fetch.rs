//! What a follower asks its leader, and what it is told: many partitions in one message, and of
//! them only those about which there is something to say.
//!
//! ```text
//! fetcher ── Open: every partition that it follows there ──▶ feed     keeps them
//!         ── Next 1: those whose question changed ────────▶           waits, at most 5 s, for
//!         ◀─ what is new of any of them ────────────────── feed       something new of any
//! ```
//!
//! Turns are numbered. A turn that does not follow the last one means that an answer was lost, and
//! what it told with it: the session is opened anew with everything.

use bytes::{BufMut, Bytes, BytesMut};
use metadata::PartitionKey;
use protocol::{BrokerEpoch, ErrorCode, LeaderEpoch, Offset};
use replication::{EpochEnd, FetchPosition};
use serde::{Deserialize, Serialize};

use super::{
    BodyError, MessageKind, PeerBody, PeerMessage, decode_body, decode_body_before, encode_body,
};
use crate::ports::peers::Lane;

/// How many fetches a pair of nodes has under way at most, each with its own partitions.
pub const SHARDS: u8 = 2;

/// Which of the shards a partition belongs to: the follower's choice.
#[must_use]
pub fn shard_of(key: PartitionKey) -> u8 {
    let (high, low) = key.topic_id.0.as_u64_pair();
    let hash = high ^ low ^ u64::from(key.partition.0.unsigned_abs());
    u8::try_from(hash % u64::from(SHARDS)).unwrap_or_default()
}

/// Where a fetch stands in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FetchStep {
    /// The first of a session: what is named is all there is.
    Open,
    /// The one with this number, from 1.
    Next(u32),
    /// No fetch: the one that waits is to be answered now, for there is more to ask.
    Wake,
}

/// A question of a follower about one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedPartition {
    /// Which.
    pub key: PartitionKey,
    /// The leadership that the follower follows.
    pub leader_epoch: LeaderEpoch,
    /// Its log end offset.
    pub fetch_offset: Offset,
    /// The epoch of the record before it; `None` if the log never held one.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// Its log start offset, if it serves consumers (KIP-392).
    pub readable_from: Option<Offset>,
    /// How far it has flushed.
    pub flushed_offset: Offset,
}

impl WantedPartition {
    /// The question as the machine asks it.
    #[must_use]
    pub const fn position(&self) -> FetchPosition {
        FetchPosition {
            fetch_offset: self.fetch_offset,
            last_fetched_epoch: self.last_fetched_epoch,
        }
    }
}

/// A follower's fetch: what changed of its questions since the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerFetchMessage {
    /// Which of the pair's fetches.
    pub shard: u8,
    /// The follower's registration.
    pub broker_epoch: BrokerEpoch,
    /// The session; later ones of the same process have higher numbers.
    pub session: u64,
    /// Where in the session.
    pub step: FetchStep,
    /// How long the leader may wait for something to tell, in milliseconds.
    pub wait_max_ms: u32,
    /// New questions.
    pub changed: Vec<WantedPartition>,
    /// Partitions that are not asked about any more.
    pub dropped: Vec<PartitionKey>,
    /// Partitions whose log failed at the follower, with the leadership that it followed.
    pub failed: Vec<(PartitionKey, LeaderEpoch)>,
}

impl PeerBody for FollowerFetchMessage {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        encode_body(self)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        decode_body(&bytes)
    }
}

impl PeerMessage for FollowerFetchMessage {
    const KIND: MessageKind = MessageKind::FollowerFetch;
    type Answer = FollowerFetchAnswer;

    fn lane(&self) -> Lane {
        Lane::Bulk(self.shard)
    }
}

/// What the leader has to say of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToldOutcome {
    /// Record batches, which come after the header in the order of the partitions.
    Batches {
        /// Base offset of the first.
        base_offset: Offset,
        /// Their bytes.
        length: u32,
    },
    /// High watermark or log start offset moved.
    Nothing,
    /// The follower's log holds records that the leader's does not.
    Diverging {
        /// The largest epoch that the leader's log has, at most the follower's last one.
        leader_epoch: LeaderEpoch,
        /// The offset after its last record.
        end_offset: Offset,
    },
    /// The fetch offset lies outside of the leader's log.
    OutOfRange {
        /// The leader's log end offset.
        log_end_offset: Offset,
    },
    /// The question was refused, and is asked again later.
    Refused {
        /// Why, as a Kafka error code.
        code: i16,
    },
}

impl ToldOutcome {
    /// A refusal.
    #[must_use]
    pub const fn refused(code: ErrorCode) -> Self {
        Self::Refused { code: code.code() }
    }

    /// That the logs diverge.
    #[must_use]
    pub const fn diverging(end: EpochEnd) -> Self {
        Self::Diverging { leader_epoch: end.leader_epoch, end_offset: end.end_offset }
    }
}

/// What the leader tells of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldPartition {
    /// Which.
    pub key: PartitionKey,
    /// The leadership that tells it.
    pub leader_epoch: LeaderEpoch,
    /// Its high watermark.
    pub high_watermark: Offset,
    /// Its log start offset.
    pub log_start_offset: Offset,
    /// The rest.
    pub outcome: ToldOutcome,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct AnswerHeader {
    knows_session: bool,
    partitions: Vec<ToldPartition>,
}

/// The answer to a follower's fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowerFetchAnswer {
    /// Whether the feed knows the session up to this turn; if not, it is to be opened anew.
    pub knows_session: bool,
    /// What is new.
    pub partitions: Vec<ToldPartition>,
    /// The batches of those partitions that have some, in their order.
    pub batches: Vec<Bytes>,
}

impl FollowerFetchAnswer {
    /// What a session that is not known here is told.
    #[must_use]
    pub fn unknown_session() -> Self {
        Self::default()
    }

    /// That there is nothing new.
    #[must_use]
    pub fn nothing() -> Self {
        Self { knows_session: true, ..Self::default() }
    }
}

impl PeerBody for FollowerFetchAnswer {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        let (knows_session, partitions) = (self.knows_session, self.partitions.clone());
        let header = AnswerHeader { knows_session, partitions };
        let header = encode_body(&header)?;
        if self.batches.is_empty() {
            return Ok(header);
        }
        let bytes: usize = self.batches.iter().map(Bytes::len).sum();
        let mut body = BytesMut::with_capacity(header.len() + bytes);
        body.put_slice(&header);
        self.batches.iter().for_each(|batches| body.put_slice(batches));
        Ok(body.freeze())
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        let (header, mut rest): (AnswerHeader, Bytes) = decode_body_before(&bytes)?;
        let mut batches = Vec::new();
        for partition in &header.partitions {
            let ToldOutcome::Batches { length, .. } = partition.outcome else { continue };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > rest.len() {
                return Err(BodyError::Malformed { part: "record batches that end early" });
            }
            batches.push(rest.split_to(length));
        }
        if !rest.is_empty() {
            return Err(BodyError::Malformed { part: "bytes after the record batches" });
        }
        let AnswerHeader { knows_session, partitions } = header;
        Ok(Self { knows_session, partitions, batches })
    }
}

#[cfg(test)]
mod tests {
    //! An answer whose batches are cut at the wrong place would put one partition's records into
    //! another's log.

    use super::*;
    use protocol::{PartitionIndex, TopicId};

    fn told(partition: i32, outcome: ToldOutcome) -> ToldPartition {
        let topic_id = TopicId(uuid::Uuid::from_u128(7));
        ToldPartition {
            key: PartitionKey::new(topic_id, PartitionIndex(partition)),
            leader_epoch: LeaderEpoch::new(3),
            high_watermark: Offset::new(5),
            log_start_offset: Offset::ZERO,
            outcome,
        }
    }

    fn batches(base: i64, length: u32) -> ToldOutcome {
        ToldOutcome::Batches { base_offset: Offset::new(base), length }
    }

    fn answer() -> FollowerFetchAnswer {
        FollowerFetchAnswer {
            knows_session: true,
            partitions: vec![
                told(0, batches(5, 3)),
                told(1, ToldOutcome::Nothing),
                told(2, batches(9, 2)),
            ],
            batches: vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")],
        }
    }

    #[test]
    fn every_partition_gets_its_own_batches() {
        let bytes = answer().to_bytes().unwrap();
        assert_eq!(FollowerFetchAnswer::from_bytes(bytes).unwrap(), answer());
    }

    #[test]
    fn an_answer_of_another_length_than_it_says_is_refused() {
        let bytes = answer().to_bytes().unwrap();
        assert!(FollowerFetchAnswer::from_bytes(bytes.slice(..bytes.len() - 1)).is_err());
        let longer = [&bytes[..], b"f"].concat();
        assert!(FollowerFetchAnswer::from_bytes(longer.into()).is_err());
    }
}
