//! One per partition that this node holds: the shell over `replication::Replica`, and the parent of
//! the partition's segment_writer.
//!
//! Supervised by `partitions`, one_for_one with backoff, then quarantine: a fault of one partition
//! is nobody else's. Sent to by sessions and group coordinators (appends), by the publisher (what
//! the controller decided), by feeds (what its followers ask), by fetchers (what its leader says), by
//! maintenance and by its writer. Sends to its writer, to the fetcher of its leader and to the
//! controller, and publishes a read view that everybody else reads without asking.
//!
//! ```text
//!                       ┌───asks the controller──┐
//! recovering ──recovered──▶ waiting for an epoch ──elected──▶ leading ◀──▶ following
//!     └──damaged──▶ asks to be taken out of the ISR, starts empty    (ends with its writer)
//! ```
//!
//! A restart keeps the files and the epochs led (in its place), and loses its machine: whoever
//! waited for an ack gets `NOT_LEADER_OR_FOLLOWER`, which clients retry. It comes back as a
//! non-leader and asks the controller for a new epoch, because its log may have lost what the old
//! epoch wrote. Its mailbox is bounded by the bytes pending that senders must hold. It never touches
//! a file, and never decides: the machine does.

mod appends;
mod following;
mod leadership;
mod leading;
mod opening;
mod own_messages;
mod repair;
mod showing;
mod writing;

pub use following::FollowingMessage;
pub use leadership::log_offsets;
pub use leading::LeadingMessage;
pub use opening::OpenError;
pub use own_messages::OwnMessage;
pub use writing::ReplicaFault;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use commit_log::{AppendError, CommitLog, LogDirectory, LogReader, LogResources};
use metadata::PartitionState;
use protocol::record_batch::BatchHeader;
use protocol::{BrokerId, ErrorCode, Offset};
use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr, SupervisionEvent};
use replication::{Acks, Effects, Moment, Refusal, Replica, Ticket};
use supervision::{Address, Counted, LeaseTable, OwnChild, OwnChildren, Status};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::broker::{Broker, Registration};
use crate::controller::ControllerMessage;
use crate::log_checkpoints::LogCheckpoints;
use crate::partition_directory::PartitionPlace;
use crate::ports::Ports;
use crate::segment_writer::{Cut, HeldBytes, LogLease, Poison, SegmentWriterMessage, WriterReport};

/// Where an append stands, or why it does not.
pub type AppendAnswer = Result<AppendPlace, AppendRefusal>;

/// Where an append stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendPlace {
    /// Offset of its first record; of the original's, if it was a duplicate.
    pub base_offset: Offset,
    /// The broker's time on it, where the topic is so set.
    pub log_append_time: Option<i64>,
    /// The first offset of the log.
    pub log_start_offset: Offset,
}

/// Why an append was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendRefusal {
    /// By the replication machine.
    #[error(transparent)]
    Replica(#[from] Refusal),
    /// By the log.
    #[error(transparent)]
    Log(#[from] AppendError),
}

impl AppendRefusal {
    /// What the client is told.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Replica(refusal) => refusal.error_code(),
            Self::Log(error) => error.error_code(),
        }
    }
}

/// A batch that somebody wants appended.
#[derive(Debug)]
pub struct AppendRequest {
    /// One whole batch, its checksum and counts checked.
    pub batch: Bytes,
    /// Its header.
    pub header: BatchHeader,
    /// What the sender waits for.
    pub acks: Acks,
    /// Memory that the batch holds until it is in the file.
    pub held: HeldBytes,
    /// When the sender stops waiting; `None` if it has its own patience.
    pub deadline: Option<Instant>,
    /// Where the answer goes. Dropped unanswered, it means that the replica ended.
    pub reply: oneshot::Sender<AppendAnswer>,
}

