//! A consumer's fetches over one connection: what is remembered, forgotten and refused.

use protocol::generated::fetch::ForgottenTopic;

use super::*;

fn topic(name: &str, partitions: &[(i32, i64)]) -> FetchTopic {
    let partitions = partitions.iter().map(|(partition, fetch_offset)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        ..FetchPartition::default()
    });
    FetchTopic { topic: name.into(), partitions: partitions.collect(), ..FetchTopic::default() }
}

fn request(session_id: i32, session_epoch: i32, topics: Vec<FetchTopic>) -> FetchRequest {
    FetchRequest { session_id, session_epoch, topics, ..FetchRequest::default() }
}

fn places(turn: &FetchTurn) -> Vec<(String, i32, i64)> {
    let place = |wanted: &WantedPartition| {
        (wanted.topic.name.to_string(), wanted.fetch.partition, wanted.fetch.fetch_offset)
    };
    turn.wanted.iter().map(place).collect()
}

#[test]
fn an_incremental_fetch_remembers_updates_and_forgets() {
    let mut sessions = FetchSessions::default();
    let full = request(0, 0, vec![topic("a", &[(0, 5), (1, 6)])]);
    let turn = sessions.begin(&full, 12, 77).unwrap();
    assert_eq!((turn.session_id, turn.is_incremental), (77, false));
    sessions.end(turn, |_| false);

    let mut next = request(77, 1, vec![topic("a", &[(1, 9)]), topic("b", &[(3, 0)])]);
    next.forgotten_topics_data =
        vec![ForgottenTopic { topic: "a".into(), partitions: vec![0], ..Default::default() }];
    let turn = sessions.begin(&next, 12, 78).unwrap();
    assert_eq!(places(&turn), [("a".to_owned(), 1, 9), ("b".to_owned(), 3, 0)]);
    assert!(turn.is_incremental);
}

#[test]
fn partitions_that_gave_records_are_served_last_next_time() {
    let mut sessions = FetchSessions::default();
    let full = request(0, 0, vec![topic("a", &[(0, 0), (1, 0), (2, 0)])]);
    let turn = sessions.begin(&full, 12, 5).unwrap();
    sessions.end(turn, |index| index == 0);
    let turn = sessions.begin(&request(5, 1, Vec::new()), 12, 6).unwrap();
    let order: Vec<_> = turn.wanted.iter().map(|wanted| wanted.fetch.partition).collect();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn a_wrong_epoch_and_an_unknown_session_are_refused() {
    let mut sessions = FetchSessions::default();
    let unknown = sessions.begin(&request(9, 3, Vec::new()), 12, 5);
    assert_eq!(unknown.unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    let turn = sessions.begin(&request(0, 0, vec![topic("a", &[(0, 0)])]), 12, 5).unwrap();
    sessions.end(turn, |_| false);
    let late = sessions.begin(&request(5, 2, Vec::new()), 12, 6);
    assert_eq!(late.unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
}

#[test]
fn the_final_epoch_closes_the_session() {
    let mut sessions = FetchSessions::default();
    let turn = sessions.begin(&request(0, 0, vec![topic("a", &[(0, 0)])]), 12, 5).unwrap();
    sessions.end(turn, |_| false);
    let turn = sessions.begin(&request(5, -1, vec![topic("a", &[(0, 0)])]), 12, 6).unwrap();
    assert_eq!((turn.session_id, turn.wanted.len()), (0, 1));
    let gone = sessions.begin(&request(5, 1, Vec::new()), 12, 6);
    assert_eq!(gone.unwrap_err(), ErrorCode::FetchSessionIdNotFound);
}
