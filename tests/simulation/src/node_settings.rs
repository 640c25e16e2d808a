//! What a simulated node is started with.

use actors::StaticSettings;

use crate::chance::Chance;
use crate::virtual_network::client_address;
use crate::virtual_peers::VirtualPeers;

/// The settings of a node in a world of `nodes`: the first founds the cluster, the others join it.
/// An empty directory looks at that, any other one knows where it belongs. In half of
/// the worlds each node is a rack and followers serve consumers.
///
/// # Panics
/// If the settings contradict themselves, which no seed changes.
#[must_use]
pub fn node_settings(seed: u64, node: i32, nodes: usize) -> StaticSettings {
    let replicas = nodes.min(3).to_string();
    let mut settings = vec![
        ("node.id", node.to_string()),
        ("log.dirs", "/data".to_owned()),
        ("listeners", format!("PLAINTEXT://{}", client_address(node))),
        ("offsets.topic.num.partitions", "2".to_owned()),
        ("offsets.topic.replication.factor", replicas),
        ("group.initial.rebalance.delay.ms", "100".to_owned()),
        ("log.segment.bytes", "1048576".to_owned()),
        // often, so that crashes meet rolls
        ("log.roll.ms", "2000".to_owned()),
    ];
    if Chance::new(seed, "followers serve").per_mille(500) {
        settings.push(("broker.rack", rack(node)));
        settings.push(("replica.selector.class", "RackAwareReplicaSelector".to_owned()));
    }
    if nodes > 1 {
        settings.push(("callboard.cluster.listener", VirtualPeers::address(node).to_string()));
        settings.push(match node {
            1 => ("callboard.cluster.new", "true".to_owned()),
            _ => ("callboard.cluster.join", VirtualPeers::address(1).to_string()),
        });
    }
    StaticSettings::parse(settings).expect("every name and value stands in the table of settings")
}

/// The rack of a node.
#[must_use]
pub fn rack(node: i32) -> String {
    format!("rack-{node}")
}
