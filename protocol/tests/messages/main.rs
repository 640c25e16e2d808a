//! Every message in every version, with random values made from the schemas alone: whether the
//! generated code reads and writes what the schemas say, whether other implementations agree, and
//! whether damaged bytes are refused. If this breaks, clients read something else than we wrote.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod against_java;
mod against_kafka_protocol;
mod catalogue;
mod damaged_bytes;
mod golden_bytes;
mod random_values;
mod round_trip;
mod schema_reader;
