//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup (KIP-62, KIP-345, KIP-394, KIP-559, KIP-814).

use std::sync::Arc;

use coordination::{
    HeartbeatRequest as GroupHeartbeat, JoinAnswer, JoinRequest, JoinedMember, LeaveAnswer,
    LeaveRequest, LeavingMember, MemberLeft, MemberProtocol, SyncAnswer, SyncRequest,
    candidate_member_id,
};
use protocol::generated::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::generated::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use protocol::generated::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use protocol::generated::sync_group::{SyncGroupRequest, SyncGroupResponse};
use protocol::primitives::{Encoded, WireString};
use protocol::{ErrorCode, Generation, GroupId, MemberId};

use super::{QUICK_ANSWER, client_host, durable_answer, instance_id, instance_id_on_wire, kept};
use crate::client_session::connection::ConnectionEnd;
use crate::group_coordinator::group_request::{GroupRequest, UNNUMBERED};
use crate::requests::Turn;

/// The first version in which a response may have no protocol name.
const JOIN_NULLABLE_VERSION: i16 = 7;
/// The first version that can tell a leader not to assign (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;
/// The first version that names several members (KIP-345).
const LEAVE_BATCHED_VERSION: i16 = 3;

/// Joins; answered when the generation begins.
///
/// # Errors
/// As every request.
pub async fn join_group(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<JoinGroupRequest>()?;
    let group_id = GroupId::new(&request.group_id);
    let join = Box::new(join_request(turn, &request));
    // a newcomer speaks under the name that it will have
    let is_new = join.member_id.is_empty();
    let member_id = if is_new { &join.candidate_member_id } else { &join.member_id };
    let speaker = turn.context.members.speaker(&group_id, member_id);
    let broker = turn.broker;
    let question = |reply| GroupRequest::Join { request: join, reply };
    let answer = broker.groups.ask(broker, &group_id, speaker, None, question).await;
    let answer =
        answer.unwrap_or_else(|code| JoinAnswer::refused(code, MemberId::new(&request.member_id)));
    turn.respond::<JoinGroupRequest>(&join_response(answer, turn.frame.version))
}

fn join_request(turn: &Turn<'_>, request: &JoinGroupRequest) -> JoinRequest {
    let client_id: Arc<str> = Arc::from(turn.context.client_id.as_deref().unwrap_or_default());
    let group_instance_id = instance_id(request.group_instance_id.as_ref());
    let unique = turn.broker.ports.rng.uuid();
    let protocol = |protocol: &JoinGroupRequestProtocol| MemberProtocol {
        name: kept(&protocol.name),
        metadata: protocol.metadata.clone(),
    };
    JoinRequest {
        ticket: UNNUMBERED,
        version: turn.frame.version,
        member_id: MemberId::new(&request.member_id),
        candidate_member_id: candidate_member_id(&client_id, group_instance_id.as_ref(), unique),
        group_instance_id,
        client_id,
        client_host: client_host(turn.context.client_host),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        protocol_type: kept(&request.protocol_type),
        protocols: request.protocols.iter().map(protocol).collect(),
    }
}

fn join_response(answer: JoinAnswer, version: i16) -> JoinGroupResponse {
    let protocol_name = answer.protocol_name.as_deref().map(WireString::from);
    let member = |member: JoinedMember| JoinGroupResponseMember {
        member_id: WireString::from(member.member_id.as_str()),
        group_instance_id: instance_id_on_wire(member.group_instance_id.as_ref()),
        metadata: member.metadata,
    };
    JoinGroupResponse {
        error_code: answer.error.code(),
        generation_id: answer.generation.value(),
        protocol_type: answer.protocol_type.as_deref().map(WireString::from),
        protocol_name: if version < JOIN_NULLABLE_VERSION {
            Some(protocol_name.unwrap_or_default())
        } else {
            protocol_name
        },
        leader: WireString::from(answer.leader.as_str()),
        skip_assignment: answer.skip_assignment && version >= SKIP_ASSIGNMENT_VERSION,
        member_id: WireString::from(answer.member_id.as_str()),
        members: answer.members.into_iter().map(member).collect(),
        ..JoinGroupResponse::default()
    }
}

