//! Which value is in force, and where it comes from.
//!
//! ```text
//! the topic's own  >  this broker's, set while running  >  all brokers', set while running
//!                  >  this broker's configuration file  >  the default of the table
//! ```

use std::borrow::Cow;

use protocol::{BrokerId, TopicName};

use crate::image::ClusterImage;
use crate::record::SettingResource;
use crate::settings::broker_table::{broker_setting, broker_settings};
use crate::settings::definition::{Alteration, SettingDefinition, SettingKind};
use crate::settings::static_settings::StaticSettings;
use crate::settings::topic_setting::{BrokerSynonym, TopicSetting};
use crate::settings::topic_table::TOPIC_SETTINGS;

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// Set for the topic.
    DynamicTopic,
    /// Set for this broker while it ran.
    DynamicBroker,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker,
    /// Given when the broker was started.
    StaticBroker,
    /// Nobody said anything.
    Default,
}

impl SettingSource {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
        }
    }
}

/// One of the values that a setting could take, were those above it not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingSynonym {
    /// The setting that gives it.
    pub name: &'static str,
    /// The value as that setting has it.
    pub value: String,
    /// Where it comes from.
    pub source: SettingSource,
}

/// A setting as DescribeConfigs reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSetting {
    /// Its name.
    pub name: &'static str,
    /// The value in force; `None` if it has none, or if it is sensitive.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: SettingSource,
    /// What the value looks like.
    pub kind: SettingKind,
    /// Whether it cannot be changed while running.
    pub is_read_only: bool,
    /// Whether its value is hidden.
    pub is_sensitive: bool,
    /// Every value it could take, the one in force first.
    pub synonyms: Vec<SettingSynonym>,
    /// What it does.
    pub documentation: &'static str,
}

/// Whose settings are looked up, and in what.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    /// What the cluster has agreed on.
    pub(crate) image: &'a ClusterImage,
    /// What the broker was started with.
    pub(crate) given: &'a StaticSettings,
}

impl<'a> Lookup<'a> {
    /// The value in force of a broker's setting; `None` if it has none.
    pub(crate) fn broker(&self, name: &'static str) -> Option<&'a str> {
        self.sources(name).next().map(|(_, value)| value)
    }

    /// The value in force of a topic's setting.
    pub(crate) fn topic(
        &self,
        topic: Option<&TopicName>,
        setting: &'static TopicSetting,
    ) -> (Cow<'a, str>, SettingSource) {
        let name = setting.definition.name;
        if let Some(value) = topic.and_then(|topic| self.own(topic, name)) {
            return (Cow::Borrowed(value), SettingSource::DynamicTopic);
        }
        match self.inherited(setting).into_iter().next() {
            Some((synonym, value, source)) => (converted(synonym, value), source),
            None => {
                let default = setting.definition.default.unwrap_or_default();
                (Cow::Borrowed(default), SettingSource::Default)
            }
        }
    }

    fn own(&self, topic: &TopicName, name: &str) -> Option<&'a str> {
        self.image.setting(&SettingResource::Topic(topic.clone()), name)
    }

