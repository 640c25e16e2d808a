//! Nodes that come back to a cluster that went on without them: topics were deleted and made again,
//! replicas moved away, records were written. If one of these fails, a node that was down for a
//! minute needs an operator, or fills its disk with what nobody reads.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "no internal topics here")]
mod cluster_harness;

use std::path::Path;

use actors::controller::question::{DeleteTopics, Reassign};
use cluster_harness::World;
use commit_log::{EntryKind, Storage};
use metadata::{Reassignment, TopicReference};
use protocol::{BrokerId, PartitionIndex};

/// The directories of a node's partitions, and what became of them.
fn directories(world: &World, node: i32) -> Vec<String> {
    let entries = world.disk(node).list(Path::new("/data")).unwrap();
    let directories = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
    let names = directories.map(|entry| entry.name);
    names.filter(|name| name != "__cluster_metadata").collect()
}

async fn delete_topic(world: &World, through: i32, name: &str) {
    let topics = vec![TopicReference::Name(name.to_owned())];
    let deleted = world.ask(through, DeleteTopics { topics }).await.unwrap();
    deleted.into_iter().for_each(|topic| drop(topic.unwrap()));
}

async fn move_replicas(world: &World, through: i32, topic: &str, replicas: &[i32]) {
    let reassignment = Reassignment {
        topic: topic.to_owned(),
        partition: PartitionIndex(0),
        replicas: Some(replicas.iter().copied().map(BrokerId).collect()),
    };
    let reassignments = vec![reassignment];
    let question = Reassign { reassignments, may_change_factor: true };
    world.ask(through, question).await.unwrap().remove(0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_topic_made_again_while_a_node_was_down_is_in_sync_there_when_it_returns() {
    let mut world = World::start(3, &[]).await;
    let (active, away) = (world.active().await, world.passive());
    let everywhere = [active, active % 3 + 1, (active + 1) % 3 + 1];
    for topic in ["orders", "gone", "kept"] {
        world.create_topic(active, topic, &[&everywhere]).await;
    }
    world.kill(away).await;
    for topic in ["orders", "gone"] {
        delete_topic(&world, active, topic).await;
    }
    world.create_topic(active, "orders", &[&everywhere]).await;
    world.start_node(away).await;
    for topic in ["orders", "kept"] {
        world
            .until("all three are in sync", |world| {
                world.partition(active, topic, 0).isr.len() == 3
            })
            .await;
    }
    world.until("the past is set aside", |world| directories(world, away).len() == 4).await;
    let names = directories(&world, away);
    assert_eq!(names.iter().filter(|name| name.ends_with("-stray")).count(), 2, "{names:?}");
    assert!(names.contains(&"orders-0".to_owned()) && names.contains(&"kept-0".to_owned()));
    let metrics = world.broker(away).metrics.encode().unwrap();
    assert!(metrics.contains("callboard_stray_directories 2"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_moved_away_while_its_node_was_down_leaves_nothing_behind() {
    let mut world = World::start(3, &[]).await;
    let (active, away) = (world.active().await, world.passive());
    let other = (1..=3).find(|node| ![active, away].contains(node)).unwrap();
    world.create_topic(active, "orders", &[&[active, away]]).await;
    world.create_topic(active, "kept", &[&[active, away]]).await;
    world.kill(away).await;
    move_replicas(&world, active, "orders", &[active, other]).await;
    world
        .until("the replicas have moved", |world| {
            let orders = world.partition(active, "orders", 0);
            orders.assigned_replicas == [BrokerId(active), BrokerId(other)]
        })
        .await;
    world.start_node(away).await;
    world
        .until("only what it holds is there", |world| directories(world, away) == ["kept-0"])
        .await;
    world.until("and serves", |world| world.partition(active, "kept", 0).isr.len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_finds_no_topics_at_all_touches_no_directory() {
    let mut world = World::start(3, &[]).await;
    let (active, away) = (world.active().await, world.passive());
    world.create_topic(active, "orders", &[&[active, away]]).await;
    world.kill(away).await;
    delete_topic(&world, active, "orders").await;
    world.start_node(away).await;
    world.until("it is back", |world| world.image(active).is_live(BrokerId(away))).await;
    assert_eq!(directories(&world, away), ["orders-0"]);
    // until its name is needed
    world.create_topic(active, "orders", &[&[active, away]]).await;
    world
        .until("the new one is in sync", |world| {
            world.partition(active, "orders", 0).isr.len() == 2
        })
        .await;
    assert_eq!(directories(&world, away).len(), 2);
}
