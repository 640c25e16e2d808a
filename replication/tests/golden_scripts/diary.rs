//! How effects, answers and states are written.

use replication::{
    Effect, EpochEnd, FetchPosition, FetchVerdict, InSyncProposal, ReadReplica, Refusal, Replica,
    Role,
};

pub fn effect(effect: &Effect) -> String {
    let text = match effect {
        Effect::Acknowledge { ticket, base_offset, log_start_offset } => {
            format!(
                "acknowledge ticket {ticket} at {base_offset}, log starts at {log_start_offset}"
            )
        }
        Effect::Refuse { ticket, reason } => {
            format!("refuse ticket {ticket}: {}", refusal(*reason))
        }
        Effect::HighWatermarkAdvanced { high_watermark } => {
            format!("high watermark advanced to {high_watermark}")
        }
        Effect::BecameReadable { high_watermark } => {
            format!("readable by consumers below {high_watermark}")
        }
        Effect::FlushNeeded { up_to } => format!("flush needed up to {up_to}"),
        Effect::ProposeInSyncReplicas(proposed) => proposal(proposed),
        Effect::ArmLagDeadline { at } => {
            format!("arm lag deadline at {} ms", at.since_origin().as_millis())
        }
        Effect::DisarmLagDeadline => "disarm lag deadline".to_owned(),
        Effect::LeadershipLost { leader_epoch } => {
            format!("leadership of epoch {leader_epoch} lost")
        }
        Effect::FetchFrom { leader, leader_epoch, position: at, flushed_offset, .. } => format!(
            "fetch from broker {leader} in epoch {leader_epoch} at {}, flushed {flushed_offset}",
            position(*at)
        ),
        Effect::StopFetching { leader } => format!("stop fetching from broker {leader}"),
        Effect::AppendFetched { base_offset } => {
            format!("append what was fetched at {base_offset}")
        }
        Effect::TruncateTo { offset, below_high_watermark: false } => {
            format!("truncate to {offset}")
        }
        Effect::TruncateTo { offset, below_high_watermark: true } => {
            format!("truncate to {offset}, BELOW THE HIGH WATERMARK")
        }
        Effect::RestartLogAt { offset } => format!("restart the log at {offset}"),
        Effect::MoveLogStart { offset } => format!("move the log start to {offset}"),
        Effect::ReportFlushProgress { leader, leader_epoch, flushed_offset } => {
            format!("tell broker {leader} in epoch {leader_epoch} that {flushed_offset} is flushed")
        }
        Effect::ReportFailure { leader, leader_epoch } => {
            format!("tell broker {leader} in epoch {leader_epoch} that this log failed")
        }
    };
    format!("-> {text}")
}

fn proposal(proposal: &InSyncProposal) -> String {
    let members: Vec<_> = proposal
        .in_sync_replicas
        .iter()
        .map(|member| match member.broker_epoch.is_known() {
            true => format!("{} (broker epoch {})", member.broker, member.broker_epoch),
            false => member.broker.to_string(),
        })
        .collect();
    format!(
        "propose in-sync replicas {} for epoch {}, partition epoch {}",
        members.join(", "),
        proposal.leader_epoch,
        proposal.partition_epoch
    )
}

fn position(position: FetchPosition) -> String {
    match position.last_fetched_epoch {
        Some(epoch) => format!("{} (last epoch {epoch})", position.fetch_offset),
        None => format!("{} (no epoch)", position.fetch_offset),
    }
}

pub fn refusal(refusal: Refusal) -> String {
    format!("{}, {refusal}", refusal.error_code())
}

pub fn outcome(outcome: Result<(), Refusal>) -> String {
    match outcome {
        Ok(()) => "<- yes".to_owned(),
        Err(reason) => format!("<- no: {}", refusal(reason)),
    }
}

pub fn epoch_end(end: EpochEnd) -> String {
    format!("epoch {} ended at {}", end.leader_epoch, end.end_offset)
}

pub fn verdict(verdict: Result<FetchVerdict, Refusal>) -> String {
    match verdict {
        Ok(FetchVerdict::ReadFrom { offset }) => format!("<- read from {offset}"),
        Ok(FetchVerdict::Diverging(end)) => format!("<- diverging, {}", epoch_end(end)),
        Ok(FetchVerdict::OutOfRange { log_start_offset, log_end_offset }) => {
            format!("<- out of range, the log is {log_start_offset}..{log_end_offset}")
        }
        Err(reason) => format!("<- no: {}", refusal(reason)),
    }
}

pub fn read_replicas(replica: &Replica) -> String {
    let replica_text = |one: ReadReplica| {
        format!("broker {} holds {}..{}", one.broker, one.log_start, one.log_end)
    };
    let known: Vec<_> = replica.read_replicas().map(replica_text).collect();
    if known.is_empty() { "<- nobody".to_owned() } else { format!("<- {}", known.join(", ")) }
}

pub fn state(replica: &Replica) -> String {
    let role = match replica.role() {
        Role::AwaitingElection => "awaiting election".to_owned(),
        Role::Leader => {
            let members: Vec<_> =
                replica.in_sync_replicas().iter().map(ToString::to_string).collect();
            let partition_epoch = replica.partition_epoch().map_or(-1, |epoch| epoch.0);
            format!("leader, in sync {} (partition epoch {partition_epoch})", members.join(","))
        }
        Role::Follower => "follower".to_owned(),
        Role::Offline => "offline".to_owned(),
    };
    let epochs: Vec<_> = replica
        .epoch_starts()
        .iter()
        .map(|start| format!("{}@{}", start.leader_epoch, start.start_offset))
        .collect();
    format!(
        "== {role}; epoch {}; log {}..{} flushed {} high watermark {} epochs [{}]; pending {}",
        replica.leader_epoch(),
        replica.log_start_offset(),
        replica.log_end_offset(),
        replica.flushed_offset(),
        replica.high_watermark(),
        epochs.join(" "),
        replica.pending_appends(),
    )
}
