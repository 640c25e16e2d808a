//! Records of `__consumer_offsets` are Kafka's own, byte for byte, and whatever else stands in that
//! topic does no harm. A wrong byte would lose a group's offsets on the way from or to Kafka.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordination::offsets_topic::{DecodedRecord, OffsetsTopicError, decode, encode};
use coordination::{
    ClassicGroupState, CommittedOffset, GroupInstanceId, GroupLoader, GroupRecord, GroupSettings,
    MemberRecord, MembershipRecord, Timestamp,
};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::{collection, option};
use protocol::{
    Generation, GroupId, LeaderEpoch, MemberId, Offset, PartitionIndex, TopicId, TopicName,
};
use uuid::Uuid;

fn group() -> GroupId {
    GroupId::new("g")
}

fn topic() -> TopicName {
    TopicName::new("t").unwrap()
}

fn commit(expire_timestamp: Option<Timestamp>, topic_id: TopicId) -> GroupRecord {
    GroupRecord::OffsetCommitted {
        topic: topic(),
        partition: PartitionIndex(3),
        committed: CommittedOffset {
            offset: Offset::new(258),
            leader_epoch: LeaderEpoch::new(7),
            metadata: Arc::from("m"),
            commit_timestamp: Timestamp::from_millis(1),
            expire_timestamp,
            topic_id,
        },
    }
}

fn membership() -> MembershipRecord {
    MembershipRecord {
        protocol_type: Arc::from("consumer"),
        generation: Generation::new(5),
        protocol_name: Some(Arc::from("range")),
        leader: Some(MemberId::new("a-1")),
        state_since: Some(Timestamp::from_millis(2)),
        members: vec![MemberRecord {
            member_id: MemberId::new("a-1"),
            group_instance_id: Some(GroupInstanceId::new("i")),
            client_id: Arc::from("c"),
            client_host: Arc::from("/h"),
            rebalance_timeout: Duration::from_millis(16),
            session_timeout: Duration::from_millis(17),
            subscription: Bytes::from_static(b"s"),
            assignment: Bytes::from_static(b"as"),
        }],
    }
}

/// Bytes written as text: hexadecimal numbers and quoted letters.
fn bytes(text: &str) -> Bytes {
    let parts = text.split_whitespace().flat_map(|part| match part.strip_prefix('\'') {
        Some(letters) => letters.trim_end_matches('\'').as_bytes().to_vec(),
        None => (0..part.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&part[at..at + 2], 16).unwrap())
            .collect(),
    });
    parts.collect()
}

#[test]
fn a_commit_is_written_as_version_4() {
    let id = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    let encoded = encode(&group(), &commit(None, TopicId(id))).unwrap();
    assert_eq!(encoded.key, bytes("0001 0001 'g' 0001 't' 00000003"));
    let value = "0004 0000000000000102 00000007 02 'm' 0000000000000001
                 01 00 10 0102030405060708090a0b0c0d0e0f10";
    assert_eq!(encoded.value.unwrap(), bytes(value));
    // a topic id that nobody knows is left out
    let encoded = encode(&group(), &commit(None, TopicId::ZERO)).unwrap();
    let value = "0004 0000000000000102 00000007 02 'm' 0000000000000001 00";
    assert_eq!(encoded.value.unwrap(), bytes(value));
}

#[test]
fn a_commit_with_a_retention_is_written_as_version_1() {
    let record = commit(Some(Timestamp::from_millis(9)), TopicId::ZERO);
    let encoded = encode(&group(), &record).unwrap();
    let value = "0001 0000000000000102 0001 'm' 0000000000000001 0000000000000009";
    assert_eq!(encoded.value.unwrap(), bytes(value));
}

#[test]
fn a_generation_is_written_as_version_3() {
    let encoded = encode(&group(), &GroupRecord::Membership(membership())).unwrap();
    assert_eq!(encoded.key, bytes("0002 0001 'g'"));
    let value = "0003 0008 'consumer' 00000005 0005 'range' 0003 'a-1' 0000000000000002
                 00000001 0003 'a-1' 0001 'i' 0001 'c' 0002 '/h' 00000010 00000011
                 00000001 's' 00000002 'as'";
    assert_eq!(encoded.value.unwrap(), bytes(value));
}

#[test]
fn removals_are_tombstones() {
    let removed = GroupRecord::OffsetRemoved { topic: topic(), partition: PartitionIndex(3) };
    assert_eq!(encode(&group(), &removed).unwrap().value, None);
    let encoded = encode(&group(), &GroupRecord::GroupRemoved).unwrap();
    assert_eq!((encoded.key, encoded.value), (bytes("0002 0001 'g'"), None));
}

