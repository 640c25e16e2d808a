//! Files that are no history, and histories that show nothing. Either would pass for a clean one if
//! what cannot be judged were passed over.

use logcheck::{
    Answer, Client, Counts, History, HistoryError, Key, Limits, Operation, Read, ReadError, Report,
    Rule, Sent, Step, Value, Verdict, check,
};

fn refusal(text: &str) -> String {
    let error = History::read(text.as_bytes()).expect_err(text);
    assert!(!error.is_retryable());
    error.to_string()
}

const POLL: &str = r#"{"t_ns":5,"process":1,"type":"invoke","f":"poll"}"#;

#[test]
fn a_line_that_is_no_event_is_refused_by_its_number() {
    for line in [
        "",
        "[]",
        "{",
        r#"{"t_ns":5,"process":1,"type":"invoke","f":"pol"}"#,
        r#"{"t_ns":5,"process":1,"type":"invoke","f":"poll","leader_epock":1}"#,
        r#"{"t_ns":5,"process":1,"process":1,"type":"invoke","f":"poll"}"#,
        r#"{"t_ns":-5,"process":1,"type":"invoke","f":"poll"}"#,
        r#"{"t_ns":5,"process":1,"type":"ok","f":"poll","value":[["send",{}]]}"#,
        r#"{"t_ns":5,"process":1,"type":"ok","f":"poll","value":[["poll",{"a-0":[[1]]}]]}"#,
        r#"{"t_ns":5,"process":1,"type":"ok","f":"poll","value":[["poll",{"a-0":[[1,"1:1",1,1]]}]]}"#,
        r#"{"t_ns":5,"process":1,"type":"ok","f":"poll","value":[["poll",{"a-0":[[1,"1:+1"]]}]]}"#,
    ] {
        assert_eq!(refusal(&format!("{POLL}\n{line}\n")), "line 2 is no event", "{line}");
    }
}

