//! Records written by the builder are read back alike under every codec, and stand where Kafka's
//! format puts them. If this breaks, clients read other records than were produced.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use protocol::compression::Compression;
use protocol::record::{Record, RecordContent, RecordHeader};
use protocol::record_batch::{
    BatchError, BatchHeader, BuildError, ProducerStamp, RecordBatch, RecordBatchBuilder,
    RecordBatches, patched_head, stamp_log_append_time, stamp_producer,
};
use protocol::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

const CAP: usize = 1 << 20;

type Written = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn headers(of: &Written) -> Vec<RecordHeader> {
    let header = |(key, value): &(String, Option<Vec<u8>>)| RecordHeader {
        key: Bytes::from(key.clone()),
        value: value.clone().map(Bytes::from),
    };
    of.3.iter().map(header).collect()
}

fn build(compression: Compression, records: &[Written], producer: ProducerStamp) -> Vec<u8> {
    let mut builder = RecordBatchBuilder::new(compression);
    for record in records {
        let headers = headers(record);
        let content = RecordContent {
            key: record.1.as_deref(),
            value: record.2.as_deref(),
            headers: &headers,
        };
        let expected = builder.uncompressed_bytes_with(record.0, &content);
        builder.append(record.0, &content).unwrap();
        assert_eq!(builder.uncompressed_bytes(), expected);
    }
    builder.build(producer).unwrap()
}

fn read(batch: Vec<u8>) -> Vec<Record> {
    let batch = RecordBatch::parse(&Bytes::from(batch)).unwrap();
    batch.header().check(batch.bytes()).unwrap();
    batch.check_records(CAP).unwrap();
    batch.records(CAP).unwrap().map(Result::unwrap).collect()
}

fn plain(value: &str) -> Written {
    (1_700_000_000_000, None, Some(value.as_bytes().to_vec()), Vec::new())
}

fn written() -> impl Strategy<Value = Vec<Written>> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
    let headers = prop::collection::vec(("[a-c]{0,3}", bytes()), 0..4);
    prop::collection::vec((-1_i64..4_000_000_000_000, bytes(), bytes(), headers), 1..30)
}

proptest! {
    #[test]
    fn records_are_read_as_they_were_written(records in written(), codec in 0_i16..5) {
        let compression = Compression::from_codec(codec).unwrap();
        let read = read(build(compression, &records, ProducerStamp::NONE));
        prop_assert_eq!(read.len(), records.len());
        for (index, (read, written)) in read.iter().zip(&records).enumerate() {
            prop_assert_eq!(read.offset, Offset::new(index as i64));
            prop_assert_eq!(read.timestamp, written.0);
            prop_assert_eq!(read.key.as_deref(), written.1.as_deref());
            prop_assert_eq!(read.value.as_deref(), written.2.as_deref());
            prop_assert_eq!(&read.headers, &headers(written));
        }
    }
}

#[test]
fn duplicate_headers_and_empty_and_null_parts_are_kept_apart() {
    let headers = vec![
        ("a".to_owned(), Some(b"1".to_vec())),
        ("a".to_owned(), None),
        (String::new(), Some(Vec::new())),
    ];
    let records = read(build(
        Compression::None,
        &[(5, Some(Vec::new()), None, headers), (4, None, Some(Vec::new()), Vec::new())],
        ProducerStamp::NONE,
    ));
    assert_eq!(records[0].key, Some(Bytes::new()));
    assert_eq!(records[0].value, None);
    let keys: Vec<_> = records[0].headers.iter().map(RecordHeader::key_text).collect();
    assert_eq!(keys, ["a", "a", ""]);
    assert_eq!(records[0].headers[1].value, None);
    assert_eq!(records[1].key, None);
    assert_eq!(records[1].value, Some(Bytes::new()));
    assert_eq!(records[1].timestamp, 4, "a timestamp before the first one");
}

#[test]
fn a_batch_is_laid_out_as_the_format_says() {
    let stamp =
        ProducerStamp { id: ProducerId(0x0102), epoch: ProducerEpoch(3), base_sequence: 0x0405 };
    let batch = build(Compression::None, &[(7, Some(b"k".to_vec()), None, vec![])], stamp);
    let records = [14, 0, 0, 0, 2, b'k', 1, 0];
    assert_eq!(batch[61..], records);
    assert_eq!(batch.len(), 61 + records.len());
    assert_eq!(batch[8..12], ((49 + records.len()) as i32).to_be_bytes());
    assert_eq!(batch[12..17], [0xff, 0xff, 0xff, 0xff, 2]);
    let header = BatchHeader::parse(&batch).unwrap();
    assert_eq!(header.base_timestamp, 7);
    assert_eq!(header.max_timestamp, 7);
    assert_eq!(header.producer_id, stamp.id);
    assert_eq!(header.producer_epoch, stamp.epoch);
    assert_eq!(header.last_sequence(), 0x0405);
    assert_eq!(header.next_offset(), Offset::new(1));
}