/// Brings or takes an assignment; answered when it is durable.
///
/// # Errors
/// As every request.
pub async fn sync_group(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<SyncGroupRequest>()?;
    let (broker, group_id) = (turn.broker, &GroupId::new(&request.group_id));
    let member_id = MemberId::new(&request.member_id);
    let speaker = turn.context.members.speaker(group_id, &member_id);
    let sync = Box::new(sync_request(request, member_id, turn.frame.version));
    let question = |reply| GroupRequest::Sync { request: sync, reply };
    let answer = broker.groups.ask(broker, group_id, speaker, None, question).await;
    let answer = answer.unwrap_or_else(|code| {
        SyncAnswer::refused(match code {
            // whoever loads the group has lost the round under way: the member joins again, and
            // not every client understands more than that here
            ErrorCode::CoordinatorLoadInProgress => ErrorCode::RebalanceInProgress,
            code => code,
        })
    });
    turn.respond::<SyncGroupRequest>(&SyncGroupResponse {
        error_code: answer.error.code(),
        protocol_type: answer.protocol_type.as_deref().map(WireString::from),
        protocol_name: answer.protocol_name.as_deref().map(WireString::from),
        assignment: answer.assignment,
        ..SyncGroupResponse::default()
    })
}

fn sync_request(request: SyncGroupRequest, member_id: MemberId, version: i16) -> SyncRequest {
    let assignments = request.assignments.into_iter();
    SyncRequest {
        ticket: UNNUMBERED,
        version,
        generation: Generation::new(request.generation_id),
        member_id,
        group_instance_id: instance_id(request.group_instance_id.as_ref()),
        protocol_type: request.protocol_type.as_ref().map(kept),
        protocol_name: request.protocol_name.as_ref().map(kept),
        assignments: assignments
            .map(|assigned| (MemberId::new(&assigned.member_id), assigned.assignment))
            .collect(),
    }
}

/// Says that a member lives.
///
/// # Errors
/// As every request.
pub async fn heartbeat(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<HeartbeatRequest>()?;
    let beat = GroupHeartbeat {
        ticket: UNNUMBERED,
        generation: Generation::new(request.generation_id),
        member_id: MemberId::new(&request.member_id),
        group_instance_id: instance_id(request.group_instance_id.as_ref()),
    };
    let (broker, group_id) = (turn.broker, GroupId::new(&request.group_id));
    let speaker = turn.context.members.speaker(&group_id, &beat.member_id);
    let deadline = Some(QUICK_ANSWER);
    let question = |reply| GroupRequest::Heartbeat { request: beat, reply };
    let code = match broker.groups.ask(broker, &group_id, speaker, deadline, question).await {
        // the session begins anew when the group is loaded, so nothing is lost by saying yes; no
        // client expects this code here (as Kafka)
        Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
        Ok(code) | Err(code) => code,
    };
    let error_code = code.code();
    turn.respond::<HeartbeatRequest>(&HeartbeatResponse { error_code, throttle_time_ms: 0 })
}

/// Leaves, or removes static members.
///
/// # Errors
/// As every request.
pub async fn leave_group(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<LeaveGroupRequest>()?;
    let is_batched = turn.frame.version >= LEAVE_BATCHED_VERSION;
    let member = |member: &MemberIdentity| LeavingMember {
        member_id: MemberId::new(&member.member_id),
        group_instance_id: instance_id(member.group_instance_id.as_ref()),
    };
    let members = if is_batched {
        request.members.iter().map(member).collect()
    } else {
        let member_id = MemberId::new(&request.member_id);
        vec![LeavingMember { member_id, group_instance_id: None }]
    };
    let leave = LeaveRequest { ticket: UNNUMBERED, members };
    let (broker, group_id) = (turn.broker, GroupId::new(&request.group_id));
    let question = |reply| GroupRequest::Leave { request: leave, reply };
    let deadline = Some(durable_answer(turn));
    let answer = broker.groups.ask(broker, &group_id, None, deadline, question).await;
    let answer = answer.unwrap_or_else(|error| LeaveAnswer { error, members: Vec::new() });
    turn.respond::<LeaveGroupRequest>(&leave_response(&answer, is_batched))
}

fn leave_response(answer: &LeaveAnswer, is_batched: bool) -> LeaveGroupResponse {
    if !is_batched {
        let of_member = answer.members.first().map_or(ErrorCode::None, |member| member.error);
        let error = if answer.error == ErrorCode::None { of_member } else { answer.error };
        return LeaveGroupResponse { error_code: error.code(), ..LeaveGroupResponse::default() };
    }
    let member = |member: &MemberLeft| MemberResponse {
        member_id: WireString::from(member.member_id.as_str()),
        group_instance_id: instance_id_on_wire(member.group_instance_id.as_ref()),
        error_code: member.error.code(),
    };
    LeaveGroupResponse {
        error_code: answer.error.code(),
        members: answer.members.iter().map(member).collect(),
        ..LeaveGroupResponse::default()
    }
}
