//! Clusters that grow, lose a node for good, or get one back with an empty disk. Broken, a quorum
//! would stay with one voter, keep a vote for a disk that is gone, or count on an even number.

use super::*;

/// Node `n` with its first directory; `n + 0x100_0000_0000` is its second one.
fn situation(members: &[u64], voters: &[u64]) -> Situation {
    let address = MemberAddress::default();
    Situation {
        leader: voters[0],
        address: address.clone(),
        members: members.iter().map(|id| (*id, address.clone())).collect(),
        voters: voters.iter().copied().collect(),
        ready: members.iter().copied().collect(),
        gone: BTreeSet::new(),
        voters_wanted: 3,
    }
}

fn voters(of: Option<PlannedChange>) -> Option<Vec<u64>> {
    match of {
        Some(PlannedChange::Voters { voters, .. }) => Some(voters.into_iter().collect()),
        _ => None,
    }
}

#[test]
fn one_voter_becomes_three_at_once_and_never_two() {
    assert_eq!(situation(&[1, 2], &[1]).plan(), None);
    assert_eq!(voters(situation(&[1, 2, 3, 4], &[1]).plan()), Some(vec![1, 2, 3]));
    let five = Situation { voters_wanted: 5, ..situation(&[1, 2, 3, 4], &[1, 2, 3]) };
    assert_eq!(five.plan(), None);
    let five = Situation { voters_wanted: 5, ..situation(&[1, 2, 3, 4, 5], &[1, 2, 3]) };
    assert_eq!(voters(five.plan()), Some(vec![1, 2, 3, 4, 5]));
}

#[test]
fn two_voters_that_the_operator_left_become_three_again() {
    assert_eq!(voters(situation(&[1, 2, 3], &[1, 2]).plan()), Some(vec![1, 2, 3]));
}

#[test]
fn who_was_told_not_to_vote_gets_no_vote() {
    let mut three = situation(&[1, 2, 3], &[1, 2]);
    three.members.insert(3, MemberAddress { never_votes: true, ..MemberAddress::default() });
    assert_eq!(three.plan(), None);
}

#[test]
fn a_vote_moves_to_the_nodes_new_directory_when_that_has_caught_up() {
    let wiped = 0x100_0000_0000 + 3;
    let mut three = situation(&[1, 2, 3, wiped], &[1, 2, 3]);
    let change = three.plan();
    let expected = PlannedChange::Voters {
        voters: BTreeSet::from([1, 2, wiped]),
        forget: BTreeSet::from([3]),
    };
    assert_eq!(change, Some(expected));
    three.ready.remove(&wiped);
    assert_eq!(three.plan(), None);
}

#[test]
fn a_voter_that_left_for_good_is_replaced_and_stays_while_nobody_can() {
    let mut four = situation(&[1, 2, 3, 4], &[1, 2, 3]);
    four.gone.insert(2);
    assert_eq!(voters(four.plan()), Some(vec![1, 3, 4]));
    let mut three = situation(&[1, 2, 3], &[1, 2, 3]);
    three.gone.insert(2);
    assert_eq!(three.plan(), None);
}

#[test]
fn an_observer_that_left_for_good_is_forgotten() {
    let mut four = situation(&[1, 2, 3, 4], &[1, 2, 3]);
    four.gone.insert(4);
    assert_eq!(four.plan(), Some(PlannedChange::Forget { ids: BTreeSet::from([4]) }));
}

#[test]
fn a_leader_that_moved_writes_down_its_address_first() {
    let mut one = situation(&[1, 2, 3], &[1]);
    one.address.address = Some(metadata::HostAndPort::new("localhost", 7001));
    assert!(matches!(one.plan(), Some(PlannedChange::SetAddress { id: 1, .. })));
}
