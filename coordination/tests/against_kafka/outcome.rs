//! What one step came to, in words that are the same for both.

use std::collections::BTreeMap;

use bytes::Bytes;
use coordination::GroupRecord;
use coordination::offsets_topic::{DecodedRecord, decode, encode};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// By ticket.
    pub answers: BTreeMap<u64, String>,
    /// With members by id.
    pub records: Vec<GroupRecord>,
    /// State, generation and members.
    pub state: String,
    pub leader: String,
    /// A member id given out in this step.
    pub new_id: Option<String>,
    pub generation: i32,
    pub has_appended: bool,
}

impl Outcome {
    pub fn without_leader(&self) -> &str {
        &self.state
    }

    /// One line of the oracle.
    pub fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "answer" => {
                let answer = answer(&words[2..]);
                let earlier = self.answers.insert(words[1].parse().unwrap(), answer);
                assert_eq!(earlier, None, "answered twice: {line}");
            }
            "record" => self.append(read_record(words[1], words[2])),
            "id" => self.new_id = Some(words[1].to_owned()),
            "state" => {
                self.state = format!("{} {} {}", words[1], words[2], words[4]);
                self.generation = words[2].parse().unwrap();
                self.leader = words[3].to_owned();
            }
            _ => panic!("not understood: {line}"),
        }
    }

    pub fn append(&mut self, record: GroupRecord) {
        self.has_appended = true;
        self.records.push(sorted(record));
    }
}

/// Of a refusal only the error counts, and of a join the member id with it.
fn answer(words: &[&str]) -> String {
    match words {
        ["join", "NONE", ..] | ["sync", "NONE", ..] | ["leave", "NONE", ..] => words.join(" "),
        ["join", error, _, _, _, member_id, ..] => format!("join {error} {member_id}"),
        [kind, error, ..] => format!("{kind} {error}"),
        _ => panic!("no answer: {words:?}"),
    }
}

/// Reads a record of Kafka's, and checks that ours would be the same bytes.
fn read_record(key: &str, value: &str) -> GroupRecord {
    let (key, value) = (bytes(key), bytes(value));
    let decoded = decode(Some(key.clone()), Some(value.clone())).unwrap();
    let DecodedRecord::Group(group_id, record) = decoded else { panic!("{decoded:?}") };
    let written = encode(&group_id, &record).unwrap();
    assert_eq!((written.key, written.value), (key, Some(value)), "{record:?}");
    record
}

/// Kafka's order of members is that of a hash.
fn sorted(mut record: GroupRecord) -> GroupRecord {
    if let GroupRecord::Membership(membership) = &mut record {
        membership.members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
    }
    record
}

pub fn bytes(hexadecimal: &str) -> Bytes {
    let digits = (0..hexadecimal.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap()).collect()
}

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Nothing is a dash.
pub fn shown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
