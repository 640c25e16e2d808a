//! `callboard cluster` against three nodes that really replicate. If this broke, replicas would not
//! arrive where a person sends them, or a drained node would still hold something.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[expect(dead_code, reason = "each program of tests needs a part of it")]
mod harness;

use std::time::Duration;

use callboard::testing::Cluster;
use harness::{Finished, program, run_with_input};
use serde_json::Value;

/// Runs a command of the program against the cluster, with this on its standard input.
async fn run_with(bootstrap: &str, arguments: &[&str], input: String) -> Finished {
    let mut command = program();
    command.env("CALLBOARD_BOOTSTRAP", bootstrap).args(arguments);
    tokio::task::spawn_blocking(move || run_with_input(&mut command, &input)).await.unwrap()
}

async fn run(bootstrap: &str, arguments: &[&str]) -> Finished {
    run_with(bootstrap, arguments, String::new()).await
}

async fn status(bootstrap: &str) -> Value {
    let status = run(bootstrap, &["cluster", "status", "--json"]).await.ok();
    serde_json::from_str(&status).unwrap()
}

/// Asks until the status is as wanted.
async fn until(bootstrap: &str, what: &str, is_so: impl Fn(&Value) -> bool) {
    let asking = async { while !is_so(&status(bootstrap).await) {} };
    if tokio::time::timeout(Duration::from_secs(30), asking).await.is_err() {
        panic!("{what} does not become true: {:#}", status(bootstrap).await);
    }
}

fn node(status: &Value, number: i64) -> &Value {
    let nodes = status["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["node"] == number).unwrap()
}

/// Records with keys, which go to all partitions.
fn lines(count: usize) -> String {
    (0..count).map(|number| format!("key {number}:record {number}\n")).collect()
}

async fn produce(bootstrap: &str, count: usize) {
    run_with(bootstrap, &["produce", "orders", "--key-separator", ":"], lines(count)).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_become_more_move_away_and_lose_nothing() {
    let cluster = Cluster::start(3).await.unwrap();
    let bootstrap = cluster.bootstrap();
    let create = ["topic", "create", "orders", "-p", "4", "--replication-factor", "1"];
    run(&bootstrap, &create).await.ok();
    produce(&bootstrap, 500).await;

    let more = ["cluster", "reassign", "orders", "--replication-factor", "3"];
    run(&bootstrap, &more).await.ok();
    let whole = |status: &Value| status["under_replicated"].as_array().unwrap().is_empty();
    until(&bootstrap, "every replica is in sync", whole).await;
    let described = run(&bootstrap, &["topic", "describe", "orders", "--json"]).await.ok();
    let described: Value = serde_json::from_str(&described).unwrap();
    for partition in described[0]["partitions"].as_array().unwrap() {
        assert_eq!(partition["replicas"].as_array().unwrap().len(), 3, "{partition}");
    }

    let refused = run(&bootstrap, &["cluster", "drain", "2"]).await.failed(1);
    assert!(refused.contains("say --fewer-replicas"), "{refused}");
    let drained = run(&bootstrap, &["cluster", "drain", "2", "--fewer-replicas"]).await.ok();
    assert!(drained.contains("node 2 holds nothing"), "{drained}");
    let status = status(&bootstrap).await;
    assert_eq!(
        (&node(&status, 2)["leaders"], &node(&status, 2)["replicas"]),
        (&0.into(), &0.into())
    );
    assert_eq!(node(&status, 2)["state"], "alive");

    let read = run(&bootstrap, &["consume", "orders", "--until-end"]).await.ok();
    assert_eq!(read.lines().count(), 500);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dead_node_is_shown_and_its_leaders_come_back_on_request() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let bootstrap = cluster.bootstrap();
    run(&bootstrap, &["topic", "create", "orders", "-p", "6"]).await.ok();
    produce(&bootstrap, 200).await;
    cluster.kill(3).await;
    until(&bootstrap, "node 3 is fenced", |status| node(status, 3)["state"] == "fenced").await;
    let no_trouble = |status: &Value| status["offline"].as_array().unwrap().is_empty();
    until(&bootstrap, "everything is led by the others", no_trouble).await;
    produce(&bootstrap, 200).await;

    cluster.restart(3).await.unwrap();
    produce(&bootstrap, 200).await;
    let whole = |status: &Value| status["under_replicated"].as_array().unwrap().is_empty();
    until(&bootstrap, "every replica is in sync", whole).await;
    run(&bootstrap, &["cluster", "leaders", "orders", "--elect", "preferred"]).await.ok();
    until(&bootstrap, "node 3 leads again", |status| node(status, 3)["leaders"] == 2).await;
    let read = run(&bootstrap, &["consume", "orders", "--until-end"]).await.ok();
    assert_eq!(read.lines().count(), 600);
    cluster.stop().await;
}
