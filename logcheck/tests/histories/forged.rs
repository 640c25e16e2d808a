//! Forged histories in files: each a small story of a known bug as clients would tell it, and three
//! that only look like one. What is said of each is pinned to the word.

use std::path::PathBuf;

use logcheck::{History, Verdict, check};

/// The name of a file, and the violations that it has.
const STORIES: &[(&str, &[&str])] = &[
    ("acknowledged_tail_is_gone", &["unseen a-0 1 record 1:2 (lines 4, 9)"]),
    (
        "acknowledgement_names_offset_zero",
        &[
            "inconsistent-offset a-0 0 record 1:1, 2:1 (lines 2, 6)",
            "zero-offset a-0 1, 0 record 2:1 (lines 4, 5, 6)",
            "duplicate a-0 0, 2 record 2:1 (lines 6, 12)",
            "zero-offset a-0 record 2:2 (lines 7, 8)",
        ],
    ),
    (
        "block_of_another_partition",
        &[
            "misrouted a-0 1 record 1:2 (lines 1, 4)",
            "damaged-value a-0 2 (lines 4)",
            "never-sent a-0 2 record 7:7 (lines 8)",
        ],
    ),
    (
        "consumer_lost_its_place_in_a_failover",
        &[
            "poll-skip a-0 1, 2, 3 record 1:3 (lines 2, 4, 6)",
            "nonmonotonic-poll a-0 3, 3 (lines 6, 8)",
        ],
    ),
    (
        "coordinator_forgot_a_commit",
        &[
            "commit-regression group g a-0 7, 3 (lines 11, 12, 15, 16)",
            "commit-regression group g a-0 7 (lines 11, 12, 17, 18)",
            "never-committed group g a-0 7, 9 (lines 11, 12, 19, 20)",
        ],
    ),
    ("deposed_leader_acknowledged", &["stale-epoch-ack a-0 0, 4, 5 record 1:1 (lines 2, 6)"]),
    (
        "end_of_the_log_went_back",
        &["offset-beyond a-0 1, 1 (lines 6, 9)", "offset-beyond a-0 6, 5 (lines 13, 15)"],
    ),
    (
        "follower_truncated_to_the_high_watermark_and_led",
        &[
            "taken-offset a-0 1, 1 record 2:1 (lines 4, 5, 6)",
            "inconsistent-offset a-0 1 record 1:2, 2:1 (lines 4, 6)",
            "lost-write a-0 1 record 1:2 (lines 4, 10)",
        ],
    ),
    (
        "record_in_the_middle_is_gone",
        &[
            "lost-write a-0 1 record 1:2 (lines 4, 10)",
            "int-poll-skip a-0 0, 1, 2 record 1:2 (lines 4, 10)",
        ],
    ),
    ("record_was_read_above_the_high_watermark", &["vanished a-0 1 record 1:2 (lines 6, 11)"]),
    ("refused_record_was_kept", &["G1a a-0 1 record 1:2 (lines 3, 8)"]),
    (
        "retry_after_a_lost_answer_was_written_again",
        &["duplicate a-0 0, 1 record 1:1 (lines 2, 6)"],
    ),
    (
        "stopped_member_committed_after_the_rebalance",
        &[
            "double-owner group g a-0 (lines 8, 11, 13, 15)",
            "zombie-commit group g a-0 1, 2 (lines 11, 14, 15)",
        ],
    ),
    ("allowed_doubt_about_unanswered_sends", &[]),
    ("allowed_late_commits_and_two_owners", &[]),
    ("allowed_rewinds_and_skips", &[]),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories/forged")
}

#[test]
fn every_forged_history_is_accused_of_what_is_wrong_with_it() {
    for (name, expected) in STORIES {
        let text = std::fs::read(folder().join(format!("{name}.jsonl"))).unwrap();
        let history = History::read(text.as_slice()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let report = check(&history);
        let found: Vec<String> = report.violations().iter().map(ToString::to_string).collect();
        assert_eq!(found, *expected, "{name}");
        let verdict = if expected.is_empty() { Verdict::Clean } else { Verdict::Broken };
        assert_eq!(report.verdict(), verdict, "{name}");
    }
    let files = std::fs::read_dir(folder()).unwrap().count();
    assert_eq!(files, STORIES.len(), "every file is judged");
}
