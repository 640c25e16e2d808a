//! A partition with a replica on each of three nodes: what a leader acknowledges is on the disks of
//! all in-sync replicas, and logs that part ways come together again.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "no disk breaks here, and no message is withheld")]
#[path = "replication_harness/mod.rs"]
mod replication_harness;

use std::time::Duration;

use actors::partition_replica::PartitionReplicaMessage;
use actors::peer_messages::MessageKind;
use actors::peer_messages::flush_progress::FlushReport;
use actors::ports::peers::memory_peers::Traffic;
use actors::replica_fetcher::ReplicaFetcherMessage;
use actors::segment_writer::Poison;
use metadata::PartitionKey;
use protocol::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use tokio::time::Instant;

use replication_harness::{Trio, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_on_every_disk() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    for number in 0..20_i64 {
        let offset = trio.append("orders", 0, format!("order {number}").as_bytes()).await;
        assert_eq!(offset, number);
    }
    trio.agree("orders", 0).await;
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_killed_leaves_and_catches_up() {
    let mut trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"before").await;
    trio.agree("orders", 0).await;
    trio.kill(3).await;
    trio.append("orders", 0, b"meanwhile").await;
    trio.in_sync("orders", 0, &[1, 2]).await;
    trio.restart(3).await;
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.append("orders", 0, b"after").await;
    trio.agree("orders", 0).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposed_leader_cuts_what_nobody_else_has() {
    let mut trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"committed").await;
    trio.agree("orders", 0).await;
    // cut off, it writes a record that nobody gets, then dies with it
    let others = [2, 3];
    for other in others {
        trio.network.cut_both(protocol::BrokerId(1), protocol::BrokerId(other));
    }
    let alone = trio.begin_append(1, "orders", 0, b"only here");
    let before = trio.log_bytes(3, "orders", 0).len();
    until("the record is in the leader's file", || trio.log_bytes(1, "orders", 0).len() > before)
        .await;
    trio.kill(1).await;
    trio.network.heal_all();
    assert!(!matches!(alone.await, Ok(Ok(_))), "nobody else has it");
    trio.append("orders", 0, b"of the next leader").await;
    trio.restart(1).await;
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.agree("orders", 0).await;
    let log = trio.log_bytes(1, "orders", 0);
    let text = String::from_utf8_lossy(&log);
    assert!(!text.contains("only here") && text.contains("of the next leader"));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_missed_an_election_and_won_the_next_is_read_at_once() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.agree("orders", 0).await;
    let leader = trio.leader("orders", 0).await;
    let place = trio.place(leader, "orders", 0).unwrap();
    // nothing was appended since, so that no rise of the high watermark shows the view by chance
    let mut decided = metadata::PartitionState::clone(&place.decided());
    decided.leader_epoch = decided.leader_epoch.next().next();
    decided.partition_epoch = decided.partition_epoch.next().next();
    let epoch = decided.leader_epoch;
    let _ = place.replica.send(PartitionReplicaMessage::Decided(std::sync::Arc::new(decided)));
    until("it shows the log under the later epoch", || {
        place.view().is_some_and(|view| view.leader_epoch == epoch)
    })
    .await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_cut_off_does_not_say_how_far_its_log_reaches() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    let leader = trio.leader("orders", 0).await;
    trio.network.isolate(protocol::BrokerId(leader));
    let broker = trio.node(leader).broker();
    until("it knows that it may have been given up", || broker.is_cut_off()).await;
    let place = trio.place(leader, "orders", 0).unwrap();
    assert!(place.view().is_some(), "nobody has told it that another one leads");
    let shown = broker.view_of("orders", protocol::PartitionIndex(0));
    assert_eq!(shown.err(), Some(protocol::ErrorCode::NotLeaderOrFollower));
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_partitions_exchange_nothing() {
    let trio = Trio::start().await;
    trio.create_topic("quiet", 30).await;
    for partition in 0..30 {
        trio.append("quiet", partition, b"one").await;
    }
    for partition in 0..30 {
        trio.agree("quiet", partition).await;
    }
    // the last news of a high watermark is told after a moment
    let mut fetches = trio.count(MessageKind::FollowerFetch);
    let mut still = 0;
    while still < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let now = trio.count(MessageKind::FollowerFetch);
        still = if now == fetches { still + 1 } else { 0 };
        fetches = now;
    }
    let reports = trio.count(MessageKind::FlushProgress);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    // one long poll a pair of nodes and shard may have ended in between: six pairs at most
    let more = trio.count(MessageKind::FollowerFetch) - fetches;
    assert!(more <= 12, "{more} fetches of thirty idle partitions");
    assert_eq!(trio.count(MessageKind::FlushProgress), reports);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_cut_off_leaves_the_isr_and_comes_back() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.agree("orders", 0).await;
    // from both: with one link left, the other side may elect instead
    trio.network.isolate(protocol::BrokerId(3));
    trio.append("orders", 0, b"two").await;
    trio.in_sync("orders", 0, &[1, 2]).await;
    trio.network.heal_all();
    returns_soon(&trio).await;
    trio.stop().await;
}

