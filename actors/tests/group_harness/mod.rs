//! A node of its own for each test, and a client that speaks the wire and nothing more.

use std::path::Path;
use std::time::Duration;

use actors::{Node, StaticSettings};
use bytes::Bytes;
use protocol::frame::{ResponseFrame, encode_request, frame_size};
use protocol::generated::create_topics::{CreatableTopic, CreateTopicsRequest};
use protocol::generated::find_coordinator::FindCoordinatorRequest;
use protocol::generated::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use protocol::generated::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::generated::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
    OffsetFetchResponseTopics,
};
use protocol::generated::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use protocol::primitives::WireString;
use protocol::{ErrorCode, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes; what waits for it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a node on a directory.
pub async fn start(directory: &Path) -> Node {
    start_with(directory, &[("group.initial.rebalance.delay.ms", "0")]).await
}

/// Starts a node on a directory, with some settings of its own.
pub async fn start_with(directory: &Path, settings: &[(&str, &str)]) -> Node {
    let of_all = [
        ("log.dirs", directory.to_str().unwrap()),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("callboard.admin.listener", "127.0.0.1:0"),
        ("offsets.topic.num.partitions", "3"),
    ];
    let settings = of_all.iter().chain(settings).copied();
    Node::start(StaticSettings::parse(settings).unwrap()).await.unwrap()
}

/// Stops a node in order.
pub async fn stop(node: Node) {
    node.stop(PATIENCE).await;
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    /// Connects to a node.
    pub async fn connect(node: &Node) -> Self {
        let stream = TcpStream::connect(node.bootstrap().unwrap()).await.unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// Sends a request and waits for its response.
    pub async fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        tokio::time::timeout(PATIENCE, self.receive::<R>(version)).await.unwrap()
    }

    pub async fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation_id += 1;
        let encoded =
            encode_request(request, version, self.correlation_id, Some("tester".into()), 1 << 20)
                .unwrap();
        self.stream.write_all(&encoded.into_bytes()).await.unwrap();
    }

    pub async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).await.unwrap();
        let mut frame = vec![0; frame_size(prefix, 1 << 24).unwrap()];
        self.stream.read_exact(&mut frame).await.unwrap();
        let frame = ResponseFrame::decode(Bytes::from(frame), R::API_KEY, version).unwrap();
        assert_eq!(frame.correlation_id, self.correlation_id);
        frame.body::<R>().unwrap()
    }

    /// Creates a topic of `partitions` partitions.
    pub async fn create_topic(&mut self, name: &str, partitions: i32) {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 20_000,
            ..CreateTopicsRequest::default()
        };
        let response = self.ask(7, &request).await;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0]);
    }

    /// Asks for the group's coordinator until there is one.
    pub async fn find_coordinator(&mut self, group: &str) -> (String, i32) {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![group.into()],
            ..FindCoordinatorRequest::default()
        };
        let response =
            self.until(6, &request, |response| response.coordinators[0].error_code).await;
        (response.coordinators[0].host.to_string(), response.coordinators[0].port)
    }

    /// Sends the same request until its code is none that asks for patience.
    pub async fn until<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> R::Response {
        let started = std::time::Instant::now();
        loop {
            let response = self.ask(version, request).await;
            let code = ErrorCode::from_code(code(&response)).unwrap();
            let is_transient = matches!(
                code,
                ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotCoordinator
            );
            if !is_transient {
                return response;
            }
            assert!(started.elapsed() < PATIENCE, "still {code:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Joins as a new dynamic member that is alone, syncs, and gives its id and generation.
    pub async fn become_member(&mut self, group: &str) -> (WireString, i32) {
        let first = self.join(group, "").await;
        assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
        let joined = self.join(group, &first.member_id).await;
        assert_eq!(joined.error_code, 0);
        assert_eq!(joined.leader, joined.member_id);
        let synced = self.sync(group, &joined, b"everything").await;
        assert_eq!((synced.error_code, &*synced.assignment), (0, &b"everything"[..]));
        (joined.member_id, joined.generation_id)
    }

    /// Joins in the newest version.
    pub async fn join(&mut self, group: &str, member: &str) -> JoinGroupResponse {
        self.until(9, &join_request(group, member), |response| response.error_code).await
    }

    /// Syncs in the newest version, as the leader of a group of one.
    pub async fn sync(
        &mut self,
        group: &str,
        joined: &JoinGroupResponse,
        assignment: &'static [u8],
    ) -> SyncGroupResponse {
        let request = SyncGroupRequest {
            group_id: group.into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            protocol_type: joined.protocol_type.clone(),
            protocol_name: joined.protocol_name.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: Bytes::from_static(assignment),
            }],
            ..SyncGroupRequest::default()
        };
        self.ask(5, &request).await
    }

    /// Commits one offset by name and gives its code.
    pub async fn commit(&mut self, request: &OffsetCommitRequest) -> ErrorCode {
        let code = |response: &protocol::generated::offset_commit::OffsetCommitResponse| {
            response.topics[0].partitions[0].error_code
        };
        let response = self.until(9, request, code).await;
        ErrorCode::from_code(code(&response)).unwrap()
    }

    /// What the group has committed for partition 0 of a topic.
    pub async fn committed(&mut self, group: &str, topic: &str) -> i64 {
        let topics = vec![OffsetFetchRequestTopics {
            name: topic.into(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        }];
        let topics = self.fetch(group, Some(topics)).await;
        topics[0].partitions[0].committed_offset
    }

    /// What the group has committed.
    pub async fn fetch(
        &mut self,
        group: &str,
        topics: Option<Vec<OffsetFetchRequestTopics>>,
    ) -> Vec<OffsetFetchResponseTopics> {
        let group = OffsetFetchRequestGroup {
            group_id: group.into(),
            topics,
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
        let mut response = self.until(9, &request, |response| response.groups[0].error_code).await;
        assert_eq!(response.groups[0].error_code, 0);
        response.groups.remove(0).topics
    }
}

/// A join of a consumer that knows one protocol.
pub fn join_request(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0"),
        }],
        ..JoinGroupRequest::default()
    }
}

/// A commit of one offset, by a member or, with generation −1, from outside.
pub fn commit_request(
    group: &str,
    (member, generation): (&str, i32),
    topic: &str,
    offset: i64,
) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: offset,
                committed_leader_epoch: -1,
                committed_metadata: Some("a note".into()),
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

/// From outside the membership.
pub const OUTSIDE: (&str, i32) = ("", -1);
