//! All messages as one list, so that a test can walk over them.

use std::fmt::Debug;

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message as TheirMessage};
use protocol::for_each_api;
use protocol::generated as ours;
use protocol::message::{Message, Versions};
use protocol::primitives::{DecodeError, EncodeError, Encoded};

/// A message, its type forgotten.
pub struct Entry {
    pub name: &'static str,
    pub versions: Versions,
    /// Decodes, and encodes what was read.
    pub round_trip: fn(Bytes, i16) -> Result<Bytes, DecodeError>,
    /// Decodes, and shows what was read as `Debug` does.
    pub show: fn(Bytes, i16) -> Result<String, DecodeError>,
    /// Decodes in one version and encodes in another, which may refuse.
    pub convert: fn(Bytes, i16, i16) -> Result<Bytes, EncodeError>,
    /// Encodes a message that nothing was set in.
    pub default: fn(i16) -> Result<Bytes, EncodeError>,
    /// The same message of the `kafka-protocol` crate.
    pub oracle: Option<Oracle>,
}

pub struct Oracle {
    pub versions: Versions,
    /// Decodes and encodes. Never to be fed damaged bytes: it trusts lengths and aborts.
    pub round_trip: fn(Bytes, i16) -> Bytes,
}

/// Decodes and encodes; what was encoded must decode to the same.
fn round_trip<M: Message + Debug + PartialEq>(
    bytes: Bytes,
    version: i16,
) -> Result<Bytes, DecodeError> {
    let message = M::from_bytes(bytes, version)?;
    let encoded = message.to_encoded(version).expect("what was decoded can be encoded");
    assert_eq!(encoded.length, encoded.chunks.iter().map(Bytes::len).sum::<usize>());
    let encoded = encoded.into_bytes();
    assert_eq!(M::from_bytes(encoded.clone(), version), Ok(message));
    Ok(encoded)
}

fn show<M: Message + Debug>(bytes: Bytes, version: i16) -> Result<String, DecodeError> {
    M::from_bytes(bytes, version).map(|message| format!("{message:?}"))
}

fn convert<M: Message>(bytes: Bytes, read: i16, write: i16) -> Result<Bytes, EncodeError> {
    let message = M::from_bytes(bytes, read).unwrap();
    message.to_encoded(write).map(Encoded::into_bytes)
}

fn default<M: Message + Default>(version: i16) -> Result<Bytes, EncodeError> {
    M::default().to_encoded(version).map(Encoded::into_bytes)
}

fn their_round_trip<M: Encodable + Decodable>(mut bytes: Bytes, version: i16) -> Bytes {
    let message = M::decode(&mut bytes, version).expect("the oracle reads valid bytes");
    assert!(bytes.is_empty(), "the oracle leaves {} bytes", bytes.len());
    let mut encoded = bytes::BytesMut::new();
    message.encode(&mut encoded, version).expect("the oracle writes what it has read");
    encoded.freeze()
}

fn entry<M>(name: &'static str, oracle: Option<Oracle>) -> Entry
where
    M: Message + Debug + Default + PartialEq,
{
    Entry {
        name,
        versions: M::VERSIONS,
        round_trip: round_trip::<M>,
        show: show::<M>,
        convert: convert::<M>,
        default: default::<M>,
        oracle,
    }
}

fn oracle<M: Encodable + Decodable + TheirMessage>() -> Option<Oracle> {
    let versions = Versions::new(M::VERSIONS.min, M::VERSIONS.max);
    Some(Oracle { versions, round_trip: their_round_trip::<M> })
}

macro_rules! list_apis {
    ($($key:ident $module:ident $request:ident $response:ident,)*) => {
        fn apis() -> Vec<Entry> {
            vec![$(
                entry::<ours::$module::$request>(
                    stringify!($request),
                    oracle::<theirs::$request>(),
                ),
                entry::<ours::$module::$response>(
                    stringify!($response),
                    oracle::<theirs::$response>(),
                ),
            )*]
        }
    };
}

for_each_api!(list_apis);

/// Every message that is generated.
pub fn all() -> Vec<Entry> {
    use ours::{
        consumer_protocol_assignment as assignment, consumer_protocol_subscription as subscription,
        group_metadata_record as group_metadata, headers, offset_commit_record as offset_commit,
        producer_snapshot as snapshot,
    };
    let mut entries = apis();
    entries.extend([
        entry::<headers::RequestHeader>("RequestHeader", oracle::<theirs::RequestHeader>()),
        entry::<headers::ResponseHeader>("ResponseHeader", oracle::<theirs::ResponseHeader>()),
        entry::<subscription::ConsumerProtocolSubscription>(
            "ConsumerProtocolSubscription",
            oracle::<theirs::ConsumerProtocolSubscription>(),
        ),
        entry::<assignment::ConsumerProtocolAssignment>(
            "ConsumerProtocolAssignment",
            oracle::<theirs::ConsumerProtocolAssignment>(),
        ),
        entry::<offset_commit::OffsetCommitKey>("OffsetCommitKey", None),
        entry::<offset_commit::OffsetCommitValue>("OffsetCommitValue", None),
        entry::<group_metadata::GroupMetadataKey>("GroupMetadataKey", None),
        entry::<group_metadata::GroupMetadataValue>("GroupMetadataValue", None),
        entry::<snapshot::ProducerSnapshot>("ProducerSnapshot", None),
    ]);
    entries
}
