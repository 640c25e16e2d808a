//! Metadata quorums of one and of three nodes that grow, crash, lose their disks and their links.
//! Broken, what a controller decided would be forgotten or decided twice, or nobody could decide
//! again after a node is gone.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod quorum_harness;

use std::time::Duration;

use actors::metadata_quorum::{AskQuorum, ProposalError, QuorumAnswer, QuorumRefusal};
use protocol::BrokerId;
use quorum_harness::{Start, World, setting};
use tokio::time::Instant;

/// The others go on so soon after the leader is gone, a silent link included.
const FAILOVER: Duration = Duration::from_millis(1500);

#[tokio::test(start_paused = true)]
async fn three_nodes_go_on_without_their_leader() {
    let mut world = World::three(1).await;
    world.decide("before").await;
    let leader = world.leader().await;
    let term = world.member(leader).view().term;
    world.kill(leader).await;
    let killed = Instant::now();
    let next = world.leader().await;
    assert!(killed.elapsed() < FAILOVER, "{:?}", killed.elapsed());
    assert!(world.member(next).view().term > term);
    world.decide("after").await;
    world.all_know("after").await;
    world.start(leader, Start::Linked).await;
    world.all_know("after").await;
    world.voters(&[1, 2, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_alone_grows_to_three_voters_with_its_data() {
    let mut world = World::new(2);
    world.start(1, Start::Alone).await;
    world.decide("alone").await;
    world.stop(1).await;
    world.start(1, Start::Linked).await;
    world.start(2, Start::Join(1)).await;
    world.member(1).sees(|view| view.observers.len() == 1).await;
    world.voters(&[1]).await;
    world.start(3, Start::Join(1)).await;
    world.voters(&[1, 2, 3]).await;
    world.all_know("alone").await;
    world.kill(1).await;
    world.leader().await;
    world.decide("without the first").await;
    world.all_know("without the first").await;
}

#[tokio::test(start_paused = true)]
async fn all_nodes_come_back_after_all_have_crashed() {
    let mut world = World::three(3).await;
    world.decide("kept").await;
    for node in [1, 2, 3] {
        world.kill(node).await;
    }
    world.start_together(&[3, 1, 2]).await;
    world.leader().await;
    world.all_know("kept").await;
    world.voters(&[1, 2, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_node_gets_the_snapshot_and_what_came_after() {
    let mut world = World::new(4);
    world.start(1, Start::Linked).await;
    for round in 0..6_500 {
        world.member(1).propose(&[setting(&round.to_string())]).await.unwrap();
    }
    world.start(2, Start::Join(1)).await;
    world.all_know("6499").await;
    world.decide("after the snapshot").await;
    world.all_know("after the snapshot").await;
    world.stop(2).await;
    world.start(2, Start::Linked).await;
    world.all_know("after the snapshot").await;
}

#[tokio::test(start_paused = true)]
async fn a_wiped_node_comes_back_as_another_member() {
    let mut world = World::three(5).await;
    world.decide("before").await;
    let leader = world.leader().await;
    let wiped = if leader == 3 { 2 } else { 3 };
    let directory = |world: &World, of: i32| {
        let view = world.member(of).view();
        let member = view.voters.iter().find(|member| member.broker == BrokerId(wiped)).cloned();
        member.unwrap().directory
    };
    let before = directory(&world, leader);
    world.kill(wiped).await;
    world.wipe(wiped);
    world.start(wiped, Start::Join(leader)).await;
    world.all_know("before").await;
    world.voters(&[1, 2, 3]).await;
    let leader = world.leader().await;
    world
        .member(leader)
        .sees(|view| {
            let own = view.voters.iter().find(|member| member.broker == BrokerId(wiped));
            own.is_some_and(|own| own.directory != before)
        })
        .await;
    world.member(leader).sees(|view| view.observers.is_empty()).await;
    world.decide("with the new disk").await;
    world.all_know("with the new disk").await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_decides_nothing_and_follows_when_it_is_back() {
    let world = World::three(6).await;
    let leader = world.leader().await;
    let others: Vec<i32> = [1, 2, 3].into_iter().filter(|node| *node != leader).collect();
    let old_term = world.member(leader).view().term;
    world.network.isolate(BrokerId(leader));
    let cut = Instant::now();
    let next = world.leader_among(&others).await;
    assert!(cut.elapsed() < FAILOVER, "{:?}", cut.elapsed());
    world.member(leader).sees(|view| view.active_term.is_none()).await;
    let late = world.member(leader).propose_in(old_term, &[setting("by the old one")]).await;
    assert!(late.is_err());
    world.member(next).propose(&[setting("by the new one")]).await.unwrap();
    let term = world.member(next).view().term;
    world.network.heal_all();
    world.all_know("by the new one").await;
    world.member(leader).sees(|view| view.leader == Some(BrokerId(next))).await;
    // whoever comes back deposes nobody
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.member(next).view().active_term, Some(term));
}

#[tokio::test(start_paused = true)]
async fn a_decision_of_an_earlier_term_never_takes_effect() {
    let mut world = World::three(7).await;
    let leader = world.leader().await;
    let term = world.member(leader).view().term;
    world.kill(leader).await;
    let next = world.leader().await;
    let late = world.member(next).propose_in(term, &[setting("too late")]).await;
    assert!(matches!(late, Err(ProposalError::OutOfTerm { .. })), "{late:?}");
    world.decide("in time").await;
    world.all_know("in time").await;
}

#[tokio::test(start_paused = true)]
async fn the_operator_takes_votes_and_gives_them_back() {
    let world = World::three(8).await;
    let leader = world.leader().await;
    let other = if leader == 1 { BrokerId(2) } else { BrokerId(1) };
    let remove = AskQuorum::RemoveVoter { broker: other, directory: None };
    let add = AskQuorum::AddVoter { broker: other, directory: None };
    assert_eq!(world.member(leader).ask(remove.clone()).await, QuorumAnswer::Changed);
    world.member(leader).sees(|view| !view.is_voter(other)).await;
    // and nobody gives it back by himself
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!world.member(leader).view().is_voter(other));
    let again = world.member(leader).ask(remove).await;
    assert_eq!(again, QuorumAnswer::Refused(QuorumRefusal::IsNoVoter));
    assert_eq!(world.member(leader).ask(add.clone()).await, QuorumAnswer::Changed);
    world.voters(&[1, 2, 3]).await;
    let follower = world.member(other.0).ask(add).await;
    assert_eq!(follower, QuorumAnswer::Refused(QuorumRefusal::NotLeader));
}

#[tokio::test(start_paused = true)]
async fn a_quorum_actor_that_is_killed_lets_go_of_its_directory_and_comes_back() {
    let world = World::three(9).await;
    world.decide("before").await;
    let leader = world.leader().await;
    let others: Vec<i32> = [1, 2, 3].into_iter().filter(|node| *node != leader).collect();
    // a proposal that nobody can agree on holds the library while it waits
    world.network.isolate(BrokerId(leader));
    let vain = world.member(leader).propose(&[setting("in vain")]).await;
    assert!(vain.is_err());
    world.member(leader).kill_quorum().await;
    world.leader_among(&others).await;
    world.network.heal_all();
    world.decide("after").await;
    world.all_know("after").await;
    world.member(others[0]).kill_quorum().await;
    world.decide("with two").await;
    world.all_know("with two").await;
}
