//! The simulator as a program: were a run not the same every time, a failing seed would show
//! nothing; were a seed that failed once forgotten, its fault would come back.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::process::Command;

fn simulate(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulation"));
    let output = command.args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn trace_of(seed: &str, nodes: &str) -> String {
    let arguments = ["--seed", seed, "--nodes", nodes, "--faulty-seconds", "8"];
    let (is_good, words) = simulate(&arguments);
    assert!(is_good, "{words}");
    words.lines().find(|line| line.starts_with("trace ")).unwrap().to_owned()
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    let first = trace_of("11", "1");
    assert_eq!(first, trace_of("11", "1"));
    assert_ne!(first, trace_of("12", "1"));
}

#[test]
fn the_same_seed_gives_the_same_trace_with_three_nodes() {
    assert_eq!(trace_of("13", "3"), trace_of("13", "3"));
}

#[test]
fn every_seed_that_failed_once_passes() {
    let (is_good, words) = simulate(&["--past"]);
    assert!(is_good, "{words}");
    assert!(words.contains(" 0 failed"), "{words}");
}

#[test]
fn a_fresh_seed_keeps_every_promise() {
    let (is_good, words) = simulate(&["--fresh", "1", "--nodes", "3", "--faulty-seconds", "15"]);
    assert!(is_good, "{words}");
    assert!(words.contains("met record acknowledged"), "{words}");
}
