//! A disk that does not answer, in clusters of whole nodes: who leads meanwhile, who decides, and how
//! the node comes back. If it kept what it led, everybody would wait for its disk.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "nobody is killed here")]
mod cluster_harness;

use std::time::Duration;

use actors::controller::question::{CreateTopics, TopicCreation};
use cluster_harness::World;
use metadata::TopicToCreate;
use protocol::BrokerId;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The bound, a tick, and the time of a decision.
const HANDED_OVER: Duration = Duration::from_millis(1300);
/// The same when another voter has to be elected first, by whom the decision is made.
const ELECTED: Duration = Duration::from_millis(2500);

/// Something to agree on, so that every voter writes; nobody waits for it.
fn write_something(world: &World, through: i32) -> JoinHandle<Option<TopicCreation>> {
    let topics = vec![TopicToCreate::with_defaults("something")];
    let question = CreateTopics { topics, validate_only: false };
    let answer = actors::controller::ask(&world.broker(through).controller, question);
    tokio::spawn(async move { answer.await.ok()?.remove(0).ok() })
}

fn leads(world: &World, through: i32, node: i32) -> bool {
    world.decided(through, "orders", 0).leader == Some(BrokerId(node))
}

fn is_in_sync(world: &World, through: i32, node: i32) -> bool {
    world.partition(through, "orders", 0).isr.contains(&BrokerId(node))
}

fn others(node: i32) -> Vec<i32> {
    (1..=3).filter(|other| *other != node).collect()
}

#[tokio::test(start_paused = true)]
async fn others_lead_what_a_node_led_whose_disk_hangs_until_it_answers_again() {
    let world = World::start(3, &[]).await;
    let active = world.active().await;
    let victim = others(active)[0];
    let third = others(active)[1];
    world.create_topic(active, "orders", &[&[victim, active, third]]).await;
    world.hang_disk(victim, true);
    let _created = write_something(&world, active);
    let took = world.until("others lead", |world| !leads(world, active, victim)).await;
    assert!(took < HANDED_OVER, "others led after {took:?}");
    assert!(took >= Duration::from_secs(1), "nothing hung for a second, others led after {took:?}");
    assert!(!is_in_sync(&world, active, victim), "acks would wait for it");
    assert!(world.image(active).is_live(BrokerId(victim)), "it is alive");
    // longer than preferred leaders wait
    sleep(Duration::from_secs(30)).await;
    assert!(!leads(&world, active, victim) && !is_in_sync(&world, active, victim));
    world.hang_disk(victim, false);
    let took = world.until("it is in sync", |world| is_in_sync(world, active, victim)).await;
    assert!(took < Duration::from_secs(3), "in sync again after {took:?}");
    world.until("it leads again", |world| leads(world, active, victim)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_decides_while_its_disk_hangs_is_replaced_and_keeps_nothing() {
    for is_idle in [false, true] {
        let world = World::start(3, &[]).await;
        let victim = world.active().await;
        let others = others(victim);
        world.create_topic(victim, "orders", &[&[victim, others[0], others[1]]]).await;
        world.hang_disk(victim, true);
        // with nothing to agree on, only the hang of something else tells
        let _stuck = is_idle.then(|| world.broker(victim).file_work.begin(0));
        let _created = (!is_idle).then(|| write_something(&world, victim));
        let decides = |node: i32| world.broker(node).quorum.view().active_term.is_some();
        let took = world.until("another decides", |_| others.iter().any(|n| decides(*n))).await;
        let moved = || others.iter().all(|through| !leads(&world, *through, victim));
        let took = took + world.until("others lead", |_| moved()).await;
        assert!(took < ELECTED, "others led after {took:?}");
        assert!(!decides(victim));
        assert!(world.image(others[0]).is_live(BrokerId(victim)), "it found who decides now");
        world.hang_disk(victim, false);
        drop(_stuck);
        world.until("it is in sync", |world| is_in_sync(world, others[0], victim)).await;
        world.until("it hears of it", |world| is_in_sync(world, victim, victim)).await;
        assert!(!world.broker(victim).file_work.is_hung());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stands_alone_keeps_what_it_leads_and_goes_on_when_its_disk_answers() {
    let world = World::start(1, &[]).await;
    world.create_topic(1, "orders", &[&[1]]).await;
    let epoch = world.partition(1, "orders", 0).leader_epoch;
    world.hang_disk(1, true);
    let _created = write_something(&world, 1);
    world.until("it is noticed", |world| world.broker(1).file_work.is_hung()).await;
    sleep(Duration::from_secs(10)).await;
    world.hang_disk(1, false);
    world.until("it answers", |world| !world.broker(1).file_work.is_hung()).await;
    world.until("it decides", |world| world.broker(1).quorum.view().active_term.is_some()).await;
    world.create_topic(1, "later", &[&[1]]).await;
    assert!(leads(&world, 1, 1));
    assert_eq!(world.partition(1, "orders", 0).leader_epoch, epoch, "nothing was to be moved");
}

#[tokio::test(start_paused = true)]
async fn nodes_that_share_a_disk_go_on_together_when_it_answers() {
    let world = World::start(3, &[]).await;
    world.create_topic(1, "orders", &[&[1, 2, 3]]).await;
    (1..=3).for_each(|node| world.hang_disk(node, true));
    let _created = write_something(&world, 1);
    sleep(Duration::from_secs(10)).await;
    (1..=3).for_each(|node| world.hang_disk(node, false));
    let all = |world: &World| (1..=3).all(|node| is_in_sync(world, 1, node));
    world.until("all are in sync", all).await;
    world.until("the first leads", |world| leads(world, 1, 1)).await;
}
