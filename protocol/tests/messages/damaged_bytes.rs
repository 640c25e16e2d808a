//! Messages damaged at every byte: whatever comes out, it is an error or a message that can be
//! written and read again; nothing panics, loops, or reserves memory for bytes that are not there.

use bytes::Bytes;

use crate::catalogue;
use crate::random_values::{Numbers, encode, random};
use crate::schema_reader::{Schema, schema_of, schemas};

/// Replacements for a byte: lengths of nothing, null, too much, and varints that go on.
const DAMAGE: [u8; 5] = [0x00, 0x7f, 0x80, 0xff, 0x04];

/// A short valid message.
fn valid(name: &str, version: i16, schemas: &[Schema]) -> Vec<u8> {
    let schema = schema_of(name, schemas);
    for seed in 7.. {
        let value = random(&schema.fields, version, &mut Numbers(seed));
        let mut bytes = Vec::new();
        encode(&schema.fields, &value, schema.is_flexible(version), &mut bytes);
        if bytes.len() < 300 {
            return bytes;
        }
    }
    unreachable!("no short message of {name}");
}

#[test]
fn cut_messages_are_refused() {
    let schemas = schemas();
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            let bytes = Bytes::from(valid(entry.name, version, &schemas));
            for length in 0..bytes.len() {
                let cut = (entry.show)(bytes.slice(..length), version);
                assert!(cut.is_err(), "{} v{version} cut to {length}", entry.name);
            }
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let schemas = schemas();
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            let mut bytes = valid(entry.name, version, &schemas);
            bytes.push(0);
            let refused = (entry.show)(Bytes::from(bytes), version).unwrap_err();
            assert!(refused.to_string().contains("follow the end"), "{} v{version}", entry.name);
        }
    }
}

#[test]
fn a_wrong_byte_anywhere_is_an_error_or_another_message() {
    let mut refused = 0;
    let schemas = schemas();
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            let bytes = valid(entry.name, version, &schemas);
            for place in 0..bytes.len() {
                for byte in DAMAGE {
                    let mut damaged = bytes.clone();
                    damaged[place] = byte;
                    let read = (entry.round_trip)(Bytes::from(damaged), version);
                    refused += usize::from(read.is_err());
                }
            }
        }
    }
    assert!(refused > 10_000, "only {refused} were refused");
}

#[test]
fn several_wrong_missing_and_added_bytes_are_an_error_or_another_message() {
    let schemas = schemas();
    let mut numbers = Numbers(11);
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            let bytes = valid(entry.name, version, &schemas);
            for _ in 0..100 {
                let mut damaged = bytes.clone();
                for _ in 0..1 + numbers.below(4) {
                    let place = numbers.below(damaged.len() as u64 + 1) as usize;
                    match numbers.below(3) {
                        0 => damaged.insert(place, numbers.next() as u8),
                        1 if place < damaged.len() => drop(damaged.remove(place)),
                        _ if place < damaged.len() => damaged[place] ^= 1 << numbers.below(8),
                        _ => damaged.truncate(numbers.below(place as u64 + 1) as usize),
                    }
                }
                // the round trip within checks what was read, if anything was
                let _either = (entry.round_trip)(Bytes::from(damaged), version);
            }
        }
    }
}

#[test]
fn random_bytes_are_an_error_or_a_message() {
    let mut numbers = Numbers(3);
    for entry in catalogue::all() {
        for version in entry.versions.min..=entry.versions.max {
            for _ in 0..50 {
                let length = numbers.next() as usize % 64;
                let bytes: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
                // the round trip within checks what was read, if anything was
                let _either = (entry.round_trip)(Bytes::from(bytes), version);
            }
        }
    }
}
