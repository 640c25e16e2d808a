//! One active in the cluster: the shell over metadata's rules. It decides for everybody, one entry
//! of the metadata log at a time.
//!
//! Supervised by `cluster`, rest_for_one behind the quorum and the publisher. Sent to by sessions
//! (administration), by replicas (elections), by broker_lifecycle (registration) and by itself.
//! Sends to the quorum.
//!
//! ```text
//! requests … requests ─▶ ProposeDue: their records as one entry ─▶ quorum ─▶ Agreed ─▶ answers
//! ```
//!
//! While an entry is under way the next requests are decided on top of it and wait; an answer goes
//! out when the records are agreed on *and* this node's image shows them, so that who was answered
//! reads no less. If the quorum refuses, everything undecided is answered "ask again" and the rules
//! start over from the image. A restart loses what was not agreed on, and nobody was told of it.
//! Its mailbox is bounded by the sessions: one request each. It never waits for a disk.

use std::sync::Arc;

use bytes::Bytes;
use metadata::controller::Controller as Rules;
use metadata::wire::encode_records;
use metadata::{
    ClusterId, CreatedTopic, DeletedTopic, GivenSetting, LastUse, MetadataRecord, PartitionKey,
    PartitionState, PartitionsToAdd, Refusal, RegisterBroker, ReplicaReport, SettingOperation,
    SettingResource, TopicReference, TopicToCreate,
};
use protocol::{BrokerEpoch, BrokerId, TopicId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{Address, Counted};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::broker::Broker;
use crate::metadata_quorum::{AppliedImage, ProposalError, QuorumMessage};

/// Whether a decision came to be is unknown, or it surely did not: ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the controller could not get its decision agreed on")]
pub struct NotAgreed;

/// Where an answer of the controller goes.
pub type Answer<T> = oneshot::Sender<Result<T, NotAgreed>>;

/// What the controller is told.
pub enum ControllerMessage {
    /// A session: create topics.
    CreateTopics {
        /// Which.
        topics: Vec<TopicToCreate>,
        /// Whether only to say what would happen.
        validate_only: bool,
        /// One result a topic, in order.
        reply: Answer<Vec<Result<CreatedTopic, Refusal>>>,
    },
    /// A session: create topics that a client asked for, with the defaults.
    AutoCreateTopics {
        /// Their names.
        names: Vec<String>,
        /// One result a topic, in order.
        reply: Answer<Vec<Result<CreatedTopic, Refusal>>>,
    },
    /// A session: delete topics.
    DeleteTopics {
        /// Which.
        topics: Vec<TopicReference>,
        /// One result a topic, in order.
        reply: Answer<Vec<Result<DeletedTopic, Refusal>>>,
    },
    /// A session: add partitions.
    CreatePartitions {
        /// To which topics.
        topics: Vec<PartitionsToAdd>,
        /// Whether only to say what would happen.
        validate_only: bool,
        /// One result a topic, in order.
        reply: Answer<Vec<Result<(), Refusal>>>,
    },
    /// A session: change some settings of resources.
    ChangeSettings {
        /// Which, and how.
        changes: Vec<(SettingResource, Vec<SettingOperation>)>,
        /// Whether only to say what would happen.
        validate_only: bool,
        /// One result a resource, in order.
        reply: Answer<Vec<Result<(), Refusal>>>,
    },
    /// A session: replace all settings of resources.
    ReplaceSettings {
        /// Which, and by what.
        changes: Vec<(SettingResource, Vec<GivenSetting>)>,
        /// Whether only to say what would happen.
        validate_only: bool,
        /// One result a resource, in order.
        reply: Answer<Vec<Result<(), Refusal>>>,
    },
    /// A broker's lifecycle: this incarnation is here.
    RegisterBroker {
        /// What it says of itself.
        request: Box<RegisterBroker>,
        /// The number of the registration.
        reply: Answer<Result<BrokerEpoch, Refusal>>,
    },
    /// A replica: it restarted, gave up or was mended.
    ReportReplica {
        /// Its broker.
        broker: BrokerId,
        /// The broker's registration.
        broker_epoch: BrokerEpoch,
        /// Which replica.
        key: PartitionKey,
        /// What happened.
        report: ReplicaReport,
        /// The partition's state afterwards.
        reply: Answer<Result<Arc<PartitionState>, Refusal>>,
    },
    /// A broker: more producer ids.
    AllocateProducerIds {
        /// Which broker.
        broker: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
        /// The block.
        reply: Answer<Result<std::ops::Range<i64>, Refusal>>,
    },
    /// From itself: everything decided so far is one entry.
    ProposeDue,
    /// From the quorum: what became of the entry under way.
    Agreed(Result<u64, ProposalError>),
}

/// Everything the controller is born with.
#[derive(Clone)]
pub struct ControllerArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The applied image.
    pub applied: AppliedImage,
    /// Who agrees.
    pub quorum: Address<QuorumMessage>,
}

/// See the head of this file.
pub struct ControllerActor;

type PendingAnswer = Box<dyn FnOnce(bool) + Send>;

/// What the controller knows.
pub struct ControllerState {
    rules: Rules,
    records: Vec<MetadataRecord>,
    /// Answers that wait for the records above.
    answers: Vec<PendingAnswer>,
    /// Answers that wait for the entry under way; `None` while none is.
    under_way: Option<Vec<PendingAnswer>>,
    arguments: ControllerArguments,
}

