//! Random lives of a log against a list of records in memory. What no scripted test thought of
//! shows here: an order of calls after which the log is not what was put into it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::path::Path;
use std::sync::Arc;

use commit_log::{AppendOutcome, CommitLog, FaultyStorage, LogSettings, OpenHints, Storage};
use harness::{Home, NOW_MS, append_in, append_one, batch, contents, hints, idempotent};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq};
use protocol::{LeaderEpoch, Offset};

#[derive(Clone, Debug)]
enum Step {
    /// One group; each number is the records of a batch.
    Append(Vec<u8>),
    /// One batch of one of three idempotent producers, and the same once more.
    Produce(u8),
    Flush,
    Roll,
    Sleep,
    /// Cut at this share of the log, in 256ths.
    Truncate(u8),
    TruncateFully,
    AdvanceStart(u8),
    Retention,
    NewEpoch,
    Crash,
    PowerCut,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec(1u8..5, 1..12).prop_map(Step::Append),
        4 => (0u8..3).prop_map(Step::Produce),
        2 => Just(Step::Flush),
        1 => Just(Step::Roll),
        1 => Just(Step::Sleep),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => Just(Step::TruncateFully),
        1 => any::<u8>().prop_map(Step::AdvanceStart),
        1 => Just(Step::Retention),
        1 => Just(Step::NewEpoch),
        1 => Just(Step::Crash),
        1 => Just(Step::PowerCut),
        1 => Just(Step::Stop),
    ]
}

/// A record of the model: its value, its epoch, its producer and where its batch begins.
#[derive(Clone, Debug, PartialEq)]
struct Modelled {
    value: String,
    epoch: i32,
    producer: Option<i64>,
    batch: i64,
}

struct World {
    storage: FaultyStorage,
    home: Home,
    log: Option<CommitLog>,
    /// The records from offset `first` on.
    first: i64,
    records: Vec<Modelled>,
    start: i64,
    epoch: i32,
    appended: u64,
    recovery_point: i64,
}

impl World {
    fn new(seed: u64) -> Self {
        let storage = FaultyStorage::new(seed);
        storage.create_directories(Path::new("/disk")).unwrap();
        let mut home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
        home.settings = LogSettings { retention_bytes: Some(3000), ..home.settings };
        let log = Some(home.open());
        let records = Vec::new();
        let (first, start, epoch, appended, recovery_point) = (0, 0, 0, 0, 0);
        Self { storage, home, log, first, records, start, epoch, appended, recovery_point }
    }

    fn log(&mut self) -> &mut CommitLog {
        self.log.as_mut().unwrap()
    }

    fn end(&self) -> i64 {
        self.first + self.records.len() as i64
    }

    fn append(&mut self, sizes: &[u8]) {
        let mut group = Vec::new();
        for size in sizes {
            let base = self.end();
            let values: Vec<_> = (0..*size)
                .map(|_| {
                    self.appended += 1;
                    format!("{}{}", self.appended, "x".repeat(self.appended as usize % 90))
                })
                .collect();
            let epoch = self.epoch;
            self.records.extend(values.iter().map(|value| Modelled {
                value: value.clone(),
                epoch,
                producer: None,
                batch: base,
            }));
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            group.push(append_in(epoch, batch(&values)));
        }
        for result in self.log().append(&group) {
            result.unwrap();
        }
    }

    fn produce(&mut self, producer: i64) {
        let known = self.records.iter().filter(|record| record.producer == Some(producer)).count();
        let forgotten = self.log().producers().unwrap();
        let last = forgotten.iter().find(|known| known.producer_id.0 == producer);
        // what lies below the log start may be forgotten or not
        let sequence = last.map_or(known as i32, |known| known.last_sequence + 1);
        let value = format!("producer-{producer}-{sequence}");
        let append = append_in(self.epoch, idempotent(producer, 0, sequence, &value));
        let base = self.end();
        let outcome = append_one(self.log(), append.clone()).unwrap();
        assert_eq!(outcome.base_offset(), Offset::new(base));
        let (epoch, producer) = (self.epoch, Some(producer));
        self.records.push(Modelled { value, epoch, producer, batch: base });
        let again = append_one(self.log(), append).unwrap();
        assert!(matches!(again, AppendOutcome::Duplicate { .. }));
        assert_eq!(again.base_offset(), Offset::new(base));
    }