/// What a partition replica is told.
pub enum PartitionReplicaMessage {
    /// A session or a coordinator: append.
    Append(AppendRequest),
    /// From its writer.
    Writer(WriterReport),
    /// From a flush: everything below is on disk.
    Flushed(Offset),
    /// From the publisher or the controller: what the cluster agreed on about this partition.
    Decided(Arc<PartitionState>),
    /// From the publisher: the topic's settings changed; they are in the place.
    SettingsChanged,
    /// About its followers.
    Leading(LeadingMessage),
    /// From the fetcher of its leader.
    Following(FollowingMessage),
    /// From itself.
    Own(OwnMessage),
    /// A session: delete the records below this offset.
    DeleteRecords {
        /// The first offset to keep; [`Offset::UNKNOWN`] means the high watermark.
        offset: Offset,
        /// The log start offset afterwards.
        reply: oneshot::Sender<Result<Offset, ErrorCode>>,
    },
    /// Maintenance: delete what retention gives up. Ignored while it does not lead.
    ApplyRetention,
    /// An orderly stop: flush, close the log cleanly, say where it ends.
    Close {
        /// Told when the log is closed.
        reply: oneshot::Sender<()>,
    },
    /// For the failure demonstrations: fail as named, in the replica or in its writer.
    Poison {
        /// How.
        poison: Poison,
        /// Whether the writer fails, or the replica itself.
        in_writer: bool,
    },
}

/// Everything a replica is born with.
pub struct PartitionReplicaArguments {
    /// Its place.
    pub place: Arc<PartitionPlace>,
    /// The node.
    pub broker: Weak<Broker>,
    /// Its number.
    pub this_broker: BrokerId,
    /// Which start of the replica this is.
    pub incarnation: u64,
    /// The partition's directory.
    pub directory: PathBuf,
    /// The directory that it is in.
    pub log_directory: Arc<LogDirectory>,
    /// What the logs of the node share.
    pub resources: LogResources,
    /// What the directory's checkpoints know about the logs.
    pub checkpoints: Arc<LogCheckpoints>,
    /// The world.
    pub ports: Ports,
    /// Who may own which directory.
    pub leases: LeaseTable<PathBuf>,
    /// Who elects.
    pub controller: Address<ControllerMessage>,
    /// The node's registration.
    pub registration: Registration,
    /// What it shows in the tree.
    pub status: Status,
    /// Where it shows its writer.
    pub own_children: OwnChildren,
    /// How long a writer may be idle.
    pub writer_idle_after: Duration,
}

/// See the head of this file.
pub struct PartitionReplica;

/// Where the log is.
enum LogPlace {
    /// Being recovered; or lost, and the replica is about to end.
    Elsewhere,
    /// Here, without a writer; dormant but for a short time after a recovery.
    Dormant(Box<CommitLog>),
    /// With the writer.
    Writing(ActorRef<SegmentWriterMessage>),
    /// With the writer, or on a storage thread, and about to come back dormant.
    Retiring,
}

/// How long the incarnation before may take to let go of the directory.
const LEASE_DEADLINE: Duration = Duration::from_secs(30);

/// An append that waits for its answer.
struct Waiting {
    deadline: Option<Instant>,
    log_append_time: Option<i64>,
    reply: oneshot::Sender<AppendAnswer>,
}

type LagTimer = tokio::task::JoinHandle<Result<(), MessagingErr<Counted<PartitionReplicaMessage>>>>;

/// What a replica knows.
pub struct PartitionReplicaState {
    machine: Replica,
    effects: Effects,
    waiting: HashMap<Ticket, Waiting>,
    next_ticket: Ticket,
    /// Appends forwarded to the writer and not reported back.
    forwarded: usize,
    log: LogPlace,
    reader: Option<LogReader>,
    /// Messages that wait for the log to come back from a writer that retires.
    postponed: Vec<PartitionReplicaMessage>,
    /// Work for the writer, given at the end of each message.
    for_writer: Vec<SegmentWriterMessage>,
    /// Whether the writer finishes what it has, because the role is about to change.
    draining: bool,
    /// The batches of the answer that is being looked at.
    fetched: Bytes,
    /// What the fetcher was told.
    told_fetcher: following::ToldFetcher,
    /// The cut that the writer has been told to make.
    cutting: Option<Cut>,
    /// The newest decision of the controller.
    decided: Arc<PartitionState>,
    /// Where the leadership began.
    epoch_start_offset: Offset,
    published: showing::Published,
    lag_timer: Option<LagTimer>,
    watches_deadlines: bool,
    waits_for_election: bool,
    elections_asked: u32,
    /// Whether the log that is being opened is opened for the first time in this process: what its
    /// replica is worth after a crash, the registration has told.
    opens_first: bool,
    /// The writer's place in the tree.
    shown_writer: Option<OwnChild>,
    origin: Instant,
    myself: ActorRef<Counted<PartitionReplicaMessage>>,
    arguments: PartitionReplicaArguments,
    /// Last: the next incarnation opens the log when this is dropped.
    lease: LogLease,
}

