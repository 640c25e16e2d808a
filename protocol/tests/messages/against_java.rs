//! Apache Kafka's own classes as an oracle, for every message in every version: they read the same
//! values under the same names, and write the same bytes.
//!
//! Needs `java` and Kafka's jars, in the folder that `KAFKA_PEER_LIB` names or where
//! `tools/kafka.sh install` puts them. Without them the test says that it was skipped.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::catalogue::{self, Entry};
use crate::random_values::{Numbers, encode, random, to_json};
use crate::schema_reader::{schema_of, schemas};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/messages/KafkaOracle.java");

/// A question and the answer that is right by the schemas or by our own code.
struct Case {
    place: String,
    question: String,
    /// The bytes written; `None` where the version cannot carry the message.
    bytes: Option<String>,
    /// The values read, where they are compared.
    json: Option<Json>,
}

/// Calls `ask` with every version of every message and a random message of each seed.
fn for_each_message(seeds: Range<u64>, mut ask: impl FnMut(&Entry, i16, u64, Vec<u8>, Json)) {
    let schemas = schemas();
    for entry in catalogue::all() {
        let schema = schema_of(entry.name, &schemas);
        for version in schema.versions.clone() {
            for seed in seeds.clone() {
                let value = random(&schema.fields, version, &mut Numbers(seed));
                let mut bytes = Vec::new();
                encode(&schema.fields, &value, schema.is_flexible(version), &mut bytes);
                ask(&entry, version, seed, bytes, to_json(&schema.fields, &value));
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The folder of Kafka's jars, and whether all is there to run them.
fn jars() -> Result<PathBuf, String> {
    let folder = env::var_os("KAFKA_PEER_LIB").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| env::temp_dir().join("kafka-peer/lib"));
    if !folder.join("kafka-clients-4.3.1.jar").exists() {
        return Err(format!("there is no kafka-clients-4.3.1.jar in {}", folder.display()));
    }
    let java = Command::new("java").arg("-version").output();
    java.map_err(|error| format!("java cannot be started: {error}"))?;
    Ok(folder)
}

/// Kafka's answers to all questions, in order.
fn ask(folder: PathBuf, questions: String) -> Vec<String> {
    let mut java = Command::new("java")
        .arg("-cp")
        .arg(folder.join("*"))
        .arg(ORACLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = java.stdin.take().unwrap();
    let writer = thread::spawn(move || input.write_all(questions.as_bytes()).unwrap());
    let output = java.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle ended with {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Asks Kafka everything and compares; says so if it cannot.
fn compare(cases: &[Case]) {
    let folder = match jars() {
        Ok(folder) => folder,
        Err(reason) => {
            // written past the capture of passing tests' output
            let line = format!("SKIPPED: codec not compared with Apache Kafka, {reason}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }
    };
    let questions: String = cases.iter().map(|case| format!("{}\n", case.question)).collect();
    let answers = ask(folder, questions);
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(answers) {
        let (bytes, json) = answer.split_once(' ').unwrap();
        let written = (bytes != "refused").then_some(bytes);
        assert_eq!(written, case.bytes.as_deref(), "{}: {answer}", case.place);
        if let Some(expected) = &case.json {
            let json: Json = serde_json::from_str(json).unwrap();
            assert_eq!(json, *expected, "{}", case.place);
        }
    }
}

#[test]
fn kafka_reads_the_same_values_and_writes_the_same_bytes() {
    let mut cases = Vec::new();
    for_each_message(2_000..2_025, |entry, version, seed, bytes, json| {
        let bytes = hexadecimal(&bytes);
        cases.push(Case {
            place: format!("{} v{version}, seed {seed}", entry.name),
            question: format!("{} {version} {version} {bytes}", entry.name),
            bytes: Some(bytes),
            json: Some(json),
        });
    });
    compare(&cases);
}

#[test]
fn kafka_refuses_and_drops_the_same_values_in_other_versions() {
    let mut cases = Vec::new();
    for_each_message(3_000..3_006, |entry, read, seed, bytes, _| {
        for write in entry.versions.min..=entry.versions.max {
            let written = (entry.convert)(Bytes::copy_from_slice(&bytes), read, write);
            cases.push(Case {
                place: format!("{} v{read} as v{write}, seed {seed}", entry.name),
                question: format!("{} {read} {write} {}", entry.name, hexadecimal(&bytes)),
                bytes: written.ok().map(|bytes| hexadecimal(&bytes)),
                json: None,
            });
        }
    });
    let refused = cases.iter().filter(|case| case.bytes.is_none()).count();
    assert!((100..cases.len() - 100).contains(&refused), "{refused} of {}", cases.len());
    compare(&cases);
}

#[test]
fn kafka_has_the_same_defaults() {
    let mut cases = Vec::new();
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            let written = (entry.default)(version);
            cases.push(Case {
                place: format!("{} v{version}, nothing set", entry.name),
                question: format!("{} {version} {version} default", entry.name),
                bytes: written.ok().map(|bytes| hexadecimal(&bytes)),
                json: None,
            });
        }
    }
    compare(&cases);
}
