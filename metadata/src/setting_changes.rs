//! Changing settings while the cluster runs: the whole of a resource's (AlterConfigs), or some of
//! them (IncrementalAlterConfigs, KIP-339).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{BrokerId, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::partition::PartitionKey;
use crate::record::{MetadataRecord, SettingResource};
use crate::refusal::Refusal;
use crate::settings::check::list;
use crate::settings::definition::{Alteration, SettingDefinition, SettingKind};
use crate::settings::error::{InvalidReason, SettingError};
use crate::settings::nearest::{unknown_broker_setting, unknown_topic_setting};
use crate::settings::resolution::Lookup;
use crate::settings::{broker_setting, topic_setting};
use crate::topic_creation::named_twice;

/// What to do with one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SettingEdit {
    /// Give it this value.
    Set,
    /// Take it back, so that its default holds.
    Delete,
    /// Add these items to the list in force.
    Append,
    /// Take these items from the list in force.
    Subtract,
}

/// A change of one setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingOperation {
    /// Its name.
    pub name: String,
    /// What to do.
    pub edit: SettingEdit,
    /// The value, or the items; only a deletion needs none.
    pub value: Option<String>,
}

/// The name of a resource on the wire, as a resource.
///
/// # Errors
/// A kind of resource that has no settings here, or a name that no resource of its kind can have.
pub fn parse_setting_resource(kind: i8, name: &str) -> Result<SettingResource, Refusal> {
    const TOPIC: i8 = 2;
    const BROKER: i8 = 4;
    let invalid = || Refusal::ResourceName { name: name.to_owned() };
    match (kind, name) {
        (TOPIC, "") => Err(invalid()),
        (TOPIC, name) => {
            TopicName::new(name).map(SettingResource::Topic).map_err(Refusal::TopicName)
        }
        (BROKER, "") => Ok(SettingResource::ClusterDefault),
        (BROKER, name) => match name.parse::<i32>() {
            Ok(broker) => Ok(SettingResource::Broker(BrokerId(broker))),
            Err(_) => Err(invalid()),
        },
        (kind, _) => Err(Refusal::ResourceKind { kind }),
    }
}

/// A setting as a client gives it: its name, and its value if it has one.
pub type GivenSetting = (String, Option<String>);

type Values = BTreeMap<String, String>;

impl Controller {
    /// Changes some settings of resources: of each all or none. With `validate_only` nothing
    /// happens.
    pub fn change_settings(
        &mut self,
        changes: &[(SettingResource, Vec<SettingOperation>)],
        validate_only: bool,
    ) -> Vec<Result<(), Refusal>> {
        self.for_each_resource(changes, validate_only, |controller, resource, operations| {
            let values = controller.edited(resource, operations)?;
            controller.set_values(resource, &values)
        })
    }

    /// Gives resources exactly these settings; what is not named is taken back.
    pub fn replace_settings(
        &mut self,
        changes: &[(SettingResource, Vec<GivenSetting>)],
        validate_only: bool,
    ) -> Vec<Result<(), Refusal>> {
        self.for_each_resource(changes, validate_only, |controller, resource, given| {
            let mut values = Values::new();
            for (name, value) in given {
                let name = name.clone();
                let value = value.clone();
                let value = value.ok_or(Refusal::NoValueToSet { name: name.clone() })?;
                if values.insert(name.clone(), value).is_some() {
                    return Err(Refusal::SettingNamedTwice { name });
                }
            }
            controller.check_names_and_values(resource, values.iter())?;
            controller.set_values(resource, &values)
        })
    }

    fn for_each_resource<Change>(
        &mut self,
        changes: &[(SettingResource, Change)],
        validate_only: bool,
        rule: impl Fn(&mut Self, &SettingResource, &Change) -> Result<(), Refusal>,
    ) -> Vec<Result<(), Refusal>> {
        let twice = named_twice(changes.iter().map(|(resource, _)| resource));
        let change_all = |controller: &mut Self| {
            let change = |(resource, change): &(SettingResource, Change)| {
                if twice.contains(resource) {
                    return Err(Refusal::NamedTwice);
                }
                controller.check_resource(resource)?;
                controller.attempt(|controller| rule(controller, resource, change))
            };
            changes.iter().map(change).collect()
        };
        if validate_only { self.rehearse(change_all) } else { change_all(self) }
    }

