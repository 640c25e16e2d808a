//! The schema of a message: facts alone (names, types, versions, tags, defaults), and the compact
//! text they are committed as.
//!
//! ```text
//! request FetchRequest key=1 versions=4-18 flexible=12
//!   ClusterId string 12+ null=12+ tag=0 default=null ignorable
//!   Topics []FetchTopic 4+
//!     Topic string 4-12 ignorable
//! ```
//!
//! One line a message, one line a field, two spaces a level of nesting. Versions are inclusive;
//! `12+` means up to the newest version of the message. `null=` names the versions in which the
//! field may be null, `tag=` makes it a tagged field (KIP-482), `ignorable` says that a value
//! that a version cannot carry is dropped instead of refused, and `inflexible` keeps the old
//! encoding in flexible versions.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

/// Versions from the first to the last, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    /// Reads `3-7`, `3` or `3+`, clipped to `within`; `None` if nothing of it remains.
    pub fn parse(text: &str, within: Self) -> Result<Option<Self>> {
        let read = |number: &str| -> Result<i16> {
            number.parse().with_context(|| format!("{text:?} is no range of versions"))
        };
        let (first, last) = match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(first), _) => (read(first)?, i16::MAX),
            (None, Some((first, last))) => (read(first)?, read(last)?),
            (None, None) if text == "none" => return Ok(None),
            (None, None) => (read(text)?, read(text)?),
        };
        Ok(Self { first, last }.clip(within))
    }

    /// The part of the range that lies in `within`.
    pub fn clip(self, within: Self) -> Option<Self> {
        let first = self.first.max(within.first);
        let last = self.last.min(within.last);
        (first <= last).then_some(Self { first, last })
    }

    pub fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    /// As the text has it, for a message with the versions `within`.
    fn show(self, within: Self) -> String {
        if self.last == within.last {
            format!("{}+", self.first)
        } else if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        }
    }
}

/// What a message is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    Request {
        key: i16,
    },
    Response {
        key: i16,
    },
    /// A header, a record of a topic, a file: no API of its own.
    Plain,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSchema {
    pub name: String,
    pub kind: MessageKind,
    pub versions: Versions,
    /// The first version with compact lengths and tagged fields.
    pub flexible_from: Option<i16>,
    pub fields: Vec<FieldSchema>,
}

impl MessageSchema {
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_from.is_some_and(|first| version >= first)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<FieldType>),
}

impl FieldType {
    /// The name of the struct that the field, or an element of it, is.
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }

    /// The same type, with the struct `theirs` called `ours`.
    pub fn renamed(&self, theirs: &str, ours: &str) -> Self {
        match self {
            Self::Struct(name) if name == theirs => Self::Struct(ours.to_owned()),
            Self::Array(element) => Self::Array(Box::new(element.renamed(theirs, ours))),
            other => other.clone(),
        }
    }
}

impl FromStr for FieldType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(element) = text.strip_prefix("[]") {
            return Ok(Self::Array(Box::new(element.parse()?)));
        }
        Ok(match text {
            "bool" => Self::Bool,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "uint16" => Self::Uint16,
            "uint32" => Self::Uint32,
            "float64" => Self::Float64,
            "uuid" => Self::Uuid,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            name if name.starts_with(char::is_uppercase) => Self::Struct(name.to_owned()),
            _ => bail!("{text:?} is no type of a field"),
        })
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Float64 => "float64",
            Self::Uuid => "uuid",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Records => "records",
            Self::Struct(name) => name,
            Self::Array(element) => return write!(formatter, "[]{element}"),
        };
        formatter.write_str(name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSchema {
    pub name: String,
    pub kind: FieldType,
    /// Versions of the message that have the field.
    pub versions: Versions,
    /// Versions in which it may be null.
    pub nullable: Option<Versions>,
    pub tag: Option<u32>,
    /// Kafka's default where it is not the type's own zero.
    pub default: Option<String>,
    pub ignorable: bool,
    pub inflexible: bool,
    /// The fields of the struct that it, or an element of it, is.
    pub fields: Vec<FieldSchema>,
}

/// Reads the text of one schema file.
pub fn parse(text: &str) -> Result<Vec<MessageSchema>> {
    let mut messages: Vec<MessageSchema> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let depth = (line.len() - content.len()) / 2;
        let words: Vec<&str> = content.split_whitespace().collect();
        let place = || format!("line {}: {line:?}", number + 1);
        if depth == 0 {
            messages.push(parse_message(&words).with_context(place)?);
            continue;
        }
        let message = messages.last_mut().context("a field before any message")?;
        let field = parse_field(&words, message.versions).with_context(place)?;
        nested(&mut message.fields, depth - 1).with_context(place)?.push(field);
    }
    Ok(messages)
}

