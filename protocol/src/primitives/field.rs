//! What every type of a field has in common, so that generated code is a list of fields.

use bytes::Bytes;
use uuid::Uuid;

use super::{
    AMPLIFICATION_MAX, DecodeError, DecodeProblem, Decoder, EncodeError, Encoder,
    RESERVED_BYTES_MAX, STRING_BYTES_MAX, WireString,
};
use crate::TopicId;
use crate::message::Message;

/// How a message is laid out in one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) version: i16,
    /// Whether lengths are compact and structs end in tagged fields (KIP-482).
    pub(crate) flexible: bool,
}

impl Layout {
    pub(crate) fn for_decoding<M: Message>(
        decoder: &Decoder,
        version: i16,
    ) -> Result<Self, DecodeError> {
        let versions = M::VERSIONS;
        if versions.contains(version) {
            return Ok(Self::of::<M>(version));
        }
        Err(decoder.error(DecodeProblem::Version { version, versions }))
    }

    pub(crate) fn for_encoding<M: Message>(version: i16) -> Result<Self, EncodeError> {
        let versions = M::VERSIONS;
        if versions.contains(version) {
            return Ok(Self::of::<M>(version));
        }
        Err(EncodeError::Version { version, versions })
    }

    fn of<M: Message>(version: i16) -> Self {
        Self { version, flexible: M::FLEXIBLE_FROM.is_some_and(|first| version >= first) }
    }

    /// The same version in the old encoding.
    pub(crate) const fn inflexible(self) -> Self {
        Self { version: self.version, flexible: false }
    }
}

/// The type of a field.
pub(crate) trait Field: Sized {
    /// The least that a value takes on the wire in any version, in bytes; never 0, so that an
    /// array's count is bounded by the bytes that hold it.
    const BYTES_MIN: usize;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError>;

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError>;
}

/// The type of a field that may be null.
pub(crate) trait Nullable: Sized {
    fn read_nullable(decoder: &mut Decoder, layout: Layout) -> Result<Option<Self>, DecodeError>;

    fn write_nullable(
        value: Option<&Self>,
        encoder: &mut Encoder,
        layout: Layout,
    ) -> Result<(), EncodeError>;
}

macro_rules! numbers {
    ($($number:ident $put:ident,)*) => {
        $(
            impl Field for $number {
                const BYTES_MIN: usize = size_of::<Self>();

                fn read(decoder: &mut Decoder, _: Layout) -> Result<Self, DecodeError> {
                    decoder.$number()
                }

                fn write(&self, encoder: &mut Encoder, _: Layout) -> Result<(), EncodeError> {
                    encoder.$put(*self);
                    Ok(())
                }
            }
        )*
    };
}

numbers! {
    i8 put_i8,
    i16 put_i16,
    i32 put_i32,
    i64 put_i64,
    u16 put_u16,
    u32 put_u32,
    f64 put_f64,
}

impl Field for bool {
    const BYTES_MIN: usize = 1;

    /// Everything but 0 is true, as in Kafka.
    fn read(decoder: &mut Decoder, _: Layout) -> Result<Self, DecodeError> {
        Ok(decoder.i8()? != 0)
    }

    fn write(&self, encoder: &mut Encoder, _: Layout) -> Result<(), EncodeError> {
        encoder.put_i8(i8::from(*self));
        Ok(())
    }
}

impl Field for TopicId {
    const BYTES_MIN: usize = 16;

    fn read(decoder: &mut Decoder, _: Layout) -> Result<Self, DecodeError> {
        Ok(Self(Uuid::from_u128(decoder.u128()?)))
    }

    fn write(&self, encoder: &mut Encoder, _: Layout) -> Result<(), EncodeError> {
        encoder.put_u128(self.0.as_u128());
        Ok(())
    }
}

