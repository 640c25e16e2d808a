//! Why a setting was refused: always with its name, its value and the reason.

use std::fmt;

use protocol::ErrorCode;
use thiserror::Error;

use crate::settings::definition::SettingKind;

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidReason {
    /// Neither `true` nor `false`.
    #[error("Expected value to be either true or false")]
    NotABoolean,
    /// Not a number, or one beyond its bits.
    #[error("Not a number of type {}", .kind.name())]
    NotANumber {
        /// What it should be.
        kind: SettingKind,
    },
    /// Too small.
    #[error("Value must be at least {minimum}")]
    BelowMinimum {
        /// The smallest allowed.
        minimum: i64,
    },
    /// Too large.
    #[error("Value must be no more than {maximum}")]
    AboveMaximum {
        /// The largest allowed.
        maximum: i64,
    },
    /// Neither in the range nor the value that stands for the default.
    #[error("Value must be between {minimum} and {maximum} or equal to {default}")]
    OutsideRangeAndDefault {
        /// The smallest allowed.
        minimum: i64,
        /// The largest allowed.
        maximum: i64,
        /// The value beside the range.
        default: i64,
    },
    /// Not one of the allowed words.
    #[error("String must be one of: {}", .allowed.join(", "))]
    NotOneOf {
        /// The allowed words.
        allowed: &'static [&'static str],
    },
    /// Longer than a record may be.
    #[error("Value has {length} bytes, the most are {maximum}")]
    TooLong {
        /// How many it has.
        length: usize,
        /// The most.
        maximum: usize,
    },
    /// Nothing, where something must be.
    #[error("Value must not be empty")]
    Empty,
    /// Several, where there can be one.
    #[error("Only one value is supported")]
    MoreThanOne,
    /// Neither `*` nor `partition:broker` pairs.
    #[error(
        "it must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    )]
    NotThrottledReplicas,
    /// No tiered storage here.
    #[error("tiered storage is not available in this broker")]
    NoTieredStorage,
    /// A listener is not of the form `NAME://HOST:PORT`.
    #[error("a listener has the form NAME://HOST:PORT")]
    NotAListener,
    /// An address is not of the form `HOST:PORT`.
    #[error("an address has the form HOST:PORT")]
    NotAnAddress,
    /// Two listeners share a name or a port.
    #[error("two listeners share the {what} {shared}")]
    SharedListener {
        /// Name or port.
        what: &'static str,
        /// Which.
        shared: String,
    },
    /// A listener's name stands for no security protocol.
    #[error("listener {listener} is not in listener.security.protocol.map")]
    UnmappedListener {
        /// Its name.
        listener: String,
    },
    /// The map is not `NAME:PROTOCOL` pairs.
    #[error("a map has the form NAME:PROTOCOL,NAME:PROTOCOL")]
    NotAMap,
    /// A protocol that this broker does not speak.
    #[error("security protocol {protocol} is not available in this broker")]
    UnsupportedSecurity {
        /// Its name.
        protocol: String,
    },
    /// Clients cannot connect to "every address".
    #[error("clients cannot connect to {host}: set advertised.listeners to a name they can reach")]
    NotAdvertisable {
        /// The host.
        host: String,
    },
    /// An advertised listener that does not exist.
    #[error("listener {listener} is advertised, but is not in listeners")]
    AdvertisedWithoutListener {
        /// Its name.
        listener: String,
    },
    /// Two settings contradict each other.
    #[error("it must be {relation} {other} ({other_value})")]
    Conflict {
        /// How it must stand to the other.
        relation: &'static str,
        /// The other setting.
        other: &'static str,
        /// Its value.
        other_value: String,
    },
}

/// Why a setting was refused. Trying again with the same value never helps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingError {
    /// There is no setting of that name.
    #[error("unknown setting {name}{}", nearest_text(*.nearest))]
    Unknown {
        /// The name.
        name: String,
        /// A known one that looks like it.
        nearest: Option<&'static str>,
    },
    /// A setting of Kafka that means nothing here.
    #[error("setting {name} has no meaning in this broker: {reason}")]
    NotHere {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The value is not allowed.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// Why.
        reason: InvalidReason,
    },
}

fn nearest_text(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

impl SettingError {
    /// The code that Kafka answers with.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown { .. } | Self::NotHere { .. } | Self::Invalid { .. } => {
                ErrorCode::InvalidConfig
            }
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::NotHere { .. } | Self::Invalid { .. } => false,
        }
    }
}

/// Everything that is wrong with a set of settings, at least one error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            if place > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingErrors {}
