//! Topics: made, described, enlarged, deleted.

use protocol::api_key::ApiKey;
use protocol::generated::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::generated::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::generated::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, ErrorCode, TopicId, TopicName};

use super::{Admin, single};
use crate::cluster::Topics;
use crate::cluster_metadata::Topic;
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions; the cluster's default if it is not given.
    pub partitions: Option<i32>,
    /// How many replicas each; the cluster's default if it is not given.
    pub replication_factor: Option<i16>,
    /// The brokers of each partition, the preferred leader first; chosen by the cluster if empty.
    /// Excludes the two above.
    pub assignments: Vec<Vec<BrokerId>>,
    /// Settings that differ from the cluster's.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the cluster's defaults.
    #[must_use]
    pub fn new(name: &TopicName) -> Self {
        Self {
            name: name.clone(),
            partitions: None,
            replication_factor: None,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }

    /// With so many partitions.
    #[must_use]
    pub const fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// With so many replicas.
    #[must_use]
    pub const fn replication_factor(mut self, replicas: i16) -> Self {
        self.replication_factor = Some(replicas);
        self
    }

    /// With one more setting.
    #[must_use]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }

    fn to_wire(&self) -> CreatableTopic {
        let assignment = |(index, brokers): (i32, &Vec<BrokerId>)| CreatableReplicaAssignment {
            partition_index: index,
            broker_ids: brokers.iter().map(|broker| broker.0).collect(),
        };
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: WireString::from(name.as_str()),
            value: Some(WireString::from(value.as_str())),
        };
        CreatableTopic {
            name: WireString::from(self.name.as_str()),
            num_partitions: self.partitions.unwrap_or(-1),
            replication_factor: self.replication_factor.unwrap_or(-1),
            assignments: (0..).zip(&self.assignments).map(assignment).collect(),
            configs: self.configs.iter().map(config).collect(),
        }
    }
}

/// A topic as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its identity; zero from brokers before Kafka 2.8.
    pub id: TopicId,
    /// Its partitions; −1 where the broker does not say.
    pub partitions: i32,
    /// Replicas of each; −1 where the broker does not say.
    pub replication_factor: i16,
}

fn topic_of(name: &WireString) -> Result<TopicName> {
    Ok(TopicName::new(name)?)
}

/// The first refusal that may pass by itself, so that the operation is tried again.
fn retryable(api: ApiKey, codes: impl Iterator<Item = i16>) -> Result<()> {
    for code in codes {
        let not_controller = code == ErrorCode::NotController.code();
        if not_controller {
            Error::check(api, || Subject::Request, code, None)?;
        }
    }
    Ok(())
}

impl Admin {
    /// Makes one topic.
    ///
    /// # Errors
    /// What the cluster has against it, such as TOPIC_ALREADY_EXISTS.
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic> {
        let subject = Subject::Topic(topic.name.clone());
        let missing = || Error::NotInResponse { api: ApiKey::CreateTopics, subject };
        single(self.create_topics(&[topic], false).await?, missing)
    }

