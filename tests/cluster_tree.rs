//! `callboard tree` of a cluster of processes. If this broke, nobody would see what a cluster does
//! but by asking its nodes one by one.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[expect(dead_code, reason = "each program of tests needs a part of it")]
mod harness;

use std::time::{Duration, Instant};

use actors::cluster_tree::ClusterTree;
use harness::cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(30);

fn tree(cluster: &Cluster, at: i32, more: &[&str]) -> String {
    let admin = cluster.admin(at);
    cluster.command(&[&["tree", "--admin", &admin], more].concat()).ok()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn any_node_shows_the_trees_of_all_and_says_who_does_not_answer() {
    let mut cluster = Cluster::start();
    cluster.command(&["topic", "create", "orders", "-p", "1", "--replication-factor", "3"]).ok();
    for at in 1..=3 {
        until("all nodes are shown", || {
            let shown = tree(&cluster, at, &["partitions/orders-0", "--json"]);
            let shown: ClusterTree = serde_json::from_str(&shown).unwrap();
            shown.nodes.len() == 3 && shown.nodes.iter().all(|node| node.tree.is_some())
        });
    }
    let text = tree(&cluster, 2, &[]);
    for part in ["├── node 1 ", "├── node 2 ", "└── node 3 ", "    ├── partitions ", "orders-0"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert_eq!(text.matches("leads the quorum").count(), 1, "{text}");
    assert_eq!(text.matches("metadata_quorum").count(), 3, "{text}");
    let one = tree(&cluster, 2, &["--local"]);
    assert!(!one.contains("node 1 ") && one.starts_with("node "), "{one}");
    cluster.freeze(3);
    until("the frozen node is shown without its tree", || {
        let text = tree(&cluster, 1, &[]);
        text.contains("└── node 3 ") && text.matches("metadata_quorum").count() == 2
    });
    cluster.kill(3);
    until("the dead node is named", || tree(&cluster, 1, &[]).contains("no link to node 3"));
}
