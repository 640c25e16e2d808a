//! From a question to the rule that answers it. Nothing here waits, and nothing decides: the rules
//! do.

use metadata::controller::Controller as Rules;
use metadata::{ClusterId, ElectionKind, PartitionKey, Refusal};
use protocol::{BrokerEpoch, PartitionIndex, TopicId};

use super::Origin;
use super::question::{
    AnyAnswer, AnyQuestion, Each, ElectLeaders, ElectionOutcome, Refused, TopicCreation,
};

/// What the rules cannot know.
pub struct Circumstances<'a> {
    /// The cluster that is founded, if none is.
    pub cluster_id: ClusterId,
    /// Who asks.
    pub origin: Origin,
    /// Whether a broker's heartbeats arrive.
    pub is_alive: &'a dyn Fn(protocol::BrokerId) -> bool,
    /// Identities that were never used.
    pub new_id: &'a dyn Fn() -> TopicId,
}

/// Asks the rules.
pub fn decide(
    rules: &mut Rules,
    question: AnyQuestion,
    circumstances: &Circumstances<'_>,
) -> AnyAnswer {
    use AnyAnswer as Answer;
    use AnyQuestion as Question;
    let new_id = circumstances.new_id;
    match question {
        Question::Heartbeat(asked) => {
            Answer::Heartbeat(rules.on_heartbeat(&asked.heartbeat).map_err(Refused::from))
        }
        Question::RegisterBroker(asked) => {
            let registered = register(rules, &asked.registration, circumstances);
            Answer::RegisterBroker(registered.map_err(Refused::from))
        }
        Question::ReportReplica(asked) => {
            let (broker, epoch) = (asked.broker, asked.broker_epoch);
            let reported = rules.report_replica(broker, epoch, asked.key, asked.report);
            Answer::ReportReplica(reported.map_err(Refused::from))
        }
        Question::ChangeInSyncReplicas(asked) => {
            let (leader, epoch) = (asked.leader, asked.broker_epoch);
            let changed = rules.change_in_sync_replicas(leader, epoch, &asked.changes);
            Answer::ChangeInSyncReplicas(changed.map(each).map_err(Refused::from))
        }
        Question::AllocateProducerIds(asked) => {
            let block = rules.allocate_producer_ids(asked.broker, asked.broker_epoch);
            Answer::AllocateProducerIds(block.map_err(Refused::from))
        }
        Question::CreateTopics(asked) => {
            let created = rules.create_topics(&asked.topics, asked.validate_only, new_id);
            Answer::CreateTopics(creations(created))
        }
        Question::AutoCreateTopics(asked) => {
            let names: Vec<&str> = asked.names.iter().map(String::as_str).collect();
            Answer::AutoCreateTopics(creations(rules.auto_create_topics(&names, new_id)))
        }
        Question::DeleteTopics(asked) => {
            Answer::DeleteTopics(each(rules.delete_topics(&asked.topics)))
        }
        Question::CreatePartitions(asked) => {
            let added = rules.create_partitions(&asked.topics, asked.validate_only);
            Answer::CreatePartitions(each(added))
        }
        Question::ChangeSettings(asked) => {
            let changed = rules.change_settings(&asked.changes, asked.validate_only);
            Answer::ChangeSettings(each(changed))
        }
        Question::ReplaceSettings(asked) => {
            let changed = rules.replace_settings(&asked.changes, asked.validate_only);
            Answer::ReplaceSettings(each(changed))
        }
        Question::ElectLeaders(asked) => Answer::ElectLeaders(elect_leaders(rules, asked)),
        Question::Reassign(asked) => {
            let started = rules.reassign(&asked.reassignments, asked.may_change_factor);
            Answer::Reassign(each(started))
        }
        Question::UnregisterBroker(asked) => {
            let unregistered = rules.unregister_broker(asked.broker);
            Answer::UnregisterBroker(unregistered.map_err(Refused::from))
        }
    }
}

fn each<T>(results: Vec<Result<T, Refusal>>) -> Each<T> {
    results.into_iter().map(|result| result.map_err(Refused::from)).collect()
}

fn creations(results: Vec<Result<metadata::CreatedTopic, Refusal>>) -> Each<TopicCreation> {
    let creation = |result: Result<metadata::CreatedTopic, Refusal>| {
        result.map(TopicCreation::from).map_err(Refused::from)
    };
    results.into_iter().map(creation).collect()
}

/// Registers a broker; the first one of all founds the cluster.
fn register(
    rules: &mut Rules,
    registration: &metadata::RegisterBroker,
    circumstances: &Circumstances<'_>,
) -> Result<BrokerEpoch, Refusal> {
    if rules.image().cluster_id().is_none() {
        rules.found_cluster(circumstances.cluster_id)?;
    }
    let broker = registration.broker;
    // any other node's image is behind this one's
    let starts_unfenced = registration.starts_unfenced && circumstances.origin == Origin::Here;
    let request = metadata::RegisterBroker { starts_unfenced, ..registration.clone() };
    rules.register_broker(&request, (circumstances.is_alive)(broker))
}

fn elect_leaders(rules: &mut Rules, asked: ElectLeaders) -> Vec<ElectionOutcome> {
    let kind = asked.kind;
    let Some(partitions) = asked.partitions else { return elect_all(rules, kind) };
    let elect = |(topic, partition): (String, PartitionIndex)| {
        let found = rules.image().partition_by_name(&topic, partition).map(|(id, _)| id);
        let elected = match found {
            Some(id) => rules.elect_leader(PartitionKey::new(id, partition), kind).map(drop),
            None => Err(Refusal::UnknownTopicOrPartition),
        };
        ElectionOutcome { topic, partition, outcome: elected.map_err(Refused::from) }
    };
    partitions.into_iter().map(elect).collect()
}

fn elect_all(rules: &mut Rules, kind: ElectionKind) -> Vec<ElectionOutcome> {
    let image = rules.image().clone();
    let mut outcomes = Vec::new();
    for topic in image.topics() {
        for (partition, _) in topic.indexed_partitions() {
            let outcome = match rules.elect_leader(PartitionKey::new(topic.id, partition), kind) {
                Err(Refusal::ElectionNotNeeded) => continue,
                elected => elected.map(drop).map_err(Refused::from),
            };
            outcomes.push(ElectionOutcome { topic: topic.name.to_string(), partition, outcome });
        }
    }
    outcomes
}