    /// Makes topics, or only checks that it could, if `validate_only`. Each has its own result.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<(TopicName, Result<CreatedTopic>)>> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(NewTopic::to_wire).collect(),
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
            validate_only,
        };
        let api = CreateTopicsRequest::API_KEY;
        let judge = |response: &<CreateTopicsRequest as Request>::Response| {
            retryable(api, response.topics.iter().map(|topic| topic.error_code))
        };
        let response = self.ask_controller(&request, judge).await?;
        let made = response.topics.iter().map(|wire| {
            let name = topic_of(&wire.name)?;
            let subject = || Subject::Topic(name.clone());
            let checked =
                Error::check(api, subject, wire.error_code, wire.error_message.as_deref());
            let created = checked.map(|()| CreatedTopic {
                id: wire.topic_id,
                partitions: wire.num_partitions,
                replication_factor: wire.replication_factor,
            });
            Ok((name, created))
        });
        made.collect()
    }

    /// Deletes one topic with all its records.
    ///
    /// # Errors
    /// What the cluster has against it, such as UNKNOWN_TOPIC_OR_PARTITION.
    pub async fn delete_topic(&self, name: &TopicName) -> Result<()> {
        let subject = Subject::Topic(name.clone());
        let missing = || Error::NotInResponse { api: ApiKey::DeleteTopics, subject };
        single(self.delete_topics(std::slice::from_ref(name)).await?, missing)
    }

    /// Deletes topics with all their records. Each has its own result.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn delete_topics(&self, names: &[TopicName]) -> Result<Vec<(TopicName, Result<()>)>> {
        let wire = |name: &TopicName| WireString::from(name.as_str());
        // version 6 and later may give ids instead of names; both forms stand in one request
        let state =
            |name| DeleteTopicState { name: Some(wire(name)), ..DeleteTopicState::default() };
        let timeout_ms = milliseconds(self.cluster.settings.request_timeout);
        let named = DeleteTopicsRequest {
            topics: Vec::new(),
            topic_names: names.iter().map(wire).collect(),
            timeout_ms,
        };
        let listed = DeleteTopicsRequest {
            topics: names.iter().map(state).collect(),
            topic_names: Vec::new(),
            timeout_ms,
        };
        let api = DeleteTopicsRequest::API_KEY;
        let judge = |response: &<DeleteTopicsRequest as Request>::Response| {
            retryable(api, response.responses.iter().map(|topic| topic.error_code))
        };
        let response = match self.ask_controller(&listed, judge).await {
            Err(Error::Encode(_)) => self.ask_controller(&named, judge).await?,
            answered => answered?,
        };
        let deleted = response.responses.iter().map(|wire| {
            let name = topic_of(wire.name.as_ref().unwrap_or(&WireString::EMPTY))?;
            let subject = || Subject::Topic(name.clone());
            let result = Error::check(api, subject, wire.error_code, wire.error_message.as_deref());
            Ok((name, result))
        });
        deleted.collect()
    }

    /// The names of all topics, in order; those of the brokers themselves too, if `internal`.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn list_topics(&self, internal: bool) -> Result<Vec<TopicName>> {
        let topics = self.all_topics().await?;
        let wanted = topics.into_iter().filter(|topic| internal || !topic.is_internal);
        Ok(wanted.map(|topic| topic.name).collect())
    }

    /// All topics, in the order of their names.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn all_topics(&self) -> Result<Vec<Topic>> {
        let response = self.metadata_of(Topics::All).await?;
        let mut topics: Vec<_> = response.into_iter().filter_map(|(_, topic)| topic.ok()).collect();
        topics.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(topics)
    }

    /// One topic, as it is now.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION at once where it does not exist.
    pub async fn describe_topic(&self, name: &TopicName) -> Result<Topic> {
        let subject = Subject::Topic(name.clone());
        let missing = || Error::NotInResponse { api: ApiKey::Metadata, subject };
        single(self.describe_topics(std::slice::from_ref(name)).await?, missing)
    }

    /// Topics, as they are now. Each has its own result.
    ///
    /// # Errors
    /// Where the cluster cannot be asked.
    pub async fn describe_topics(
        &self,
        names: &[TopicName],
    ) -> Result<Vec<(TopicName, Result<Topic>)>> {
        self.metadata_of(Topics::Named(names)).await
    }

    async fn metadata_of(&self, topics: Topics<'_>) -> Result<Vec<(TopicName, Result<Topic>)>> {
        let mut attempts = self.cluster.attempts();
        let response = loop {
            match self.cluster.ask(topics).await {
                Ok(response) => break response,
                Err(error) => attempts.pause(error).await?,
            }
        };
        Ok(response.topics.iter().filter_map(Topic::from_wire).collect())
    }

    /// Raises the number of a topic's partitions to `count`. Keys go to other partitions from
    /// then on.
    ///
    /// # Errors
    /// What the cluster has against it, such as INVALID_PARTITIONS for a smaller number.
    pub async fn create_partitions(&self, name: &TopicName, count: i32) -> Result<()> {
        let topic = CreatePartitionsTopic {
            name: WireString::from(name.as_str()),
            count,
            assignments: None,
        };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
            validate_only: false,
        };
        let api = CreatePartitionsRequest::API_KEY;
        let judge = |response: &<CreatePartitionsRequest as Request>::Response| {
            retryable(api, response.results.iter().map(|result| result.error_code))
        };
        let response = self.ask_controller(&request, judge).await?;
        let subject = || Subject::Topic(name.clone());
        let result = response.results.first();
        let result = result.ok_or_else(|| Error::NotInResponse { api, subject: subject() })?;
        Error::check(api, subject, result.error_code, result.error_message.as_deref())
    }
}
