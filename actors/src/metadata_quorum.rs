//! One per node: the node's voice in the metadata quorum, and owner of the quorum's log.
//!
//! Supervised by `cluster`, rest_for_one: publisher, controller and lifecycle stand on it. Sent to
//! by the controller only, which keeps one proposal under way. It hands what is agreed on to the
//! publisher. The consensus itself is openraft's, behind the types of this folder: no type of it
//! reaches the disk or another actor.
//!
//! ```text
//! controller ──Propose──▶ metadata_quorum ──(log, flush, votes)──▶ applied image ──▶ publisher
//! ```
//!
//! A restart keeps log, vote and snapshot, and loses nothing: whoever waited for a proposal is told
//! that its fate is unknown. The library's tasks hold the lease of the directory, so that the next
//! incarnation opens the log when they are gone. It decides nothing about the records.

mod quorum_entry;
mod quorum_file;
mod quorum_view;
mod raft_identity;
mod raft_log;
mod raft_network;
mod raft_state;
mod raft_types;
mod snapshot_file;
mod view_watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::DirectoryId;
use openraft::error::{Fatal, InitializeError, RaftError};
use openraft::{BasicNode, Config, Raft, SnapshotPolicy};
use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Lease, LeaseTable};
use thiserror::Error;
use tokio::sync::oneshot;

use self::quorum_entry::ProposedRecords;
use self::quorum_file::QuorumFile;
pub use self::quorum_view::{QuorumCell, QuorumMember, QuorumView};
use self::raft_identity::{MemberAddress, identify};
use self::raft_log::RaftLog;
use self::raft_network::NoOtherVoters;
pub use self::raft_state::AppliedImage;
use self::raft_state::{RaftState, SnapshotFiles};
use self::raft_types::{EntryOutcome, QuorumTypes};
use self::snapshot_file::MetadataSnapshot;
use self::view_watch::ViewWatch;
use crate::metadata_publisher::PublisherMessage;
use crate::ports::Ports;
use crate::ports::storage_executor::run_blocking;

/// Entries between two snapshots.
const ENTRIES_PER_SNAPSHOT: u64 = 5_000;
/// Entries that stay in the log after a snapshot, for voters that lag a little.
const ENTRIES_KEPT: u64 = 1_000;
/// How long the tasks of the incarnation before may take to let go of the directory.
const LEASE_DEADLINE: Duration = Duration::from_secs(10);

/// How long the log may take to be applied.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(60);

/// The time without a leader after which a voter stands for election, drawn between the two.
const ELECTION_TIMEOUT_MIN_MS: u64 = 300;
const ELECTION_TIMEOUT_MAX_MS: u64 = 500;
const HEARTBEAT_MS: u64 = 100;

/// Why a proposal was not agreed on, or not known to be.
#[derive(Clone, Debug, Error)]
pub enum ProposalError {
    /// The term has ended in which the proposal was decided: it has no effect and never will have.
    #[error("the proposal was decided in term {term}, which has ended")]
    OutOfTerm {
        /// Its term.
        term: u64,
    },
    /// This node does not lead the quorum, or stopped leading: the proposal may still be agreed on.
    #[error("the quorum did not take the proposal: {reason}")]
    Refused {
        /// What the quorum said.
        reason: String,
    },
}

/// What the quorum is told.
pub enum QuorumMessage {
    /// The controller: agree on these records, as one entry.
    Propose {
        /// The view's `active_term` when the controller began to decide; in another term the
        /// records never take effect.
        term: u64,
        /// The encoded batch.
        records: Bytes,
        /// The entry's index once it is applied here.
        reply: oneshot::Sender<Result<u64, ProposalError>>,
    },
    /// From itself: the library has given up for good, and only a restart mends it.
    GaveUp(Fatal<u64>),
}

impl ractor::Message for QuorumMessage {}

/// Everything the quorum is born with.
#[derive(Clone)]
pub struct QuorumArguments {
    /// This node.
    pub node: BrokerId,
    /// Its data directory's identity.
    pub directory_id: DirectoryId,
    /// The quorum's directory.
    pub directory: PathBuf,
    /// Who may own which directory.
    pub leases: LeaseTable<PathBuf>,
    /// The world.
    pub ports: Ports,
    /// Where the applied image is shown.
    pub applied: AppliedImage,
    /// Where the quorum itself is shown.
    pub cell: QuorumCell,
    /// Who is told of it.
    pub publisher: Address<PublisherMessage>,
}

/// See the head of this file.
pub struct MetadataQuorum;

/// What the quorum knows.
pub struct QuorumState {
    raft: Raft<QuorumTypes>,
    _view: ViewWatch,
}

