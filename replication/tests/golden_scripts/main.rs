//! The situations of `testscripts/`, one a file, told to real replicas and compared with the diary
//! that stands in the file. A change of behaviour shows as a change of a diary, which a person
//! reads. `REGENERATE_SCRIPTS=1 cargo test -p replication --test golden_scripts` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod arguments;
mod cast;
mod diary;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cast::Cast;

/// The script with its diary written anew: inputs begin with `> `, comments with `#`.
fn perform(script: &str) -> String {
    let mut cast = Cast::default();
    let mut out = String::new();
    for line in script.lines().map(str::trim_end) {
        if line.starts_with('#') || line.is_empty() {
            writeln!(out, "{line}").unwrap();
        } else if let Some(input) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            for entry in cast.perform(input) {
                writeln!(out, "    {entry}").unwrap();
            }
        }
    }
    out
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testscripts");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_situation_ends_as_its_script_says() {
    let regenerate = std::env::var_os("REGENERATE_SCRIPTS").is_some();
    let mut differing = Vec::new();
    for path in scripts() {
        let script = std::fs::read_to_string(&path).unwrap();
        assert!(script.starts_with("# "), "{} says no situation", path.display());
        assert!(script.contains("\n> "), "{} tells nobody anything", path.display());
        let performed = perform(&script);
        if regenerate {
            std::fs::write(&path, performed).unwrap();
        } else if performed != script {
            let first = performed.lines().zip(script.lines()).find(|(now, then)| now != then);
            differing.push(format!("{}: {first:?}", path.display()));
        }
    }
    assert!(differing.is_empty(), "(now, committed):\n{}", differing.join("\n"));
}