    fn check_resource(&self, resource: &SettingResource) -> Result<(), Refusal> {
        match resource {
            SettingResource::Topic(topic) => {
                let known = self.image().topic(topic.as_str());
                known.map(drop).ok_or(Refusal::UnknownTopicOrPartition)
            }
            SettingResource::Broker(broker) => {
                let known = self.image().broker(*broker);
                known.map(drop).ok_or(Refusal::UnknownBroker { broker: *broker })
            }
            SettingResource::ClusterDefault => Ok(()),
        }
    }

    fn present_values(&self, resource: &SettingResource) -> Values {
        let values = self.image().settings_of(resource);
        let values = values.into_iter().flat_map(|values| values.iter());
        values.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn edited(
        &self,
        resource: &SettingResource,
        operations: &[SettingOperation],
    ) -> Result<Values, Refusal> {
        let mut values = self.present_values(resource);
        let twice = named_twice(operations.iter().map(|operation| &operation.name));
        if let Some(name) = twice.first() {
            return Err(Refusal::SettingNamedTwice { name: (*name).clone() });
        }
        for operation in operations {
            let name = operation.name.clone();
            let Some(value) = self.edited_value(resource, operation)? else {
                values.remove(&name);
                continue;
            };
            self.check_names_and_values(resource, [(&name, &value)].into_iter())?;
            values.insert(name, value);
        }
        Ok(values)
    }

    /// The value after one operation; `None` if the setting is taken back.
    fn edited_value(
        &self,
        resource: &SettingResource,
        operation: &SettingOperation,
    ) -> Result<Option<String>, Refusal> {
        let name = || operation.name.clone();
        if operation.edit == SettingEdit::Delete {
            return Ok(None);
        }
        let value = operation.value.as_deref().ok_or(Refusal::NoValueToSet { name: name() })?;
        if operation.edit == SettingEdit::Set {
            return Ok(Some(value.to_owned()));
        }
        let definition = definition(resource, &operation.name)?;
        if definition.kind != SettingKind::List {
            return Err(Refusal::NotAList { name: name() });
        }
        let in_force = self.list_in_force(resource, definition);
        let mut items: Vec<&str> = list(&in_force).collect();
        if operation.edit == SettingEdit::Subtract {
            items.retain(|item| !list(value).any(|taken| taken == *item));
        } else {
            items.extend(list(value).filter(|item| !list(&in_force).any(|has| has == *item)));
        }
        Ok(Some(items.join(",")))
    }

    fn list_in_force(
        &self,
        resource: &SettingResource,
        definition: &'static SettingDefinition,
    ) -> String {
        let lookup = Lookup { image: self.image(), given: self.given() };
        match resource {
            SettingResource::Topic(topic) => topic_setting(definition.name)
                .map(|setting| lookup.topic(Some(topic), setting).0.into_owned()),
            SettingResource::Broker(_) | SettingResource::ClusterDefault => {
                let own = self.image().setting(resource, definition.name);
                own.or(self.given().value(definition.name)).map(str::to_owned)
            }
        }
        .unwrap_or_default()
    }

    fn check_names_and_values<'a>(
        &self,
        resource: &SettingResource,
        values: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Result<(), Refusal> {
        for (name, value) in values {
            let definition = definition(resource, name)?;
            let checked = definition.validate(value);
            match resource {
                SettingResource::Topic(_) => checked.map_err(Refusal::Setting)?,
                SettingResource::Broker(_) | SettingResource::ClusterDefault => {
                    may_be_altered(resource, definition)?;
                    checked.map_err(Refusal::BrokerSetting)?;
                }
            }
        }
        Ok(())
    }

    /// Records what differs from the present values, and settles what depends on them.
    fn set_values(&mut self, resource: &SettingResource, values: &Values) -> Result<(), Refusal> {
        if let SettingResource::Topic(_) = resource {
            check_together(values)?;
        }
        let present = self.present_values(resource);
        let gone = present.keys().filter(|name| !values.contains_key(*name));
        let gone = gone.map(|name| (name, None));
        let set = values.iter().filter(|(name, value)| present.get(*name) != Some(*value));
        let changes: Vec<_> = gone.chain(set.map(|(name, value)| (name, Some(value)))).collect();
        let mut matters = false;
        for (name, value) in changes {
            matters |= matches!(name.as_str(), MIN_IN_SYNC | UNCLEAN);
            let (key, value) =
                (Arc::from(name.as_str()), value.map(|value| Arc::from(value.as_str())));
            let resource = resource.clone();
            self.decide(MetadataRecord::SettingChanged { resource, key, value })?;
        }
        if matters { self.settle_partitions_of(resource) } else { Ok(()) }
    }

    /// A smaller `min.insync.replicas` lets records be committed without the eligible replicas, so
    /// they are eligible no longer; unclean election may find a leader where there is none.
    fn settle_partitions_of(&mut self, resource: &SettingResource) -> Result<(), Refusal> {
        let image = self.image();
        let topics: Vec<TopicId> = match resource {
            SettingResource::Topic(topic) => {
                image.topic(topic.as_str()).map(|topic| topic.id).into_iter().collect()
            }
            SettingResource::Broker(_) | SettingResource::ClusterDefault => {
                image.topics().map(|topic| topic.id).collect()
            }
        };
        for topic_id in topics {
            let Some(topic) = self.image().topic_by_id(topic_id).cloned() else { continue };
            for (index, state) in topic.indexed_partitions() {
                if state.leader.is_none() || !state.elr.is_empty() {
                    self.settle(PartitionKey::new(topic_id, index), |transition| transition)?;
                }
            }
        }
        Ok(())
    }
}

const MIN_IN_SYNC: &str = "min.insync.replicas";
const UNCLEAN: &str = "unclean.leader.election.enable";

fn definition(
    resource: &SettingResource,
    name: &str,
) -> Result<&'static SettingDefinition, Refusal> {
    match resource {
        SettingResource::Topic(_) => topic_setting(name)
            .map(|setting| &setting.definition)
            .ok_or_else(|| Refusal::Setting(unknown_topic_setting(name))),
        SettingResource::Broker(_) | SettingResource::ClusterDefault => {
            broker_setting(name).ok_or_else(|| Refusal::Setting(unknown_broker_setting(name)))
        }
    }
}

