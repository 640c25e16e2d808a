//! Batches and records whose lengths, counts, offsets or checksums lie. If this breaks, one
//! produced batch can stop a broker or a consumer, or cost it memory beyond the batch.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::record::{RecordContent, RecordError, RecordField, RecordHeader};
use protocol::record_batch::{
    BatchError, BatchHeader, ProducerStamp, RecordBatch, RecordBatchBuilder, RecordReader,
    stamp_producer,
};

const CAP: usize = 1 << 20;

fn batch(compression: Compression) -> Vec<u8> {
    let headers = [RecordHeader::new("key", "value"), RecordHeader::new("key", "")];
    let mut builder = RecordBatchBuilder::new(compression);
    for index in 0..4 {
        let value = format!("value {index} value {index}");
        let content = RecordContent {
            key: (index % 2 == 0).then_some(b"key"),
            value: Some(value.as_bytes()),
            headers: &headers[..index as usize % 3],
        };
        builder.append(1000 + index, &content).unwrap();
    }
    builder.build(ProducerStamp::NONE).unwrap()
}

/// The first error of a batch around this records section, with a right checksum.
fn error_of(section: &[u8], count: i32, last_offset_delta: i32) -> RecordError {
    let header = BatchHeader::parse(&header_for(section, count, last_offset_delta)).unwrap();
    let reader = match RecordReader::new(header, Bytes::copy_from_slice(section)) {
        Ok(reader) => reader,
        Err(error) => return error,
    };
    let mut items: Vec<_> = reader.collect();
    items.pop().unwrap().unwrap_err()
}

fn header_for(section: &[u8], count: i32, last_offset_delta: i32) -> Vec<u8> {
    let mut bytes = batch(Compression::None);
    bytes.truncate(61);
    bytes.extend_from_slice(section);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    stamp_producer(&mut bytes, ProducerStamp::NONE).unwrap();
    bytes
}

const PLAIN: [u8; 7] = [12, 0, 0, 0, 1, 1, 0];

#[test]
fn the_smallest_record_is_read() {
    let header = BatchHeader::parse(&header_for(&PLAIN, 1, 0)).unwrap();
    let records: Vec<_> =
        RecordReader::new(header, Bytes::copy_from_slice(&PLAIN)).unwrap().collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].as_ref().unwrap().value, None);
}

#[test]
fn lengths_that_are_negative_or_overlap_what_follows_are_refused() {
    use RecordField::{HeaderCount, HeaderKey, HeaderValue, Key, Length, Value};
    let cases: [(&[u8], RecordField); 8] = [
        (&[11, 0, 0, 0, 1, 1, 0], Length),
        (&[1, 0, 0, 0, 1, 1, 0], Length),
        (&[14, 0, 0, 0, 1, 1, 0], Length),
        (&[12, 0, 0, 0, 8, 1, 0], Key),
        (&[12, 0, 0, 0, 1, 3, 0], Value),
        (&[12, 0, 0, 0, 1, 1, 1], HeaderCount),
        (&[16, 0, 0, 0, 1, 1, 2, 1, 1], HeaderKey),
        (&[16, 0, 0, 0, 1, 1, 2, 0, 4], HeaderValue),
    ];
    for (section, expected) in cases {
        let error = error_of(section, 1, 0);
        let RecordError::Length { field, .. } = error else { panic!("{section:?}: {error}") };
        assert_eq!(field, expected, "{section:?}");
    }
}

#[test]
fn a_header_count_of_two_billion_is_refused_without_an_allocation() {
    let section = [20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f];
    let error = error_of(&section, 1, 0);
    assert!(matches!(
        error,
        RecordError::Length { field: RecordField::HeaderCount, claimed: i32::MAX, .. }
    ));
}

#[test]
fn a_record_count_of_two_billion_costs_what_the_bytes_cost() {
    let error = error_of(&PLAIN, i32::MAX, i32::MAX - 1);
    assert!(matches!(error, RecordError::Field { index: 1, field: RecordField::Length }));
}

#[test]
fn a_negative_record_count_is_refused() {
    let error = error_of(&PLAIN, -1, 0);
    assert!(matches!(error, RecordError::Batch(BatchError::Count { count: -1, .. })));
}

#[test]
fn bytes_after_the_last_record_or_inside_a_record_are_refused() {
    let twice = [PLAIN, PLAIN].concat();
    assert!(matches!(error_of(&twice, 1, 0), RecordError::AfterLast { count: 1, unread: 7 }));
    let longer = [14, 0, 0, 0, 1, 1, 0, 99];
    assert!(matches!(error_of(&longer, 1, 0), RecordError::Unread { index: 0, unread: 1 }));
}

