//! Random lives of a log on a disk that fails now and then. Whatever fails, the log holds exactly
//! what it said it holds, until it says that it holds no more; and what it called flushed is there
//! in its next life.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use commit_log::{CommitLog, FaultyOperation, FaultyStorage, LogError, OpenHints, Storage};
use harness::{Home, NOW_MS, append, batch, contents, hints};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::{prop_assert, prop_assert_eq};
use protocol::{LeaderEpoch, Offset};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Flush,
    Roll,
    Sleep,
    Retention,
    AdvanceStart(u8),
    /// This operation fails after so many successes, with an error or for want of room.
    Fail(FaultyOperation, u8, bool),
    Reopen {
        power_cut: bool,
    },
}

fn operation() -> impl Strategy<Value = FaultyOperation> {
    prop_oneof![
        Just(FaultyOperation::Open),
        Just(FaultyOperation::Write),
        Just(FaultyOperation::Truncate),
        Just(FaultyOperation::SyncData),
        Just(FaultyOperation::SyncDirectory),
        Just(FaultyOperation::Rename),
        Just(FaultyOperation::Remove),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 1..8).prop_map(Step::Append),
        3 => Just(Step::Flush),
        1 => Just(Step::Roll),
        1 => Just(Step::Sleep),
        1 => Just(Step::Retention),
        1 => any::<u8>().prop_map(Step::AdvanceStart),
        4 => (operation(), 0u8..6, any::<bool>()).prop_map(|(o, skip, full)| Step::Fail(o, skip, full)),
        1 => any::<bool>().prop_map(|power_cut| Step::Reopen { power_cut }),
    ]
}

struct World {
    storage: FaultyStorage,
    home: Home,
    log: Option<CommitLog>,
    /// Every record from offset 0 on.
    records: Vec<String>,
    appended: usize,
    recovery_point: i64,
    flushed: i64,
}

impl World {
    fn new(seed: u64) -> Self {
        let storage = FaultyStorage::new(seed);
        storage.create_directories(Path::new("/disk")).unwrap();
        let home = Home::new(Arc::new(storage.clone()), Path::new("/disk"));
        let log = Some(home.open());
        let records = Vec::new();
        let (appended, recovery_point, flushed) = (0, 0, 0);
        Self { storage, home, log, records, appended, recovery_point, flushed }
    }

    /// Does a step; `false` if the log must be opened again.
    fn run(&mut self, step: &Step) -> bool {
        let Some(log) = &mut self.log else { return false };
        match step {
            Step::Append(sizes) => {
                let first = self.appended;
                self.appended += sizes.len();
                let values: Vec<_> = (first..)
                    .zip(sizes)
                    .map(|(number, size)| format!("{number}{}", "x".repeat(usize::from(*size))))
                    .collect();
                let group: Vec<_> = values.iter().map(|value| append(batch(&[value]))).collect();
                for (value, result) in values.into_iter().zip(log.append(&group)) {
                    if let Ok(outcome) = result {
                        assert_eq!(outcome.base_offset().value(), self.records.len() as i64);
                        self.records.push(value);
                    }
                }
                self.works()
            }
            Step::Flush => log.flush().is_ok(),
            Step::Roll => log.roll(NOW_MS).is_ok() || self.works(),
            Step::Sleep => log.become_dormant().is_ok() || self.works(),
            Step::Retention => {
                let high_watermark = log.log_end_offset();
                log.apply_retention(NOW_MS, high_watermark).is_ok() || self.works()
            }
            Step::AdvanceStart(share) => {
                let offset = log.log_end_offset().value() * i64::from(*share) / 255;
                log.advance_log_start(Offset::new(offset)).is_ok() || self.works()
            }
            Step::Fail(operation, skip, full) => {
                let kind = if *full { ErrorKind::StorageFull } else { ErrorKind::Other };
                self.storage.fail(*operation, u64::from(*skip), 1, kind);
                true
            }
            Step::Reopen { .. } => false,
        }
    }

    /// Whether the log takes more work.
    fn works(&mut self) -> bool {
        self.failure().is_none()
    }

    /// Whether the log takes no more work, and then whether it has noted what it is worth.
    fn failure(&mut self) -> Option<bool> {
        match self.log.as_mut()?.assign_epoch(LeaderEpoch::ZERO, Offset::ZERO) {
            Err(LogError::Poisoned { proof_written, .. }) => Some(proof_written),
            _ => None,
        }
    }

    fn reopen(&mut self, power_cut: bool) {
        self.storage.heal();
        let is_noted = self.failure().unwrap_or(true);
        let flushed = self.log.take().map(|log| log.flushed_offset());
        if power_cut {
            self.storage.power_cut()
        } else {
            self.storage.kill()
        }
        // what the failed log could not note, its owner remembers
        let flushed_proof = flushed.filter(|_| !is_noted);
        let told = OpenHints { flushed_proof, ..hints(self.recovery_point) };
        let (log, _) = self.home.try_open(told).unwrap();
        let end = log.log_end_offset().value();
        assert!(end >= self.flushed.max(log.log_start_offset().value()), "{flushed:?} {end}");
        assert!(end <= self.records.len() as i64 || log.log_start_offset().value() == end);
        self.records.resize(usize::try_from(end).unwrap(), String::new());
        self.log = Some(log);
    }
}

proptest::proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_failing_disk_never_loses_what_was_flushed(
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        let mut world = World::new(seed);
        for step in &steps {
            if !world.run(step) {
                let power_cut = matches!(step, Step::Reopen { power_cut: true });
                world.reopen(power_cut);
            }
            if matches!(step, Step::Fail(..)) {
                continue;
            }
            world.storage.heal();
            let log = world.log.as_ref().unwrap();
            world.flushed = log.flushed_offset().value();
            world.recovery_point = log.recovery_point().value();
            let start = log.log_start_offset().value();
            prop_assert!(start <= log.log_end_offset().value());
            prop_assert_eq!(log.log_end_offset().value(), world.records.len() as i64);
            let expected: Vec<_> = (0..)
                .zip(world.records.iter().cloned())
                .skip(usize::try_from(start).unwrap())
                .collect();
            prop_assert_eq!(contents(log), expected);
        }
    }
}

/// Runs: few for every day, as many as wanted by PROPTEST_CASES.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}
