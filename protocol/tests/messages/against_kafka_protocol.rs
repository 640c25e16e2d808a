//! The `kafka-protocol` crate as an oracle: it reads what the schemas say and writes the same
//! bytes. It stands at Kafka 4.1, so the versions that came later are left to `against_java`.

use bytes::Bytes;

use crate::catalogue;
use crate::random_values::{Numbers, encode, random};
use crate::schema_reader::{schema_of, schemas};

const SEEDS: u64 = 25;

/// What the crate cannot read.
const NOT_IN_THE_CRATE: &[(&str, i16)] = &[
    ("ListOffsetsRequest", 11),
    ("ListOffsetsResponse", 11),
    ("OffsetCommitRequest", 10),
    ("OffsetFetchRequest", 10),
    ("AddRaftVoterRequest", 1),
    ("AddRaftVoterResponse", 1),
];

#[test]
fn kafka_protocol_reads_and_writes_the_same_bytes() {
    let schemas = schemas();
    let mut unread = Vec::new();
    for entry in catalogue::all() {
        let Some(oracle) = entry.oracle else { continue };
        let schema = schema_of(entry.name, &schemas);
        for version in schema.versions.clone() {
            if !oracle.versions.contains(version) {
                unread.push((entry.name, version));
                continue;
            }
            for seed in 0..SEEDS {
                let value = random(&schema.fields, version, &mut Numbers(1_000 + seed));
                let mut bytes = Vec::new();
                encode(&schema.fields, &value, schema.is_flexible(version), &mut bytes);
                let bytes = Bytes::from(bytes);
                let theirs = (oracle.round_trip)(bytes.clone(), version);
                assert_eq!(theirs, bytes, "{} v{version}, seed {seed}", entry.name);
            }
        }
    }
    assert_eq!(unread, NOT_IN_THE_CRATE);
}
