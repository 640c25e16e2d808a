//! Settings of a broker from a file, from the environment and from flags, each overruling the
//! ones before it; checked as a whole before anything starts.
//!
//! All three use Kafka's names. In the file (TOML) a name may be quoted or written as nested
//! tables; the two are the same:
//!
//! ```toml
//! "log.retention.ms" = 86400000
//!
//! [log]
//! segment.bytes = 67108864
//! ```
//!
//! (TOML has no table that is a number too, so of a pair such as `max.connections` and
//! `max.connections.per.ip` at least the shorter has to be quoted.) A list may be an array or one
//! text with commas.
//!
//! In the environment a setting is called `CALLBOARD_` and its name in capitals with `_` for
//! each `.`: `CALLBOARD_LOG_RETENTION_MS`. Settings that begin with `callboard.` do not say it
//! twice: `CALLBOARD_FLUSH_BEFORE_ACK`. A variable that looks like a slip of a setting is
//! refused; one that looks like none is ignored with a warning, because others give variables to
//! a process too (Kubernetes: `CALLBOARD_SERVICE_HOST` for a service of that name).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use ::config::{ConfigError, Environment, File, FileFormat, Source, Value, ValueKind};
use actors::{SettingError, SettingErrors, StaticSettings, broker_settings};
use thiserror::Error;

/// Variables that begin as settings do and are the program's own.
const OWN_VARIABLES: &[&str] = &["admin", "bootstrap", "config", "log", "log.format"];
/// What names of settings of our own begin with.
const OWN_PREFIX: &str = "callboard.";

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a configuration file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
    /// By a flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "from the file {}", path.display()),
            Self::Variable(name) => write!(formatter, "from the variable {name}"),
            Self::Flag(flag) => write!(formatter, "from the flag {flag}"),
        }
    }
}

/// One setting as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSetting {
    /// Its name, which may be no setting's.
    pub name: String,
    /// Its value, which may not be allowed.
    pub value: String,
    /// Where it was given.
    pub origin: Origin,
}

/// Where to look for settings.
#[derive(Clone, Debug, Default)]
pub struct SettingSources {
    /// A file in TOML.
    pub file: Option<PathBuf>,
    /// The variables to look at; those of the process, if `None`.
    pub environment: Option<HashMap<String, String>>,
    /// What flags say; of two flags for one setting the later holds.
    pub flags: Vec<GivenSetting>,
}

/// The settings of a broker, and what else was found.
#[derive(Clone, Debug)]
pub struct LoadedSettings {
    /// The settings, checked.
    pub settings: StaticSettings,
    /// Variables that begin as settings do, but are none.
    pub ignored_variables: Vec<String>,
}

/// A setting that was refused, and where it had been given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSetting {
    /// Name, value and reason.
    pub error: SettingError,
    /// Where it was given; `None` if its default contradicts another setting.
    pub origin: Option<Origin>,
}

impl fmt::Display for RefusedSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(formatter, "{} ({origin})", self.error),
            None => write!(formatter, "{} (the default)", self.error),
        }
    }
}

/// Why the settings cannot be used. Trying again never helps.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not valid: {}", path.display(), source.to_string().trim())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<ConfigError>,
    },
    /// A setting of the file is something else than a value.
    #[error("the configuration file {}: {name} is neither a value nor a list of values", path.display())]
    NotAValue {
        /// Which file.
        path: PathBuf,
        /// The name of the setting.
        name: String,
    },
    /// A setting stands twice in the file, quoted and in a table.
    #[error("the configuration file {} gives {name} twice", path.display())]
    Twice {
        /// Which file.
        path: PathBuf,
        /// The name of the setting.
        name: String,
    },
    /// A variable of the environment cannot be read.
    #[error("the environment cannot be read: {0}")]
    Environment(Box<ConfigError>),
    /// A flag is not of the form that it has to be.
    #[error("--set {text:?} has to be NAME=VALUE")]
    NotAnAssignment {
        /// What it is.
        text: String,
    },
    /// Settings were refused; every one of them is told.
    #[error("{}", lines(.0))]
    Refused(Vec<RefusedSetting>),
}

fn lines(refused: &[RefusedSetting]) -> String {
    let lines: Vec<_> = refused.iter().map(ToString::to_string).collect();
    lines.join("\n       ")
}

impl GivenSetting {
    /// What a flag of its own says.
    #[must_use]
    pub fn flag(flag: &'static str, name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), origin: Origin::Flag(flag) }
    }

    /// What `--set NAME=VALUE` says.
    ///
    /// # Errors
    /// [`ConfigurationError::NotAnAssignment`].
    pub fn assignment(text: &str) -> Result<Self, ConfigurationError> {
        let not = || ConfigurationError::NotAnAssignment { text: text.to_owned() };
        let (name, value) = text.split_once('=').ok_or_else(not)?;
        match name.trim() {
            "" => Err(not()),
            name => Ok(Self::flag("--set", name, value)),
        }
    }
}

