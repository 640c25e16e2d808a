//! Histories of a world that is right. Every alarm here would send somebody after a bug that is
//! not there, until nobody believes the checker any more.

use logcheck::{Counts, History, Rule, Verdict, check};

use crate::history_of;
use crate::world::World;

#[test]
fn two_thousand_clean_histories_raise_no_alarm() {
    let mut examined = [0; Rule::ALL.len()];
    for seed in 0..2000 {
        let history = history_of(&World::run(seed, 250));
        let report = check(&history);
        if report.verdict() != Verdict::Clean {
            let mut text = Vec::new();
            history.write(&mut text).unwrap();
            panic!("seed {seed}\n{}{report}", String::from_utf8(text).unwrap());
        }
        for (rule, sum) in Rule::ALL.iter().zip(&mut examined) {
            *sum += report.examined(*rule);
        }
    }
    // A rule that saw nothing would have proved nothing by its silence.
    for (rule, sum) in Rule::ALL.iter().zip(examined) {
        assert!(sum > 2000, "{rule} examined {sum} facts");
    }
}

#[test]
fn a_history_is_the_same_after_writing_and_reading() {
    for seed in 0..50 {
        let events = World::run(seed, 300);
        let history = history_of(&events);
        let mut text = Vec::new();
        history.write(&mut text).unwrap();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), history.lines());
        let read = History::read(text.as_slice()).unwrap();
        assert_eq!(read.events().collect::<Vec<_>>(), events, "seed {seed}");
        assert_eq!(check(&read).to_string(), check(&history).to_string());
    }
}

#[test]
fn a_report_counts_what_there_was_to_judge() {
    let Counts { acknowledged, failed, unknown, read, commits, drained, .. } =
        check(&history_of(&World::run(7, 2000))).counts();
    for count in [acknowledged, failed, unknown, read, commits, drained] {
        assert!(count > 0);
    }
}
