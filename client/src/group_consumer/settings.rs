//! How a member of a group behaves towards it.

use std::time::Duration;

use protocol::GroupId;

use crate::assignor::Assignor;
use crate::error::{Error, Result};

/// Settings of a [`GroupConsumer`](crate::GroupConsumer)'s membership. Names in parentheses are
/// Kafka's; so are the defaults.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// The group (`group.id`).
    pub group: GroupId,
    /// A name that survives restarts (`group.instance.id`, KIP-345): a member that comes back
    /// under it within the session timeout gets its partitions back without a rebalance.
    pub instance: Option<String>,
    /// How long the coordinator waits for a heartbeat before it expels the member
    /// (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// How often the member says that it lives (`heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// How long the application may work on a record before it calls `next` again
    /// (`max.poll.interval.ms`); also how long a rebalance waits for the members.
    pub processing_time_max: Duration,
    /// The ways to divide partitions that this member offers, the preferred one first
    /// (`partition.assignment.strategy`).
    pub assignors: Vec<Assignor>,
    /// How often `next` commits what has been worked on; never, if `None`
    /// (`enable.auto.commit`, `auto.commit.interval.ms`).
    pub auto_commit: Option<Duration>,
}

impl GroupSettings {
    /// The defaults for a group.
    #[must_use]
    pub fn new(group: &str) -> Self {
        Self {
            group: GroupId::new(group),
            instance: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            processing_time_max: Duration::from_secs(300),
            assignors: vec![Assignor::Range],
            auto_commit: Some(Duration::from_secs(5)),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let rules = [
            (self.group.as_str().is_empty(), "group", "is empty"),
            (self.assignors.is_empty(), "assignors", "names none"),
            (
                self.heartbeat_interval >= self.session_timeout,
                "heartbeat_interval",
                "must be shorter than session_timeout",
            ),
        ];
        match rules.into_iter().find(|(broken, ..)| *broken) {
            Some((_, name, reason)) => Err(Error::Setting { name, reason }),
            None => Ok(()),
        }
    }
}
