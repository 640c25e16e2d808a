//! Moves of replicas: started, watched until they are through, and shown.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use client::{Admin, BrokerId, Reassignment, ReplicaMove, TopicPartition};
use serde::Serialize;

use super::{list, numbers};
use crate::output;
use crate::progress::Steps;

/// How often the cluster is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Moves that one request starts.
const MOVES_PER_REQUEST: usize = 500;

/// Where each partition is to be: the preferred leader first.
pub type Targets = BTreeMap<TopicPartition, Vec<BrokerId>>;

/// A move that is planned or under way.
#[derive(Serialize)]
pub struct ShownMove {
    topic: String,
    partition: i32,
    replicas: Vec<i32>,
    adding: Vec<i32>,
    removing: Vec<i32>,
}

impl From<&Reassignment> for ShownMove {
    fn from(moving: &Reassignment) -> Self {
        Self {
            topic: moving.partition.topic.to_string(),
            partition: moving.partition.partition.0,
            replicas: numbers(&moving.target()),
            adding: numbers(&moving.adding),
            removing: numbers(&moving.removing),
        }
    }
}

impl ShownMove {
    /// A move that is not started yet.
    pub fn planned(partition: &TopicPartition, now: &[BrokerId], target: &[BrokerId]) -> Self {
        let beside = |these: &[BrokerId], those: &[BrokerId]| {
            these.iter().filter(|node| !those.contains(node)).map(|node| node.0).collect()
        };
        Self {
            topic: partition.topic.to_string(),
            partition: partition.partition.0,
            replicas: numbers(target),
            adding: beside(target, now),
            removing: beside(now, target),
        }
    }

    /// Moves as a table.
    pub fn table(moves: &[Self]) -> String {
        let text = |ids: &[i32]| list(&ids.iter().copied().map(BrokerId).collect::<Vec<_>>());
        let rows = moves.iter().map(|row| {
            let lists = [&row.replicas, &row.adding, &row.removing].map(|ids| text(ids));
            let name = [row.topic.clone(), row.partition.to_string()];
            name.into_iter().chain(lists).collect::<Vec<_>>()
        });
        output::table(&["TOPIC", "PARTITION", "TO BE ON", "ADDING", "REMOVING"], rows)
    }
}

/// Starts the moves.
///
/// # Errors
/// What the cluster has against any of them; the others are started.
pub async fn start(admin: &Admin, targets: &Targets) -> Result<()> {
    let moves = targets
        .iter()
        .map(|(partition, nodes)| (partition.clone(), ReplicaMove::To(nodes.clone())));
    change(admin, moves.collect()).await
}

/// Starts moves, or takes them back.
pub async fn change(admin: &Admin, moves: Vec<(TopicPartition, ReplicaMove)>) -> Result<()> {
    let mut refused = 0;
    for some in moves.chunks(MOVES_PER_REQUEST) {
        for (_, result) in admin.reassign_partitions(some, true).await? {
            if let Err(error) = result {
                output::error(&error.into());
                refused += 1;
            }
        }
    }
    match refused {
        0 => Ok(()),
        count => bail!("{count} of {} partitions were refused", moves.len()),
    }
}

/// Waits until no move of these partitions is under way, showing how many are left. Being killed
/// meanwhile stops only the watching.
///
/// # Errors
/// Partitions that are elsewhere in the end, because somebody else moved them or took the move
/// back.
pub async fn watch(admin: &Admin, targets: &Targets) -> Result<()> {
    let names: Vec<_> = targets.keys().cloned().collect();
    let steps = Steps::new(targets.len(), "partitions moved");
    loop {
        let left = admin.list_reassignments(Some(&names)).await?.len();
        steps.show(targets.len().saturating_sub(left));
        if left == 0 {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    steps.finish();
    let strayed = strayed(admin, targets).await?;
    match strayed.as_slice() {
        [] => Ok(()),
        [first, ..] => bail!(
            "{} of {} partitions are not where they were to go, {first} among them: somebody else \
             moved them or took the move back",
            strayed.len(),
            targets.len()
        ),
    }
}

/// Partitions that are not where they were to go. Brokers other than the controller's may know a
/// moment later, so they are asked until nothing changes any more.
async fn strayed(admin: &Admin, targets: &Targets) -> Result<Vec<TopicPartition>> {
    const LOOKS: usize = 10;
    let mut strayed = Vec::new();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let topics = admin.all_topics().await?;
        let is_there = |partition: &TopicPartition, target: &Vec<BrokerId>| {
            let topic = topics.iter().find(|topic| topic.name == partition.topic);
            // a topic that was deleted meanwhile needs no place
            topic.is_none_or(|topic| {
                let found = topic.partition(partition.partition);
                found.is_ok_and(|found| found.assigned_replicas == *target)
            })
        };
        strayed = targets
            .iter()
            .filter(|(partition, target)| !is_there(partition, target))
            .map(|(partition, _)| partition.clone())
            .collect();
        if strayed.is_empty() {
            break;
        }
    }
    Ok(strayed)
}
