//! Writing: small values into one buffer, large payloads beside it.

use bytes::{BufMut, Bytes, BytesMut};

use super::field::{Field, Layout, Nullable};
use super::{EncodeError, STRING_BYTES_MAX};

/// From this size on, in bytes, a payload is handed on as it is instead of being copied.
pub const PAYLOAD_BYTES_MIN: usize = 512;

/// The bytes of an encoded message, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The pieces, none of them empty, for a vectored write.
    pub chunks: Vec<Bytes>,
    /// Their bytes together.
    pub length: usize,
}

impl Encoded {
    /// All of it in one piece; copies unless there is only one chunk.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.len() <= 1 {
            return self.chunks.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.length);
        self.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze()
    }
}

/// Collects the bytes of a message. Small values share one buffer; a payload of at least
/// [`PAYLOAD_BYTES_MIN`] is only noted with its place, and never copied.
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: BytesMut,
    /// Where in `buffer` each payload belongs, ascending.
    payloads: Vec<(usize, Bytes)>,
    payload_bytes: usize,
}

impl Encoder {
    /// An encoder without a byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes so far, payloads included.
    #[must_use]
    pub fn length(&self) -> usize {
        self.buffer.len() + self.payload_bytes
    }

    /// The pieces in order.
    #[must_use]
    pub fn finish(mut self) -> Encoded {
        let length = self.length();
        let mut chunks = Vec::with_capacity(2 * self.payloads.len() + 1);
        let mut taken = 0;
        for (place, payload) in self.payloads {
            if place > taken {
                chunks.push(self.buffer.split_to(place - taken).freeze());
                taken = place;
            }
            chunks.push(payload);
        }
        if !self.buffer.is_empty() {
            chunks.push(self.buffer.freeze());
        }
        Encoded { chunks, length }
    }

    /// Bytes as they are, copied if they are few.
    pub fn put(&mut self, bytes: &Bytes) {
        if bytes.len() < PAYLOAD_BYTES_MIN {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.payload_bytes += bytes.len();
            self.payloads.push((self.buffer.len(), bytes.clone()));
        }
    }

    /// Overwrites four of the first bytes, which are never a payload's.
    pub(crate) fn patch_u32(&mut self, at: usize, value: u32) {
        self.buffer[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// An unsigned varint of at most five bytes.
    pub fn put_unsigned_varint(&mut self, value: u32) {
        self.put_varint_bits(u64::from(value));
    }

    /// A zigzag varint of at most five bytes.
    pub fn put_varint(&mut self, value: i32) {
        self.put_unsigned_varint((value << 1 ^ value >> 31) as u32);
    }

    /// A zigzag varint of at most ten bytes.
    pub fn put_varlong(&mut self, value: i64) {
        self.put_varint_bits((value << 1 ^ value >> 63) as u64);
    }

    fn put_varint_bits(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// The length of a string, or null.
    pub(super) fn put_string_length(
        &mut self,
        length: Option<usize>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if let Some(length) = length.filter(|length| *length > STRING_BYTES_MAX) {
            return Err(EncodeError::StringTooLong { length });
        }
        if flexible {
            return self.put_length(length, true);
        }
        self.put_i16(length.map_or(-1, |length| length as i16));
        Ok(())
    }

    /// The length of bytes, records or an array, or null.
    pub(super) fn put_length(
        &mut self,
        length: Option<usize>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let length =
            length.map(|length| i32::try_from(length).map_err(|_| EncodeError::TooLong { length }));
        let length = length.transpose()?.unwrap_or(-1);
        if flexible {
            self.put_unsigned_varint(length.wrapping_add(1) as u32);
        } else {
            self.put_i32(length);
        }
        Ok(())
    }

    /// The value of a field.
    pub(crate) fn field<T: Field>(&mut self, value: &T, layout: Layout) -> Result<(), EncodeError> {
        value.write(self, layout)
    }

    /// The value of a field that may be null in some versions, in one in which it may if `allowed`.
    pub(crate) fn nullable<T: Nullable>(
        &mut self,
        value: &Option<T>,
        layout: Layout,
        allowed: bool,
        field: &'static str,
    ) -> Result<(), EncodeError> {
        if value.is_none() && !allowed {
            return Err(EncodeError::Null { field, version: layout.version });
        }
        T::write_nullable(value.as_ref(), self, layout)
    }

    /// The tagged fields at the end of a struct; nothing where the version has none.
    pub(crate) fn tagged_fields(&mut self, fields: TaggedFields) {
        if fields.layout.flexible {
            self.put_unsigned_varint(fields.count);
            self.append(fields.content);
        }
    }

    /// The tagged fields at the end of a struct that has none of its own.
    pub(crate) fn no_tagged_fields(&mut self, layout: Layout) {
        if layout.flexible {
            self.put_unsigned_varint(0);
        }
    }

    fn append(&mut self, other: Self) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&other.buffer);
        self.payload_bytes += other.payload_bytes;
        self.payloads.extend(other.payloads.into_iter().map(|(place, p)| (start + place, p)));
    }
}

/// The tagged fields of one struct, collected before they are written because their number comes
/// first.
pub(crate) struct TaggedFields {
    layout: Layout,
    count: u32,
    content: Encoder,
}

impl TaggedFields {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, count: 0, content: Encoder::new() }
    }

    /// A field with a value worth sending. Tags are added in ascending order.
    pub(crate) fn add<T: Field>(&mut self, tag: u32, value: &T) -> Result<(), EncodeError> {
        let mut field = Encoder::new();
        value.write(&mut field, self.layout)?;
        let length = field.length();
        let size = i32::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
        self.count += 1;
        self.content.put_unsigned_varint(tag);
        self.content.put_unsigned_varint(size as u32);
        self.content.append(field);
        Ok(())
    }
}

/// Lets a field that the version does not have pass if it says nothing.
pub(crate) fn absent(
    says_nothing: bool,
    field: &'static str,
    layout: Layout,
) -> Result<(), EncodeError> {
    if says_nothing {
        return Ok(());
    }
    Err(EncodeError::FieldNotInVersion { field, version: layout.version })
}

macro_rules! numbers {
    ($($put:ident $number:ty, $meaning:literal;)*) => {
        impl Encoder {
            $(
                #[doc = $meaning]
                pub fn $put(&mut self, value: $number) {
                    self.buffer.extend_from_slice(&value.to_be_bytes());
                }
            )*
        }
    };
}

numbers! {
    put_i8 i8, "An INT8.";
    put_i16 i16, "An INT16, big-endian.";
    put_i32 i32, "An INT32, big-endian.";
    put_i64 i64, "An INT64, big-endian.";
    put_u16 u16, "A UINT16, big-endian.";
    put_u32 u32, "A UINT32, big-endian.";
    put_f64 f64, "A FLOAT64, big-endian.";
    put_u128 u128, "The 16 bytes of a UUID, big-endian.";
}
