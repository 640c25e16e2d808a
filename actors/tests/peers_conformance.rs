//! Every implementation of the port `Peers` keeps the same promises: nodes in memory and nodes as
//! processes with real sockets run the same suite. What only one of them kept, the simulator would
//! prove nothing about, or the cluster would not have.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "peers_conformance/cut_cables.rs"]
mod cut_cables;
#[path = "peers_conformance/figures.rs"]
mod figures;
mod peers_harness;
#[path = "peers_conformance/strangers.rs"]
mod strangers;

use std::time::Duration;

use actors::ports::peers::{ENVELOPE_BYTES_MAX, Lane};
use peers_harness::memory_world::MemoryWorld;
use peers_harness::node_process;
use peers_harness::process_world::ProcessWorld;
use peers_harness::{Outcome, PATIENCE, World};
use tokio::sync::Mutex;

const CONTROL: Lane = Lane::Control;
const BULK: Lane = Lane::Bulk(0);

/// Processes measure time: one world at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The entry of the processes; asserts nothing by itself, and ends at once in the test program.
#[test]
fn node_process() {
    if node_process::run_if_asked() {
        std::process::exit(0);
    }
}

macro_rules! in_both_worlds {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(&mut super::MemoryWorld::new()).await;
            }
            )*
        }

        mod in_processes {
            $(
            #[tokio::test]
            async fn $name() {
                let _alone = super::ALONE.lock().await;
                super::$name(&mut super::ProcessWorld::new()).await;
            }
            )*
        }
    };
}

in_both_worlds!(
    questions_are_answered_in_every_lane,
    a_node_that_nobody_knows_is_unreachable,
    a_deadline_is_kept,
    what_is_too_long_is_refused_before_it_is_sent,
    an_answer_of_four_megabytes_arrives,
    a_service_that_panics_still_answers,
    a_killed_node_is_noticed_at_once_and_accepted_when_it_returns,
    a_frozen_node_is_noticed_soon_and_linked_when_it_goes_on,
    a_new_start_is_accepted_while_the_old_one_hangs_whoever_calls,
    each_actor_may_be_killed_at_any_time,
    bulk_does_not_cost_a_link,
    it_is_enough_that_one_names_the_other,
);

async fn questions_are_answered_in_every_lane(world: &mut impl World) {
    world.pair().await;
    for lane in [CONTROL, Lane::Bulk(0), Lane::Bulk(1), Lane::Bulk(2)] {
        for words in ["echo", "later"] {
            let outcome = world.ask(1, (2, lane), words, PATIENCE).await;
            assert_eq!(outcome.answer, Ok(words.len()), "{lane:?}");
            assert_eq!(world.ask(2, (1, lane), words, PATIENCE).await.answer, Ok(words.len()));
        }
    }
}

async fn a_node_that_nobody_knows_is_unreachable(world: &mut impl World) {
    world.pair().await;
    let Outcome { answer, took } = world.ask(1, (9, CONTROL), "echo", PATIENCE).await;
    assert!(answer.clone().is_err_and(|error| error.starts_with("Unreachable")), "{answer:?}");
    assert!(took < Duration::from_millis(100), "{took:?}");
}

async fn a_deadline_is_kept(world: &mut impl World) {
    world.pair().await;
    for lane in [CONTROL, BULK] {
        let deadline = Duration::from_millis(300);
        let Outcome { answer, took } = world.ask(1, (2, lane), "never", deadline).await;
        assert!(answer.clone().is_err_and(|error| error.starts_with("Timeout")), "{answer:?}");
        assert!(took >= deadline && took < deadline * 2, "{took:?}");
        assert_eq!(world.ask(1, (2, lane), "echo", PATIENCE).await.answer, Ok(4));
    }
}

async fn what_is_too_long_is_refused_before_it_is_sent(world: &mut impl World) {
    world.pair().await;
    let longest = format!("ask {ENVELOPE_BYTES_MAX}");
    let answer = world.ask(1, (2, BULK), &longest, PATIENCE).await.answer;
    assert_eq!(answer, Ok(ENVELOPE_BYTES_MAX));
    let too_long = format!("ask {}", ENVELOPE_BYTES_MAX + 1);
    let answer = world.ask(1, (2, BULK), &too_long, PATIENCE).await.answer;
    assert!(answer.clone().is_err_and(|error| error.starts_with("TooLong")), "{answer:?}");
    assert_eq!(world.ask(1, (2, BULK), "echo", PATIENCE).await.answer, Ok(4));
}

async fn an_answer_of_four_megabytes_arrives(world: &mut impl World) {
    world.pair().await;
    let words = format!("answer {ENVELOPE_BYTES_MAX}");
    for _ in 0..3 {
        let answer = world.ask(1, (2, BULK), &words, PATIENCE).await.answer;
        assert_eq!(answer, Ok(ENVELOPE_BYTES_MAX));
    }
}

async fn a_service_that_panics_still_answers(world: &mut impl World) {
    world.pair().await;
    assert!(world.ask(1, (2, CONTROL), "panic", PATIENCE).await.answer.is_ok());
    assert_eq!(world.ask(1, (2, CONTROL), "echo", PATIENCE).await.answer, Ok(4));
}