fn may_be_altered(
    resource: &SettingResource,
    definition: &SettingDefinition,
) -> Result<(), Refusal> {
    let name = || definition.name.to_owned();
    match (definition.alteration, resource) {
        (Alteration::ReadOnly, _) => Err(Refusal::ReadOnlySetting { name: name() }),
        (Alteration::PerBroker, SettingResource::ClusterDefault) => {
            Err(Refusal::PerBrokerSetting { name: name() })
        }
        // which replicas are eligible depends on it, so all must agree on one value
        (_, SettingResource::Broker(_)) if definition.name == MIN_IN_SYNC => {
            Err(Refusal::ClusterSetting { name: name() })
        }
        (Alteration::PerBroker | Alteration::ClusterWide, _) => Ok(()),
    }
}

/// The settings of a topic that is to be created: valid one by one and together.
pub(crate) fn check_topic_settings(given: &[(String, Option<String>)]) -> Result<Values, Refusal> {
    let mut values = Values::new();
    for (name, value) in given {
        let setting = topic_setting(name).ok_or_else(|| unknown_topic_setting(name))?;
        let name = name.clone();
        let value = value.clone().ok_or(Refusal::SettingWithoutValue { name: name.clone() })?;
        setting.definition.validate(&value)?;
        if values.insert(name.clone(), value).is_some() {
            return Err(Refusal::SettingNamedTwice { name });
        }
    }
    check_together(&values)?;
    Ok(values)
}

/// A record cannot be safe from compaction for longer than it may wait for it.
fn check_together(values: &Values) -> Result<(), Refusal> {
    const MIN: &str = "min.compaction.lag.ms";
    const MAX: &str = "max.compaction.lag.ms";
    let number = |name| values.get(name).and_then(|value| value.trim().parse::<i64>().ok());
    let (min, max) = (number(MIN).unwrap_or(0), number(MAX).unwrap_or(i64::MAX));
    if min <= max {
        return Ok(());
    }
    let other_value = max.to_string();
    let reason = InvalidReason::Conflict { relation: "at most", other: MAX, other_value };
    let (name, value) = (MIN.to_owned(), min.to_string());
    Err(Refusal::Setting(SettingError::Invalid { name, value, reason }))
}
