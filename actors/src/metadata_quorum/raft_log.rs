//! The consensus library's log storage over [`QuorumFile`]. File work runs on storage threads, one
//! piece at a time.

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::PathBuf;
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    AnyError, Entry, ErrorSubject, ErrorVerb, LogId, LogState, OptionalSend, RaftLogReader,
    StorageError, StorageIOError, Vote,
};
use supervision::Lease;
use tokio::sync::Mutex;

use super::quorum_file::{EntryPlace, QuorumFile, QuorumFileError};
use super::raft_types::{
    QuorumTypes, entry_place, from_entry, from_vote, log_id, to_entry, to_vote,
};
use crate::ports::storage_executor::{StorageExecutor, run_blocking};

/// Entries handed to one replication message at most.
const ENTRIES_READ_MAX: u64 = 256;
/// Bytes of entries in one replication message; a longer first entry goes alone.
const ENTRY_BYTES_READ_MAX: u64 = 1 << 20;

/// The log, shared by the library's tasks.
#[derive(Clone)]
pub struct RaftLog {
    file: Arc<Mutex<QuorumFile>>,
    executor: Arc<dyn StorageExecutor>,
    /// Last: the next incarnation opens the file when the library's tasks are gone.
    _lease: Lease<PathBuf>,
}

impl RaftLog {
    /// The log in an opened file.
    pub fn new(
        file: QuorumFile,
        executor: Arc<dyn StorageExecutor>,
        lease: Lease<PathBuf>,
    ) -> Self {
        Self { file: Arc::new(Mutex::new(file)), executor, _lease: lease }
    }

    /// The last entry. Waits for file work that is under way.
    pub async fn last(&self) -> Option<EntryPlace> {
        self.file.lock().await.last()
    }

    /// Runs file work on a storage thread, after all that was begun before.
    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut QuorumFile) -> Result<T, QuorumFileError> + Send + 'static,
    ) -> Result<T, AnyError> {
        let mut file = Arc::clone(&self.file).lock_owned().await;
        let done = run_blocking(&*self.executor, move || work(&mut file)).await;
        match done {
            Some(outcome) => outcome.map_err(|error| AnyError::new(&error)),
            None => Err(AnyError::error("the storage thread gave up")),
        }
    }
}

fn failed(subject: ErrorSubject<u64>, verb: ErrorVerb, error: AnyError) -> StorageError<u64> {
    StorageError::IO { source: StorageIOError::new(subject, verb, error) }
}

impl RaftLogReader<QuorumTypes> for RaftLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry<QuorumTypes>>, StorageError<u64>> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        Ok(self.file.lock().await.entries(from, to).map(to_entry).collect())
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<QuorumTypes>>, StorageError<u64>> {
        let end = end.min(start.saturating_add(ENTRIES_READ_MAX));
        let file = self.file.lock().await;
        Ok(file.entries_within(start, end, ENTRY_BYTES_READ_MAX).map(to_entry).collect())
    }
}

impl RaftLogStorage<QuorumTypes> for RaftLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<QuorumTypes>, StorageError<u64>> {
        let file = self.file.lock().await;
        Ok(LogState {
            last_purged_log_id: file.purged().map(log_id),
            last_log_id: file.last().map(log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let vote = from_vote(vote);
        let saved = self.with_file(move |file| file.save_vote(vote)).await;
        saved.map_err(|error| failed(ErrorSubject::Vote, ErrorVerb::Write, error))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        Ok(self.file.lock().await.vote().map(to_vote))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<QuorumTypes>,
    ) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<QuorumTypes>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().map(from_entry).collect();
        let appended = self.with_file(move |file| file.append(entries)).await;
        let told = match &appended {
            Ok(()) => Ok(()),
            Err(error) => Err(std::io::Error::other(error.clone())),
        };
        callback.log_io_completed(told);
        appended.map_err(|error| failed(ErrorSubject::Logs, ErrorVerb::Write, error))
    }

    async fn truncate(&mut self, from: LogId<u64>) -> Result<(), StorageError<u64>> {
        let cut = self.with_file(move |file| file.truncate_from(from.index)).await;
        cut.map_err(|error| failed(ErrorSubject::Log(from), ErrorVerb::Delete, error))
    }

    async fn purge(&mut self, last: LogId<u64>) -> Result<(), StorageError<u64>> {
        let purged = self.with_file(move |file| file.purge(entry_place(last))).await;
        purged.map_err(|error| failed(ErrorSubject::Log(last), ErrorVerb::Delete, error))
    }
}
