//! Why the controller refused something: the code that a client reads, and a sentence for people.

use protocol::identifiers::TopicNameError;
use protocol::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, TopicId, TopicName};
use thiserror::Error;

use crate::image::ApplyError;
use crate::partition::PartitionEpoch;
use crate::settings::error::SettingError;

/// Why the controller refused something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No topic may have that name.
    #[error(transparent)]
    TopicName(#[from] TopicNameError),
    /// There is such a topic.
    #[error("topic {topic} exists already")]
    TopicExists {
        /// Its name.
        topic: TopicName,
    },
    /// The names agree once `.` reads as `_`, and so would their metrics.
    #[error("topic {topic} collides with the existing topic {existing}")]
    TopicCollides {
        /// The new name.
        topic: TopicName,
        /// The existing one.
        existing: TopicName,
    },
    /// One request names a topic twice.
    #[error("the request names this topic more than once")]
    NamedTwice,
    /// There is no such topic, or it has no such partition.
    #[error("there is no such topic or partition")]
    UnknownTopicOrPartition,
    /// There is no topic with that id.
    #[error("there is no topic with id {topic_id}")]
    UnknownTopicId {
        /// The id.
        topic_id: TopicId,
    },
    /// `delete.topic.enable` is off.
    #[error("topics cannot be deleted: delete.topic.enable is false")]
    DeletionDisabled,
    /// `auto.create.topics.enable` is off, or the client did not allow it.
    #[error("the topic does not exist and is not created automatically")]
    NoAutoCreation,
    /// Not a number of partitions.
    #[error("{count} is no number of partitions")]
    PartitionCount {
        /// The number asked for.
        count: i32,
    },
    /// The topic has as many already.
    #[error("the topic has {present} partitions, {count} would not be more")]
    PartitionsNotMore {
        /// How many there are.
        present: i32,
        /// The number asked for.
        count: i32,
    },
    /// Assignments for another number of partitions.
    #[error("{count} partitions would be added, but assignments are given for {assignments}")]
    AssignmentCount {
        /// How many would be added.
        count: i32,
        /// For how many there are assignments.
        assignments: usize,
    },
    /// One request would create more partitions than one entry of the log can hold.
    #[error("{count} partitions in one request are too many, the most are {maximum}")]
    TooManyPartitions {
        /// How many were asked for.
        count: i64,
        /// The most.
        maximum: i64,
    },
    /// Not a number of replicas.
    #[error("{factor} is no replication factor")]
    ReplicationFactor {
        /// The number asked for.
        factor: i16,
    },
    /// Fewer brokers than replicas.
    #[error("{factor} replicas need as many brokers, {brokers} are registered")]
    TooFewBrokers {
        /// The number of replicas asked for.
        factor: usize,
        /// How many brokers could hold one.
        brokers: usize,
    },
    /// A number is given beside an assignment.
    #[error("a number of partitions or replicas cannot be given beside an assignment")]
    NumberBesideAssignment,
    /// An assignment that cannot be.
    #[error("the assignment of partition {partition} is impossible: {reason}")]
    Assignment {
        /// Of which partition.
        partition: PartitionIndex,
        /// Why.
        reason: AssignmentFault,
    },
    /// A setting that cannot be.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A setting without a value.
    #[error("setting {name} has no value")]
    SettingWithoutValue {
        /// Its name.
        name: String,
    },
    /// A value of a broker's setting that cannot be; Kafka answers another code than for topics.
    #[error("{0}")]
    BrokerSetting(SettingError),
    /// A change that says no value.
    #[error("no value is given for setting {name}")]
    NoValueToSet {
        /// Its name.
        name: String,
    },
    /// A setting on which all brokers must agree.
    #[error("setting {name} cannot differ between brokers")]
    ClusterSetting {
        /// Its name.
        name: String,
    },
    /// A kind of resource that has no settings here.
    #[error("resources of kind {kind} have no settings")]
    ResourceKind {
        /// The number on the wire.
        kind: i8,
    },
    /// A name that no resource of its kind can have.
    #[error("there can be no resource named {name:?}")]
    ResourceName {
        /// The name.
        name: String,
    },
    /// One request names a setting twice.
    #[error("the request names {name} more than once")]
    SettingNamedTwice {
        /// Its name.
        name: String,
    },
    /// Only lists can be appended to and subtracted from.
    #[error("setting {name} is no list, it can only be set or deleted")]
    NotAList {
        /// Its name.
        name: String,
    },
    /// A setting that holds from start to stop.
    #[error("setting {name} can only be changed by starting the broker again")]
    ReadOnlySetting {
        /// Its name.
        name: String,
    },
    /// A setting of single brokers.
    #[error("setting {name} can only be changed for one broker at a time")]
    PerBrokerSetting {
        /// Its name.
        name: String,
    },
    /// There is no such broker.
    #[error("broker {broker} is not registered")]
    UnknownBroker {
        /// Which.
        broker: BrokerId,
    },
    /// The sender is not the broker's present registration.
    #[error("broker {broker} is registered with epoch {registered}, the request has {claimed}")]
    StaleBrokerEpoch {
        /// Which.
        broker: BrokerId,
        /// The epoch of its present registration.
        registered: BrokerEpoch,
        /// The epoch in the request.
        claimed: BrokerEpoch,
    },
    /// Another process with another directory has that number, and is alive.
    #[error("broker {broker} is running elsewhere")]
    DuplicateBroker {
        /// Which.
        broker: BrokerId,
    },
    /// A registration without listeners, or with two of one name.
    #[error("the registration of broker {broker} has no listener, or one twice")]
    InvalidRegistration {
        /// Which.
        broker: BrokerId,
    },
    /// The cluster has another identity.
    #[error("the broker belongs to another cluster")]
    OtherCluster,
    /// The sender does not lead the partition.
    #[error("broker {broker} does not lead the partition")]
    NotLeader {
        /// The sender.
        broker: BrokerId,
    },
    /// The sender speaks of an earlier leadership.
    #[error("the leader epoch is {present}, the request has {claimed}")]
    FencedLeaderEpoch {
        /// The present one.
        present: LeaderEpoch,
        /// The one in the request.
        claimed: LeaderEpoch,
    },
    /// The sender speaks of a leadership that has not been.
    #[error("the leader epoch is {present}, the request has {claimed}")]
    UnknownLeaderEpoch {
        /// The present one.
        present: LeaderEpoch,
        /// The one in the request.
        claimed: LeaderEpoch,
    },
    /// The partition has changed since the sender last saw it.
    #[error("the partition epoch is {present}, the request has {claimed}")]
    PartitionEpochMismatch {
        /// The present one.
        present: PartitionEpoch,
        /// The one in the request.
        claimed: PartitionEpoch,
    },
    /// An ISR that is empty, lacks the leader, or holds a broker that is not assigned.
    #[error("the new ISR lacks the leader or holds a broker that is not assigned")]
    InvalidInSyncReplicas,
    /// A broker that must not join the ISR.
    #[error("broker {broker} may not join the ISR")]
    IneligibleReplica {
        /// Which.
        broker: BrokerId,
    },
    /// The preferred leader leads already, or there is a leader.
    #[error("no election is needed")]
    ElectionNotNeeded,
    /// The preferred leader is not in sync or not alive.
    #[error("the preferred leader {broker} is not in sync or not alive")]
    PreferredLeaderNotAvailable {
        /// Which.
        broker: BrokerId,
    },
    /// Nobody could lead.
    #[error("no replica can lead")]
    NoEligibleLeader,
    /// There is nothing to cancel.
    #[error("no reassignment of the partition is under way")]
    NoReassignment,
    /// The number of replicas would change, which the request did not allow.
    #[error("the partition has {present} replicas, the request would give it {count}")]
    ReplicationFactorChange {
        /// How many it has.
        present: usize,
        /// How many it would have.
        count: usize,
    },
    /// There are no producer ids left.
    #[error("every producer id has been given out")]
    ProducerIdsExhausted,
    /// A rule made a record that does not apply: a fault of this program.
    #[error("the decision does not apply")]
    DoesNotApply(#[from] ApplyError),
}

/// Why replicas cannot be assigned like that.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AssignmentFault {
    /// No replicas.
    #[error("it is empty")]
    Empty,
    /// One broker twice.
    #[error("it names broker {0} more than once")]
    Twice(BrokerId),
    /// A broker that does not exist.
    #[error("broker {0} is not registered")]
    Unregistered(BrokerId),
    /// Nobody could lead.
    #[error("none of its brokers is alive")]
    NobodyAlive,
    /// Partitions are numbered from 0 without gaps.
    #[error("partitions are numbered from 0 without gaps")]
    OutOfOrder,
    /// All partitions of a topic have the same number of replicas.
    #[error("it has {count} replicas, the topic's other partitions have {expected}")]
    OtherFactor {
        /// How many it has.
        count: usize,
        /// How many the others have.
        expected: usize,
    },
}