#[test]
fn a_line_without_what_its_kind_needs_is_refused() {
    for (line, what) in [
        (r#"{"t_ns":1,"process":1,"type":"invoke","f":"send"}"#, "a value"),
        (
            r#"{"t_ns":1,"process":1,"type":"invoke","f":"send","value":[["send","a-0",[null,null]]]}"#,
            "the value of a record",
        ),
        (r#"{"t_ns":1,"process":1,"type":"invoke","f":"fetch_committed"}"#, "a group"),
        (r#"{"t_ns":1,"process":1,"type":"invoke","f":"list_offsets"}"#, "a bound"),
        (r#"{"t_ns":1,"process":1,"type":"ok","f":"crash"}"#, "the type info"),
    ] {
        assert_eq!(refusal(line), format!("line 1 needs {what}"));
    }
}

#[test]
fn a_transaction_is_refused_because_nothing_would_judge_it() {
    let error = refusal(r#"{"t_ns":1,"process":1,"type":"invoke","f":"txn","value":[]}"#);
    assert!(error.contains("transaction"), "{error}");
}

#[test]
fn lines_that_do_not_follow_from_each_other_are_refused() {
    let end = |f: &str| format!(r#"{{"t_ns":6,"process":1,"type":"info","f":"{f}"}}"#);
    let later =
        |at: u32| format!(r#"{{"t_ns":{at},"process":1,"op":1,"type":"invoke","f":"poll"}}"#);
    let follows = "line 2 does not follow from the lines before it";
    assert_eq!(refusal(&format!("{POLL}\n{POLL}")), follows);
    assert_eq!(refusal(&format!("{POLL}\n{}", later(4))), follows);
    assert_eq!(refusal(&end("poll")), "line 1 does not follow from the lines before it");
    let another = "line 2 ends another operation than the one that was begun";
    assert_eq!(refusal(&format!("{POLL}\n{}", end("seek"))), another);
    let send = r#"{"t_ns":1,"process":1,"type":"invoke","f":"send","value":[["send","a-0",[null,"1:1"]]]}"#;
    let other =
        r#"{"t_ns":2,"process":1,"type":"ok","f":"send","value":[["send","a-0",[0,"1:2"]]]}"#;
    assert_eq!(refusal(&format!("{send}\n{other}")), another);
    let renewed = r#"{"t_ns":6,"process":1,"client_incarnation":1,"type":"info","f":"poll"}"#;
    assert_eq!(refusal(&format!("{POLL}\n{renewed}")), follows);
}

#[test]
fn a_file_beyond_its_limits_is_refused() {
    let limits = Limits { line_bytes_max: POLL.len() as u64, lines_max: 2, keys_max: 1 };
    let read = |text: String| History::read_within(text.as_bytes(), limits).map(|h| h.lines());
    let end = r#"{"t_ns":5,"process":1,"type":"fail","f":"poll"}"#;
    assert_eq!(read(format!("{POLL}\n{end}\n")).unwrap(), 2);
    let refused = |text: String, number: usize| match read(text) {
        Err(ReadError::TooLarge { line, .. }) => assert_eq!(line, number),
        other => panic!("{other:?}"),
    };
    refused(format!("{POLL}\n{POLL} \n"), 2);
    refused(format!("{POLL}\n{end}\n{POLL}\n"), 3);
    let limits = Limits { keys_max: 1, ..Limits::default() };
    let seek = r#"{"t_ns":5,"process":1,"type":"invoke","f":"seek","value":["a-0","a-1"]}"#;
    let refused = History::read_within(seek.as_bytes(), limits);
    assert!(matches!(refused, Err(ReadError::TooLarge { line: 1, .. })));
}

#[test]
fn a_history_that_shows_nothing_is_not_clean() {
    assert_eq!(check(&History::new()).verdict(), Verdict::Empty);
    let sends = r#"{"t_ns":1,"process":1,"type":"invoke","f":"send","value":[["send","a-0",[null,"1:1"]]]}
{"t_ns":2,"process":1,"type":"ok","f":"send","value":[["send","a-0",[0,"1:1"]]]}"#;
    let report = check(&History::read(sends.as_bytes()).unwrap());
    assert_eq!(report.verdict(), Verdict::Empty, "nobody has read anything");
    assert_eq!(report.examined(Rule::LostWrite), 0);
    let text = report.to_string();
    let idle = text.lines().find(|line| line.starts_with("nothing to judge by: "));
    assert!(idle.is_some_and(|idle| idle.contains(" lost-write,")), "{text}");
    assert!(text.ends_with("empty: no acknowledged record was read"), "{text}");
}

#[test]
fn a_recorder_is_told_when_an_event_cannot_follow() {
    let (mut history, client) = (History::new(), Client::new(1, 0));
    let poll = history.invoke(5, client, Operation::Poll).unwrap();
    let refused = history.complete(4, poll, Step::Fail);
    assert_eq!(refused, Err(HistoryError::TimeWentBack { before: 5, now: 4 }));
    let refused = history.complete(6, poll, Step::Ok(Answer::Done));
    assert_eq!(refused, Err(HistoryError::WrongAnswer { process: 1, operation: 0 }));
    history.complete(6, poll, Step::Fail).unwrap();
    let refused = history.complete(7, poll, Step::Fail);
    assert_eq!(refused, Err(HistoryError::NotOpen { process: 1, operation: 0 }));
    assert_eq!(history.lines(), 2, "what was refused left nothing behind");
}

#[test]
fn violations_without_end_are_counted_and_not_all_kept() {
    let (mut history, client, key) = (History::new(), Client::new(1, 0), Key::new("a", 0));
    let poll = history.invoke(1, client, Operation::Poll).unwrap();
    let read = |offset: i64| Read {
        key: key.clone(),
        offset,
        value: Some(Value::new(9, offset.unsigned_abs())),
        leader_epoch: None,
    };
    let (records, repositioned) = ((0..3000).map(read).collect(), Vec::new());
    history.complete(2, poll, Step::Ok(Answer::Polled { records, repositioned })).unwrap();
    let report = check(&history);
    assert_eq!(report.broken(Rule::NeverSent), 3000);
    assert_eq!(report.violations().len() as u64, Report::KEPT_PER_RULE);
    assert!(report.to_string().contains("never-sent: 3000 in all"));
}

#[test]
fn a_history_made_in_memory_is_judged_as_one_from_a_file() {
    let mut history = History::new();
    let (producer, consumer) = (Client::new(1, 0), Client::new(2, 0));
    let (key, value) = (Key::new("orders", 0), Value::new(1, 1));
    let records = vec![(key.clone(), value)];
    let send = Operation::Send { idempotent: true, records };
    let ticket = history.invoke(1, producer, send).unwrap();
    let sent = vec![Sent { offset: Some(0), leader_epoch: Some(3) }];
    history.complete(2, ticket, Step::Ok(Answer::Sent(sent))).unwrap();
    let ticket = history.invoke(3, consumer, Operation::Poll).unwrap();
    let read = Read { key: key.clone(), offset: 0, value: Some(value), leader_epoch: Some(3) };
    let answer = Answer::Polled { records: vec![read], repositioned: Vec::new() };
    history.complete(4, ticket, Step::Ok(answer)).unwrap();
    history.note(5, consumer, Step::Drained(vec![key])).unwrap();
    let report = check(&history);
    assert_eq!(report.verdict(), Verdict::Clean);
    let Counts { acknowledged, read, drained, .. } = report.counts();
    assert_eq!((acknowledged, read, drained), (1, 1, 1));
    assert_eq!(report.examined(Rule::StaleEpochAck), 1);
}
