//! Random values of a message, made from its schema, and what they look like on the wire, as
//! `Debug` and as JSON. Nothing here knows the generated code.

use bytes::{BufMut, Bytes};
use protocol::TopicId;
use serde_json::{Map, Value as Json, json};

use crate::schema_reader::{Field, Kind, snake_case};

/// SplitMix64: a sequence of numbers that a seed repeats.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// Mostly small, now and then anything that fits.
    fn integer(&mut self, bits: u32) -> i64 {
        let wide = self.next() as i64;
        let narrow = (wide << (64 - bits)) >> (64 - bits);
        if self.one_in(3) { narrow } else { narrow & 0x3f }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Uuid(u128),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    /// A value for every field of the schema; `None` where the version lacks it.
    Struct(Vec<Option<Value>>),
}

/// Values for the fields of a struct in `version`.
pub fn random(fields: &[Field], version: i16, numbers: &mut Numbers) -> Value {
    let value = |field: &Field| {
        field.versions.contains(&version).then(|| random_field(field, version, numbers))
    };
    Value::Struct(fields.iter().map(value).collect())
}

fn random_field(field: &Field, version: i16, numbers: &mut Numbers) -> Value {
    if field.nullable.as_ref().is_some_and(|range| range.contains(&version)) && numbers.one_in(4) {
        return Value::Null;
    }
    if field.tag.is_some() && numbers.one_in(3) {
        return default(field);
    }
    random_value(&field.kind, field, version, numbers)
}

fn random_value(kind: &Kind, field: &Field, version: i16, numbers: &mut Numbers) -> Value {
    match kind {
        Kind::Bool => Value::Bool(numbers.one_in(2)),
        Kind::Integer(size, signed) => {
            let value = numbers.integer(8 * *size as u32);
            Value::Integer(if *signed { value } else { value & ((1 << (8 * size)) - 1) })
        }
        Kind::Float => Value::Float(numbers.integer(32) as f64 / 8.0),
        Kind::Uuid => Value::Uuid(u128::from(numbers.next()) << 64 | u128::from(numbers.next())),
        Kind::Text => Value::Text(random_text(numbers)),
        Kind::Bytes | Kind::Records => Value::Bytes(random_bytes(numbers)),
        Kind::Struct(_) => random(&field.fields, version, numbers),
        Kind::Array(element) => {
            let count = numbers.below(4);
            let mut element = || random_value(element, field, version, numbers);
            Value::Array((0..count).map(|_| element()).collect())
        }
    }
}

/// Some characters of every width in UTF-8, rarely more than a byte of compact length can say.
fn random_text(numbers: &mut Numbers) -> String {
    let count = if numbers.one_in(20) { 200 } else { numbers.below(8) };
    (0..count).map(|_| ['a', '-', '7', 'ß', '中', '🎭'][numbers.below(6) as usize]).collect()
}

/// Bytes on both sides of the size from which on they are not copied.
fn random_bytes(numbers: &mut Numbers) -> Vec<u8> {
    let count = if numbers.one_in(8) { 500 + numbers.below(50) } else { numbers.below(20) };
    (0..count).map(|_| numbers.next() as u8).collect()
}

/// Kafka's default of a field.
fn default(field: &Field) -> Value {
    match (field.default.as_deref(), &field.kind) {
        (Some("null"), _) => Value::Null,
        (text, Kind::Bool) => Value::Bool(text == Some("true")),
        (text, Kind::Text) => Value::Text(text.unwrap_or_default().to_owned()),
        (_, Kind::Bytes | Kind::Records) => Value::Bytes(Vec::new()),
        (_, Kind::Uuid) => Value::Uuid(0),
        (_, Kind::Array(_)) => Value::Array(Vec::new()),
        (_, Kind::Struct(_)) => {
            Value::Struct(field.fields.iter().map(|nested| Some(default(nested))).collect())
        }
        (text, Kind::Float) => Value::Float(text.unwrap_or("0").parse().unwrap()),
        (text, _) => Value::Integer(text.unwrap_or("0").parse().unwrap()),
    }
}

/// Whether a tagged field with this value is left out of the message.
fn is_default(field: &Field, value: &Value) -> bool {
    fn same(default: &Value, value: &Value) -> bool {
        match (default, value) {
            // what the version lacks has its default
            (Value::Struct(defaults), Value::Struct(values)) => {
                defaults.iter().zip(values).all(|(d, v)| {
                    v.is_none() || d.as_ref().zip(v.as_ref()).is_some_and(|(d, v)| same(d, v))
                })
            }
            _ => default == value,
        }
    }
    same(&default(field), value)
}

/// The bytes of a struct in `version`.
pub fn encode(fields: &[Field], value: &Value, flexible: bool, out: &mut Vec<u8>) {
    let Value::Struct(values) = value else { panic!("{value:?} is no struct") };
    let mut tagged = Vec::new();
    for (field, value) in fields.iter().zip(values) {
        match (field.tag, value) {
            (_, None) => {}
            (None, Some(value)) => {
                encode_field(field, value, flexible && !field.inflexible, out);
            }
            (Some(_), Some(value)) if is_default(field, value) => {}
            (Some(tag), Some(value)) => {
                let mut content = Vec::new();
                encode_field(field, value, flexible, &mut content);
                tagged.push((tag, content));
            }
        }
    }
    if flexible {
        tagged.sort();
        put_varint(tagged.len(), out);
        for (tag, content) in tagged {
            put_varint(tag as usize, out);
            put_varint(content.len(), out);
            out.extend(content);
        }
    }
}