#[test]
fn every_older_version_is_read() {
    let read = |value: &str| {
        let key = bytes("0000 0001 'g' 0001 't' 00000003");
        match decode(Some(key), Some(bytes(value))).unwrap() {
            DecodedRecord::Group(_, GroupRecord::OffsetCommitted { committed, .. }) => committed,
            other => panic!("{other:?}"),
        }
    };
    let offset = "0000000000000102";
    for (value, epoch, expires) in [
        (format!("0000 {offset} 0001 'm' 0000000000000001"), -1, None),
        (format!("0001 {offset} 0001 'm' 0000000000000001 ffffffffffffffff"), -1, None),
        (format!("0001 {offset} 0001 'm' 0000000000000001 0000000000000009"), -1, Some(9)),
        (format!("0002 {offset} 0001 'm' 0000000000000001"), -1, None),
        (format!("0003 {offset} 00000007 0001 'm' 0000000000000001"), 7, None),
    ] {
        let committed = read(&value);
        assert_eq!(committed.offset, Offset::new(258), "{value}");
        assert_eq!(committed.leader_epoch, LeaderEpoch::new(epoch), "{value}");
        assert_eq!(committed.expire_timestamp, expires.map(Timestamp::from_millis), "{value}");
    }
}

#[test]
fn a_generation_without_rebalance_timeouts_has_those_of_the_sessions() {
    let value = "0000 0008 'consumer' 00000005 0005 'range' 0003 'a-1'
                 00000001 0003 'a-1' 0001 'c' 0002 '/h' 00000011 00000001 's' 00000002 'as'";
    let decoded = decode(Some(bytes("0002 0001 'g'")), Some(bytes(value))).unwrap();
    let DecodedRecord::Group(_, GroupRecord::Membership(read)) = decoded else {
        panic!("{decoded:?}")
    };
    assert_eq!(read.members[0].rebalance_timeout, Duration::from_millis(17));
    assert_eq!(read.members[0].group_instance_id, None);
    assert_eq!(read.state_since, None);
}

#[test]
fn a_record_damaged_anywhere_is_refused_or_read_and_nothing_worse() {
    for record in [commit(None, TopicId::ZERO), GroupRecord::Membership(membership())] {
        let encoded = encode(&group(), &record).unwrap();
        let value = encoded.value.unwrap();
        for end in 0..value.len() {
            let cut = decode(Some(encoded.key.clone()), Some(value.slice(..end)));
            assert!(matches!(cut, Err(OffsetsTopicError::Value { .. })), "cut at {end}: {cut:?}");
        }
        for end in 0..encoded.key.len() {
            let cut = decode(Some(encoded.key.slice(..end)), None);
            assert!(matches!(cut, Err(OffsetsTopicError::Key { .. })), "cut at {end}: {cut:?}");
        }
        for place in 0..value.len() {
            let mut damaged = value.to_vec();
            damaged[place] ^= 0xff;
            let _either = decode(Some(encoded.key.clone()), Some(Bytes::from(damaged)));
        }
    }
    assert!(matches!(decode(None, None), Err(OffsetsTopicError::NoKey)));
}

#[test]
fn records_of_other_group_types_are_passed_over() {
    let settings = Arc::new(GroupSettings::default());
    let mut loader = GroupLoader::new(settings);
    for record_type in 3..20i16 {
        let key = Bytes::copy_from_slice(&record_type.to_be_bytes());
        loader.replay(Some(key), Some(Bytes::from_static(b"whatever"))).unwrap();
    }
    assert_eq!(loader.records_passed_over(), 17);
    assert!(loader.finish().is_empty());
}

