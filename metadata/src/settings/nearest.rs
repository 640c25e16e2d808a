//! Finding the known name that a wrong one was probably meant to be.

use crate::settings::broker_table::broker_settings;
use crate::settings::error::SettingError;
use crate::settings::topic_table::TOPIC_SETTINGS;

/// Settings that a Kafka configuration often has, and what stands here instead.
const OF_KAFKA: &[(&str, &str)] = &[
    ("auto.leader.rebalance.enable", "leaders move when an operator says so"),
    ("background.threads", "blocking work runs on storage threads"),
    ("broker.id", "the name is node.id"),
    ("controller.listener.names", "nodes talk over callboard.cluster.listener"),
    ("controller.quorum.bootstrap.servers", "a node joins a cluster by its --join flag"),
    ("controller.quorum.voters", "a node joins a cluster by its --join flag"),
    ("inter.broker.listener.name", "nodes talk over callboard.cluster.listener"),
    ("log.cleaner.enable", "compaction is always on"),
    ("log.dir", "the name is log.dirs"),
    ("metadata.log.dir", "metadata lives in log.dirs"),
    ("num.io.threads", "requests are served by actors, not by a pool of threads"),
    ("num.network.threads", "connections are served by actors, not by a pool of threads"),
    ("num.recovery.threads.per.data.dir", "recovery uses the storage threads"),
    ("num.replica.fetchers", "there is one fetcher for each node and shard"),
    ("process.roles", "every node is a broker, and voters are chosen by the cluster"),
    ("queued.max.requests", "the bound is in bytes: queued.max.request.bytes"),
    ("socket.receive.buffer.bytes", "the operating system sizes socket buffers"),
    ("socket.send.buffer.bytes", "the operating system sizes socket buffers"),
    ("zookeeper.connect", "there is no ZooKeeper"),
];

/// The error for a name that no table of brokers has.
#[must_use]
pub fn unknown_broker_setting(name: &str) -> SettingError {
    if let Some((_, reason)) = OF_KAFKA.iter().find(|(known, _)| *known == name) {
        return SettingError::NotHere { name: name.to_owned(), reason };
    }
    let nearest = nearest(name, broker_settings().map(|setting| setting.name));
    SettingError::Unknown { name: shown(name), nearest }
}

/// The error for a name that the table of topics does not have.
#[must_use]
pub fn unknown_topic_setting(name: &str) -> SettingError {
    let known = TOPIC_SETTINGS.iter().map(|setting| setting.definition.name);
    SettingError::Unknown { name: shown(name), nearest: nearest(name, known) }
}

/// An answer need not repeat a long name.
fn shown(name: &str) -> String {
    name.chars().take(200).collect()
}

/// The known name with the fewest changed characters, if they are few enough to be a slip.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // a name is compared only as far as any known one can reach
    let name: Vec<char> = name.chars().take(80).collect();
    let (distance, nearest) = known.map(|known| (distance(&name, known), known)).min()?;
    (distance <= name.len() / 3).then_some(nearest)
}

/// Levenshtein's distance: how many characters to insert, delete or replace.
fn distance(left: &[char], right: &str) -> usize {
    let mut row: Vec<usize> = (0..=left.len()).collect();
    for (line, right) in right.chars().enumerate() {
        let mut diagonal = line;
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
        for (place, left) in left.iter().enumerate() {
            let replaced = diagonal + usize::from(*left != right);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
