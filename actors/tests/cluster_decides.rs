//! Three nodes, one of which decides for all: questions reach it from everywhere, the silent and the
//! dead are fenced and nobody else, leaders move before a node stops. If one of these fails, a
//! cluster stands still, or loses its leaders for nothing.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "no internal topics here")]
mod cluster_harness;

use std::time::Duration;

use actors::controller::question::UnregisterBroker;
use actors::metrics::NodeLabel;
use actors::requests::leader_hints::LeaderHints;
use cluster_harness::World;
use protocol::generated::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use protocol::generated::produce::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use protocol::{BrokerId, ErrorCode, PartitionIndex};

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_decide_passes_questions_on_and_reads_what_it_was_answered() {
    let world = World::start(3, &[]).await;
    let through = world.passive();
    world.create_topic(through, "orders", &[&[1, 2, 3]]).await;
    // no waiting here: the answer came after the image
    assert_eq!(world.partition(through, "orders", 0).isr.len(), 3);
    let refused = world.ask(through, UnregisterBroker { broker: BrokerId(9) }).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), ErrorCode::BrokerIdNotRegistered);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_falls_silent_is_fenced_after_the_session_timeout_and_comes_back() {
    let world = World::start(3, &[]).await;
    let active = world.active().await;
    let silent = world.passive();
    world.create_topic(active, "orders", &[&[silent, active]]).await;
    world.network.freeze(BrokerId(silent));
    let took = world
        .until("the silent one is fenced", |world| !world.image(active).is_live(BrokerId(silent)))
        .await;
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(1), "{took:?}");
    let orders = world.partition(active, "orders", 0);
    assert_eq!((orders.leader, &orders.isr[..]), (Some(BrokerId(active)), &[BrokerId(active)][..]));
    assert!(world.broker(silent).is_cut_off());
    world.network.thaw(BrokerId(silent));
    let back = |world: &World| world.image(active).is_live(BrokerId(silent));
    world.until("it is back", back).await;
    world.until("it serves", |world| !world.broker(silent).is_cut_off()).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_died_is_fenced_at_once_and_the_new_leader_is_told() {
    let mut world = World::start(3, &[]).await;
    let active = world.active().await;
    let others: Vec<i32> = [1, 2, 3].into_iter().filter(|node| *node != active).collect();
    let (dead, heir) = (others[0], others[1]);
    world.create_topic(active, "orders", &[&[dead, heir, active]]).await;
    world
        .until("the heir has its replica", |world| {
            world.image(heir).partition_by_name("orders", PartitionIndex(0)).is_some()
        })
        .await;
    world.kill(dead).await;
    let took = world
        .until("the heir leads", |world| {
            world.decided(heir, "orders", 0).leader == Some(BrokerId(heir))
        })
        .await;
    assert!(took < Duration::from_millis(300), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_controller_fences_the_dead_one_and_nobody_else() {
    let mut world = World::start(3, &[]).await;
    let dead = world.active().await;
    let others: Vec<i32> = [1, 2, 3].into_iter().filter(|node| *node != dead).collect();
    world.create_topic(dead, "orders", &[&[dead, others[0], others[1]]]).await;
    let epochs: Vec<_> =
        others.iter().map(|node| world.broker(*node).registration.epoch()).collect();
    world.kill(dead).await;
    let active = world.active().await;
    world
        .until("the dead one is fenced", |world| !world.image(active).is_live(BrokerId(dead)))
        .await;
    let orders = world.partition(active, "orders", 0);
    assert_eq!((orders.leader, orders.isr.len()), (Some(BrokerId(others[0])), 2));
    let metrics = &world.broker(active).metrics;
    assert!(metrics.quorum.elections_started.get() >= 1);
    assert_eq!(metrics.quorum.elections_won.get(), 1);
    let fenced =
        |node: i32| metrics.controller.fencings.get_or_create(&NodeLabel::of(BrokerId(node))).get();
    assert_eq!((fenced(dead), fenced(others[0]), fenced(others[1])), (1, 0, 0));
    assert_eq!(metrics.controller.leader_changes.get(), 1);
    // for longer than a session, the others stay what they were
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (node, epoch) in others.iter().zip(epochs) {
        assert!(world.image(active).is_live(BrokerId(*node)));
        assert_eq!(world.broker(*node).registration.epoch(), epoch);
        assert!(!world.broker(*node).is_cut_off());
    }
    assert_eq!(world.partition(active, "orders", 0).leader_epoch, orders.leader_epoch);
}

#[tokio::test(start_paused = true)]
async fn leaders_move_before_a_node_stops() {
    let mut world = World::start(3, &[]).await;
    let active = world.active().await;
    let leaving = world.passive();
    world.create_topic(active, "orders", &[&[leaving, active]]).await;
    let epoch = world.partition(active, "orders", 0).leader_epoch;
    world.stop_node(leaving).await;
    let orders = world.partition(active, "orders", 0);
    assert_eq!(orders.leader, Some(BrokerId(active)));
    assert_eq!(orders.leader_epoch, epoch.next(), "one election, not a second by fencing");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_crashed_is_believed_what_it_had_flushed() {
    let mut world = World::start(3, &[]).await;
    let active = world.active().await;
    let crashed = world.passive();
    world.create_topic(active, "orders", &[&[crashed]]).await;
    let epoch = world.partition(active, "orders", 0).leader_epoch;
    world.kill(crashed).await;
    world
        .until("nobody leads", |world| world.partition(active, "orders", 0).leader.is_none())
        .await;
    world.start_node(crashed).await;
    world
        .until("it leads again", |world| {
            world.partition(active, "orders", 0).leader == Some(BrokerId(crashed))
        })
        .await;
    let orders = world.partition(active, "orders", 0);
    assert!(!orders.leader_is_recovering, "its directory knows the registration that it had");
    assert!(orders.leader_epoch > epoch);
}

#[tokio::test(start_paused = true)]
async fn a_produce_at_the_wrong_broker_is_told_the_right_one_with_its_address() {
    let world = World::start(3, &[]).await;
    let active = world.active().await;
    let wrong = world.passive();
    world.create_topic(wrong, "orders", &[&[active, wrong]]).await;
    let partition = |error_code: ErrorCode| PartitionProduceResponse {
        error_code: error_code.code(),
        ..PartitionProduceResponse::default()
    };
    let hinted = |version, code| {
        let topic = TopicProduceResponse {
            name: "orders".into(),
            partition_responses: vec![partition(code)],
            ..TopicProduceResponse::default()
        };
        let mut response = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        LeaderHints::new(world.broker(wrong), &"PLAINTEXT".into())
            .add_to_produce(version, &mut response);
        let leader = response.responses[0].partition_responses[0].current_leader.leader_id;
        let endpoints = response.node_endpoints.iter();
        (leader, endpoints.map(|endpoint| (endpoint.node_id, endpoint.port)).collect::<Vec<_>>())
    };
    let image = world.image(wrong);
    let endpoint = image.broker(BrokerId(active)).unwrap().endpoint("PLAINTEXT").unwrap();
    let right = (active, vec![(active, i32::from(endpoint.address.port))]);
    assert_eq!(hinted(10, ErrorCode::NotLeaderOrFollower), right);
    assert_eq!(hinted(13, ErrorCode::FencedLeaderEpoch), right);
    assert_eq!(hinted(9, ErrorCode::NotLeaderOrFollower), (-1, Vec::new()));
    assert_eq!(hinted(13, ErrorCode::None), (-1, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_at_the_wrong_broker_is_told_what_its_version_has_room_for() {
    let world = World::start(3, &[]).await;
    let active = world.active().await;
    let wrong = world.passive();
    world.create_topic(wrong, "orders", &[&[active, wrong]]).await;
    let hinted = |version: i16, code: ErrorCode| {
        let partition = PartitionData { error_code: code.code(), ..PartitionData::default() };
        let topic = FetchableTopicResponse {
            topic: "orders".into(),
            partitions: vec![partition],
            ..FetchableTopicResponse::default()
        };
        let mut response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
        LeaderHints::new(world.broker(wrong), &"PLAINTEXT".into())
            .add_to_fetch(version, &mut response);
        let leader = &response.responses[0].partitions[0].current_leader;
        let endpoints = response.node_endpoints.iter().map(|endpoint| endpoint.node_id);
        ((leader.leader_id, leader.leader_epoch), endpoints.collect::<Vec<_>>())
    };
    let epoch = world.partition(wrong, "orders", 0).leader_epoch.value();
    assert_eq!(hinted(18, ErrorCode::NotLeaderOrFollower), ((active, epoch), vec![active]));
    assert_eq!(hinted(16, ErrorCode::FencedLeaderEpoch), ((active, epoch), vec![active]));
    assert_eq!(hinted(15, ErrorCode::NotLeaderOrFollower), ((active, epoch), vec![]));
    assert_eq!(hinted(12, ErrorCode::FencedLeaderEpoch), ((active, epoch), vec![]));
    assert_eq!(hinted(11, ErrorCode::NotLeaderOrFollower), ((-1, -1), vec![]));
    assert_eq!(hinted(18, ErrorCode::UnknownLeaderEpoch), ((-1, -1), vec![]));
}