#[test]
fn another_codec_reads_the_same_records() {
    let records =
        [plain("first"), (9, Some(b"key".to_vec()), None, vec![("h".into(), Some(b"v".to_vec()))])];
    let batch = build(Compression::None, &records, ProducerStamp::NONE);
    let decoded = kafka_protocol::records::RecordBatchDecoder::decode(&mut Bytes::from(batch));
    let decoded = decoded.unwrap().records;
    assert_eq!(decoded.len(), 2);
    assert_eq!(decoded[0].value.as_deref(), Some(&b"first"[..]));
    assert_eq!(decoded[1].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(decoded[1].timestamp, 9);
    assert_eq!(decoded[1].headers.len(), 1);
}

#[test]
fn base_offset_and_leader_epoch_are_patched_without_a_new_checksum() {
    let mut batch = build(Compression::Lz4, &[plain("a"), plain("b")], ProducerStamp::NONE);
    let length = BatchHeader::parse(&batch).unwrap().length;
    batch[..16].copy_from_slice(&patched_head(Offset::new(500), length, LeaderEpoch::new(4)));
    let parsed = RecordBatch::parse(&Bytes::from(batch.clone())).unwrap();
    assert_eq!(parsed.header().leader_epoch, LeaderEpoch::new(4));
    let offsets: Vec<_> = read(batch).iter().map(|record| record.offset.value()).collect();
    assert_eq!(offsets, [500, 501]);
}

#[test]
fn log_append_time_stands_for_every_record() {
    let mut batch = build(Compression::Gzip, &[plain("a"), plain("b")], ProducerStamp::NONE);
    stamp_log_append_time(&mut batch, 42).unwrap();
    assert!(read(batch).iter().all(|record| record.timestamp == 42));
}

#[test]
fn a_restamped_batch_carries_the_new_producer_and_a_right_checksum() {
    let mut batch = build(Compression::Zstd, &[plain("a")], ProducerStamp::NONE);
    assert!(!BatchHeader::parse(&batch).unwrap().has_producer_id());
    let stamp = ProducerStamp { id: ProducerId(9), epoch: ProducerEpoch(1), base_sequence: 77 };
    stamp_producer(&mut batch, stamp).unwrap();
    assert_eq!(batch, build(Compression::Zstd, &[plain("a")], stamp));
}

#[test]
fn a_batch_without_records_is_not_built() {
    let built = RecordBatchBuilder::new(Compression::None).build(ProducerStamp::NONE);
    assert!(matches!(built, Err(BuildError::Empty)));
}

#[test]
fn timestamps_too_far_apart_leave_the_batch_as_it_was() {
    let mut builder = RecordBatchBuilder::new(Compression::None);
    builder.append(i64::MIN, &RecordContent::default()).unwrap();
    let bytes = builder.uncompressed_bytes();
    let refused = builder.append(i64::MAX, &RecordContent::default());
    assert!(matches!(refused, Err(BuildError::Timestamp { .. })));
    assert_eq!((builder.record_count(), builder.uncompressed_bytes()), (1, bytes));
}

#[test]
fn flags_say_whether_a_batch_is_control_or_transactional() {
    let mut builder = RecordBatchBuilder::new(Compression::None).control().transactional();
    builder.append(0, &RecordContent { key: Some(&[0, 0, 0, 1]), ..Default::default() }).unwrap();
    let header = BatchHeader::parse(&builder.build(ProducerStamp::NONE).unwrap()).unwrap();
    assert!(header.is_control() && header.is_transactional());
    assert!(!header.is_log_append_time() && !header.has_delete_horizon());
}

#[test]
fn a_fetched_section_gives_its_whole_batches_and_keeps_the_rest() {
    let one = build(Compression::None, &[plain("a")], ProducerStamp::NONE);
    let two = build(Compression::Snappy, &[plain("b"), plain("c")], ProducerStamp::NONE);
    let section = [&one[..], &two[..], &one[..30]].concat();
    let mut batches = RecordBatches::new(Bytes::from(section));
    let counts: Vec<_> =
        batches.by_ref().map(|batch| batch.unwrap().header().record_count).collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(batches.rest().len(), 30);
}

#[test]
fn a_damaged_batch_is_the_last_item_of_its_section() {
    let good = build(Compression::None, &[plain("a")], ProducerStamp::NONE);
    let mut bad = good.clone();
    bad[61] ^= 1;
    let mut batches = RecordBatches::new(Bytes::from([&good[..], &bad[..], &good[..]].concat()));
    assert!(batches.next().unwrap().is_ok());
    assert!(matches!(batches.next(), Some(Err(BatchError::Checksum { .. }))));
    assert!(batches.next().is_none());
}

#[test]
fn compacted_batches_keep_the_offsets_of_the_records_that_are_left() {
    // compaction leaves the last offset delta and thins out the records: simulate with a count
    let records = [plain("a"), plain("b"), plain("c")];
    let mut batch = build(Compression::None, &records, ProducerStamp::NONE);
    let first = build(Compression::None, &records[..1], ProducerStamp::NONE).len() - 61;
    batch.drain(61..61 + first);
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[57..61].copy_from_slice(&2_i32.to_be_bytes());
    stamp_producer(&mut batch, ProducerStamp::NONE).unwrap();
    let batch = RecordBatch::parse(&Bytes::from(batch)).unwrap();
    let offsets: Vec<_> =
        batch.records(CAP).unwrap().map(|record| record.unwrap().offset.value()).collect();
    assert_eq!(offsets, [1, 2]);
    assert!(batch.check_records(CAP).is_err(), "no producer may send gaps");
}
