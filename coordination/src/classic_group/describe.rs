//! DescribeGroups and ListGroups.

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;

use super::{ClassicGroup, ClassicGroupState};
use crate::answer::{GroupDescription, ListedGroup, MemberDescription};
use crate::group_member::GroupMember;

impl ClassicGroup {
    /// The group for DescribeGroups. What members brought and were given is shown of a stable
    /// group only, because only then both belong together.
    #[must_use]
    pub fn describe(&self) -> GroupDescription {
        if self.has_resigned {
            return Self::describe_missing(ErrorCode::NotCoordinator);
        }
        if !self.exists {
            return Self::describe_missing(ErrorCode::GroupIdNotFound);
        }
        let protocol_name = match self.state {
            ClassicGroupState::Stable => self.protocol_name.clone(),
            _ => None,
        };
        GroupDescription {
            error: ErrorCode::None,
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: self
                .members
                .values()
                .map(|member| describe_member(member, protocol_name.as_deref()))
                .collect(),
            protocol_name: protocol_name.unwrap_or_default(),
        }
    }

    /// What DescribeGroups says of a group that is not here.
    #[must_use]
    pub fn describe_missing(error: ErrorCode) -> GroupDescription {
        GroupDescription {
            error,
            state: ClassicGroupState::Dead,
            protocol_type: Arc::default(),
            protocol_name: Arc::default(),
            members: Vec::new(),
        }
    }

    /// The group for ListGroups; `None` if it is not here.
    #[must_use]
    pub fn listed(&self) -> Option<ListedGroup> {
        (self.exists && !self.has_resigned).then(|| ListedGroup {
            group_id: self.group_id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state,
        })
    }
}

fn describe_member(member: &GroupMember, protocol_name: Option<&str>) -> MemberDescription {
    let (metadata, assignment) = match protocol_name {
        Some(name) => (member.metadata(name), member.assignment.clone()),
        None => (Bytes::new(), Bytes::new()),
    };
    MemberDescription {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        metadata,
        assignment,
    }
}