impl SettingSources {
    /// Reads all sources and checks what they say together.
    ///
    /// # Errors
    /// [`ConfigurationError`].
    pub fn load(&self) -> Result<LoadedSettings, ConfigurationError> {
        let mut given = match &self.file {
            Some(path) => read_file(path)?,
            None => Vec::new(),
        };
        let variables = read_environment(self.environment.as_ref())?;
        let (known, ignored): (Vec<_>, Vec<_>) = variables.into_iter().partition(is_meant);
        given.extend(known);
        given.extend(self.flags.iter().cloned());
        let ignored = ignored.into_iter().map(|given| match given.origin {
            Origin::Variable(name) => name,
            Origin::File(_) | Origin::Flag(_) => given.name,
        });
        let ignored_variables = ignored.collect();
        Ok(LoadedSettings { settings: check(given)?, ignored_variables })
    }
}

/// The last word on every setting, checked.
fn check(given: Vec<GivenSetting>) -> Result<StaticSettings, ConfigurationError> {
    let last: BTreeMap<_, _> = given.into_iter().map(|given| (given.name.clone(), given)).collect();
    let entries = last.values().map(|given| (&given.name, &given.value));
    StaticSettings::parse(entries).map_err(|SettingErrors(errors)| {
        let refused = errors.into_iter().map(|error| {
            let origin = last.get(name_of(&error)).map(|given| given.origin.clone());
            RefusedSetting { error, origin }
        });
        ConfigurationError::Refused(refused.collect())
    })
}

fn name_of(error: &SettingError) -> &str {
    match error {
        SettingError::Unknown { name, .. }
        | SettingError::NotHere { name, .. }
        | SettingError::Invalid { name, .. } => name,
    }
}

fn read_file(path: &Path) -> Result<Vec<GivenSetting>, ConfigurationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
    // not through the crate's builder, which would put quoted names into tables and so lose one
    // of `max.connections` and `max.connections.per.ip`
    let tables = File::from_str(&text, FileFormat::Toml).collect().map_err(|source| {
        ConfigurationError::Syntax { path: path.to_owned(), source: Box::new(source) }
    })?;
    let mut given = BTreeMap::new();
    for (name, value) in tables {
        flatten(path, name, value, &mut given)?;
    }
    let origin = || Origin::File(path.to_owned());
    Ok(given
        .into_iter()
        .map(|(name, value)| GivenSetting { name, value, origin: origin() })
        .collect())
}

/// Tables become names with dots. How deep they nest, the parser of TOML bounds.
fn flatten(
    path: &Path,
    name: String,
    value: Value,
    given: &mut BTreeMap<String, String>,
) -> Result<(), ConfigurationError> {
    if let ValueKind::Table(table) = value.kind {
        for (key, value) in table {
            flatten(path, format!("{name}.{key}"), value, given)?;
        }
        return Ok(());
    }
    let Some(text) = text_of(value) else {
        return Err(ConfigurationError::NotAValue { path: path.to_owned(), name });
    };
    match given.insert(name.clone(), text) {
        Some(_) => Err(ConfigurationError::Twice { path: path.to_owned(), name }),
        None => Ok(()),
    }
}

/// A value as settings write it; a list has commas.
fn text_of(value: Value) -> Option<String> {
    match value.kind {
        ValueKind::Array(items) => {
            let texts: Option<Vec<_>> =
                items.into_iter().map(|item| item.into_string().ok()).collect();
            Some(texts?.join(","))
        }
        ValueKind::Table(_) | ValueKind::Nil => None,
        _ => value.into_string().ok(),
    }
}

fn unreadable(error: ConfigError) -> ConfigurationError {
    ConfigurationError::Environment(Box::new(error))
}

fn read_environment(
    variables: Option<&HashMap<String, String>>,
) -> Result<Vec<GivenSetting>, ConfigurationError> {
    let environment = Environment::with_prefix("CALLBOARD")
        .prefix_separator("_")
        .separator("_")
        .source(variables.map(|variables| variables.clone().into_iter().collect()));
    let found = environment.collect().map_err(unreadable)?;
    let mut given = Vec::new();
    for (key, value) in found {
        if OWN_VARIABLES.contains(&&*key) {
            continue;
        }
        let variable = format!("CALLBOARD_{}", key.to_uppercase().replace('.', "_"));
        let own = format!("{OWN_PREFIX}{key}");
        let name = if broker_settings().any(|setting| setting.name == own) { own } else { key };
        let value = value.into_string().map_err(unreadable)?;
        given.push(GivenSetting { name, value, origin: Origin::Variable(variable) });
    }
    Ok(given)
}

/// Whether a variable is a setting, or looks like a slip of one.
fn is_meant(given: &GivenSetting) -> bool {
    match StaticSettings::parse([(&given.name, &given.value)]) {
        Ok(_) => true,
        Err(SettingErrors(errors)) => {
            !errors.iter().any(|error| matches!(error, SettingError::Unknown { nearest: None, .. }))
        }
    }
}

#[cfg(test)]
mod tests;
