//! What must be possible again after an actor was killed, beside what the load does all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use client::{GroupId, Offset, TopicPartition};
use tokio::time::{Instant, sleep};

use crate::board::Board;
use crate::http;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the group's offsets are looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A sign that the killed actor's work is done again.
#[derive(Clone, Copy, Debug)]
pub enum ProofOfLife {
    /// The load itself.
    Load,
    /// The group commits offsets that it had not committed at the kill.
    Commit,
    /// A new client connects.
    Connection,
    /// A topic can be created.
    NewTopic,
    /// The admin server says that the node is well.
    Health,
}

impl ProofOfLife {
    /// Waits for the sign, and says what it was.
    pub async fn wait_for(
        self,
        board: &Board,
        group: &str,
        committed: &BTreeMap<TopicPartition, Offset>,
    ) -> Result<Option<String>> {
        match self {
            Self::Load => Ok(None),
            Self::Commit => further_commit(board, group, committed).await,
            Self::Connection => {
                board.client("newcomer").await?;
                Ok(Some("a new client was connected".to_owned()))
            }
            Self::NewTopic => new_topic(board).await,
            Self::Health => health(board).await,
        }
    }
}

async fn further_commit(
    board: &Board,
    group: &str,
    committed: &BTreeMap<TopicPartition, Offset>,
) -> Result<Option<String>> {
    let admin = board.client("operator").await?.admin();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = admin.group_offsets(&GroupId::new(group)).await?;
        let further = |(partition, at): (&TopicPartition, &Offset)| {
            now.get(partition).is_some_and(|now| now.offset > *at)
        };
        if !committed.is_empty() && committed.iter().all(further) {
            return Ok(Some("new offsets of all partitions were committed".to_owned()));
        }
        ensure!(Instant::now() < deadline, "the group does not commit: {now:?}");
        sleep(GLANCE).await;
    }
}

async fn new_topic(board: &Board) -> Result<Option<String>> {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!("news-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    board.topic(&name, 1).await?;
    Ok(Some(format!("a topic, {name}, was created")))
}

async fn health(board: &Board) -> Result<Option<String>> {
    let answer = http::get(board, "/healthz").await?;
    ensure!(answer == "HTTP/1.1 200 OK", "GET /healthz answered {answer:?}");
    Ok(Some("GET /healthz answered 200".to_owned()))
}
