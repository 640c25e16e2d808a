//! Mistakes that others made with a quorum's log, to be made again on purpose: a crash test that does
//! not find them would not find the next one either. Without the feature `reinjected-bugs` none can
//! be switched on and the compiler removes the questions.

use std::io::{self, IoSlice};
use std::path::Path;

use commit_log::{OpenMode, Storage, StorageFile};

/// One mistake. The letters are those of the failure catalogue of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests make mistakes on purpose"))]
pub enum QuorumBug {
    /// B1: a vote is answered before it is on the disk; after a power cut the node votes again.
    VoteNotFlushed,
    /// B5 (braft #119): a suffix is cut from its front on; a power cut leaves a hole.
    TruncateFrontToBack,
}

/// Which mistake a log makes: none, unless a test says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct BugSwitch {
    /// The mistake.
    #[cfg(feature = "reinjected-bugs")]
    pub bug: Option<QuorumBug>,
}

impl BugSwitch {
    /// Whether the log makes this mistake.
    #[cfg(feature = "reinjected-bugs")]
    pub fn is(self, bug: QuorumBug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether the log makes this mistake: never.
    #[cfg(not(feature = "reinjected-bugs"))]
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub const fn is(self, _bug: QuorumBug) -> bool {
        false
    }
}

/// B1: the vote is in the page cache, and nowhere else.
pub fn write_unflushed(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = storage.open(path, OpenMode::Create)?;
    file.write_at(&mut [IoSlice::new(bytes)], 0)
}

/// B5: each entry is gone before the one behind it.
pub fn wipe_entries(file: &dyn StorageFile, start: u64, ends: &[u64]) -> io::Result<()> {
    let mut from = start;
    for end in ends {
        let length = usize::try_from(end.saturating_sub(from)).unwrap_or_default();
        file.write_at(&mut [IoSlice::new(&vec![0; length])], from)?;
        file.sync_data()?;
        from = *end;
    }
    Ok(())
}
