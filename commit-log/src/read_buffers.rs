//! Memory for reads, used again: fresh memory costs a page fault for every 4 KiB, many times the
//! copy itself.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers of these sizes are kept; smaller reads use plain memory, larger ones too.
const SIZES: [usize; 2] = [128 << 10, 1 << 20];
/// Up to here an allocation of its own is cheaper than lending a large buffer.
const PLAIN_BYTES_MAX: usize = 16 << 10;

/// The buffers of a process that wait for their next use.
pub(crate) struct ReadBuffers {
    /// At most this many bytes of each size are kept.
    kept_bytes_max: usize,
    kept: [Mutex<Vec<Vec<u8>>>; SIZES.len()],
}

impl fmt::Debug for ReadBuffers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReadBuffers").field("kept_bytes_max", &self.kept_bytes_max).finish()
    }
}

impl ReadBuffers {
    /// At most `bytes_max` bytes are kept for the next reads; what is lent is the readers'.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        let kept_bytes_max = bytes_max / SIZES.len();
        Arc::new(Self { kept_bytes_max, kept: Default::default() })
    }

    /// A buffer of exactly `bytes` bytes with any contents.
    pub(crate) fn lend(self: &Arc<Self>, bytes: usize) -> ReadBuffer {
        let size = SIZES.iter().position(|size| bytes <= *size && bytes > PLAIN_BYTES_MAX);
        let Some(size) = size else {
            return ReadBuffer { memory: vec![0; bytes], bytes, home: None };
        };
        let kept = self.kept(size).and_then(|mut kept| kept.pop());
        let memory = kept.unwrap_or_else(|| vec![0; SIZES.get(size).copied().unwrap_or(bytes)]);
        ReadBuffer { memory, bytes, home: Some((Arc::clone(self), size)) }
    }

    fn kept(&self, size: usize) -> Option<std::sync::MutexGuard<'_, Vec<Vec<u8>>>> {
        Some(self.kept.get(size)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_back(&self, size: usize, memory: Vec<u8>) {
        let Some(mut kept) = self.kept(size) else { return };
        if (kept.len() + 1) * memory.len() <= self.kept_bytes_max {
            kept.push(memory);
        }
    }
}

/// A buffer lent; it goes back when the last [`Bytes`] of it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    memory: Vec<u8>,
    /// How many of its bytes are asked for.
    bytes: usize,
    home: Option<(Arc<ReadBuffers>, usize)>,
}

impl ReadBuffer {
    /// The bytes to read into.
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        let bytes = self.bytes.min(self.memory.len());
        &mut self.memory[..bytes]
    }

    /// Takes note that fewer bytes were read than asked for.
    pub(crate) fn shorten(&mut self, bytes: usize) {
        self.bytes = self.bytes.min(bytes);
    }

    /// A part of what was read, without a copy.
    pub(crate) fn into_bytes(mut self, range: Range<usize>) -> Bytes {
        if self.home.is_none() {
            return Bytes::from(std::mem::take(&mut self.memory)).slice(range);
        }
        // a small part must not hold on to a large buffer
        if range.len() <= PLAIN_BYTES_MAX {
            return Bytes::copy_from_slice(&self.memory[range]);
        }
        Bytes::from_owner(self).slice(range)
    }
}

impl AsRef<[u8]> for ReadBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.bytes.min(self.memory.len())]
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        if let Some((home, size)) = self.home.take() {
            home.take_back(size, std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(buffers: &ReadBuffers) -> [usize; 2] {
        [0, 1].map(|size| buffers.kept(size).unwrap().len())
    }

    #[test]
    fn a_buffer_goes_back_when_its_last_bytes_are_dropped() {
        let buffers = ReadBuffers::new(4 << 20);
        let mut buffer = buffers.lend(100 << 10);
        assert_eq!(buffer.as_mut().len(), 100 << 10);
        buffer.as_mut().fill(7);
        let bytes = buffer.into_bytes(10..50 << 10);
        let part = bytes.slice(5..6);
        drop(bytes);
        assert_eq!(kept(&buffers), [0, 0]);
        assert_eq!(&part[..], [7]);
        drop(part);
        assert_eq!(kept(&buffers), [1, 0]);
    }

    #[test]
    fn what_is_kept_is_bounded_and_odd_sizes_are_not_kept() {
        let buffers = ReadBuffers::new(4 << 20);
        let lent: Vec<_> = (0..5).map(|_| buffers.lend(1 << 20)).collect();
        let others = [buffers.lend(10), buffers.lend((1 << 20) + 1)];
        assert_eq!(others[1].as_ref().len(), (1 << 20) + 1);
        drop((lent, others));
        assert_eq!(kept(&buffers), [0, 2]);
    }
}