fn encode_field(field: &Field, value: &Value, flexible: bool, out: &mut Vec<u8>) {
    if field.nullable.is_some() && matches!(field.kind, Kind::Struct(_)) {
        out.push(if *value == Value::Null { 0xff } else { 1 });
        if *value == Value::Null {
            return;
        }
    }
    encode_value(&field.kind, field, value, flexible, out);
}

fn encode_value(kind: &Kind, field: &Field, value: &Value, flexible: bool, out: &mut Vec<u8>) {
    match (kind, value) {
        (Kind::Array(element), Value::Array(values)) => {
            put_length(Some(values.len()), 4, flexible, out);
            values.iter().for_each(|value| encode_value(element, field, value, flexible, out));
        }
        (Kind::Struct(_), _) => encode(&field.fields, value, flexible, out),
        (Kind::Text, Value::Null) => put_length(None, 2, flexible, out),
        (_, Value::Null) => put_length(None, 4, flexible, out),
        (_, Value::Text(text)) => {
            put_length(Some(text.len()), 2, flexible, out);
            out.extend(text.as_bytes());
        }
        (_, Value::Bytes(bytes)) => {
            put_length(Some(bytes.len()), 4, flexible, out);
            out.extend(bytes);
        }
        (_, Value::Bool(value)) => out.push(u8::from(*value)),
        (_, Value::Float(value)) => out.put_f64(*value),
        (_, Value::Uuid(value)) => out.put_u128(*value),
        (Kind::Integer(size, _), Value::Integer(value)) => out.put_int(*value, *size),
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}

fn put_length(length: Option<usize>, width: usize, flexible: bool, out: &mut Vec<u8>) {
    if flexible {
        put_varint(length.map_or(0, |length| length + 1), out);
    } else {
        out.put_int(length.map_or(-1, |length| length as i64), width);
    }
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The struct as the derived `Debug` of the generated code shows it.
pub fn show(name: &str, fields: &[Field], value: &Value) -> String {
    let Value::Struct(values) = value else { panic!("{value:?} is no struct") };
    let shown = fields.iter().zip(values).map(|(field, value)| {
        let value = value.clone().unwrap_or_else(|| default(field));
        let text = match (&field.nullable, &value) {
            (Some(_), Value::Null) => "None".to_owned(),
            (Some(_), value) => format!("Some({})", show_value(&field.kind, field, value)),
            (None, value) => show_value(&field.kind, field, value),
        };
        format!("{}: {text}", snake_case(&field.name))
    });
    format!("{name} {{ {} }}", shown.collect::<Vec<_>>().join(", "))
}

fn show_value(kind: &Kind, field: &Field, value: &Value) -> String {
    match (kind, value) {
        (Kind::Array(element), Value::Array(values)) => {
            let shown = values.iter().map(|value| show_value(element, field, value));
            format!("[{}]", shown.collect::<Vec<_>>().join(", "))
        }
        (Kind::Struct(name), value) => show(name, &field.fields, value),
        (_, Value::Bool(value)) => format!("{value:?}"),
        (_, Value::Integer(value)) => format!("{value:?}"),
        (_, Value::Float(value)) => format!("{value:?}"),
        (_, Value::Uuid(value)) => format!("{:?}", topic_id(*value)),
        (_, Value::Text(text)) => format!("{text:?}"),
        (_, Value::Bytes(bytes)) => format!("{:?}", Bytes::copy_from_slice(bytes)),
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}

fn topic_id(value: u128) -> TopicId {
    TopicId(uuid::Uuid::from_u128(value))
}

/// The struct as Kafka's JSON converters show it; records only by their size.
pub fn to_json(fields: &[Field], value: &Value) -> Json {
    let Value::Struct(values) = value else { panic!("{value:?} is no struct") };
    let mut object = Map::new();
    for (field, value) in fields.iter().zip(values) {
        let Some(value) = value else { continue };
        if field.tag.is_some() && is_default(field, value) {
            continue;
        }
        let mut name = field.name[..1].to_lowercase();
        name.push_str(&field.name[1..]);
        if let (Kind::Records, Value::Bytes(bytes)) = (&field.kind, value) {
            object.insert(format!("{name}SizeInBytes"), json!(bytes.len()));
        } else {
            object.insert(name, json_value(&field.kind, field, value));
        }
    }
    Json::Object(object)
}

fn json_value(kind: &Kind, field: &Field, value: &Value) -> Json {
    match (kind, value) {
        (Kind::Array(element), Value::Array(values)) => {
            values.iter().map(|value| json_value(element, field, value)).collect()
        }
        (_, Value::Null) => Json::Null,
        (Kind::Struct(_), value) => to_json(&field.fields, value),
        (_, Value::Bool(value)) => json!(value),
        (_, Value::Integer(value)) => json!(value),
        (_, Value::Float(value)) => json!(value),
        (_, Value::Uuid(value)) => json!(topic_id(*value).to_base64()),
        (_, Value::Text(text)) => json!(text),
        (_, Value::Bytes(bytes)) => json!(base64(bytes)),
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}

/// Base64 with padding, as Kafka's JSON has byte strings.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut bits = 0u32;
        (0..3).for_each(|place| bits = bits << 8 | u32::from(*group.get(place).unwrap_or(&0)));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}
