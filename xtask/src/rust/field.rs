//! The code of one field: its declaration, its default, how it is read and written.

use anyhow::{Result, ensure};

use crate::naming::{range, sentence, snake_case};
use crate::schema::{FieldSchema, FieldType, Versions};

/// A field of one struct.
pub struct Member<'a> {
    schema: &'a FieldSchema,
    name: String,
    /// `Struct.field`, for errors.
    path: String,
    /// The versions in which the struct occurs.
    around: Versions,
}

/// Code that runs under a condition on the version.
#[derive(Clone)]
pub struct Step {
    condition: Option<String>,
    code: String,
    otherwise: String,
}

/// The code of steps, neighbours with the same condition under one `if`.
pub fn join(steps: impl Iterator<Item = Step>) -> String {
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match joined.last_mut() {
            Some(last) if last.condition == step.condition => {
                last.code.push_str(&step.code);
                last.otherwise.push_str(&step.otherwise);
            }
            _ => joined.push(step),
        }
    }
    joined.iter().map(Step::show).collect()
}

impl Step {
    fn show(&self) -> String {
        let Self { condition, code, otherwise } = self;
        let Some(condition) = condition else { return code.clone() };
        if !otherwise.is_empty() {
            return format!("if {condition} {{ {code} }} else {{ {otherwise} }}\n");
        }
        // a single `if` inside takes the condition into its own
        match code.strip_prefix("if ").filter(|rest| !rest.contains("if ")) {
            Some(rest) => format!("if {condition} && {rest}"),
            None => format!("if {condition} {{ {code} }}\n"),
        }
    }
}

impl<'a> Member<'a> {
    pub fn new(schema: &'a FieldSchema, owner: &str, around: Versions) -> Result<Self> {
        let name = snake_case(&schema.name);
        ensure!(name != "type" && name != "match", "{name} is a word of Rust");
        Ok(Self { schema, path: format!("{owner}.{name}"), name, around })
    }

    pub fn tag(&self) -> Option<u32> {
        self.schema.tag
    }

    pub fn declaration(&self) -> String {
        let mut notes = Vec::new();
        if self.schema.versions != self.around {
            notes.push(self.show(self.schema.versions));
        }
        if let Some(tag) = self.schema.tag {
            notes.push(format!("tag {tag}"));
        }
        if let Some(nullable) = self.schema.nullable.filter(|_| self.nullability().is_some()) {
            notes.push(format!("may be null in {}", self.show(nullable)));
        }
        if let Some(default) = &self.schema.default {
            notes.push(format!("default {default}"));
        }
        let notes = match notes.is_empty() {
            true => String::new(),
            false => format!("/// {}.\n", sentence(&notes.join(", "))),
        };
        format!("{notes}pub {}: {},\n", self.name, self.rust_type())
    }

    fn show(&self, versions: Versions) -> String {
        if versions.last == self.around.last && versions.first < versions.last {
            return format!("versions {} and later", versions.first);
        }
        range(versions)
    }

    fn rust_type(&self) -> String {
        let plain = rust_type(&self.schema.kind);
        if self.schema.nullable.is_some() { format!("Option<{plain}>") } else { plain }
    }

    /// Whether the default is also that of the Rust type.
    pub fn has_zero_default(&self) -> bool {
        match (self.schema.nullable, self.schema.default.as_deref()) {
            (Some(_), default) => default == Some("null"),
            (None, default) => default.is_none(),
        }
    }

    /// The default as an expression.
    fn default(&self) -> String {
        let default = self.schema.default.as_deref();
        match (self.schema.nullable, default) {
            (Some(_), Some("null")) => return "None".to_owned(),
            (Some(_), _) => return format!("Some({})", zero(&self.schema.kind, default)),
            (None, _) => {}
        }
        zero(&self.schema.kind, default)
    }

    pub fn initial(&self) -> String {
        format!("{}: {},\n", self.name, self.default())
    }

    /// A condition on the version that holds in `versions`, as far as `around` leaves it open.
    fn condition(versions: Versions, around: Versions) -> Option<String> {
        let Versions { first, last } = versions;
        match (first > around.first, last < around.last) {
            (false, false) => None,
            (true, false) => Some(format!("layout.version >= {first}")),
            (false, true) => Some(format!("layout.version <= {last}")),
            (true, true) => Some(format!("({first}..={last}).contains(&layout.version)")),
        }
    }

    fn presence(&self) -> Option<String> {
        Self::condition(self.schema.versions, self.around)
    }

