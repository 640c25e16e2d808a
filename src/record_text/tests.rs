//! Lines that become records and records that become lines. If they did not fit each other, a
//! topic could not be copied through a pipe.

use client::{LeaderEpoch, Offset, PartitionIndex, TimestampKind, TopicPartition};

use super::*;

fn topic() -> TopicName {
    TopicName::new("orders").unwrap()
}

fn read(format: &LineFormat, line: &'static str) -> Result<ProducerRecord, String> {
    let line = Bytes::from_static(line.as_bytes());
    format.read(&topic(), &line).map_err(|error| error.to_string())
}

fn consumed(key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> ConsumedRecord {
    ConsumedRecord {
        partition: TopicPartition::new(topic(), PartitionIndex(2)),
        offset: Offset::new(7),
        leader_epoch: LeaderEpoch::new(0),
        timestamp: 1_700_000_000_123,
        timestamp_kind: TimestampKind::Created,
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from_static),
        headers: vec![
            RecordHeader::new("trace", "4711"),
            RecordHeader { key: Bytes::from_static(b"raw"), value: None },
        ],
    }
}

#[test]
fn a_line_is_a_value_unless_a_separator_says_more() {
    let plain = LineFormat::default();
    let record = read(&plain, "a:b").unwrap();
    assert_eq!((record.key, record.value), (None, Some(Bytes::from("a:b"))));
    assert_eq!(read(&plain, "").unwrap().value, Some(Bytes::new()));

    let keyed = LineFormat { key_separator: Some(":".to_owned()), ..plain };
    let record = read(&keyed, "a:b:c").unwrap();
    assert_eq!((record.key, record.value), (Some(Bytes::from("a")), Some(Bytes::from("b:c"))));
    assert_eq!(read(&keyed, "ab").unwrap_err(), "there is no \":\" between key and value");
}

#[test]
fn null_is_a_text_of_ones_own_choice() {
    let format = LineFormat {
        key_separator: Some("\t".to_owned()),
        null: Some("NULL".to_owned()),
        is_json: false,
    };
    let record = read(&format, "NULL\t").unwrap();
    assert_eq!((record.key, record.value), (None, Some(Bytes::new())));
    assert_eq!(read(&format, "a\tNULL").unwrap().value, None);
}

#[test]
fn a_record_comes_back_from_its_json() {
    let json = LineFormat { is_json: true, ..LineFormat::default() };
    for (key, value) in [(Some(&b"k"[..]), Some(&b"\xff\x00"[..])), (None, Some(b"")), (None, None)]
    {
        let record = consumed(key, value);
        let line = serde_json::to_vec(&JsonRecord::from(&record)).unwrap();
        let back = json.read(&topic(), &Bytes::from(line)).unwrap();
        assert_eq!(
            (back.key, back.value, back.headers),
            (record.key, record.value, record.headers)
        );
        assert_eq!(back.timestamp, Some(record.timestamp));
        assert_eq!(back.partition, None, "a copy is partitioned anew");
    }
}

#[test]
fn json_that_is_no_record_is_refused() {
    let json = LineFormat { is_json: true, ..LineFormat::default() };
    for (line, reason) in [
        ("{\"vlaue\":\"x\"}", "unknown field `vlaue`"),
        ("{\"value\":{\"hex\":\"f\"}}", "\"f\" is not bytes in hexadecimal digits"),
        ("{\"value\":{\"hex\":\"zz\"}}", "\"zz\" is not bytes in hexadecimal digits"),
        ("hello", "it is not a record in JSON"),
    ] {
        let error = read(&json, line).unwrap_err();
        assert!(error.contains(reason), "{line}: {error}");
    }
}

#[test]
fn a_line_shows_what_was_asked_for() {
    let text = |shown: &ShownFields, record: &ConsumedRecord| {
        let mut line = Vec::new();
        shown.write(record, &mut line).unwrap();
        String::from_utf8(line).unwrap()
    };
    let record = consumed(None, Some(b"v"));
    assert_eq!(text(&ShownFields::default(), &record), "v\n");
    let all = ShownFields {
        place: true,
        timestamp: true,
        headers: true,
        key: true,
        null: "null".to_owned(),
    };
    let expected = "orders-2\t7\t2023-11-14T22:13:20.123Z\ttrace=4711,raw=null\tnull\tv\n";
    assert_eq!(text(&all, &record), expected);
}
