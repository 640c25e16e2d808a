//! Reading: a cursor over one frame.

use bytes::Bytes;

use super::field::{Field, Layout, Nullable};
use super::{DecodeError, DecodeProblem};

/// What an array may reserve before its elements have been read, in bytes of memory. Beyond it an
/// array grows as its elements really come.
pub const RESERVED_BYTES_MAX: usize = 64 * 1024;

/// A cursor over the bytes of one frame. Byte strings, records and strings are slices of it: they
/// share its memory and keep it alive.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes: Bytes,
    position: usize,
    end: usize,
}

impl Decoder {
    /// A decoder at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let end = bytes.len();
        Self { bytes, position: 0, end }
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes left to read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// The bytes left to read, unread.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        self.bytes.slice(self.position..self.end)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeProblem::TrailingBytes`] if bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(self.error(DecodeProblem::TrailingBytes { remaining })),
        }
    }

    /// An error at the current position.
    #[must_use]
    pub const fn error(&self, problem: DecodeProblem) -> DecodeError {
        DecodeError { position: self.position, problem }
    }

    /// The next `length` bytes, as a slice of the frame.
    ///
    /// # Errors
    /// [`DecodeProblem::Truncated`].
    pub fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let start = self.position;
        self.skip(length)?;
        Ok(self.bytes.slice(start..self.position))
    }

    /// Passes over the next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeProblem::Truncated`].
    pub fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if length > remaining {
            return Err(self.error(DecodeProblem::Truncated { needed: length, remaining }));
        }
        self.position += length;
        Ok(())
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let start = self.position;
        self.skip(N)?;
        let mut value = [0; N];
        value.copy_from_slice(&self.bytes[start..self.position]);
        Ok(value)
    }

    /// An unsigned varint of at most five bytes and 32 bits.
    ///
    /// # Errors
    /// [`DecodeProblem::Truncated`] or [`DecodeProblem::VarintOverflow`].
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let value = self.varint_bits(32)?;
        u32::try_from(value).map_err(|_| self.error(DecodeProblem::VarintOverflow { bits: 32 }))
    }

    /// A zigzag varint of at most five bytes and 32 bits.
    ///
    /// # Errors
    /// [`DecodeProblem::Truncated`] or [`DecodeProblem::VarintOverflow`].
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let bits = self.unsigned_varint()?;
        Ok((bits >> 1) as i32 ^ -((bits & 1) as i32))
    }

    /// A zigzag varint of at most ten bytes and 64 bits.
    ///
    /// # Errors
    /// [`DecodeProblem::Truncated`] or [`DecodeProblem::VarintOverflow`].
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let bits = self.varint_bits(64)?;
        Ok((bits >> 1) as i64 ^ -((bits & 1) as i64))
    }

    /// Seven bits a byte, the lowest first; the last byte may not carry bits beyond `bits`.
    fn varint_bits(&mut self, bits: u32) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        let mut shift = 0;
        while shift < bits {
            let [byte] = self.fixed::<1>()?;
            let low = u64::from(byte & 0x7f);
            if shift + 7 > bits && low >> (bits - shift) != 0 {
                break;
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
        Err(self.error(DecodeProblem::VarintOverflow { bits }))
    }

    /// The length of a string, or `None` for null: 16 bits, or compact as one more than itself.
    pub(super) fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            return self.compact_length();
        }
        let length = self.i16()?;
        self.checked_length(i32::from(length))
    }

    /// The length of bytes, records or an array, or `None` for null: 32 bits, or compact.
    pub(super) fn length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            return self.compact_length();
        }
        let length = self.i32()?;
        self.checked_length(length)
    }

    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize))
    }

    fn checked_length(&self, length: i32) -> Result<Option<usize>, DecodeError> {
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.error(DecodeProblem::NegativeLength { length })),
        }
    }

    /// Refuses a count of elements that the rest of the frame cannot hold.
    pub(super) fn check_count(
        &self,
        count: usize,
        element_bytes_min: usize,
    ) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if count.checked_mul(element_bytes_min).is_some_and(|needed| needed <= remaining) {
            return Ok(());
        }
        Err(self.error(DecodeProblem::ArrayTooLong { count, element_bytes_min, remaining }))
    }

    /// The value of a field.
    pub(crate) fn field<T: Field>(&mut self, layout: Layout) -> Result<T, DecodeError> {
        T::read(self, layout)
    }

    /// The value of a field that may be null in some versions, in one in which it may if `allowed`.
    pub(crate) fn nullable<T: Nullable>(
        &mut self,
        layout: Layout,
        allowed: bool,
    ) -> Result<Option<T>, DecodeError> {
        match T::read_nullable(self, layout)? {
            None if !allowed => Err(self.error(DecodeProblem::Null)),
            value => Ok(value),
        }
    }

    /// The tagged fields at the end of a struct. `known` reads the value of a tag it knows and
    /// says so; every other is passed over.
    pub(crate) fn tagged_fields(
        &mut self,
        layout: Layout,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !layout.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()? as usize;
        // a tag and a size, a byte each
        self.check_count(count, 2)?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if let Some(previous) = previous.filter(|previous| tag <= *previous) {
                return Err(self.error(DecodeProblem::TagOrder { previous, tag }));
            }
            previous = Some(tag);
            self.tagged_field(tag, &mut known)?;
        }
        Ok(())
    }

    /// The tagged fields at the end of a struct that has none of its own.
    pub(crate) fn skip_tagged_fields(&mut self, layout: Layout) -> Result<(), DecodeError> {
        self.tagged_fields(layout, |_, _| Ok(false))
    }

    fn tagged_field(
        &mut self,
        tag: u32,
        known: &mut impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let size = self.unsigned_varint()? as usize;
        let start = self.position;
        self.skip(size)?;
        let (field_end, frame_end) = (self.position, self.end);
        (self.position, self.end) = (start, field_end);
        // after an error nobody reads on, so the end need not be put back
        if !known(tag, self)? {
            self.position = field_end;
        }
        match self.remaining() {
            0 => self.end = frame_end,
            unread => return Err(self.error(DecodeProblem::TagSize { tag, unread })),
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($name:ident $meaning:literal,)*) => {
        impl Decoder {
            $(
                #[doc = $meaning]
                ///
                /// # Errors
                /// [`DecodeProblem::Truncated`].
                pub fn $name(&mut self) -> Result<$name, DecodeError> {
                    Ok($name::from_be_bytes(self.fixed()?))
                }
            )*
        }
    };
}

numbers! {
    i8 "An INT8.",
    i16 "An INT16, big-endian.",
    i32 "An INT32, big-endian.",
    i64 "An INT64, big-endian.",
    u16 "A UINT16, big-endian.",
    u32 "A UINT32, big-endian.",
    f64 "A FLOAT64, big-endian.",
    u128 "The 16 bytes of a UUID, big-endian.",
}
