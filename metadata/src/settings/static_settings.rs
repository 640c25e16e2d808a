//! What a broker's configuration file and flags say: checked once, at the start of the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::BrokerId;

use crate::settings::broker_table::{broker_setting, broker_settings};
use crate::settings::definition::SettingDefinition;
use crate::settings::error::{InvalidReason, SettingError, SettingErrors};
use crate::settings::listeners::{Listener, resolve_listeners};
use crate::settings::nearest::unknown_broker_setting;

/// The settings that a broker was started with, valid one by one and together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticSettings {
    values: BTreeMap<&'static str, Arc<str>>,
    listeners: Vec<Listener>,
}

impl StaticSettings {
    /// Checks names, values and how they stand to each other.
    ///
    /// # Errors
    /// Everything that is wrong, so that it can be put right at once.
    pub fn parse<Name, Value>(
        entries: impl IntoIterator<Item = (Name, Value)>,
    ) -> Result<Self, SettingErrors>
    where
        Name: AsRef<str>,
        Value: AsRef<str>,
    {
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, value) in entries {
            let (name, value) = (name.as_ref(), value.as_ref());
            match broker_setting(name) {
                None => errors.push(unknown_broker_setting(name)),
                Some(setting) => match setting.validate(value) {
                    Ok(()) => drop(values.insert(setting.name, Arc::from(value.trim()))),
                    Err(error) => errors.push(error),
                },
            }
        }
        let mut settings = Self { values, listeners: Vec::new() };
        if errors.is_empty() {
            match settings.resolve_listeners() {
                Ok(listeners) => settings.listeners = listeners,
                Err(error) => errors.push(error),
            }
            errors.extend(settings.contradictions());
        }
        if errors.is_empty() { Ok(settings) } else { Err(SettingErrors(errors)) }
    }

    /// The settings of a broker that nobody said anything to.
    #[must_use]
    pub fn defaults() -> Self {
        Self::parse::<&str, &str>([]).expect("the defaults are valid, as a test shows")
    }

    /// What was said of a setting; `None` where its default holds.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| &**value)
    }

    /// What was said of a setting, or its default; `None` where there is neither.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given(name).or_else(|| broker_setting(name)?.default)
    }

    /// The number of this broker.
    #[must_use]
    pub fn node_id(&self) -> BrokerId {
        BrokerId(self.number("node.id"))
    }

    /// Where clients are accepted; at least one listener.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// A whole number; the table guarantees that it is one, and that it fits.
    pub(crate) fn number<Number>(&self, name: &str) -> Number
    where
        Number: TryFrom<i64> + Default,
    {
        self.value(name).map(parse_number).unwrap_or_default()
    }

    fn resolve_listeners(&self) -> Result<Vec<Listener>, SettingError> {
        let listeners = self.value("listeners").unwrap_or_default();
        let map = self.value("listener.security.protocol.map").unwrap_or_default();
        resolve_listeners(listeners, self.value("advertised.listeners"), map)
            .map_err(|(name, reason)| self.invalid(name, reason))
    }

    fn invalid(&self, name: &'static str, reason: InvalidReason) -> SettingError {
        let value = self.value(name).unwrap_or_default().to_owned();
        SettingError::Invalid { name: name.to_owned(), value, reason }
    }

    fn contradictions(&self) -> impl Iterator<Item = SettingError> {
        const AT_MOST: &[(&str, &str)] = &[
            ("broker.heartbeat.interval.ms", "broker.session.timeout.ms"),
            ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
            ("socket.request.max.bytes", "queued.max.request.bytes"),
            ("message.max.bytes", "socket.request.max.bytes"),
        ];
        AT_MOST.iter().filter_map(|(lower, upper)| {
            let above = self.number::<i64>(lower) > self.number::<i64>(upper);
            let other_value = self.value(upper).unwrap_or_default().to_owned();
            let relation = "at most";
            let reason = InvalidReason::Conflict { relation, other: upper, other_value };
            above.then(|| self.invalid(lower, reason))
        })
    }

    /// Every setting with what was said of it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static SettingDefinition, Option<&str>)> {
        broker_settings().map(|setting| (setting, self.given(setting.name)))
    }
}

/// A number that a table has checked. What does not fit the field that reads it becomes 0, which
/// the tests of the tables show not to happen.
pub(crate) fn parse_number<Number>(value: &str) -> Number
where
    Number: TryFrom<i64> + Default,
{
    let number = value.trim().parse::<i64>().ok();
    number.and_then(|number| Number::try_from(number).ok()).unwrap_or_default()
}
