//! What the members of a consumer group tell each other through the coordinator: subscriptions on
//! the way to the leader, assignments on the way back. Both are a version followed by a message.

use bytes::Bytes;
use protocol::api_key::ApiKey;
use protocol::generated::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as AssignedTopic,
};
use protocol::generated::consumer_protocol_subscription::ConsumerProtocolSubscription;
use protocol::message::Message;
use protocol::primitives::{DecodeError, Decoder, EncodeError, Encoder, WireString};
use protocol::{PartitionIndex, TopicName, TopicPartition};

use crate::error::{Error, Result};

/// The version that is written; the first that every client in use reads.
const VERSION: i16 = 1;

fn write(message: &impl Message) -> std::result::Result<Bytes, EncodeError> {
    let mut encoder = Encoder::new();
    encoder.put_i16(VERSION);
    message.encode(&mut encoder, VERSION)?;
    Ok(encoder.finish().into_bytes())
}

/// Reads a message of any version: fields of newer ones are left unread, as the protocol asks.
fn read<M: Message>(bytes: Bytes) -> std::result::Result<M, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let version = decoder.i16()?.clamp(M::VERSIONS.min, M::VERSIONS.max);
    M::decode(&mut decoder, version)
}

pub(crate) fn write_subscription(topics: &[TopicName]) -> Result<Bytes> {
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|topic| WireString::from(topic.as_str())).collect(),
        ..ConsumerProtocolSubscription::default()
    };
    write(&subscription).map_err(|error| Error::Encode(error.into()))
}

pub(crate) fn read_subscription(bytes: Bytes) -> Result<Vec<TopicName>> {
    let read = read::<ConsumerProtocolSubscription>(bytes);
    let read = read.map_err(|source| Error::Decode { api: ApiKey::JoinGroup, source })?;
    let names = read.topics.iter().map(|topic| TopicName::new(topic));
    names.map(|name| name.map_err(Error::from)).collect()
}

pub(crate) fn write_assignment(partitions: &[TopicPartition]) -> Result<Bytes> {
    let mut topics: Vec<AssignedTopic> = Vec::new();
    for partition in partitions {
        let name = partition.topic.as_str();
        match topics.iter_mut().find(|topic| topic.topic == name) {
            Some(topic) => topic.partitions.push(partition.partition.0),
            None => topics.push(AssignedTopic {
                topic: WireString::from(name),
                partitions: vec![partition.partition.0],
            }),
        }
    }
    let assignment = ConsumerProtocolAssignment { assigned_partitions: topics, user_data: None };
    write(&assignment).map_err(|error| Error::Encode(error.into()))
}

/// An empty assignment is no bytes at all.
pub(crate) fn read_assignment(bytes: Bytes) -> Result<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let read = read::<ConsumerProtocolAssignment>(bytes);
    let read = read.map_err(|source| Error::Decode { api: ApiKey::SyncGroup, source })?;
    let mut partitions = Vec::new();
    for topic in &read.assigned_partitions {
        let name = TopicName::new(&topic.topic)?;
        let named = |index: &i32| TopicPartition::new(name.clone(), PartitionIndex(*index));
        partitions.extend(topic.partitions.iter().map(named));
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::{PartitionIndex, TopicName, TopicPartition};

    use super::{read_assignment, read_subscription, write_assignment, write_subscription};

    #[test]
    fn subscriptions_and_assignments_are_read_as_written() {
        let topics = [TopicName::new("a").unwrap(), TopicName::new("b").unwrap()];
        let written = write_subscription(&topics).unwrap();
        assert_eq!(read_subscription(written).unwrap(), topics);
        let partition =
            |topic: usize, index| TopicPartition::new(topics[topic].clone(), PartitionIndex(index));
        let partitions = [partition(0, 0), partition(0, 5), partition(1, 2)];
        let written = write_assignment(&partitions).unwrap();
        assert_eq!(read_assignment(written).unwrap(), partitions);
    }

    #[test]
    fn a_version_from_the_future_is_read_as_the_newest_known() {
        let topics = [TopicName::new("a").unwrap()];
        let mut bytes = write_subscription(&topics).unwrap().to_vec();
        bytes[..2].copy_from_slice(&99_i16.to_be_bytes());
        // generation and rack of version 3, and a field that nobody knows yet
        bytes.extend_from_slice(&[0, 0, 0, 7, 0xff, 0xff, 1, 2, 3]);
        assert_eq!(read_subscription(Bytes::from(bytes)).unwrap(), topics);
    }

    #[test]
    fn no_bytes_are_no_partitions_and_damage_is_an_error() {
        assert!(read_assignment(Bytes::new()).unwrap().is_empty());
        assert!(read_assignment(Bytes::from_static(&[0, 1, 0, 0, 0, 9])).is_err());
        assert!(read_subscription(Bytes::from_static(&[0])).is_err());
    }
}
