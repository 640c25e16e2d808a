//! Gzip (RFC 1952). Several members in a row are read as one stream, as Java does.

use std::io::{self, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{DecodeError, read_to_cap};

pub(super) fn compress(input: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(input)?;
    encoder.finish()
}

pub(super) fn decompress(input: &[u8], output_bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    if input.is_empty() {
        return Err(DecodeError::CutShort);
    }
    read_to_cap(MultiGzDecoder::new(input), input.len(), output_bytes_max)
}
