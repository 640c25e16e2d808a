//! The consensus library's state machine: the cluster image. Applying an entry changes a copy that
//! shares its structure and hands it to the publisher; a snapshot is written to one file.

#![allow(clippy::result_large_err, reason = "the library's traits fix the error type")]

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use commit_log::Storage;
use metadata::image::ClusterImage;
use metadata::wire::{decode_records, decode_snapshot, encode_snapshot};
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, BasicNode, Entry, EntryPayload, ErrorSubject, ErrorVerb, LogId, OptionalSend,
    RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError, StorageIOError, StoredMembership,
};
use supervision::Address;

use super::quorum_entry::{ProposedRecords, QuorumMembership};
use super::quorum_file::EntryPlace;
use super::raft_types::{
    EntryOutcome, QuorumTypes, entry_place, from_membership, log_id, stored_membership,
};
use super::snapshot_file::MetadataSnapshot;
use crate::metadata_publisher::PublisherMessage;
use crate::ports::storage_executor::{StorageExecutor, run_blocking};

/// The image as far as it is applied; read by the publisher.
pub type AppliedImage = Arc<ArcSwap<ClusterImage>>;

/// The state machine.
pub struct RaftState {
    applied: Option<EntryPlace>,
    membership_place: Option<EntryPlace>,
    membership: QuorumMembership,
    image: AppliedImage,
    publisher: Address<PublisherMessage>,
    files: SnapshotFiles,
}

/// Where snapshots are kept.
#[derive(Clone)]
pub struct SnapshotFiles {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// The quorum's directory.
    pub directory: PathBuf,
    /// Where file work runs.
    pub executor: Arc<dyn StorageExecutor>,
}

