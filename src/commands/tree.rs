//! `callboard tree`: who runs on a node, live.

mod admin_client;
mod drawing;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::bail;
use clap::Args;
use supervision::TreeNode;

use crate::output::{Output, is_coloured};
use crate::stop_signals::StopSignals;
use admin_client::get;
use drawing::Drawing;

/// Show the live tree of a node's actors: who runs, since when, how often it was restarted and
/// why, and how many messages wait for it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard tree
  callboard tree partitions --watch
  callboard tree --json | jq '.. | objects | select(.restarts? > 0) | .id'")]
pub struct TreeArguments {
    /// Only what is below this place, such as partitions or partitions/orders-0
    path: Option<String>,
    /// The admin listener of the node
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "CALLBOARD_ADMIN",
        default_value = "127.0.0.1:9644"
    )]
    admin: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Draw it again every so many seconds, until Ctrl-C
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", conflicts_with = "json",
          value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
    /// Show all children of a supervisor; otherwise, of many that just run, only the first few
    #[arg(long, short)]
    all: bool,
}

/// Shows the tree.
pub async fn run(arguments: TreeArguments) -> anyhow::Result<ExitCode> {
    let mut output = Output::new();
    if arguments.json {
        output.json(&fetch(&arguments).await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(seconds) = arguments.watch else {
        output.line(draw(&arguments).await?)?;
        return Ok(ExitCode::SUCCESS);
    };
    // the screen is cleared only when its next contents are there
    let mut signals = StopSignals::listen()?;
    let clear = if is_coloured() { "\x1b[H\x1b[2J" } else { "" };
    loop {
        output.line(format_args!("{clear}{}", draw(&arguments).await?))?;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn fetch(arguments: &TreeArguments) -> anyhow::Result<TreeNode> {
    let body = get(&arguments.admin, "/tree").await?;
    let Some(root) = serde_json::from_slice::<Option<TreeNode>>(&body)? else {
        bail!("the node at {} has no tree yet", arguments.admin);
    };
    let path = arguments.path.as_deref().unwrap_or_default();
    match root.find(path) {
        Some(node) => Ok(node.clone()),
        None => bail!("there is nothing at {path:?} in the tree"),
    }
}

async fn draw(arguments: &TreeArguments) -> anyhow::Result<String> {
    let root = fetch(arguments).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let drawing = Drawing {
        now_unix_millis: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        is_coloured: is_coloured(),
        shows_all: arguments.all,
    };
    Ok(drawing.draw(&root))
}
