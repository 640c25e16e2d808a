//! CreateTopics, DeleteTopics and CreatePartitions (KIP-4, KIP-195, KIP-525). The controller decides;
//! the answer to a creation comes when the new partitions serve, or at the request's timeout.

use metadata::{DeletedTopic, PartitionsToAdd, TopicReference, TopicToCreate};
use protocol::generated::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};
use protocol::generated::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use protocol::generated::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::primitives::{Encoded, WireString};
use protocol::{BrokerId, ErrorCode, PartitionIndex, TopicId};
use tokio::time::{Instant, timeout_at};

use super::Turn;
use super::controller_call::{ask, wait_from};
use crate::broker::is_internal;
use crate::client_session::connection::ConnectionEnd;
use crate::controller::question::{
    CreatePartitions, CreateTopics, CreatedSetting, DeleteTopics, Each, Refused, TopicCreation,
};

/// Creates topics.
///
/// # Errors
/// As every request.
pub async fn create_topics(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<CreateTopicsRequest>()?;
    let (deadline, validate_only) = (wait_from(request.timeout_ms), request.validate_only);
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.iter().map(to_create).collect();
    let decided = ask(turn.broker, deadline, CreateTopics { topics, validate_only }).await;
    if let (Ok(results), false) = (&decided, validate_only) {
        wait_until_served(turn, results, deadline).await;
    }
    let result = |(place, name): (usize, WireString)| match &decided {
        Ok(results) => created(name, results.get(place), turn.frame.version),
        Err(code) => CreatableTopicResult {
            name,
            error_code: code.code(),
            ..CreatableTopicResult::default()
        },
    };
    let topics = names.into_iter().enumerate().map(result).collect();
    turn.respond::<CreateTopicsRequest>(&CreateTopicsResponse { topics, throttle_time_ms: 0 })
}

fn to_create(topic: &CreatableTopic) -> TopicToCreate {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    TopicToCreate {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|given| (PartitionIndex(given.partition_index), brokers(&given.broker_ids)))
            .collect(),
        settings: topic
            .configs
            .iter()
            .map(|given| (given.name.to_string(), given.value.as_ref().map(ToString::to_string)))
            .collect(),
    }
}

async fn wait_until_served(turn: &Turn<'_>, results: &Each<TopicCreation>, deadline: Instant) {
    for created in results.iter().flatten() {
        // late is not lost: the topic is there, and clients ask again for its leaders
        let _ = timeout_at(deadline, turn.broker.serves_topic(created.topic_id)).await;
    }
}

fn created(
    name: WireString,
    result: Option<&Result<TopicCreation, Refused>>,
    version: i16,
) -> CreatableTopicResult {
    match result {
        Some(Ok(topic)) => CreatableTopicResult {
            name,
            topic_id: topic.topic_id,
            num_partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            configs: Some(if version >= 5 { settings_of(topic) } else { Vec::new() }),
            ..CreatableTopicResult::default()
        },
        Some(Err(refusal)) => CreatableTopicResult {
            name,
            error_code: refusal.code().code(),
            error_message: Some(WireString::from(refusal.to_string())),
            ..CreatableTopicResult::default()
        },
        None => CreatableTopicResult {
            name,
            error_code: ErrorCode::UnknownServerError.code(),
            ..CreatableTopicResult::default()
        },
    }
}

fn settings_of(topic: &TopicCreation) -> Vec<CreatableTopicConfigs> {
    let setting = |setting: &CreatedSetting| CreatableTopicConfigs {
        name: WireString::from(&*setting.name),
        value: setting.value.as_deref().map(WireString::from),
        read_only: setting.is_read_only,
        config_source: setting.source,
        is_sensitive: setting.is_sensitive,
    };
    topic.settings.iter().map(setting).collect()
}