/// An answer that was lost without a word used to be waited for to the end of its deadline.
async fn returns_soon(trio: &Trio) {
    let healed = tokio::time::Instant::now();
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.agree("orders", 0).await;
    let took = healed.elapsed();
    assert!(took < std::time::Duration::from_secs(3), "in sync again after {took:?} only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_frozen_leaves_the_isr_and_comes_back() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.agree("orders", 0).await;
    trio.network.freeze(protocol::BrokerId(3));
    trio.append("orders", 0, b"two").await;
    trio.in_sync("orders", 0, &[1, 2]).await;
    trio.network.thaw(protocol::BrokerId(3));
    returns_soon(&trio).await;
    trio.stop().await;
}

/// Too short for the link to go, so that nobody is told of what was lost meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_asked_for_again_when_the_follower_is_found_to_be_behind() {
    let trio = Trio::start_with(&[("replica.lag.time.max.ms", "500")]).await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.agree("orders", 0).await;
    let (leader, follower) = (protocol::BrokerId(1), protocol::BrokerId(3));
    trio.network.cut(leader, follower);
    let log = trio.log_bytes(1, "orders", 0).len();
    let waits = trio.begin_append(1, "orders", 0, b"two");
    until("the record is in the leader's file", || trio.log_bytes(1, "orders", 0).len() > log)
        .await;
    trio.agree_of(&[1, 2], "orders", 0).await;
    trio.network.heal(leader, follower);
    waits.await.unwrap().unwrap();
    returns_soon(&trio).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_log_failed_does_not_hold_up_an_ack() {
    let trio = Trio::start_with(&[("replica.lag.time.max.ms", "20000")]).await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.agree("orders", 0).await;
    let place = trio.place(3, "orders", 0).unwrap();
    let poison = Poison::StorageError;
    let _ = place.replica.send(PartitionReplicaMessage::Poison { poison, in_writer: true });
    let started = tokio::time::Instant::now();
    trio.append("orders", 0, b"two").await;
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "waited for the lag time");
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.agree("orders", 0).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_learns_of_a_partition_last_is_asked_again_at_once() {
    let mut trio = Trio::start_with(&[("replica.lag.time.max.ms", "20000")]).await;
    // somebody else decides from now on, so that node 1 can be the last to hear what it leads
    trio.kill(1).await;
    trio.restart(1).await;
    // a fetch of every shard waits for news of these
    trio.create_topic("quiet", 8).await;
    for partition in 0..8 {
        trio.append("quiet", partition, b"one").await;
        trio.agree("quiet", partition).await;
    }
    let on_its_way = Duration::from_millis(70);
    let slow = Traffic { delay_min: on_its_way, delay_max: on_its_way, ..Traffic::default() };
    for other in [2, 3] {
        trio.network.set_traffic_between(BrokerId(other), BrokerId(1), slow);
    }
    let started = Instant::now();
    trio.create_topic("late", 4).await;
    for partition in 0..4 {
        trio.append("late", partition, b"one").await;
    }
    assert!(started.elapsed() < Duration::from_secs(3), "waited behind a fetch without news");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_larger_than_an_answer_come_alone() {
    let trio = Trio::start_with(&[("message.max.bytes", "3000000")]).await;
    trio.create_topic("big", 2).await;
    let large = vec![b'x'; 2_500_000];
    for partition in 0..2 {
        trio.append("big", partition, &large).await;
        trio.append("big", partition, b"small").await;
        trio.append("big", partition, &large).await;
    }
    for partition in 0..2 {
        trio.agree("big", partition).await;
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_moves_to_another_node_and_the_old_one_is_deleted() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"one").await;
    trio.reassign("orders", &[2, 3]).await;
    trio.in_sync("orders", 0, &[2, 3]).await;
    until("node 1 has nothing any more", || trio.log_bytes(1, "orders", 0).is_empty()).await;
    trio.append("orders", 0, b"two").await;
    assert!(trio.place(1, "orders", 0).is_none());
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_flushed_records_is_copied_from_the_others() {
    let mut trio = Trio::start().await;
    trio.create_topic("orders", 1).await;
    for _ in 0..5 {
        trio.append("orders", 0, b"one").await;
    }
    trio.agree("orders", 0).await;
    until("the recovery point is checkpointed", || trio.recovery_points(3).contains("orders 0 5"))
        .await;
    trio.kill(3).await;
    trio.lose_log(3, "orders", 0);
    trio.restart(3).await;
    trio.agree("orders", 0).await;
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_a_partition_that_is_gone_holds_up_no_other() {
    let trio = Trio::start().await;
    trio.create_topic("orders", 4).await;
    for partition in 0..4 {
        trio.append("orders", partition, b"first").await;
        trio.agree("orders", partition).await;
    }
    // the last flush of a log is told after its replica was taken away
    let leader = BrokerId(trio.leader("orders", 0).await);
    let topic_id = trio.place(1, "orders", 0).unwrap().key.topic_id;
    let (leader_epoch, flushed_offset) = (LeaderEpoch::new(0), Offset::new(1));
    let before = trio.count(MessageKind::FlushProgress);
    for node in (1..=3).filter(|node| BrokerId(*node) != leader) {
        let broker = trio.node(node).broker();
        // of every shard some
        for gone in 100..108 {
            let key = PartitionKey::new(topic_id, PartitionIndex(gone));
            let report = FlushReport { key, leader_epoch, flushed_offset };
            let late = ReplicaFetcherMessage::ReportFlushed(report);
            broker.replication.tell_fetcher(broker, leader, key, late);
        }
    }
    for _ in 0..50 {
        for partition in 0..4 {
            trio.append("orders", partition, b"next").await;
        }
    }
    // nobody repeats what nobody will ever hear
    let reports = trio.count(MessageKind::FlushProgress);
    assert!(reports > before, "what is followed is reported");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = trio.count(MessageKind::FlushProgress) - reports;
    assert!(more <= 2, "{more} reports of idle partitions");
    trio.stop().await;
}
