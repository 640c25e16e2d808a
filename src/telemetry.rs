//! Logs of the process: structured, on standard error, so that standard output stays the
//! commands' own.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says what is logged, in the words of `tracing_subscriber`'s filters:
/// `debug`, `info,actors::controller=trace`, …
pub const LOG_VARIABLE: &str = "CALLBOARD_LOG";

/// What a node logs where nobody says anything: openraft and ractor tell of every step at `info`.
pub const NODE_FILTER: &str = "info,openraft=error,openraft::replication=off,openraft::raft=off,\
                               ractor=warn,ractor_cluster=warn";

/// What a command of a client logs where nobody says anything.
pub const CLIENT_FILTER: &str = "warn";

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why nothing would be logged.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error("{LOG_VARIABLE}={filter:?} is no filter: {source}")]
    Filter {
        /// What it says.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else in this process logs already.
    #[error("logging has been set up already")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

/// Logs from now on what `CALLBOARD_LOG` says, or else `default_filter`.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(format: LogFormat, default_filter: &str) -> Result<(), TelemetryError> {
    let given = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.trim().is_empty());
    let filter = given.as_deref().unwrap_or(default_filter);
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    let stderr = std::io::stderr;
    match format {
        LogFormat::Text => {
            let lines = layer().with_writer(stderr).with_ansi(stderr().is_terminal());
            registry.with(lines).try_init()?;
        }
        LogFormat::Json => registry.with(layer().json().with_writer(stderr)).try_init()?,
    }
    Ok(())
}
