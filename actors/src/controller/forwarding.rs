//! Passing a question on to the node that decides, wherever that is now: whoever asks here sees no
//! difference, but for the time.
//!
//! The answer may get lost after the decision was agreed on, and the question is asked again then.
//! That is harmless: a registration is known by its incarnation, a change of in-sync replicas by its
//! partition epoch; and a topic that is created twice exists the second time, which Kafka's clients
//! have to live with too.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::BrokerId;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use super::question::{Agreed, AnyQuestion, NotAgreed};
use super::{ControllerMessage, Origin, Reply, remote};
use crate::broker::Broker;
use crate::metadata_quorum::{AskQuorum, QuorumAnswer, QuorumView};
use crate::peer_messages::PeerCaller;

/// How long until another node is asked, or the same again.
const RETRY: Duration = Duration::from_millis(50);

/// How long another voter may take to say who decides.
const HEARSAY_DEADLINE: Duration = Duration::from_millis(100);

/// How long one node may take to answer, and how long answers are looked for at all.
struct Patience {
    answer: Duration,
    whole: Duration,
}

impl Patience {
    /// What is repeated by whoever asks is given up soon.
    const fn with(question: &AnyQuestion) -> Self {
        let (answer, whole) = match question {
            AnyQuestion::Heartbeat(_) => (300, 300),
            AnyQuestion::ReportReplica(_) | AnyQuestion::ChangeInSyncReplicas(_) => (2000, 2000),
            AnyQuestion::RegisterBroker(_) | AnyQuestion::AllocateProducerIds(_) => (2000, 5000),
            AnyQuestion::CreateTopics(_)
            | AnyQuestion::AutoCreateTopics(_)
            | AnyQuestion::DeleteTopics(_)
            | AnyQuestion::CreatePartitions(_)
            | AnyQuestion::ChangeSettings(_)
            | AnyQuestion::ReplaceSettings(_)
            | AnyQuestion::ElectLeaders(_)
            | AnyQuestion::Reassign(_)
            | AnyQuestion::UnregisterBroker(_) => (10_000, 30_000),
        };
        Self { answer: Duration::from_millis(answer), whole: Duration::from_millis(whole) }
    }
}

/// Asks whoever decides, in a task of its own.
pub(super) fn forward(broker: &Arc<Broker>, question: AnyQuestion, reply: Reply) {
    let broker = Arc::clone(broker);
    tokio::spawn(async move {
        let patience = Patience::with(&question);
        let deadline = Instant::now() + patience.whole;
        match timeout_at(deadline, look_for(&broker, &question, &reply, patience.answer)).await {
            Ok(Found::Answer(agreed)) => {
                // who was answered reads no less here either
                let shown = timeout_at(deadline, broker.image.reached(agreed.index)).await;
                let _ = reply.send(shown.map(|()| agreed).map_err(|_| NotAgreed));
            }
            Ok(Found::Here) => {
                let origin = Origin::Here;
                let _ = broker.controller.send(ControllerMessage::Ask { question, origin, reply });
            }
            Ok(Found::NobodyWaits) | Err(_) => drop(reply.send(Err(NotAgreed))),
        }
    });
}

enum Found {
    Answer(Agreed),
    /// This node decides by now.
    Here,
    NobodyWaits,
}

async fn look_for(
    broker: &Arc<Broker>,
    question: &AnyQuestion,
    reply: &Reply,
    answer_within: Duration,
) -> Found {
    let caller = broker.peer_caller();
    let mut views = broker.quorum.subscribe();
    loop {
        let view = Arc::clone(&views.borrow_and_update());
        let leader = match broker.file_work.is_hung() {
            true => leader_by_hearsay(broker, &caller, &view).await.or(view.leader),
            false => view.leader,
        };
        match leader {
            Some(leader) if leader == broker.id && view.active_term.is_some() => {
                return Found::Here;
            }
            Some(leader) if leader != broker.id => {
                match remote::ask_peer(&caller, leader, question, answer_within).await {
                    Ok(Some(agreed)) => return Found::Answer(agreed),
                    Ok(None) => debug!(%leader, "does not decide, or could not"),
                    Err(error) if error.is_retryable() => debug!(%leader, %error, "no answer"),
                    Err(error) => {
                        debug!(%leader, %error, "no answer ever");
                        return Found::NobodyWaits;
                    }
                }
            }
            Some(_) | None => {}
        }
        // one that nobody waits for has had its try
        if reply.is_closed() {
            return Found::NobodyWaits;
        }
        let moved =
            views.wait_for(|now| now.leader != view.leader || now.active_term != view.active_term);
        // late or gone, the view is looked at again
        let _ = timeout(RETRY, moved).await;
    }
}

/// Who decides, as the other voters know: while the disk hangs this node's own log stands still, and
/// who was elected since is not in it.
async fn leader_by_hearsay(
    broker: &Broker,
    caller: &PeerCaller,
    view: &QuorumView,
) -> Option<BrokerId> {
    let others = view.voters.iter().map(|member| member.broker).filter(|id| *id != broker.id);
    let asked = others.map(|other| async move {
        let described = caller.ask(other, &AskQuorum::Describe, HEARSAY_DEADLINE).await;
        let decides = matches!(
            described,
            Ok(QuorumAnswer::Described(view)) if view.active_term.is_some()
        );
        decides.then_some(other)
    });
    join_all(asked).await.into_iter().flatten().next()
}
