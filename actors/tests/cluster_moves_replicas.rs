//! Replicas that move and leaders that come back in a cluster of three; if one of these fails, a
//! cluster stays lopsided after every restart, and a topic cannot leave a broker.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "nobody is killed here")]
mod cluster_harness;

use actors::controller::question::{ElectLeaders, Reassign};
use cluster_harness::World;
use metadata::{ElectionKind, Reassignment};
use protocol::{BrokerId, ErrorCode, PartitionIndex};

#[tokio::test(start_paused = true)]
async fn preferred_leaders_come_back_a_while_after_their_node() {
    let mut world = World::start(3, &[("leader.imbalance.check.interval.seconds", "5")]).await;
    let active = world.active().await;
    let leaving = world.passive();
    world.create_topic(active, "orders", &[&[leaving, active]]).await;
    let epoch = world.partition(active, "orders", 0).leader_epoch;
    world.stop_node(leaving).await;
    let orders = world.partition(active, "orders", 0);
    assert_eq!(orders.leader, Some(BrokerId(active)));
    assert_eq!(orders.leader_epoch, epoch.next(), "one election, not a second by fencing");
    world.start_node(leaving).await;
    world
        .until("it leads again", |world| {
            world.partition(active, "orders", 0).leader == Some(BrokerId(leaving))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn replicas_move_to_other_brokers_while_they_serve() {
    let world = World::start(3, &[]).await;
    let active = world.active().await;
    world.create_topic(active, "orders", &[&[1]]).await;
    let to = |replicas: &[i32]| Reassign {
        reassignments: vec![Reassignment {
            topic: "orders".to_owned(),
            partition: PartitionIndex(0),
            replicas: Some(replicas.iter().copied().map(BrokerId).collect()),
        }],
        may_change_factor: true,
    };
    for target in [&[3, 2, 1][..], &[3, 2][..]] {
        let started = world.ask(world.passive(), to(target)).await.unwrap();
        started.into_iter().for_each(|one| one.unwrap());
        let brokers: Vec<_> = target.iter().copied().map(BrokerId).collect();
        world
            .until("the replicas are where they are to be", |world| {
                let state = world.partition(active, "orders", 0);
                state.assigned_replicas == brokers
                    && state.isr.len() == brokers.len()
                    && !state.is_being_reassigned()
            })
            .await;
    }
    let partitions = Some(vec![("orders".to_owned(), PartitionIndex(0))]);
    let elected = ElectLeaders { kind: ElectionKind::Preferred, partitions };
    let outcome = world.ask(world.passive(), elected).await.unwrap().remove(0).outcome;
    assert!(outcome.is_ok() || outcome.unwrap_err().code() == ErrorCode::ElectionNotNeeded);
    assert_eq!(world.partition(active, "orders", 0).leader, Some(BrokerId(3)));
}

#[tokio::test(start_paused = true)]
async fn internal_topics_get_more_replicas_as_brokers_join() {
    let mut world = World::start(1, &[]).await;
    world.auto_create(1, "__consumer_offsets").await;
    for node in [2, 3] {
        world.start_node(node).await;
        let replicas = usize::try_from(node).unwrap();
        world
            .until("the offsets topic is on every broker", |world| {
                world.partition(1, "__consumer_offsets", 0).isr.len() == replicas
            })
            .await;
    }
}
