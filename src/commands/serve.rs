//! `callboard serve`: a node from its start to its orderly stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use callboard::config::{ConfigurationError, GivenSetting, SettingSources};
use callboard::{Node, telemetry};
use clap::{Args, ValueEnum};
use tracing::{info, warn};

use crate::output::Output;
use crate::stop_signals::StopSignals;

/// How long the orderly stop may take before what is left is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Run a broker until it is told to stop.
///
/// Without any option it listens on 127.0.0.1:9092 and keeps its data in ./callboard-data, which
/// it makes. An empty directory founds a cluster of one node; the same command on the same
/// directory goes on where it stopped, however it stopped.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct ServeArguments {
    /// The directory of all data [setting log.dirs; default: ./callboard-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where clients connect [setting listeners; default: PLAINTEXT://127.0.0.1:9092]
    #[arg(long, value_name = "PLAINTEXT://HOST:PORT")]
    listeners: Option<String>,
    /// Where metrics, health and the tree are served [setting callboard.admin.listener; default:
    /// 127.0.0.1:9644]
    #[arg(long, value_name = "HOST:PORT")]
    admin_listener: Option<String>,
    /// The number of this node, its own in the cluster [setting node.id; default: 1]
    #[arg(long, value_name = "N")]
    node_id: Option<i32>,
    /// Where other nodes reach this one [setting callboard.cluster.listener; default: it stands
    /// alone]
    #[arg(long, value_name = "HOST:PORT")]
    cluster_listener: Option<String>,
    /// Found a cluster that other nodes may join; for an empty directory [setting
    /// callboard.cluster.new]
    #[arg(long, conflicts_with = "join", requires = "cluster_listener")]
    new_cluster: bool,
    /// Join the cluster of the node that listens there; for an empty directory, may be given often
    /// [setting callboard.cluster.join]
    #[arg(long, value_name = "HOST:PORT", requires = "cluster_listener")]
    join: Vec<String>,
    /// One more setting; may be given often
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A file of settings, in TOML
    #[arg(long, value_name = "FILE", env = "CALLBOARD_CONFIG")]
    config: Option<PathBuf>,
    /// What a line of the log looks like
    #[arg(long, value_enum, default_value_t, env = "CALLBOARD_LOG_FORMAT")]
    log_format: LogFormat,
}

const HELP: &str = "\
Settings have Kafka's names; `callboard settings` lists them all. Each of these sources overrules
the ones before it:

  1. the file of --config, with names quoted or as tables:
         \"log.retention.ms\" = 86400000
         [log]
         segment.bytes = 67108864
  2. the environment: CALLBOARD_ and the name in capitals, `_` for each `.`:
         CALLBOARD_LOG_RETENTION_MS=86400000
     (of a name that begins with `callboard.` that part is said once: CALLBOARD_FLUSH_BEFORE_ACK)
  3. the flags:
         --set log.retention.ms=86400000

Logs go to standard error; CALLBOARD_LOG says which: `debug`, `info,actors::controller=trace`, …

SIGINT (Ctrl-C) and SIGTERM stop in order: no new requests, logs flushed and closed. A second one
ends at once, which loses nothing that was acknowledged either; the next start then takes longer.

Examples:
  callboard serve
  callboard serve --data-dir /var/lib/callboard --config /etc/callboard.toml
  callboard serve --listeners PLAINTEXT://0.0.0.0:9092 \\
      --set advertised.listeners=PLAINTEXT://broker.example:9092";

/// As the flag writes it.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl From<LogFormat> for telemetry::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

impl ServeArguments {
    fn sources(&self) -> Result<SettingSources, ConfigurationError> {
        let node_id = self.node_id.map(|id| id.to_string());
        let is_new = self.new_cluster.then_some("true");
        let join = (!self.join.is_empty()).then(|| self.join.join(","));
        let data_dir = self.data_dir.as_ref().map(|path| path.to_string_lossy());
        let own = [
            ("--data-dir", "log.dirs", data_dir.as_deref()),
            ("--listeners", "listeners", self.listeners.as_deref()),
            ("--admin-listener", "callboard.admin.listener", self.admin_listener.as_deref()),
            ("--node-id", "node.id", node_id.as_deref()),
            ("--cluster-listener", "callboard.cluster.listener", self.cluster_listener.as_deref()),
            ("--new-cluster", "callboard.cluster.new", is_new),
            ("--join", "callboard.cluster.join", join.as_deref()),
        ];
        let own = own
            .into_iter()
            .filter_map(|(flag, name, value)| Some(GivenSetting::flag(flag, name, value?)));
        let set = self.settings.iter().map(|text| GivenSetting::assignment(text));
        let flags = own.map(Ok).chain(set).collect::<Result<_, _>>()?;
        Ok(SettingSources { file: self.config.clone(), environment: None, flags })
    }
}

/// Runs a node until it is told to stop, or gives up.
pub async fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    let loaded = arguments.sources()?.load()?;
    telemetry::start(arguments.log_format.into(), telemetry::NODE_FILTER)?;
    for variable in &loaded.ignored_variables {
        warn!(variable, "is no setting and is ignored");
    }
    let mut signals = StopSignals::listen().context("signals cannot be listened to")?;
    let start = Box::pin(Node::start(loaded.settings));
    let node = tokio::select! {
        started = start => started?,
        signal = signals.next() => return Ok(signal.exit_code()),
    };
    Output::new().line(ready_line(&node))?;
    serve(node, signals).await
}

fn ready_line(node: &Node) -> String {
    let addresses = node.addresses().iter().map(|(_, address)| address.to_string());
    let addresses = addresses.collect::<Vec<_>>().join(", ");
    let admin = node.admin_address().map(|address| format!(", admin at http://{address}"));
    let admin = admin.unwrap_or_default();
    format!("callboard is ready: clients connect to {addresses}{admin}; stop with Ctrl-C")
}

async fn serve(mut node: Node, mut signals: StopSignals) -> anyhow::Result<ExitCode> {
    let signal = tokio::select! {
        () = node.has_ended() => {
            let reason = node.ended().await;
            return Err(anyhow!("the node gave up: {reason}"));
        }
        signal = signals.next() => signal,
    };
    info!(signal = signal.name(), "stops in order; a second signal ends at once");
    let stop = Box::pin(node.stop(STOP_DEADLINE));
    tokio::select! {
        _reason = stop => Ok(ExitCode::SUCCESS),
        again = signals.next() => {
            warn!(signal = again.name(), "ends at once");
            Ok(again.exit_code())
        }
    }
}
