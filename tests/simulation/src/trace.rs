//! What happened, as a hash: every message between two places, every fault, every answer that a
//! client got, with its time. Two runs of one seed that differ anywhere differ here.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct Lines {
    hash: u64,
    count: u64,
    file: Option<Box<dyn Write + Send>>,
}

/// The trace of one run. Clones write to the same one.
#[derive(Clone, Default)]
pub struct Trace {
    lines: Arc<Mutex<Lines>>,
}

impl Trace {
    /// A trace that is also written out line by line, for the comparison of two runs.
    #[must_use]
    pub fn to_file(file: Box<dyn Write + Send>) -> Self {
        let lines = Lines { file: Some(file), ..Lines::default() };
        Self { lines: Arc::new(Mutex::new(lines)) }
    }

    /// Adds one event.
    pub fn note(&self, now_ms: u64, what: &str, about: u64, bytes: &[u8]) {
        let contents = u64::from(crc32fast::hash(bytes));
        let name = u64::from(crc32fast::hash(what.as_bytes()));
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for word in [now_ms, name, about, contents, bytes.len() as u64] {
            lines.hash = (lines.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        lines.count += 1;
        if let Some(file) = &mut lines.file {
            let length = bytes.len();
            // the comparison is for a person, who will notice that lines are missing
            let _ = writeln!(file, "{now_ms} {what} {about} {length} {contents:08x}");
        }
    }

    /// The hash of everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).hash
    }

    /// How many events there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}
