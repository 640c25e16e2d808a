//! What one setting of a topic is: a setting, and the settings of brokers that give its default.

use crate::settings::definition::SettingDefinition;
use crate::settings::topic_table::TOPIC_SETTINGS;

/// The largest record batch that fits into a message between nodes (4 MiB less 64 KiB).
pub const RECORD_BATCH_BYTES_MAX: i64 = (4 << 20) - (64 << 10);

/// A setting of brokers that gives a topic's setting its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerSynonym {
    /// Its name.
    pub name: &'static str,
    /// What its value is multiplied with: hours into milliseconds, for instance. 1 where both
    /// have the same unit or are no numbers.
    pub factor: i64,
}

/// A setting of a topic.
#[derive(Clone, Copy, Debug)]
pub struct TopicSetting {
    /// The setting.
    pub definition: SettingDefinition,
    /// The settings of brokers that give its default; an earlier one wins over a later.
    pub synonyms: &'static [BrokerSynonym],
}

/// The setting of topics with that name.
#[must_use]
pub fn topic_setting(name: &str) -> Option<&'static TopicSetting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.definition.name == name)
}

pub(crate) const fn setting(
    definition: SettingDefinition,
    synonyms: &'static [BrokerSynonym],
) -> TopicSetting {
    TopicSetting { definition: definition.cluster_wide(), synonyms }
}

pub(crate) const fn synonym(name: &'static str) -> BrokerSynonym {
    BrokerSynonym { name, factor: 1 }
}

pub(crate) const fn in_minutes(name: &'static str) -> BrokerSynonym {
    BrokerSynonym { name, factor: 60_000 }
}

pub(crate) const fn in_hours(name: &'static str) -> BrokerSynonym {
    BrokerSynonym { name, factor: 3_600_000 }
}