fn failed(verb: ErrorVerb, error: &(impl std::error::Error + 'static)) -> StorageError<u64> {
    let error = AnyError::new(error);
    StorageError::IO { source: StorageIOError::new(ErrorSubject::StateMachine, verb, error) }
}

impl RaftState {
    /// The state in `snapshot`, or the empty one.
    ///
    /// # Errors
    /// When the snapshot's image cannot be decoded.
    pub fn open(
        snapshot: Option<MetadataSnapshot>,
        image: AppliedImage,
        publisher: Address<PublisherMessage>,
        files: SnapshotFiles,
    ) -> Result<Self, metadata::wire::WireError> {
        let mut state = Self {
            applied: None,
            membership_place: None,
            membership: Default::default(),
            image,
            publisher,
            files,
        };
        state.image.store(Arc::new(ClusterImage::empty()));
        if let Some(snapshot) = snapshot {
            state.restore(&snapshot)?;
        }
        Ok(state)
    }

    fn restore(&mut self, snapshot: &MetadataSnapshot) -> Result<(), metadata::wire::WireError> {
        let image = decode_snapshot(&snapshot.image)?;
        self.applied = snapshot.last;
        self.membership_place = snapshot.membership_place;
        self.membership = snapshot.membership.clone();
        self.show(image);
        Ok(())
    }

    fn show(&self, image: ClusterImage) {
        self.image.store(Arc::new(image));
        // a publisher that is just being restarted looks at the image itself when it is up
        let _ = self.publisher.send(PublisherMessage::Applied);
    }

    fn apply_one(
        &mut self,
        image: &mut ClusterImage,
        entry: Entry<QuorumTypes>,
    ) -> Result<EntryOutcome, StorageError<u64>> {
        let place = entry_place(entry.log_id);
        let mut outcome = EntryOutcome::Applied;
        match entry.payload {
            EntryPayload::Blank => image.advance_to(place.index),
            EntryPayload::Normal(proposed) if is_out_of_term(&proposed, place) => {
                outcome = EntryOutcome::OutOfTerm;
                image.advance_to(place.index);
            }
            EntryPayload::Normal(proposed) => {
                let records = decode_records(&proposed.records);
                let records = records.map_err(|error| failed(ErrorVerb::Read, &error))?;
                let applied = image.apply_entry(place.index, &records);
                (*image, _) = applied.map_err(|error| failed(ErrorVerb::Write, &error))?;
            }
            EntryPayload::Membership(membership) => {
                self.membership_place = Some(place);
                self.membership = from_membership(&membership);
                image.advance_to(place.index);
            }
        }
        self.applied = Some(place);
        Ok(outcome)
    }

    fn snapshot(&self) -> Result<MetadataSnapshot, StorageError<u64>> {
        let image =
            encode_snapshot(&self.image.load()).map_err(|error| failed(ErrorVerb::Read, &error))?;
        Ok(MetadataSnapshot {
            last: self.applied,
            membership_place: self.membership_place,
            membership: self.membership.clone(),
            image: Bytes::from(image),
        })
    }
}

/// The same on every node: both terms are in the entry.
fn is_out_of_term(proposed: &ProposedRecords, place: EntryPlace) -> bool {
    proposed.decided_in.is_some_and(|term| term != place.term)
}

/// What the consensus library wants to know of a snapshot.
pub fn snapshot_meta(snapshot: &MetadataSnapshot) -> SnapshotMeta<u64, BasicNode> {
    let place = snapshot.last.unwrap_or_default();
    SnapshotMeta {
        last_log_id: snapshot.last.map(log_id),
        last_membership: stored_membership(snapshot.membership_place, &snapshot.membership),
        snapshot_id: format!("{}-{}-{}", place.term, place.leader, place.index),
    }
}

impl SnapshotFiles {
    async fn write(&self, snapshot: MetadataSnapshot) -> Result<(), StorageError<u64>> {
        let files = self.clone();
        let write = move || snapshot.write(&*files.storage, &files.directory);
        match run_blocking(&*self.executor, write).await {
            Some(written) => written.map_err(|error| failed(ErrorVerb::Write, &error)),
            None => Err(failed(ErrorVerb::Write, &std::io::Error::other("no storage thread"))),
        }
    }

    async fn read(&self) -> Result<Option<MetadataSnapshot>, StorageError<u64>> {
        let files = self.clone();
        let read = move || MetadataSnapshot::read(&*files.storage, &files.directory);
        match run_blocking(&*self.executor, read).await {
            Some(read) => read.map_err(|error| failed(ErrorVerb::Read, &error)),
            None => Err(failed(ErrorVerb::Read, &std::io::Error::other("no storage thread"))),
        }
    }
}

/// Writes one snapshot, of the state as it was when this was made.
pub struct SnapshotBuilder {
    snapshot: Result<MetadataSnapshot, StorageError<u64>>,
    files: SnapshotFiles,
}

impl RaftSnapshotBuilder<QuorumTypes> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<QuorumTypes>, StorageError<u64>> {
        let snapshot = self.snapshot.clone()?;
        self.files.write(snapshot.clone()).await?;
        Ok(Snapshot { meta: snapshot_meta(&snapshot), snapshot: Box::new(snapshot.encode()) })
    }
}

impl RaftStateMachine<QuorumTypes> for RaftState {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>), StorageError<u64>> {
        let membership = stored_membership(self.membership_place, &self.membership);
        Ok((self.applied.map(log_id), membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<EntryOutcome>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<QuorumTypes>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut image = ClusterImage::clone(&self.image.load());
        let mut answers = Vec::new();
        for entry in entries {
            answers.push(self.apply_one(&mut image, entry)?);
        }
        self.show(image);
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        SnapshotBuilder { snapshot: self.snapshot(), files: self.files.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Bytes>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<u64, BasicNode>,
        snapshot: Box<Bytes>,
    ) -> Result<(), StorageError<u64>> {
        let damaged = || std::io::Error::new(std::io::ErrorKind::InvalidData, "damaged snapshot");
        let snapshot = MetadataSnapshot::decode(*snapshot)
            .ok_or_else(|| failed(ErrorVerb::Read, &damaged()))?;
        self.restore(&snapshot).map_err(|error| failed(ErrorVerb::Read, &error))?;
        self.files.write(snapshot).await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<Snapshot<QuorumTypes>>, StorageError<u64>> {
        let snapshot = self.files.read().await?;
        Ok(snapshot.map(|snapshot| Snapshot {
            meta: snapshot_meta(&snapshot),
            snapshot: Box::new(snapshot.encode()),
        }))
    }
}
