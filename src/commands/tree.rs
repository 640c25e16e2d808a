//! `callboard tree`: who runs in the cluster, live.

mod admin_client;
mod drawing;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use actors::cluster_tree::{CHILDREN_MAX, ClusterTree};
use anyhow::bail;
use clap::Args;
use supervision::TreeNode;

use crate::output::{Output, is_coloured};
use crate::stop_signals::StopSignals;
use admin_client::get;
use drawing::Drawing;

/// Show the live tree of the cluster's actors: who runs, since when, how often it was restarted
/// and why, and how many messages wait for it. The node that is asked asks all others.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard tree
  callboard tree partitions --watch
  callboard tree partitions/orders-0             the replicas of a partition, wherever they are
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
    /// Only the node that is asked, without asking the others
    #[arg(long, short)]
    local: bool,
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
        print_json(&arguments, &mut output).await?;
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

async fn fetch_node(arguments: &TreeArguments) -> anyhow::Result<TreeNode> {
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

async fn fetch_cluster(arguments: &TreeArguments) -> anyhow::Result<ClusterTree> {
    let path = arguments.path.as_deref().unwrap_or_default();
    let children = if arguments.all || arguments.json { u32::MAX } else { CHILDREN_MAX };
    let page = format!("/cluster/tree?children={children}&path={}", query_value(path));
    let cluster: ClusterTree = serde_json::from_slice(&get(&arguments.admin, &page).await?)?;
    if cluster.nodes.iter().all(|node| node.tree.is_none() && node.trouble.is_none()) {
        match path {
            "" => bail!("the node at {} knows of no node yet: ask for --local", arguments.admin),
            path => bail!("there is nothing at {path:?} in the tree"),
        }
    }
    Ok(cluster)
}

/// A value as it may stand in a query (RFC 3986): all but letters, digits and a few signs escaped.
fn query_value(value: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(escape).collect()
}

async fn print_json(arguments: &TreeArguments, output: &mut Output) -> anyhow::Result<()> {
    match arguments.local {
        true => Ok(output.json(&fetch_node(arguments).await?)?),
        false => Ok(output.json(&fetch_cluster(arguments).await?)?),
    }
}

async fn draw(arguments: &TreeArguments) -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let drawing = Drawing {
        now_unix_millis: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        is_coloured: is_coloured(),
        shows_all: arguments.all,
    };
    match arguments.local {
        true => Ok(drawing.draw(&fetch_node(arguments).await?)),
        false => Ok(drawing.draw_cluster(&fetch_cluster(arguments).await?)),
    }
}

#[cfg(test)]
mod tests {
    use super::query_value;

    #[test]
    fn a_path_stands_in_a_query_whatever_is_in_it() {
        assert_eq!(query_value("partitions/orders-0"), "partitions/orders-0");
        assert_eq!(query_value("groups/a b&c=ü"), "groups/a%20b%26c%3D%C3%BC");
    }
}
