//! The program as its users meet it: a broker in a process of its own, and the commands of a
//! shell. If these broke, everything behind them could be right and nobody could use it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod harness;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use harness::{Broker, Finished, broker, program, refused_serve, run_with_input, send_signal};

const CLEAN_STOP_NOTE: &str = ".kafka_cleanshutdown";

fn lines(from: usize, to: usize) -> String {
    (from..to).map(|number| format!("record {number}\n")).collect()
}

#[test]
fn records_come_back_as_they_were_written() {
    let (_directory, broker) = broker();
    let input = "k1:one\nk2:two:and more\nNULL:\nk3:NULL\n";
    let produce =
        ["produce", "orders", "-k", ":", "--null", "NULL", "-H", "from=here", "-z", "zstd"];
    broker.run_with_input(&produce, input).ok();

    let plain = broker.run(&["consume", "orders", "--from-beginning", "--until-end", "-k", "-H"]);
    let expected = "from=here\tk1\tone\nfrom=here\tk2\ttwo:and more\nfrom=here\tnull\t\n\
                    from=here\tk3\tnull\n";
    assert_eq!(plain.ok(), expected);

    let json = broker.run(&["consume", "orders", "-e", "--json"]).ok();
    broker.run_with_input(&["produce", "copy", "--json"], &json).ok();
    let copy = broker.run(&["consume", "copy", "-e", "--json"]).ok();
    assert_eq!(copy, json.replace("\"topic\":\"orders\"", "\"topic\":\"copy\""));
}

#[test]
fn every_place_to_start_from_is_found() {
    let (_directory, broker) = broker();
    for (time, value) in [(1000, "old"), (2000, "middle"), (3000, "new")] {
        let record = format!("{{\"timestamp\":{time},\"value\":\"{value}\"}}\n");
        broker.run_with_input(&["produce", "times", "--json"], &record).ok();
    }
    let from = |place| broker.run(&["consume", "times", "-e", "--from", place]).ok();
    assert_eq!(from("earliest"), "old\nmiddle\nnew\n");
    assert_eq!(from("latest"), "");
    assert_eq!(from("1"), "middle\nnew\n");
    assert_eq!(from("-1"), "new\n");
    assert_eq!(from("@1500"), "middle\nnew\n");
    assert_eq!(from("1970-01-01T00:00:02.500Z"), "new\n");
    let two = broker.run(&["consume", "times", "--from-beginning", "--max", "2", "-o", "-t"]);
    let expected = "times-0\t0\t1970-01-01T00:00:01.000Z\told\n\
                    times-0\t1\t1970-01-01T00:00:02.000Z\tmiddle\n";
    assert_eq!(two.ok(), expected);
}

#[test]
fn what_was_acknowledged_is_there_after_every_kill() {
    const ROUNDS: usize = 6;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for round in 0..ROUNDS {
        let broker = Broker::start(&data, &["num.partitions=8"]);
        let records: String = (round * 100..(round + 1) * 100)
            .map(|number| format!("{number}:record {number}\n"))
            .collect();
        let produce = ["produce", "kept", "--receipts", "--key-separator", ":"];
        assert_eq!(broker.run_with_input(&produce, &records).ok().lines().count(), 100);
        let status = broker.end_by("KILL");
        assert_eq!(status.code(), None, "it was killed");
        assert!(!data.join(CLEAN_STOP_NOTE).exists());
    }
    let broker = Broker::start(&data, &[]);
    let consumed = broker.run(&["consume", "kept", "--until-end"]).ok();
    let mut found: Vec<_> = consumed.lines().map(str::to_owned).collect();
    found.sort_by_key(|record| record.rsplit(' ').next().and_then(|it| it.parse::<u32>().ok()));
    let expected: Vec<_> = lines(0, ROUNDS * 100).lines().map(str::to_owned).collect();
    assert_eq!(found, expected, "every record is there, once");
}

#[test]
fn signals_stop_in_order_and_leave_the_note_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    for (round, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let broker = Broker::start(&data, &[]);
        let note = broker.file(CLEAN_STOP_NOTE);
        assert!(!note.exists(), "it stands only between a stop and the next start");
        broker.run_with_input(&["produce", "kept"], &lines(round, round + 1)).ok();
        let status = broker.end_by(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(note.exists(), "{signal}");
    }
    let broker = Broker::start(&data, &[]);
    assert_eq!(broker.run(&["consume", "kept", "-e"]).ok(), lines(0, 2));
}

