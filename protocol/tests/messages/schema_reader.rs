//! Reads `schemas/`, whose notation `xtask/src/schema.rs` explains. It is not the generator's
//! reader, so that the two cannot be wrong together.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// One message.
#[derive(Clone)]
pub struct Schema {
    pub name: String,
    pub versions: RangeInclusive<i16>,
    /// The first flexible version; above all versions where there is none.
    flexible_from: i16,
    pub fields: Vec<Field>,
}

#[derive(Clone)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub versions: RangeInclusive<i16>,
    /// Versions in which it may be null.
    pub nullable: Option<RangeInclusive<i16>>,
    pub tag: Option<u32>,
    pub default: Option<String>,
    pub inflexible: bool,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Bool,
    /// Bytes it takes, and whether it is signed.
    Integer(usize, bool),
    Float,
    Uuid,
    Text,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Kind>),
}

impl Schema {
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// Every message of `schemas/`.
pub fn schemas() -> Vec<Schema> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| read(&fs::read_to_string(file).unwrap())).collect()
}

/// The schema of one message.
pub fn schema_of(name: &str, schemas: &[Schema]) -> Schema {
    let found = schemas.iter().find(|schema| schema.name == name);
    found.unwrap_or_else(|| panic!("{name} has no schema")).clone()
}

fn read(text: &str) -> Vec<Schema> {
    let mut schemas: Vec<Schema> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let depth = line.find(|c| c != ' ').unwrap() / 2;
        if depth == 0 {
            schemas.push(read_message(&words));
            continue;
        }
        let schema = schemas.last_mut().unwrap();
        let newest = *schema.versions.end();
        let mut fields = &mut schema.fields;
        for _ in 1..depth {
            fields = &mut fields.last_mut().unwrap().fields;
        }
        fields.push(read_field(&words, newest));
    }
    schemas
}

/// What follows `name=`, if it is there.
fn attribute<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn versions(text: &str, newest: i16) -> RangeInclusive<i16> {
    match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(first), _) => first.parse().unwrap()..=newest,
        (None, Some((first, last))) => first.parse().unwrap()..=last.parse().unwrap(),
        (None, None) => text.parse().unwrap()..=text.parse().unwrap(),
    }
}

fn read_message(words: &[&str]) -> Schema {
    Schema {
        name: words[1].to_owned(),
        versions: versions(attribute(words, "versions").unwrap(), i16::MAX),
        flexible_from: attribute(words, "flexible").map_or(i16::MAX, |text| text.parse().unwrap()),
        fields: Vec::new(),
    }
}

fn read_field(words: &[&str], newest: i16) -> Field {
    Field {
        name: words[0].to_owned(),
        kind: read_kind(words[1]),
        versions: versions(words[2], newest),
        nullable: attribute(words, "null").map(|text| versions(text, newest)),
        tag: attribute(words, "tag").map(|text| text.parse().unwrap()),
        default: attribute(words, "default").map(str::to_owned),
        inflexible: words.contains(&"inflexible"),
        fields: Vec::new(),
    }
}

fn read_kind(text: &str) -> Kind {
    if let Some(element) = text.strip_prefix("[]") {
        return Kind::Array(Box::new(read_kind(element)));
    }
    match text {
        "bool" => Kind::Bool,
        "int8" => Kind::Integer(1, true),
        "int16" => Kind::Integer(2, true),
        "int32" => Kind::Integer(4, true),
        "int64" => Kind::Integer(8, true),
        "uint16" => Kind::Integer(2, false),
        "uint32" => Kind::Integer(4, false),
        "float64" => Kind::Float,
        "uuid" => Kind::Uuid,
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        name => Kind::Struct(name.to_owned()),
    }
}

/// A field's name as Rust has it.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (place, letter) in name.char_indices() {
        if place > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
