//! One partition of four fails until it is put into quarantine, a client's sessions are killed, the
//! metadata's actors are killed: whoever has nothing to do with it must not notice. The clients
//! that must not notice never try a request again, so one refused request would fail here.

#[allow(dead_code)]
#[path = "../examples/stage/board.rs"]
mod board;
#[path = "../examples/stage/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../examples/stage/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "../examples/stage/poison.rs"]
mod poison;
#[allow(dead_code)]
#[path = "../examples/stage/tree_watch.rs"]
mod tree_watch;

use std::time::Duration;

use actors::segment_writer::Poison;
use anyhow::Result;
use board::Board;
use client::{Client, ProducerSettings};
use load::Load;
use poison::Victim;
use supervision::{NodeState, OperatorCommand};
use tree_watch::TreeWatch;

const PARTITIONS: i32 = 4;
const POISONED: i32 = 1;
const PACE: Duration = Duration::from_millis(5);

/// A load whose clients go on after a fault in one partition, and never try again in the others.
async fn load(board: &Board, patient: &Client) -> Result<Load> {
    let topic = board.topic("orders", PARTITIONS).await?;
    let impatient = board.impatient_client("neighbours").await?;
    let mut load = Load::on(&topic);
    for partition in 0..PARTITIONS {
        let client = if partition == POISONED { patient } else { &impatient };
        let settings = ProducerSettings::default();
        load.produce(client, "p", partition..partition + 1, PACE, settings)?;
    }
    load.read(patient, POISONED..POISONED + 1)?;
    load.read(&impatient, 0..POISONED)?;
    load.read(&impatient, POISONED + 1..PARTITIONS)?;
    load.until_all_flow().await?;
    Ok(load)
}

/// Stops the load: nothing failed, and every acknowledged record is there once, in order.
async fn check_and_close(mut load: Load, board: Board) -> Result<()> {
    load.finish().await?;
    load.check_all_is_there(&board.client("the last reader").await?).await?;
    board.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_of_a_partition_that_fails_into_quarantine_notice_nothing() -> Result<()> {
    let board = Board::open().await?;
    let patient = board.client("patient").await?;
    let load = load(&board, &patient).await?;
    let watch = TreeWatch::of(board.node().tree());
    let (own, neighbours) = load.split_at(POISONED);
    let topic = &own[0].partition().topic;
    let victim = Victim::find(board.node(), topic, POISONED)?;

    victim.poison(Poison::Panic)?;
    watch.restarted(victim.path(), 0).await?;
    let node = victim.poison_until_quarantine(&watch).await?;
    for neighbour in &neighbours {
        neighbour.until_it_flows().await?;
    }

    assert_eq!(node.restarts, 5, "the sixth failure within a minute is one too many");
    assert!(node.last_exit.is_some(), "the tree shows the last error");
    let failures = watch.failures();
    assert!(failures.iter().all(|failure| failure.path == victim.path()), "{failures:?}");
    let pauses: Vec<_> = failures.iter().map(|failure| failure.delay).collect();
    let (first, last) = (pauses[0], pauses[5]);
    assert_eq!(first, Some(Duration::ZERO), "the first restart does not wait");
    assert_eq!(last, None, "there is no restart from quarantine");
    assert!(pauses[1..5].is_sorted(), "each pause is longer: {pauses:?}");

    // a balancer that took the node out for it would make it everybody's failure
    assert_eq!(http::get(&board, "/readyz").await?, "HTTP/1.1 200 OK");

    let waiting = own[0].sent();
    assert!(own[0].acked() < waiting, "a quarantined partition acknowledges nothing");
    board.node().tree().operate(victim.path(), OperatorCommand::Release).await?;
    own[0].until_acked(waiting).await?;
    load.until_all_flow().await?;
    for child in watch.at("partitions")?.children {
        assert_eq!(child.state, NodeState::Running, "{}", child.id);
        assert_eq!(child.restarts > 0, victim.path().ends_with(&child.id), "{}", child.id);
    }
    check_and_close(load, board).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_sessions_are_killed_goes_on_and_the_others_notice_nothing() -> Result<()> {
    let board = Board::open().await?;
    let patient = board.client("patient").await?;
    let load = load(&board, &patient).await?;
    let watch = TreeWatch::of(board.node().tree());

    let mut killed = Vec::new();
    for session in watch.at("client_sessions")?.children {
        if session.status.get("client id").is_some_and(|name| name == "patient") {
            let path = format!("client_sessions/{}", session.id);
            board.node().tree().operate(&path, OperatorCommand::Kill).await?;
            killed.push(path);
        }
    }
    assert!(killed.len() >= 2, "a producer and a reader have a session each: {killed:?}");
    load.until_all_flow().await?;

    assert!(killed.iter().all(|path| watch.at(path).is_err()), "a session does not come back");
    check_and_close(load, board).await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_flow_while_the_actors_of_the_metadata_are_killed() -> Result<()> {
    let board = Board::open().await?;
    let patient = board.client("patient").await?;
    let load = load(&board, &patient).await?;
    let watch = TreeWatch::of(board.node().tree());

    for actor in ["controller", "metadata_publisher", "metadata_quorum"] {
        let path = format!("cluster/{actor}");
        let before = watch.at(&path)?.restarts;
        board.node().tree().operate(&path, OperatorCommand::Kill).await?;
        watch.restarted(&path, before).await?;
        load.until_all_flow().await?;
        let created = board.topic(&format!("after-{actor}"), 1).await;
        assert!(created.is_ok(), "after the kill of {actor}: {created:?}");
    }
    for child in watch.at("partitions")?.children {
        assert_eq!(child.restarts, 0, "{} has nothing to do with it", child.id);
    }
    check_and_close(load, board).await
}
