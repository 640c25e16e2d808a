//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs (KIP-133, KIP-226, KIP-339, KIP-569).

use metadata::settings::resolution::{
    DescribedSetting, SettingSynonym, describe_broker, describe_cluster_default, describe_topic,
};
use metadata::{
    ClusterImage, GivenSetting, Refusal, SettingEdit, SettingOperation, SettingResource,
    parse_setting_resource,
};
use protocol::ErrorCode;
use protocol::generated::alter_configs::{
    AlterConfigsRequest, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use protocol::generated::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::generated::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use protocol::primitives::{Encoded, WireString};

use super::Turn;
use super::controller_call::{ask, wait_default};
use crate::client_session::connection::ConnectionEnd;
use crate::controller::Question;
use crate::controller::question::{ChangeSettings, Each, ReplaceSettings};

/// Answers with the settings of topics and of this broker.
///
/// # Errors
/// As every request.
pub fn describe_configs(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<DescribeConfigsRequest>()?;
    let image = turn.broker.image.load();
    let describe = |resource: &DescribeConfigsResource| {
        let base = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..DescribeConfigsResult::default()
        };
        match settings_of(turn, &image, resource) {
            Ok(settings) => DescribeConfigsResult {
                configs: settings
                    .into_iter()
                    .filter(|setting| is_wanted(resource, setting.name))
                    .map(|setting| to_wire(setting, &request))
                    .collect(),
                ..base
            },
            Err((code, message)) => DescribeConfigsResult {
                error_code: code.code(),
                error_message: Some(WireString::from(message)),
                ..base
            },
        }
    };
    let results = request.resources.iter().map(describe).collect();
    turn.respond::<DescribeConfigsRequest>(&DescribeConfigsResponse {
        results,
        throttle_time_ms: 0,
    })
}

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| **key == *name))
}

