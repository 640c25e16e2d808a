//! A replica, or its segment writer, fails in each of the ways there are. Its supervisor must start
//! it again, it must lead under a new epoch (under the old one it might write other records to the
//! same offsets), and what was acknowledged before must still be there.

#[allow(dead_code)]
#[path = "../examples/stage/board.rs"]
mod board;
#[allow(dead_code)]
#[path = "../examples/stage/poison.rs"]
mod poison;
#[allow(dead_code)]
#[path = "../examples/stage/tree_watch.rs"]
mod tree_watch;

use actors::segment_writer::Poison;
use anyhow::{Context, Result};
use board::Board;
use client::{
    Client, CommittedOffset, CommittedOffsets, ConsumedRecord, ConsumerSettings, GroupId, Offset,
    PartitionIndex, ProducerRecord, ProducerSettings, StartAt, TopicName, TopicPartition,
};
use poison::Victim;
use supervision::{ExitReason, OperatorCommand, TreeNode};
use tree_watch::TreeWatch;

const PATH: &str = "partitions/orders-0";

/// What happens to a replica.
enum Fault {
    InWriter(Poison),
    InReplica(Poison),
    Kill(&'static str),
}

impl Fault {
    async fn strike(self, board: &Board, topic: &TopicName) -> Result<()> {
        let victim = Victim::find(board.node(), topic, 0)?;
        match self {
            Self::InWriter(poison) => victim.poison(poison),
            Self::InReplica(poison) => victim.poison_replica(poison),
            Self::Kill(path) => {
                Ok(board.node().tree().operate(path, OperatorCommand::Kill).await?)
            }
        }
    }
}

async fn records(client: &Client, topic: &TopicName) -> Result<Vec<ConsumedRecord>> {
    let settings = ConsumerSettings::default();
    let mut consumer = client.topic_consumer(topic, StartAt::Earliest, settings).await?;
    consumer.stop_at_end().await?;
    let mut records = Vec::new();
    while let Some(record) = consumer.next().await? {
        records.push(record);
    }
    Ok(records)
}

/// One record before the fault and one after it, by the same producer. Gives the replica as the
/// tree shows it afterwards.
async fn survives(fault: Fault) -> Result<TreeNode> {
    let board = Board::open().await?;
    let topic = board.topic("orders", 1).await?;
    let client = board.client("client").await?;
    let producer = client.producer(ProducerSettings::default())?;
    let watch = TreeWatch::of(board.node().tree());

    let before = producer.send(ProducerRecord::to(&topic).value("before")).await?.await?;
    fault.strike(&board, &topic).await?;
    watch.restarted(PATH, 0).await?;
    let after = producer.send(ProducerRecord::to(&topic).value("after")).await?.await?;

    assert_eq!((before.offset, after.offset), (Some(Offset::ZERO), Some(Offset::new(1))));
    let records = records(&client, &topic).await?;
    let values: Vec<_> = records.iter().map(|record| record.value.as_deref()).collect();
    assert_eq!(values, [Some(&b"before"[..]), Some(b"after")]);
    let epochs: Vec<_> = records.iter().map(|record| record.leader_epoch.value()).collect();
    assert_eq!(epochs[1], epochs[0] + 1, "one restart, one new epoch");
    let node = watch.at(PATH)?;
    assert_eq!(node.restarts, 1);
    assert_eq!(node.status.get("leader epoch"), Some(&epochs[1].to_string()));
    board.close().await?;
    Ok(node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_writer_panics_leads_again_under_the_next_epoch() -> Result<()> {
    let node = survives(Fault::InWriter(Poison::Panic)).await?;
    let reason = node.last_exit.context("no reason")?.to_string();
    assert!(reason.contains("poisoned on demand"), "{reason}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_disk_fails_leads_again_under_the_next_epoch() -> Result<()> {
    let node = survives(Fault::InWriter(Poison::StorageError)).await?;
    let reason = node.last_exit.context("no reason")?.to_string();
    assert!(reason.contains("storage error injected on demand"), "{reason}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_panics_itself_takes_its_writer_along_and_leads_again() -> Result<()> {
    let node = survives(Fault::InReplica(Poison::Panic)).await?;
    assert!(matches!(node.last_exit, Some(ExitReason::Panicked { .. })), "{:?}", node.last_exit);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_writer_is_killed_leads_again_under_the_next_epoch() -> Result<()> {
    survives(Fault::Kill("partitions/orders-0/segment_writer")).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_leads_again_under_the_next_epoch() -> Result<()> {
    let node = survives(Fault::Kill(PATH)).await?;
    assert_eq!(node.last_exit, Some(ExitReason::Killed));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_supervisor_of_all_replicas_is_killed_all_of_them_lead_again() -> Result<()> {
    let board = Board::open().await?;
    let topic = board.topic("orders", 8).await?;
    let client = board.client("client").await?;
    let producer = client.producer(ProducerSettings::default())?;
    let watch = TreeWatch::of(board.node().tree());
    let send_to_all = async || -> Result<()> {
        for partition in 0..8 {
            let record = ProducerRecord::to(&topic).value("a record").partition(partition);
            producer.send(record).await?.await?;
        }
        Ok(())
    };
    send_to_all().await?;
    board.node().tree().operate("partitions", OperatorCommand::Kill).await?;
    watch.restarted("partitions", 0).await?;
    send_to_all().await?;
    let records = records(&client, &topic).await?;
    assert_eq!(records.len(), 16);
    let of_second = records.iter().filter(|record| record.offset == Offset::new(1));
    assert!(of_second.clone().all(|record| record.leader_epoch.value() == 1));
    assert_eq!(of_second.count(), 8);
    board.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_group_coordinator_knows_again_what_was_committed() -> Result<()> {
    let board = Board::open().await?;
    let topic = board.topic("orders", 1).await?;
    let admin = board.client("client").await?.admin();
    let watch = TreeWatch::of(board.node().tree());
    let (group, partition) =
        (GroupId::new("billing"), TopicPartition::new(topic, PartitionIndex(0)));
    let committed = CommittedOffset::from(Offset::new(7));
    let offsets = CommittedOffsets::from([(partition.clone(), committed)]);
    admin.alter_group_offsets(&group, &offsets).await?;
    for restarts in 0..2 {
        board.node().tree().operate("groups/billing", OperatorCommand::Kill).await?;
        watch.restarted("groups/billing", restarts).await?;
        let known = admin.group_offsets(&group).await?;
        assert_eq!(known.get(&partition).map(|known| known.offset), Some(Offset::new(7)));
    }
    board.close().await
}
