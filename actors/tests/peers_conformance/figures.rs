//! What a link costs and carries, measured between two processes on one machine. The bounds are far
//! off what a quiet machine shows; the figures are printed, with what they were measured on.

use std::time::Duration;

use crate::peers_harness::World;
use crate::peers_harness::process_world::ProcessWorld;
use crate::{ALONE, strangers};

/// Median, 99th percentile and all, in microseconds.
async fn measure(world: &ProcessWorld, order: &str) -> [u64; 3] {
    let words = world.nodes[&1].order(&format!("measure {order}")).await;
    [3, 4, 5].map(|place| words[place].parse().unwrap())
}

/// Lines to print.
async fn figures(name: &str, world: &mut ProcessWorld) -> Vec<String> {
    world.pair().await;
    let mut lines = Vec::new();
    measure(world, "2 control 200 1 echo").await;
    let [median, worst, _] = measure(world, "2 control 2000 1 echo").await;
    lines.push(format!("{name}: a short question {median} µs, 99th percentile {worst} µs"));
    assert!(median < 20_000, "{median} µs");
    let [_, _, all] = measure(world, "2 control 8000 64 echo").await;
    let a_second = 8_000_000_000 / all.max(1);
    lines.push(format!("{name}: 64 at a time, {a_second} questions a second"));
    for at_once in [1, 4] {
        let order = format!("2 bulk0 100 {at_once} answer 1048576");
        let [_, _, all] = measure(world, &order).await;
        let megabytes = 100 * 1_048_576 / all.max(1);
        lines
            .push(format!("{name}: {at_once} answers of 1 MiB at a time, {megabytes} MB a second"));
        assert!(megabytes >= 5, "{megabytes} MB a second");
    }
    lines.push(format!("{name}: {}", noticed(world).await));
    lines
}

/// How long the end and the silence of a node are not noticed.
async fn noticed(world: &mut ProcessWorld) -> String {
    world.kill(2).await;
    let killed = world.linked(1, 2, None).await;
    let two = world.start(2).await;
    world.introduce(2, &[1]).await;
    let linked = world.linked(1, 2, Some(two)).await;
    world.freeze(2).await;
    let frozen = world.linked(1, 2, None).await;
    assert!(frozen < Duration::from_secs(2), "{frozen:?}");
    format!("killed {killed:?}, linked again {linked:?}, frozen {frozen:?}")
}

#[tokio::test]
async fn a_link_is_quick_and_carries_much() {
    let _alone = ALONE.lock().await;
    let mut lines = figures("plaintext", &mut ProcessWorld::new()).await;
    let directory = tempfile::TempDir::new().unwrap();
    strangers::certify(directory.path(), &[1, 2]);
    let mut world = ProcessWorld::with_certificates(directory.path().to_owned());
    lines.extend(figures("TLS", &mut world).await);
    println!("{}", lines.join("\n"));
}