async fn a_killed_node_is_noticed_at_once_and_accepted_when_it_returns(world: &mut impl World) {
    let (one, _) = world.pair().await;
    for _ in 0..12 {
        world.kill(2).await;
        let noticed = world.linked(1, 2, None).await;
        assert!(noticed < Duration::from_millis(200), "noticed after {noticed:?}");
        let again = world.start(2).await;
        world.introduce(2, &[1]).await;
        let took = world.linked(1, 2, Some(again)).await;
        assert!(took < Duration::from_secs(2), "accepted after {took:?}");
        world.linked(2, 1, Some(one)).await;
        assert_eq!(world.ask(1, (2, CONTROL), "echo", PATIENCE).await.answer, Ok(4));
    }
}

async fn a_frozen_node_is_noticed_soon_and_linked_when_it_goes_on(world: &mut impl World) {
    let (one, two) = world.pair().await;
    world.freeze(2).await;
    let Outcome { answer, took } = world.ask(1, (2, CONTROL), "echo", PATIENCE).await;
    assert!(answer.clone().is_err_and(|error| error.starts_with("Unreachable")), "{answer:?}");
    let bounds = Duration::from_millis(400)..Duration::from_millis(950);
    assert!(bounds.contains(&took), "noticed after {took:?}");
    world.linked(1, 2, None).await;
    world.thaw(2).await;
    world.linked(1, 2, Some(two)).await;
    world.linked(2, 1, Some(one)).await;
    assert_eq!(world.ask(2, (1, BULK), "echo", PATIENCE).await.answer, Ok(4));
}

/// The half-open trap: the old session still looks alive when the new process calls, or is called.
async fn a_new_start_is_accepted_while_the_old_one_hangs_whoever_calls(world: &mut impl World) {
    let (one, _) = world.pair().await;
    for round in 0..12 {
        world.freeze(2).await;
        let again = world.start(2).await;
        let caller = if round % 2 == 0 { 2 } else { 1 };
        world.introduce(caller, &[3 - caller]).await;
        let took = world.linked(1, 2, Some(again)).await;
        assert!(took < Duration::from_secs(3), "round {round}: accepted after {took:?}");
        world.linked(2, 1, Some(one)).await;
        assert_eq!(world.ask(1, (2, CONTROL), "echo", PATIENCE).await.answer, Ok(4));
        assert_eq!(world.ask(2, (1, BULK), "echo", PATIENCE).await.answer, Ok(4));
    }
}

async fn each_actor_may_be_killed_at_any_time(world: &mut impl World) {
    let (one, two) = world.pair().await;
    let parts = ["control_gateway", "bulk_gateway-0", "bulk_gateway-1", "cluster_link"];
    for part in parts.into_iter().chain(["node_server", "cluster_link", "node_server"]) {
        world.kill_actor(2, part).await;
        for lane in [CONTROL, Lane::Bulk(0), Lane::Bulk(1)] {
            let mut answer = Err(String::new());
            for _ in 0..200 {
                let asked = world.ask(1, (2, lane), "echo", Duration::from_millis(100));
                answer = asked.await.answer;
                if answer.is_ok() {
                    break;
                }
                world.linked(1, 2, Some(two)).await;
            }
            assert_eq!(answer, Ok(4), "{lane:?} after the end of {part}");
        }
        world.linked(2, 1, Some(one)).await;
    }
}

/// One that joins is not named yet, whichever number it has.
async fn it_is_enough_that_one_names_the_other(world: &mut impl World) {
    let (one, two) = (world.start(1).await, world.start(2).await);
    for (names, named) in [(1, 2), (2, 1)] {
        world.introduce(names, &[named]).await;
        world.linked(1, 2, Some(two)).await;
        world.linked(2, 1, Some(one)).await;
        for (from, to) in [(1, 2), (2, 1)] {
            assert_eq!(world.ask(from, (to, CONTROL), "echo", PATIENCE).await.answer, Ok(4));
        }
        world.introduce(names, &[]).await;
        world.linked(1, 2, None).await;
        world.linked(2, 1, None).await;
    }
}

async fn bulk_does_not_cost_a_link(world: &mut impl World) {
    let (_, two) = world.pair().await;
    let megabyte = "answer 1048576";
    let bulk = async |lane| {
        for _ in 0..50 {
            let outcome = world.ask(1, (2, lane), megabyte, PATIENCE).await;
            assert_eq!(outcome.answer, Ok(1 << 20));
        }
    };
    let control = async {
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            let outcome = world.ask(1, (2, CONTROL), "echo", PATIENCE).await;
            assert_eq!(outcome.answer, Ok(4));
            longest = longest.max(outcome.took);
        }
        longest
    };
    let (_, _, _, _, longest) =
        tokio::join!(bulk(BULK), bulk(BULK), bulk(Lane::Bulk(1)), bulk(Lane::Bulk(1)), control);
    assert!(longest < Duration::from_millis(400), "a short question took {longest:?}");
    assert_eq!(world.linked(1, 2, Some(two)).await.as_millis(), 0, "the link was lost");
}
