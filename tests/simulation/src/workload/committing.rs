//! Members of a group: they join, read, commit and leave, in good order or not. And an auditor, who
//! belongs to nobody and asks now and then what the group has committed and how far the log reaches.
//!
//! A history knows a member twice. As [`MEMBERS`] it reads, and its positions move whenever it is
//! given partitions. As [`COMMITTERS`] it holds its partitions, but only around a commit: it lets go of
//! them somewhere inside a call for the next record, and only between two such calls is it sure.

use std::time::Duration;

use client::{
    CommittedOffset, CommittedOffsets, ConsumerSettings, Generation, GroupConsumer, GroupSettings,
    ResetTo,
};
use logcheck::{Answer, Client, Key, Operation, Rebalance, Step};
use protocol::{GroupId, TopicPartition};
use tokio::time::{sleep, timeout};

use super::{AUDITORS, COMMITTERS, Clients, GROUP, LAST_AUDITS, MEMBERS, TOPIC, topic_name};
use crate::chance::Chance;
use crate::history::key_of;

/// A member, and how often it had been given partitions when its last call ended.
struct Member<'a> {
    clients: &'a Clients,
    consumer: GroupConsumer,
    reads: Client,
    commits: Client,
    rebalances: u64,
}

/// One member after the other, until the end.
pub(super) async fn take_part(clients: Clients, number: u32) {
    let mut chance = clients.chance(&format!("member {number}"));
    let mut racks = clients.chance(&format!("racks of member {number}"));
    let mut incarnation = 0;
    while let Some(client) = clients.connect().await {
        incarnation += 1;
        let group = GroupSettings {
            session_timeout: Duration::from_secs(6),
            heartbeat_interval: Duration::from_millis(500),
            auto_commit: None,
            ..GroupSettings::new(GROUP)
        };
        let rack = clients.rack(&mut racks);
        let reset = ResetTo::Earliest;
        let settings = ConsumerSettings { reset, rack, ..ConsumerSettings::default() };
        let consumer = client.group_consumer([topic_name()], group, settings);
        let Ok(consumer) = consumer else { return };
        let mut member = Member::begin(&clients, consumer, (number, incarnation));
        member.work(&mut chance).await;
        if chance.per_mille(500) {
            let _ = timeout(Duration::from_secs(5), member.consumer.close()).await;
        }
        sleep(chance.millis(10, 1000)).await;
    }
}

impl<'a> Member<'a> {
    fn begin(clients: &'a Clients, consumer: GroupConsumer, (number, start): (u32, u32)) -> Self {
        let reads = Client::new(MEMBERS + number, start);
        let subscribes = Operation::Subscribe(vec![TOPIC.to_owned()]);
        let subscribes = clients.history.begins(reads, subscribes);
        clients.history.ends(subscribes, Step::Ok(Answer::Done));
        let commits = Client::new(COMMITTERS + number, start);
        Self { clients, consumer, reads, commits, rebalances: 0 }
    }

