//! Records gather in batches and leave when they should. If this breaks, records wait for ever,
//! leave one by one, or leave out of order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::record::RecordContent;
use protocol::{Offset, PartitionIndex, TopicName, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Append, BatchingRules, RecordAccumulator};
use crate::error::Error;
use crate::producer::delivery::{BatchPlace, Delivery};

const LINGER: Duration = Duration::from_millis(5);

struct Room(Arc<Semaphore>);

impl Room {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(1 << 20)))
    }

    fn take(&self, bytes: u32) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).try_acquire_many_owned(bytes).unwrap()
    }
}

fn accumulator(batch_bytes_max: usize) -> RecordAccumulator {
    let compression = Compression::None;
    RecordAccumulator::new(BatchingRules { batch_bytes_max, linger: LINGER, compression })
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new("t").unwrap(), PartitionIndex(index))
}

fn append(
    accumulator: &mut RecordAccumulator,
    room: &Room,
    index: i32,
    value: &[u8],
    now: Instant,
) -> (Delivery, bool) {
    let content = RecordContent { value: Some(value), ..RecordContent::default() };
    let (partition, room) = (partition(index), room.take(100));
    accumulator.append(Append { partition, timestamp: 1, content, room }, now).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_when_it_has_lingered() {
    let (room, mut accumulator, start) = (Room::new(), accumulator(1000), Instant::now());
    let (_, first) = append(&mut accumulator, &room, 0, b"a", start);
    let (_, second) = append(&mut accumulator, &room, 0, b"b", start + LINGER / 2);
    assert!(first && !second, "only a new batch needs a look");
    assert_eq!(accumulator.next_due(), Some(start + LINGER));
    accumulator.close_due(start + LINGER - Duration::from_nanos(1), false);
    assert!(accumulator.ready().is_empty());
    accumulator.close_due(start + LINGER, false);
    assert_eq!(accumulator.ready(), [partition(0)]);
    let batch = accumulator.take(&partition(0)).unwrap();
    assert_eq!(batch.builder.record_count(), 2);
    assert!(accumulator.take(&partition(0)).is_none() && accumulator.next_due().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_at_once_and_the_next_record_opens_another() {
    let (room, mut accumulator, now) = (Room::new(), accumulator(200), Instant::now());
    let mut woken = 0;
    for _ in 0..10 {
        woken += usize::from(append(&mut accumulator, &room, 0, &[7; 60], now).1);
    }
    let mut counts = Vec::new();
    while let Some(batch) = accumulator.take(&partition(0)) {
        assert!(batch.builder.uncompressed_bytes() <= 200);
        counts.push(batch.builder.record_count());
    }
    assert_eq!(counts, [2, 2, 2, 2]);
    assert_eq!(woken, 5, "each new batch once");
    accumulator.close_due(now, true);
    assert_eq!(accumulator.take(&partition(0)).unwrap().builder.record_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_batch_goes_alone() {
    let (room, mut accumulator, now) = (Room::new(), accumulator(200), Instant::now());
    append(&mut accumulator, &room, 0, b"small", now).0.index.checked_add(0).unwrap();
    let (large, wake) = append(&mut accumulator, &room, 0, &[7; 500], now);
    assert!(wake && large.index == 0);
    let sizes = [accumulator.take(&partition(0)), accumulator.take(&partition(0))]
        .map(|batch| batch.unwrap().builder.record_count());
    assert_eq!(sizes, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_partition_with_the_oldest_batch_comes_first() {
    let (room, mut accumulator, now) = (Room::new(), accumulator(1000), Instant::now());
    for index in [3, 1, 2, 3] {
        let _ = append(&mut accumulator, &room, index, b"x", now);
    }
    accumulator.close_due(now, true);
    assert_eq!(accumulator.ready(), [partition(3), partition(1), partition(2)]);
}

#[tokio::test(start_paused = true)]
async fn old_batches_are_taken_whether_open_or_closed() {
    let (room, mut accumulator, start) = (Room::new(), accumulator(1000), Instant::now());
    let _ = append(&mut accumulator, &room, 0, b"old and closed", start);
    accumulator.close_due(start, true);
    let _ = append(&mut accumulator, &room, 1, b"old and open", start);
    let _ = append(&mut accumulator, &room, 2, b"young", start + LINGER);
    let old = accumulator.take_opened_by(start);
    let mut partitions: Vec<_> = old.iter().map(|(partition, _)| partition.clone()).collect();
    partitions.sort();
    assert_eq!(partitions, [partition(0), partition(1)]);
    assert_eq!(accumulator.oldest(), Some(start + LINGER));
}

#[tokio::test(start_paused = true)]
async fn deliveries_learn_their_own_place_and_the_room_comes_back() {
    let (room, mut accumulator, now) = (Room::new(), accumulator(1000), Instant::now());
    let (first, _) = append(&mut accumulator, &room, 0, b"a", now);
    let (second, _) = append(&mut accumulator, &room, 0, b"b", now);
    let (failed, _) = append(&mut accumulator, &room, 1, b"c", now);
    accumulator.close_due(now, true);
    let written = accumulator.take(&partition(0)).unwrap();
    let refused = accumulator.take(&partition(1)).unwrap();
    assert!(!accumulator.is_idle());
    assert_eq!(accumulator.unfinished().len(), 2);
    for batch in [&written, &refused] {
        accumulator.forget(batch.number);
    }
    assert!(accumulator.is_idle());
    let base_offset = Some(Offset::new(40));
    written.finish(Ok(BatchPlace { base_offset, log_append_time: None }));
    refused.finish(Err(Error::Closed));
    assert_eq!(first.await.unwrap().offset, Some(Offset::new(40)));
    let second = second.await.unwrap();
    assert_eq!((second.offset, second.timestamp), (Some(Offset::new(41)), 1));
    assert!(matches!(failed.await, Err(Error::Closed)));
    assert_eq!(room.0.available_permits(), 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_vanishes_is_a_closed_producer_to_those_who_wait() {
    let (room, mut accumulator, now) = (Room::new(), accumulator(1000), Instant::now());
    let (delivery, _) = append(&mut accumulator, &room, 0, b"a", now);
    drop(accumulator);
    assert!(matches!(delivery.await, Err(Error::Closed)));
}

#[test]
fn bytes_of_a_record_are_shared_by_nobody_else() {
    // a batch copies what it is given, so the application may free or change its own
    let mut value = vec![1, 2, 3];
    let content = RecordContent { value: Some(&value), ..RecordContent::default() };
    let mut builder = protocol::record_batch::RecordBatchBuilder::new(Compression::None);
    builder.append(0, &content).unwrap();
    value.fill(9);
    let stamp = protocol::record_batch::ProducerStamp::NONE;
    let bytes = Bytes::from(builder.build(stamp).unwrap());
    let batch = protocol::record_batch::RecordBatch::parse(&bytes).unwrap();
    let record = batch.records(1000).unwrap().next().unwrap().unwrap();
    assert_eq!(record.value.unwrap(), [1, 2, 3][..]);
}
