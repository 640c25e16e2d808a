//! Answers the other members. It is reached through the [`QuorumCell`] without the actor's mailbox,
//! because a vote or a heartbeat must not wait behind anything; it lives and dies with the actor.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openraft::error::{Fatal, RaftError};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{Raft, Snapshot};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::LEASE;
use super::opening::OpenedQuorum;
use super::quorum_file::EntryPlace;
use super::quorum_messages::{
    AppendAnswer, AppendEntries, AskQuorum, InstallSnapshot, JoinAnswer, JoinCluster, QuorumAnswer,
    SnapshotAnswer, Vote, VoteAnswer,
};
use super::quorum_view::QuorumCell;
use super::raft_log::RaftLog;
use super::raft_state::snapshot_meta;
use super::raft_types::{QuorumTypes, entry_place, from_vote, log_id, to_entry, to_vote};
use super::snapshot_file::MetadataSnapshot;
use super::snapshot_transfer::{IncomingSnapshot, PieceTaken};
use super::voter_changes::VoterChanges;
use crate::file_work::FileWork;
use crate::peer_messages::{AnswerStatus, MessageKind};
use crate::peer_service::{PeerReply, read, write};
use crate::ports::peers::PeerIdentity;

/// How long an answer may take, longer than any asker waits.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// See the head of this file.
pub struct QuorumVoice {
    raft_id: u64,
    raft: Raft<QuorumTypes>,
    log: RaftLog,
    cell: QuorumCell,
    changes: VoterChanges,
    incoming: AsyncMutex<IncomingSnapshot>,
    heard: Mutex<Option<Instant>>,
    file_work: FileWork,
}

impl QuorumVoice {
    /// The voice of a member.
    pub fn new(opened: &OpenedQuorum, changes: VoterChanges, file_work: &FileWork) -> Self {
        let cell = changes.cell.clone();
        let (incoming, heard) = (AsyncMutex::default(), Mutex::new(None));
        let (raft_id, raft) = (opened.identity.raft_id, opened.raft.clone());
        let (log, file_work) = (opened.log.clone(), file_work.clone());
        Self { raft_id, raft, log, cell, changes, incoming, heard, file_work }
    }

    /// Where the quorum is shown.
    pub const fn cell(&self) -> &QuorumCell {
        &self.cell
    }

    /// Changes of the members.
    pub const fn changes(&self) -> &VoterChanges {
        &self.changes
    }

    /// When a leader was last heard.
    pub fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Answers one message of the quorum's kinds.
    ///
    /// # Errors
    /// The status that the asker gets instead of an answer.
    pub async fn answer(&self, kind: MessageKind, from: PeerIdentity, body: Bytes) -> PeerReply {
        let answering = async {
            match kind {
                MessageKind::Vote => write(&self.on_vote(read(body)?).await?),
                MessageKind::AppendEntries => write(&self.on_entries(read(body)?).await?),
                MessageKind::InstallSnapshot => write(&self.on_piece(read(body)?).await?),
                MessageKind::JoinCluster => write(&self.on_join(from, read(body)?).await),
                MessageKind::AskQuorum => write(&self.on_question(read(body)?).await?),
                _ => Err(AnswerStatus::Unknown),
            }
        };
        let answered = tokio::time::timeout(ANSWER_DEADLINE, answering).await;
        answered.unwrap_or(Err(AnswerStatus::NotNow))
    }

    /// A node with a new directory is another member.
    fn check_addressee(&self, to: u64) -> Result<(), AnswerStatus> {
        if to == self.raft_id { Ok(()) } else { Err(AnswerStatus::Misdirected) }
    }

    async fn on_vote(&self, question: Vote) -> Result<VoteAnswer, AnswerStatus> {
        self.check_addressee(question.to)?;
        let request = VoteRequest::new(to_vote(question.vote), question.last.map(log_id));
        let answer = self.raft.vote(request).await.map_err(not_now)?;
        let last = answer.last_log_id.map(entry_place);
        Ok(VoteAnswer { vote: from_vote(&answer.vote), is_granted: answer.vote_granted, last })
    }