fn settings_of(
    turn: &Turn<'_>,
    image: &ClusterImage,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribedSetting>, (ErrorCode, String)> {
    let (kind, name) = (resource.resource_type, &resource.resource_name);
    let refused = |refusal: Refusal| (refusal.code(), refusal.to_string());
    match parse_setting_resource(kind, name).map_err(refused)? {
        SettingResource::Topic(topic) => {
            if image.topic(topic.as_str()).is_none() {
                let message = format!("there is no topic {topic}");
                return Err((ErrorCode::UnknownTopicOrPartition, message));
            }
            Ok(describe_topic(image, &turn.broker.given, &topic))
        }
        SettingResource::Broker(broker) if broker != turn.broker.id => {
            let message = format!("broker {broker} describes its own settings, this is another");
            Err((ErrorCode::InvalidRequest, message))
        }
        SettingResource::Broker(_) => Ok(describe_broker(image, &turn.broker.given)),
        SettingResource::ClusterDefault => Ok(describe_cluster_default(image)),
    }
}

fn to_wire(
    setting: DescribedSetting,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResourceResult {
    let synonym = |synonym: SettingSynonym| DescribeConfigsSynonym {
        name: WireString::from(synonym.name),
        value: Some(WireString::from(synonym.value)),
        source: synonym.source.code(),
    };
    let synonyms = if request.include_synonyms { setting.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: WireString::from(setting.name),
        value: setting.value.map(WireString::from),
        read_only: setting.is_read_only,
        config_source: setting.source.code(),
        is_sensitive: setting.is_sensitive,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: setting.kind.code(),
        documentation: request
            .include_documentation
            .then(|| WireString::from(setting.documentation)),
    }
}

/// A resource as the client names it: its kind and name.
type Named = (i8, WireString);

/// What a client is told of a resource that was not changed.
type Refused = (ErrorCode, String);

/// What was decided of each resource.
type Decided = Vec<(Named, Result<(), Refused>)>;

/// Changes what parses and says of the rest why it does not.
async fn change<C, Q>(
    turn: &Turn<'_>,
    wanted: Vec<(Named, Result<C, Refused>)>,
    question: impl FnOnce(Vec<(SettingResource, C)>) -> Q,
) -> Decided
where
    Q: Question<Answer = Each<()>>,
{
    let mut changes = Vec::new();
    let mut outcomes: Decided = Vec::new();
    let mut asked = Vec::new();
    for ((kind, name), given) in wanted {
        let resource = parse_setting_resource(kind, &name)
            .map_err(|refusal| (refusal.code(), refusal.to_string()));
        let outcome = match (resource, given) {
            (Ok(resource), Ok(change)) => {
                asked.push(outcomes.len());
                changes.push((resource, change));
                Ok(())
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        outcomes.push(((kind, name), outcome));
    }
    if asked.is_empty() {
        return outcomes;
    }
    let decided = ask(turn.broker, wait_default(), question(changes)).await;
    for (place, outcome) in asked.into_iter().enumerate() {
        outcomes[outcome].1 = match &decided {
            Ok(results) => match results.get(place) {
                Some(Err(refusal)) => Err((refusal.code(), refusal.to_string())),
                _ => Ok(()),
            },
            Err(code) => Err((*code, "the controller did not decide".to_owned())),
        };
    }
    outcomes
}

/// Replaces all settings of resources.
///
/// # Errors
/// As every request.
pub async fn alter_configs(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<AlterConfigsRequest>()?;
    let validate_only = request.validate_only;
    let wanted = request.resources.into_iter().map(|resource| {
        let given = |setting: protocol::generated::alter_configs::AlterableConfig| {
            let value = setting.value.map(|value| value.to_string());
            (setting.name.to_string(), value)
        };
        let settings: Vec<GivenSetting> = resource.configs.into_iter().map(given).collect();
        ((resource.resource_type, resource.resource_name), Ok(settings))
    });
    let question = |changes| ReplaceSettings { changes, validate_only };
    let decided = change(turn, wanted.collect(), question).await;
    let responses = decided.into_iter().map(|((resource_type, resource_name), outcome)| {
        let (error_code, error_message) = told(outcome);
        AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    });
    let response = AlterConfigsResponse { responses: responses.collect(), throttle_time_ms: 0 };
    turn.respond::<AlterConfigsRequest>(&response)
}

fn told(outcome: Result<(), (ErrorCode, String)>) -> (i16, Option<WireString>) {
    match outcome {
        Ok(()) => (0, None),
        Err((code, message)) => (code.code(), Some(WireString::from(message))),
    }
}

/// Changes some settings of resources.
///
/// # Errors
/// As every request.
pub async fn incremental_alter_configs(turn: &Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    let request = turn.body::<IncrementalAlterConfigsRequest>()?;
    let validate_only = request.validate_only;
    let wanted = request.resources.into_iter().map(|resource| {
        let operations: Result<Vec<_>, _> = resource.configs.iter().map(operation).collect();
        ((resource.resource_type, resource.resource_name), operations)
    });
    let question = |changes| ChangeSettings { changes, validate_only };
    let decided = change(turn, wanted.collect(), question).await;
    let responses = decided.into_iter().map(|((resource_type, resource_name), outcome)| {
        let (error_code, error_message) = told(outcome);
        incremental::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type,
            resource_name,
        }
    });
    let responses = responses.collect();
    let response = IncrementalAlterConfigsResponse { responses, throttle_time_ms: 0 };
    turn.respond::<IncrementalAlterConfigsRequest>(&response)
}

fn operation(
    given: &incremental::AlterableConfig,
) -> Result<SettingOperation, (ErrorCode, String)> {
    let edit = match given.config_operation {
        0 => SettingEdit::Set,
        1 => SettingEdit::Delete,
        2 => SettingEdit::Append,
        3 => SettingEdit::Subtract,
        other => {
            let message = format!("{other} is no operation on a setting");
            return Err((ErrorCode::InvalidRequest, message));
        }
    };
    let value = given.value.as_ref().map(ToString::to_string);
    Ok(SettingOperation { name: given.name.to_string(), edit, value })
}
