//! DeleteRecords (KIP-107): moves the log start offset of partitions.

use std::time::Duration;

use protocol::generated::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use protocol::primitives::Encoded;
use protocol::{ErrorCode, Offset, PartitionIndex};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Turn;
use crate::broker::Broker;
use crate::client_session::connection::ConnectionEnd;
use crate::partition_replica::PartitionReplicaMessage;

/// Deletes below the offsets asked for; −1 means everything committed.
///
/// # Errors
/// As every request.
pub async fn delete_records(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DeleteRecordsRequest>()?;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + timeout;
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let index = PartitionIndex(wanted.partition_index);
            let offset = Offset::new(wanted.offset);
            let deleted = delete_below(turn.broker, &topic.name, index, offset, deadline).await;
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: wanted.partition_index,
                low_watermark: deleted.map_or(-1, Offset::value),
                error_code: deleted.err().unwrap_or(ErrorCode::None).code(),
            });
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    turn.respond::<DeleteRecordsRequest>(&response)
}

async fn delete_below(
    broker: &Broker,
    topic: &str,
    index: PartitionIndex,
    offset: Offset,
    deadline: Instant,
) -> Result<Offset, ErrorCode> {
    let image = broker.image.load();
    let topic = image.topic(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    broker.check_records_may_be_deleted(&image, &topic.name)?;
    let place = broker.place_of(topic, index)?;
    let (reply, moved) = oneshot::channel();
    place
        .replica
        .send(PartitionReplicaMessage::DeleteRecords { offset, reply })
        .map_err(|_| ErrorCode::NotLeaderOrFollower)?;
    match timeout_at(deadline, moved).await {
        Ok(Ok(moved)) => moved,
        Ok(Err(_)) => Err(ErrorCode::NotLeaderOrFollower),
        Err(_) => Err(ErrorCode::RequestTimedOut),
    }
}
