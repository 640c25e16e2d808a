//! What this node knows of the metadata quorum, published for whoever asks: no actor is asked.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use metadata::{DirectoryId, HostAndPort};
use protocol::BrokerId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::quorum_messages::{AskQuorum, QuorumAnswer, QuorumRefusal};
use super::quorum_voice::QuorumVoice;
use crate::peer_messages::{AnswerStatus, MessageKind};
use crate::peer_service::PeerReply;
use crate::ports::peers::PeerIdentity;

/// The quorum as this node sees it now. Another node may know better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumView {
    /// The latest term that this node has heard of.
    pub term: u64,
    /// Who leads that term, as far as known.
    pub leader: Option<BrokerId>,
    /// The term in which this node leads *and* its applied image shows everything that was agreed
    /// on before, *and* a majority has answered it of late. Only then its controller may decide,
    /// and what it decides is proposed for this term alone.
    pub active_term: Option<u64>,
    /// The index of the last entry in this node's log.
    pub last: Option<u64>,
    /// The index of the last entry that this node has applied; all up to it is agreed on.
    pub applied: Option<u64>,
    /// Whether the voters are being changed: majorities of the old and of the new ones must agree
    /// until it is done.
    pub is_changing: bool,
    /// Who votes, by number.
    pub voters: Vec<QuorumMember>,
    /// Who is fed the log without a vote, by number.
    pub observers: Vec<QuorumMember>,
}

/// One node of the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumMember {
    /// The node.
    pub broker: BrokerId,
    /// The data directory that holds its log; unknown where an older version founded it.
    pub directory: Option<DirectoryId>,
    /// Where other nodes reach it; unknown for a node that was founded alone.
    pub address: Option<HostAndPort>,
    /// The index of the last entry that is known to be in its log; known on the leader only.
    pub last: Option<u64>,
}

impl QuorumView {
    /// Whether this broker votes.
    #[must_use]
    pub fn is_voter(&self, broker: BrokerId) -> bool {
        self.voters.iter().any(|member| member.broker == broker)
    }

    /// Voters and observers.
    pub fn members(&self) -> impl Iterator<Item = &QuorumMember> {
        self.voters.iter().chain(&self.observers)
    }
}

/// Where the view is shown and the quorum is reached. It is empty while the quorum is down, so that
/// nobody decides then.
#[derive(Clone)]
pub struct QuorumCell {
    view: Arc<watch::Sender<Arc<QuorumView>>>,
    voice: Arc<ArcSwapOption<QuorumVoice>>,
}

impl fmt::Debug for QuorumCell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("QuorumCell").field(&self.view()).finish()
    }
}

impl Default for QuorumCell {
    fn default() -> Self {
        Self { view: Arc::new(watch::Sender::default()), voice: Arc::default() }
    }
}

impl QuorumCell {
    /// The view now.
    #[must_use]
    pub fn view(&self) -> Arc<QuorumView> {
        Arc::clone(&self.view.borrow())
    }

    /// The view as it changes. The cell outlives the quorum's incarnations.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<QuorumView>> {
        self.view.subscribe()
    }

    /// Answers one message of the quorum's kinds, from another node.
    ///
    /// # Errors
    /// The status that the asker gets instead of an answer.
    pub async fn answer(&self, kind: MessageKind, from: PeerIdentity, body: Bytes) -> PeerReply {
        let voice = self.voice.load_full().ok_or(AnswerStatus::NotNow)?;
        voice.answer(kind, from, body).await
    }

    /// Answers a question of this node. A change is made on the leader only; see
    /// [`QuorumRefusal::NotLeader`].
    pub async fn ask(&self, question: AskQuorum) -> QuorumAnswer {
        let Some(voice) = self.voice.load_full() else {
            return QuorumAnswer::Refused(QuorumRefusal::NotLeader);
        };
        let answered = voice.on_question(question).await;
        answered.unwrap_or(QuorumAnswer::Refused(QuorumRefusal::NotLeader))
    }

    pub(super) fn set_voice(&self, voice: Option<Arc<QuorumVoice>>) {
        self.voice.store(voice);
    }

    /// Shows a view; wakes whoever waits only if it is another one.
    pub(super) fn show(&self, view: QuorumView) {
        self.view.send_if_modified(|shown| {
            let changed = **shown != view;
            if changed {
                *shown = Arc::new(view);
            }
            changed
        });
    }
}