impl Actor for PartitionReplica {
    type Msg = Counted<PartitionReplicaMessage>;
    type State = PartitionReplicaState;
    type Arguments = PartitionReplicaArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let directory = arguments.directory.clone();
        let lease = arguments.leases.acquire(directory, LEASE_DEADLINE).await?;
        let mut state = PartitionReplicaState {
            machine: Replica::restarted(arguments.place.last_told_epoch()),
            effects: Effects::new(),
            waiting: HashMap::new(),
            next_ticket: 0,
            forwarded: 0,
            log: LogPlace::Elsewhere,
            reader: None,
            postponed: Vec::new(),
            for_writer: Vec::new(),
            draining: false,
            fetched: Bytes::new(),
            told_fetcher: following::ToldFetcher::default(),
            cutting: None,
            decided: arguments.place.decided(),
            epoch_start_offset: Offset::ZERO,
            published: showing::Published::nothing(arguments.place.settings().followers_serve),
            lag_timer: None,
            watches_deadlines: false,
            waits_for_election: false,
            elections_asked: 0,
            opens_first: false,
            shown_writer: None,
            origin: Instant::now(),
            myself,
            arguments,
            lease,
        };
        state.start_opening();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_message(message.open(), &myself).await?;
        state.hand_to_writer(&myself).await
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            // the only child is the writer: its failure is this replica's
            SupervisionEvent::ActorFailed(_, error) => {
                state.on_writer_failed(&error);
                Err(error)
            }
            SupervisionEvent::ActorTerminated(_, _, reason) => state.on_writer_ended(reason),
            _ => Ok(()),
        }
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.disarm_lag_deadline();
        state.refuse_all();
        Ok(())
    }
}

impl Drop for PartitionReplicaState {
    /// However the replica ends, its picture goes with it; and before the lease does, so that the
    /// next incarnation's picture stays.
    fn drop(&mut self) {
        self.arguments.place.close();
        self.arguments.place.note_log_end(Offset::UNKNOWN);
    }
}

impl PartitionReplicaState {
    async fn on_message(
        &mut self,
        message: PartitionReplicaMessage,
        myself: &ActorRef<Counted<PartitionReplicaMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        use PartitionReplicaMessage as Message;
        match message {
            Message::Append(request) => self.on_append(request, myself).await?,
            Message::Writer(report) => self.on_writer_report(report)?,
            Message::Flushed(offset) => self.on_flushed(offset),
            Message::Decided(state) => self.on_decided(state),
            Message::SettingsChanged => self.on_settings_changed(),
            Message::Leading(message) => self.on_leading(message),
            Message::Following(message) => self.on_following(message),
            Message::Own(message) => self.on_own(message)?,
            Message::DeleteRecords { offset, reply } => {
                self.on_delete_records(offset, reply, myself).await?;
            }
            Message::ApplyRetention => self.on_apply_retention(myself).await?,
            Message::Close { reply } => self.on_close(reply)?,
            Message::Poison { poison, in_writer } => {
                self.on_poison(poison, in_writer, myself).await?;
            }
        }
        Ok(())
    }

    /// Time for the machine: since this replica started.
    fn now(&self) -> Moment {
        Moment::new(self.origin.elapsed())
    }
}