impl Refusal {
    /// The code on the wire.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TopicName(_) | Self::TopicCollides { .. } => ErrorCode::InvalidTopicException,
            Self::TopicExists { .. } => ErrorCode::TopicAlreadyExists,
            Self::NamedTwice
            | Self::NumberBesideAssignment
            | Self::SettingNamedTwice { .. }
            | Self::ReadOnlySetting { .. }
            | Self::PerBrokerSetting { .. }
            | Self::BrokerSetting(_)
            | Self::NoValueToSet { .. }
            | Self::ResourceKind { .. }
            | Self::ResourceName { .. }
            | Self::InvalidInSyncReplicas => ErrorCode::InvalidRequest,
            Self::UnknownTopicOrPartition | Self::NoAutoCreation => {
                ErrorCode::UnknownTopicOrPartition
            }
            Self::UnknownTopicId { .. } => ErrorCode::UnknownTopicId,
            Self::DeletionDisabled => ErrorCode::TopicDeletionDisabled,
            Self::PartitionCount { .. } | Self::PartitionsNotMore { .. } => {
                ErrorCode::InvalidPartitions
            }
            Self::TooManyPartitions { .. } => ErrorCode::PolicyViolation,
            Self::ReplicationFactor { .. }
            | Self::TooFewBrokers { .. }
            | Self::ReplicationFactorChange { .. } => ErrorCode::InvalidReplicationFactor,
            Self::Assignment { .. } | Self::AssignmentCount { .. } => {
                ErrorCode::InvalidReplicaAssignment
            }
            Self::Setting(error) => error.code(),
            Self::SettingWithoutValue { .. }
            | Self::NotAList { .. }
            | Self::ClusterSetting { .. } => ErrorCode::InvalidConfig,
            Self::UnknownBroker { .. } => ErrorCode::BrokerIdNotRegistered,
            Self::StaleBrokerEpoch { .. } => ErrorCode::StaleBrokerEpoch,
            Self::DuplicateBroker { .. } => ErrorCode::DuplicateBrokerRegistration,
            Self::InvalidRegistration { .. } => ErrorCode::InvalidRegistration,
            Self::OtherCluster => ErrorCode::InconsistentClusterId,
            Self::NotLeader { .. } => ErrorCode::NotLeaderOrFollower,
            Self::FencedLeaderEpoch { .. } => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch { .. } => ErrorCode::UnknownLeaderEpoch,
            Self::PartitionEpochMismatch { .. } => ErrorCode::InvalidUpdateVersion,
            Self::IneligibleReplica { .. } => ErrorCode::IneligibleReplica,
            Self::ElectionNotNeeded => ErrorCode::ElectionNotNeeded,
            Self::PreferredLeaderNotAvailable { .. } => ErrorCode::PreferredLeaderNotAvailable,
            Self::NoEligibleLeader => ErrorCode::EligibleLeadersNotAvailable,
            Self::NoReassignment => ErrorCode::NoReassignmentInProgress,
            Self::ProducerIdsExhausted | Self::DoesNotApply(_) => ErrorCode::UnknownServerError,
        }
    }

    /// Whether the same request may succeed later: as Kafka's clients see it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }
}
