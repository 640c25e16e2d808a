//! `TOPIC` or `TOPIC:PARTITION`, as an argument: a name of a topic has no colon.

use std::str::FromStr;

use anyhow::{Result, bail};
use client::{Partition, PartitionIndex, TopicName, TopicPartition};

use super::cluster_view::ClusterView;

/// Some partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChoice {
    topic: TopicName,
    /// One alone; all of them if it is not given.
    partition: Option<PartitionIndex>,
}

impl FromStr for PartitionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (topic, partition) = match text.split_once(':') {
            Some((topic, partition)) => (topic, Some(partition)),
            None => (text, None),
        };
        let number = |text: &str| match text.parse() {
            Ok(number) if number >= 0 => Ok(PartitionIndex(number)),
            _ => Err(format!("{text:?} is no number of a partition")),
        };
        let topic = TopicName::new(topic).map_err(|error| error.to_string())?;
        Ok(Self { topic, partition: partition.map(number).transpose()? })
    }
}

impl PartitionChoice {
    fn takes(&self, partition: &TopicPartition) -> bool {
        let index = self.partition.is_none_or(|index| index == partition.partition);
        index && self.topic == partition.topic
    }
}

/// The chosen partitions, in the order of their names.
///
/// # Errors
/// A choice that takes none.
pub fn chosen<'a>(
    choices: &[PartitionChoice],
    view: &'a ClusterView,
) -> Result<Vec<(TopicPartition, &'a Partition)>> {
    for choice in choices {
        if !view.partitions().any(|(partition, _)| choice.takes(&partition)) {
            let number = choice.partition.map(|index| format!(" with a partition {index}"));
            bail!("there is no topic {}{}", choice.topic, number.unwrap_or_default());
        }
    }
    let is_chosen =
        |partition: &TopicPartition| choices.iter().any(|choice| choice.takes(partition));
    let mut partitions: Vec<_> =
        view.partitions().filter(|(partition, _)| is_chosen(partition)).collect();
    partitions.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::PartitionChoice;

    #[test]
    fn a_topic_or_one_of_its_partitions_is_chosen() {
        let choice: PartitionChoice = "orders:7".parse().unwrap();
        assert_eq!((choice.topic.as_str(), choice.partition.map(|it| it.0)), ("orders", Some(7)));
        let choice: PartitionChoice = "orders-7".parse().unwrap();
        assert_eq!((choice.topic.as_str(), choice.partition), ("orders-7", None));
        for wrong in ["", ":1", "orders:", "orders:-1", "orders:one", "a:1:2"] {
            assert!(wrong.parse::<PartitionChoice>().is_err(), "{wrong:?}");
        }
    }
}
