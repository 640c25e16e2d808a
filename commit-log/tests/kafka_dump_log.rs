//! Apache Kafka's own dump tool reads a log of ours: segments, both indexes, producer snapshots and
//! the leader-epoch checkpoint. What it cannot read, nobody's tools can.
//!
//! Needs java and Kafka's jars, in `lib` under the folder that `KAFKA_PEER` names; says so and does
//! nothing without them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use commit_log::{LogDirectory, LogSettings, RealStorage, write_topic_id};
use harness::{Home, append_in, append_one, batch_at, idempotent, must_append};
use protocol::record_batch::ProducerStamp;
use protocol::{BrokerId, Offset, TopicId};

fn jars() -> Option<PathBuf> {
    let peer = std::env::var_os("KAFKA_PEER").map(PathBuf::from);
    let lib = peer.unwrap_or_else(|| std::env::temp_dir().join("kafka-peer")).join("lib");
    let java = Command::new("java").arg("-version").output().is_ok();
    let found = java && lib.is_dir();
    if !found {
        eprintln!("SKIPPED: java or Kafka's jars in {} (KAFKA_PEER) are missing", lib.display());
    }
    found.then_some(lib)
}

/// What the tool says about these files.
fn dump(lib: &Path, files: &[PathBuf], arguments: &[&str]) -> String {
    let list: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let output = Command::new("java")
        .args([
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        ])
        .arg("-cp")
        .arg(lib.join("*"))
        .arg("org.apache.kafka.tools.DumpLogSegments")
        .args(arguments)
        .args(["--files", &list.join(",")])
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    format!("{out}{err}")
}

fn files(home: &Home, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&home.directory).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// A log with two epochs, two producers and several segments, closed in order.
fn write_log(home: &Home) {
    let mut log = home.open();
    for number in 0..60 {
        let time = harness::NOW_MS + i64::from(number);
        let plain = batch_at(time, &["first", "second"], ProducerStamp::NONE);
        append_one(&mut log, append_in(number / 30, plain)).unwrap();
        let producer =
            append_in(number / 30, idempotent(1000 + i64::from(number % 2), 3, number / 2, "x"));
        append_one(&mut log, producer).unwrap();
    }
    assert_eq!(log.close_cleanly().unwrap().recovery_point, Offset::new(180));
}

#[test]
fn the_dump_tool_of_kafka_reads_every_file() {
    let Some(lib) = jars() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Arc::new(RealStorage), folder.path());
    write_log(&home);

    let logs = files(&home, "log");
    assert!(logs.len() > 3);
    let text = dump(&lib, &logs, &["--deep-iteration", "--print-data-log"]);
    let batches = text.lines().filter(|line| line.starts_with("baseOffset:")).count();
    assert_eq!(batches, 120, "{text}");
    assert_eq!(text.matches("isvalid: true").count(), 120);
    assert_eq!(text.matches("payload: first").count(), 60);
    assert!(text.contains("producerId: 1001 producerEpoch: 3"));
    assert!(text.contains("partitionLeaderEpoch: 1 "));

    // both are compared with the log, and what does not fit is told
    let indexes = [files(&home, "index"), files(&home, "timeindex")].concat();
    let text = dump(&lib, &indexes, &["--verify-index-only"]);
    assert!(!text.contains("Mismatch") && !text.contains("not found"), "{text}");
    assert!(!text.contains("Exception") && !text.contains("rror"), "{text}");
    let text = dump(&lib, &files(&home, "index"), &[]);
    assert!(text.matches("offset: ").count() > 20, "{text}");
    assert!(!text.contains("Mismatch"), "{text}");

    let text = dump(&lib, &files(&home, "snapshot"), &[]);
    assert!(text.contains("producerId: 1000 producerEpoch: 3 "), "{text}");
    assert!(text.contains("lastSequence: 29 "), "{text}");
    assert!(!text.contains("CorruptSnapshot"), "{text}");
}

/// A program against Kafka's own classes: reads the checkpoints of a log directory, then recovers
/// every segment as Kafka does after a crash, which writes the derived files anew.
const RECOVER_AS_KAFKA: &str = r#"
import java.io.File;
import java.util.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.checkpoint.*;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.*;