impl Actor for ControllerActor {
    type Msg = Counted<ControllerMessage>;
    type State = ControllerState;
    type Arguments = ControllerArguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let image = arguments.applied.load().as_ref().clone();
        let rules = Rules::new(image, Arc::clone(&arguments.broker.given));
        let (records, answers) = (Vec::new(), Vec::new());
        Ok(ControllerState { rules, records, answers, under_way: None, arguments })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.on_message(message.open(), &myself)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl ControllerState {
    fn on_message(
        &mut self,
        message: ControllerMessage,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        use ControllerMessage as Message;
        let rng = Arc::clone(&self.arguments.broker.ports.rng);
        let new_id = move || TopicId(rng.uuid());
        match message {
            Message::CreateTopics { topics, validate_only, reply } => {
                self.decide(reply, |rules| rules.create_topics(&topics, validate_only, new_id));
            }
            Message::AutoCreateTopics { names, reply } => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.decide(reply, |rules| rules.auto_create_topics(&names, new_id));
            }
            Message::DeleteTopics { topics, reply } => {
                self.decide(reply, |rules| rules.delete_topics(&topics));
            }
            Message::CreatePartitions { topics, validate_only, reply } => {
                self.decide(reply, |rules| rules.create_partitions(&topics, validate_only));
            }
            Message::ChangeSettings { changes, validate_only, reply } => {
                self.decide(reply, |rules| rules.change_settings(&changes, validate_only));
            }
            Message::ReplaceSettings { changes, validate_only, reply } => {
                self.decide(reply, |rules| rules.replace_settings(&changes, validate_only));
            }
            Message::RegisterBroker { request, reply } => {
                let cluster_id = self.arguments.broker.cluster_id;
                self.decide(reply, |rules| register(rules, &request, cluster_id));
            }
            Message::ReportReplica { broker, broker_epoch, key, report, reply } => {
                self.decide(reply, |rules| rules.report_replica(broker, broker_epoch, key, report));
            }
            Message::AllocateProducerIds { broker, broker_epoch, reply } => {
                self.decide(reply, |rules| rules.allocate_producer_ids(broker, broker_epoch));
            }
            Message::ProposeDue => return self.on_propose_due(myself),
            Message::Agreed(agreed) => return self.on_agreed(agreed, myself),
        }
        self.schedule(myself);
        Ok(())
    }

    /// Asks the rules, and keeps the answer until what they decided is agreed on.
    fn decide<T: Send + 'static>(&mut self, reply: Answer<T>, rule: impl FnOnce(&mut Rules) -> T) {
        let answer = rule(&mut self.rules);
        self.records.extend(self.rules.take_records());
        self.answers.push(Box::new(move |agreed| {
            let _ = reply.send(if agreed { Ok(answer) } else { Err(NotAgreed) });
        }));
    }

    /// The first request of a batch schedules it; what arrives until then joins.
    fn schedule(&self, myself: &ActorRef<Counted<ControllerMessage>>) {
        if self.under_way.is_none() && self.answers.len() == 1 {
            let _ = myself.cast(ControllerMessage::ProposeDue.into());
        }
    }

    fn on_propose_due(
        &mut self,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        if self.under_way.is_some() {
            return Ok(());
        }
        let answers = std::mem::take(&mut self.answers);
        if self.records.is_empty() {
            give(answers, true);
            return Ok(());
        }
        let records = Bytes::from(encode_records(&std::mem::take(&mut self.records))?);
        self.under_way = Some(answers);
        let (reply, agreed) = oneshot::channel();
        // undeliverable or dropped, the proposal is refused below
        let term = self.arguments.broker.quorum.view().active_term.unwrap_or_default();
        let _ = self.arguments.quorum.send(QuorumMessage::Propose { term, records, reply });
        let myself = myself.clone();
        tokio::spawn(async move {
            let reason = || ProposalError::Refused { reason: "the quorum restarts".to_owned() };
            let agreed = agreed.await.unwrap_or_else(|_| Err(reason()));
            let _ = myself.cast(ControllerMessage::Agreed(agreed).into());
        });
        Ok(())
    }

    fn on_agreed(
        &mut self,
        agreed: Result<u64, ProposalError>,
        myself: &ActorRef<Counted<ControllerMessage>>,
    ) -> Result<(), ActorProcessingErr> {
        let answers = self.under_way.take().unwrap_or_default();
        match agreed {
            Ok(index) => {
                self.rules.on_committed(index);
                let broker = Arc::clone(&self.arguments.broker);
                tokio::spawn(async move {
                    broker.image.reached(index).await;
                    give(answers, true);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a decision was not agreed on");
                give(answers, false);
                self.start_over();
            }
        }
        if self.answers.is_empty() { Ok(()) } else { self.on_propose_due(myself) }
    }

    /// Whatever was decided on top of a refused entry never was.
    fn start_over(&mut self) {
        self.records.clear();
        give(std::mem::take(&mut self.answers), false);
        self.rules.reset(self.arguments.applied.load().as_ref().clone());
    }
}

/// Registers a broker; the first one of all founds the cluster.
fn register(
    rules: &mut Rules,
    request: &RegisterBroker,
    cluster_id: ClusterId,
) -> Result<BrokerEpoch, Refusal> {
    if rules.image().cluster_id().is_none() {
        rules.found_cluster(cluster_id)?;
    }
    let own = rules.image().broker(request.broker).map(|state| LastUse::Crashed(state.epoch()));
    // quorum log and partitions share one directory: what the image knows, the directory knows
    let last_use = own.unwrap_or(LastUse::Never);
    rules.register_broker(&RegisterBroker { last_use, ..request.clone() }, false)
}

fn give(answers: Vec<PendingAnswer>, agreed: bool) {
    for answer in answers {
        answer(agreed);
    }
}
