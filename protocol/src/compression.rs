//! The codecs of a record batch (KIP-98, KIP-110). Every decoder works under a cap on its output
//! that the caller gives: the sizes that compressed bytes claim are never believed.

mod gzip;
mod lz4;
mod snappy;
mod zstandard;

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

/// How the records of a batch are compressed; the low three bits of its attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// As they are (codec 0).
    #[default]
    None,
    /// RFC 1952, one or several members (codec 1).
    Gzip,
    /// Snappy blocks in the framing that Java clients write, or one bare block as others do
    /// (codec 2).
    Snappy,
    /// An LZ4 frame (codec 3).
    Lz4,
    /// RFC 8878 (codec 4, KIP-110).
    Zstd,
}

/// Why records could not be compressed or decompressed. A retry with the same bytes never helps.
#[derive(Debug, Error)]
pub enum CompressionError {
    /// The output would be larger than the caller allows, or claims to be.
    #[error("{codec} records decompress to more than {output_bytes_max} bytes")]
    TooLarge {
        /// The codec.
        codec: Compression,
        /// The cap, in bytes.
        output_bytes_max: usize,
    },
    /// The bytes end before the compressed stream does.
    #[error("{codec} records are cut short")]
    CutShort {
        /// The codec.
        codec: Compression,
    },
    /// The bytes are no valid stream of the codec.
    #[error("{codec} records are damaged")]
    Damaged {
        /// The codec.
        codec: Compression,
        /// What the decoder said.
        source: io::Error,
    },
}

/// A name that is none of Kafka's codecs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name:?} is no compression codec: none, gzip, snappy, lz4 and zstd are")]
pub struct UnknownCompression {
    /// The name as given.
    pub name: String,
}

impl Compression {
    /// Every codec, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec that a batch's attributes name; `None` for 5 to 7, which no client knows.
    #[must_use]
    pub const fn from_codec(codec: i16) -> Option<Self> {
        match codec {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The number in a batch's attributes.
    #[must_use]
    pub const fn codec(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name of the codec, as in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses `input` as Kafka's own clients do by default (gzip level 6, zstd level 3).
    ///
    /// # Errors
    /// [`CompressionError::Damaged`] where the encoder fails, which no input is known to cause.
    pub fn compress(self, input: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let output = match self {
            Self::None => Ok(input.to_vec()),
            Self::Gzip => gzip::compress(input),
            Self::Snappy => snappy::compress(input),
            Self::Lz4 => lz4::compress(input),
            Self::Zstd => zstandard::compress(input),
        };
        output.map_err(|source| CompressionError::Damaged { codec: self, source })
    }

    /// Decompresses `input` to at most `output_bytes_max` bytes (inclusive). Uncompressed input is
    /// handed back without a copy.
    ///
    /// Beside its output a decoder allocates at most what its format needs for one block or
    /// window: up to 8 MiB for lz4, and for zstd the power of two above `output_bytes_max`, but
    /// at least 8 MiB (what RFC 8878 asks every decoder to accept) and at most 128 MiB.
    ///
    /// # Errors
    /// [`CompressionError::TooLarge`] as soon as the output passes the cap or a claimed length
    /// would; otherwise what is wrong with the stream.
    pub fn decompress(
        self,
        input: &Bytes,
        output_bytes_max: usize,
    ) -> Result<Bytes, CompressionError> {
        let output = match self {
            Self::None if input.len() > output_bytes_max => Err(DecodeError::TooLarge),
            Self::None => return Ok(input.clone()),
            Self::Gzip => gzip::decompress(input, output_bytes_max),
            Self::Snappy => snappy::decompress(input, output_bytes_max),
            Self::Lz4 => lz4::decompress(input, output_bytes_max),
            Self::Zstd => zstandard::decompress(input, output_bytes_max),
        };
        output.map(Bytes::from).map_err(|error| error.of(self, output_bytes_max))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| UnknownCompression { name: name.to_owned() })
    }
}

/// What went wrong inside a codec, before the codec and the cap are added.
enum DecodeError {
    TooLarge,
    CutShort,
    Damaged(io::Error),
}

impl DecodeError {
    fn of(self, codec: Compression, output_bytes_max: usize) -> CompressionError {
        match self {
            Self::TooLarge => CompressionError::TooLarge { codec, output_bytes_max },
            Self::CutShort => CompressionError::CutShort { codec },
            Self::Damaged(source) => CompressionError::Damaged { codec, source },
        }
    }
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutShort,
            _ => Self::Damaged(error),
        }
    }
}

/// Reads a decoder to its end, or to one byte past the cap.
fn read_to_cap(
    decoder: impl Read,
    input_bytes: usize,
    output_bytes_max: usize,
) -> Result<Vec<u8>, DecodeError> {
    // records compress to about a quarter; the vector grows by doubling from there
    let mut output = Vec::with_capacity(input_bytes.saturating_mul(4).min(output_bytes_max));
    let limit = u64::try_from(output_bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut output)?;
    if output.len() > output_bytes_max {
        return Err(DecodeError::TooLarge);
    }
    Ok(output)
}
