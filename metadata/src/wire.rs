//! The bytes of records and images: the only place of this crate that knows bincode.
//!
//! ```text
//! a list of records   [1: version] [4: count, little endian] [record]*
//! a snapshot          [1: version] [8: image version] [8: count, little endian] [record]*
//! ```
//!
//! The caller frames these bytes with a length and a checksum. Bincode describes nothing of
//! itself, so the version byte stands outside its body; the enum of records is append-only, and
//! the version is raised only if that is ever broken. Records are decoded one by one from the
//! slice that holds them, under a limit, and every byte must be used up.

use bincode::config::{Configuration, Limit, LittleEndian, Varint, standard};
use bincode::error::{DecodeError, EncodeError};
use protocol::{TopicName, identifiers::TopicNameError};
use thiserror::Error;

use crate::image::{ApplyError, ClusterImage};
use crate::record::{MetadataRecord, SettingResource};

/// The version of both formats.
pub const FORMAT_VERSION: u8 = 1;

/// The longest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// The most records in one list, that is, in one entry of the metadata log.
pub const RECORDS_MAX: usize = 1 << 20;

/// Why bytes are no records. Trying again never helps.
#[derive(Debug, Error)]
pub enum WireError {
    /// The bytes end too early.
    #[error("the bytes end within the {part}")]
    TooShort {
        /// Where they end.
        part: &'static str,
    },
    /// Another program wrote these bytes.
    #[error("format version {version} is unknown, this program reads {FORMAT_VERSION}")]
    UnknownVersion {
        /// The version byte.
        version: u8,
    },
    /// More records are announced than the bytes can hold, or than one list may hold.
    #[error("{count} records are announced in {length} bytes")]
    TooManyRecords {
        /// How many are announced.
        count: u64,
        /// How many bytes there are.
        length: usize,
    },
    /// A record cannot be read.
    #[error("record {place} cannot be read")]
    Record {
        /// Its place in the list, from 0.
        place: u64,
        /// Why.
        source: DecodeError,
    },
    /// A record holds a topic name that could not be a directory's.
    #[error("record {place} holds an invalid topic name")]
    TopicName {
        /// Its place in the list, from 0.
        place: u64,
        /// Why.
        source: TopicNameError,
    },
    /// A record of a snapshot does not fit those before it.
    #[error("record {place} does not apply")]
    Apply {
        /// Its place in the snapshot, from 0.
        place: u64,
        /// Why.
        source: ApplyError,
    },
    /// Bytes are left over.
    #[error("{length} bytes follow the last record")]
    TrailingBytes {
        /// How many.
        length: usize,
    },
    /// A record cannot be written.
    #[error("a record cannot be written")]
    Encode(#[from] EncodeError),
    /// A record is too long to be read again.
    #[error("a record of {length} bytes is too long, the most are {RECORD_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        length: usize,
    },
}

impl WireError {
    /// Whether trying again may help: the same bytes never become records.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::TooShort { .. }
            | Self::UnknownVersion { .. }
            | Self::TooManyRecords { .. }
            | Self::Record { .. }
            | Self::TopicName { .. }
            | Self::Apply { .. }
            | Self::TrailingBytes { .. }
            | Self::Encode(_)
            | Self::TooLong { .. } => false,
        }
    }
}

type Config = Configuration<LittleEndian, Varint, Limit<RECORD_BYTES_MAX>>;

const fn config() -> Config {
    standard().with_limit::<RECORD_BYTES_MAX>()
}

/// The bytes of one entry's records.
///
/// # Errors
/// Too many records, or one that is too long.
pub fn encode_records(records: &[MetadataRecord]) -> Result<Vec<u8>, WireError> {
    let too_many = WireError::TooManyRecords { count: records.len() as u64, length: 0 };
    if records.len() > RECORDS_MAX {
        return Err(too_many);
    }
    let mut bytes = vec![FORMAT_VERSION];
    let count = u32::try_from(records.len()).map_err(|_| too_many)?;
    bytes.extend_from_slice(&count.to_le_bytes());
    for record in records {
        encode_record(record, &mut bytes)?;
    }
    Ok(bytes)
}