public class RecoverAsKafka {
    public static void main(String[] arguments) throws Exception {
        File root = new File(arguments[0]);
        File log = new File(root, "orders-0");
        System.out.println("topic " + new PartitionMetadataFile(PartitionMetadataFile.newFile(log), null).read().topicId());
        for (String name : List.of("recovery-point-offset-checkpoint", "log-start-offset-checkpoint")) {
            System.out.println(name + " " + new OffsetCheckpointFile(new File(root, name), null).read());
        }
        System.out.println("clean " + new CleanShutdownFileHandler(root.getPath()).read());
        TopicPartition partition = new TopicPartition("orders", 0);
        File epochs = LeaderEpochCheckpointFile.newFile(log);
        System.out.println("epochs " + new LeaderEpochCheckpointFile(epochs, null).read());

        for (File file : log.listFiles()) {
            if (!file.getName().endsWith(".log") && !file.getName().startsWith("partition")) file.delete();
        }
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        LogConfig config = new LogConfig(Map.of("index.interval.bytes", arguments[1]));
        LeaderEpochFileCache cache = new LeaderEpochFileCache(partition, new LeaderEpochCheckpointFile(epochs, null), scheduler);
        ProducerStateManager producers = new ProducerStateManager(partition, log, 60000,
            new ProducerStateManagerConfig(86400000, false), Time.SYSTEM);
        File[] segments = log.listFiles((directory, name) -> name.endsWith(".log"));
        Arrays.sort(segments);
        for (File file : segments) {
            producers.takeSnapshot();
            long base = Long.parseLong(file.getName().replace(".log", ""));
            LogSegment segment = LogSegment.open(log, base, config, Time.SYSTEM, true, 0, false, "");
            if (segment.recover(producers, cache) != 0) throw new IllegalStateException("bytes were cut");
            segment.close();
        }
        producers.takeSnapshot();
        scheduler.shutdown();
    }
}
"#;

/// The files of a folder with their contents, but for our own.
fn contents_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    files.filter(|(name, _)| !name.starts_with("callboard")).collect()
}

#[test]
fn kafka_derives_the_same_files_byte_for_byte_from_the_same_segments() {
    let Some(lib) = jars() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Arc::new(RealStorage), folder.path());
    write_log(&home);
    let storage: Arc<dyn commit_log::Storage> = Arc::new(RealStorage);
    let topic_id = TopicId(uuid::Uuid::from_u128(0x1234_5678_9abc_def0_0fed_cba9_8765_4321));
    write_topic_id(&*storage, &home.directory, topic_id).unwrap();
    let directory = LogDirectory::open(storage, folder.path(), BrokerId(1)).unwrap();
    let partition = directory.partitions().unwrap().remove(0);
    let offsets = [(partition, Offset::new(180))].into();
    directory.write_recovery_points(&offsets).unwrap();
    directory.write_log_start_offsets(&offsets).unwrap();
    directory.mark_clean_shutdown(protocol::BrokerEpoch::new(42)).unwrap();
    let ours = contents_of(&home.directory);
    assert!(ours.len() > 15, "{:?}", ours.keys());

    let source = folder.path().join("RecoverAsKafka.java");
    std::fs::write(&source, RECOVER_AS_KAFKA).unwrap();
    let output = Command::new("java")
        .args(["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
        .arg(lib.join("*"))
        .arg(&source)
        .arg(folder.path())
        .arg(home.settings.index_interval_bytes.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("topic {topic_id}")), "{text}");
    assert_eq!(text.matches("{orders-0=180}").count(), 2, "{text}");
    assert!(text.contains("clean OptionalLong[42]"), "{text}");
    assert!(text.contains("epoch=1, startOffset=90"), "{text}");

    let theirs = contents_of(&home.directory);
    let names = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        // an index of aborted transactions is not written here
        files.keys().filter(|name| !name.ends_with(".txnindex")).cloned().collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    for (name, contents) in &ours {
        assert_eq!(Some(contents), theirs.get(name), "{name}");
    }
}

#[test]
fn a_log_written_under_the_default_settings_is_dumped_too() {
    let Some(lib) = jars() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(Arc::new(RealStorage), folder.path());
    home.settings =
        LogSettings { message_timestamp_after_max_ms: i64::MAX, ..LogSettings::default() };
    let mut log = home.open();
    for number in 0..2000 {
        must_append(&mut log, idempotent(1, 0, number, "a value of some length, to fill the log"));
    }
    log.close_cleanly().unwrap();
    let all = [files(&home, "index"), files(&home, "timeindex")].concat();
    let text = dump(&lib, &all, &["--verify-index-only"]);
    assert!(!text.contains("Mismatch") && !text.contains("rror"), "{text}");
    let text = dump(&lib, &files(&home, "index"), &[]);
    let entries = text.matches("offset: ").count();
    assert!((40..60).contains(&entries), "{entries} entries for 200 KiB");
}
