//! `callboard produce`: lines of standard input become records.

mod input_lines;

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use client::{
    Acks, Compression, Delivery, Producer, ProducerSettings, RecordHeader, RecordPlace, TopicName,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commands::cluster_arguments::ClusterArguments;
use crate::commands::topic::{assignment, topic_name};
use crate::output::{Output, note};
use crate::progress::Progress;
use crate::record_text::LineFormat;
use input_lines::{InputLine, input_lines};

/// Records sent whose outcome is still to be looked at; the producer's own buffer, in bytes, is
/// the tighter bound for all but the smallest.
const DELIVERIES_MAX: usize = 100_000;

/// Write records to a topic: each line of standard input is one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  echo 'two tickets' | callboard produce orders
  callboard produce orders --key-separator : <<< '4711:two tickets'
  callboard produce orders --compression zstd --header source=import < lines.txt
  callboard consume orders --until-end --json | callboard produce copy --json")]
pub struct ProduceArguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    /// The topic; brokers make it if it does not exist and they are set to
    #[arg(value_parser = topic_name)]
    topic: TopicName,
    /// What stands between key and value in a line [default: lines have no keys]
    #[arg(long, short, value_name = "TEXT", value_parser = separator)]
    key_separator: Option<String>,
    /// Keys and values of exactly this text are null [default: none are]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Lines are JSON objects as `consume --json` writes them: key, value, headers and timestamp
    /// are taken, topic, partition and offset are not
    #[arg(long, conflicts_with_all = ["key_separator", "null"])]
    json: bool,
    /// A header of every record; may be given often
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE", value_parser = assignment)]
    headers: Vec<(String, String)>,
    /// All records to this partition [default: by key, or evenly without one]
    #[arg(long, short, value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// What a record waits for: 0 nothing, 1 the leader's write, all in-sync replicas
    #[arg(long, value_enum, default_value_t)]
    acks: AcksArgument,
    /// How batches are compressed: none, gzip, snappy, lz4 or zstd
    #[arg(long, short = 'z', value_name = "CODEC", default_value = "none")]
    compression: Compression,
    /// Let retries duplicate or reorder records; always so unless --acks all
    #[arg(long)]
    no_idempotence: bool,
    /// The longest line, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_record_bytes: usize,
    /// Write the place of each acknowledged record to standard output, as a JSON object a line
    #[arg(long)]
    receipts: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum AcksArgument {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    #[default]
    All,
}

fn separator(text: &str) -> Result<String, String> {
    // a tab is hard to type in many shells
    match text {
        "" => Err("it is empty".to_owned()),
        "\\t" => Ok("\t".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl ProduceArguments {
    fn settings(&self) -> ProducerSettings {
        let acks = match self.acks {
            AcksArgument::None => Acks::None,
            AcksArgument::Leader => Acks::Leader,
            AcksArgument::All => Acks::All,
        };
        let defaults = ProducerSettings::with_acks(acks);
        // a line of the longest kind has to fit into a request, with what a batch adds to it
        let request_bytes_max = self.max_record_bytes.saturating_add(1 << 10);
        ProducerSettings {
            compression: self.compression,
            idempotence: defaults.idempotence && !self.no_idempotence,
            request_bytes_max: defaults.request_bytes_max.max(request_bytes_max),
            buffer_bytes_max: defaults.buffer_bytes_max.max(request_bytes_max),
            ..defaults
        }
    }

    fn format(&self) -> LineFormat {
        LineFormat {
            key_separator: self.key_separator.clone(),
            null: self.null.clone(),
            is_json: self.json,
        }
    }
}

/// Writes what standard input holds.
pub async fn run(arguments: ProduceArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.cluster.connect().await?;
    let producer = client.producer(arguments.settings())?;
    let (is_terminal, length) = (std::io::stdin().is_terminal(), standard_input_bytes());
    if is_terminal {
        note("one record a line; Ctrl-D ends");
    }
    let mut progress = Progress::new(!is_terminal, length);
    let (deliveries, acknowledged) = watch_deliveries(arguments.receipts);
    let sent = send_lines(&arguments, &producer, &deliveries, &mut progress).await;
    drop(deliveries);
    // what was sent before a bad line is still delivered
    let acknowledged = acknowledged.await.context("the deliveries are watched")?;
    progress.finish();
    acknowledged?;
    sent?;
    if std::io::stderr().is_terminal() {
        note(format_args!("{} to {}", progress.summary(), arguments.topic));
    }
    Ok(ExitCode::SUCCESS)
}

async fn send_lines(
    arguments: &ProduceArguments,
    producer: &Producer,
    deliveries: &mpsc::Sender<Delivery>,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let format = arguments.format();
    let headers = arguments.headers.iter();
    let headers: Vec<_> =
        headers.map(|(name, value)| RecordHeader::new(name.clone(), value.clone())).collect();
    let mut lines = input_lines(arguments.max_record_bytes);
    while let Some(read) = lines.recv().await {
        let read = read?;
        let (mut records, mut bytes) = (0, 0);
        for InputLine { number, line } in read {
            bytes += line.len() as u64 + 1;
            records += 1;
            let mut record = format
                .read(&arguments.topic, &Bytes::from(line))
                .with_context(|| format!("line {number}"))?;
            record.headers.extend(headers.iter().cloned());
            record.partition = arguments.partition.map(client::PartitionIndex);
            let sent = producer.send(record).await;
            let delivery = sent.with_context(|| format!("line {number}"))?;
            if deliveries.send(delivery).await.is_err() {
                // a record was not delivered, and whoever watches them says so
                return Ok(());
            }
        }
        progress.add(records, bytes);
    }
    Ok(())
}

/// The end of standard input, if it is a file.
fn standard_input_bytes() -> Option<u64> {
    let file = std::fs::metadata("/dev/stdin").ok().filter(std::fs::Metadata::is_file);
    file.map(|file| file.len())
}

/// Waits for every delivery in order. The first failure ends it.
fn watch_deliveries(receipts: bool) -> (mpsc::Sender<Delivery>, JoinHandle<anyhow::Result<()>>) {
    let (sender, mut deliveries) = mpsc::channel::<Delivery>(DELIVERIES_MAX);
    let watching = tokio::spawn(async move {
        let mut acknowledged: u64 = 0;
        let mut places = VecDeque::new();
        while let Some(delivery) = deliveries.recv().await {
            let place = delivery
                .await
                .map_err(|error| anyhow!("after {acknowledged} acknowledged records: {error}"))?;
            acknowledged += 1;
            if receipts {
                places.push_back(place);
                if deliveries.is_empty() || places.len() >= 1000 {
                    write_receipts(&mut places)?;
                }
            }
        }
        Ok(())
    });
    (sender, watching)
}

/// Not kept open between calls: standard output is locked while it is.
fn write_receipts(places: &mut VecDeque<RecordPlace>) -> anyhow::Result<()> {
    let mut output = Output::new();
    for place in places.drain(..) {
        output.json_line(&json!({
            "topic": place.partition.topic.as_str(),
            "partition": place.partition.partition.0,
            "offset": place.offset.map(client::Offset::value),
            "timestamp": place.timestamp,
        }))?;
    }
    Ok(output.flush()?)
}
