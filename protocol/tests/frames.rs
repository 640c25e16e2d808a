//! Frames of requests and responses as a session and a client meet them. If this breaks, clients
//! cannot negotiate, or a stranger's bytes reserve memory.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::api_key::ApiKey;
use protocol::api_versions::ServedApis;
use protocol::frame::{
    FrameEncodeError, FrameSizeError, RequestFrame, RequestFrameError, ResponseFrame,
    encode_request, encode_response, frame_size,
};
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::generated::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use protocol::generated::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::primitives::{DecodeProblem, PAYLOAD_BYTES_MIN};

const LIMIT: usize = 1 << 20;

fn heartbeat() -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: "group".into(),
        generation_id: 3,
        member_id: "member".into(),
        group_instance_id: None,
    }
}

/// A frame without its size, which is checked.
fn without_size(frame: Bytes) -> Bytes {
    let prefix = frame[..4].try_into().unwrap();
    assert_eq!(frame_size(prefix, LIMIT), Ok(frame.len() - 4));
    frame.slice(4..)
}

fn request_frame(version: i16) -> Bytes {
    let client_id = Some("client".into());
    let encoded = encode_request(&heartbeat(), version, 77, client_id, LIMIT).unwrap();
    without_size(encoded.into_bytes())
}

#[test]
fn a_request_arrives_as_it_was_sent() {
    for version in 0..=4 {
        let frame = RequestFrame::decode(request_frame(version), &ServedApis::all()).unwrap();
        assert_eq!((frame.key, frame.version), (ApiKey::Heartbeat, version));
        assert_eq!(frame.correlation_id, 77);
        assert_eq!(frame.client_id.as_deref(), Some("client"));
        assert_eq!(frame.body::<HeartbeatRequest>().unwrap(), heartbeat());
    }
}

#[test]
fn the_flexible_request_header_has_tags_but_an_old_client_id() {
    let expected = [&[0, 12, 0, 4, 0, 0, 0, 77, 0, 6][..], b"client", &[0, 6], b"group"].concat();
    assert_eq!(&request_frame(4)[..expected.len()], expected);
}

#[test]
fn a_response_arrives_as_it_was_sent() {
    let response = HeartbeatResponse { throttle_time_ms: 5, error_code: 27 };
    for version in 1..=4 {
        let encoded = encode_response::<HeartbeatRequest>(&response, version, 88, LIMIT).unwrap();
        let frame = without_size(encoded.into_bytes());
        let frame = ResponseFrame::decode(frame, ApiKey::Heartbeat, version).unwrap();
        assert_eq!(frame.correlation_id, 88);
        assert_eq!(frame.body::<HeartbeatRequest>().unwrap(), response);
    }
}

#[test]
fn an_api_or_a_version_that_is_not_served_is_told_apart() {
    let decode = |head: &[u8], served: &ServedApis| {
        let frame = [head, &[0, 0, 0, 1, 0xff, 0xff]].concat();
        RequestFrame::decode(Bytes::from(frame), served).unwrap_err()
    };
    let all = ServedApis::all();
    let unknown = decode(&[0x7f, 0xff, 0, 2], &all);
    assert_eq!(unknown, RequestFrameError::UnknownApi { code: 0x7fff, version: 2 });
    let removed = decode(&[0, 4, 0, 1], &all);
    assert_eq!(removed, RequestFrameError::UnknownApi { code: 4, version: 1 });
    let left_out = decode(&[0, 12, 0, 1], &ServedApis::all().without(&[ApiKey::Heartbeat]));
    assert_eq!(left_out, RequestFrameError::UnknownApi { code: 12, version: 1 });
    for version in [-1, 5, i16::MAX] {
        let [high, low] = version.to_be_bytes();
        let refused = decode(&[0, 12, high, low], &all);
        let key = ApiKey::Heartbeat;
        assert_eq!(refused, RequestFrameError::UnsupportedVersion { key, version });
    }
}

