//! A connection to a broker that misbehaves: slow, silent, gone, or no broker at all. If this
//! breaks, one bad broker hangs a client or gives it another request's answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::api_key::ApiKey;
use protocol::api_versions::ServedApis;
use protocol::frame::{RequestFrame, encode_response};
use protocol::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::generated::metadata::{MetadataRequest, MetadataResponse};
use protocol::generated::offset_delete::OffsetDeleteRequest;
use protocol::message::Request;
use protocol::primitives::WireString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, Connection};
use crate::error::Error;
use crate::settings::ClientSettings;

/// A broker's end of one connection.
struct Peer(TcpStream);

impl Peer {
    async fn request(&mut self) -> RequestFrame {
        let size = self.0.read_u32().await.unwrap();
        let mut frame = vec![0; size as usize];
        self.0.read_exact(&mut frame).await.unwrap();
        RequestFrame::decode(Bytes::from(frame), &ServedApis::all()).unwrap()
    }

    async fn answer<R: Request>(&mut self, request: &RequestFrame, response: &R::Response) {
        let (version, id) = (request.version, request.correlation_id);
        let frame = encode_response::<R>(response, version, id, 1 << 20).unwrap();
        self.0.write_all(&frame.into_bytes()).await.unwrap();
    }

    async fn answer_metadata(&mut self, request: &RequestFrame, cluster: &str) {
        let cluster_id = Some(WireString::from(cluster));
        let response = MetadataResponse { cluster_id, ..MetadataResponse::default() };
        self.answer::<MetadataRequest>(request, &response).await;
    }
}

fn settings() -> ClientSettings {
    ClientSettings {
        request_timeout: Duration::from_millis(300),
        in_flight_max: 4,
        response_bytes_max: 1000,
        ..ClientSettings::default()
    }
}

/// Both ends, after the versions have been agreed on: everything but OffsetDelete is served.
async fn connected() -> (Connection, Peer) {
    let (listener, address) = listener().await;
    let broker = async {
        let mut peer = Peer(listener.accept().await.unwrap().0);
        let request = peer.request().await;
        assert_eq!(request.key, ApiKey::ApiVersions);
        let api_keys = ServedApis::all().without(&[ApiKey::OffsetDelete]).advertised();
        let response = ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() };
        peer.answer::<ApiVersionsRequest>(&request, &response).await;
        peer
    };
    let settings = settings();
    let (connection, peer) = tokio::join!(Connection::open(&address, &settings), broker);
    (connection.unwrap(), peer)
}

async fn listener() -> (TcpListener, Arc<str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Arc::from(listener.local_addr().unwrap().to_string());
    (listener, address)
}

async fn ask(connection: &Connection) -> Answer<MetadataRequest> {
    let version = connection.version::<MetadataRequest>(i16::MAX).unwrap();
    let timeout = Duration::from_millis(300);
    connection.begin_in(&MetadataRequest::default(), version, timeout).await.unwrap()
}

#[tokio::test]
async fn answers_find_their_requests_in_whatever_order_they_come() {
    let (connection, mut peer) = connected().await;
    let (first, second) = (ask(&connection).await, ask(&connection).await);
    let requests = [peer.request().await, peer.request().await];
    peer.answer_metadata(&requests[1], "second").await;
    peer.answer_metadata(&requests[0], "first").await;
    assert_eq!(first.receive().await.unwrap().cluster_id.as_deref(), Some("first"));
    assert_eq!(second.receive().await.unwrap().cluster_id.as_deref(), Some("second"));
}

#[tokio::test]
async fn a_broker_that_does_not_answer_in_time_loses_the_connection() {
    let (connection, mut peer) = connected().await;
    let (first, second) = (ask(&connection).await, ask(&connection).await);
    let _ = peer.request().await;
    let error = first.receive().await.unwrap_err();
    assert!(matches!(error, Error::RequestTimedOut { api: ApiKey::Metadata, .. }), "{error}");
    assert!(error.is_retryable() && connection.is_closed());
    assert!(second.receive().await.is_err(), "nothing behind it comes either");
    let later = connection.request(&MetadataRequest::default()).await;
    assert!(matches!(later, Err(Error::RequestTimedOut { .. })));
}

#[tokio::test]
async fn a_broker_that_goes_away_fails_whoever_waits() {
    let (connection, mut peer) = connected().await;
    let answers = [ask(&connection).await, ask(&connection).await];
    let _ = peer.request().await;
    drop(peer);
    for answer in answers {
        let error = answer.receive().await.unwrap_err();
        assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    }
    assert!(connection.is_closed());
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    let (connection, mut peer) = connected().await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask(&connection).await);
    }
    let fifth = ask(&connection);
    tokio::pin!(fifth);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut fifth).await;
    assert!(early.is_err(), "a fifth request went out");
    let request = peer.request().await;
    peer.answer_metadata(&request, "first").await;
    answers.remove(0).receive().await.unwrap();
    let _ = fifth.await;
}

#[tokio::test]
async fn an_answer_above_the_limit_or_in_another_protocol_ends_the_connection() {
    for (bytes, other) in [(&[0, 0, 4, 0, 1, 2][..], false), (b"HTTP/1.1 400 Bad Request", true)] {
        let (connection, mut peer) = connected().await;
        let answer = ask(&connection).await;
        let _ = peer.request().await;
        peer.0.write_all(bytes).await.unwrap();
        let error = answer.receive().await.unwrap_err();
        assert!(matches!(error, Error::FrameSize { .. }) && !error.is_retryable(), "{error}");
        assert_eq!(error.to_string().contains("HTTP"), other, "{error}");
    }
}

#[tokio::test]
async fn an_answer_to_nothing_ends_the_connection() {
    let (connection, mut peer) = connected().await;
    let answer = ask(&connection).await;
    let mut request = peer.request().await;
    request.correlation_id += 7;
    peer.answer_metadata(&request, "whose").await;
    assert!(matches!(answer.receive().await, Err(Error::ConnectionLost { .. })));
}

#[tokio::test]
async fn a_damaged_answer_is_told_from_a_lost_connection() {
    let (connection, mut peer) = connected().await;
    let answer = ask(&connection).await;
    let request = peer.request().await;
    let mut frame = 5_u32.to_be_bytes().to_vec();
    frame.extend_from_slice(&request.correlation_id.to_be_bytes());
    frame.push(0);
    peer.0.write_all(&frame).await.unwrap();
    assert!(matches!(answer.receive().await, Err(Error::Decode { api: ApiKey::Metadata, .. })));
}

#[tokio::test]
async fn an_api_that_the_broker_does_not_serve_is_refused_before_it_is_sent() {
    let (connection, _peer) = connected().await;
    let refused = connection.request(&OffsetDeleteRequest::default()).await;
    assert!(matches!(refused, Err(Error::UnsupportedApi { api: ApiKey::OffsetDelete, .. })));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_an_error_that_names_it() {
    let (listener, address) = listener().await;
    drop(listener);
    let Err(error) = Connection::open(&address, &settings()).await else { panic!("connected") };
    assert!(matches!(error, Error::Connect { .. }) && error.to_string().contains(&*address));
}

#[tokio::test]
async fn a_listener_that_never_answers_the_first_request_is_given_up() {
    let (_listener, address) = listener().await;
    let Err(error) = Connection::open(&address, &settings()).await else { panic!("connected") };
    assert!(matches!(error, Error::RequestTimedOut { api: ApiKey::ApiVersions, .. }), "{error}");
}
