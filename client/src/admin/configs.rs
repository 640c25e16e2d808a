//! Settings of topics, brokers and groups.

use std::fmt;

use protocol::generated::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use protocol::generated::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, GroupId, TopicName};

use super::Admin;
use crate::error::{Error, Result, Subject};

/// What settings belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicName),
    /// One broker.
    Broker(BrokerId),
    /// All brokers that say nothing else themselves.
    BrokerDefaults,
    /// A consumer group (KIP-848).
    Group(GroupId),
}

impl ConfigResource {
    fn to_wire(&self) -> (i8, WireString) {
        match self {
            Self::Topic(topic) => (2, WireString::from(topic.as_str())),
            Self::Broker(broker) => (4, WireString::from(broker.to_string())),
            Self::BrokerDefaults => (4, WireString::EMPTY),
            Self::Group(group) => (32, WireString::from(group.as_str())),
        }
    }

    fn subject(&self) -> Subject {
        match self {
            Self::Topic(topic) => Subject::Topic(topic.clone()),
            Self::Broker(broker) => Subject::Broker(*broker),
            Self::BrokerDefaults => Subject::Request,
            Self::Group(group) => Subject::Group(group.clone()),
        }
    }

    /// The one broker that knows, if there is only one.
    const fn broker(&self) -> Option<BrokerId> {
        match self {
            Self::Broker(broker) => Some(*broker),
            Self::Topic(_) | Self::BrokerDefaults | Self::Group(_) => None,
        }
    }
}

/// Where a setting's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// The topic's own settings.
    Topic,
    /// The broker's own, changed while it runs.
    DynamicBroker,
    /// Those of all brokers, changed while they run.
    DynamicDefault,
    /// The broker's file.
    StaticBroker,
    /// The program's default.
    Default,
    /// The group's own settings.
    Group,
    /// Another one, by its number.
    Other(i8),
}

impl ConfigSource {
    const fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefault,
            4 => Self::StaticBroker,
            5 => Self::Default,
            8 => Self::Group,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => formatter.write_str("topic"),
            Self::DynamicBroker => formatter.write_str("dynamic broker"),
            Self::DynamicDefault => formatter.write_str("dynamic default"),
            Self::StaticBroker => formatter.write_str("static broker"),
            Self::Default => formatter.write_str("default"),
            Self::Group => formatter.write_str("group"),
            Self::Other(code) => write!(formatter, "source {code}"),
        }
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name, as in Kafka.
    pub name: String,
    /// Its value; `None` where it is secret or has none.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed this way.
    pub is_read_only: bool,
    /// Whether its value is kept secret.
    pub is_sensitive: bool,
}

impl ConfigEntry {
    fn from_wire(wire: &DescribeConfigsResourceResult) -> Self {
        Self {
            name: wire.name.to_string(),
            value: wire.value.as_ref().map(ToString::to_string),
            source: ConfigSource::from_wire(wire.config_source),
            is_read_only: wire.read_only,
            is_sensitive: wire.is_sensitive,
        }
    }
}

/// A change to one setting (KIP-339).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// Gives it a value.
    Set(String),
    /// Takes the value away, so that the default holds.
    Delete,
    /// Adds to a list.
    Append(String),
    /// Takes out of a list.
    Subtract(String),
}

impl ConfigOperation {
    fn to_wire(&self) -> (i8, Option<WireString>) {
        match self {
            Self::Set(value) => (0, Some(WireString::from(value.as_str()))),
            Self::Delete => (1, None),
            Self::Append(value) => (2, Some(WireString::from(value.as_str()))),
            Self::Subtract(value) => (3, Some(WireString::from(value.as_str()))),
        }
    }
}

impl Admin {
    /// All settings of a resource, with those it inherits, in the order of their names.
    ///
    /// # Errors
    /// What the cluster has against it, such as UNKNOWN_TOPIC_OR_PARTITION.
    pub async fn describe_configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>> {
        let (resource_type, resource_name) = resource.to_wire();
        let wire =
            DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
        let request =
            DescribeConfigsRequest { resources: vec![wire], ..DescribeConfigsRequest::default() };
        let api = DescribeConfigsRequest::API_KEY;
        let judge = |response: &<DescribeConfigsRequest as Request>::Response| {
            let found = response.results.first();
            let subject = resource.subject();
            let found = found.ok_or(Error::NotInResponse { api, subject })?;
            let detail = found.error_message.as_deref();
            Error::check(api, || resource.subject(), found.error_code, detail)
        };
        let response = self.ask(resource.broker(), &request, judge).await?;
        let found = response.results.iter().flat_map(|result| &result.configs);
        let mut entries: Vec<_> = found.map(ConfigEntry::from_wire).collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// Changes settings of a resource and leaves its others as they are; or only checks that it
    /// could, if `validate_only`.
    ///
    /// # Errors
    /// What the cluster has against it, such as INVALID_CONFIG; nothing is changed then.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[(String, ConfigOperation)],
        validate_only: bool,
    ) -> Result<()> {
        let change = |(name, operation): &(String, ConfigOperation)| {
            let (config_operation, value) = operation.to_wire();
            AlterableConfig { name: WireString::from(name.as_str()), config_operation, value }
        };
        let (resource_type, resource_name) = resource.to_wire();
        let configs = changes.iter().map(change).collect();
        let wire = AlterConfigsResource { resource_type, resource_name, configs };
        let request = IncrementalAlterConfigsRequest { resources: vec![wire], validate_only };
        let api = IncrementalAlterConfigsRequest::API_KEY;
        let judge = |response: &<IncrementalAlterConfigsRequest as Request>::Response| {
            let found = response.responses.first();
            let subject = resource.subject();
            let found = found.ok_or(Error::NotInResponse { api, subject })?;
            let detail = found.error_message.as_deref();
            Error::check(api, || resource.subject(), found.error_code, detail)
        };
        match resource.broker() {
            Some(broker) => self.ask(Some(broker), &request, judge).await.map(drop),
            None => self.ask_controller(&request, judge).await.map(drop),
        }
    }
}
