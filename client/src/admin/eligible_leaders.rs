//! Which replicas may lead besides those in sync (KIP-966).

use std::collections::BTreeMap;

use protocol::generated::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, TopicName, TopicPartition};

use super::Admin;
use super::reassignments::named;
use crate::error::{Error, Result, Subject};

/// Partitions that one response may describe.
const PAGE: i32 = 2000;

/// The replicas of each partition that may lead it besides those in sync.
pub type EligibleLeaders = BTreeMap<TopicPartition, Vec<BrokerId>>;

impl Admin {
    /// The eligible leader replicas (ELR) of these topics' partitions: not in sync at present, but
    /// known to have every committed record. Partitions without any have an empty list; topics
    /// that cannot be described are left out.
    ///
    /// # Errors
    /// Where the cluster cannot be asked; [`Error::UnsupportedApi`] from brokers that keep no such
    /// list.
    pub async fn eligible_leaders(&self, topics: &[TopicName]) -> Result<EligibleLeaders> {
        let mut names: Vec<_> = topics.iter().map(TopicName::as_str).collect();
        names.sort_unstable();
        let topics = names.iter().map(|name| TopicRequest { name: WireString::from(*name) });
        let mut request = DescribeTopicPartitionsRequest {
            topics: topics.collect(),
            response_partition_limit: PAGE,
            cursor: None,
        };
        let mut found = EligibleLeaders::new();
        // no topics would ask for all of them
        while !request.topics.is_empty() {
            let response = self.ask(None, &request, |_| Ok(())).await?;
            add_page(&mut found, &response)?;
            let Some(next) = response.next_cursor else { break };
            request.cursor =
                Some(following(request.cursor.as_ref(), &next.topic_name, next.partition_index)?);
            request.topics.retain(|topic| *topic.name >= *next.topic_name);
        }
        Ok(found)
    }
}

fn add_page(found: &mut EligibleLeaders, page: &DescribeTopicPartitionsResponse) -> Result<()> {
    for topic in page.topics.iter().filter(|topic| topic.error_code == 0) {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            let eligible = partition.eligible_leader_replicas.as_deref().unwrap_or_default();
            let eligible = eligible.iter().copied().map(BrokerId).collect();
            found.insert(named(name, partition.partition_index)?, eligible);
        }
    }
    Ok(())
}

/// Where the next page begins: behind where the last one did, or paging would never end.
fn following(last: Option<&Cursor>, topic: &WireString, partition: i32) -> Result<Cursor> {
    let next = Cursor { topic_name: topic.clone(), partition_index: partition };
    let place = |cursor: &Cursor| (cursor.topic_name.to_string(), cursor.partition_index);
    if last.is_some_and(|last| place(last) >= place(&next)) {
        let (api, subject) = (DescribeTopicPartitionsRequest::API_KEY, Subject::Request);
        return Err(Error::NotInResponse { api, subject });
    }
    Ok(next)
}
