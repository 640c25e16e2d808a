//! What one setting is.

use crate::settings::check::Check;
use crate::settings::error::{InvalidReason, SettingError};

/// What a value looks like; the numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Texts, separated by commas.
    List,
    /// The name of a class.
    Class,
    /// Text that nobody is shown.
    Password,
}

impl SettingKind {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// When a setting may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// At the start of the process only.
    ReadOnly,
    /// While running, for one broker.
    PerBroker,
    /// While running, for one broker or for all of them.
    ClusterWide,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct SettingDefinition {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: SettingKind,
    /// What holds where nobody says anything; `None` where another setting or the program decides.
    pub default: Option<&'static str>,
    /// What its value may be.
    pub check: Check,
    /// When it may be changed.
    pub alteration: Alteration,
    /// What it does, in one sentence.
    pub documentation: &'static str,
}

impl SettingDefinition {
    pub(crate) const fn new(
        name: &'static str,
        kind: SettingKind,
        default: &'static str,
        check: Check,
        documentation: &'static str,
    ) -> Self {
        let alteration = Alteration::ReadOnly;
        Self { name, kind, default: Some(default), check, alteration, documentation }
    }

    pub(crate) const fn without_default(
        name: &'static str,
        kind: SettingKind,
        check: Check,
        documentation: &'static str,
    ) -> Self {
        let alteration = Alteration::ReadOnly;
        Self { name, kind, default: None, check, alteration, documentation }
    }

    /// The same setting, which may be changed for all brokers while they run.
    pub(crate) const fn cluster_wide(mut self) -> Self {
        self.alteration = Alteration::ClusterWide;
        self
    }

    /// Whether its value is hidden from everybody.
    #[must_use]
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, SettingKind::Password)
    }

    /// Checks a value by kind and bounds.
    ///
    /// # Errors
    /// The first rule that the value breaks.
    pub fn validate(&self, value: &str) -> Result<(), SettingError> {
        self.check.run(self.kind, value).map_err(|reason| self.invalid(value, reason))
    }

    pub(crate) fn invalid(&self, value: &str, reason: InvalidReason) -> SettingError {
        let value = match self.is_sensitive() {
            true => "[hidden]".to_owned(),
            // an answer need not repeat a long value
            false => value.chars().take(200).collect(),
        };
        SettingError::Invalid { name: self.name.to_owned(), value, reason }
    }
}
