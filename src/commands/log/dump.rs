//! `callboard log dump`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use client::Compression;
use commit_log::{DumpedBatch, RealStorage, SegmentDump, parse_partition_directory};
use protocol::record::Record;
use protocol::record_batch::{BatchHeader, RecordBatch};
use serde_json::{Value, json};

use super::DumpArguments;
use crate::output::Output;
use crate::progress::Progress;
use crate::timestamp_text::format_timestamp;

/// What the records of one batch may take once decompressed, in bytes.
const RECORDS_BYTES_MAX: usize = 1 << 30;
const LOG_EXTENSION: &str = "log";

pub fn run(arguments: &DumpArguments) -> anyhow::Result<ExitCode> {
    let files = segments(&arguments.path)?;
    let sizes = files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len());
    let mut dump = Dump {
        output: Output::new(),
        progress: Progress::new(!std::io::stdout().is_terminal(), Some(sizes.sum())),
        records: arguments.records,
        json: arguments.json,
        damaged: 0,
    };
    for file in &files {
        dump.segment(file).with_context(|| format!("reading {}", file.display()))?;
    }
    dump.progress.finish();
    dump.output.flush()?;
    Ok(if dump.damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The `.log` files that a path stands for, in order.
fn segments(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = logs_of(path)?;
    if files.is_empty() {
        let mut partitions = entries(path)?;
        partitions.retain(|entry| is_partition(entry));
        for partition in partitions {
            files.extend(logs_of(&partition)?);
        }
    }
    if files.is_empty() {
        bail!("{} holds no .log files, nor partitions that do", path.display());
    }
    Ok(files)
}

fn is_partition(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| parse_partition_directory(name).is_some()) && path.is_dir()
}

fn logs_of(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = entries(directory)?;
    files.retain(|path| path.extension().is_some_and(|it| it == LOG_EXTENSION) && path.is_file());
    Ok(files)
}

fn entries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("listing {}", directory.display());
    let entries = std::fs::read_dir(directory).with_context(context)?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>().with_context(context)?;
    paths.sort();
    Ok(paths)
}

struct Dump {
    output: Output,
    progress: Progress,
    records: bool,
    json: bool,
    damaged: u64,
}

impl Dump {
    fn segment(&mut self, path: &Path) -> anyhow::Result<()> {
        let batches = SegmentDump::open(&RealStorage, path)?;
        if !self.json {
            writeln!(self.output, "{}", path.display())?;
        }
        for batch in batches {
            let batch = batch?;
            self.batch(path, &batch)?;
            let header = batch.header.as_ref();
            let records = header.map_or(0, |header| header.record_count.max(0).unsigned_abs());
            let bytes = header.map_or(0, |header| header.total_bytes() as u64);
            self.progress.add(records.into(), bytes);
        }
        Ok(())
    }

    fn batch(&mut self, path: &Path, dumped: &DumpedBatch) -> anyhow::Result<()> {
        let (records, damage) = read_batch(dumped, self.records);
        self.damaged += u64::from(damage.is_some());
        let header = dumped.header.as_ref();
        if self.json {
            let mut batch = header.map_or_else(|| json!({}), header_json);
            if let Some(fields) = batch.as_object_mut() {
                fields.insert("file".to_owned(), json!(path.display().to_string()));
                fields.insert("position".to_owned(), json!(dumped.position));
                fields.insert("damage".to_owned(), json!(damage));
                if self.records {
                    let records = records.iter().map(record_json).collect::<Vec<_>>();
                    fields.insert("records".to_owned(), json!(records));
                }
            }
            return self.output.json_line(&batch);
        }
        let verdict =
            damage.map_or_else(|| "good".to_owned(), |damage| format!("DAMAGED: {damage}"));
        let header = header.map_or_else(|| "no batch".to_owned(), header_text);
        writeln!(self.output, "  at {:>10}  {header}  {verdict}", dumped.position)?;
        for record in &records {
            writeln!(self.output, "      {}", record_text(record))?;
        }
        Ok(())
    }
}

/// The records that were asked for, as far as they can be read, and what is wrong.
fn read_batch(dumped: &DumpedBatch, wants_records: bool) -> (Vec<Record>, Option<String>) {
    if let Some(damage) = &dumped.damage {
        return (Vec::new(), Some(damage.to_string()));
    }
    let batch = match RecordBatch::parse(&dumped.bytes) {
        Ok(batch) => batch,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let mut records = Vec::new();
    if wants_records {
        let reader = match batch.records(RECORDS_BYTES_MAX) {
            Ok(reader) => reader,
            Err(error) => return (records, Some(error.to_string())),
        };
        for record in reader {
            match record {
                Ok(record) => records.push(record),
                Err(error) => return (records, Some(error.to_string())),
            }
        }
    }
    (records, None)
}

fn codec(header: &BatchHeader) -> &'static str {
    Compression::from_codec(header.codec()).map_or("unknown", Compression::name)
}

fn header_text(header: &BatchHeader) -> String {
    let mut text = format!(
        "offsets {}..={}  records {}  epoch {}  {}  {}  bytes {}",
        header.base_offset,
        header.base_offset.value().saturating_add(header.last_offset_delta.into()),
        header.record_count,
        header.leader_epoch,
        format_timestamp(header.max_timestamp),
        codec(header),
        header.total_bytes(),
    );
    if header.has_producer_id() {
        let (producer, epoch) = (header.producer_id, header.producer_epoch);
        let sequence = header.base_sequence;
        text.push_str(&format!("  producer {producer} epoch {epoch} sequence {sequence}"));
    }
    let flags = [
        (header.is_transactional(), "  transactional"),
        (header.is_control(), "  control"),
        (header.is_log_append_time(), "  log append time"),
        (header.has_delete_horizon(), "  delete horizon"),
    ];
    flags.iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| text.push_str(flag));
    text
}

fn header_json(header: &BatchHeader) -> Value {
    json!({
        "base_offset": header.base_offset.value(),
        "last_offset_delta": header.last_offset_delta,
        "record_count": header.record_count,
        "leader_epoch": header.leader_epoch.value(),
        "base_timestamp": header.base_timestamp,
        "max_timestamp": header.max_timestamp,
        "compression": codec(header),
        "bytes": header.total_bytes(),
        "crc": header.crc,
        "producer_id": header.producer_id.0,
        "producer_epoch": header.producer_epoch.0,
        "base_sequence": header.base_sequence,
        "transactional": header.is_transactional(),
        "control": header.is_control(),
        "log_append_time": header.is_log_append_time(),
    })
}

fn bytes_text(bytes: Option<&bytes::Bytes>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| format!("{:?}", String::from_utf8_lossy(bytes)))
}

fn record_text(record: &Record) -> String {
    let (key, value) = (bytes_text(record.key.as_ref()), bytes_text(record.value.as_ref()));
    let mut text = format!(
        "offset {}  {}  key {key}  value {value}",
        record.offset,
        format_timestamp(record.timestamp)
    );
    for header in &record.headers {
        let value = bytes_text(header.value.as_ref());
        text.push_str(&format!("  header {:?}={value}", header.key_text()));
    }
    text
}

fn record_json(record: &Record) -> Value {
    let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
    let headers = record.headers.iter().map(
        |header| json!({ "key": header.key_text(), "value": header.value.as_ref().map(text) }),
    );
    json!({
        "offset": record.offset.value(),
        "timestamp": record.timestamp,
        "key": record.key.as_ref().map(text),
        "value": record.value.as_ref().map(text),
        "headers": headers.collect::<Vec<_>>(),
    })
}