    fn layout(&self) -> &'static str {
        if self.schema.inflexible { "layout.inflexible()" } else { "layout" }
    }

    fn nullability(&self) -> Option<String> {
        let present = self.schema.versions.clip(self.around).unwrap_or(self.around);
        self.schema.nullable.and_then(|nullable| Self::condition(nullable, present))
    }

    fn read_value(&self) -> String {
        match self.nullability() {
            Some(allowed) => format!("decoder.nullable({}, {allowed})?", self.layout()),
            None => format!("decoder.field({})?", self.layout()),
        }
    }

    /// The field in the struct expression that decodes.
    pub fn read(&self) -> String {
        let value = match (self.tag(), self.presence()) {
            (Some(_), _) => self.default(),
            (None, None) => self.read_value(),
            (None, Some(present)) => {
                format!("if {present} {{ {} }} else {{ {} }}", self.read_value(), self.default())
            }
        };
        format!("{}: {value},\n", self.name)
    }

    /// The arm of a tagged field.
    pub fn read_tagged(&self, flexible: Option<i16>) -> Option<String> {
        let tag = self.tag()?;
        let around = Versions { first: flexible?, last: self.around.last };
        let guard = Self::condition(self.schema.versions, around);
        let guard = guard.map_or(String::new(), |condition| format!(" if {condition}"));
        Some(format!("{tag}{guard} => read.{} = {},\n", self.name, self.read_value()))
    }

    /// How an untagged field is written.
    pub fn write(&self) -> Option<Step> {
        if self.tag().is_some() {
            return None;
        }
        let (name, layout) = (&self.name, self.layout());
        let write = match self.nullability() {
            Some(allowed) => {
                let path = &self.path;
                format!("encoder.nullable(&self.{name}, {layout}, {allowed}, {path:?})?;\n")
            }
            None => format!("encoder.field(&self.{name}, {layout})?;\n"),
        };
        Some(self.if_present(write))
    }

    /// How a tagged field is added to the others.
    pub fn write_tagged(&self) -> Option<Step> {
        let tag = self.tag()?;
        let (name, nothing) = (&self.name, self.says_nothing());
        let speaks = match nothing.strip_prefix('!') {
            Some(bare) => bare.to_owned(),
            None if nothing.contains(" == ") => nothing.replace(" == ", " != "),
            None if nothing.ends_with(".is_none()") => nothing.replace(".is_none()", ".is_some()"),
            None => format!("!{nothing}"),
        };
        Some(self.if_present(format!("if {speaks} {{ tagged.add({tag}, &self.{name})?; }}\n")))
    }

    /// `code` in the versions that have the field; in the others its value must say nothing.
    fn if_present(&self, code: String) -> Step {
        let condition = self.presence();
        let otherwise = match self.schema.ignorable || condition.is_none() {
            true => String::new(),
            false => format!("absent({}, {:?}, layout)?;\n", self.says_nothing(), self.path),
        };
        Step { condition, code, otherwise }
    }

    /// Whether the value is the default, as an expression.
    fn says_nothing(&self) -> String {
        let place = format!("self.{}", self.name);
        let default = self.schema.default.as_deref();
        if self.schema.nullable.is_some() {
            return match default {
                Some("null") => format!("{place}.is_none()"),
                _ => format!("{place} == {}", self.default()),
            };
        }
        match (&self.schema.kind, default) {
            (FieldType::Bool, None) => format!("!{place}"),
            (FieldType::Bool, Some(_)) => place,
            (FieldType::String | FieldType::Bytes | FieldType::Records, None) => {
                format!("{place}.is_empty()")
            }
            (FieldType::Array(_), _) => format!("{place}.is_empty()"),
            (FieldType::Uuid, _) => format!("{place}.is_zero()"),
            _ => format!("{place} == {}", self.default()),
        }
    }
}

fn rust_type(kind: &FieldType) -> String {
    let name = match kind {
        FieldType::Bool => "bool",
        FieldType::Int8 => "i8",
        FieldType::Int16 => "i16",
        FieldType::Int32 => "i32",
        FieldType::Int64 => "i64",
        FieldType::Uint16 => "u16",
        FieldType::Uint32 => "u32",
        FieldType::Float64 => "f64",
        FieldType::Uuid => "TopicId",
        FieldType::String => "WireString",
        FieldType::Bytes | FieldType::Records => "Bytes",
        FieldType::Struct(name) => name,
        FieldType::Array(element) => return format!("Vec<{}>", rust_type(element)),
    };
    name.to_owned()
}

/// The default of a type that is not null.
fn zero(kind: &FieldType, default: Option<&str>) -> String {
    let value = match (kind, default) {
        (FieldType::Bool, default) => default.unwrap_or("false"),
        (FieldType::Int32, Some("2147483647")) => "i32::MAX",
        (FieldType::Int32, Some("-2147483648")) => "i32::MIN",
        (FieldType::Int64, Some("9223372036854775807")) => "i64::MAX",
        (FieldType::Float64, default) => default.unwrap_or("0.0"),
        (FieldType::String, None) => "WireString::EMPTY",
        (FieldType::String, Some(text)) => return format!("WireString::from_static({text:?})"),
        (FieldType::Bytes | FieldType::Records, _) => "Bytes::new()",
        (FieldType::Uuid, _) => "TopicId::ZERO",
        (FieldType::Struct(name), _) => return format!("{name}::default()"),
        (FieldType::Array(_), _) => "Vec::new()",
        (_, default) => default.unwrap_or("0"),
    };
    value.to_owned()
}

/// The least that the fields of a struct take on the wire in one version.
pub fn bytes_min(fields: &[FieldSchema], version: i16, flexible: bool) -> usize {
    let present = fields.iter().filter(|f| f.tag.is_none() && f.versions.contains(version));
    let sizes = present.map(|field| match &field.kind {
        FieldType::Bool | FieldType::Int8 => 1,
        FieldType::Int16 | FieldType::Uint16 => 2,
        FieldType::Int32 | FieldType::Uint32 => 4,
        FieldType::Int64 | FieldType::Float64 => 8,
        FieldType::Uuid => 16,
        FieldType::String if flexible && !field.inflexible => 1,
        FieldType::String => 2,
        FieldType::Struct(_) if field.nullable.is_some() => 1,
        FieldType::Struct(_) => bytes_min(&field.fields, version, flexible),
        FieldType::Bytes | FieldType::Records | FieldType::Array(_) if flexible => 1,
        FieldType::Bytes | FieldType::Records | FieldType::Array(_) => 4,
    });
    sizes.sum::<usize>() + usize::from(flexible)
}
