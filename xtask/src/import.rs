//! Reads Kafka's message definitions out of its jars and writes our schemas: names, types,
//! versions, tags and defaults. Nothing else of the definitions is taken over.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::schema::{FieldSchema, FieldType, MessageKind, MessageSchema, Versions};

/// Every schema file and the messages in it. An API is named once and stands for its request and
/// its response.
const FILES: &[(&str, &[&str])] = &[
    ("produce", &["ProduceRequest", "ProduceResponse"]),
    ("fetch", &["FetchRequest", "FetchResponse"]),
    ("list_offsets", &["ListOffsetsRequest", "ListOffsetsResponse"]),
    ("metadata", &["MetadataRequest", "MetadataResponse"]),
    ("offset_commit", &["OffsetCommitRequest", "OffsetCommitResponse"]),
    ("offset_fetch", &["OffsetFetchRequest", "OffsetFetchResponse"]),
    ("find_coordinator", &["FindCoordinatorRequest", "FindCoordinatorResponse"]),
    ("join_group", &["JoinGroupRequest", "JoinGroupResponse"]),
    ("heartbeat", &["HeartbeatRequest", "HeartbeatResponse"]),
    ("leave_group", &["LeaveGroupRequest", "LeaveGroupResponse"]),
    ("sync_group", &["SyncGroupRequest", "SyncGroupResponse"]),
    ("describe_groups", &["DescribeGroupsRequest", "DescribeGroupsResponse"]),
    ("list_groups", &["ListGroupsRequest", "ListGroupsResponse"]),
    ("api_versions", &["ApiVersionsRequest", "ApiVersionsResponse"]),
    ("create_topics", &["CreateTopicsRequest", "CreateTopicsResponse"]),
    ("delete_topics", &["DeleteTopicsRequest", "DeleteTopicsResponse"]),
    ("delete_records", &["DeleteRecordsRequest", "DeleteRecordsResponse"]),
    ("init_producer_id", &["InitProducerIdRequest", "InitProducerIdResponse"]),
    ("offset_for_leader_epoch", &["OffsetForLeaderEpochRequest", "OffsetForLeaderEpochResponse"]),
    ("describe_configs", &["DescribeConfigsRequest", "DescribeConfigsResponse"]),
    ("alter_configs", &["AlterConfigsRequest", "AlterConfigsResponse"]),
    ("create_partitions", &["CreatePartitionsRequest", "CreatePartitionsResponse"]),
    ("delete_groups", &["DeleteGroupsRequest", "DeleteGroupsResponse"]),
    (
        "incremental_alter_configs",
        &["IncrementalAlterConfigsRequest", "IncrementalAlterConfigsResponse"],
    ),
    ("elect_leaders", &["ElectLeadersRequest", "ElectLeadersResponse"]),
    (
        "alter_partition_reassignments",
        &["AlterPartitionReassignmentsRequest", "AlterPartitionReassignmentsResponse"],
    ),
    (
        "list_partition_reassignments",
        &["ListPartitionReassignmentsRequest", "ListPartitionReassignmentsResponse"],
    ),
    ("offset_delete", &["OffsetDeleteRequest", "OffsetDeleteResponse"]),
    ("describe_quorum", &["DescribeQuorumRequest", "DescribeQuorumResponse"]),
    ("unregister_broker", &["UnregisterBrokerRequest", "UnregisterBrokerResponse"]),
    ("add_raft_voter", &["AddRaftVoterRequest", "AddRaftVoterResponse"]),
    ("remove_raft_voter", &["RemoveRaftVoterRequest", "RemoveRaftVoterResponse"]),
    ("describe_cluster", &["DescribeClusterRequest", "DescribeClusterResponse"]),
    (
        "describe_topic_partitions",
        &["DescribeTopicPartitionsRequest", "DescribeTopicPartitionsResponse"],
    ),
    ("headers", &["RequestHeader", "ResponseHeader"]),
    ("consumer_protocol_subscription", &["ConsumerProtocolSubscription"]),
    ("consumer_protocol_assignment", &["ConsumerProtocolAssignment"]),
    ("offset_commit_record", &["OffsetCommitKey", "OffsetCommitValue"]),
    ("group_metadata_record", &["GroupMetadataKey", "GroupMetadataValue"]),
    ("producer_snapshot", &["ProducerSnapshot"]),
];

/// Messages of which we take over fewer versions than Kafka defines.
const NEWEST_STABLE: &[(&str, i16)] = &[
    // version 6 is marked unstable in 4.3, so Kafka does not serve it
    ("InitProducerIdRequest", 5),
    ("InitProducerIdResponse", 5),
];

/// Structs of a request that are called as other structs of its response are, with our names:
/// message, Kafka's name, ours. Only Rust sees the name of a struct.
const RENAMED_STRUCTS: &[(&str, &str, &str)] = &[
    ("DescribeQuorumRequest", "TopicData", "RequestedTopic"),
    ("DescribeQuorumRequest", "PartitionData", "RequestedPartition"),
];

/// A definition as Kafka writes it, as far as we read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    api_key: Option<i16>,
    valid_versions: String,
    flexible_versions: String,
    fields: Vec<DefinedField>,
    #[serde(default)]
    common_structs: Vec<CommonStruct>,
}

