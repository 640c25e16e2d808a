//! What a group answers. The caller turns each into the response of the request's version.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{ErrorCode, Generation, GroupId, MemberId, PartitionIndex, TopicId, TopicName};

use crate::classic_group::ClassicGroupState;
use crate::group_member::GroupInstanceId;

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAnswer {
    /// `None` if the member is in the generation named below.
    pub error: ErrorCode,
    /// The generation joined; unknown (−1) on an error.
    pub generation: Generation,
    /// The group's protocol type; absent on an error.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol chosen; absent on an error.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's member id; empty on an error.
    pub leader: MemberId,
    /// Whether a leader must not compute assignments, because it returns to a generation that has
    /// them (version 9).
    pub skip_assignment: bool,
    /// The id of the member answered.
    pub member_id: MemberId,
    /// For the leader: everybody and what they brought. For others empty.
    pub members: Vec<JoinedMember>,
}

impl JoinAnswer {
    /// A refusal.
    #[must_use]
    pub fn refused(error: ErrorCode, member_id: MemberId) -> Self {
        Self {
            error,
            generation: Generation::UNKNOWN,
            protocol_type: None,
            protocol_name: None,
            leader: MemberId::new(""),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: MemberId,
    /// Its instance id, if it is static.
    pub group_instance_id: Option<GroupInstanceId>,
    /// What it brought for the chosen protocol. Opaque.
    pub metadata: Bytes,
}

/// The answer to a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncAnswer {
    /// `None` if the assignment is the member's.
    pub error: ErrorCode,
    /// The group's protocol type; absent on an error.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol chosen; absent on an error.
    pub protocol_name: Option<Arc<str>>,
    /// What the leader assigned to the member; empty on an error.
    pub assignment: Bytes,
}

impl SyncAnswer {
    /// A refusal.
    #[must_use]
    pub const fn refused(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// The answer to a leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveAnswer {
    /// Of the whole request.
    pub error: ErrorCode,
    /// Of each member named, in the order of the request; empty if the whole was refused.
    pub members: Vec<MemberLeft>,
}

/// What became of one member of a leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLeft {
    /// Its id as the request gave it.
    pub member_id: MemberId,
    /// Its instance id as the request gave it.
    pub group_instance_id: Option<GroupInstanceId>,
    /// `None` if it is gone.
    pub error: ErrorCode,
}

/// What became of one topic of a commit or a deletion, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicAnswer {
    /// Its name.
    pub topic: TopicName,
    /// Its id as the request gave it.
    pub topic_id: TopicId,
    /// Its partitions, in the order of the request.
    pub partitions: Vec<PartitionAnswer>,
}

/// What became of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionAnswer {
    /// Its number.
    pub partition: PartitionIndex,
    /// `None` if it was done and is durable.
    pub error: ErrorCode,
}

/// A group as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// `GroupIdNotFound` if there is no such group; only versions from 6 on say so, the others
    /// show a dead group.
    pub error: ErrorCode,
    /// Its state.
    pub state: ClassicGroupState,
    /// Its protocol type; empty if it has none.
    pub protocol_type: Arc<str>,
    /// The protocol chosen; empty unless the group is stable.
    pub protocol_name: Arc<str>,
    /// Its members, by member id.
    pub members: Vec<MemberDescription>,
}

/// A member as DescribeGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: MemberId,
    /// Its instance id, if it is static.
    pub group_instance_id: Option<GroupInstanceId>,
    /// The client's name for itself.
    pub client_id: Arc<str>,
    /// Where it connects from.
    pub client_host: Arc<str>,
    /// What it brought for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// What the leader gave it; empty unless the group is stable.
    pub assignment: Bytes,
}

/// A group as ListGroups shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub group_id: GroupId,
    /// Its protocol type; empty if it has none.
    pub protocol_type: Arc<str>,
    /// Its state.
    pub state: ClassicGroupState,
}

impl ListedGroup {
    /// The type of every group of this crate, as ListGroups from version 5 on names it.
    pub const GROUP_TYPE: &'static str = "Classic";

    /// Whether the filters of a ListGroups request let the group pass: an empty filter lets all
    /// pass, names are compared without regard to case (KIP-518, KIP-848).
    #[must_use]
    pub fn passes(&self, states: &[&str], types: &[&str]) -> bool {
        let names = |filter: &[&str], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        names(states, self.state.name()) && names(types, Self::GROUP_TYPE)
    }
}

#[cfg(test)]
mod tests {
    //! A filter that lets the wrong groups pass would hide groups from their operators.

    use std::sync::Arc;

    use protocol::GroupId;

    use super::ListedGroup;
    use crate::ClassicGroupState;

    #[test]
    fn filters_go_by_state_and_type_without_regard_to_case() {
        let group = ListedGroup {
            group_id: GroupId::new("g"),
            protocol_type: Arc::from("consumer"),
            state: ClassicGroupState::PreparingRebalance,
        };
        for (states, types, passes) in [
            (&[][..], &[][..], true),
            (&["preparingrebalance"], &[], true),
            (&["Empty", "PREPARINGREBALANCE"], &["classic"], true),
            (&["Empty"], &[], false),
            (&[], &["consumer"], false),
            (&["PreparingRebalance"], &["share"], false),
            (&["no such state"], &[], false),
        ] {
            assert_eq!(group.passes(states, types), passes, "{states:?} {types:?}");
        }
    }
}
