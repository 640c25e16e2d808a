//! The bytes of a record that identifies itself.
//!
//! ```text
//! logcheck 3:17 orders-0 ........ 1c291ca3
//!          │    │        │        └ CRC-32 (zlib's) of all before the last blank, in hexadecimal
//!          │    │        └ padding up to the wanted size, may be empty
//!          │    └ the partition that it is meant for
//!          └ process:sequence
//! ```
//!
//! Plain text, so that a client in any language writes it in one line and a person can read it on
//! a console. A record that landed in the wrong partition, or was mixed with another one's bytes,
//! says so.

use crate::value::Value;

const MARK: &str = "logcheck";

/// What a record says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// Who it is.
    pub value: Value,
    /// The name of the partition that it is meant for, without blanks.
    pub key: &'a str,
}

/// Why bytes are not a record that identifies itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not written by [`Payload::encode`], or cut.
    #[error("the record has not the five parts of a self-identifying one")]
    Foreign,
    /// The bytes were changed on their way.
    #[error("the record carries crc {carried:08x}, its bytes have {computed:08x}")]
    Damaged {
        /// What the record says.
        carried: u32,
        /// What its bytes amount to.
        computed: u32,
    },
}

impl<'a> Payload<'a> {
    /// The bytes of the record, padded to `size` bytes if they are fewer.
    pub fn encode(&self, size: usize) -> Vec<u8> {
        let mut text = format!("{MARK} {} {} ", self.value, self.key);
        let padding = size.saturating_sub(text.len() + 9);
        text.extend(std::iter::repeat_n('.', padding));
        let crc = crc32fast::hash(text.as_bytes());
        text.push_str(&format!(" {crc:08x}"));
        text.into_bytes()
    }

    /// What the record says about itself, if it is whole.
    ///
    /// # Errors
    /// Bytes of another origin, and bytes that do not have the CRC that they carry. Reading them
    /// again does not help.
    pub fn decode(bytes: &'a [u8]) -> Result<Payload<'a>, PayloadError> {
        let text = std::str::from_utf8(bytes).map_err(|_| PayloadError::Foreign)?;
        let (signed, crc) = text.rsplit_once(' ').ok_or(PayloadError::Foreign)?;
        let carried = u32::from_str_radix(crc, 16).map_err(|_| PayloadError::Foreign)?;
        let computed = crc32fast::hash(signed.as_bytes());
        if carried != computed || crc.len() != 8 {
            return Err(PayloadError::Damaged { carried, computed });
        }
        let mut parts = signed.split(' ');
        let (mark, value, key) = (parts.next(), parts.next(), parts.next());
        let (Some(MARK), Some(value), Some(key)) = (mark, value, key) else {
            return Err(PayloadError::Foreign);
        };
        let value = value.parse().map_err(|_| PayloadError::Foreign)?;
        Ok(Payload { value, key })
    }
}

#[cfg(test)]
mod tests {
    //! A record on its way. Were damage not noticed, a mixed record would pass for another one.

    use super::*;

    fn payload() -> Payload<'static> {
        Payload { value: Value::new(3, 17), key: "orders-0" }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        for size in [0, 32, 33, 1000] {
            let bytes = payload().encode(size);
            assert_eq!(Payload::decode(&bytes), Ok(payload()));
            assert_eq!(bytes.len(), size.max(32), "padded to the wanted size");
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let bytes = payload().encode(60);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if changed.eq_ignore_ascii_case(&bytes) {
                continue; // a hexadecimal digit in capitals is the same digit
            }
            assert!(Payload::decode(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn foreign_and_cut_bytes_are_refused() {
        assert_eq!(Payload::decode(b""), Err(PayloadError::Foreign));
        assert_eq!(Payload::decode(b"hello"), Err(PayloadError::Foreign));
        assert_eq!(Payload::decode(&[0xff; 40]), Err(PayloadError::Foreign));
        let bytes = payload().encode(60);
        for length in 0..bytes.len() {
            assert!(Payload::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }
}
