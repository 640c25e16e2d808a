#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod answer;
pub mod classic_group;
pub mod committed_offsets;
pub mod coordinator_partition;
pub mod effect;
pub mod group_loader;
pub mod group_member;
pub mod offsets_topic;
pub mod record;
pub mod request;
pub mod settings;
pub mod subscription;
pub mod time;

pub use answer::{
    GroupDescription, JoinAnswer, JoinedMember, LeaveAnswer, ListedGroup, MemberDescription,
    MemberLeft, PartitionAnswer, SyncAnswer, TopicAnswer,
};
pub use classic_group::{ClassicGroup, ClassicGroupState};
pub use committed_offsets::{
    CommittedOffset, CommittedOffsets, FetchSelection, FetchTopic, FetchedPartition, FetchedTopic,
};
pub use coordinator_partition::coordinator_partition;
pub use effect::{AppendTicket, Effect, Effects, Ticket};
pub use group_loader::GroupLoader;
pub use group_member::{GroupInstanceId, MemberProtocol, candidate_member_id};
pub use record::{GroupRecord, MemberRecord, MembershipRecord};
pub use request::{
    CommitPartition, CommitRequest, CommitTopic, DeleteOffsetsRequest, DeleteOffsetsTopic,
    DeletedTopic, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember, SyncRequest,
};
pub use settings::GroupSettings;
pub use time::{Now, Timestamp};