#[derive(Deserialize)]
struct CommonStruct {
    name: String,
    fields: Vec<DefinedField>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DefinedField {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    versions: String,
    nullable_versions: Option<String>,
    flexible_versions: Option<String>,
    tagged_versions: Option<String>,
    tag: Option<u32>,
    default: Option<Value>,
    #[serde(default)]
    ignorable: bool,
    #[serde(default)]
    fields: Vec<DefinedField>,
}

/// Writes `schemas/*.schema` from the definitions in the jars.
pub fn import(jars: &[&str], protocol: &Path) -> Result<()> {
    let folder = protocol.join("schemas");
    fs::create_dir_all(&folder)?;
    for (file, messages) in FILES {
        let mut text = String::from("# facts of Apache Kafka 4.3.1; the notation is explained in");
        text.push_str(" xtask/src/schema.rs\n");
        for message in *messages {
            let source = read_from_jars(jars, message)?;
            let schema = convert(&source).with_context(|| format!("in {message}"))?;
            write!(text, "\n{schema}")?;
        }
        fs::write(folder.join(format!("{file}.schema")), text)?;
    }
    Ok(())
}

fn read_from_jars(jars: &[&str], message: &str) -> Result<String> {
    for jar in jars {
        for folder in ["common/message", "message"] {
            let path = format!("{folder}/{message}.json");
            let output = Command::new("unzip").args(["-p", jar, &path]).output();
            let output = output.context("unzip could not be started")?;
            if output.status.success() {
                return Ok(String::from_utf8(output.stdout)?);
            }
        }
    }
    bail!("{message} is in none of the jars");
}

fn convert(source: &str) -> Result<MessageSchema> {
    let definition: Definition = serde_json::from_str(&without_comments(source))?;
    let last = NEWEST_STABLE.iter().find(|(name, _)| *name == definition.name);
    let within = Versions { first: 0, last: last.map_or(i16::MAX, |(_, version)| *version) };
    let versions = Versions::parse(&definition.valid_versions, within)?.context("no versions")?;
    let flexible = Versions::parse(&definition.flexible_versions, versions)?;
    let kind = match (definition.kind.as_str(), definition.api_key) {
        ("request", Some(key)) => MessageKind::Request { key },
        ("response", Some(key)) => MessageKind::Response { key },
        _ => MessageKind::Plain,
    };
    let shared: HashMap<&str, &[DefinedField]> =
        definition.common_structs.iter().map(|s| (s.name.as_str(), &s.fields[..])).collect();
    let mut fields = convert_fields(&definition.fields, versions, &shared)?;
    for (_, theirs, ours) in RENAMED_STRUCTS.iter().filter(|row| row.0 == definition.name) {
        rename_structs(&mut fields, theirs, ours);
    }
    Ok(MessageSchema {
        kind,
        versions,
        flexible_from: flexible.map(|range| range.first),
        fields,
        name: definition.name,
    })
}

fn rename_structs(fields: &mut [FieldSchema], theirs: &str, ours: &str) {
    for field in fields {
        field.kind = field.kind.renamed(theirs, ours);
        rename_structs(&mut field.fields, theirs, ours);
    }
}

fn convert_fields(
    fields: &[DefinedField],
    within: Versions,
    shared: &HashMap<&str, &[DefinedField]>,
) -> Result<Vec<FieldSchema>> {
    let mut converted = Vec::new();
    for field in fields {
        // what no served version has is left out
        if let Some(versions) = Versions::parse(&field.versions, within)? {
            converted.push(convert_field(field, versions, shared)?);
        }
    }
    Ok(converted)
}

fn convert_field(
    field: &DefinedField,
    versions: Versions,
    shared: &HashMap<&str, &[DefinedField]>,
) -> Result<FieldSchema> {
    let kind: FieldType = field.kind.parse()?;
    let nullable = field.nullable_versions.as_deref().map(|text| Versions::parse(text, versions));
    if let Some(tagged) = &field.tagged_versions {
        let tagged = Versions::parse(tagged, versions)?;
        ensure!(tagged == Some(versions), "{} is tagged in some versions only", field.name);
    }
    let nested = match kind.struct_name() {
        Some(name) if field.fields.is_empty() => {
            shared.get(name).with_context(|| format!("{name} is not defined"))?
        }
        _ => &field.fields[..],
    };
    Ok(FieldSchema {
        name: field.name.clone(),
        versions,
        nullable: nullable.transpose()?.flatten(),
        tag: field.tag,
        default: default_of(field, &kind)?,
        ignorable: field.ignorable,
        inflexible: field.flexible_versions.as_deref() == Some("none"),
        fields: convert_fields(nested, versions, shared)?,
        kind,
    })
}

/// The default, where it is not the zero of the type.
fn default_of(field: &DefinedField, kind: &FieldType) -> Result<Option<String>> {
    let text = match &field.default {
        // Kafka's generator treats records so
        None if *kind == FieldType::Records => "null".to_owned(),
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return Ok(Some(i64::from_str_radix(digits, 16)?.to_string()));
    }
    Ok((!matches!(text.as_str(), "" | "0" | "false")).then_some(text))
}

/// Kafka writes comments into its JSON: `//` up to the end of the line, outside of strings.
fn without_comments(source: &str) -> String {
    let mut kept = String::new();
    for line in source.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        let comment = line.char_indices().find(|&(_, character)| {
            if character == '"' && previous != '\\' {
                in_string = !in_string;
            }
            let found = !in_string && character == '/' && previous == '/';
            previous = character;
            found
        });
        kept.push_str(comment.map_or(line, |(at, _)| &line[..at - 1]));
        kept.push('\n');
    }
    kept
}
