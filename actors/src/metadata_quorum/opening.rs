//! From the quorum's directory to a member that knows what was agreed on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{Fatal, InitializeError, RaftError};
use openraft::{BasicNode, Config, Raft, RaftMetrics, SnapshotPolicy};
use protocol::BrokerId;
use ractor::ActorProcessingErr;
use supervision::Lease;
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use super::quorum_file::{QuorumFile, QuorumFileError};
use super::quorum_messages::{AskQuorum, QuorumAnswer};
use super::raft_identity::{RaftIdentity, identify};
use super::raft_log::RaftLog;
use super::raft_network::PeerNetwork;
use super::raft_state::{RaftState, SnapshotFiles};
use super::raft_types::QuorumTypes;
use super::snapshot_file::MetadataSnapshot;
use super::{ELECTION_TIMEOUT_MAX_MS, ELECTION_TIMEOUT_MIN_MS, HEARTBEAT_MS, QuorumArguments};
use crate::ports::storage_executor::run_blocking;

/// Entries between two snapshots.
const ENTRIES_PER_SNAPSHOT: u64 = 5_000;
/// Entries that stay in the log after a snapshot, for members that lag a little.
const ENTRIES_KEPT: u64 = 1_000;
/// How long the leader may take to say how far the log is agreed on.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(1);
/// How often a node that starts says that it still waits.
const WAITING_NOTICE: Duration = Duration::from_secs(10);
/// How long a library that has given up is left alone: less often than the tree's patience.
const PAUSE_AFTER_GIVING_UP: Duration = Duration::from_secs(4);

/// A directory that belongs to no quorum and was told of none.
#[derive(Clone, Copy, Debug, Error)]
#[error("this node belongs to no quorum yet: start it with the address of a node to join")]
pub struct NobodyToJoin;

/// A quorum whose directory is open.
pub struct OpenedQuorum {
    /// Who it is.
    pub identity: RaftIdentity,
    /// The consensus.
    pub raft: Raft<QuorumTypes>,
    /// Its log.
    pub log: RaftLog,
}

/// Opens the directory and starts the library.
pub async fn open(
    arguments: &QuorumArguments,
    lease: Lease<PathBuf>,
) -> Result<OpenedQuorum, ActorProcessingErr> {
    let (node, founds) = (arguments.node, arguments.founds);
    let rng = Arc::clone(&arguments.ports.rng);
    let (storage, directory) = (arguments.ports.storage.clone(), arguments.directory.clone());
    let executor = arguments.ports.executor.clone();
    let files = SnapshotFiles {
        storage: storage.clone(),
        directory: directory.clone(),
        executor: executor.clone(),
    };
    let read = move || {
        let identity = identify(&*storage, &directory, node, founds, &*rng)?;
        let file = QuorumFile::open(storage.clone(), &directory)?;
        let snapshot = MetadataSnapshot::read(&*storage, &directory)?;
        Ok::<_, QuorumFileError>((identity, file, snapshot))
    };
    let opened = run_blocking(&*executor, read).await;
    let (identity, file, snapshot) = opened.ok_or("the storage thread gave up")??;
    let (applied, publisher) = (arguments.applied.clone(), arguments.publisher.clone());
    let state = RaftState::open(snapshot, applied, publisher, files)?;
    let log = RaftLog::new(file, executor, lease);
    let network = PeerNetwork { caller: arguments.caller.clone() };
    let raft = Raft::new(identity.raft_id, config()?, network, log.clone(), state).await?;
    Ok(OpenedQuorum { identity, raft, log })
}

fn config() -> Result<Arc<Config>, ActorProcessingErr> {
    let config = Config {
        cluster_name: "metadata".to_owned(),
        election_timeout_min: ELECTION_TIMEOUT_MIN_MS,
        election_timeout_max: ELECTION_TIMEOUT_MAX_MS,
        heartbeat_interval: HEARTBEAT_MS,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(ENTRIES_PER_SNAPSHOT),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        // see candidacy
        enable_elect: false,
        ..Config::default()
    };
    Ok(Arc::new(config.validate()?))
}

/// A quorum without voters begins with this node alone, if it is to found one; one that has voters
/// goes on.
pub async fn found(
    opened: &OpenedQuorum,
    arguments: &QuorumArguments,
) -> Result<(), ActorProcessingErr> {
    let OpenedQuorum { identity, raft, .. } = opened;
    if raft.is_initialized().await? {
        return Ok(());
    }
    if !identity.founds {
        let knows_some = !arguments.seeds.is_empty();
        return if knows_some { Ok(()) } else { Err(NobodyToJoin.into()) };
    }
    let (raft_id, address) = (identity.raft_id, arguments.address());
    let voters = BTreeMap::from([(raft_id, BasicNode::new(address.to_text()))]);
    arguments.metrics.elections_started.inc();
    match raft.initialize(voters).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits, for ever if need be, until this node knows a leader and its image shows what that had
/// agreed on when it was asked. Who starts after the quorum decides by that image.
pub async fn catch_up(arguments: &QuorumArguments) {
    let mut waiting = Box::pin(reach_leader(arguments));
    loop {
        match tokio::time::timeout(WAITING_NOTICE, &mut waiting).await {
            Ok(()) => return,
            Err(_) => {
                let view = arguments.cell.view();
                warn!(leader = ?view.leader, applied = ?view.applied, "waits for the quorum");
            }
        }
    }
}

/// Waits until the library has given up for good, most often because a file could not be written:
/// then it answers nobody, votes for nobody and hears of nothing until it is opened again. The pause
/// leaves a full disk time to be emptied before the tree's patience is spent.
pub async fn given_up(mut metrics: watch::Receiver<RaftMetrics<u64, BasicNode>>) -> Fatal<u64> {
    let over = metrics.wait_for(|report| report.running_state.is_err()).await;
    let reason = over.ok().and_then(|report| report.running_state.clone().err());
    tokio::time::sleep(PAUSE_AFTER_GIVING_UP).await;
    reason.unwrap_or(Fatal::Stopped)
}

async fn reach_leader(arguments: &QuorumArguments) {
    let mut views = arguments.cell.subscribe();
    loop {
        // the cell outlives the wait
        let known = views.wait_for(|view| view.leader.is_some() || view.active_term.is_some());
        let view = known.await.map(|view| Arc::clone(&view)).unwrap_or_default();
        if view.active_term.is_some() {
            return;
        }
        if let Some(index) = agreed_on(arguments, view.leader).await {
            let applied = views.wait_for(|view| view.applied >= Some(index));
            if tokio::time::timeout(WAITING_NOTICE, applied).await.is_ok() {
                return;
            }
        }
        let _ = tokio::time::timeout(Duration::from_millis(HEARTBEAT_MS), views.changed()).await;
    }
}

/// How far the leader has applied the log, while it is sure to lead.
async fn agreed_on(arguments: &QuorumArguments, leader: Option<BrokerId>) -> Option<u64> {
    let leader = leader.filter(|leader| *leader != arguments.node)?;
    let asked = arguments.caller.ask(leader, &AskQuorum::Describe, DESCRIBE_DEADLINE);
    match asked.await {
        Ok(QuorumAnswer::Described(view)) if view.active_term.is_some() => view.applied,
        _ => None,
    }
}
