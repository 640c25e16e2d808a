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

mod candidacy;
mod falling_silent;
mod joining;
mod opening;
mod quorum_entry;
mod quorum_file;
mod quorum_messages;
mod quorum_view;
mod quorum_voice;
mod raft_identity;
mod raft_log;
mod raft_network;
mod raft_state;
mod raft_types;
mod reinjected_bug;
mod snapshot_file;
mod snapshot_transfer;
mod view_watch;
mod voter_changes;
mod voter_keeper;
mod voter_plan;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::{DirectoryId, HostAndPort};
use openraft::Raft;
use openraft::error::{Fatal, RaftError};
use protocol::BrokerId;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, LeaseTable};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::candidacy::Candidacy;
use self::joining::Joining;
use self::opening::OpenedQuorum;
use self::quorum_entry::ProposedRecords;
pub use self::quorum_messages::{AskQuorum, QuorumAnswer, QuorumRefusal};
pub use self::quorum_view::{QuorumCell, QuorumMember, QuorumView};
use self::quorum_voice::{QuorumVoice, VoiceGuard};
use self::raft_identity::MemberAddress;
pub use self::raft_state::AppliedImage;
use self::raft_types::{EntryOutcome, QuorumTypes};
use self::view_watch::ViewWatch;
use self::voter_changes::VoterChanges;
use self::voter_keeper::VoterKeeper;
use crate::file_work::FileWork;
use crate::metadata_publisher::PublisherMessage;
use crate::metrics::QuorumMetrics;
use crate::peer_messages::PeerCaller;
use crate::ports::Ports;

/// How long the tasks of the incarnation before may take to let go of the directory.
const LEASE_DEADLINE: Duration = Duration::from_secs(10);

/// The largest proposal, in bytes (inclusive): an entry goes to the others in one message. Some
/// 30,000 changes of partitions.
pub const PROPOSAL_BYTES_MAX: usize = 3 << 20;

/// The time without a leader after which a voter stands for election, drawn between the two.
const ELECTION_TIMEOUT_MIN_MS: u64 = 300;
const ELECTION_TIMEOUT_MAX_MS: u64 = 500;
const HEARTBEAT_MS: u64 = 100;
/// After the leader's last message no voter votes for so long: the library has it as the longest
/// election timeout.
const LEASE: Duration = Duration::from_millis(ELECTION_TIMEOUT_MAX_MS);

/// Why a proposal was not agreed on, or not known to be.
#[derive(Clone, Debug, Error)]
pub enum ProposalError {
    /// The term has ended in which the proposal was decided: it has no effect and never will have.
    #[error("the proposal was decided in term {term}, which has ended")]
    OutOfTerm {
        /// Its term.
        term: u64,
    },
    /// The proposal does not fit into one entry, and never will.
    #[error("a proposal of {length} bytes is too long for one entry")]
    TooLong {
        /// Its length.
        length: usize,
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
    /// Whether a new directory begins a quorum of its own; else it joins one.
    pub founds: bool,
    /// Whom a node asks that belongs to no quorum yet.
    pub seeds: Vec<HostAndPort>,
    /// How many voters there should be: 1, 3 or 5.
    pub voters_wanted: usize,
    /// The way to the other nodes.
    pub caller: PeerCaller,
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
    /// What is counted of elections.
    pub metrics: QuorumMetrics,
    /// Whether the disk answers.
    pub file_work: FileWork,
    /// Who is told of it.
    pub publisher: Address<PublisherMessage>,
}

/// See the head of this file.
pub struct MetadataQuorum;

/// What the quorum knows.
pub struct QuorumState {
    raft: Raft<QuorumTypes>,
    /// Ended with this: each holds the library's handle, and so the directory.
    tasks: JoinSet<()>,
    _voice: VoiceGuard,
    _view: ViewWatch,
}

impl Actor for MetadataQuorum {
    type Msg = QuorumMessage;
    type State = QuorumState;
    type Arguments = QuorumArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let lease = arguments.leases.acquire(arguments.directory.clone(), LEASE_DEADLINE).await?;
        let opened = opening::open(&arguments, lease).await?;
        let raft = opened.raft.clone();
        let (cell, counted) = (arguments.cell.clone(), arguments.metrics.clone());
        let hung = arguments.file_work.subscribe();
        let view = ViewWatch::start(raft.metrics(), cell, counted, hung);
        let (cell, caller) = (arguments.cell.clone(), arguments.caller.clone());
        let changes = VoterChanges::new(raft.clone(), cell, caller);
        let (voice, guard) =
            VoiceGuard::publish(QuorumVoice::new(&opened, changes, &arguments.file_work));
        let mut tasks = spawn_tasks(&arguments, &opened, &voice);
        opening::found(&opened, &arguments).await?;
        tokio::select! {
            () = opening::catch_up(&arguments) => {}
            reason = opening::given_up(raft.metrics()) => return Err(reason.into()),
        }
        let metrics = raft.metrics();
        tasks.spawn(async move {
            let reason = opening::given_up(metrics).await;
            let _ = myself.cast(QuorumMessage::GaveUp(reason));
        });
        Ok(QuorumState { raft, tasks, _voice: guard, _view: view })
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
        &mut self,
        term: u64,
        records: Bytes,
        reply: oneshot::Sender<Result<u64, ProposalError>>,
        myself: ActorRef<QuorumMessage>,
    ) {
        let (raft, length) = (self.raft.clone(), records.len());
        if length > PROPOSAL_BYTES_MAX {
            let _ = reply.send(Err(ProposalError::TooLong { length }));
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
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

impl QuorumArguments {
    /// What the membership says of this node.
    fn address(&self) -> MemberAddress {
        MemberAddress {
            directory: Some(self.directory_id),
            address: self.caller.peers.local_address(),
            never_votes: false,
        }
    }
}

/// What runs beside the library, as long as the actor lives.
fn spawn_tasks(
    arguments: &QuorumArguments,
    opened: &OpenedQuorum,
    voice: &Arc<QuorumVoice>,
) -> JoinSet<()> {
    let OpenedQuorum { identity, raft, log } = opened;
    let raft_id = identity.raft_id;
    let mut tasks = JoinSet::new();
    let candidacy = Candidacy {
        raft_id,
        raft: raft.clone(),
        log: log.clone(),
        voice: Arc::clone(voice),
        caller: arguments.caller.clone(),
        rng: Arc::clone(&arguments.ports.rng),
        metrics: arguments.metrics.clone(),
        file_work: arguments.file_work.clone(),
    };
    tasks.spawn(candidacy.run());
    let (cell, hung) = (arguments.cell.clone(), arguments.file_work.subscribe());
    tasks.spawn(falling_silent::fall_silent(raft.clone(), cell, hung));
    let joining = Joining {
        raft_id,
        directory: arguments.directory_id,
        seeds: arguments.seeds.clone(),
        cell: arguments.cell.clone(),
        caller: arguments.caller.clone(),
    };
    tasks.spawn(joining.run());
    let keeper = VoterKeeper {
        raft_id,
        address: arguments.address(),
        voters_wanted: arguments.voters_wanted,
        metrics: raft.metrics(),
        voice: Arc::clone(voice),
        applied: Arc::clone(&arguments.applied),
        caller: arguments.caller.clone(),
    };
    tasks.spawn(keeper.run());
    tasks
}
