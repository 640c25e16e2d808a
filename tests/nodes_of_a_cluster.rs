//! What an operator does to nodes that are processes, and sees of them. If these broke, a node could
//! not be taken out of a cluster without losing what it held, or trouble would not be seen.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "each program of tests needs a part of it")]
mod harness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::cluster::Cluster;
use harness::{Broker, broker, program, run_with_input};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until something is as wanted, and gives it.
fn until<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let seen = look();
        if is_so(&seen) {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "{what} does not become true: {seen:?}");
    }
}

fn metrics(admin: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(admin) else { return String::new() };
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    let _ = stream.read_to_string(&mut response);
    response
}

/// The value of one line of the metrics.
fn metric(admin: &str, name: &str) -> Option<f64> {
    let text = metrics(admin);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}

fn json_of(cluster: &Cluster, arguments: &[&str]) -> Value {
    serde_json::from_str(&cluster.command(arguments).ok()).unwrap()
}

fn produce(cluster: &Cluster, count: usize) {
    let lines: String = (0..count).map(|number| format!("record {number}\n")).collect();
    let mut command = program();
    command.env("CALLBOARD_BOOTSTRAP", cluster.bootstrap()).args(["produce", "orders"]);
    run_with_input(&mut command, &lines).ok();
}

#[test]
fn a_node_leaves_for_good_and_what_it_held_is_with_the_others() {
    let mut cluster = Cluster::start_of(4);
    cluster.command(&["topic", "create", "orders", "-p", "6"]).ok();
    produce(&cluster, 500);
    let voters = |cluster: &Cluster| {
        let quorum = json_of(cluster, &["cluster", "voters", "--json"]);
        let voters = quorum["voters"].as_array().unwrap().iter();
        voters.map(|voter| voter["node"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    until("three nodes vote", || voters(&cluster), |voters| voters == &[1, 2, 3]);

    let mut command = program();
    command.env("CALLBOARD_BOOTSTRAP", cluster.bootstrap()).args(["cluster", "leave", "2"]);
    let mut leaving = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(leaving.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with("stop node 2 now")), "it never says so");
    produce(&cluster, 100);
    cluster.stop(2);
    assert_eq!(said.last().unwrap(), "node 2 has left the cluster");
    assert!(leaving.wait().unwrap().success());

    let status = json_of(&cluster, &["cluster", "status", "--json"]);
    let nodes = status["nodes"].as_array().unwrap().iter();
    let nodes: Vec<_> = nodes.map(|node| node["node"].as_i64().unwrap()).collect();
    assert_eq!(nodes, [1, 3, 4]);
    assert_eq!((&status["under_replicated"], &status["offline"]), (&json!([]), &json!([])));
    until("another node votes instead", || voters(&cluster), |voters| voters == &[1, 3, 4]);
    let orders = json_of(&cluster, &["topic", "describe", "orders", "--json"]);
    for partition in orders[0]["partitions"].as_array().unwrap() {
        let replicas = partition["replicas"].as_array().unwrap();
        assert!(replicas.len() == 3 && !replicas.contains(&json!(2)), "{partition}");
        let followers = partition["followers"].as_array().unwrap();
        assert!(followers.len() == 2 && followers.iter().all(|one| one["lag"] == 0), "{partition}");
    }
    let read = cluster.command(&["consume", "orders", "--until-end"]).ok();
    assert_eq!(read.lines().count(), 600);

    // started again by mistake, it is a node that holds nothing and has no vote
    cluster.run(2);
    let again = || json_of(&cluster, &["cluster", "status", "--json"]);
    let is_back = |status: &Value| {
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        nodes.any(|node| node["node"] == 2 && node["state"] == "alive" && node["replicas"] == 0)
    };
    until("it is back, empty", again, is_back);
    assert_eq!(voters(&cluster), [1, 3, 4]);
    let read = cluster.command(&["consume", "orders", "--until-end"]).ok();
    assert_eq!(read.lines().count(), 600);
}

#[test]
fn the_metrics_tell_of_links_heartbeats_elections_and_fencings() {
    let mut cluster = Cluster::start();
    let at = |cluster: &Cluster, name: &str| metric(&cluster.admin(1), name);
    for name in ["callboard_link_up{node=\"3\"}", "callboard_link_connects_total{node=\"3\"}"] {
        until(name, || at(&cluster, name), |value| *value == Some(1.0));
    }
    for name in [
        "callboard_link_heartbeat_seconds_count{node=\"3\"}",
        "callboard_controller_heartbeat_seconds_count",
        "callboard_link_sent_bytes_total{node=\"3\"}",
    ] {
        until(name, || at(&cluster, name), |value| value.is_some_and(|value| value > 0.0));
    }
    assert_eq!(at(&cluster, "callboard_quorum_leader"), Some(1.0));
    assert_eq!(at(&cluster, "callboard_quorum_elections_won_total"), Some(1.0));
    cluster.kill(3);
    for (name, value) in [
        ("callboard_link_up{node=\"3\"}", 0.0),
        ("callboard_link_ends_total{node=\"3\",reason=\"closed\"}", 1.0),
        ("callboard_controller_fencings_total{node=\"3\"}", 1.0),
    ] {
        until(name, || at(&cluster, name), |now| *now == Some(value));
    }
}

#[test]
fn a_follower_that_does_not_answer_is_shown_as_unknown() {
    let mut cluster = Cluster::start();
    cluster.command(&["topic", "create", "orders", "-p", "1"]).ok();
    cluster.kill(3);
    produce(&cluster, 10);
    let described = json_of(&cluster, &["topic", "describe", "orders", "--json"]);
    let mut followers = described[0]["partitions"][0]["followers"].as_array().unwrap().clone();
    followers.retain(|one| one["node"] == 3 || !one["lag"].is_number());
    let text = cluster.command(&["topic", "describe", "orders"]).ok();
    // where node 3 led, another one leads by now
    assert_eq!(followers, [json!({ "node": 3, "lag": null })]);
    assert!(text.contains("3:unknown"), "{text}");
}

#[test]
fn a_killed_broker_scans_only_what_lies_above_its_last_recovery_point() {
    let (directory, broker) = broker();
    let data = directory.path().join("data");
    broker.run(&["topic", "create", "orders", "-p", "1"]).ok();
    let lines = |count: usize| format!("{:0150}\n", 7).repeat(count);
    broker.run_with_input(&["produce", "orders"], &lines(60_000)).ok();
    let log = broker.file("orders-0/00000000000000000000.log");
    let written = std::fs::metadata(&log).unwrap().len();
    let checkpoint = broker.file("recovery-point-offset-checkpoint");
    let read = || std::fs::read_to_string(&checkpoint).unwrap_or_default();
    let point = |text: &String| text.lines().any(|line| line == "orders 0 60000");
    until("the recovery point is the end of the log", read, point);
    broker.run_with_input(&["produce", "orders"], &lines(10)).ok();
    broker.end_by("KILL");
    let broker = Broker::start(&data, &[]);
    let scanned = || metric(&broker.admin, "callboard_recovery_scanned_bytes_total");
    let is_open = |scanned: &Option<f64>| scanned.is_some_and(|scanned| scanned > 0.0);
    let scanned = until("the log is recovered", scanned, is_open).unwrap();
    // from the last saved index entry on: at most 128 of them are not, one each batch of 16 KiB
    assert!(scanned < 3e6 && written > 9_000_000, "{scanned} of {written}");
    let read = broker.run(&["consume", "orders", "--until-end"]).ok();
    assert_eq!(read.lines().count(), 60_010);
}
