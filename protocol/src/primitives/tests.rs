//! The primitives at their limits. If this breaks, one frame of a few bytes can take a broker's
//! memory, or a length is read wrongly and all that follows with it.

use bytes::Bytes;
use proptest::prelude::{any, proptest};

use super::field::reserved;
use super::{
    DecodeError, DecodeProblem, Decoder, EncodeError, Encoder, Field, Layout, PAYLOAD_BYTES_MIN,
    RESERVED_BYTES_MAX, STRING_BYTES_MAX, TaggedFields, WireString,
};

const OLD: Layout = Layout { version: 0, flexible: false };
const COMPACT: Layout = Layout { version: 9, flexible: true };

fn read<T: Field>(bytes: &[u8], layout: Layout) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(Bytes::copy_from_slice(bytes));
    let value = T::read(&mut decoder, layout)?;
    decoder.finish()?;
    Ok(value)
}

fn problem<T: Field + std::fmt::Debug>(bytes: &[u8], layout: Layout) -> DecodeProblem {
    read::<T>(bytes, layout).unwrap_err().problem
}

fn written<T: Field>(value: &T, layout: Layout) -> Vec<u8> {
    let mut encoder = Encoder::new();
    value.write(&mut encoder, layout).unwrap();
    encoder.finish().into_bytes().to_vec()
}

fn varint(bytes: &[u8]) -> Result<u32, DecodeProblem> {
    Decoder::new(Bytes::copy_from_slice(bytes)).unsigned_varint().map_err(|error| error.problem)
}

proptest! {
    #[test]
    fn varints_come_back(unsigned in any::<u32>(), signed in any::<i32>(), long in any::<i64>()) {
        let mut encoder = Encoder::new();
        encoder.put_unsigned_varint(unsigned);
        encoder.put_varint(signed);
        encoder.put_varlong(long);
        let mut decoder = Decoder::new(encoder.finish().into_bytes());
        assert_eq!(decoder.unsigned_varint(), Ok(unsigned));
        assert_eq!(decoder.varint(), Ok(signed));
        assert_eq!(decoder.varlong(), Ok(long));
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn strings_come_back(text in ".{0,300}", flexible in any::<bool>()) {
        let layout = Layout { flexible, ..OLD };
        let text = WireString::from(text);
        assert_eq!(read::<WireString>(&written(&text, layout), layout), Ok(text));
    }

    #[test]
    fn chunks_are_what_was_put(sizes in proptest::collection::vec(0..1500usize, 0..8)) {
        let mut encoder = Encoder::new();
        let mut whole = Vec::new();
        for (number, size) in sizes.into_iter().enumerate() {
            let payload = vec![number as u8; size];
            encoder.put(&Bytes::from(payload.clone()));
            whole.extend(payload);
        }
        let encoded = encoder.finish();
        assert!(encoded.chunks.iter().all(|chunk| !chunk.is_empty()));
        assert_eq!(encoded.length, whole.len());
        assert_eq!(encoded.into_bytes(), whole);
    }
}

#[test]
fn varints_have_at_most_five_bytes_and_32_bits() {
    assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    let overflow = DecodeProblem::VarintOverflow { bits: 32 };
    assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x10]), Err(overflow.clone()));
    assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), Err(overflow));
    assert_eq!(varint(&[0x80]), Err(DecodeProblem::Truncated { needed: 1, remaining: 0 }));
}

#[test]
fn varlongs_have_at_most_ten_bytes_and_64_bits() {
    let read = |last: u8| {
        let mut bytes = vec![0xff; 9];
        bytes.push(last);
        Decoder::new(Bytes::from(bytes)).varlong().map_err(|error| error.problem)
    };
    assert_eq!(read(0x01), Ok(i64::MIN));
    let overflow = Err(DecodeProblem::VarintOverflow { bits: 64 });
    assert_eq!(read(0x02), overflow);
    assert_eq!(read(0x81), overflow);
}

#[test]
fn zigzag_puts_small_negatives_first() {
    let bytes = |value| {
        let mut encoder = Encoder::new();
        encoder.put_varint(value);
        encoder.finish().into_bytes().to_vec()
    };
    assert_eq!([bytes(0), bytes(-1), bytes(1), bytes(-64)], [[0], [1], [2], [127]]);
}

#[test]
fn null_is_told_from_empty_in_both_encodings() {
    assert_eq!(written(&Some(WireString::EMPTY), OLD), [0, 0]);
    assert_eq!(written(&None::<WireString>, OLD), [0xff, 0xff]);
    assert_eq!(written(&Some(WireString::EMPTY), COMPACT), [1]);
    assert_eq!(written(&None::<WireString>, COMPACT), [0]);
    assert_eq!(written(&Some(Bytes::new()), OLD), [0, 0, 0, 0]);
    assert_eq!(written(&None::<Bytes>, OLD), [0xff; 4]);
    assert_eq!(problem::<WireString>(&[0xff, 0xff], OLD), DecodeProblem::Null);
    assert_eq!(problem::<Bytes>(&[0], COMPACT), DecodeProblem::Null);
    assert_eq!(problem::<Vec<i32>>(&[0xff; 4], OLD), DecodeProblem::Null);
}

#[test]
fn lengths_below_null_are_refused() {
    let negative = |length| DecodeProblem::NegativeLength { length };
    assert_eq!(problem::<WireString>(&[0x80, 0], OLD), negative(-32_768));
    assert_eq!(problem::<Bytes>(&[0x80, 0, 0, 0], OLD), negative(i32::MIN));
    assert_eq!(problem::<Vec<i8>>(&[0xff, 0xff, 0xff, 0xfe], OLD), negative(-2));
}

