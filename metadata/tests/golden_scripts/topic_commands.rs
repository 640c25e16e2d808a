//! Commands about whole topics.

use metadata::{PartitionsToAdd, TopicReference, TopicToCreate, auto_creation};
use protocol::{BrokerId, PartitionIndex, TopicId};
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::diary;
use crate::world::{Diary, World, answer};

impl World {
    pub fn create(&mut self, arguments: &Arguments) -> Diary {
        let topics: Vec<_> = arguments
            .word(0)
            .split('+')
            .map(|name| TopicToCreate {
                name: name.to_owned(),
                partitions: i32::try_from(arguments.number("partitions", -1)).unwrap(),
                replication_factor: i16::try_from(arguments.number("replicas", -1)).unwrap(),
                assignments: assignments(arguments.get("assign")),
                settings: arguments.settings(),
            })
            .collect();
        let ids: Vec<_> = topics.iter().map(|_| TopicId(self.uuid())).collect();
        let mut ids = ids.into_iter();
        let created = self
            .controller
            .create_topics(&topics, arguments.has("validate"), || ids.next().unwrap());
        let created = created.into_iter().map(|result| match result {
            Ok(topic) => format!(
                "<- {}: {} partitions, {} replicas",
                topic.name, topic.partitions, topic.replication_factor
            ),
            Err(refusal) => format!("<- {}", diary::refusal(&refusal)),
        });
        created.collect()
    }

    pub fn ask_for(&mut self, arguments: &Arguments) -> Diary {
        let name = arguments.word(0);
        let allowed = !arguments.has("forbidden");
        let decision = auto_creation(&self.image, self.controller.given(), name, allowed);
        let mut diary = vec![format!("   {decision:?}")];
        if decision == metadata::AutoCreation::Create {
            let id = TopicId(self.uuid());
            for result in self.controller.auto_create_topics(&[name], || id) {
                if let Err(refusal) = result {
                    diary.push(format!("<- {}", diary::refusal(&refusal)));
                }
            }
        }
        diary
    }

    pub fn delete(&mut self, arguments: &Arguments) -> Diary {
        let reference = |word: &String| match word.strip_prefix("id:") {
            Some("unknown") => TopicReference::Id(TopicId(Uuid::from_u128(9))),
            Some(name) => TopicReference::Id(self.image.topic(name).unwrap().id),
            None => TopicReference::Name(word.clone()),
        };
        let topics: Vec<_> = arguments.words.iter().map(reference).collect();
        let deleted = self.controller.delete_topics(&topics);
        let deleted = deleted.into_iter().map(|result| match result {
            Ok(topic) => format!("<- {} is gone", topic.name),
            Err(refusal) => format!("<- {}", diary::refusal(&refusal)),
        });
        deleted.collect()
    }

    pub fn add(&mut self, arguments: &Arguments) -> Diary {
        let assignments = arguments
            .get("assign")
            .map(|list| assignments(Some(list)).into_iter().map(|(_, brokers)| brokers).collect());
        let topic = PartitionsToAdd {
            topic: arguments.word(0).to_owned(),
            count: arguments.word(1).parse().unwrap(),
            assignments,
        };
        let validate = arguments.has("validate");
        self.controller.create_partitions(&[topic], validate).into_iter().flat_map(answer).collect()
    }
}

/// `0:1,2;1:2,1`
fn assignments(list: Option<&str>) -> Vec<(PartitionIndex, Vec<BrokerId>)> {
    let items = list.into_iter().flat_map(|list| list.split(';'));
    items
        .map(|item| {
            let (partition, ids) = item.split_once(':').unwrap();
            let ids = ids.split(',').filter(|id| !id.is_empty());
            let ids = ids.map(|id| BrokerId(id.parse().unwrap())).collect();
            (PartitionIndex(partition.parse().unwrap()), ids)
        })
        .collect()
}
