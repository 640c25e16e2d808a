//! Members of a group: they join, read, commit and leave, in good order or not.

use std::time::Duration;

use client::{
    Client, CommittedOffset, CommittedOffsets, ConsumerSettings, GroupConsumer, GroupSettings,
    ResetTo,
};
use protocol::GroupId;
use tokio::time::{sleep, timeout};

use super::{Clients, GROUP, topic_name};
use crate::chance::Chance;

/// One member after the other, until the end.
pub(super) async fn take_part(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("member {number}"));
    while let Some(client) = clients.connect().await {
        let group = GroupSettings {
            session_timeout: Duration::from_secs(6),
            heartbeat_interval: Duration::from_millis(500),
            auto_commit: None,
            ..GroupSettings::new(GROUP)
        };
        let settings = ConsumerSettings { reset: ResetTo::Earliest, ..ConsumerSettings::default() };
        let Ok(mut member) = client.group_consumer([topic_name()], group, settings) else { return };
        work(&clients, &mut member, &mut chance).await;
        if chance.per_mille(500) {
            let _ = timeout(Duration::from_secs(5), member.close()).await;
        }
        sleep(chance.millis(10, 1000)).await;
    }
}

async fn work(clients: &Clients, member: &mut GroupConsumer, chance: &mut Chance) {
    for _ in 0..chance.between(2, 30) {
        for _ in 0..chance.between(1, 60) {
            if clients.is_over() {
                return;
            }
            match timeout(Duration::from_secs(1), member.next()).await {
                Ok(Ok(Some(record))) => {
                    let value = record.value.as_deref().unwrap_or_default();
                    let value = String::from_utf8_lossy(value);
                    clients.history.read(&record.partition, record.offset.value(), &value, None);
                }
                Ok(Ok(None)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a member failed");
                    return;
                }
            }
        }
        commit(clients, member).await;
    }
}

/// Commits where the member stands. What it has read of a partition that it lost meanwhile does not
/// count: the consumer has forgotten that position.
async fn commit(clients: &Clients, member: &mut GroupConsumer) {
    let mut assigned = member.assignment();
    assigned.sort();
    let mut told = Vec::new();
    for partition in assigned {
        if let Some(position) = member.partitions().position(&partition) {
            told.push((partition, CommittedOffset::from(position)));
        }
    }
    let offsets: CommittedOffsets = told.iter().cloned().collect();
    if told.is_empty() || member.commit_offsets(offsets).await.is_err() {
        return;
    }
    for (partition, position) in told {
        clients.history.committed(&partition, position.offset.value());
    }
}

/// Compares what the group has committed with what it was promised; whether it could be asked.
pub(super) async fn look_at_commits(clients: &Clients) -> bool {
    let partitions = clients.history.committed_partitions();
    if partitions.is_empty() {
        return true;
    }
    let Ok(client) = Client::with_settings(clients.settings()).await else { return false };
    let found = client.admin().group_offsets(&GroupId::new(GROUP)).await;
    let Ok(found) = found else { return false };
    for partition in partitions {
        let offset = found.get(&partition).map(|committed| committed.offset.value());
        clients.history.finds_committed(&partition, offset);
    }
    true
}
