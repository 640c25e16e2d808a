//! Snappy in the two shapes found in record batches: the framing of xerial's Java library
//!
//! ```text
//! 82 "SNAPPY" 00 │ version i32 │ oldest compatible version i32 │ { block length i32 │ block }…
//! ```
//!
//! and one bare snappy block, as librdkafka and others write it. Written is the framing, which
//! every client reads.

use std::io;

use super::DecodeError;

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const FRAME_HEADER_BYTES: usize = 16;
/// What xerial's library cuts its input into.
const BLOCK_BYTES: usize = 32 * 1024;

pub(super) fn compress(input: &[u8]) -> io::Result<Vec<u8>> {
    let mut output = Vec::with_capacity(FRAME_HEADER_BYTES + input.len() / 2);
    output.extend_from_slice(MAGIC);
    output.extend_from_slice(&1_i32.to_be_bytes());
    output.extend_from_slice(&1_i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).map_err(io::Error::other)?;
        let length = u32::try_from(compressed.len()).map_err(io::Error::other)?;
        output.extend_from_slice(&length.to_be_bytes());
        output.extend_from_slice(&compressed);
    }
    Ok(output)
}

pub(super) fn decompress(input: &[u8], output_bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut output = Vec::new();
    if !input.starts_with(MAGIC) {
        append_block(&mut output, input, output_bytes_max)?;
        return Ok(output);
    }
    let mut rest = input;
    while !rest.is_empty() {
        if rest.starts_with(MAGIC) {
            // streams written one after the other each bring their header
            rest = rest.get(FRAME_HEADER_BYTES..).ok_or(DecodeError::CutShort)?;
            continue;
        }
        let (length, after) = rest.split_first_chunk::<4>().ok_or(DecodeError::CutShort)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let block = after.get(..length).ok_or(DecodeError::CutShort)?;
        append_block(&mut output, block, output_bytes_max)?;
        rest = &after[length..];
    }
    Ok(output)
}

fn append_block(
    output: &mut Vec<u8>,
    block: &[u8],
    output_bytes_max: usize,
) -> Result<(), DecodeError> {
    let claimed = snap::raw::decompress_len(block).map_err(damaged)?;
    if claimed > output_bytes_max - output.len() {
        return Err(DecodeError::TooLarge);
    }
    // the densest element is a copy: 3 bytes that stand for 64, so a larger claim is a lie and
    // is refused before it costs an allocation
    if claimed > block.len().saturating_mul(64) / 3 {
        return Err(DecodeError::CutShort);
    }
    let start = output.len();
    output.resize(start + claimed, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut output[start..]);
    output.truncate(start + written.map_err(damaged)?);
    Ok(())
}

fn damaged(error: snap::Error) -> DecodeError {
    DecodeError::Damaged(io::Error::new(io::ErrorKind::InvalidData, error))
}
