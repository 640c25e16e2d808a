//! `callboard cluster` as its users meet it. If these broke, a cluster could be run by nobody but
//! its authors.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[expect(dead_code, reason = "each program of tests needs a part of it")]
mod harness;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use callboard::config::SettingSources;
use harness::{Broker, Finished, broker, program, run_with_input, send_signal};
use serde_json::{Value, json};

fn cluster(arguments: &[&str], directory: &Path) -> Finished {
    run_with_input(program().arg("cluster").args(arguments).current_dir(directory), "")
}

fn parsed(finished: Finished) -> Value {
    serde_json::from_str(&finished.ok()).unwrap()
}

fn with_topic(name: &str) -> (tempfile::TempDir, Broker) {
    let (directory, broker) = broker();
    broker.run(&["topic", "create", name, "-p", "3"]).ok();
    (directory, broker)
}

#[test]
fn status_shows_nodes_and_what_they_hold() {
    let (_directory, broker) = with_topic("orders");
    let status = parsed(broker.run(&["cluster", "status", "--json"]));
    let node = json!({
        "node": 1, "address": broker.bootstrap, "rack": null, "state": "alive",
        "leaders": 3, "replicas": 3,
    });
    assert_eq!(status["nodes"], json!([node]));
    assert_eq!((&status["partitions"], &status["offline"]), (&json!(3), &json!([])));
    let text = broker.run(&["cluster", "status"]).ok();
    assert!(text.contains("partitions: 3, under-replicated: 0, offline: 0"), "{text}");
    assert!(text.contains(&format!(" 1     {}  -     alive  3        3", broker.bootstrap)));
}

#[test]
fn leaders_are_counted_for_all_topics_and_for_some() {
    let (_directory, broker) = with_topic("orders");
    let leaders = |more: &[&str]| {
        parsed(broker.run(&[&["cluster", "leaders", "--json"], more].concat()))[0].clone()
    };
    assert_eq!(leaders(&[]), json!({ "node": 1, "leads": 3, "preferred": 3 }));
    assert_eq!(leaders(&["orders:1"]), json!({ "node": 1, "leads": 1, "preferred": 1 }));
    let error = broker.run(&["cluster", "leaders", "orders:7"]).failed(1);
    assert!(error.contains("no topic orders with a partition 7"), "{error}");
}

#[test]
fn replicas_that_have_no_place_are_refused_before_anything_moves() {
    let (_directory, broker) = with_topic("orders");
    let refused = |arguments: &[&str], expected: &str| {
        let error = broker.run(&[&["cluster"], arguments].concat()).failed(1);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    };
    refused(&["reassign", "orders", "--replication-factor", "2"], "orders-0 is to have 2 replicas");
    refused(&["reassign", "orders", "--to", "1,2"], "node 2 is not alive");
    refused(&["reassign", "orders:0", "--replicas", "9"], "node 9 is not alive");
    refused(&["reassign", "nothing", "--to", "1"], "no topic nothing");
    refused(&["drain", "1"], "add a node first");
    refused(&["drain", "9"], "no node 9");
    refused(&["leave", "1"], "no other node is alive");
    let same = broker.run(&["cluster", "reassign", "orders", "--to", "1"]).ok();
    assert_eq!(same, "everything is there already\n");
    let planned = ["cluster", "reassign", "orders", "--to", "1", "--dry-run", "--json"];
    assert_eq!(parsed(broker.run(&planned)), json!([]));
}

#[test]
fn arguments_that_make_no_sense_are_refused_before_a_broker_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    for usage in [
        &["drain"][..],
        &["drain", "-1"],
        &["reassign", "--replication-factor", "3"],
        &["reassign", "a:b", "--to", "1"],
        &["reassign", "a", "--to", "1", "--replicas", "1"],
        &["reassign", "a", "--cancel", "--to", "1"],
        &["leaders", "--elect", "quickly"],
        &["voters", "add"],
        &["certificates", "tls"],
        &["certificates", "tls", "--node", "one"],
        &["up", "--nodes", "0"],
    ] {
        cluster(usage, directory.path()).failed(2);
    }
}

