//! Clients that ask for too much: a group that let them would take the memory of its broker with
//! it, or could not be written down any more.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordination::{
    ClassicGroup, ClassicGroupState, Effect, Effects, GroupInstanceId, GroupSettings, JoinAnswer,
    JoinRequest, MemberProtocol, Now, SyncRequest, Ticket, candidate_member_id,
};
use protocol::{ErrorCode, Generation, GroupId, MemberId};

fn settings() -> GroupSettings {
    GroupSettings { initial_rebalance_delay: Duration::ZERO, ..GroupSettings::default() }
}

fn group(settings: GroupSettings) -> ClassicGroup {
    ClassicGroup::new(GroupId::new("g"), Arc::new(settings))
}

fn request(number: u64, version: i16, metadata: Bytes) -> JoinRequest {
    JoinRequest {
        ticket: Ticket(number),
        version,
        member_id: MemberId::new(""),
        candidate_member_id: candidate_member_id("c", None, number),
        group_instance_id: None,
        client_id: Arc::from("c"),
        client_host: Arc::from("/127.0.0.1"),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: Arc::from("consumer"),
        protocols: vec![MemberProtocol { name: Arc::from("range"), metadata }],
    }
}

/// The answer, if it came at once.
fn join(group: &mut ClassicGroup, request: JoinRequest) -> Option<JoinAnswer> {
    let (mut effects, ticket) = (Effects::new(), request.ticket);
    group.on_join(Now::default(), request, &mut effects);
    effects.drain().find_map(|effect| match effect {
        Effect::AnswerJoin { ticket: answered, answer } if answered == ticket => Some(answer),
        _ => None,
    })
}

fn error(answer: Option<JoinAnswer>) -> ErrorCode {
    answer.unwrap().error
}

#[test]
fn ids_given_out_are_bounded() {
    let mut group = group(GroupSettings { pending_members_max: 3, ..settings() });
    for number in 0..3 {
        let answer = join(&mut group, request(number, 9, Bytes::new()));
        assert_eq!(error(answer), ErrorCode::MemberIdRequired);
    }
    let answer = join(&mut group, request(3, 9, Bytes::new()));
    assert_eq!(error(answer), ErrorCode::GroupMaxSizeReached);
}

#[test]
fn bytes_of_all_members_are_bounded() {
    let mut group = group(GroupSettings { group_metadata_bytes_max: 10_000, ..settings() });
    let big = Bytes::from(vec![0; 4_000]);
    assert_eq!(error(join(&mut group, request(1, 3, big.clone()))), ErrorCode::None);
    assert_eq!(join(&mut group, request(2, 3, big.clone())), None, "it waits for the first");
    assert_eq!(error(join(&mut group, request(3, 3, big))), ErrorCode::GroupMaxSizeReached);
    assert_eq!(group.member_count(), 2);
}

#[test]
fn bytes_of_one_member_are_bounded() {
    let mut group = group(settings());
    let too_big = Bytes::from(vec![0; settings().member_metadata_bytes_max]);
    assert_eq!(error(join(&mut group, request(1, 3, too_big))), ErrorCode::InvalidRequest);
    assert!(group.is_vacant());
}

#[test]
fn an_assignment_beyond_the_bound_begins_a_rebalance() {
    let mut group = group(GroupSettings { group_metadata_bytes_max: 10_000, ..settings() });
    let answer = join(&mut group, request(1, 3, Bytes::new())).unwrap();
    let mut effects = Effects::new();
    let request = SyncRequest {
        ticket: Ticket(2),
        version: 5,
        generation: Generation::new(1),
        member_id: answer.member_id.clone(),
        group_instance_id: None,
        protocol_type: Some(Arc::from("consumer")),
        protocol_name: Some(Arc::from("range")),
        assignments: vec![(answer.member_id, Bytes::from(vec![0; 10_000]))],
    };
    group.on_sync(Now::default(), request, &mut effects);
    let is_refused = effects.drain().any(|effect| match effect {
        Effect::AnswerSync { answer, .. } => answer.error == ErrorCode::UnknownServerError,
        _ => false,
    });
    assert!(is_refused);
    assert_eq!(group.state(), ClassicGroupState::PreparingRebalance);
}

#[test]
fn names_that_no_record_can_hold_are_refused() {
    let long: Arc<str> = Arc::from("x".repeat(GroupSettings::NAME_BYTES_MAX + 1));
    let ordinary = request(1, 9, Bytes::new());
    let protocols = vec![MemberProtocol { name: Arc::clone(&long), metadata: Bytes::new() }];
    for request in [
        JoinRequest { group_instance_id: Some(GroupInstanceId::new(&long)), ..ordinary.clone() },
        JoinRequest { client_id: Arc::clone(&long), ..ordinary.clone() },
        JoinRequest { protocol_type: Arc::clone(&long), ..ordinary.clone() },
        JoinRequest { protocols, ..ordinary.clone() },
    ] {
        assert_eq!(error(join(&mut group(settings()), request)), ErrorCode::InvalidRequest);
    }
    let mut nameless = ClassicGroup::new(GroupId::new(&long), Arc::new(settings()));
    assert_eq!(error(join(&mut nameless, ordinary)), ErrorCode::InvalidGroupId);
}

#[test]
fn one_name_brought_twice_counts_once() {
    let mut group = group(settings());
    let protocol = |metadata| MemberProtocol { name: Arc::from("range"), metadata };
    let first = Bytes::from_static(b"first");
    let protocols = vec![protocol(first.clone()), protocol(Bytes::from_static(b"second"))];
    let request = JoinRequest { protocols, ..request(1, 3, Bytes::new()) };
    let answer = join(&mut group, request).unwrap();
    assert_eq!(answer.members[0].metadata, first);
}

#[test]
fn hundreds_of_members_are_lost_in_an_instant() {
    const MEMBERS: u64 = 500;
    let mut group = group(GroupSettings {
        initial_rebalance_delay: Duration::from_secs(3),
        ..GroupSettings::default()
    });
    for number in 0..MEMBERS {
        assert_eq!(join(&mut group, request(number, 3, Bytes::new())), None);
    }
    let mut effects = Effects::new();
    let hour = Now { monotonic: Duration::from_secs(3_600), ..Now::default() };
    group.on_time(hour, &mut effects);
    let answered =
        effects.drain().filter(|effect| matches!(effect, Effect::AnswerJoin { .. })).count();
    assert_eq!(answered, usize::try_from(MEMBERS).unwrap());
}
