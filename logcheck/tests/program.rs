//! The program on files. A script that trusts its exit status would take a broken, an empty or an
//! unreadable history for a clean one.

use std::path::PathBuf;
use std::process::{Command, Output};

fn judge(name: &str) -> Output {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories/forged");
    let mut program = Command::new(env!("CARGO_BIN_EXE_logcheck"));
    program.arg(folder.join(name)).output().expect("cargo has built it")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_clean_history_ends_with_zero() {
    let output = judge("allowed_rewinds_and_skips.jsonl");
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).ends_with("clean\n"));
}

#[test]
fn a_broken_history_ends_with_one_and_names_the_lines() {
    let output = judge("acknowledged_tail_is_gone.jsonl");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("unseen a-0 1 record 1:2 (lines 4, 9)\n"));
    assert!(said(&output).ends_with("1 violations\n"));
}

#[test]
fn what_cannot_be_read_ends_with_two() {
    let output = judge("nowhere.jsonl");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(!output.stderr.is_empty());
}