    async fn on_entries(&self, message: AppendEntries) -> Result<AppendAnswer, AnswerStatus> {
        self.check_addressee(message.to)?;
        let request = AppendEntriesRequest {
            vote: to_vote(message.vote),
            prev_log_id: message.previous.map(log_id),
            entries: message.entries.iter().map(to_entry).collect(),
            leader_commit: message.committed.map(log_id),
        };
        let answer = match self.raft.append_entries(request).await.map_err(not_now)? {
            AppendEntriesResponse::HigherVote(vote) => {
                return Ok(AppendAnswer::HigherVote(from_vote(&vote)));
            }
            AppendEntriesResponse::Success => AppendAnswer::Appended,
            AppendEntriesResponse::PartialSuccess(place) => {
                AppendAnswer::AppendedTo(place.map(entry_place))
            }
            AppendEntriesResponse::Conflict => AppendAnswer::Conflict,
        };
        self.hear();
        Ok(answer)
    }

    async fn on_piece(&self, piece: InstallSnapshot) -> Result<SnapshotAnswer, AnswerStatus> {
        self.check_addressee(piece.head.to)?;
        let whole = match self.incoming.lock().await.take(&piece) {
            PieceTaken::Next(offset) => return Ok(SnapshotAnswer::Next { offset }),
            PieceTaken::Whole(whole) => whole,
            PieceTaken::Damaged => {
                warn!(leader = ?piece.head.vote, "a snapshot arrived damaged; it is asked for again");
                return Ok(SnapshotAnswer::Next { offset: 0 });
            }
        };
        let Some(snapshot) = MetadataSnapshot::decode(whole.clone()) else {
            warn!(leader = ?piece.head.vote, "a snapshot arrived that cannot be read");
            return Err(AnswerStatus::Unreadable);
        };
        let snapshot = Snapshot { meta: snapshot_meta(&snapshot), snapshot: Box::new(whole) };
        let installed = self.raft.install_full_snapshot(to_vote(piece.head.vote), snapshot).await;
        let answer = installed.map_err(|fatal| not_now(RaftError::Fatal(fatal)))?;
        self.hear();
        Ok(SnapshotAnswer::Installed { vote: from_vote(&answer.vote) })
    }

    async fn on_join(&self, from: PeerIdentity, wish: JoinCluster) -> JoinAnswer {
        debug!(node = %from.node, ?wish, "a node wants to join");
        self.changes.join(from, wish).await
    }

    /// Answers a question about the quorum, of another node or of this one.
    ///
    /// # Errors
    /// The status that another node gets instead of an answer.
    pub async fn on_question(&self, question: AskQuorum) -> Result<QuorumAnswer, AnswerStatus> {
        let changed = match question {
            AskQuorum::Describe => {
                return Ok(QuorumAnswer::Described(self.cell.view().as_ref().clone()));
            }
            AskQuorum::WouldVote { to, last } => {
                self.check_addressee(to)?;
                return Ok(QuorumAnswer::WouldVote(self.would_vote(last).await));
            }
            AskQuorum::AddVoter { broker, directory } => {
                self.changes.add_voter(broker, directory).await
            }
            AskQuorum::RemoveVoter { broker, directory } => {
                self.changes.remove_voter(broker, directory).await
            }
        };
        Ok(changed.map_or_else(QuorumAnswer::Refused, |()| QuorumAnswer::Changed))
    }

    /// Whether no leader has been heard for the lease, the candidate misses nothing, and the vote
    /// could be written down.
    async fn would_vote(&self, last: Option<EntryPlace>) -> bool {
        let is_served = self.heard().is_some_and(|heard| heard.elapsed() <= LEASE);
        if is_served || self.file_work.is_hung() || self.cell.view().active_term.is_some() {
            return false;
        }
        last.map(log_id) >= self.log.last().await.map(log_id)
    }
}

/// The quorum of this node is not there, or going down.
fn not_now(error: RaftError<u64>) -> AnswerStatus {
    match error {
        RaftError::Fatal(Fatal::Stopped) => {}
        error => warn!(%error, "the quorum could not answer"),
    }
    AnswerStatus::NotNow
}

/// Takes the voice out of its cell with the actor.
pub struct VoiceGuard {
    cell: QuorumCell,
}

impl VoiceGuard {
    /// Lets a voice be heard.
    pub fn publish(voice: QuorumVoice) -> (Arc<QuorumVoice>, Self) {
        let cell = voice.cell.clone();
        let voice = Arc::new(voice);
        cell.set_voice(Some(Arc::clone(&voice)));
        (voice, Self { cell })
    }
}

impl Drop for VoiceGuard {
    fn drop(&mut self) {
        self.cell.set_voice(None);
    }
}
