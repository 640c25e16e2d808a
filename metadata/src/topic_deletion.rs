//! Deleting topics.

use protocol::{TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::record::MetadataRecord;
use crate::refusal::Refusal;
use crate::topic_creation::named_twice;

/// A topic as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TopicReference {
    /// By its name, as the client gave it.
    Name(String),
    /// By the identity of its incarnation.
    Id(TopicId),
}

/// A topic that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedTopic {
    /// Its name.
    pub name: TopicName,
    /// The identity of the incarnation that ended.
    pub topic_id: TopicId,
}

impl Controller {
    /// Deletes topics, in the order of the request; the same name may be created again at once.
    pub fn delete_topics(
        &mut self,
        topics: &[TopicReference],
    ) -> Vec<Result<DeletedTopic, Refusal>> {
        let twice = named_twice(topics.iter().filter_map(|topic| match topic {
            TopicReference::Name(name) => Some(name.as_str()),
            TopicReference::Id(_) => None,
        }));
        topics
            .iter()
            .map(|topic| match topic {
                TopicReference::Name(name) if twice.contains(name.as_str()) => {
                    Err(Refusal::NamedTwice)
                }
                _ => self.delete_topic(topic),
            })
            .collect()
    }

    fn delete_topic(&mut self, reference: &TopicReference) -> Result<DeletedTopic, Refusal> {
        if self.given().value("delete.topic.enable") == Some("false") {
            return Err(Refusal::DeletionDisabled);
        }
        let topic = match reference {
            TopicReference::Name(name) => {
                self.image().topic(name).ok_or(Refusal::UnknownTopicOrPartition)?
            }
            TopicReference::Id(topic_id) => {
                let unknown = Refusal::UnknownTopicId { topic_id: *topic_id };
                self.image().topic_by_id(*topic_id).ok_or(unknown)?
            }
        };
        let deleted = DeletedTopic { name: topic.name.clone(), topic_id: topic.id };
        self.decide(MetadataRecord::TopicDeleted { topic_id: deleted.topic_id })?;
        Ok(deleted)
    }
}
