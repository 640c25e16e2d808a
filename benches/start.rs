//! How long an embedded cluster takes to start: its nodes up, registered, and the quorum's votes given.
//! `cargo bench --bench start`, or with how often: `cargo bench --bench start -- 50`.

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use std::time::{Duration, Instant};

use callboard::testing::{Cluster, ClusterError};

/// How often each cluster is started, if nobody says otherwise.
const ROUNDS: usize = 20;

async fn start_and_stop(nodes: i32) -> Result<Duration, ClusterError> {
    let began = Instant::now();
    let cluster = Cluster::start(nodes).await?;
    let took = began.elapsed();
    cluster.stop().await;
    Ok(took)
}

#[tokio::main]
async fn main() -> Result<(), ClusterError> {
    let rounds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    for nodes in [1, 3] {
        let mut took = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            took.push(start_and_stop(nodes).await?);
        }
        took.sort_unstable();
        let (Some(first), Some(median), Some(last)) =
            (took.first(), took.get(rounds / 2), took.last())
        else {
            continue;
        };
        println!("{nodes} nodes: median {median:.1?}, {first:.1?} to {last:.1?}, {rounds} starts");
    }
    Ok(())
}
