//! One situation a file: what brokers, clients and time do to a cluster, and the diary of
//! what the controller makes of it. A change of behaviour shows as a change of a diary, in words.
//!
//! `UPDATE_TESTSCRIPTS=1 cargo test -p metadata --test golden_scripts` writes the diaries anew;
//! then read what changed.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "golden_scripts/arguments.rs"]
mod arguments;
#[path = "golden_scripts/diary.rs"]
mod diary;
#[path = "golden_scripts/partition_commands.rs"]
mod partition_commands;
#[path = "golden_scripts/setting_commands.rs"]
mod setting_commands;
#[path = "golden_scripts/topic_commands.rs"]
mod topic_commands;
#[path = "golden_scripts/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use world::World;

/// Fewer would mean that scripts were lost.
const SCRIPTS_MIN: usize = 20;

#[test]
fn every_diary_is_as_it_was() {
    let scripts = scripts();
    assert!(scripts.len() >= SCRIPTS_MIN, "only {} scripts", scripts.len());
    let is_updating = std::env::var_os("UPDATE_TESTSCRIPTS").is_some();
    let mut changed = Vec::new();
    for path in scripts {
        let expected = fs::read_to_string(&path).unwrap();
        let written = run(&expected);
        if written != expected {
            if is_updating {
                fs::write(&path, &written).unwrap();
            } else {
                changed.push(format!("{}\n{}", path.display(), first_change(&expected, &written)));
            }
        }
    }
    assert!(changed.is_empty(), "changed diaries:\n{}", changed.join("\n"));
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testscripts");
    let mut scripts: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    scripts
}

/// Keeps comments and commands, and writes the diary below each command.
fn run(script: &str) -> String {
    let mut world = World::default();
    let mut written = String::new();
    for line in script.lines() {
        let is_comment = line.starts_with('#');
        if is_comment || line.starts_with("> ") {
            let is_new_part = is_comment && !written.is_empty() && !written.ends_with('\n');
            if is_new_part {
                written.push('\n');
            }
            written.push_str(line);
            written.push('\n');
        } else if line.is_empty() {
            written.push('\n');
        }
        if let Some(command) = line.strip_prefix("> ") {
            for entry in world.run(command) {
                written.push_str("  ");
                written.push_str(&entry);
                written.push('\n');
            }
        }
    }
    written
}

fn first_change(expected: &str, written: &str) -> String {
    let mut pairs = expected.lines().zip(written.lines()).enumerate();
    match pairs.find(|(_, (old, new))| old != new) {
        Some((number, (old, new))) => format!("line {}\n- {old}\n+ {new}", number + 1),
        None => "one is longer than the other".to_owned(),
    }
}
