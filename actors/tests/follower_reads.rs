//! Consumers at followers (KIP-392): sent there by the leader, shown what is committed and nothing
//! else, and sent back whenever the follower does not know. Node n is in rack n; node 1 leads first.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "consumers here belong to no group")]
mod group_harness;
#[allow(dead_code, reason = "consumers look at a part of a cluster")]
mod replication_harness;

use std::time::Duration;

use actors::partition_replica::PartitionReplicaMessage;
use actors::peer_messages::MessageKind;
use group_harness::Wire;
use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use protocol::generated::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::{ErrorCode, Offset};
use replication_harness::{Trio, until};

const SELECTOR: (&str, &str) =
    ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
const TOPIC: &str = "orders";
/// The first version that knows of followers.
const VERSION: i16 = 11;

/// A fetch of partition 0.
#[derive(Clone, Copy)]
struct Ask {
    rack: &'static str,
    version: i16,
    offset: i64,
    leader_epoch: i32,
    last_fetched_epoch: i32,
    wait_ms: i32,
}

fn from(offset: i64) -> Ask {
    Ask { rack: "", version: VERSION, offset, leader_epoch: -1, last_fetched_epoch: -1, wait_ms: 0 }
}

impl Ask {
    fn request(self) -> FetchRequest {
        let partition = FetchPartition {
            fetch_offset: self.offset,
            current_leader_epoch: self.leader_epoch,
            last_fetched_epoch: self.last_fetched_epoch,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let partitions = vec![partition];
        let topic = FetchTopic { topic: TOPIC.into(), partitions, ..FetchTopic::default() };
        FetchRequest {
            max_wait_ms: self.wait_ms,
            min_bytes: 1,
            session_epoch: -1,
            topics: vec![topic],
            rack_id: self.rack.into(),
            ..FetchRequest::default()
        }
    }

    async fn at(self, trio: &Trio, node: i32) -> PartitionData {
        let mut wire = Wire::connect(trio.node(node)).await;
        let response = wire.ask(self.version, &self.request()).await;
        response.responses[0].partitions[0].clone()
    }
}

fn code(answer: &PartitionData) -> ErrorCode {
    ErrorCode::from_code(answer.error_code).unwrap()
}

fn text(answer: &PartitionData) -> String {
    String::from_utf8_lossy(answer.records.as_deref().unwrap_or_default()).into_owned()
}

/// Three nodes, a topic with a few records, all in sync.
async fn trio_with(settings: &[(&'static str, &'static str)]) -> Trio {
    let trio = Trio::start_with(settings).await;
    trio.create_topic(TOPIC, 1).await;
    for number in 0..3 {
        trio.append(TOPIC, 0, format!("order {number}").as_bytes()).await;
    }
    trio.in_sync(TOPIC, 0, &[1, 2, 3]).await;
    trio
}

/// Waits until a follower shows consumers everything below this offset.
async fn shows(trio: &Trio, node: i32, end: i64) {
    until(&format!("node {node} shows everything below {end}"), || {
        let view = trio.place(node, TOPIC, 0).and_then(|place| place.shown());
        view.is_some_and(|view| view.high_watermark == Offset::new(end))
    })
    .await;
}

/// Waits until the leader knows what its followers hold.
async fn knows_followers(trio: &Trio, leader: i32, count: usize) {
    until("the leader knows its followers", || {
        let view = trio.place(leader, TOPIC, 0).and_then(|place| place.view());
        view.is_some_and(|view| match &view.viewpoint {
            actors::read_view::Viewpoint::Leader { read_replicas } => {
                read_replicas.iter().filter(|one| one.log_end == view.log_end_offset).count()
                    == count
            }
            actors::read_view::Viewpoint::Follower => false,
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_is_sent_to_the_follower_in_its_rack_and_served_there() {
    let trio = trio_with(&[SELECTOR]).await;
    knows_followers(&trio, 1, 2).await;
    for node in [2, 3] {
        let rack = if node == 2 { "2" } else { "3" };
        let sent = Ask { rack, wait_ms: 20_000, ..from(0) }.at(&trio, 1).await;
        assert_eq!((code(&sent), sent.preferred_read_replica), (ErrorCode::None, node));
        assert_eq!(sent.records.as_deref().unwrap_or_default(), b"");
        shows(&trio, node, 3).await;
        let served = Ask { rack, ..from(0) }.at(&trio, node).await;
        assert_eq!((code(&served), served.preferred_read_replica), (ErrorCode::None, -1));
        assert_eq!((served.high_watermark, served.log_start_offset), (3, 0));
        assert_eq!(served.records.as_deref().unwrap(), trio.log_bytes(1, TOPIC, 0));
        let counted = trio.node(node).broker().metrics.bytes_read_from_followers.get();
        assert_eq!(counted, trio.log_bytes(1, TOPIC, 0).len() as u64);
    }
    assert_eq!(trio.node(1).broker().metrics.consumers_sent_to_followers.get(), 2);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_serves_whoever_stands_elsewhere_or_knows_of_no_followers() {
    let trio = trio_with(&[SELECTOR]).await;
    knows_followers(&trio, 1, 2).await;
    let asks = [
        Ask { rack: "1", ..from(0) },
        Ask { rack: "elsewhere", ..from(0) },
        from(0),
        Ask { version: VERSION - 1, ..from(0) },
        // nobody holds that yet: the leader knows best how to wait for it
        Ask { rack: "2", ..from(4) },
    ];
    for ask in asks {
        let answer = ask.at(&trio, 1).await;
        assert_eq!(answer.preferred_read_replica, -1, "rack {:?}", ask.rack);
        assert_eq!(code(&answer) == ErrorCode::None, ask.offset <= 3);
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_refuse_clients_unless_asked_to_serve_them() {
    let trio = trio_with(&[]).await;
    let served = Ask { rack: "2", ..from(0) }.at(&trio, 1).await;
    assert_eq!((code(&served), served.preferred_read_replica), (ErrorCode::None, -1));
    assert!(text(&served).contains("order 2"));
    let refused = Ask { rack: "2", ..from(0) }.at(&trio, 2).await;
    assert_eq!(code(&refused), ErrorCode::NotLeaderOrFollower);
    assert!(trio.place(2, TOPIC, 0).unwrap().shown().is_none());
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_shows_nothing_above_the_high_watermark_and_lets_consumers_wait() {
    let patient = [("replica.lag.time.max.ms", "60000"), SELECTOR];
    let trio = trio_with(&patient).await;
    shows(&trio, 2, 3).await;
    // what node 3 has flushed is not heard of, so nothing more is committed
    trio.withhold(3, MessageKind::FlushProgress);
    trio.withhold(3, MessageKind::FollowerFetch);
    let pending = trio.begin_append(1, TOPIC, 0, b"not committed");
    let whole =
        |node| String::from_utf8_lossy(&trio.log_bytes(node, TOPIC, 0)).contains("not committed");
    until("node 2 has the record", || whole(2)).await;
    let answer = Ask { wait_ms: 50, ..from(0) }.at(&trio, 2).await;
    assert!(text(&answer).contains("order 2") && !text(&answer).contains("not committed"));
    assert_eq!(answer.high_watermark, 3);
    let at_the_end = Ask { wait_ms: 50, ..from(3) }.at(&trio, 2).await;
    assert_eq!((code(&at_the_end), text(&at_the_end).len()), (ErrorCode::None, 0));
    // nor does it call a log that reaches further than its own another one
    let last_fetched_epoch = trio.state(2, TOPIC, 0).unwrap().leader_epoch.value();
    for ahead in [4, 1_000] {
        let ask = Ask { wait_ms: 50, version: 12, last_fetched_epoch, ..from(ahead) };
        let answer = ask.at(&trio, 2).await;
        assert_eq!(code(&answer), ErrorCode::OffsetNotAvailable, "{ahead}");
        assert_eq!(answer.diverging_epoch.epoch, -1, "{ahead}");
    }
    let mut wire = Wire::connect(trio.node(2)).await;
    wire.send(VERSION, &Ask { wait_ms: 20_000, ..from(3) }.request()).await;
    trio.withhold_nothing();
    pending.await.unwrap().unwrap();
    let waiting = wire.receive::<FetchRequest>(VERSION);
    let woken = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    assert!(text(&woken.responses[0].partitions[0]).contains("not committed"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_knows_leader_epochs_and_serves_nothing_but_fetches() {
    let trio = trio_with(&[SELECTOR]).await;
    shows(&trio, 2, 3).await;
    let epoch = trio.state(2, TOPIC, 0).unwrap().leader_epoch.value();
    let asked = async |leader_epoch, version| {
        code(&Ask { leader_epoch, version, ..from(0) }.at(&trio, 2).await)
    };
    assert_eq!(asked(epoch, VERSION).await, ErrorCode::None);
    assert_eq!(asked(epoch + 1, VERSION).await, ErrorCode::UnknownLeaderEpoch);
    assert_eq!(asked(epoch, VERSION - 1).await, ErrorCode::NotLeaderOrFollower);

    let mut wire = Wire::connect(trio.node(2)).await;
    let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { topics: vec![topic], ..ListOffsetsRequest::default() };
    let offsets = wire.ask(7, &request).await;
    let refusal = ErrorCode::NotLeaderOrFollower.code();
    assert_eq!(offsets.topics[0].partitions[0].error_code, refusal);
    let partition =
        OffsetForLeaderPartition { leader_epoch: epoch, ..OffsetForLeaderPartition::default() };
    let topic = OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest {
        topics: vec![topic],
        ..OffsetForLeaderEpochRequest::default()
    };
    let ends = wire.ask(4, &request).await;
    assert_eq!(ends.topics[0].partitions[0].error_code, refusal);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_out_of_range_at_a_follower() {
    let trio = trio_with(&[SELECTOR]).await;
    let (reply, deleted) = tokio::sync::oneshot::channel();
    let delete = PartitionReplicaMessage::DeleteRecords { offset: Offset::new(2), reply };
    let _ = trio.place(1, TOPIC, 0).unwrap().replica.send(delete);
    assert_eq!(deleted.await.unwrap().unwrap(), Offset::new(2));
    until("node 2 begins where its leader does", || {
        let view = trio.place(2, TOPIC, 0).and_then(|place| place.shown());
        view.is_some_and(|view| view.log_start_offset == Offset::new(2))
    })
    .await;
    let answer = from(1).at(&trio, 2).await;
    assert_eq!(code(&answer), ErrorCode::OffsetOutOfRange);
    let answer = from(2).at(&trio, 2).await;
    assert!(text(&answer).contains("order 2"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_follow_a_leadership_that_moves() {
    let mut trio = trio_with(&[SELECTOR]).await;
    shows(&trio, 2, 3).await;
    shows(&trio, 3, 3).await;
    let before = trio.state(2, TOPIC, 0).unwrap().leader_epoch.value();
    trio.kill(1).await;
    let leader = trio.leader(TOPIC, 0).await;
    let follower = if leader == 2 { 3 } else { 2 };
    let rack = if follower == 2 { "2" } else { "3" };
    // it served as a follower, and serves as a leader
    let old = Ask { leader_epoch: before, ..from(0) }.at(&trio, leader).await;
    assert_eq!(code(&old), ErrorCode::FencedLeaderEpoch);
    let new = from(0).at(&trio, leader).await;
    assert!(text(&new).contains("order 2"));
    // the other one serves on, once the new leader has found their logs to agree; nothing is appended
    knows_followers(&trio, leader, 1).await;
    shows(&trio, follower, 3).await;
    let sent = Ask { rack, ..from(0) }.at(&trio, leader).await;
    assert_eq!(sent.preferred_read_replica, follower);
    let epoch = trio.state(leader, TOPIC, 0).unwrap().leader_epoch.value();
    let old = Ask { leader_epoch: before, version: 12, ..from(0) }.at(&trio, follower).await;
    assert_eq!(code(&old), ErrorCode::FencedLeaderEpoch);
    assert_eq!((old.current_leader.leader_id, old.current_leader.leader_epoch), (leader, epoch));
    let served = Ask { leader_epoch: epoch, ..from(0) }.at(&trio, follower).await;
    assert_eq!(code(&served), ErrorCode::None);
    assert!(text(&served).contains("order 2"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_serves_as_a_follower_what_its_successor_has() {
    let mut trio = trio_with(&[SELECTOR]).await;
    for other in [2, 3] {
        trio.network.cut_both(protocol::BrokerId(1), protocol::BrokerId(other));
    }
    let alone = trio.begin_append(1, TOPIC, 0, b"only here");
    let has = |node| String::from_utf8_lossy(&trio.log_bytes(node, TOPIC, 0)).contains("only here");
    until("the record is in the leader's file", || has(1)).await;
    trio.kill(1).await;
    trio.network.heal_all();
    assert!(!matches!(alone.await, Ok(Ok(_))), "nobody else has it");
    assert_eq!(trio.append(TOPIC, 0, b"of the next leader").await, 3);
    trio.restart(1).await;
    shows(&trio, 1, 4).await;
    let served = from(3).at(&trio, 1).await;
    assert_eq!(code(&served), ErrorCode::None);
    assert!(text(&served).contains("of the next leader") && !text(&served).contains("only here"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_not_in_sync_sends_consumers_back() {
    let trio = trio_with(&[("replica.lag.time.max.ms", "500"), SELECTOR]).await;
    shows(&trio, 3, 3).await;
    // it fetches nothing more, and stays alive
    trio.withhold(3, MessageKind::FollowerFetch);
    trio.withhold(3, MessageKind::FlushProgress);
    trio.append(TOPIC, 0, b"without node 3").await;
    trio.in_sync(TOPIC, 0, &[1, 2]).await;
    until("node 3 shows nothing", || trio.place(3, TOPIC, 0).unwrap().shown().is_none()).await;
    let refused = from(0).at(&trio, 3).await;
    assert_eq!(code(&refused), ErrorCode::NotLeaderOrFollower);
    let served = Ask { rack: "3", ..from(0) }.at(&trio, 1).await;
    assert_eq!(served.preferred_read_replica, -1);
    trio.withhold_nothing();
    trio.in_sync(TOPIC, 0, &[1, 2, 3]).await;
    shows(&trio, 3, 4).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_cut_off_sends_consumers_back() {
    let trio = trio_with(&[SELECTOR]).await;
    shows(&trio, 3, 3).await;
    trio.network.isolate(protocol::BrokerId(3));
    until("it knows that it may have been given up", || trio.node(3).broker().is_cut_off()).await;
    // nobody has told it that it is out of sync
    assert!(trio.place(3, TOPIC, 0).unwrap().shown().is_some());
    assert_eq!(code(&from(0).at(&trio, 3).await), ErrorCode::NotLeaderOrFollower);
    trio.stop().await;
}
