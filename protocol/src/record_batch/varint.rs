//! The signed variable-length integers of records: zigzag, seven bits a byte, lowest first.

/// The longest encoding of a 32-bit number.
pub(crate) const BYTES_MAX_32: usize = 5;
/// The longest encoding of a 64-bit number.
pub(crate) const BYTES_MAX_64: usize = 10;

/// Reads a number of at most `bytes_max` bytes from the start of `bytes`; gives the raw bits and
/// the bytes read. `None` where the bytes end first, or the number does not.
fn read_raw(bytes: &[u8], bytes_max: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(bytes_max).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * index);
        if shifted >> (7 * index) != bits {
            return None;
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// A 32-bit number and its length in bytes; `None` if cut short, longer than five bytes, or
/// beyond 32 bits.
pub(crate) fn read_32(bytes: &[u8]) -> Option<(i32, usize)> {
    let (raw, length) = read_raw(bytes, BYTES_MAX_32)?;
    let raw = u32::try_from(raw).ok()?;
    Some(((raw >> 1) as i32 ^ -((raw & 1) as i32), length))
}

/// A 64-bit number and its length in bytes; `None` if cut short, longer than ten bytes, or
/// beyond 64 bits.
pub(crate) fn read_64(bytes: &[u8]) -> Option<(i64, usize)> {
    let (raw, length) = read_raw(bytes, BYTES_MAX_64)?;
    Some(((raw >> 1) as i64 ^ -((raw & 1) as i64), length))
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends a number. The 32-bit and the 64-bit form of a value are the same bytes.
pub(crate) fn write(output: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        output.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    output.push(rest as u8);
}

/// How many bytes [`write`] appends.
pub(crate) const fn length(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    let bits = 64 - (raw | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::{length, read_32, read_64, write};

    #[test]
    fn every_magnitude_is_read_as_written() {
        for shift in 0..64 {
            for value in [1_i64 << shift, (1_i64 << shift).wrapping_sub(1), -(1_i64 << (shift / 2))]
            {
                let mut bytes = Vec::new();
                write(&mut bytes, value);
                assert_eq!(bytes.len(), length(value), "{value}");
                assert_eq!(read_64(&bytes), Some((value, bytes.len())));
                let narrow = i32::try_from(value).ok().map(|value| (value, bytes.len()));
                assert_eq!(read_32(&bytes), narrow);
            }
        }
    }

    #[test]
    fn numbers_cut_short_or_too_long_are_refused() {
        assert_eq!(read_32(&[]), None);
        assert_eq!(read_32(&[0x80, 0x80]), None);
        assert_eq!(read_32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None);
        assert_eq!(read_32(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None, "33 bits");
        assert_eq!(read_64(&[0xff; 11]), None);
        let mut beyond = [0xff; 10];
        beyond[9] = 0x02;
        assert_eq!(read_64(&beyond), None, "65 bits");
    }
}
