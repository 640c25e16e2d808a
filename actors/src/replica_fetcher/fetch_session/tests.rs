//! A session of many partitions: what is asked twice costs every idle partition, and what is not
//! asked again after a loss is never fetched.

use super::*;
use protocol::{PartitionIndex, TopicId};

fn key(partition: i32) -> PartitionKey {
    PartitionKey::new(TopicId(uuid::Uuid::from_u128(7)), PartitionIndex(partition))
}

fn request(partition: i32, end: i64, flushed: i64) -> FollowRequest {
    FollowRequest {
        key: key(partition),
        replica: Address::new(),
        leader_epoch: LeaderEpoch::new(3),
        position: FetchPosition {
            fetch_offset: Offset::new(end),
            last_fetched_epoch: Some(LeaderEpoch::new(3)),
        },
        readable_from: None,
        flushed_offset: Offset::new(flushed),
    }
}

fn session(partitions: i32) -> FetchSession {
    let mut session = FetchSession::new(0);
    (0..partitions).for_each(|partition| session.follow(request(partition, 5, 5)));
    session
}

fn next(session: &mut FetchSession) -> FollowerFetchMessage {
    session.next_message(0, BrokerEpoch::new(1), Duration::from_secs(5))
}

fn told(partition: i32, outcome: ToldOutcome) -> ToldPartition {
    ToldPartition {
        key: key(partition),
        leader_epoch: LeaderEpoch::new(3),
        high_watermark: Offset::new(5),
        log_start_offset: Offset::ZERO,
        outcome,
    }
}

fn answer(partitions: Vec<ToldPartition>) -> FollowerFetchAnswer {
    let has_batches = |told: &&ToldPartition| matches!(told.outcome, ToldOutcome::Batches { .. });
    let count = partitions.iter().filter(has_batches).count();
    let batches = vec![Bytes::from_static(b"batch"); count];
    FollowerFetchAnswer { knows_session: true, partitions, batches }
}

const BATCHES: ToldOutcome = ToldOutcome::Batches { base_offset: Offset::new(5), length: 5 };

#[test]
fn a_thousand_partitions_are_named_once() {
    let mut session = session(1000);
    let open = next(&mut session);
    assert_eq!((open.step, open.changed.len()), (FetchStep::Open, 1000));
    assert!(!session.has_news() && session.has_questions());
    let deliveries = session.on_answer(answer(vec![told(7, BATCHES)]), Instant::now());
    assert_eq!(deliveries.len(), 1);
    assert_eq!((session.away(), session.bytes_away()), (1, 5));
    session.follow(request(7, 6, 5));
    assert_eq!((session.away(), session.bytes_away()), (0, 0));
    let second = next(&mut session);
    assert_eq!(second.step, FetchStep::Next(1));
    assert_eq!(second.changed, [request(7, 6, 5).wanted()]);
}

#[test]
fn a_question_that_did_not_change_is_not_asked_again() {
    let mut session = session(2);
    next(&mut session);
    session.on_answer(answer(vec![told(1, ToldOutcome::Nothing)]), Instant::now());
    session.follow(request(1, 5, 5));
    assert!(!session.has_news());
    assert!(next(&mut session).changed.is_empty());
}

#[test]
fn a_flush_that_was_heard_of_is_no_news() {
    let mut session = session(1);
    next(&mut session);
    session.on_answer(answer(vec![told(0, ToldOutcome::Nothing)]), Instant::now());
    let (leader_epoch, flushed_offset) = (LeaderEpoch::new(3), Offset::new(9));
    session.on_flush_heard(&FlushReport { key: key(0), leader_epoch, flushed_offset });
    session.follow(request(0, 5, 9));
    assert!(!session.has_news());
}

#[test]
fn after_a_loss_everything_is_asked_anew_in_a_later_session() {
    let mut session = session(3);
    let first = next(&mut session);
    session.on_answer(answer(vec![told(0, BATCHES)]), Instant::now());
    session.lose();
    let again = next(&mut session);
    assert!(again.session > first.session);
    assert_eq!(again.step, FetchStep::Open);
    assert_eq!(again.changed.len(), 2, "the one that is away asks when it is back");
    session.follow(request(0, 6, 5));
    assert_eq!(next(&mut session).changed.len(), 1);
}

#[test]
fn an_answer_to_an_earlier_question_is_nobodys() {
    let mut session = session(1);
    next(&mut session);
    session.follow(request(0, 4, 4));
    assert!(session.on_answer(answer(vec![told(0, BATCHES)]), Instant::now()).is_empty());
    assert!(session.has_news());
}

#[tokio::test(start_paused = true)]
async fn a_refused_partition_rests_before_it_is_asked_about_again() {
    let mut session = session(1);
    next(&mut session);
    let refused = ToldOutcome::refused(protocol::ErrorCode::NotLeaderOrFollower);
    session.on_answer(answer(vec![told(0, refused)]), Instant::now());
    let rests_until = session.wake_rested(Instant::now()).expect("it rests");
    assert!(!session.has_news());
    tokio::time::advance(rests_until - Instant::now()).await;
    assert_eq!(session.wake_rested(Instant::now()), None);
    assert_eq!(next(&mut session).changed.len(), 1);
}

#[test]
fn who_is_forgotten_is_dropped_at_the_leader_too() {
    let mut session = session(2);
    next(&mut session);
    session.forget(key(0));
    session.on_answer(answer(Vec::new()), Instant::now());
    let message = next(&mut session);
    assert_eq!(message.dropped, [key(0)]);
    assert!(message.changed.is_empty());
}

#[test]
fn a_failure_is_told_until_it_was_heard() {
    let mut session = session(1);
    session.forget(key(0));
    session.fail(key(0), LeaderEpoch::new(3));
    assert_eq!(next(&mut session).failed, [(key(0), LeaderEpoch::new(3))]);
    session.lose();
    assert_eq!(next(&mut session).failed.len(), 1);
    session.on_answer(answer(Vec::new()), Instant::now());
    assert!(!session.has_news());
}
