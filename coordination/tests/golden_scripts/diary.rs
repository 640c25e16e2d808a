//! Effects and states as lines of a diary. An arrow to the left leaves for a client, one to the
//! right goes to the disk.

use std::time::Duration;

use coordination::{
    ClassicGroup, Effect, FetchedTopic, GroupDescription, GroupRecord, JoinAnswer,
    MembershipRecord, SyncAnswer, TopicAnswer,
};
use protocol::ErrorCode;

pub fn effect(effect: &Effect) -> String {
    match effect {
        Effect::AnswerJoin { ticket, answer } => format!("<- {ticket} joined: {}", join(answer)),
        Effect::AnswerSync { ticket, answer } => format!("<- {ticket} synced: {}", sync(answer)),
        Effect::AnswerHeartbeat { ticket, error } => format!("<- {ticket} heartbeat: {error}"),
        Effect::AnswerLeave { ticket, answer } => {
            let members = answer.members.iter().map(|member| {
                let instance = member.group_instance_id.as_ref();
                let instance = instance.map_or(String::new(), |id| format!("@{id}"));
                format!(" {}{instance}:{}", member.member_id, member.error)
            });
            format!("<- {ticket} left: {}{}", answer.error, members.collect::<String>())
        }
        Effect::AnswerCommit { ticket, topics } => {
            format!("<- {ticket} committed:{}", partitions(topics))
        }
        Effect::AnswerDeleteOffsets { ticket, error, topics } => {
            format!("<- {ticket} offsets deleted: {error}{}", partitions(topics))
        }
        Effect::AnswerDeleteGroup { ticket, error } => {
            format!("<- {ticket} group deleted: {error}")
        }
        Effect::AppendRecords { ticket, records } => {
            let records: Vec<String> = records.iter().map(record).collect();
            format!("-> append #{ticket}: {}", records.join(", "))
        }
        Effect::ArmTimer { at } => format!("   timer at {}", time(*at)),
        Effect::StateChanged { from, to, generation } => {
            format!("== {from} => {to}, generation {generation}")
        }
        Effect::GroupRemoved => "== removed".to_owned(),
    }
}

fn join(answer: &JoinAnswer) -> String {
    if answer.error != ErrorCode::None {
        return format!("{} member={:?}", answer.error, answer.member_id.as_str());
    }
    let members = answer.members.iter().map(|member| member.member_id.as_str());
    let members: Vec<&str> = members.collect();
    let skip = if answer.skip_assignment { " skip assignment" } else { "" };
    format!(
        "generation={} protocol={} leader={} member={} members=[{}]{skip}",
        answer.generation,
        answer.protocol_name.as_deref().unwrap_or("-"),
        answer.leader,
        answer.member_id,
        members.join(" "),
    )
}

fn sync(answer: &SyncAnswer) -> String {
    match answer.error {
        ErrorCode::None => format!(
            "protocol={} assignment={:?}",
            answer.protocol_name.as_deref().unwrap_or("-"),
            String::from_utf8_lossy(&answer.assignment)
        ),
        error => error.to_string(),
    }
}

fn partitions(topics: &[TopicAnswer]) -> String {
    let each = topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|answer| format!(" {}/{}:{}", topic.topic, answer.partition, answer.error))
    });
    each.collect()
}

fn record(record: &GroupRecord) -> String {
    match record {
        GroupRecord::OffsetCommitted { topic, partition, committed } => {
            format!("{topic}/{partition}={}", committed.offset)
        }
        GroupRecord::OffsetRemoved { topic, partition } => format!("{topic}/{partition} gone"),
        GroupRecord::Membership(membership) => self::membership(membership),
        GroupRecord::GroupRemoved => "group gone".to_owned(),
    }
}

fn membership(membership: &MembershipRecord) -> String {
    let members: Vec<String> = membership
        .members
        .iter()
        .map(|member| {
            format!("{}:{}", member.member_id, String::from_utf8_lossy(&member.assignment))
        })
        .collect();
    format!("generation {} of [{}]", membership.generation, members.join(" "))
}

pub fn state(group: &ClassicGroup) -> String {
    let members: Vec<String> = group
        .describe()
        .members
        .iter()
        .map(|member| {
            let leads = if Some(&member.member_id) == group.leader() { "*" } else { "" };
            format!("{}{leads}", member.member_id)
        })
        .collect();
    format!("[{} {} {}]", group.state(), group.generation(), members.join(" "))
}

pub fn description(description: &GroupDescription) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} type={:?} protocol={:?}",
        description.error, description.state, description.protocol_type, description.protocol_name
    )];
    lines.extend(description.members.iter().map(|member| {
        format!(
            "{} client={} host={} metadata={} bytes, assignment={:?}",
            member.member_id,
            member.client_id,
            member.client_host,
            member.metadata.len(),
            String::from_utf8_lossy(&member.assignment)
        )
    }));
    lines
}

pub fn fetched(topics: &[FetchedTopic]) -> Vec<String> {
    let each = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|fetched| {
            format!(
                "{}/{}={} {:?}",
                topic.topic, fetched.partition, fetched.offset, fetched.metadata
            )
        })
    });
    let lines: Vec<String> = each.collect();
    if lines.is_empty() { vec!["nothing committed".to_owned()] } else { lines }
}

pub fn time(at: Duration) -> String {
    format!("{}.{:03}s", at.as_secs(), at.subsec_millis())
}
