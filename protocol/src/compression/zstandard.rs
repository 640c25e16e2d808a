//! Zstandard (RFC 8878, KIP-110).

use std::io;

use zstd::stream::read::Decoder;

use super::{DecodeError, read_to_cap};

/// The level of Kafka's clients.
const LEVEL: i32 = 3;
/// 8 MiB: what RFC 8878 asks every decoder to accept.
const WINDOW_LOG_LEAST: u32 = 23;
/// 128 MiB: the largest window of the levels without "long distance matching".
const WINDOW_LOG_MOST: u32 = 27;

pub(super) fn compress(input: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(input, LEVEL)
}

pub(super) fn decompress(input: &[u8], output_bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    if input.is_empty() {
        return Err(DecodeError::CutShort);
    }
    let mut decoder = Decoder::with_buffer(input)?;
    // a window beyond the cap would serve only an output that the cap refuses
    let window_log = usize::BITS - output_bytes_max.saturating_sub(1).leading_zeros();
    decoder.window_log_max(window_log.clamp(WINDOW_LOG_LEAST, WINDOW_LOG_MOST))?;
    read_to_cap(decoder, input.len(), output_bytes_max)
}