/// The list that a field `depth` levels down is appended to.
fn nested(fields: &mut Vec<FieldSchema>, depth: usize) -> Result<&mut Vec<FieldSchema>> {
    if depth == 0 {
        return Ok(fields);
    }
    let parent = fields.last_mut().context("a nested field without a struct above it")?;
    ensure!(parent.kind.struct_name().is_some(), "{} is no struct", parent.name);
    nested(&mut parent.fields, depth - 1)
}

fn parse_message(words: &[&str]) -> Result<MessageSchema> {
    let [kind, name, attributes @ ..] = words else { bail!("a message needs a kind and a name") };
    let everything = Versions { first: 0, last: i16::MAX };
    let (mut key, mut versions, mut flexible_from) = (None, None, None);
    for attribute in attributes {
        match attribute.split_once('=').context("an attribute is name=value")? {
            ("key", value) => key = Some(value.parse()?),
            ("versions", value) => versions = Versions::parse(value, everything)?,
            ("flexible", value) => flexible_from = Some(value.parse()?),
            _ => bail!("{attribute:?} is no attribute of a message"),
        }
    }
    let kind = match (*kind, key) {
        ("request", Some(key)) => MessageKind::Request { key },
        ("response", Some(key)) => MessageKind::Response { key },
        ("plain", None) => MessageKind::Plain,
        _ => bail!("a request or response has a key, a plain message has none"),
    };
    let versions = versions.context("a message has versions")?;
    Ok(MessageSchema { name: (*name).to_owned(), kind, versions, flexible_from, fields: vec![] })
}

fn parse_field(words: &[&str], within: Versions) -> Result<FieldSchema> {
    let [name, kind, versions, attributes @ ..] = words else {
        bail!("a field needs a name, a type and versions");
    };
    let mut field = FieldSchema {
        name: (*name).to_owned(),
        kind: kind.parse()?,
        versions: Versions::parse(versions, within)?.context("the field is in no version")?,
        nullable: None,
        tag: None,
        default: None,
        ignorable: false,
        inflexible: false,
        fields: vec![],
    };
    for attribute in attributes {
        match attribute.split_once('=').unwrap_or((attribute, "")) {
            ("null", value) => field.nullable = Versions::parse(value, within)?,
            ("tag", value) => field.tag = Some(value.parse()?),
            ("default", value) => field.default = Some(value.to_owned()),
            ("ignorable", "") => field.ignorable = true,
            ("inflexible", "") => field.inflexible = true,
            _ => bail!("{attribute:?} is no attribute of a field"),
        }
    }
    Ok(field)
}

impl fmt::Display for MessageSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match self.kind {
            MessageKind::Request { key } => ("request", Some(key)),
            MessageKind::Response { key } => ("response", Some(key)),
            MessageKind::Plain => ("plain", None),
        };
        write!(formatter, "{kind} {}", self.name)?;
        if let Some(key) = key {
            write!(formatter, " key={key}")?;
        }
        write!(formatter, " versions={}-{}", self.versions.first, self.versions.last)?;
        if let Some(first) = self.flexible_from {
            write!(formatter, " flexible={first}")?;
        }
        writeln!(formatter)?;
        self.fields.iter().try_for_each(|field| field.show(formatter, self.versions, 1))
    }
}

impl FieldSchema {
    fn show(&self, out: &mut fmt::Formatter<'_>, within: Versions, depth: usize) -> fmt::Result {
        write!(out, "{:1$}", "", depth * 2)?;
        write!(out, "{} {} {}", self.name, self.kind, self.versions.show(within))?;
        if let Some(versions) = self.nullable {
            write!(out, " null={}", versions.show(within))?;
        }
        if let Some(tag) = self.tag {
            write!(out, " tag={tag}")?;
        }
        if let Some(default) = &self.default {
            write!(out, " default={default}")?;
        }
        if self.ignorable {
            write!(out, " ignorable")?;
        }
        if self.inflexible {
            write!(out, " inflexible")?;
        }
        writeln!(out)?;
        self.fields.iter().try_for_each(|field| field.show(out, within, depth + 1))
    }
}
