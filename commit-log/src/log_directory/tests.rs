//! A log directory in use, copied, stopped and with deleted partitions in it. A mistake here loses
//! whole partitions, or lets two processes write one.

use super::*;
use crate::RealStorage;
use protocol::Offset;
use uuid::Uuid;

fn open(path: &Path, node_id: i32) -> Result<LogDirectory, DirectoryError> {
    LogDirectory::open(Arc::new(RealStorage), path, BrokerId(node_id))
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new(topic).unwrap(), PartitionIndex(index))
}

fn identity(node_id: i32) -> DirectoryIdentity {
    DirectoryIdentity {
        cluster_id: "cluster".to_owned(),
        node_id: BrokerId(node_id),
        directory_id: "directory".to_owned(),
    }
}

#[test]
fn only_one_owner_may_hold_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), 1).unwrap();
    let second = open(folder.path(), 1).unwrap_err();
    assert!(matches!(second, DirectoryError::Locked { .. }) && second.is_retryable());
    drop(first);
    assert!(open(folder.path(), 1).is_ok());
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = open(folder.path(), 1).unwrap();
    assert_eq!(directory.identity(), None);
    directory.set_identity(identity(1)).unwrap();
    drop(directory);
    assert!(matches!(open(folder.path(), 2), Err(DirectoryError::OtherNode { .. })));
    assert_eq!(open(folder.path(), 1).unwrap().identity(), Some(&identity(1)));
}

#[test]
fn checkpoints_and_the_note_of_an_orderly_stop_survive() {
    let folder = tempfile::tempdir().unwrap();
    let directory = open(folder.path(), 1).unwrap();
    assert!(directory.recovery_points().unwrap().is_empty());
    let offsets = OffsetCheckpoint::from([(partition("orders", 0), Offset::new(7))]);
    directory.write_recovery_points(&offsets).unwrap();
    directory.write_log_start_offsets(&offsets).unwrap();
    assert_eq!(directory.recovery_points().unwrap(), offsets);
    assert_eq!(directory.log_start_offsets().unwrap(), offsets);
    directory.mark_clean_shutdown(BrokerEpoch::new(5)).unwrap();
    assert!(directory.take_clean_shutdown().unwrap());
    assert!(!directory.take_clean_shutdown().unwrap(), "the note counts once");
}

#[test]
fn a_deleted_partitions_name_is_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let directory = open(folder.path(), 1).unwrap();
    let orders = partition("orders-v1.0", 3);
    std::fs::create_dir(directory.partition_path(&orders)).unwrap();
    assert_eq!(directory.partitions().unwrap(), std::slice::from_ref(&orders));
    let deleted = directory.delete_partition(&orders, TopicId(Uuid::from_u128(7))).unwrap();
    assert!(directory.partitions().unwrap().is_empty());
    assert_eq!(directory.leftover_deleted().unwrap(), std::slice::from_ref(&deleted));
    directory.remove_deleted(&deleted).unwrap();
    assert!(directory.leftover_deleted().unwrap().is_empty());
}

#[test]
fn a_stray_is_set_aside_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let directory = open(folder.path(), 1).unwrap();
    let (orders, id) = (partition("orders", 3), TopicId(Uuid::from_u128(7)));
    let path = directory.partition_path(&orders);
    std::fs::create_dir(&path).unwrap();
    crate::write_topic_id(&RealStorage, &path, id).unwrap();
    assert_eq!(directory.topic_id_of(&orders).unwrap(), Some(id));
    let stray = directory.set_partition_aside(&orders, id).unwrap();
    assert!(directory.partitions().unwrap().is_empty(), "the name is free");
    assert!(directory.leftover_deleted().unwrap().is_empty(), "and nothing is removed");
    assert_eq!(directory.strays().unwrap(), std::slice::from_ref(&stray));
    assert!(stray.join("partition.metadata").exists());
    std::fs::create_dir(&path).unwrap();
    assert!(directory.set_partition_aside(&orders, id).is_err(), "it would replace the first one");
    assert!(path.exists());
}

#[test]
fn the_longest_topic_name_can_be_deleted_too() {
    let folder = tempfile::tempdir().unwrap();
    let directory = open(folder.path(), 1).unwrap();
    let longest = partition(&"a".repeat(TopicName::LENGTH_MAX), 12_345);
    std::fs::create_dir(directory.partition_path(&longest)).unwrap();
    directory.delete_partition(&longest, TopicId(Uuid::from_u128(u128::MAX))).unwrap();
    assert!(directory.partitions().unwrap().is_empty());
}

#[test]
fn only_partition_directories_count() {
    for name in
        ["orders", "orders-", "orders-01", "-1", "orders-1.ff-delete", "o-1.f-stray", "a/b-1"]
    {
        assert_eq!(parse_partition_directory(name), None, "{name}");
    }
    assert_eq!(parse_partition_directory("a-b-10"), Some(partition("a-b", 10)));
}