impl Nullable for WireString {
    fn read_nullable(decoder: &mut Decoder, layout: Layout) -> Result<Option<Self>, DecodeError> {
        let Some(length) = decoder.string_length(layout.flexible)? else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(decoder.error(DecodeProblem::StringTooLong { length }));
        }
        let bytes = decoder.take(length)?;
        let text = Self::from_utf8(bytes);
        Ok(Some(text.map_err(|_| decoder.error(DecodeProblem::NotUtf8))?))
    }

    fn write_nullable(
        value: Option<&Self>,
        encoder: &mut Encoder,
        layout: Layout,
    ) -> Result<(), EncodeError> {
        encoder.put_string_length(value.map(|text| text.len()), layout.flexible)?;
        value.into_iter().for_each(|text| encoder.put(text.as_bytes()));
        Ok(())
    }
}

impl Nullable for Bytes {
    fn read_nullable(decoder: &mut Decoder, layout: Layout) -> Result<Option<Self>, DecodeError> {
        match decoder.length(layout.flexible)? {
            Some(length) => decoder.take(length).map(Some),
            None => Ok(None),
        }
    }

    fn write_nullable(
        value: Option<&Self>,
        encoder: &mut Encoder,
        layout: Layout,
    ) -> Result<(), EncodeError> {
        encoder.put_length(value.map(Self::len), layout.flexible)?;
        value.into_iter().for_each(|bytes| encoder.put(bytes));
        Ok(())
    }
}

/// Elements to reserve memory for before `count` of them, as claimed, have been read.
pub(super) const fn reserved<T>(count: usize) -> usize {
    let affordable = RESERVED_BYTES_MAX / size_of::<T>();
    if count < affordable { count } else { affordable }
}

impl<T: Field> Nullable for Vec<T> {
    fn read_nullable(decoder: &mut Decoder, layout: Layout) -> Result<Option<Self>, DecodeError> {
        let Some(count) = decoder.length(layout.flexible)? else { return Ok(None) };
        const { assert!(size_of::<T>() <= AMPLIFICATION_MAX * T::BYTES_MIN) };
        decoder.check_count(count, T::BYTES_MIN)?;
        let mut elements = Self::with_capacity(reserved::<T>(count));
        for _ in 0..count {
            elements.push(T::read(decoder, layout)?);
        }
        Ok(Some(elements))
    }

    fn write_nullable(
        value: Option<&Self>,
        encoder: &mut Encoder,
        layout: Layout,
    ) -> Result<(), EncodeError> {
        encoder.put_length(value.map(Self::len), layout.flexible)?;
        value.into_iter().flatten().try_for_each(|element| element.write(encoder, layout))
    }
}

/// The field of a type that may be null elsewhere, but not here.
macro_rules! never_null {
    ($([$($generics:tt)*] $type:ty,)*) => {
        $(
            impl $($generics)* Field for $type {
                /// A compact length of none.
                const BYTES_MIN: usize = 1;

                fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
                    let value = Self::read_nullable(decoder, layout)?;
                    value.ok_or_else(|| decoder.error(DecodeProblem::Null))
                }

                fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
                    Self::write_nullable(Some(self), encoder, layout)
                }
            }
        )*
    };
}

never_null! {
    [] WireString,
    [] Bytes,
    [<T: Field>] Vec<T>,
}

impl<T: Nullable> Field for Option<T> {
    const BYTES_MIN: usize = 1;

    fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {
        T::read_nullable(decoder, layout)
    }

    fn write(&self, encoder: &mut Encoder, layout: Layout) -> Result<(), EncodeError> {
        T::write_nullable(self.as_ref(), encoder, layout)
    }
}

/// A struct that may be null: a byte, negative for null, then the struct.
pub(crate) fn read_nullable_struct<T: Field>(
    decoder: &mut Decoder,
    layout: Layout,
) -> Result<Option<T>, DecodeError> {
    if decoder.i8()? < 0 { Ok(None) } else { T::read(decoder, layout).map(Some) }
}

/// See [`read_nullable_struct`].
pub(crate) fn write_nullable_struct<T: Field>(
    value: Option<&T>,
    encoder: &mut Encoder,
    layout: Layout,
) -> Result<(), EncodeError> {
    encoder.put_i8(if value.is_some() { 1 } else { -1 });
    value.into_iter().try_for_each(|present| present.write(encoder, layout))
}