impl Actor for MetadataQuorum {
    type Msg = QuorumMessage;
    type State = QuorumState;
    type Arguments = QuorumArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let lease = arguments.leases.acquire(arguments.directory.clone(), LEASE_DEADLINE).await?;
        let (raft_id, raft) = open(&arguments, lease).await?;
        let view = ViewWatch::start(raft.metrics(), arguments.cell.clone());
        found_alone(&raft, raft_id, arguments.directory_id).await?;
        catch_up(&arguments.cell).await?;
        Ok(QuorumState { raft, _view: view })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            QuorumMessage::Propose { term, records, reply } => {
                state.on_propose(term, records, reply, myself);
            }
            QuorumMessage::GaveUp(reason) => return Err(reason.into()),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children: the library's tasks are no actors
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.raft.shutdown().await?;
        Ok(())
    }
}

impl QuorumState {
    /// Proposes in a task of its own: agreement takes a flush, and the mailbox must not wait.
    fn on_propose(
        &self,
        term: u64,
        records: Bytes,
        reply: oneshot::Sender<Result<u64, ProposalError>>,
        myself: ActorRef<QuorumMessage>,
    ) {
        let raft = self.raft.clone();
        tokio::spawn(async move {
            let proposed = ProposedRecords { decided_in: Some(term), records };
            let written = raft.client_write(proposed).await;
            if let Err(RaftError::Fatal(reason)) = &written {
                let _ = myself.cast(QuorumMessage::GaveUp(reason.clone()));
            }
            let agreed = match written {
                Ok(response) if response.data == EntryOutcome::OutOfTerm => {
                    Err(ProposalError::OutOfTerm { term })
                }
                Ok(response) => Ok(response.log_id.index),
                Err(error) => Err(ProposalError::Refused { reason: error.to_string() }),
            };
            let _ = reply.send(agreed);
        });
    }
}

async fn open(
    arguments: &QuorumArguments,
    lease: Lease<PathBuf>,
) -> Result<(u64, Raft<QuorumTypes>), ActorProcessingErr> {
    let (node, directory_id) = (arguments.node, arguments.directory_id);
    let (storage, directory) = (arguments.ports.storage.clone(), arguments.directory.clone());
    let executor = arguments.ports.executor.clone();
    let files = SnapshotFiles {
        storage: storage.clone(),
        directory: directory.clone(),
        executor: executor.clone(),
    };
    let read = move || {
        let raft_id = identify(&*storage, &directory, node, directory_id)?;
        let file = QuorumFile::open(storage.clone(), &directory)?;
        let snapshot = MetadataSnapshot::read(&*storage, &directory)?;
        Ok::<_, quorum_file::QuorumFileError>((raft_id, file, snapshot))
    };
    let opened = run_blocking(&*executor, read).await;
    let (raft_id, file, snapshot) = opened.ok_or("the storage thread gave up")??;
    let (applied, publisher) = (arguments.applied.clone(), arguments.publisher.clone());
    let state = RaftState::open(snapshot, applied, publisher, files)?;
    let log = RaftLog::new(file, executor, lease);
    let raft = Raft::new(raft_id, config()?, NoOtherVoters, log, state).await?;
    Ok((raft_id, raft))
}

fn config() -> Result<Arc<Config>, ActorProcessingErr> {
    let config = Config {
        cluster_name: "metadata".to_owned(),
        election_timeout_min: ELECTION_TIMEOUT_MIN_MS,
        election_timeout_max: ELECTION_TIMEOUT_MAX_MS,
        heartbeat_interval: HEARTBEAT_MS,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(ENTRIES_PER_SNAPSHOT),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        ..Config::default()
    };
    Ok(Arc::new(config.validate()?))
}

/// A quorum without voters begins with this node alone; one that has voters goes on.
async fn found_alone(
    raft: &Raft<QuorumTypes>,
    raft_id: u64,
    directory: DirectoryId,
) -> Result<(), ActorProcessingErr> {
    if raft.is_initialized().await? {
        return Ok(());
    }
    let address = MemberAddress { directory: Some(directory), address: None };
    let voters = BTreeMap::from([(raft_id, BasicNode::new(address.to_text()))]);
    match raft.initialize(voters).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until this node leads and its image shows the whole log. Who starts after the quorum
/// decides by that image: on an older one the controller would found the cluster again.
async fn catch_up(cell: &QuorumCell) -> Result<(), ActorProcessingErr> {
    let mut views = cell.subscribe();
    let active = views.wait_for(|view| view.active_term.is_some());
    tokio::time::timeout(CATCH_UP_DEADLINE, active).await??;
    Ok(())
}
