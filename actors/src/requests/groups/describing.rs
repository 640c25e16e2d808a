//! DescribeGroups, ListGroups and DeleteGroups (KIP-222, KIP-229, KIP-518, KIP-848).

use coordination::{ClassicGroup, GroupDescription, ListedGroup, MemberDescription};
use protocol::generated::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use protocol::generated::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use protocol::generated::list_groups::{self, ListGroupsRequest, ListGroupsResponse};
use protocol::primitives::{Encoded, WireString};
use protocol::{ErrorCode, GroupId};

use super::{QUICK_ANSWER, durable_answer, instance_id_on_wire};
use crate::client_session::connection::ConnectionEnd;
use crate::group_coordinator::group_request::GroupRequest;
use crate::requests::Turn;

/// The first version that says that a group is not there; the others show a dead one.
const NOT_FOUND_VERSION: i16 = 6;
/// The type of every group here, as the wire names it.
const GROUP_TYPE: &str = "classic";
/// What everybody may do to a group where nobody is refused anything: read, delete, describe and
/// both of its settings, as bits numbered by Kafka's operations.
const EVERY_OPERATION: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Answers with groups and their members.
///
/// # Errors
/// As every request.
pub async fn describe_groups(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DescribeGroupsRequest>()?;
    let broker = turn.broker;
    let mut groups = Vec::with_capacity(request.groups.len());
    for name in request.groups {
        let group_id = GroupId::new(&name);
        let question = |reply| GroupRequest::Describe { reply };
        let answer = broker.groups.ask(broker, &group_id, None, Some(QUICK_ANSWER), question).await;
        let description = answer.unwrap_or_else(ClassicGroup::describe_missing);
        let mut group = described(name, description, turn.frame.version);
        if request.include_authorized_operations {
            group.authorized_operations = EVERY_OPERATION;
        }
        groups.push(group);
    }
    let response = DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() };
    turn.respond::<DescribeGroupsRequest>(&response)
}

fn described(group_id: WireString, description: GroupDescription, version: i16) -> DescribedGroup {
    let says_not_found = version >= NOT_FOUND_VERSION;
    let is_missing = description.error == ErrorCode::GroupIdNotFound;
    let error = if is_missing && !says_not_found { ErrorCode::None } else { description.error };
    let message = || WireString::from(format!("Group {group_id} not found."));
    let is_refused = !matches!(error, ErrorCode::None | ErrorCode::GroupIdNotFound);
    let state = if is_refused { "" } else { description.state.name() };
    DescribedGroup {
        error_code: error.code(),
        error_message: (is_missing && says_not_found).then(message),
        group_id,
        group_state: WireString::from(state),
        protocol_type: WireString::from(&*description.protocol_type),
        protocol_data: WireString::from(&*description.protocol_name),
        members: description.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(member: MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: WireString::from(member.member_id.as_str()),
        group_instance_id: instance_id_on_wire(member.group_instance_id.as_ref()),
        client_id: WireString::from(&*member.client_id),
        client_host: WireString::from(&*member.client_host),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    }
}

/// Answers with the groups that are coordinated here.
///
/// # Errors
/// As every request.
pub async fn list_groups(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<ListGroupsRequest>()?;
    let states: Vec<&str> = request.states_filter.iter().map(WireString::as_str).collect();
    let types: Vec<&str> = request.types_filter.iter().map(WireString::as_str).collect();
    let response = match turn.broker.groups.list(turn.broker).await {
        Ok(groups) => {
            let passing = groups.iter().filter(|group| group.passes(&states, &types));
            let groups = passing.map(listed).collect();
            ListGroupsResponse { groups, ..ListGroupsResponse::default() }
        }
        Err(code) => {
            ListGroupsResponse { error_code: code.code(), ..ListGroupsResponse::default() }
        }
    };
    turn.respond::<ListGroupsRequest>(&response)
}

fn listed(group: &ListedGroup) -> list_groups::ListedGroup {
    list_groups::ListedGroup {
        group_id: WireString::from(group.group_id.as_str()),
        protocol_type: WireString::from(&*group.protocol_type),
        group_state: WireString::from(group.state.name()),
        group_type: WireString::from_static(GROUP_TYPE),
    }
}

/// Deletes groups without members; answered when the deletions are durable.
///
/// # Errors
/// As every request.
pub async fn delete_groups(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DeleteGroupsRequest>()?;
    let (broker, deadline) = (turn.broker, Some(durable_answer(turn)));
    let mut results = Vec::with_capacity(request.groups_names.len());
    for name in request.groups_names {
        let question = |reply| GroupRequest::DeleteGroup { reply };
        let answer =
            broker.groups.ask(broker, &GroupId::new(&name), None, deadline, question).await;
        let (Ok(code) | Err(code)) = answer;
        results.push(DeletableGroupResult { group_id: name, error_code: code.code() });
    }
    let response = DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() };
    turn.respond::<DeleteGroupsRequest>(&response)
}