    /// The model's end after a cut at `offset`: batches go whole.
    fn cut(&mut self, offset: i64) {
        let at = usize::try_from(offset - self.first).unwrap();
        let end = self.records.get(at).map_or(offset, |record| record.batch);
        let kept = usize::try_from(end - self.first).unwrap();
        self.records.truncate(kept);
        self.start = self.start.min(self.end());
    }

    fn share(&self, share: u8) -> i64 {
        self.start + (self.end() - self.start) * i64::from(share) / 255
    }

    fn reopen(&mut self, hints: OpenHints) {
        let (log, report) = self.home.try_open(hints).unwrap();
        assert!(report.damage.is_none() || self.log.is_none());
        self.log = Some(log);
    }

    fn hints(&self) -> OpenHints {
        hints(self.recovery_point)
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(sizes) => self.append(sizes),
            Step::Produce(producer) => self.produce(i64::from(*producer)),
            Step::Flush => {
                let flushed = self.log().flush().unwrap();
                assert_eq!(flushed, Offset::new(self.end()));
                self.recovery_point = self.log().recovery_point().value();
            }
            Step::Roll => self.log().roll(NOW_MS).unwrap(),
            Step::Sleep => assert!(self.log().become_dormant().unwrap()),
            Step::Truncate(share) => {
                let offset = self.share(*share);
                let end = self.log().truncate_to(Offset::new(offset), NOW_MS).unwrap();
                if end.value() < self.end() {
                    self.cut(offset);
                }
                self.epoch += 1;
            }
            Step::TruncateFully => {
                let offset = self.end() + 7;
                let to = Offset::new(offset);
                self.log().truncate_fully_and_start_at(to, NOW_MS).unwrap();
                self.records.clear();
                (self.first, self.start) = (offset, offset);
            }
            Step::AdvanceStart(share) => {
                let offset = self.share(*share);
                self.log().advance_log_start(Offset::new(offset)).unwrap();
                self.start = self.start.max(offset);
            }
            Step::Retention => {
                let end = Offset::new(self.end());
                self.log().apply_retention(NOW_MS, end).unwrap();
                self.start = self.log().log_start_offset().value();
            }
            Step::NewEpoch => {
                self.epoch += 1;
                let (epoch, end) = (LeaderEpoch::new(self.epoch), Offset::new(self.end()));
                self.log().assign_epoch(epoch, end).unwrap();
            }
            Step::Crash => {
                self.log = None;
                self.reopen(self.hints());
            }
            Step::PowerCut => {
                let flushed = self.log().flushed_offset().value();
                self.storage.power_cut();
                self.log = None;
                self.reopen(self.hints());
                let end = self.log().log_end_offset().value();
                assert!(end >= flushed, "{flushed} was flushed, {end} is there");
                self.records.truncate(usize::try_from(end - self.first).unwrap());
                self.start = self.start.min(self.end());
            }
            Step::Stop => {
                let closed = self.log.take().unwrap().close_cleanly().unwrap();
                self.recovery_point = closed.recovery_point.value();
                self.reopen(OpenHints { clean_shutdown: true, ..self.hints() });
            }
        }
    }
}

/// Runs of the model: few for every day, as many as wanted by PROPTEST_CASES.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

proptest::proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_log_is_what_was_put_into_it(
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(seed);
        for step in &steps {
            world.run(step);
            let (first, start, end) = (world.first, world.start, world.end());
            let log = world.log.as_ref().unwrap();
            prop_assert_eq!(log.log_end_offset(), Offset::new(end));
            prop_assert_eq!(log.log_start_offset(), Offset::new(start));
            prop_assert!(log.flushed_offset() <= log.log_end_offset());
            let skip = usize::try_from(start - first).unwrap();
            let expected: Vec<_> = (start..)
                .zip(world.records.iter().skip(skip))
                .map(|(offset, record)| (offset, record.value.clone()))
                .collect();
            prop_assert_eq!(contents(log), expected);
            let reader = log.reader();
            for (offset, record) in (start..).zip(world.records.iter().skip(skip)) {
                let epoch = reader.epoch_of(Offset::new(offset));
                prop_assert_eq!(epoch, Some(LeaderEpoch::new(record.epoch)));
            }
        }
    }
}