/// Deletes topics, by name or (from v6 on) by id. The names are free when this is answered.
///
/// # Errors
/// As every request.
pub async fn delete_topics(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DeleteTopicsRequest>()?;
    let deadline = wait_from(request.timeout_ms);
    let wanted: Vec<(Option<WireString>, TopicId)> = if turn.frame.version >= 6 {
        request.topics.into_iter().map(|topic| (topic.name, topic.topic_id)).collect()
    } else {
        request.topic_names.into_iter().map(|name| (Some(name), TopicId::ZERO)).collect()
    };
    let references = wanted.iter().map(|(name, id)| match name {
        Some(name) => TopicReference::Name(name.to_string()),
        None => TopicReference::Id(*id),
    });
    let topics: Vec<_> = references.collect();
    let decided = if turn.broker.settings.load().topics.deletion {
        ask(turn.broker, deadline, DeleteTopics { topics }).await
    } else {
        Err(ErrorCode::TopicDeletionDisabled)
    };
    let result = |(place, (name, id)): (usize, (Option<WireString>, TopicId))| match &decided {
        Ok(results) => deleted(name, id, results.get(place)),
        Err(code) => DeletableTopicResult {
            name,
            topic_id: id,
            error_code: code.code(),
            ..DeletableTopicResult::default()
        },
    };
    let responses = wanted.into_iter().enumerate().map(result).collect();
    turn.respond::<DeleteTopicsRequest>(&DeleteTopicsResponse { responses, throttle_time_ms: 0 })
}

fn deleted(
    name: Option<WireString>,
    topic_id: TopicId,
    result: Option<&Result<DeletedTopic, Refused>>,
) -> DeletableTopicResult {
    match result {
        Some(Ok(topic)) => DeletableTopicResult {
            name: Some(WireString::from(topic.name.as_str())),
            topic_id: topic.topic_id,
            ..DeletableTopicResult::default()
        },
        Some(Err(refusal)) => DeletableTopicResult {
            name,
            topic_id,
            error_code: refusal.code().code(),
            error_message: Some(WireString::from(refusal.to_string())),
        },
        None => DeletableTopicResult {
            name,
            topic_id,
            error_code: ErrorCode::UnknownServerError.code(),
            ..DeletableTopicResult::default()
        },
    }
}

/// Adds partitions to topics.
///
/// # Errors
/// As every request.
pub async fn create_partitions(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<CreatePartitionsRequest>()?;
    let (deadline, validate_only) = (wait_from(request.timeout_ms), request.validate_only);
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.iter().map(to_add).collect();
    let decided = ask(turn.broker, deadline, CreatePartitions { topics, validate_only }).await;
    if decided.is_ok() && !validate_only {
        for name in &names {
            let image = turn.broker.image.load();
            let Some(topic) = image.topic(name).filter(|_| !is_internal(name)) else { continue };
            let _ = timeout_at(deadline, turn.broker.serves_topic(topic.id)).await;
        }
    }
    let result = |(place, name): (usize, WireString)| {
        let refusal = match &decided {
            Ok(results) => results.get(place).and_then(|result| result.as_ref().err()),
            Err(_) => None,
        };
        let code = decided.as_ref().err().copied().or(refusal.map(Refused::code));
        CreatePartitionsTopicResult {
            name,
            error_code: code.unwrap_or(ErrorCode::None).code(),
            error_message: refusal.map(|refusal| WireString::from(refusal.to_string())),
        }
    };
    let results = names.into_iter().enumerate().map(result).collect();
    let response = CreatePartitionsResponse { results, throttle_time_ms: 0 };
    turn.respond::<CreatePartitionsRequest>(&response)
}

fn to_add(topic: &CreatePartitionsTopic) -> PartitionsToAdd {
    let assignments = topic.assignments.as_ref().map(|given| {
        given.iter().map(|one| one.broker_ids.iter().copied().map(BrokerId).collect()).collect()
    });
    PartitionsToAdd { topic: topic.name.to_string(), count: topic.count, assignments }
}
