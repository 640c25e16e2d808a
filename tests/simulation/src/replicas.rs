//! The replicas of a partition, byte by byte: everything has stopped in order after everything was
//! committed, so they hold the same batches.

use std::path::{Path, PathBuf};

use commit_log::Storage;
use protocol::TopicPartition;

use crate::host::Host;

/// Where a replica may begin later than another: nowhere yet, as nothing is deleted.
const LOG_BYTES_MAX: u64 = 1 << 30;

/// Where the replicas of a partition differ.
#[must_use]
pub fn compare_replicas(hosts: &[Host], partitions: &[TopicPartition]) -> Vec<String> {
    let mut differences = Vec::new();
    for partition in partitions {
        let mut first: Option<(i32, Vec<u8>)> = None;
        for host in hosts {
            let Some(bytes) = replica_bytes(host, partition) else { continue };
            let Some((other, reference)) = &first else {
                first = Some((host.node, bytes));
                continue;
            };
            let equal = reference.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
            if equal < reference.len() || equal < bytes.len() {
                differences.push(format!(
                    "{partition} has {} bytes on node {} and {} on node {other}; the first {equal} are equal",
                    bytes.len(),
                    host.node,
                    reference.len(),
                ));
            }
        }
        if first.is_none() {
            differences.push(format!("{partition} has no replica"));
        }
    }
    differences
}

/// The bytes of all segments, one after the other.
fn replica_bytes(host: &Host, partition: &TopicPartition) -> Option<Vec<u8>> {
    let directory: PathBuf = Path::new("/data").join(partition.to_string());
    let entries = host.disk.list(&directory).ok()?;
    let mut bytes = Vec::new();
    for entry in entries.iter().filter(|entry| entry.name.ends_with(".log")) {
        bytes.extend(host.disk.read(&directory.join(&entry.name), LOG_BYTES_MAX).ok()?);
    }
    Some(bytes)
}
