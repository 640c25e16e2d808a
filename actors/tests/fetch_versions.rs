//! Fetches of old and new versions, over the wire, on a node that is alone: what a version has no
//! room for is left out. If it is not, the response cannot be written and the connection ends.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "consumers without a group")]
mod group_harness;

use group_harness::{Wire, start, stop};
use protocol::ErrorCode;
use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchTopic};

#[tokio::test]
async fn a_leader_epoch_that_is_not_the_leaders_is_refused_in_every_version() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path()).await;
    let mut wire = Wire::connect(&node).await;
    wire.create_topic("orders", 1).await;
    let fetch = |current_leader_epoch| {
        let partition = FetchPartition {
            current_leader_epoch,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: "orders".into(),
            partitions: vec![partition],
            ..FetchTopic::default()
        };
        FetchRequest { topics: vec![topic], session_epoch: -1, ..FetchRequest::default() }
    };
    for version in [9, 11, 12] {
        let response = wire.ask(version, &fetch(1000)).await;
        let refused = &response.responses[0].partitions[0];
        assert_eq!(refused.error_code, ErrorCode::UnknownLeaderEpoch.code(), "v{version}");
        assert_eq!(refused.current_leader.leader_id, -1, "nobody newer is known here");
    }
    stop(node).await;
}