#[test]
fn a_loader_keeps_what_is_alive() {
    let settings = Arc::new(GroupSettings::default());
    let mut loader = GroupLoader::new(Arc::clone(&settings));
    let mut of_one = GroupLoader::of_group(GroupId::new("kept"), settings);
    let mut replay = |name: &str, record: &GroupRecord| {
        let encoded = encode(&GroupId::new(name), record).unwrap();
        for loader in [&mut loader, &mut of_one] {
            loader.replay(Some(encoded.key.clone()), encoded.value.clone()).unwrap();
        }
    };
    let gone = GroupRecord::OffsetRemoved { topic: topic(), partition: PartitionIndex(3) };
    replay("kept", &GroupRecord::Membership(membership()));
    replay("kept", &commit(None, TopicId::ZERO));
    replay("simple", &commit(None, TopicId::ZERO));
    replay("deleted", &GroupRecord::Membership(membership()));
    replay("deleted", &commit(None, TopicId::ZERO));
    replay("deleted", &gone);
    replay("deleted", &GroupRecord::GroupRemoved);
    // compaction took the older records of this one, and left the tombstones
    replay("compacted", &gone);
    replay("compacted", &GroupRecord::GroupRemoved);
    // an offset committed after the group was deleted
    replay("again", &GroupRecord::GroupRemoved);
    replay("again", &commit(None, TopicId::ZERO));
    let groups = loader.finish();
    let names: Vec<&str> = groups.keys().map(GroupId::as_str).collect();
    assert_eq!(names, ["again", "kept", "simple"]);
    let kept = &groups["kept"];
    assert_eq!(kept.state(), ClassicGroupState::Stable);
    assert_eq!((kept.generation(), kept.member_count()), (Generation::new(5), 1));
    assert_eq!(kept.committed_offsets().len(), 1);
    assert_eq!(groups["simple"].state(), ClassicGroupState::Empty);
    assert_eq!(of_one.finish().keys().map(GroupId::as_str).collect::<Vec<_>>(), ["kept"]);
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..i64::MAX).prop_map(Timestamp::from_millis)
}

fn milliseconds() -> impl Strategy<Value = Duration> {
    (0..i32::MAX as u64).prop_map(Duration::from_millis)
}

fn committed() -> impl Strategy<Value = CommittedOffset> {
    let full = (any::<i32>(), any::<u128>()).prop_map(|(epoch, id)| (epoch, id, None));
    let expiring = timestamp().prop_map(|expires| (-1, 0, Some(expires)));
    (any::<i64>(), text(), timestamp(), prop_oneof![full, expiring]).prop_map(
        |(offset, metadata, commit_timestamp, (epoch, id, expire_timestamp))| CommittedOffset {
            offset: Offset::new(offset),
            leader_epoch: LeaderEpoch::new(epoch),
            metadata: Arc::from(metadata),
            commit_timestamp,
            expire_timestamp,
            topic_id: TopicId(Uuid::from_u128(id)),
        },
    )
}

fn member() -> impl Strategy<Value = MemberRecord> {
    let names = (text(), option::of(text()), text(), text());
    let payloads = (collection::vec(any::<u8>(), 0..40), collection::vec(any::<u8>(), 0..600));
    (names, milliseconds(), milliseconds(), payloads).prop_map(
        |(names, rebalance_timeout, session_timeout, payloads)| MemberRecord {
            member_id: MemberId::new(&names.0),
            group_instance_id: names.1.as_deref().map(GroupInstanceId::new),
            client_id: Arc::from(names.2),
            client_host: Arc::from(names.3),
            rebalance_timeout,
            session_timeout,
            subscription: Bytes::from(payloads.0),
            assignment: Bytes::from(payloads.1),
        },
    )
}

fn record() -> impl Strategy<Value = GroupRecord> {
    let place = ("[a-z]{1,9}", any::<i32>())
        .prop_map(|(topic, number)| (TopicName::new(&topic).unwrap(), PartitionIndex(number)));
    let generation = (
        text(),
        any::<i32>(),
        option::of(text()),
        option::of(text()),
        option::of(timestamp()),
        collection::vec(member(), 0..4),
    );
    prop_oneof![
        (place.clone(), committed()).prop_map(|((topic, partition), committed)| {
            GroupRecord::OffsetCommitted { topic, partition, committed }
        }),
        place.prop_map(|(topic, partition)| GroupRecord::OffsetRemoved { topic, partition }),
        generation.prop_map(|(protocol_type, number, name, leader, state_since, members)| {
            GroupRecord::Membership(MembershipRecord {
                protocol_type: Arc::from(protocol_type),
                generation: Generation::new(number),
                protocol_name: name.map(Arc::from),
                leader: leader.as_deref().map(MemberId::new),
                state_since,
                members,
            })
        }),
        proptest::prelude::Just(GroupRecord::GroupRemoved),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(group in text(), record in record()) {
        let group = GroupId::new(&group);
        let encoded = encode(&group, &record).unwrap();
        let decoded = decode(Some(encoded.key), encoded.value).unwrap();
        assert_eq!(decoded, DecodedRecord::Group(group, record));
    }

    #[test]
    fn any_bytes_are_refused_or_read(
        key in collection::vec(any::<u8>(), 0..40),
        value in option::of(collection::vec(any::<u8>(), 0..200)),
    ) {
        let _either = decode(Some(Bytes::from(key)), value.map(Bytes::from));
    }
}
