//! What a value may be.

use crate::settings::definition::SettingKind;
use crate::settings::error::InvalidReason;
use crate::settings::listeners;

/// The longest value of a setting, in bytes: each is a record of the metadata log.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// A rule for a value, beyond its kind.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Whatever the kind allows.
    Any,
    /// A number from here on (inclusive).
    AtLeast(i64),
    /// A number in a range, both ends inclusive.
    Between(i64, i64),
    /// A number in a range, both ends inclusive, or the third.
    BetweenOr(i64, i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words.
    EachOf(&'static [&'static str]),
    /// Exactly one text.
    One,
    /// `*`, or `partition:broker` pairs.
    ThrottledReplicas,
    /// `false`: what it would turn on does not exist here.
    OnlyFalse,
    /// Listeners, `NAME://HOST:PORT`.
    Listeners,
    /// `HOST:PORT`.
    Address,
    /// A list of `HOST:PORT`.
    Addresses,
    /// `NAME:PROTOCOL` pairs.
    SecurityMap,
}

impl Check {
    pub(crate) fn run(self, kind: SettingKind, value: &str) -> Result<(), InvalidReason> {
        if value.len() > VALUE_BYTES_MAX {
            let (length, maximum) = (value.len(), VALUE_BYTES_MAX);
            return Err(InvalidReason::TooLong { length, maximum });
        }
        let value = value.trim();
        match kind {
            SettingKind::Boolean => drop(boolean(value).ok_or(InvalidReason::NotABoolean)?),
            SettingKind::Int | SettingKind::Short | SettingKind::Long => {
                self.check_number(whole_number(kind, value)?)?;
            }
            SettingKind::Double => {
                let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
                self.check_fraction(number.ok_or(InvalidReason::NotANumber { kind })?)?;
            }
            SettingKind::String
            | SettingKind::List
            | SettingKind::Class
            | SettingKind::Password => {}
        }
        self.check_text(value)
    }

    fn check_number(self, number: i64) -> Result<(), InvalidReason> {
        match self {
            Self::AtLeast(minimum) | Self::Between(minimum, _) if number < minimum => {
                Err(InvalidReason::BelowMinimum { minimum })
            }
            Self::Between(_, maximum) if number > maximum => {
                Err(InvalidReason::AboveMaximum { maximum })
            }
            Self::BetweenOr(minimum, maximum, default)
                if number != default && !(minimum..=maximum).contains(&number) =>
            {
                Err(InvalidReason::OutsideRangeAndDefault { minimum, maximum, default })
            }
            _ => Ok(()),
        }
    }

    fn check_fraction(self, number: f64) -> Result<(), InvalidReason> {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "the bounds of the tables are small")]
            Self::Between(minimum, _) if number < minimum as f64 => {
                Err(InvalidReason::BelowMinimum { minimum })
            }
            #[allow(clippy::cast_precision_loss, reason = "the bounds of the tables are small")]
            Self::Between(_, maximum) if number > maximum as f64 => {
                Err(InvalidReason::AboveMaximum { maximum })
            }
            _ => Ok(()),
        }
    }

    fn check_text(self, value: &str) -> Result<(), InvalidReason> {
        match self {
            Self::OneOf(allowed) if !allowed.contains(&value) => {
                Err(InvalidReason::NotOneOf { allowed })
            }
            Self::EachOf(allowed) if list(value).any(|item| !allowed.contains(&item)) => {
                Err(InvalidReason::NotOneOf { allowed })
            }
            Self::One if value.is_empty() => Err(InvalidReason::Empty),
            Self::One if list(value).nth(1).is_some() => Err(InvalidReason::MoreThanOne),
            Self::ThrottledReplicas if !is_throttled_replicas(value) => {
                Err(InvalidReason::NotThrottledReplicas)
            }
            Self::OnlyFalse if boolean(value) == Some(true) => Err(InvalidReason::NoTieredStorage),
            Self::Listeners => listeners::parse_listeners(value).map(drop),
            Self::Address => listeners::parse_address(value).map(drop),
            Self::Addresses => {
                list(value).try_for_each(|address| listeners::parse_address(address).map(drop))
            }
            Self::SecurityMap => listeners::parse_security_map(value).map(drop),
            _ => Ok(()),
        }
    }
}

/// The items of a list; none of an empty one.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let empty = value.trim().is_empty();
    value.split(',').map(str::trim).filter(move |_| !empty)
}

/// A truth value in any case.
pub(crate) fn boolean(value: &str) -> Option<bool> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn whole_number(kind: SettingKind, value: &str) -> Result<i64, InvalidReason> {
    let number = value.parse::<i64>().map_err(|_| InvalidReason::NotANumber { kind })?;
    let fits = match kind {
        SettingKind::Int => i32::try_from(number).is_ok(),
        SettingKind::Short => i16::try_from(number).is_ok(),
        _ => true,
    };
    if fits { Ok(number) } else { Err(InvalidReason::NotANumber { kind }) }
}

fn is_throttled_replicas(value: &str) -> bool {
    let pair = |item: &str| {
        item.split_once(':').is_some_and(|(partition, broker)| {
            partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
        })
    };
    value == "*" || list(value).all(pair)
}
