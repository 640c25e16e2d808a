//! What is done to both groups.

use crate::outcome::shown;

#[derive(Clone, Debug)]
pub enum Command {
    Join {
        ticket: u64,
        client: String,
        version: i16,
        member_id: String,
        instance_id: String,
        session_ms: i32,
        rebalance_ms: i32,
        protocol_type: &'static str,
        /// Name and metadata in hexadecimal digits.
        protocols: Vec<(&'static str, String)>,
    },
    Sync {
        ticket: u64,
        member_id: String,
        instance_id: String,
        generation: i32,
        protocol_name: &'static str,
        /// Member id and assignment in hexadecimal digits.
        assignments: Vec<(String, String)>,
    },
    Heartbeat {
        ticket: u64,
        member_id: String,
        instance_id: String,
        generation: i32,
    },
    Leave {
        ticket: u64,
        member_id: String,
        instance_id: String,
    },
    /// Only whether it would be accepted.
    Commit {
        ticket: u64,
        version: i16,
        member_id: String,
        instance_id: String,
        generation: i32,
    },
    Wait {
        millis: u64,
    },
    Durable,
    Failed,
}

impl Command {
    /// As the oracle reads it.
    pub fn to_line(&self) -> String {
        match self {
            Self::Join {
                ticket,
                client,
                version,
                member_id,
                instance_id,
                session_ms,
                rebalance_ms,
                protocol_type,
                protocols,
            } => {
                let protocols = protocols.iter().map(|(name, bytes)| format!("{name}:{bytes}"));
                let protocols = protocols.collect::<Vec<_>>().join(",");
                let (member_id, instance_id) = (shown(member_id), shown(instance_id));
                format!(
                    "join {ticket} {client} {version} {member_id} {instance_id} {session_ms} \
                     {rebalance_ms} {protocol_type} {protocols}"
                )
            }
            Self::Sync {
                ticket,
                member_id,
                instance_id,
                generation,
                protocol_name,
                assignments,
            } => {
                let assignments = assignments.iter().map(|(id, bytes)| format!("{id}:{bytes}"));
                let assignments = assignments.collect::<Vec<_>>().join(",");
                let (member_id, instance_id) = (shown(member_id), shown(instance_id));
                let assignments = shown(&assignments);
                format!(
                    "sync {ticket} 5 {member_id} {instance_id} {generation} consumer \
                     {protocol_name} {assignments}"
                )
            }
            Self::Heartbeat { ticket, member_id, instance_id, generation } => {
                let (member_id, instance_id) = (shown(member_id), shown(instance_id));
                format!("heartbeat {ticket} {member_id} {instance_id} {generation}")
            }
            Self::Leave { ticket, member_id, instance_id } => {
                format!("leave {ticket} {}@{}", shown(member_id), shown(instance_id))
            }
            Self::Commit { ticket, version, member_id, instance_id, generation } => {
                let (member_id, instance_id) = (shown(member_id), shown(instance_id));
                format!("commit {ticket} {version} {member_id} {instance_id} {generation}")
            }
            Self::Wait { millis } => format!("wait {millis}"),
            Self::Durable => "durable".to_owned(),
            Self::Failed => "failed NOT_ENOUGH_REPLICAS".to_owned(),
        }
    }
}
