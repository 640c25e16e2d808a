//! Apache Kafka's own classes as an oracle, for every message in every version: they read the same
//! values under the same names, and write the same bytes.
//!
//! Needs `java` and Kafka's jars, in the folder that `KAFKA_PEER_LIB` names or where
//! `tools/kafka.sh install` puts them. Without them the test says that it was skipped.

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value as Json;

use crate::catalogue;
use crate::random_values::{Numbers, encode, random, schema_of, schemas, to_json};

const SEEDS: u64 = 25;
const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/messages/KafkaOracle.java");

/// One message as the schemas have it.
struct Case {
    place: String,
    question: String,
    bytes: String,
    json: Json,
}

fn cases() -> Vec<Case> {
    let schemas = schemas();
    let mut cases = Vec::new();
    for entry in catalogue::all() {
        let schema = schema_of(entry.name, &schemas);
        for version in schema.versions.first..=schema.versions.last {
            for seed in 0..SEEDS {
                let value = random(&schema.fields, version, &mut Numbers(2_000 + seed));
                let mut bytes = Vec::new();
                encode(&schema.fields, &value, schema.is_flexible(version), &mut bytes);
                let bytes = hexadecimal(&bytes);
                cases.push(Case {
                    place: format!("{} v{version}, seed {seed}", entry.name),
                    question: format!("{} {version} {bytes}", entry.name),
                    bytes,
                    json: to_json(&schema.fields, &value),
                });
            }
        }
    }
    cases
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

#[test]
fn kafka_reads_the_same_values_and_writes_the_same_bytes() {
    let folder = match jars() {
        Ok(folder) => folder,
        Err(reason) => {
            eprintln!("SKIPPED: the codec was not compared with Apache Kafka, {reason}");
            return;
        }
    };
    let cases = cases();
    let questions: String = cases.iter().map(|case| format!("{}\n", case.question)).collect();
    let answers = ask(folder, questions);
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(answers) {
        let (bytes, json) = answer.split_once(' ').unwrap();
        assert_eq!(bytes, case.bytes, "{}: {answer}", case.place);
        let json: Json = serde_json::from_str(json).unwrap();
        assert_eq!(json, case.json, "{}", case.place);
    }
}
