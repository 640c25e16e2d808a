//! Records as lines of text, the same for writing and reading: plain, or one JSON object a line.

use bytes::Bytes;
use client::{ConsumedRecord, ProducerRecord, RecordHeader, TopicName};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::timestamp_text::format_timestamp;

/// Why a line is no record.
#[derive(Debug, Error)]
pub enum LineError {
    /// A key was promised.
    #[error("there is no {separator:?} between key and value")]
    NoSeparator {
        /// What should stand between them.
        separator: String,
    },
    /// The line is not the JSON that it should be.
    #[error("it is not a record in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Bytes given in hexadecimal digits have something else, or half a byte.
    #[error("{text:?} is not bytes in hexadecimal digits")]
    Hex {
        /// What stands there.
        text: String,
    },
}

/// How a line is read as a record.
#[derive(Clone, Debug, Default)]
pub struct LineFormat {
    /// What stands between key and value, if lines have keys.
    pub key_separator: Option<String>,
    /// The text that stands for null.
    pub null: Option<String>,
    /// Whether a line is a JSON object as [`JsonRecord`] has it.
    pub is_json: bool,
}

impl LineFormat {
    /// The record of a line, which has lost its line feed.
    pub fn read(&self, topic: &TopicName, line: &Bytes) -> Result<ProducerRecord, LineError> {
        if self.is_json {
            return serde_json::from_slice::<JsonRecord>(line)?.into_record(topic);
        }
        let mut record = ProducerRecord::to(topic);
        let value = match &self.key_separator {
            None => line.clone(),
            Some(separator) => {
                let at = find(line, separator.as_bytes())
                    .ok_or_else(|| LineError::NoSeparator { separator: separator.clone() })?;
                record.key = self.or_null(line.slice(..at));
                line.slice(at + separator.len()..)
            }
        };
        record.value = self.or_null(value);
        Ok(record)
    }

    fn or_null(&self, bytes: Bytes) -> Option<Bytes> {
        let is_null = self.null.as_ref().is_some_and(|null| null.as_bytes() == bytes);
        (!is_null).then_some(bytes)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

/// A record in JSON, as `consume --json` writes it and `produce --json` reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonRecord {
    /// Where it stood; not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(default)]
    key: Option<JsonBytes>,
    #[serde(default)]
    value: Option<JsonBytes>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<JsonHeader>,
}

/// Bytes: text where they are UTF-8.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum JsonBytes {
    Text(String),
    Hex { hex: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonHeader {
    key: String,
    #[serde(default)]
    value: Option<JsonBytes>,
}

impl JsonBytes {
    fn from_bytes(bytes: &Bytes) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex { hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect() },
        }
    }

    fn into_bytes(self) -> Result<Bytes, LineError> {
        match self {
            Self::Text(text) => Ok(Bytes::from(text)),
            Self::Hex { hex } => from_hex(&hex).ok_or(LineError::Hex { text: hex }),
        }
    }
}

fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then(|| Bytes::from(bytes))
}

impl From<&ConsumedRecord> for JsonRecord {
    fn from(record: &ConsumedRecord) -> Self {
        let header = |header: &RecordHeader| JsonHeader {
            key: header.key_text().into_owned(),
            value: header.value.as_ref().map(JsonBytes::from_bytes),
        };
        Self {
            topic: Some(record.partition.topic.to_string()),
            partition: Some(record.partition.partition.0),
            offset: Some(record.offset.value()),
            timestamp: (record.timestamp >= 0).then_some(record.timestamp),
            key: record.key.as_ref().map(JsonBytes::from_bytes),
            value: record.value.as_ref().map(JsonBytes::from_bytes),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

impl JsonRecord {
    fn into_record(self, topic: &TopicName) -> Result<ProducerRecord, LineError> {
        let bytes = |json: Option<JsonBytes>| json.map(JsonBytes::into_bytes).transpose();
        let mut record = ProducerRecord::to(topic);
        record.timestamp = self.timestamp;
        record.key = bytes(self.key)?;
        record.value = bytes(self.value)?;
        for JsonHeader { key, value } in self.headers {
            record.headers.push(RecordHeader { key: Bytes::from(key), value: bytes(value)? });
        }
        Ok(record)
    }
}

/// What of a record is shown in a line, in this order: place, timestamp, headers, key, value, with
/// tabs between them.
#[derive(Clone, Debug, Default)]
pub struct ShownFields {
    /// Partition and offset.
    pub place: bool,
    /// The timestamp, in UTC.
    pub timestamp: bool,
    /// The headers.
    pub headers: bool,
    /// The key.
    pub key: bool,
    /// What is shown for null.
    pub null: String,
}

impl ShownFields {
    /// Writes a record as a line.
    pub fn write(
        &self,
        record: &ConsumedRecord,
        out: &mut impl std::io::Write,
    ) -> std::io::Result<()> {
        if self.place {
            write!(out, "{}\t{}\t", record.partition, record.offset)?;
        }
        if self.timestamp {
            write!(out, "{}\t", format_timestamp(record.timestamp))?;
        }
        if self.headers {
            self.write_headers(&record.headers, out)?;
        }
        if self.key {
            out.write_all(self.shown(record.key.as_ref()))?;
            out.write_all(b"\t")?;
        }
        out.write_all(self.shown(record.value.as_ref()))?;
        out.write_all(b"\n")
    }

    fn write_headers(
        &self,
        headers: &[RecordHeader],
        out: &mut impl std::io::Write,
    ) -> std::io::Result<()> {
        for (place, header) in headers.iter().enumerate() {
            if place > 0 {
                out.write_all(b",")?;
            }
            out.write_all(&header.key)?;
            out.write_all(b"=")?;
            out.write_all(self.shown(header.value.as_ref()))?;
        }
        out.write_all(b"\t")
    }

    fn shown<'a>(&'a self, bytes: Option<&'a Bytes>) -> &'a [u8] {
        bytes.map_or(self.null.as_bytes(), |bytes| bytes)
    }
}

#[cfg(test)]
mod tests;