/// The records of one entry.
///
/// # Errors
/// The bytes are damaged, or of another version.
pub fn decode_records(bytes: &[u8]) -> Result<Vec<MetadataRecord>, WireError> {
    let mut reader = Reader::after_version(bytes)?;
    let count = u64::from(u32::from_le_bytes(reader.take("count")?));
    reader.check_count(count)?;
    if count > RECORDS_MAX as u64 {
        return Err(WireError::TooManyRecords { count, length: bytes.len() });
    }
    let mut records = Vec::new();
    for place in 0..count {
        records.push(reader.record(place)?);
    }
    reader.finish()?;
    Ok(records)
}

/// The bytes of a whole image.
///
/// # Errors
/// A record is too long; the rules make none.
pub fn encode_snapshot(image: &ClusterImage) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![FORMAT_VERSION];
    bytes.extend_from_slice(&image.version().to_le_bytes());
    let place_of_count = bytes.len();
    bytes.extend_from_slice(&[0; 8]);
    let mut count = 0u64;
    for record in image.snapshot_records() {
        encode_record(&record, &mut bytes)?;
        count += 1;
    }
    bytes[place_of_count..place_of_count + 8].copy_from_slice(&count.to_le_bytes());
    Ok(bytes)
}

/// The image that a snapshot holds.
///
/// # Errors
/// The bytes are damaged, or of another version.
pub fn decode_snapshot(bytes: &[u8]) -> Result<ClusterImage, WireError> {
    let mut reader = Reader::after_version(bytes)?;
    let version = u64::from_le_bytes(reader.take("image version")?);
    let count = u64::from_le_bytes(reader.take("count")?);
    reader.check_count(count)?;
    let mut image = ClusterImage::empty();
    for place in 0..count {
        let record = reader.record(place)?;
        image.apply(&record).map_err(|source| WireError::Apply { place, source })?;
    }
    reader.finish()?;
    image.advance_to(version);
    Ok(image)
}

fn encode_record(record: &MetadataRecord, bytes: &mut Vec<u8>) -> Result<(), WireError> {
    let encoded = bincode::serde::encode_to_vec(record, config())?;
    let length = encoded.len();
    if length > RECORD_BYTES_MAX {
        return Err(WireError::TooLong { length });
    }
    bytes.extend(encoded);
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn after_version(bytes: &'a [u8]) -> Result<Self, WireError> {
        match bytes.split_first() {
            None => Err(WireError::TooShort { part: "version" }),
            Some((&FORMAT_VERSION, rest)) => Ok(Self { rest }),
            Some((&version, _)) => Err(WireError::UnknownVersion { version }),
        }
    }

    fn take<const LENGTH: usize>(&mut self, part: &'static str) -> Result<[u8; LENGTH], WireError> {
        let (head, rest) =
            self.rest.split_first_chunk::<LENGTH>().ok_or(WireError::TooShort { part })?;
        self.rest = rest;
        Ok(*head)
    }

    /// A record has at least two bytes: its kind and one field.
    fn check_count(&self, count: u64) -> Result<(), WireError> {
        let length = self.rest.len();
        if count > length as u64 / 2 {
            return Err(WireError::TooManyRecords { count, length });
        }
        Ok(())
    }

    fn record(&mut self, place: u64) -> Result<MetadataRecord, WireError> {
        let slice = &self.rest[..self.rest.len().min(RECORD_BYTES_MAX)];
        let (record, used) = bincode::serde::decode_from_slice(slice, config())
            .map_err(|source| WireError::Record { place, source })?;
        check_names(&record).map_err(|source| WireError::TopicName { place, source })?;
        self.rest = &self.rest[used..];
        Ok(record)
    }

    fn finish(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            length => Err(WireError::TrailingBytes { length }),
        }
    }
}

/// Names become directories, and deserialising checks none.
fn check_names(record: &MetadataRecord) -> Result<(), TopicNameError> {
    match record {
        MetadataRecord::TopicCreated { topic, .. }
        | MetadataRecord::SettingChanged { resource: SettingResource::Topic(topic), .. } => {
            TopicName::new(topic.as_str()).map(drop)
        }
        _ => Ok(()),
    }
}