#[test]
fn certificates_are_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let make = |nodes: &[&str]| {
        let nodes = nodes.iter().flat_map(|node| ["--node", node]);
        let arguments: Vec<_> = ["certificates", "tls"].into_iter().chain(nodes).collect();
        cluster(&arguments, directory.path())
    };
    let expected = "tls/ca.pem\ntls/ca.key\ntls/node-1.pem\ntls/node-1.key\n";
    assert_eq!(make(&["1=127.0.0.1,localhost"]).ok(), expected);
    let error = make(&["2", "1"]).failed(1);
    assert!(error.contains("tls/node-1.pem exists already"), "{error}");
    assert_eq!(make(&["2"]).ok(), "tls/node-2.pem\ntls/node-2.key\n");
    let key = std::fs::read_to_string(directory.path().join("tls/node-2.key")).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn settings_of_the_operations_files_are_known() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("operations");
    let manifest = fs::read_to_string(folder.join("kubernetes.yaml")).unwrap();
    let (_, settings) = manifest.split_once("  callboard.toml: |\n").unwrap();
    let (settings, _) = settings.split_once("---").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mounted = directory.path().join("callboard.toml");
    let lines: Vec<_> = settings.lines().map(str::trim).collect();
    fs::write(&mounted, lines.join("\n")).unwrap();
    for file in [folder.join("callboard.toml"), mounted] {
        let environment = Some(HashMap::new());
        let sources = SettingSources { file: Some(file), environment, flags: Vec::new() };
        sources.load().unwrap();
    }
}

/// A port that is free now, low enough for those that follow from it.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if port < 60_000 {
            return port;
        }
    }
}

#[test]
fn a_node_of_a_trial_that_is_stopped_stays_down_and_the_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (port, admin) = (free_port(), free_port());
    let mut command = program();
    command.args(["cluster", "up", "--nodes", "2"]);
    command.args(["--base-port", &port.to_string(), "--admin-base-port", &admin.to_string()]);
    command.current_dir(&directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut trial = command.spawn().unwrap();
    let mut shown = BufReader::new(trial.stdout.take().unwrap()).lines().map(Result::unwrap);
    let second = shown.find(|line| line.contains("node 2: process ")).unwrap();
    let process = second.split_once("process ").unwrap().1.split(',').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-s", "TERM", &process]).status().unwrap().success());
    let mut log = BufReader::new(trial.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.contains("node 2 was stopped, and stays down")));
    let mut create = program();
    create.env("CALLBOARD_BOOTSTRAP", format!("127.0.0.1:{port}"));
    create.args(["topic", "create", "orders", "--replication-factor", "1"]);
    run_with_input(&mut create, "").ok();
    send_signal(&trial, "INT");
    assert!(log.any(|line| line.contains("stops the nodes in order")));
    assert_eq!(trial.wait().unwrap().code(), Some(0));
}

#[test]
fn a_killed_node_of_a_trial_returns_and_all_end_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (port, admin) = (free_port(), free_port());
    let mut command = program();
    command.args(["cluster", "up", "--nodes", "1", "--restart-after", "0"]);
    command.args(["--base-port", &port.to_string(), "--admin-base-port", &admin.to_string()]);
    command.current_dir(&directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut trial = command.spawn().unwrap();
    let mut shown = BufReader::new(trial.stdout.take().unwrap()).lines();
    let ready = shown.next().unwrap().unwrap();
    let expected = format!("callboard is ready: clients connect to 127.0.0.1:{port}");
    assert!(ready.starts_with(&expected), "{ready}");
    let node = shown.next().unwrap().unwrap();
    let process = node.split_once("process ").unwrap().1.split(',').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-s", "KILL", &process]).status().unwrap().success());
    let mut log = BufReader::new(trial.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = |part: &str| {
        assert!(log.any(|line| line.contains(part)), "{part} is not said");
    };
    said("node 1 was killed");
    said("serves broker=1");
    send_signal(&trial, "INT");
    said("stops the nodes in order");
    assert_eq!(trial.wait().unwrap().code(), Some(0));
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}

#[test]
fn a_second_signal_ends_a_trial_with_every_node_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (port, admin) = (free_port(), free_port());
    let mut command = program();
    command.args(["cluster", "up", "--nodes", "1"]);
    command.args(["--base-port", &port.to_string(), "--admin-base-port", &admin.to_string()]);
    command.current_dir(&directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut trial = command.spawn().unwrap();
    let mut shown = BufReader::new(trial.stdout.take().unwrap()).lines().map(Result::unwrap);
    let node = shown.find(|line| line.contains("node 1: process ")).unwrap();
    let process = node.split_once("process ").unwrap().1.split(',').next().unwrap().to_owned();
    // one that hangs does not stop in order
    assert!(Command::new("kill").args(["-s", "STOP", &process]).status().unwrap().success());
    let mut log = BufReader::new(trial.stderr.take().unwrap()).lines().map(Result::unwrap);
    send_signal(&trial, "TERM");
    assert!(log.any(|line| line.contains("stops the nodes in order")));
    send_signal(&trial, "TERM");
    assert!(log.any(|line| line.contains("kills the nodes")));
    trial.wait().unwrap();
    let is_left = Path::new("/proc").join(&process).exists();
    assert!(!is_left, "process {process} outlives the trial");
}
