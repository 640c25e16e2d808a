//! The generated code against the schemas.

use bytes::Bytes;

use crate::catalogue;
use crate::random_values::{Numbers, encode, random, show};
use crate::schema_reader::{schema_of, schemas};

/// Random messages for each version of each message.
const SEEDS: u64 = 40;

#[test]
fn every_message_reads_and_writes_what_its_schema_says() {
    let schemas = schemas();
    let mut cases = 0;
    for entry in catalogue::all() {
        let schema = schema_of(entry.name, &schemas);
        for version in schema.versions.clone() {
            for seed in 0..SEEDS {
                let value = random(&schema.fields, version, &mut Numbers(seed));
                let mut bytes = Vec::new();
                encode(&schema.fields, &value, schema.is_flexible(version), &mut bytes);
                let bytes = Bytes::from(bytes);
                let place = format!("{} v{version}, seed {seed}", entry.name);
                let shown = (entry.show)(bytes.clone(), version);
                assert_eq!(shown, Ok(show(entry.name, &schema.fields, &value)), "{place}");
                assert_eq!((entry.round_trip)(bytes.clone(), version), Ok(bytes), "{place}");
                cases += 1;
            }
        }
    }
    assert!(cases > 10_000, "only {cases} cases");
}

#[test]
fn every_schema_has_its_message_in_the_catalogue() {
    let mut known: Vec<&str> = catalogue::all().iter().map(|entry| entry.name).collect();
    let schemas = schemas();
    let mut written: Vec<&str> = schemas.iter().map(|schema| schema.name.as_str()).collect();
    known.sort_unstable();
    written.sort_unstable();
    assert_eq!(known, written);
}

#[test]
fn no_message_is_read_or_written_in_a_version_that_it_does_not_have() {
    for entry in catalogue::all() {
        for version in [i16::MIN, entry.versions.min - 1, entry.versions.max + 1, i16::MAX] {
            let refused = (entry.show)(Bytes::from(vec![0; 100]), version).unwrap_err();
            assert!(refused.to_string().contains("known versions"), "{} v{version}", entry.name);
        }
    }
}
