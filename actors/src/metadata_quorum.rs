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
mod raft_log;
mod raft_network;
mod raft_state;
mod raft_types;
mod snapshot_file;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::error::{Fatal, InitializeError, RaftError};
use openraft::{BasicNode, Config, Raft, RaftMetrics, SnapshotPolicy};
use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Lease, LeaseTable};
use thiserror::Error;
use tokio::sync::oneshot;

use self::quorum_file::QuorumFile;
use self::raft_log::RaftLog;
use self::raft_network::NoOtherVoters;
pub use self::raft_state::AppliedImage;
use self::raft_state::{RaftState, SnapshotFiles};
use self::raft_types::{ProposedRecords, QuorumTypes};
use self::snapshot_file::MetadataSnapshot;
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

/// Why a proposal was not agreed on, or not known to be.
#[derive(Clone, Debug, Error)]
pub enum ProposalError {
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
    /// The quorum's directory.
    pub directory: PathBuf,
    /// Who may own which directory.
    pub leases: LeaseTable<PathBuf>,
    /// The world.
    pub ports: Ports,
    /// Where the applied image is shown.
    pub applied: AppliedImage,
    /// Who is told of it.
    pub publisher: Address<PublisherMessage>,
}

/// See the head of this file.
pub struct MetadataQuorum;

/// What the quorum knows.
pub struct QuorumState {
    raft: Raft<QuorumTypes>,
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
        let raft = open(&arguments, lease).await?;
        found_alone(&raft, arguments.node).await?;
        catch_up(&raft, arguments.node).await?;
        Ok(QuorumState { raft })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            QuorumMessage::Propose { records, reply } => state.on_propose(records, reply, myself),
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
        records: Bytes,
        reply: oneshot::Sender<Result<u64, ProposalError>>,
        myself: ActorRef<QuorumMessage>,
    ) {
        let raft = self.raft.clone();
        tokio::spawn(async move {
            let written = raft.client_write(ProposedRecords(records)).await;
            if let Err(RaftError::Fatal(reason)) = &written {
                let _ = myself.cast(QuorumMessage::GaveUp(reason.clone()));
            }
            let agreed = written
                .map(|response| response.log_id.index)
                .map_err(|error| ProposalError::Refused { reason: error.to_string() });
            let _ = reply.send(agreed);
        });
    }
}

async fn open(
    arguments: &QuorumArguments,
    lease: Lease<PathBuf>,
) -> Result<Raft<QuorumTypes>, ActorProcessingErr> {
    let (storage, directory) = (arguments.ports.storage.clone(), arguments.directory.clone());
    let executor = arguments.ports.executor.clone();
    let files = SnapshotFiles {
        storage: storage.clone(),
        directory: directory.clone(),
        executor: executor.clone(),
    };
    let read = move || {
        let file = QuorumFile::open(storage.clone(), &directory)?;
        Ok::<_, quorum_file::QuorumFileError>((
            file,
            MetadataSnapshot::read(&*storage, &directory)?,
        ))
    };
    let opened = run_blocking(&*executor, read).await;
    let (file, snapshot) = opened.ok_or("the storage thread gave up")??;
    let (applied, publisher) = (arguments.applied.clone(), arguments.publisher.clone());
    let state = RaftState::open(snapshot, applied, publisher, files)?;
    let log = RaftLog::new(file, executor, lease);
    let node = u64::from(arguments.node.0.unsigned_abs());
    Ok(Raft::new(node, config()?, NoOtherVoters, log, state).await?)
}

fn config() -> Result<Arc<Config>, ActorProcessingErr> {
    let config = Config {
        cluster_name: "metadata".to_owned(),
        election_timeout_min: 300,
        election_timeout_max: 500,
        heartbeat_interval: 100,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(ENTRIES_PER_SNAPSHOT),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        ..Config::default()
    };
    Ok(Arc::new(config.validate()?))
}

/// A quorum without voters begins with this node alone; one that has voters goes on.
async fn found_alone(raft: &Raft<QuorumTypes>, node: BrokerId) -> Result<(), ActorProcessingErr> {
    if raft.is_initialized().await? {
        return Ok(());
    }
    let id = u64::from(node.0.unsigned_abs());
    match raft.initialize(BTreeMap::from([(id, BasicNode::new(""))])).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until this node leads and its image shows the whole log. Who starts after the quorum
/// decides by that image: on an older one the controller would found the cluster again.
async fn catch_up(raft: &Raft<QuorumTypes>, node: BrokerId) -> Result<(), ActorProcessingErr> {
    let id = u64::from(node.0.unsigned_abs());
    let is_done = move |metrics: &RaftMetrics<u64, BasicNode>| {
        let applied = metrics.last_applied.map(|place| place.index);
        metrics.current_leader == Some(id) && applied >= metrics.last_log_index
    };
    raft.wait(Some(CATCH_UP_DEADLINE)).metrics(is_done, "the log is applied").await?;
    Ok(())
}
