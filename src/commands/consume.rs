//! `callboard consume`: records become lines of standard output.

mod reading;
mod start;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use client::{
    Client, ConsumedRecord, ConsumerSettings, Isolation, ResetTo, StartAt, TopicName,
    TopicPartition,
};

use crate::commands::cluster_arguments::ClusterArguments;
use crate::commands::topic::topic_name;
use crate::output::{Output, note};
use crate::progress::Progress;
use crate::record_text::{JsonRecord, ShownFields};
use crate::stop_signals::StopSignals;
use reading::Reading;
use start::parse_start;

/// Read records of topics: each becomes a line of standard output.
///
/// Without --group it reads all partitions. With --group it reads the share that the group gives
/// it, goes on where the group has committed, and commits what it has shown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
--from takes
  earliest               the first record that is still there
  latest                 what comes from now on
  4711                   this offset
  -10                    ten records before the end of each partition
  2026-03-01T12:30:00Z   the first record at or after this time (a date alone will do)
  @1772368200000         the same, in milliseconds since 1970

Examples:
  callboard consume orders --from-beginning --until-end
  callboard consume orders --from -10 --offsets --timestamps --keys
  callboard consume orders --group billing --max 100
  callboard consume orders --until-end --json | jq .value")]
pub struct ConsumeArguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    /// The topics
    #[arg(required = true, value_name = "TOPIC", value_parser = topic_name)]
    topics: Vec<TopicName>,
    /// Where to start [default: latest; with --until-end: earliest]. With --group, only where the
    /// group has committed nothing
    #[arg(long, short, value_name = "PLACE", value_parser = parse_start, allow_hyphen_values = true)]
    from: Option<StartAt>,
    /// The same as --from earliest
    #[arg(long, conflicts_with = "from")]
    from_beginning: bool,
    /// Only this partition; may be given often
    #[arg(long, short, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Vec<i32>,
    /// Read as a member of this group
    #[arg(long, short, conflicts_with = "partition")]
    group: Option<String>,
    /// Commit nothing
    #[arg(long, requires = "group")]
    no_commit: bool,
    /// End after so many records
    #[arg(long, short = 'n', value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// End where the partitions end at the start
    #[arg(long, short = 'e')]
    until_end: bool,
    /// Leave out records of open and aborted transactions
    #[arg(long)]
    read_committed: bool,
    /// Where this program stands: brokers with the rack-aware replica selector then serve it from a
    /// replica in that rack
    #[arg(long, value_name = "NAME")]
    rack: Option<String>,
    #[command(flatten)]
    shown: ShownArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What a line shows")]
struct ShownArguments {
    /// A JSON object with everything
    #[arg(long, conflicts_with_all = ["keys", "headers", "offsets", "timestamps", "null"])]
    json: bool,
    /// Partition and offset
    #[arg(long, short)]
    offsets: bool,
    /// The timestamp
    #[arg(long, short)]
    timestamps: bool,
    /// The headers
    #[arg(long, short = 'H')]
    headers: bool,
    /// The key
    #[arg(long, short)]
    keys: bool,
    /// What stands for null
    #[arg(long, value_name = "TEXT", default_value = "null")]
    null: String,
}

impl ConsumeArguments {
    fn start(&self) -> StartAt {
        match self.from {
            Some(start) => start,
            None if self.from_beginning || self.until_end => StartAt::Earliest,
            None => StartAt::Latest,
        }
    }

    fn settings(&self) -> ConsumerSettings {
        let isolation = match self.read_committed {
            true => Isolation::Committed,
            false => Isolation::Uncommitted,
        };
        let reset = match self.start() {
            StartAt::Earliest => ResetTo::Earliest,
            _ => ResetTo::Latest,
        };
        let rack = self.rack.clone();
        ConsumerSettings { isolation, reset, rack, ..ConsumerSettings::default() }
    }
}

/// Shows records until there are enough, or until a signal. Then the group is left in order.
pub async fn run(arguments: ConsumeArguments) -> anyhow::Result<ExitCode> {
    let client = arguments.cluster.connect().await?;
    let mut signals = StopSignals::listen()?;
    let mut reading = match &arguments.group {
        Some(group) => Reading::of_group(&client, &arguments, group).await?,
        None => Reading::of_partitions(&client, &arguments).await?,
    };
    if arguments.start() == StartAt::Latest && std::io::stderr().is_terminal() {
        note("waiting for new records; --from-beginning shows those that are there, Ctrl-C ends");
    }
    let mut lines = Lines::new(arguments.shown);
    let shown = tokio::select! {
        shown = show_all(&mut reading, &mut lines, arguments.max) => shown,
        _ = signals.next() => Ok(()),
    };
    lines.end()?;
    // what has been shown is committed, even if what came next failed
    let closed = reading.close().await;
    shown?;
    closed?;
    Ok(ExitCode::SUCCESS)
}

async fn show_all(
    reading: &mut Reading,
    lines: &mut Lines,
    max: Option<u64>,
) -> anyhow::Result<()> {
    let mut left = max.unwrap_or(u64::MAX);
    while left > 0 {
        let next = tokio::select! {
            biased;
            next = reading.next() => next?,
            // nothing is at hand: what there is is shown before the wait
            () = std::future::ready(()), if lines.is_behind => {
                lines.flush()?;
                continue;
            }
        };
        let Some(record) = next else { break };
        lines.show(&record)?;
        left -= 1;
    }
    lines.flush()
}

/// The partitions that were asked for, with where to start.
async fn assignment(
    client: &Client,
    arguments: &ConsumeArguments,
) -> anyhow::Result<Vec<(TopicPartition, StartAt)>> {
    let start = arguments.start();
    let mut assignment = Vec::new();
    for name in &arguments.topics {
        let topic = client.admin().describe_topic(name).await?;
        let asked = arguments.partition.iter().map(|index| client::PartitionIndex(*index));
        let wanted: Vec<_> = match arguments.partition.is_empty() {
            true => topic.partitions.iter().map(|partition| partition.index).collect(),
            false => asked.collect(),
        };
        for index in wanted {
            topic.partition(index)?;
            assignment.push((TopicPartition::new(name.clone(), index), start));
        }
    }
    Ok(assignment)
}

/// Records on their way to standard output.
struct Lines {
    output: Output,
    fields: Option<ShownFields>,
    progress: Progress,
    is_behind: bool,
}

impl Lines {
    fn new(shown: ShownArguments) -> Self {
        let ShownArguments { json, offsets, timestamps, headers, keys, null } = shown;
        let fields =
            ShownFields { place: offsets, timestamp: timestamps, headers, key: keys, null };
        Self {
            output: Output::new(),
            fields: (!json).then_some(fields),
            progress: Progress::new(!std::io::stdout().is_terminal(), None),
            is_behind: false,
        }
    }

    fn show(&mut self, record: &ConsumedRecord) -> anyhow::Result<()> {
        match &self.fields {
            Some(fields) => fields.write(record, &mut self.output)?,
            None => self.output.json_line(&JsonRecord::from(record))?,
        }
        let bytes = [&record.key, &record.value].into_iter().flatten().map(bytes::Bytes::len);
        self.progress.add(1, bytes.sum::<usize>() as u64);
        self.is_behind = true;
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.is_behind = false;
        Ok(self.output.flush()?)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.progress.finish();
        self.flush()
    }
}
