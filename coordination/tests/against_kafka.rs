//! Kafka's own classic group, driven step by step beside ours: the same requests, the same clock,
//! the same disk. Both must answer the same, write the same records and be in the same state.
//! What differs on purpose stands in the README, and is left out here or named below.
//!
//! Needs `java`, `javac` and Kafka's jars, in the folder that `KAFKA_PEER_LIB` names or where
//! `tools/kafka.sh install` puts them. Without them the test says that it was skipped.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "against_kafka/command.rs"]
mod command;
#[path = "against_kafka/kafka.rs"]
mod kafka;
#[path = "against_kafka/members.rs"]
mod members;
#[path = "against_kafka/ours.rs"]
mod ours;
#[path = "against_kafka/outcome.rs"]
mod outcome;

use std::io::{self, Write as _};

use command::Command;
use kafka::Kafka;
use members::{Members, Numbers};
use ours::Ours;
use outcome::Outcome;

const CASES: u64 = 80;
const STEPS: usize = 120;
/// A case ends early where Kafka chose a leader by chance; if most of them did, little would be
/// compared.
const STEPS_COMPARED_MIN: usize = 5_000;

#[test]
fn kafka_does_the_same_step_by_step() {
    let mut kafka = match Kafka::start() {
        Ok(kafka) => kafka,
        Err(reason) => {
            // written past the capture of passing tests' output
            let line = format!("SKIPPED: groups not compared with Apache Kafka, {reason}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }
    };
    let steps: usize = (0..CASES).map(|seed| compare_one_group(&mut kafka, seed)).sum();
    assert!(steps >= STEPS_COMPARED_MIN, "only {steps} steps were compared");
}

/// How many steps both took the same.
fn compare_one_group(kafka: &mut Kafka, seed: u64) -> usize {
    let mut numbers = Numbers(seed);
    let delay_ms = [0, 3_000][usize::from(seed % 2 == 1)];
    kafka.reset(delay_ms);
    let mut ours = Ours::new(delay_ms);
    let mut members = Members::new([0, 80, 95][usize::try_from(seed % 3).unwrap()]);
    let mut story = vec![format!("seed {seed}, delay {delay_ms} ms")];
    for step in 0..STEPS {
        for command in members.next(&mut numbers) {
            let line = command.to_line();
            story.push(line.clone());
            let expected = kafka.run(&line);
            let found = ours.run(&command, expected.new_id.as_deref());
            if is_other_leader(&expected, &found) {
                return step;
            }
            assert_same(&expected, &found, &story);
            members.hear(&expected);
            if expected.has_appended && matches!(command, Command::Join { .. }) {
                // Kafka answers a static member's return even when a rebalance has begun
                // meanwhile, ours lets it take part in that; so none begins here
                members.settle_next();
            }
        }
    }
    STEPS
}

/// Both had to elect a leader and chose differently, which Kafka leaves to a hash.
fn is_other_leader(expected: &Outcome, found: &Outcome) -> bool {
    expected.leader != found.leader && expected.without_leader() == found.without_leader()
}

fn assert_same(expected: &Outcome, found: &Outcome, story: &[String]) {
    let story = || story.join("\n");
    assert_eq!(expected.state, found.state, "states, Kafka's first, after\n{}", story());
    assert_eq!(expected.leader, found.leader, "leaders, Kafka's first, after\n{}", story());
    assert_eq!(expected.records, found.records, "records, Kafka's first, after\n{}", story());
    let mut answers = found.answers.clone();
    // Kafka forgets the sync of a member that an operator sends away
    answers.retain(|ticket, answer| {
        expected.answers.contains_key(ticket) || answer.as_str() != "sync UNKNOWN_MEMBER_ID"
    });
    assert_eq!(expected.answers, answers, "answers, Kafka's first, after\n{}", story());
}
