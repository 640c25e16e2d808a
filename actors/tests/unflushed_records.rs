//! Where a write is enough for an ack (`callboard.flush.before.ack=false`), a failed flush takes
//! records back that counted. A replica that such a thing happened to must not be taken for one that
//! has everything: it would lead without them, and have the others cut what only they have.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "nobody counts messages here")]
#[path = "replication_harness/mod.rs"]
mod replication_harness;

use std::time::Duration;

use actors::ports::peers::memory_peers::Traffic;
use protocol::BrokerId;
use replication_harness::{Trio, until};

const SETTINGS: &[(&str, &str)] =
    &[("callboard.flush.before.ack", "false"), ("log.flush.interval.ms", "300")];

/// What the others send to node 1.
fn slow_down(trio: &Trio, traffic: Traffic) {
    for other in [2, 3] {
        trio.network.set_traffic_between(BrokerId(other), BrokerId(1), traffic);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_flush_failed_does_not_lead_again_without_what_counted() {
    let mut trio = Trio::start_with(SETTINGS).await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"nothing yet").await;
    trio.break_flushes(1, "orders", 1, false);
    let mut last = 0;
    for number in 1..=3 {
        // one that is refused for want of a leader is sent again, and may then be there twice
        last = trio.append("orders", 0, format!("order {number}").as_bytes()).await;
    }
    // what it loses it must not fetch again too soon
    let slow = Duration::from_millis(100);
    let traffic = Traffic { delay_min: slow, delay_max: slow, ..Traffic::default() };
    slow_down(&trio, traffic);
    until("another one leads", || {
        [2, 3].iter().any(|node| trio.place(*node, "orders", 0).unwrap().view().is_some())
    })
    .await;
    let next = trio.leader("orders", 0).await;
    trio.kill(next).await;
    // the quorum, of which two are left, needs quick links to elect
    slow_down(&trio, Traffic::default());
    assert!(trio.append("orders", 0, b"order 4").await > last, "what counted is there");
    trio.network.heal_all();
    trio.restart(next).await;
    trio.in_sync("orders", 0, &[1, 2, 3]).await;
    trio.agree("orders", 0).await;
    let log = trio.log_bytes(3, "orders", 0);
    let text = String::from_utf8_lossy(&log);
    assert!((1..=4).all(|number| text.contains(&format!("order {number}"))), "{text}");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_gave_up_after_a_failed_flush_is_not_eligible() {
    let mut trio = Trio::start_with(SETTINGS).await;
    trio.create_topic("orders", 1).await;
    trio.append("orders", 0, b"nothing yet").await;
    trio.kill(3).await;
    trio.in_sync("orders", 0, &[1, 2]).await;
    trio.break_flushes(1, "orders", usize::MAX, true);
    trio.append("orders", 0, b"order 1").await;
    until("node 1 has given up", || {
        trio.state(2, "orders", 0).unwrap().offline_replicas.contains(&BrokerId(1))
    })
    .await;
    let state = trio.state(2, "orders", 0).unwrap();
    assert_eq!((state.leader, &state.isr[..]), (Some(BrokerId(2)), &[BrokerId(2)][..]));
    assert!(!state.elr.contains(&BrokerId(1)), "it lost what counted: {state:?}");
    trio.stop().await;
}