#[test]
fn produce_below_version_3_is_advertised_and_refused() {
    let served = ServedApis::all();
    let row = served.advertised().into_iter().find(|row| row.api_key == 0).unwrap();
    assert_eq!((row.min_version, row.max_version), (0, 13));
    for version in 0..3 {
        let frame = Bytes::from(vec![0, 0, 0, version as u8, 0, 0, 0, 1, 0xff, 0xff]);
        let refused = RequestFrame::decode(frame, &served).unwrap_err();
        let key = ApiKey::Produce;
        assert_eq!(refused, RequestFrameError::UnsupportedVersion { key, version });
    }
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let served = ServedApis::all();
    // a header and a body of which nothing can be known but the first eight bytes
    let frame = Bytes::from_static(&[0, 18, 0, 9, 0, 0, 1, 2, 0xab, 0xcd, 0xef]);
    let refused = RequestFrame::decode(frame, &served).unwrap_err();
    let expected = RequestFrameError::ApiVersionsVersion { version: 9, correlation_id: 0x0102 };
    assert_eq!(refused, expected);
    let answer = served.unsupported_version_response();
    let encoded = encode_response::<ApiVersionsRequest>(&answer, 0, 0x0102, LIMIT).unwrap();
    let frame = without_size(encoded.into_bytes());
    // correlation id without tags, error 35, then the rows of four times two bytes
    assert_eq!(&frame[..10], [0, 0, 1, 2, 0, 35, 0, 0, 0, ApiKey::ALL.len() as u8]);
    assert_eq!(frame.len(), 10 + 6 * ApiKey::ALL.len());
    // a client that asked in a newer version reads it all the same
    let frame = ResponseFrame::decode(frame, ApiKey::ApiVersions, 4).unwrap();
    let read = frame.body::<ApiVersionsRequest>().unwrap();
    assert_eq!(read.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(read.api_keys.len(), ApiKey::ALL.len());
}

#[test]
fn the_response_header_of_api_versions_never_has_tags() {
    let response = ApiVersionsResponse::default();
    for version in 0..=4 {
        let encoded = encode_response::<ApiVersionsRequest>(&response, version, 1, LIMIT).unwrap();
        let frame = without_size(encoded.into_bytes());
        // the error code follows the correlation id at once, then the number of rows
        let rows: &[u8] = if version >= 3 { &[1] } else { &[0, 0, 0, 0] };
        let expected = [&[0, 0, 0, 1, 0, 0][..], rows].concat();
        assert_eq!(&frame[..expected.len()], expected, "version {version}");
    }
}

#[test]
fn damaged_headers_are_refused_with_the_place_of_the_damage() {
    let served = ServedApis::all();
    let whole = request_frame(4);
    for length in 0..17 {
        let refused = RequestFrame::decode(whole.slice(..length), &served).unwrap_err();
        assert!(matches!(refused, RequestFrameError::Header(_)), "{length}: {refused}");
    }
    let mut long_name = whole[..8].to_vec();
    long_name.extend([0x7f, 0xff, b'a']);
    let refused = RequestFrame::decode(Bytes::from(long_name), &served).unwrap_err();
    let RequestFrameError::Header(damage) = refused else { panic!("{refused}") };
    assert_eq!(damage.position, 10);
    assert_eq!(damage.problem, DecodeProblem::Truncated { needed: 0x7fff, remaining: 1 });
}

#[test]
fn bytes_after_the_body_of_a_request_are_passed_over() {
    let whole = RequestFrame::decode(request_frame(4), &ServedApis::all()).unwrap();
    let mut long = request_frame(4).to_vec();
    long.extend([0; 3]);
    let frame = RequestFrame::decode(Bytes::from(long), &ServedApis::all()).unwrap();
    assert_eq!(frame.body::<HeartbeatRequest>(), whole.body::<HeartbeatRequest>());
}

#[test]
fn sizes_are_bounded_before_anything_is_reserved() {
    assert_eq!(frame_size([0, 0, 1, 0], 256), Ok(256));
    let too_large = FrameSizeError::TooLarge { size: 257, bytes_max: 256 };
    assert_eq!(frame_size([0, 0, 1, 1], 256), Err(too_large));
    assert_eq!(frame_size([0xff; 4], 256), Err(FrameSizeError::TooSmall { size: -1 }));
    assert_eq!(frame_size([0; 4], 256), Err(FrameSizeError::TooSmall { size: 0 }));
}

#[test]
fn strangers_are_named() {
    let http = FrameSizeError::OtherProtocol { protocol: "HTTP" };
    for prefix in [b"GET ", b"POST", b"HEAD", b"PUT "] {
        assert_eq!(frame_size(*prefix, LIMIT), Err(http.clone()));
    }
    let tls = FrameSizeError::OtherProtocol { protocol: "TLS" };
    assert_eq!(frame_size([0x16, 3, 1, 2], LIMIT), Err(tls));
}

#[test]
fn large_records_are_never_copied() {
    let records = Bytes::from(vec![7; PAYLOAD_BYTES_MIN]);
    let few = Bytes::from(vec![8; PAYLOAD_BYTES_MIN - 1]);
    let partition = |records: &Bytes| PartitionData {
        records: Some(records.clone()),
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse {
        partitions: vec![partition(&records), partition(&few), partition(&records)],
        ..FetchableTopicResponse::default()
    };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let encoded = encode_response::<FetchRequest>(&response, 12, 1, LIMIT).unwrap();
    assert_eq!(encoded.length, encoded.chunks.iter().map(Bytes::len).sum::<usize>());
    let places: Vec<*const u8> = encoded.chunks.iter().map(|chunk| chunk.as_ptr()).collect();
    assert_eq!(encoded.chunks.len(), 5, "small values and large ones in turn");
    assert_eq!((places[1], places[3]), (records.as_ptr(), records.as_ptr()));
    let frame = without_size(encoded.into_bytes());
    let frame = ResponseFrame::decode(frame.clone(), ApiKey::Fetch, 12).unwrap();
    let read = frame.body::<FetchRequest>().unwrap();
    assert_eq!(read, response);
}

#[test]
fn decoded_records_are_slices_of_the_frame() {
    let records = Bytes::from(vec![7; 10]);
    let partition = PartitionData { records: Some(records), ..PartitionData::default() };
    let topic =
        FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let encoded = encode_response::<FetchRequest>(&response, 12, 1, LIMIT).unwrap();
    let frame = without_size(encoded.into_bytes());
    let within = frame.as_ptr_range();
    let read = ResponseFrame::decode(frame, ApiKey::Fetch, 12).unwrap();
    let read = read.body::<FetchRequest>().unwrap();
    let records = read.responses[0].partitions[0].records.clone().unwrap();
    assert!(within.contains(&records.as_ptr()));
}

#[test]
fn a_frame_above_the_limit_is_not_made() {
    let exact = request_frame(4).len();
    let client_id = || Some("client".into());
    assert!(encode_request(&heartbeat(), 4, 77, client_id(), exact).is_ok());
    let refused = encode_request(&heartbeat(), 4, 77, client_id(), exact - 1).unwrap_err();
    let expected = FrameEncodeError::TooLarge { size: exact, bytes_max: exact - 1 };
    assert_eq!(refused, expected);
}
