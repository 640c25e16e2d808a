//! Progress of long work, on standard error and only where somebody sees it.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// Records that went by.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    records: u64,
    bytes: u64,
}

impl Progress {
    /// Shows itself if `is_wanted` and standard error is a terminal. With `total_bytes` it shows
    /// how much is left.
    pub fn new(is_wanted: bool, total_bytes: Option<u64>) -> Self {
        let bar = match (is_wanted, total_bytes) {
            (false, _) => ProgressBar::hidden(),
            (true, None) => ProgressBar::no_length().with_style(style("{spinner} {wide_msg}")),
            (true, Some(total)) => ProgressBar::new(total)
                .with_style(style("[{bar:30}] {percent}% {eta} left  {wide_msg}")),
        };
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, started: Instant::now(), records: 0, bytes: 0 }
    }

    /// Counts records; `bytes` is how far they brought the work.
    pub fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        if !self.bar.is_hidden() {
            self.bar.set_position(self.bytes);
            self.bar.set_message(self.summary());
        }
    }

    /// How many records, bytes and how fast.
    pub fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = self.records as f64 / seconds;
        let (records, bytes) = (HumanCount(self.records), HumanBytes(self.bytes));
        format!("{records} records, {bytes}, {rate:.0} records/s")
    }

    /// Takes it off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Things of a known number that are done one after the other.
pub struct Steps {
    bar: ProgressBar,
}

impl Steps {
    /// Shows itself if standard error is a terminal.
    pub fn new(count: usize, what: &'static str) -> Self {
        let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX))
            .with_style(style("[{bar:30}] {pos} of {len} {msg}"))
            .with_message(what);
        Self { bar }
    }

    /// So many are done.
    pub fn show(&self, done: usize) {
        self.bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }

    /// Takes it off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are valid, as a test shows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_progress_count_what_goes_by() {
        for total in [None, Some(100)] {
            let mut progress = Progress::new(true, total);
            progress.add(1500, 2 << 20);
            progress.finish();
            assert!(progress.summary().starts_with("1,500 records, 2.00 MiB, "));
        }
    }
}
