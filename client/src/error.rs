//! Why an operation of the client failed, and whether doing it again may help.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::api_key::ApiKey;
use protocol::frame::{FrameEncodeError, FrameSizeError};
use protocol::identifiers::TopicNameError;
use protocol::message::Versions;
use protocol::primitives::DecodeError;
use protocol::record::RecordError;
use protocol::record_batch::BuildError;
use protocol::{BrokerId, ErrorCode, GroupId, TopicName, TopicPartition};
use thiserror::Error;

/// What an operation of the client came to.
pub type Result<T> = std::result::Result<T, Error>;

/// What a broker's refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The request as a whole.
    Request,
    /// A topic.
    Topic(TopicName),
    /// A partition.
    Partition(TopicPartition),
    /// A consumer group.
    Group(GroupId),
    /// A broker.
    Broker(BrokerId),
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => formatter.write_str("the request"),
            Self::Topic(topic) => write!(formatter, "topic {topic}"),
            Self::Partition(partition) => write!(formatter, "partition {partition}"),
            Self::Group(group) => write!(formatter, "group {group}"),
            Self::Broker(broker) => write!(formatter, "broker {broker}"),
        }
    }
}

/// Why an operation of the client failed. Cheap to clone, since the records of a batch share one.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// No connection could be made.
    #[error("no connection to {address}: {source}")]
    Connect {
        /// Host and port.
        address: Arc<str>,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// None of the bootstrap addresses and of the known brokers answers.
    #[error("none of the brokers answers, the last one said: {last}")]
    NoBroker {
        /// The error of the last one that was tried.
        last: Arc<Error>,
    },
    /// A connection ended before the answer came; the broker may have done what was asked.
    #[error("the connection to {address} was lost")]
    ConnectionLost {
        /// Host and port.
        address: Arc<str>,
        /// What the operating system said; nothing where the broker closed in good order.
        source: Option<Arc<io::Error>>,
    },
    /// An answer did not come in time; the broker may have done what was asked.
    #[error("{address} did not answer {api} within {after:?}")]
    RequestTimedOut {
        /// The request.
        api: ApiKey,
        /// Host and port.
        address: Arc<str>,
        /// The request's deadline.
        after: Duration,
    },
    /// A leader was silent, and another broker leads by now; the silent one may have done what was
    /// asked.
    #[error("broker {silent} is silent and {partition} is led by broker {successor} by now")]
    LeaderMoved {
        /// A partition that was asked about.
        partition: TopicPartition,
        /// Who was asked.
        silent: BrokerId,
        /// Who leads it.
        successor: BrokerId,
    },
    /// The operation was tried again until its time was up.
    #[error("gave up after {after:?}: {last}")]
    GaveUp {
        /// The operation's deadline.
        after: Duration,
        /// The error of the last attempt.
        last: Arc<Error>,
    },
    /// The broker serves no version of the API that this client speaks.
    #[error("{address} does not serve {api} in any of the versions {ours}")]
    UnsupportedApi {
        /// The API.
        api: ApiKey,
        /// Host and port.
        address: Arc<str>,
        /// The versions that this client speaks.
        ours: Versions,
    },
    /// A broker refused.
    #[error("{subject}: {code}{}", detail(message.as_deref()))]
    Broker {
        /// The request.
        api: ApiKey,
        /// What was refused.
        subject: Subject,
        /// The protocol's error code.
        code: ErrorCode,
        /// What the broker added in words.
        message: Option<Arc<str>>,
    },
    /// The answer lacks what was asked for.
    #[error("the answer to {api} says nothing about {subject}")]
    NotInResponse {
        /// The request.
        api: ApiKey,
        /// What it was about.
        subject: Subject,
    },
    /// A request could not be put into bytes.
    #[error(transparent)]
    Encode(#[from] FrameEncodeError),
    /// A frame's size is none; the peer may speak another protocol.
    #[error("{address}: {source}")]
    FrameSize {
        /// Host and port.
        address: Arc<str>,
        /// What is wrong with the size.
        source: FrameSizeError,
    },
    /// A response is not what the protocol says.
    #[error("the answer to {api} is damaged: {source}")]
    Decode {
        /// The request.
        api: ApiKey,
        /// Where and how.
        source: DecodeError,
    },
    /// Fetched records are not what the protocol says.
    #[error("records of {partition} from offset {offset} on cannot be read: {source}")]
    Records {
        /// Their partition.
        partition: TopicPartition,
        /// The first offset of the batch.
        offset: i64,
        /// What is wrong.
        source: Arc<RecordError>,
    },
    /// A record does not fit the batch format.
    #[error("the record cannot be written: {0}")]
    Build(Arc<BuildError>),
    /// A record is larger than the settings allow.
    #[error("a record of {bytes} bytes is above the limit of {bytes_max}")]
    RecordTooLarge {
        /// Its bytes in a batch of its own.
        bytes: usize,
        /// The producer's limit.
        bytes_max: usize,
    },
    /// A name that no topic can have.
    #[error(transparent)]
    TopicName(#[from] TopicNameError),
    /// A partition that the topic does not have.
    #[error("topic {topic} has {partitions} partitions, not number {partition}")]
    NoSuchPartition {
        /// The topic.
        topic: TopicName,
        /// The number asked for.
        partition: i32,
        /// How many there are.
        partitions: usize,
    },
    /// A record was not acknowledged within the producer's delivery timeout. Where its last
    /// attempt was not answered, it may have been written.
    #[error("not delivered to {partition} within {after:?}: {last}")]
    DeliveryTimedOut {
        /// Where it should have gone.
        partition: TopicPartition,
        /// The delivery timeout.
        after: Duration,
        /// The error of the last attempt.
        last: Arc<Error>,
    },
    /// The record was still waiting for its first attempt when the delivery timeout passed.
    #[error("not sent to {partition} within {after:?}")]
    NotSent {
        /// Where it should have gone.
        partition: TopicPartition,
        /// The delivery timeout.
        after: Duration,
    },
    /// The buffer stayed full for longer than the producer's admission timeout.
    #[error("no room for {bytes} bytes in the producer's buffer within {after:?}")]
    BufferFull {
        /// What the record needs.
        bytes: usize,
        /// The admission timeout.
        after: Duration,
    },
    /// The producer or consumer was closed.
    #[error("it was closed")]
    Closed,
    /// The partition has no committed or valid offset, and the settings say not to reset.
    #[error("{partition} has no offset to start from, and no reset policy is set")]
    NoOffset {
        /// The partition.
        partition: TopicPartition,
    },
    /// The partition is not assigned to this consumer.
    #[error("{partition} is not assigned to this consumer")]
    NotAssigned {
        /// The partition.
        partition: TopicPartition,
    },
    /// The group has moved on: offsets of the old generation can no longer be committed.
    #[error("the partitions were taken away from this member before the commit")]
    AssignmentLost,
    /// The group's members use no protocol that this client has.
    #[error("the group chose assignor {name:?}, which this client does not have")]
    UnknownAssignor {
        /// Its name.
        name: String,
    },
    /// A setting that contradicts another or makes no sense.
    #[error("setting {name}: {reason}")]
    Setting {
        /// The setting's field.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn detail(message: Option<&str>) -> String {
    message.map(|message| format!(" ({message})")).unwrap_or_default()
}

impl Error {
    /// Turns a response's error code into a result.
    pub(crate) fn check(
        api: ApiKey,
        subject: impl FnOnce() -> Subject,
        code: i16,
        message: Option<&str>,
    ) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let known = ErrorCode::from_code(code);
        let message = match (known, message) {
            (None, _) => Some(Arc::from(format!("error code {code}"))),
            (Some(_), message) => message.filter(|text| !text.is_empty()).map(Arc::from),
        };
        let code = known.unwrap_or(ErrorCode::UnknownServerError);
        Err(Self::Broker { api, subject: subject(), code, message })
    }

    /// The broker's error code, if it was a broker that refused.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            Self::GaveUp { last, .. }
            | Self::DeliveryTimedOut { last, .. }
            | Self::NoBroker { last } => last.code(),
            _ => None,
        }
    }

    /// Whether the same operation may succeed when it is done again. The client has already
    /// tried for as long as its timeouts allow, so that a caller tries again only much later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Broker { code, .. } => code.is_retryable(),
            Self::Connect { .. }
            | Self::NoBroker { .. }
            | Self::ConnectionLost { .. }
            | Self::RequestTimedOut { .. }
            | Self::LeaderMoved { .. }
            | Self::GaveUp { .. }
            | Self::DeliveryTimedOut { .. }
            | Self::NotSent { .. }
            | Self::BufferFull { .. }
            | Self::NotInResponse { .. } => true,
            Self::UnsupportedApi { .. }
            | Self::Encode(_)
            | Self::FrameSize { .. }
            | Self::Decode { .. }
            | Self::Records { .. }
            | Self::Build(_)
            | Self::RecordTooLarge { .. }
            | Self::TopicName(_)
            | Self::NoSuchPartition { .. }
            | Self::Closed
            | Self::NoOffset { .. }
            | Self::NotAssigned { .. }
            | Self::AssignmentLost
            | Self::UnknownAssignor { .. }
            | Self::Setting { .. } => false,
        }
    }

    /// Whether what is known about leaders and brokers may be out of date.
    pub(crate) fn is_stale_metadata(&self) -> bool {
        match self {
            Self::Broker { code, .. } => matches!(
                code,
                ErrorCode::UnknownTopicOrPartition
                    | ErrorCode::LeaderNotAvailable
                    | ErrorCode::NotLeaderOrFollower
                    | ErrorCode::ReplicaNotAvailable
                    | ErrorCode::KafkaStorageError
                    | ErrorCode::FencedLeaderEpoch
                    | ErrorCode::UnknownLeaderEpoch
                    | ErrorCode::UnknownTopicId
                    | ErrorCode::InconsistentTopicId
                    // what `Cluster::address_of` says of a broker that is in no picture yet
                    | ErrorCode::NetworkException
                    | ErrorCode::NotController
                    | ErrorCode::BrokerNotAvailable
            ),
            Self::Connect { .. }
            | Self::ConnectionLost { .. }
            | Self::RequestTimedOut { .. }
            | Self::LeaderMoved { .. }
            | Self::NotInResponse { .. } => true,
            _ => false,
        }
    }

    /// Whether the group's coordinator has to be looked up again.
    pub(crate) fn is_stale_coordinator(&self) -> bool {
        match self {
            Self::Broker { code, .. } => {
                matches!(code, ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable)
            }
            Self::Connect { .. } | Self::ConnectionLost { .. } | Self::RequestTimedOut { .. } => {
                true
            }
            _ => false,
        }
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::Build(Arc::new(error))
    }
}
