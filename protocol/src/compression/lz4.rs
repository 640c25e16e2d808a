//! An LZ4 frame of independent 64 KiB blocks, as the Java client writes it (it reads no others).

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{DecodeError, read_to_cap};

pub(super) fn compress(input: &[u8]) -> io::Result<Vec<u8>> {
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(input)?;
    encoder.finish().map_err(io::Error::other)
}

pub(super) fn decompress(input: &[u8], output_bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    if input.is_empty() {
        return Err(DecodeError::CutShort);
    }
    read_to_cap(FrameDecoder::new(input), input.len(), output_bytes_max)
}
