//! What a follower has to report of its flushes: the newest word on each partition, until it was
//! heard. No task, no clock.

use std::collections::HashMap;

use metadata::PartitionKey;
use protocol::{ErrorCode, LeaderEpoch, Offset};

use crate::peer_messages::flush_progress::FlushReport;

/// Reports in one message at most.
const REPORTS_MAX: usize = 20_000;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct FlushReports {
    waiting: HashMap<PartitionKey, (LeaderEpoch, Offset)>,
}

impl FlushReports {
    /// A newer report replaces what was not heard of the partition.
    pub fn add(&mut self, report: FlushReport) {
        self.waiting.insert(report.key, (report.leader_epoch, report.flushed_offset));
    }

    /// The partition is not followed any more.
    pub fn forget(&mut self, key: PartitionKey) {
        self.waiting.remove(&key);
    }

    /// Whether there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is to be reported now; it stays until it was heard.
    #[must_use]
    pub fn next(&self) -> Vec<FlushReport> {
        let report = |(key, (leader_epoch, flushed_offset)): (&_, &_)| FlushReport {
            key: *key,
            leader_epoch: *leader_epoch,
            flushed_offset: *flushed_offset,
        };
        self.waiting.iter().take(REPORTS_MAX).map(report).collect()
    }

    /// What became of `reports`. Says whether some are to be repeated.
    pub fn on_answer(&mut self, reports: &[FlushReport], codes: &[i16]) -> bool {
        let mut is_refused = false;
        for (report, code) in reports.iter().zip(codes) {
            let told = (report.leader_epoch, report.flushed_offset);
            if is_final(*code) {
                if self.waiting.get(&report.key) == Some(&told) {
                    self.waiting.remove(&report.key);
                }
            } else {
                is_refused = true;
            }
        }
        is_refused
    }
}

/// Heard, or of a leadership that is over: its successor is asked anew.
fn is_final(code: i16) -> bool {
    code == 0 || code == ErrorCode::FencedLeaderEpoch.code()
}
