//! Records: deleted from the start of a partition.

use protocol::generated::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use protocol::message::Request;
use protocol::{Offset, TopicPartition};

use super::Admin;
use crate::error::{Error, Result, Subject};
use crate::settings::milliseconds;

impl Admin {
    /// Deletes the records before an offset, or all that are committed, if it is `None`. Gives the
    /// log start offset, the first that is still readable.
    ///
    /// # Errors
    /// What the leader has against it, such as OFFSET_OUT_OF_RANGE beyond the high watermark.
    pub async fn delete_records(
        &self,
        partition: &TopicPartition,
        before: Option<Offset>,
    ) -> Result<Offset> {
        let wire = DeleteRecordsPartition {
            partition_index: partition.partition.0,
            offset: before.unwrap_or(Offset::UNKNOWN).value(),
        };
        let name = partition.topic.as_str().into();
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic { name, partitions: vec![wire] }],
            timeout_ms: milliseconds(self.cluster.settings.request_timeout),
        };
        let mut attempts = self.cluster.attempts();
        loop {
            let version = self.cluster.metadata().version;
            match self.delete_records_once(partition, &request).await {
                Ok(offset) => return Ok(offset),
                Err(error) => self.cluster.before_retry(&mut attempts, error, version).await?,
            }
        }
    }

    async fn delete_records_once(
        &self,
        partition: &TopicPartition,
        request: &DeleteRecordsRequest,
    ) -> Result<Offset> {
        let topic = self.cluster.topic_once(&partition.topic).await?;
        topic.partition(partition.partition)?;
        let leader = self.cluster.leader(&partition.topic, partition.partition)?;
        let response = self
            .cluster
            .request_to_leader(leader, std::slice::from_ref(partition), request)
            .await?;
        let (api, subject) =
            (DeleteRecordsRequest::API_KEY, || Subject::Partition(partition.clone()));
        let mut answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        let answer = answers.next();
        let answer = answer.ok_or_else(|| Error::NotInResponse { api, subject: subject() })?;
        Error::check(api, subject, answer.error_code, None)?;
        Ok(Offset::new(answer.low_watermark))
    }
}
