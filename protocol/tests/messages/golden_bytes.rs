//! Messages written out byte by byte from the protocol's documentation, so that schemas and codec
//! cannot be wrong together.

use bytes::Bytes;
use protocol::TopicId;
use protocol::generated::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use protocol::generated::fetch::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic};
use protocol::generated::offset_commit_record::OffsetCommitKey;
use protocol::generated::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::message::Message;
use protocol::primitives::{DecodeError, DecodeProblem};

fn golden<M: Message + PartialEq + std::fmt::Debug>(message: &M, version: i16, bytes: &[u8]) {
    let encoded = message.to_encoded(version).unwrap().into_bytes();
    assert_eq!(&encoded[..], bytes);
    assert_eq!(&M::from_bytes(encoded, version).unwrap(), message);
}

#[test]
fn metadata_request_asks_for_named_topics_none_or_all() {
    let named = |name: &str| MetadataRequestTopic {
        name: Some(name.into()),
        ..MetadataRequestTopic::default()
    };
    let request = |topics| MetadataRequest { topics, ..MetadataRequest::default() };
    golden(&request(Some(vec![named("ab")])), 0, &[0, 0, 0, 1, 0, 2, b'a', b'b']);
    golden(&request(Some(vec![])), 1, &[0, 0, 0, 0]);
    golden(&request(None), 1, &[0xff, 0xff, 0xff, 0xff]);
    // compact array of one, topic id, compact name, no tags; three booleans became one; no tags
    let topic_id = [0; 16];
    let mut flexible = vec![2];
    flexible.extend(topic_id);
    flexible.extend([3, b'a', b'b', 0, 1, 0, 0]);
    golden(&request(Some(vec![named("ab")])), 12, &flexible);
}

#[test]
fn metadata_version_0_knows_no_null_topics() {
    let refused = MetadataRequest::from_bytes(Bytes::from_static(&[0xff; 4]), 0).unwrap_err();
    assert_eq!(refused, DecodeError { position: 4, problem: DecodeProblem::Null });
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let refused = all.to_encoded(0).unwrap_err();
    assert_eq!(refused.to_string(), "MetadataRequest.topics may not be null in version 0");
}

#[test]
fn produce_request_carries_its_records_behind_their_length() {
    let request = |topic| ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 0x1234,
        topic_data: vec![topic],
    };
    let partition =
        PartitionProduceData { index: 5, records: Some(Bytes::from_static(&[9, 8, 7])) };
    let named = TopicProduceData {
        name: "t".into(),
        partition_data: vec![partition.clone()],
        ..TopicProduceData::default()
    };
    golden(
        &request(named),
        3,
        &[
            0xff, 0xff, // no transactional id
            0xff, 0xff, // acks: all in-sync replicas
            0, 0, 0x12, 0x34, // timeout
            0, 0, 0, 1, 0, 1, b't', // one topic, "t"
            0, 0, 0, 1, 0, 0, 0, 5, // one partition, 5
            0, 0, 0, 3, 9, 8, 7, // three bytes of records
        ],
    );
    let identified = TopicProduceData {
        topic_id: TopicId(uuid::Uuid::from_u128(0x0102)),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    golden(
        &request(identified),
        13,
        &[
            0, // no transactional id
            0xff, 0xff, 0, 0, 0x12, 0x34, // acks, timeout
            2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, // one topic by its id
            2, 0, 0, 0, 5, 4, 9, 8, 7, // one partition, 5, three bytes of records
            0, 0, 0, // no tagged fields in partition, topic, request
        ],
    );
}

#[test]
fn fetch_response_tells_the_diverging_epoch_in_a_tagged_field() {
    let partition = PartitionData {
        partition_index: 1,
        high_watermark: 2,
        last_stable_offset: 3,
        log_start_offset: 4,
        diverging_epoch: EpochEndOffset { epoch: 5, end_offset: 6 },
        aborted_transactions: None,
        preferred_read_replica: -1,
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse {
        topic_id: TopicId(uuid::Uuid::from_u128(7)),
        partitions: vec![partition],
        ..FetchableTopicResponse::default()
    };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    golden(
        &response,
        13,
        &[
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // throttle time, error, session
            2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, // one topic
            2, 0, 0, 0, 1, 0, 0, // partition 1, no error
            0, 0, 0, 0, 0, 0, 0, 2, // high watermark
            0, 0, 0, 0, 0, 0, 0, 3, // last stable offset
            0, 0, 0, 0, 0, 0, 0, 4, // log start offset
            0, 0xff, 0xff, 0xff, 0xff, 0, // no aborted transactions, any replica, no records
            1, 0, 13, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, // tag 0, 13 bytes
            0, 0, // no tagged fields in topic, response
        ],
    );
}

#[test]
fn api_versions_response_of_version_0_has_neither_throttle_time_nor_tags() {
    let row = ApiVersion { api_key: 18, min_version: 0, max_version: 4 };
    let response = ApiVersionsResponse {
        error_code: 35,
        api_keys: vec![row],
        ..ApiVersionsResponse::default()
    };
    golden(&response, 0, &[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    let sent: &[u8] = &[
        2, b'a', 2, b'1', // name and version of the client's software
        2, 3, 2, 0xff, 0xff, // two tagged fields: tag 3 with two bytes
        0x80, 1, 0, // tag 128 without a byte
    ];
    let request = ApiVersionsRequest::from_bytes(Bytes::from_static(sent), 3).unwrap();
    let expected = ApiVersionsRequest {
        client_software_name: "a".into(),
        client_software_version: "1".into(),
    };
    assert_eq!(request, expected);
}

#[test]
fn key_of_a_committed_offset_is_group_topic_and_partition() {
    let key = OffsetCommitKey { group: "g".into(), topic: "tt".into(), partition: 3 };
    golden(&key, 0, &[0, 1, b'g', 0, 2, b't', b't', 0, 0, 0, 3]);
}

#[test]
fn a_value_that_a_version_cannot_carry_is_refused_unless_it_may_be_dropped() {
    let request =
        MetadataRequest { allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let refused = request.to_encoded(3).unwrap_err().to_string();
    assert_eq!(refused, "version 3 cannot carry MetadataRequest.allow_auto_topic_creation");
    let response = ApiVersionsResponse { throttle_time_ms: 9, ..ApiVersionsResponse::default() };
    let encoded = response.to_encoded(0).unwrap().into_bytes();
    assert_eq!(&encoded[..], [0; 6], "the throttle time is dropped from version 0");
}
