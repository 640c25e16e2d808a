//! What the controller is asked, and what it answers: the same words on this node and between
//! nodes, since only the node of the active controller can decide.
//!
//! Each question is a struct with the type of its answer. New ones are added at the end: their
//! places are their numbers in messages between nodes.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use metadata::{
    CreatedTopic, DeletedTopic, ElectionKind, GivenSetting, HeartbeatAnswer, InSyncChange,
    PartitionKey, PartitionState, PartitionsToAdd, Reassignment, Refusal, ReplicaReport,
    SettingOperation, SettingResource, TopicReference, TopicToCreate,
};
use protocol::{BrokerEpoch, BrokerId, ErrorCode, PartitionIndex, TopicId, TopicName};
use serde::{Deserialize, Serialize};
use supervision::Address;
use thiserror::Error;
use tokio::sync::oneshot;

use super::{ControllerMessage, Origin};

/// Whether a decision came to be is unknown, or it surely did not: ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the controller could not get its decision agreed on")]
pub struct NotAgreed;

/// A refusal of the controller as it travels: the code that a client reads, and the sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refused {
    code: i16,
    message: Box<str>,
}

impl Refused {
    /// The code on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::from_code(self.code).unwrap_or(ErrorCode::UnknownServerError)
    }

    /// Whether the same question may be answered otherwise later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code().code(), message: refusal.to_string().into() }
    }
}

/// An answer, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The entry of the metadata log that holds the decision; an image of this version shows it.
    pub index: u64,
    /// The answer.
    pub answer: AnyAnswer,
}

/// A topic that was created, or would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicCreation {
    /// Its name.
    pub name: TopicName,
    /// The identity of the incarnation; of no meaning if the request was a rehearsal.
    pub topic_id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
    /// The settings in force.
    pub settings: Vec<CreatedSetting>,
}

/// A setting of a new topic, as CreateTopics reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedSetting {
    /// Its name.
    pub name: Box<str>,
    /// The value in force, if it has one.
    pub value: Option<Box<str>>,
    /// Where the value comes from, as the wire numbers it.
    pub source: i8,
    /// Whether it cannot be changed while running.
    pub is_read_only: bool,
    /// Whether its value is hidden.
    pub is_sensitive: bool,
}

impl From<CreatedTopic> for TopicCreation {
    fn from(created: CreatedTopic) -> Self {
        let settings = created.settings.into_iter().map(|setting| CreatedSetting {
            name: setting.name.into(),
            value: setting.value.map(Into::into),
            source: setting.source.code(),
            is_read_only: setting.is_read_only,
            is_sensitive: setting.is_sensitive,
        });
        Self {
            name: created.name,
            topic_id: created.topic_id,
            partitions: created.partitions,
            replication_factor: created.replication_factor,
            settings: settings.collect(),
        }
    }
}

/// The outcome of an election: which partition, and whether somebody was elected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionOutcome {
    /// The topic, as it was named.
    pub topic: String,
    /// The partition.
    pub partition: PartitionIndex,
    /// Why nobody was elected, if so.
    pub outcome: Result<(), Refused>,
}

/// The answers of several decisions, in the order in which they were asked for.
pub type Each<T> = Vec<Result<T, Refused>>;

/// The state of a partition after a decision.
pub type Decided = Arc<PartitionState>;

/// A question with the type of its answer.
pub trait Question: Send + Sized {
    /// What the controller answers.
    type Answer: Send + 'static;

    /// The question among all questions.
    fn wrap(self) -> AnyQuestion;

    /// The answer among all answers; `None` if it is one to another question.
    fn unwrap(answer: AnyAnswer) -> Option<Self::Answer>;
}

macro_rules! questions {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty,)* } -> $answer:ty;
    )*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                $($(#[$field_about])* pub $field: $kind,)*
            }

            impl Question for $name {
                type Answer = $answer;

                fn wrap(self) -> AnyQuestion {
                    AnyQuestion::$name(self)
                }

                fn unwrap(answer: AnyAnswer) -> Option<$answer> {
                    match answer {
                        AnyAnswer::$name(answer) => Some(answer),
                        _ => None,
                    }
                }
            }
        )*

        /// Any question.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the structs say what they are")]
        pub enum AnyQuestion {
            $($name($name),)*
        }

        /// The answer to a question.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the questions say what they are answered")]
        pub enum AnyAnswer {
            $($name($answer),)*
        }
    };
}