#[test]
fn a_directory_serves_one_process_one_node_and_no_newer_format() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let broker = Broker::start(&data, &[]);
    let serve = |more: &[&str]| {
        let arguments = [&["--data-dir", data.to_str().unwrap()], more].concat();
        refused_serve(&arguments, &[]).failed(1)
    };
    let error = serve(&["--listeners", "PLAINTEXT://127.0.0.1:0"]);
    assert!(error.contains("is in use: another process holds its lock"), "{error}");
    let meta = broker.file("meta.properties");
    assert_eq!(broker.end_by("TERM").code(), Some(0));

    let error = serve(&["--set", "node.id=7"]);
    assert!(error.contains("belongs to node 1, this is node 7"), "{error}");

    let text = std::fs::read_to_string(&meta).unwrap();
    std::fs::write(&meta, text.replace("version=1", "version=9")).unwrap();
    let error = serve(&[]);
    assert!(error.contains("version is 9, this program knows up to 1"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_name_value_reason_and_place() {
    type Case =
        (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: &[Case] = &[
        (
            &["--set", "num.partitions=none"],
            &[],
            &["num.partitions", "none", "Not a number", "from the flag --set"],
        ),
        (
            &["--set", "num.partition=1"],
            &[],
            &["unknown setting num.partition", "did you mean num.partitions?"],
        ),
        (
            &[],
            &[("CALLBOARD_LOG_RETENTION_MS", "soon")],
            &["log.retention.ms", "soon", "from the variable CALLBOARD_LOG_RETENTION_MS"],
        ),
        (
            &["--listeners", "PLAINTEXT://0.0.0.0:9092"],
            &[],
            &["listeners", "0.0.0.0", "set advertised.listeners", "from the flag --listeners"],
        ),
        (&["--listeners", "127.0.0.1:9092"], &[], &["NAME://HOST:PORT"]),
        (&["--config", "missing.toml"], &[], &["missing.toml cannot be read"]),
        (&["--set", "num.partitions"], &[], &["has to be NAME=VALUE"]),
    ];
    for (arguments, variables, expected) in cases {
        let error = refused_serve(arguments, variables).failed(2);
        for part in *expected {
            assert!(error.contains(part), "{arguments:?} {variables:?}: {error}");
        }
    }
}

#[test]
fn flags_overrule_variables_and_variables_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("board.toml");
    std::fs::write(&path, "num.partitions = 2\n[log]\nretention.ms = 2000\n").unwrap();
    let partitions = |variable: Option<&str>, flag: Option<&str>| {
        let data = directory.path().join(format!("data-{variable:?}-{flag:?}"));
        let variable = variable.map(|value| ("CALLBOARD_NUM_PARTITIONS", value));
        let flag = flag.map(|value| format!("num.partitions={value}"));
        let flags: Vec<_> = flag.iter().map(String::as_str).collect();
        let mut command = program();
        command.env("CALLBOARD_CONFIG", &path).envs(variable);
        let broker = Broker::start_as(command, &data, &flags);
        broker.run(&["topic", "create", "t"]).ok()
    };
    assert!(partitions(None, None).contains("partitions: 2"));
    assert!(partitions(Some("3"), None).contains("partitions: 3"));
    assert!(partitions(Some("3"), Some("4")).contains("partitions: 4"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_directory, broker) = broker();
    let taken = format!("PLAINTEXT://{}", broker.bootstrap);
    let error = refused_serve(&["--listeners", &taken], &[]).failed(1);
    assert!(error.contains(&broker.bootstrap) && error.contains("in use"), "{error}");
}

#[test]
fn topics_are_made_described_changed_and_deleted() {
    let (_directory, broker) = broker();
    let create = ["topic", "create", "orders", "-p", "3", "--set", "retention.ms=3600000"];
    let created = broker.run(&create).ok();
    assert_eq!(created, "orders created (partitions: 3, replication factor: 1)\n");
    let error = broker.run(&["topic", "create", "orders"]).failed(1);
    assert!(error.contains("TOPIC_ALREADY_EXISTS"), "{error}");
    broker.run(&["topic", "create", "orders", "--if-not-exists"]).ok();
    let error = broker.run(&["topic", "create", "x", "--set", "retention.ms=soon"]).failed(1);
    assert!(error.contains("retention.ms"), "{error}");

    let change = ["topic", "alter", "orders", "-p", "5", "--unset", "retention.ms"];
    broker.run(&change).ok();
    broker.run(&["topic", "alter", "orders", "--set", "segment.bytes=2000000"]).ok();
    let described = broker.run(&["topic", "describe", "orders", "--json"]).ok();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    let topic = &described[0];
    assert_eq!(topic["partitions"].as_array().unwrap().len(), 5);
    assert_eq!(topic["partitions"][4]["leader"], 1);
    assert_eq!(topic["partitions"][4]["latest"], 0);
    let expected = serde_json::json!([
        { "name": "segment.bytes", "value": "2000000", "source": "topic" }
    ]);
    assert_eq!(topic["settings"], expected);
    let text = broker.run(&["topic", "describe"]).ok();
    assert!(text.contains("segment.bytes  2000000  topic"), "{text}");

    assert_eq!(broker.run(&["topic", "list"]).ok(), "orders\n");
    broker.run(&["topic", "delete", "orders"]).ok();
    assert_eq!(broker.run(&["topic", "list"]).ok(), "");
    for command in [&["topic", "delete", "orders"][..], &["topic", "describe", "orders"]] {
        let error = broker.run(command).failed(1);
        assert!(error.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{error}");
    }
    broker.run(&["topic", "delete", "orders", "--if-exists"]).ok();
}

#[test]
fn a_group_goes_on_where_it_stopped_and_shows_its_lag() {
    let (_directory, broker) = broker();
    broker.run_with_input(&["produce", "bills"], &lines(0, 10)).ok();
    let first = ["consume", "bills", "--group", "billing", "--from-beginning", "--max", "4"];
    assert_eq!(broker.run(&first).ok(), lines(0, 4));
    let lag = |key: &str| {
        let described = broker.run(&["group", "describe", "billing", "--json"]).ok();
        let described: serde_json::Value = serde_json::from_str(&described).unwrap();
        described["partitions"][0][key].clone()
    };
    assert_eq!((lag("committed"), lag("end"), lag("lag")), (4.into(), 10.into(), 6.into()));
    let peek = ["consume", "bills", "--group", "billing", "--until-end", "--no-commit"];
    assert_eq!(broker.run(&peek).ok(), lines(4, 10));
    let rest = ["consume", "bills", "--group", "billing", "--until-end"];
    assert_eq!(broker.run(&rest).ok(), lines(4, 10), "a look changes nothing");
    assert_eq!(broker.run(&rest).ok(), "");
    assert_eq!(lag("lag"), 0);
    assert!(broker.run(&["group", "list"]).ok().contains("billing"));
    let error = broker.run(&["group", "describe", "nobody"]).failed(1);
    assert!(error.contains("GROUP_ID_NOT_FOUND"), "{error}");
}

#[test]
fn a_member_that_is_told_to_end_leaves_its_group() {
    let (_directory, broker) = broker();
    broker.run_with_input(&["produce", "bills"], &lines(0, 3)).ok();
    let mut command = broker.command(&["consume", "bills", "-g", "billing", "--from-beginning"]);
    let mut member = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(member.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..3 {
        shown.read_line(&mut line).unwrap();
    }
    assert_eq!(line, lines(0, 3), "shown though more may come");
    send_signal(&member, "TERM");
    assert_eq!(member.wait().unwrap().code(), Some(0));
    let described = broker.run(&["group", "describe", "billing"]).ok();
    assert!(described.starts_with("billing  Empty, members: 0, lag: 0\n"), "{described}");
}

#[test]
fn the_tree_shows_who_runs() {
    let (_directory, broker) = broker();
    broker.run(&["topic", "create", "orders"]).ok();
    let text = broker.run(&["tree"]).ok();
    for part in ["node ", "└── admin", "metadata_quorum", "orders-0", "running"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains('\x1b'), "colours are for terminals");
    let json = broker.run(&["tree", "partitions/orders-0", "--json", "--local"]).ok();
    let replica: supervision::TreeNode = serde_json::from_str(&json).unwrap();
    assert_eq!((replica.id.as_str(), replica.state), ("orders-0", supervision::NodeState::Running));
    let error = broker.run(&["tree", "nowhere"]).failed(1);
    assert!(error.contains("nowhere"), "{error}");
    let error = broker.run(&["tree", "--admin", &broker.bootstrap]).failed(1);
    assert!(error.contains("is it an admin listener?"), "{error}");
}

#[test]
fn a_dump_tells_a_good_batch_from_a_damaged_one() {
    let (directory, broker) = broker();
    for round in 0..3 {
        broker.run_with_input(&["produce", "logged"], &lines(round, round + 1)).ok();
    }
    let segment = broker.file("logged-0/00000000000000000000.log");
    let dump = |path: &std::path::Path, more: &[&str]| -> Finished {
        let mut command = program();
        run_with_input(command.args(["log", "dump"]).arg(path).args(more), "")
    };
    let text = dump(&segment, &["--records"]).ok();
    assert_eq!(text.matches("  good\n").count(), 3, "{text}");
    assert!(text.contains("offset 2  ") && text.contains("value \"record 2\""), "{text}");
    assert!(dump(&broker.file(""), &[]).ok().contains("logged-0"), "a whole data directory");

    let mut bytes = std::fs::read(&segment).unwrap();
    let second = bytes.len() / 3 + 70;
    bytes[second] ^= 1;
    let copy = directory.path().join("00000000000000000000.log");
    std::fs::write(&copy, bytes).unwrap();
    let json = dump(&copy, &["--json"]);
    assert_eq!(json.code, Some(1), "{json:?}");
    let batches: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let damage: Vec<_> = batches.iter().map(|batch| !batch["damage"].is_null()).collect();
    assert_eq!(damage, [false, true, false], "{}", json.stdout);

    let error = dump(directory.path().join("nothing.log").as_path(), &[]).failed(1);
    assert!(error.contains("nothing.log"), "{error}");
}

#[test]
fn what_cannot_be_done_is_said_on_standard_error() {
    let nobody = run_with_input(program().args(["topic", "list", "-b", "127.0.0.1:1"]), "");
    let error = nobody.failed(1);
    assert!(error.starts_with("error: ") && error.contains("127.0.0.1:1"), "{error}");
    assert_eq!(error.matches("refused").count(), 1, "a cause is told once: {error}");

    let (_directory, broker) = broker();
    let error = broker.run(&["consume", "nothing"]).failed(1);
    assert!(error.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{error}");
    let error = broker.run_with_input(&["produce", "t", "-k", ":"], "a:b\nc\n").failed(1);
    assert!(error.contains("line 2: there is no \":\""), "{error}");
    assert_eq!(broker.run(&["consume", "t", "-e"]).ok(), "b\n", "what came before it counts");
    let long = "x".repeat(2000);
    let refused = broker.run_with_input(&["produce", "t", "--max-record-bytes", "1000"], &long);
    assert!(refused.failed(1).contains("line 1 has more than 1000 bytes"));
    for usage in [&["produce"][..], &["consume", "t", "--from", "noon"], &["topic", "alter", "t"]] {
        broker.run(usage).failed(2);
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    let (_directory, broker) = broker();
    broker.run_with_input(&["produce", "many"], &lines(0, 50_000)).ok();
    let mut command = broker.command(&["consume", "many", "-e"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let finished = Finished::of(child.wait_with_output().unwrap());
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

#[test]
fn settings_are_listed_with_defaults_and_meaning() {
    let json = run_with_input(program().args(["settings", "--json"]), "").ok();
    let settings: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let found = settings.iter().find(|setting| setting["name"] == "num.partitions").unwrap();
    assert_eq!((&found["default"], &found["kind"]), (&"1".into(), &"int".into()));
    let text = run_with_input(program().args(["settings", "num.partitions"]), "").ok();
    assert!(text.starts_with("num.partitions  (int; default: 1; changed at start)\n    "));
    run_with_input(program().args(["settings", "no.such"]), "").failed(1);
}
