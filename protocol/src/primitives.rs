//! The primitive encodings of the wire: numbers, varints, strings, byte strings, arrays, tagged
//! fields (source: the "Protocol Primitive Types" of Kafka's protocol page, KIP-482).
//!
//! Nothing read here is trusted. Every length is compared with the bytes that remain before it is
//! used, so a frame of n bytes never makes the decoder reserve more than [`RESERVED_BYTES_MAX`]
//! ahead of what it has really read.

mod decode_error;
mod decoder;
mod encode_error;
mod encoder;
mod field;
mod wire_string;

pub use decode_error::{DecodeError, DecodeProblem};
pub use decoder::{Decoder, RESERVED_BYTES_MAX};
pub use encode_error::EncodeError;
pub use encoder::{Encoded, Encoder, PAYLOAD_BYTES_MIN};
pub(crate) use encoder::{TaggedFields, absent};
pub(crate) use field::{Field, Layout, Nullable, read_nullable_struct, write_nullable_struct};
pub use wire_string::WireString;

/// The longest string of the wire, in bytes, in the old encoding and the compact one alike.
pub const STRING_BYTES_MAX: usize = 32_767;

/// How many times larger than its least size on the wire an element of an array may be in memory;
/// the compiler checks it for every array. A frame of n bytes thus becomes at most about 2 × 48 × n
/// bytes of structs, the 2 being the growth of an array.
pub const AMPLIFICATION_MAX: usize = 48;

#[cfg(test)]
mod tests;