questions! {
    /// A broker's lifecycle: it is alive.
    Heartbeat {
        /// What it says.
        heartbeat: metadata::Heartbeat,
    } -> Result<HeartbeatAnswer, Refused>;

    /// A broker's lifecycle: this incarnation is here. Answered with the number of the registration.
    RegisterBroker {
        /// What it says of itself.
        registration: Box<metadata::RegisterBroker>,
    } -> Result<BrokerEpoch, Refused>;

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
    } -> Result<Decided, Refused>;

    /// A leader: these are to be the in-sync replicas of partitions that it leads.
    ChangeInSyncReplicas {
        /// The leader's broker.
        leader: BrokerId,
        /// The broker's registration.
        broker_epoch: BrokerEpoch,
        /// What is to change; each may be refused by itself.
        changes: Vec<InSyncChange>,
    } -> Result<Each<Decided>, Refused>;

    /// A broker: more producer ids.
    AllocateProducerIds {
        /// Which broker.
        broker: BrokerId,
        /// Its registration.
        broker_epoch: BrokerEpoch,
    } -> Result<Range<i64>, Refused>;

    /// A session: create topics.
    CreateTopics {
        /// Which.
        topics: Vec<TopicToCreate>,
        /// Whether only to say what would happen.
        validate_only: bool,
    } -> Each<TopicCreation>;

    /// A session: create topics that a client asked for, with the defaults.
    AutoCreateTopics {
        /// Their names.
        names: Vec<String>,
    } -> Each<TopicCreation>;

    /// A session: delete topics.
    DeleteTopics {
        /// Which.
        topics: Vec<TopicReference>,
    } -> Each<DeletedTopic>;

    /// A session: add partitions.
    CreatePartitions {
        /// To which topics.
        topics: Vec<PartitionsToAdd>,
        /// Whether only to say what would happen.
        validate_only: bool,
    } -> Each<()>;

    /// A session: change some settings of resources.
    ChangeSettings {
        /// Which, and how.
        changes: Vec<(SettingResource, Vec<SettingOperation>)>,
        /// Whether only to say what would happen.
        validate_only: bool,
    } -> Each<()>;

    /// A session: replace all settings of resources.
    ReplaceSettings {
        /// Which, and by what.
        changes: Vec<(SettingResource, Vec<GivenSetting>)>,
        /// Whether only to say what would happen.
        validate_only: bool,
    } -> Each<()>;

    /// A session: elect leaders (KIP-460). With all partitions meant, those that need no election
    /// are not mentioned.
    ElectLeaders {
        /// How.
        kind: ElectionKind,
        /// Which partitions, by name; `None` for all.
        partitions: Option<Vec<(String, PartitionIndex)>>,
    } -> Vec<ElectionOutcome>;

    /// A session: move partitions to other brokers, or stop doing so (KIP-455).
    Reassign {
        /// Which, and where to.
        reassignments: Vec<Reassignment>,
        /// Whether the number of replicas may change.
        may_change_factor: bool,
    } -> Each<()>;

    /// A session: a broker is gone for good (KIP-631).
    UnregisterBroker {
        /// Which.
        broker: BrokerId,
    } -> Result<(), Refused>;
}

/// Asks the controller, wherever it is. The question is on its way when this returns, also if
/// nobody waits for the answer; whoever does sets a deadline.
pub fn ask<Q: Question>(
    controller: &Address<ControllerMessage>,
    question: Q,
) -> impl Future<Output = Result<Q::Answer, NotAgreed>> + Send + use<Q> {
    let (reply, answer) = oneshot::channel();
    // undeliverable, the question is dropped, and with it the way back
    let (question, origin) = (question.wrap(), Origin::Here);
    let _ = controller.send(ControllerMessage::Ask { question, origin, reply });
    async move {
        let agreed = answer.await.unwrap_or(Err(NotAgreed))?;
        Q::unwrap(agreed.answer).ok_or(NotAgreed)
    }
}