#[test]
fn strings_end_at_32767_bytes_in_both_encodings() {
    let longest = WireString::from("a".repeat(STRING_BYTES_MAX));
    for layout in [OLD, COMPACT] {
        assert_eq!(read::<WireString>(&written(&longest, layout), layout), Ok(longest.clone()));
    }
    let length = STRING_BYTES_MAX + 1;
    let longer = WireString::from("a".repeat(length));
    let refused = longer.write(&mut Encoder::new(), COMPACT).unwrap_err();
    assert_eq!(refused, EncodeError::StringTooLong { length });
    // 32769 as a varint, one more than the length
    let mut bytes = vec![0x81, 0x80, 0x02];
    bytes.resize(bytes.len() + length, b'a');
    assert_eq!(problem::<WireString>(&bytes, COMPACT), DecodeProblem::StringTooLong { length });
}

#[test]
fn strings_are_utf_8() {
    assert_eq!(problem::<WireString>(&[0, 2, 0xc3, 0x28], OLD), DecodeProblem::NotUtf8);
}

#[test]
fn arrays_longer_than_the_frame_are_refused_before_anything_is_reserved() {
    let too_long = |count, element_bytes_min, remaining| DecodeProblem::ArrayTooLong {
        count,
        element_bytes_min,
        remaining,
    };
    let largest = [0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4];
    assert_eq!(problem::<Vec<i32>>(&largest, OLD), too_long(i32::MAX as usize, 4, 4));
    let compact = [0xff, 0xff, 0xff, 0xff, 0x0f, 1];
    assert_eq!(problem::<Vec<Bytes>>(&compact, COMPACT), too_long(u32::MAX as usize - 1, 1, 1));
    assert_eq!(problem::<Vec<i64>>(&[0, 0, 0, 2, 0], OLD), too_long(2, 8, 1));
}

#[test]
fn an_array_reserves_no_more_than_its_bound_ahead_of_its_elements() {
    for count in [0, 1, 100, 1 << 20, usize::MAX] {
        assert!(reserved::<WireString>(count) * size_of::<WireString>() <= RESERVED_BYTES_MAX);
        assert!(reserved::<WireString>(count) <= count);
    }
    let few = read::<Vec<i64>>(&[&[0, 0, 0, 2][..], &[0; 16]].concat(), OLD).unwrap();
    assert_eq!(few.capacity(), 2, "what surely comes is reserved at once");
    let mut bytes = vec![0; 4 + (1 << 20)];
    bytes[1] = 0x10;
    let many = read::<Vec<i8>>(&bytes, OLD).unwrap();
    assert_eq!(many.len(), 1 << 20);
    assert!(many.capacity() <= 2 << 20, "{} elements of room", many.capacity());
}

#[test]
fn tags_ascend_without_duplicates_and_keep_their_size() {
    let tagged = |bytes: &[u8]| {
        let mut decoder = Decoder::new(Bytes::copy_from_slice(bytes));
        let mut seen = Vec::new();
        let end = decoder.tagged_fields(COMPACT, |tag, decoder| {
            if tag == 5 {
                seen.push(decoder.i16()?);
            }
            Ok(tag == 5)
        });
        end.and_then(|()| decoder.finish()).map(|()| seen).map_err(|error| error.problem)
    };
    assert_eq!(tagged(&[0]), Ok(vec![]));
    assert_eq!(tagged(&[2, 1, 3, 9, 9, 9, 5, 2, 0, 7]), Ok(vec![7]));
    let order = |previous, tag| Err(DecodeProblem::TagOrder { previous, tag });
    assert_eq!(tagged(&[2, 1, 0, 1, 0]), order(1, 1));
    assert_eq!(tagged(&[2, 1, 0, 0, 0]), order(1, 0));
    assert_eq!(tagged(&[1, 5, 3, 0, 7, 0]), Err(DecodeProblem::TagSize { tag: 5, unread: 1 }));
    // the value may not read beyond its stated size, even where the frame goes on
    let truncated = |needed, remaining| Err(DecodeProblem::Truncated { needed, remaining });
    assert_eq!(tagged(&[1, 5, 1, 0, 7]), truncated(2, 1));
    assert_eq!(tagged(&[1, 5, 9, 0, 7]), truncated(9, 2));
    let many = DecodeProblem::ArrayTooLong { count: 100, element_bytes_min: 2, remaining: 2 };
    assert_eq!(tagged(&[100, 0, 0]), Err(many));
}

#[test]
fn tagged_fields_are_counted_and_sized_when_written() {
    let mut tagged = TaggedFields::new(COMPACT);
    let large = Bytes::from(vec![1; PAYLOAD_BYTES_MIN]);
    tagged.add(0, &7i16).unwrap();
    tagged.add(3, &large).unwrap();
    let mut encoder = Encoder::new();
    encoder.put_i8(9);
    encoder.tagged_fields(tagged);
    let encoded = encoder.finish();
    assert_eq!(encoded.chunks.len(), 2);
    assert_eq!(encoded.chunks[1].as_ptr(), large.as_ptr());
    // count, then tag, size, value; the second value is 512 bytes and their length in two
    assert_eq!(&encoded.chunks[0][..], [9, 2, 0, 2, 0, 7, 3, 0x82, 4, 0x81, 4]);
}
