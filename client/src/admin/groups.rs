//! Consumer groups: listed, described, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::api_key::ApiKey;
use protocol::generated::delete_groups::DeleteGroupsRequest;
use protocol::generated::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use protocol::generated::list_groups::ListGroupsRequest;
use protocol::message::Request;
use protocol::{GroupId, MemberId, TopicPartition};

use super::Admin;
use crate::error::{Error, Result, Subject};
use crate::group_membership::consumer_protocol::read_assignment;
use crate::group_membership::coordinator::Coordinator;

/// A group, as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub group: GroupId,
    /// What it coordinates; `consumer` for consumer groups, empty if it only commits offsets.
    pub protocol_type: String,
    /// Where it stands: `Stable`, `Empty`, …; empty from brokers before Kafka 2.6.
    pub state: String,
    /// `classic` or `consumer`; empty from brokers before Kafka 3.8.
    pub kind: String,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: GroupId,
    /// Where it stands: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`.
    pub state: String,
    /// What it coordinates.
    pub protocol_type: String,
    /// The assignor in use, by name.
    pub assignor: String,
    /// In the order of their identities.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// The identity that the coordinator gave it.
    pub member: MemberId,
    /// Its lasting name, if it has one (KIP-345).
    pub instance: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it comes from.
    pub client_host: String,
    /// Its partitions; none where the group does not speak the consumer protocol.
    pub assignment: Vec<TopicPartition>,
}

impl GroupDescription {
    fn from_wire(wire: &DescribedGroup) -> Self {
        let is_consumer = wire.protocol_type == "consumer";
        let members = wire.members.iter().map(|member| {
            let assignment = match is_consumer {
                true => read_assignment(member.member_assignment.clone()).unwrap_or_default(),
                false => Vec::new(),
            };
            MemberDescription {
                member: MemberId::new(&member.member_id),
                instance: member.group_instance_id.as_ref().map(ToString::to_string),
                client_id: member.client_id.to_string(),
                client_host: member.client_host.to_string(),
                assignment,
            }
        });
        let mut members: Vec<_> = members.collect();
        members.sort_by(|left, right| left.member.cmp(&right.member));
        Self {
            group: GroupId::new(&wire.group_id),
            state: wire.group_state.to_string(),
            protocol_type: wire.protocol_type.to_string(),
            assignor: wire.protocol_data.to_string(),
            members,
        }
    }
}

impl Admin {
    pub(super) fn coordinator(&self, group: &GroupId) -> Arc<Coordinator> {
        Arc::new(Coordinator::new(&self.cluster, group.clone()))
    }

    /// Asks the coordinator of a group, again where it has moved.
    pub(super) async fn ask_coordinator<R: Request>(
        &self,
        group: &GroupId,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response> {
        let coordinator = self.coordinator(group);
        let timeout = self.cluster.settings.request_timeout;
        let mut attempts = self.cluster.attempts();
        loop {
            let answered = coordinator.request(request, i16::MAX, timeout).await;
            let judged = answered.and_then(|response| {
                coordinator.check::<R>(code(&response))?;
                Ok(response)
            });
            match judged {
                Ok(response) => return Ok(response),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// All groups of all coordinators, in the order of their names.
    ///
    /// # Errors
    /// Where one of the brokers cannot be asked.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>> {
        let brokers = self.describe_cluster().await?.brokers;
        let mut groups = BTreeMap::new();
        let judge = |response: &<ListGroupsRequest as Request>::Response| {
            Error::check(ApiKey::ListGroups, || Subject::Request, response.error_code, None)
        };
        for broker in brokers {
            let request = ListGroupsRequest::default();
            let response = self.ask(Some(broker.id), &request, judge).await?;
            for wire in &response.groups {
                let listing = GroupListing {
                    group: GroupId::new(&wire.group_id),
                    protocol_type: wire.protocol_type.to_string(),
                    state: wire.group_state.to_string(),
                    kind: wire.group_type.to_string(),
                };
                groups.insert(listing.group.clone(), listing);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// A classic group and its members. A group that does not exist is described as `Dead`, or
    /// refused with GROUP_ID_NOT_FOUND by brokers since Kafka 4.0.
    ///
    /// # Errors
    /// Where its coordinator cannot be asked, or refuses.
    pub async fn describe_group(&self, group: &GroupId) -> Result<GroupDescription> {
        let request = DescribeGroupsRequest {
            groups: vec![group.as_str().into()],
            include_authorized_operations: false,
        };
        let code = |response: &<DescribeGroupsRequest as Request>::Response| {
            response.groups.first().map_or(0, |found| found.error_code)
        };
        let response = self.ask_coordinator(group, &request, code).await?;
        let (api, subject) = (ApiKey::DescribeGroups, Subject::Group(group.clone()));
        let found = response.groups.first().ok_or(Error::NotInResponse { api, subject })?;
        Ok(GroupDescription::from_wire(found))
    }

    /// Deletes a group without members, and its committed offsets.
    ///
    /// # Errors
    /// What its coordinator has against it, such as NON_EMPTY_GROUP or GROUP_ID_NOT_FOUND.
    pub async fn delete_group(&self, group: &GroupId) -> Result<()> {
        let request = DeleteGroupsRequest { groups_names: vec![group.as_str().into()] };
        let code = |response: &<DeleteGroupsRequest as Request>::Response| {
            response.results.first().map_or(0, |result| result.error_code)
        };
        self.ask_coordinator(group, &request, code).await.map(drop)
    }
}
