//! The process in which Kafka's group lives.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::outcome::Outcome;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/against_kafka/GroupOracle.java");
const CLASS: &str = "org.apache.kafka.coordinator.group.GroupOracle";

pub struct Kafka {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Kafka {
    /// Compiles and starts the oracle; an `Err` says what is missing.
    pub fn start() -> Result<Self, String> {
        let folder = env::var_os("KAFKA_PEER_LIB").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| env::temp_dir().join("kafka-peer/lib"));
        if !folder.join("kafka-group-coordinator-4.3.1.jar").exists() {
            let folder = folder.display();
            return Err(format!("there is no kafka-group-coordinator-4.3.1.jar in {folder}"));
        }
        let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("group-oracle");
        let jars = folder.join("*");
        // in Kafka's package, so that its tests' entrances are open; therefore in classes of its
        // own and not run from the source
        let mut compiler = Command::new("javac");
        compiler.args(["-nowarn", "-d"]).arg(&classes).arg("-cp").arg(&jars).arg(SOURCE);
        let compiled = compiler.output().map_err(|error| format!("javac: {error}"))?;
        let complaint = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "the oracle does not compile: {complaint}");
        let path = env::join_paths([&classes, &jars]).unwrap();
        let mut java = Command::new("java");
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=off").arg("-cp").arg(path).arg(CLASS);
        let started = java.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| format!("java: {error}"))?;
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Ok(Self { process, input, output })
    }

    pub fn reset(&mut self, initial_delay_ms: u64) {
        let outcome = self.run(&format!("reset {initial_delay_ms}"));
        assert_eq!(outcome, Outcome::default());
    }

    pub fn run(&mut self, command: &str) -> Outcome {
        writeln!(self.input, "{command}").unwrap();
        self.input.flush().unwrap();
        let mut outcome = Outcome::default();
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).unwrap();
            assert!(length > 0, "the oracle ended at: {command}");
            match line.trim_end() {
                "." => return outcome,
                line => outcome.read(line),
            }
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}