#[test]
fn offsets_that_repeat_fall_or_pass_the_last_one_are_refused() {
    let twice = [PLAIN, PLAIN].concat();
    let error = error_of(&twice, 2, 1);
    assert!(matches!(error, RecordError::OffsetDelta { index: 1, delta: 0, previous: 0, .. }));
    let negative = [12, 0, 0, 1, 1, 1, 0];
    assert!(matches!(error_of(&negative, 1, 0), RecordError::OffsetDelta { delta: -1, .. }));
    let beyond = [12, 0, 0, 2, 1, 1, 0];
    assert!(matches!(error_of(&beyond, 1, 0), RecordError::OffsetDelta { delta: 1, .. }));
}

#[test]
fn a_timestamp_delta_beyond_64_bits_is_refused() {
    let mut section = vec![30, 0];
    section.extend_from_slice(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    section.extend_from_slice(&[0, 1, 1, 0]);
    let error = error_of(&section, 1, 0);
    assert!(matches!(error, RecordError::Timestamp { delta: i64::MAX, .. }), "{error}");
}

#[test]
fn offsets_beyond_63_bits_are_refused() {
    let mut bytes = batch(Compression::None);
    for base in [i64::MAX - 2, -1, i64::MIN] {
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        let parsed = RecordBatch::parse(&Bytes::copy_from_slice(&bytes));
        assert!(matches!(parsed, Err(BatchError::Offsets { .. })), "{base}");
    }
}

#[test]
fn other_formats_codecs_and_lengths_are_refused_by_name() {
    let good = batch(Compression::None);
    let mut magic = good.clone();
    magic[16] = 1;
    assert_eq!(BatchHeader::parse(&magic), Err(BatchError::Magic { magic: 1 }));
    let mut short = good.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(BatchHeader::parse(&short), Err(BatchError::Length { length: 48 }));
    short[8..12].copy_from_slice(&i32::MIN.to_be_bytes());
    assert_eq!(BatchHeader::parse(&short), Err(BatchError::Length { length: i32::MIN }));
    for codec in 5..8 {
        let mut bytes = good.clone();
        bytes[22] = codec;
        stamp_producer(&mut bytes, ProducerStamp::NONE).unwrap();
        let parsed = RecordBatch::parse(&Bytes::from(bytes.clone()));
        assert_eq!(parsed.unwrap_err(), BatchError::Codec { codec: i16::from(codec) });
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!(header.check(&bytes), Err(BatchError::Codec { codec: i16::from(codec) }));
    }
}

#[test]
fn counts_that_contradict_the_last_offset_delta_are_refused_from_a_producer() {
    for (count, last) in [(0, -1), (-1, -2), (4, 4), (5, 3), (i32::MAX, 3), (i32::MIN, i32::MAX)] {
        let bytes = header_for(&[], count, last);
        let header = BatchHeader::parse(&bytes).unwrap();
        let expected = BatchError::Count { count, last_offset_delta: last };
        assert_eq!(header.check(&bytes), Err(expected));
    }
}

#[test]
fn every_batch_cut_short_is_refused() {
    let good = Bytes::from(batch(Compression::None));
    for length in 0..good.len() {
        let parsed = RecordBatch::parse(&good.slice(..length));
        assert!(matches!(parsed, Err(BatchError::Incomplete { .. })), "{length}");
    }
}

#[test]
fn one_changed_byte_is_always_noticed_behind_the_checksum() {
    let good = batch(Compression::None);
    for position in 21..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 0x55;
        let parsed = RecordBatch::parse(&Bytes::from(bytes));
        assert!(matches!(parsed, Err(BatchError::Checksum { .. })), "{position}");
    }
}

#[test]
fn damage_at_any_byte_never_panics_even_with_a_right_checksum() {
    let mut read = 0_usize;
    for compression in Compression::ALL {
        let good = batch(compression);
        for position in 0..good.len() {
            for damage in [0x01, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[position] ^= damage;
                // a length that was damaged may leave no batch to stamp
                let _ = stamp_producer(&mut bytes, ProducerStamp::NONE);
                let Ok(batch) = RecordBatch::parse(&Bytes::from(bytes)) else { continue };
                let Ok(records) = batch.records(CAP) else { continue };
                read += records.filter(Result::is_ok).count();
                let _ = batch.check_records(CAP);
            }
        }
    }
    assert!(read > 0, "some damage leaves records readable");
}