    async fn work(&mut self, chance: &mut Chance) {
        for _ in 0..chance.between(2, 30) {
            for _ in 0..chance.between(1, 60) {
                if self.clients.is_over() {
                    return;
                }
                match self.next().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::debug!(%error, "a member failed");
                        return;
                    }
                }
            }
            self.commit().await;
        }
    }

    /// Takes the next record; whether there was one in time.
    async fn next(&mut self) -> client::Result<bool> {
        let history = &self.clients.history;
        let poll = history.begins(self.reads, Operation::Poll);
        let polled = timeout(Duration::from_secs(1), self.consumer.next()).await;
        let moved = self.hear_of_generation();
        match polled.unwrap_or(Ok(None)) {
            Ok(Some(record)) => history.read(poll, &record, None, moved),
            Ok(None) => {
                history.read_nothing(poll, moved);
                return Ok(false);
            }
            Err(error) => {
                history.read_nothing(poll, moved);
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Notes a generation that this member was given partitions in; gives the partitions that it
    /// begins to read anew then.
    fn hear_of_generation(&mut self) -> Vec<Key> {
        let rebalances = self.consumer.rebalances();
        if std::mem::replace(&mut self.rebalances, rebalances) == rebalances {
            return Vec::new();
        }
        self.note(self.consumer.generation(), Vec::new(), Vec::new());
        self.clients.partitions().iter().map(key_of).collect()
    }

    fn note(&self, generation: Option<Generation>, assigned: Vec<Key>, revoked: Vec<Key>) {
        let generation = generation.map(Generation::value);
        let told = Rebalance { group: GROUP.to_owned(), generation, assigned, revoked };
        self.clients.history.notes(self.commits, Step::Rebalance(told));
    }

    /// Commits where the member stands. What it has read of a partition that it lost meanwhile does
    /// not count: the consumer has forgotten that position.
    async fn commit(&mut self) {
        let mut assigned = self.consumer.assignment();
        assigned.sort();
        let mut positions = Vec::new();
        for partition in assigned {
            if let Some(position) = self.consumer.partitions().position(&partition) {
                positions.push((partition, position));
            }
        }
        if positions.is_empty() {
            return;
        }
        let history = self.clients.history.clone();
        let keys = || positions.iter().map(|(partition, _)| key_of(partition)).collect::<Vec<_>>();
        self.note(None, keys(), Vec::new());
        let told = positions.iter().map(|(at, offset)| (key_of(at), offset.value())).collect();
        let commits = history.begins(
            self.commits,
            Operation::Commit {
                group: GROUP.to_owned(),
                generation: self.consumer.generation().map(Generation::value),
                offsets: told,
            },
        );
        let offsets: CommittedOffsets = positions
            .iter()
            .map(|(partition, position)| (partition.clone(), CommittedOffset::from(*position)))
            .collect();
        let committed = self.consumer.commit_offsets(offsets).await;
        if committed.is_ok() {
            self.clients.committed(&positions);
        }
        history.ends(commits, committed.map_or(Step::Unknown, |()| Step::Ok(Answer::Done)));
        self.note(None, Vec::new(), keys());
    }
}

impl Clients {
    fn committed(&self, positions: &[(TopicPartition, protocol::Offset)]) {
        for (partition, position) in positions {
            let about = position.value().unsigned_abs();
            self.history.happened("offset committed", about, partition.to_string().as_bytes());
        }
    }
}

/// Looks at the ends of the log and at what the group has committed, until the end.
pub(super) async fn audit(clients: Clients) {
    let mut chance = clients.chance("auditor");
    let mut incarnation = 0;
    while let Some(client) = clients.connect().await {
        incarnation += 1;
        let who = Client::new(AUDITORS, incarnation);
        for _ in 0..chance.between(1, 20) {
            if clients.is_over() {
                return;
            }
            super::reading::look_at_ends(&clients, &client, who).await;
            look_at_commits(&clients, &client, who).await;
            sleep(chance.millis(200, 4_000)).await;
        }
    }
}

/// Asks, when everything has healed, what the group has committed; whether it could be asked.
pub(super) async fn last_look_at_commits(clients: &Clients, attempt: u32) -> bool {
    let Ok(client) = client::Client::with_settings(clients.settings()).await else { return false };
    look_at_commits(clients, &client, Client::new(LAST_AUDITS, attempt)).await
}

async fn look_at_commits(clients: &Clients, client: &client::Client, who: Client) -> bool {
    let group = Operation::FetchCommitted { group: GROUP.to_owned() };
    let look = clients.history.begins(who, group);
    let found = client.admin().group_offsets(&GroupId::new(GROUP)).await;
    let Ok(found) = found else {
        clients.history.ends(look, Step::Fail);
        return false;
    };
    let partitions = clients.partitions();
    let offset = |partition| found.get(partition).map(|committed| committed.offset.value());
    let told = partitions.iter().map(|partition| (key_of(partition), offset(partition)));
    clients.history.ends(look, Step::Ok(Answer::Committed(told.collect())));
    true
}
