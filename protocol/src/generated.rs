//! The messages of the protocol, one API a module, request and response together.
//!
//! Written by `cargo xtask generate` from `schemas/`. Every field, its type and its versions are
//! Kafka's own; what each field means is said on Kafka's protocol page. Comments name the versions
//! of a field where the message has others too.

#![allow(missing_docs, reason = "the names are the protocol's own")]
#![allow(clippy::too_many_lines, reason = "a message has as many fields as it has")]

pub mod add_raft_voter;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod api_versions;
pub mod consumer_protocol_assignment;
pub mod consumer_protocol_subscription;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod group_metadata_record;
pub mod headers;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_commit_record;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod producer_snapshot;
pub mod remove_raft_voter;
pub mod sync_group;
pub mod unregister_broker;

/// Calls a macro with one line for every API, in the order of the keys: the variant of
/// [`ApiKey`](crate::api_key::ApiKey), the module, the request and the response.
#[macro_export]
macro_rules! for_each_api {
    ($call:ident) => {
        $call! {
        Produce produce ProduceRequest ProduceResponse,
        Fetch fetch FetchRequest FetchResponse,
        ListOffsets list_offsets ListOffsetsRequest ListOffsetsResponse,
        Metadata metadata MetadataRequest MetadataResponse,
        OffsetCommit offset_commit OffsetCommitRequest OffsetCommitResponse,
        OffsetFetch offset_fetch OffsetFetchRequest OffsetFetchResponse,
        FindCoordinator find_coordinator FindCoordinatorRequest FindCoordinatorResponse,
        JoinGroup join_group JoinGroupRequest JoinGroupResponse,
        Heartbeat heartbeat HeartbeatRequest HeartbeatResponse,
        LeaveGroup leave_group LeaveGroupRequest LeaveGroupResponse,
        SyncGroup sync_group SyncGroupRequest SyncGroupResponse,
        DescribeGroups describe_groups DescribeGroupsRequest DescribeGroupsResponse,
        ListGroups list_groups ListGroupsRequest ListGroupsResponse,
        ApiVersions api_versions ApiVersionsRequest ApiVersionsResponse,
        CreateTopics create_topics CreateTopicsRequest CreateTopicsResponse,
        DeleteTopics delete_topics DeleteTopicsRequest DeleteTopicsResponse,
        DeleteRecords delete_records DeleteRecordsRequest DeleteRecordsResponse,
        InitProducerId init_producer_id InitProducerIdRequest InitProducerIdResponse,
        OffsetForLeaderEpoch offset_for_leader_epoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse,
        DescribeConfigs describe_configs DescribeConfigsRequest DescribeConfigsResponse,
        AlterConfigs alter_configs AlterConfigsRequest AlterConfigsResponse,
        CreatePartitions create_partitions CreatePartitionsRequest CreatePartitionsResponse,
        DeleteGroups delete_groups DeleteGroupsRequest DeleteGroupsResponse,
        ElectLeaders elect_leaders ElectLeadersRequest ElectLeadersResponse,
        IncrementalAlterConfigs incremental_alter_configs IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse,
        AlterPartitionReassignments alter_partition_reassignments AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse,
        ListPartitionReassignments list_partition_reassignments ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse,
        OffsetDelete offset_delete OffsetDeleteRequest OffsetDeleteResponse,
        DescribeQuorum describe_quorum DescribeQuorumRequest DescribeQuorumResponse,
        DescribeCluster describe_cluster DescribeClusterRequest DescribeClusterResponse,
        UnregisterBroker unregister_broker UnregisterBrokerRequest UnregisterBrokerResponse,
        DescribeTopicPartitions describe_topic_partitions DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse,
        AddRaftVoter add_raft_voter AddRaftVoterRequest AddRaftVoterResponse,
        RemoveRaftVoter remove_raft_voter RemoveRaftVoterRequest RemoveRaftVoterResponse,
        }
    };
}