    /// The values of a broker's setting, the one in force first.
    fn sources(
        &self,
        name: &'static str,
    ) -> impl Iterator<Item = (SettingSource, &'a str)> + use<'a> {
        let broker = SettingResource::Broker(self.given.node_id());
        [
            (SettingSource::DynamicBroker, self.image.setting(&broker, name)),
            (
                SettingSource::DynamicDefaultBroker,
                self.image.setting(&SettingResource::ClusterDefault, name),
            ),
            (SettingSource::StaticBroker, self.given.given(name)),
            (SettingSource::Default, broker_setting(name).and_then(|setting| setting.default)),
        ]
        .into_iter()
        .filter_map(|(source, value)| Some((source, value?)))
    }

    /// The values that brokers give a topic's setting, the one in force first: source by source,
    /// and within a source synonym by synonym.
    fn inherited(
        &self,
        setting: &'static TopicSetting,
    ) -> Vec<(&'static BrokerSynonym, &'a str, SettingSource)> {
        let mut values: Vec<_> = setting
            .synonyms
            .iter()
            .flat_map(|synonym| {
                self.sources(synonym.name).map(move |(source, value)| (synonym, value, source))
            })
            .collect();
        values.sort_by_key(|(_, _, source)| source.code());
        values
    }

    fn describe_topic_setting(
        &self,
        topic: &TopicName,
        setting: &'static TopicSetting,
    ) -> DescribedSetting {
        let definition = &setting.definition;
        let own = self.own(topic, definition.name).map(|value| SettingSynonym {
            name: definition.name,
            value: value.to_owned(),
            source: SettingSource::DynamicTopic,
        });
        let inherited = self.inherited(setting).into_iter().map(|(synonym, value, source)| {
            SettingSynonym { name: synonym.name, value: value.to_owned(), source }
        });
        let synonyms = own.into_iter().chain(inherited).collect();
        let (value, source) = self.topic(Some(topic), setting);
        described(definition, Some(value.into_owned()), source, synonyms)
    }

    fn describe_broker_setting(&self, definition: &'static SettingDefinition) -> DescribedSetting {
        let synonyms: Vec<_> = self
            .sources(definition.name)
            .map(|(source, value)| SettingSynonym {
                name: definition.name,
                value: value.to_owned(),
                source,
            })
            .collect();
        let first = synonyms.first();
        let source = first.map_or(SettingSource::Default, |synonym| synonym.source);
        let value = first.map(|synonym| synonym.value.clone());
        described(definition, value, source, synonyms)
    }
}

/// Hours are many milliseconds, and a negative number of hours means for ever, as it does of
/// milliseconds.
fn converted<'a>(synonym: &BrokerSynonym, value: &'a str) -> Cow<'a, str> {
    if synonym.factor == 1 {
        return Cow::Borrowed(value);
    }
    match value.trim().parse::<i64>() {
        Ok(number) if number < 0 => Cow::Borrowed("-1"),
        Ok(number) => Cow::Owned(number.saturating_mul(synonym.factor).to_string()),
        Err(_) => Cow::Borrowed(value),
    }
}

fn described(
    definition: &'static SettingDefinition,
    value: Option<String>,
    source: SettingSource,
    mut synonyms: Vec<SettingSynonym>,
) -> DescribedSetting {
    let is_sensitive = definition.is_sensitive();
    if is_sensitive {
        synonyms.clear();
    }
    DescribedSetting {
        name: definition.name,
        value: value.filter(|_| !is_sensitive),
        source,
        kind: definition.kind,
        is_read_only: matches!(definition.alteration, Alteration::ReadOnly),
        is_sensitive,
        synonyms,
        documentation: definition.documentation,
    }
}

/// Every setting of a topic, as the broker that was started with `given` sees it.
#[must_use]
pub fn describe_topic(
    image: &ClusterImage,
    given: &StaticSettings,
    topic: &TopicName,
) -> Vec<DescribedSetting> {
    let lookup = Lookup { image, given };
    TOPIC_SETTINGS.iter().map(|setting| lookup.describe_topic_setting(topic, setting)).collect()
}

/// Every setting of the broker that was started with `given`.
#[must_use]
pub fn describe_broker(image: &ClusterImage, given: &StaticSettings) -> Vec<DescribedSetting> {
    let lookup = Lookup { image, given };
    broker_settings().map(|setting| lookup.describe_broker_setting(setting)).collect()
}

/// The settings that were set for all brokers while they ran; nothing else is reported of them.
#[must_use]
pub fn describe_cluster_default(image: &ClusterImage) -> Vec<DescribedSetting> {
    let values = image.settings_of(&SettingResource::ClusterDefault);
    let set = values.into_iter().flat_map(|values| values.iter());
    set.filter_map(|(name, value)| {
        let definition = broker_setting(name)?;
        let source = SettingSource::DynamicDefaultBroker;
        let value = value.to_string();
        let synonym = SettingSynonym { name: definition.name, value: value.clone(), source };
        Some(described(definition, Some(value), source, vec![synonym]))
    })
    .collect()
}

/// Whether dynamic settings of this broker concern the broker that was started with `given`.
#[must_use]
pub fn concerns(resource: &SettingResource, broker: BrokerId) -> bool {
    match resource {
        SettingResource::Broker(of) => *of == broker,
        SettingResource::ClusterDefault => true,
        SettingResource::Topic(_) => false,
    }
}
