//! Turns the messages of one schema file into one Rust module.

mod field;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use field::Member;
use xtask::naming::{self, snake_case};
use xtask::schema::{FieldSchema, FieldType, MessageKind, MessageSchema, Versions};

/// Where the names come from that a module may use.
const IMPORTS: &[(&str, &[&str])] = &[
    ("bytes", &["Bytes"]),
    ("crate", &["TopicId"]),
    ("crate::api_key", &["ApiKey"]),
    ("crate::message", &["Message", "Request", "Versions"]),
    (
        "crate::primitives",
        &[
            "DecodeError",
            "Decoder",
            "EncodeError",
            "Encoder",
            "Field",
            "Layout",
            "Nullable",
            "TaggedFields",
            "WireString",
            "absent",
            "read_nullable_struct",
            "write_nullable_struct",
        ],
    ),
];

/// One struct of a module.
struct Struct<'a> {
    name: &'a str,
    message: &'a MessageSchema,
    /// The versions in which it can occur.
    versions: Versions,
    fields: &'a [FieldSchema],
    /// `Struct.field` that it is an element of; `None` for the message itself.
    within: Option<String>,
    may_be_null: bool,
}

/// The module of a schema file, not yet formatted.
pub fn module(file: &str, messages: &[MessageSchema]) -> Result<String> {
    let mut body = String::new();
    let mut written: BTreeMap<&str, String> = BTreeMap::new();
    for message in messages {
        for item in structs(message) {
            let code = item.code()?;
            if let Some(earlier) = written.get(item.name) {
                let same = without_docs(earlier) == without_docs(&code);
                ensure!(same, "two different structs are called {}", item.name);
                continue;
            }
            body.push_str(&code);
            written.insert(item.name, code);
        }
    }
    body.push_str(&request_code(messages)?);
    Ok(format!("{}\n{}\n{body}", head(file, messages), imports(&body)))
}

fn without_docs(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("///")).collect()
}

fn head(file: &str, messages: &[MessageSchema]) -> String {
    let names: Vec<String> = messages.iter().map(|m| format!("`{}`", m.name)).collect();
    let api = match messages.iter().map(|message| message.kind).next() {
        Some(MessageKind::Request { key }) => format!(", API key {key}"),
        _ => String::new(),
    };
    format!(
        "//! {}{api}.\n//!\n//! Written by `cargo xtask generate` from `schemas/{file}.schema`.\n",
        names.join(" and ")
    )
}

fn imports(body: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words: std::collections::HashSet<&str> = body.split(|c| !is_word(c)).collect();
    let mut text = String::new();
    for (path, names) in IMPORTS {
        let used: Vec<&str> = names.iter().copied().filter(|name| words.contains(name)).collect();
        if !used.is_empty() {
            text.push_str(&format!("use {path}::{{{}}};\n", used.join(", ")));
        }
        if *path == "bytes" && !used.is_empty() {
            text.push('\n');
        }
    }
    text
}

/// The structs of a message, the message itself first.
fn structs(message: &MessageSchema) -> Vec<Struct<'_>> {
    let mut found = vec![Struct {
        name: &message.name,
        message,
        versions: message.versions,
        fields: &message.fields,
        within: None,
        may_be_null: false,
    }];
    let mut next = 0;
    while next < found.len() {
        let (parent, fields, versions) =
            (found[next].name, found[next].fields, found[next].versions);
        for field in fields {
            if let Some(name) = field.kind.struct_name() {
                found.push(Struct {
                    name,
                    message,
                    versions: field.versions.clip(versions).unwrap_or(versions),
                    fields: &field.fields,
                    within: Some(format!("{parent}::{}", snake_case(&field.name))),
                    may_be_null: field.nullable.is_some()
                        && matches!(field.kind, FieldType::Struct(_)),
                });
            }
        }
        next += 1;
    }
    found
}

impl Struct<'_> {
    fn members(&self) -> Result<Vec<Member<'_>>> {
        self.fields.iter().map(|field| Member::new(field, self.name, self.versions)).collect()
    }

    fn code(&self) -> Result<String> {
        let members = self.members()?;
        let plain_default = members.iter().all(Member::has_zero_default);
        let derived = if plain_default { ", Default" } else { "" };
        let declared: String = members.iter().map(Member::declaration).collect();
        let mut code = format!(
            "{}\n#[derive(Clone, Debug{derived}, PartialEq{})]\npub struct {} {{\n{declared}}}\n\n",
            self.documentation(),
            if contains_float(self.fields) { "" } else { ", Eq" },
            self.name,
        );
        if !plain_default {
            let values: String = members.iter().map(Member::initial).collect();
            code.push_str(&format!(
                "impl Default for {} {{\nfn default() -> Self {{\nSelf {{ {values} }}\n}}\n}}\n\n",
                self.name
            ));
        }
        code.push_str(&self.codec(&members)?);
        Ok(code)
    }

    fn documentation(&self) -> String {
        let versions = self.versions;
        match (&self.within, self.message.flexible_from) {
            (Some(within), _) => format!("/// In [`{within}`]."),
            (None, Some(first)) => {
                format!("/// Versions {}, flexible from {first}.", naming::range(versions))
            }
            (None, None) => format!("/// Versions {}, never flexible.", naming::range(versions)),
        }
    }

    /// The implementation of `Message`, or of `Field` for what is nested in one.
    fn codec(&self, members: &[Member]) -> Result<String> {
        let name = self.name;
        let (decode, encode) = (self.decode(members), self.encode(members));
        if self.within.is_none() {
            let Versions { first, last } = self.versions;
            return Ok(format!(
                "impl Message for {name} {{
                    const VERSIONS: Versions = Versions::new({first}, {last});
                    const FLEXIBLE_FROM: Option<i16> = {:?};

                    fn decode(decoder: &mut Decoder, version: i16) -> Result<Self, DecodeError> {{
                        let layout = Layout::for_decoding::<Self>(decoder, version)?;
                        {decode}
                    }}

                    fn encode(&self, encoder: &mut Encoder, version: i16) \
                        -> Result<(), EncodeError> {{
                        let layout = Layout::for_encoding::<Self>(version)?;
                        {encode}
                    }}
                }}\n\n",
                self.message.flexible_from,
            ));
        }
        let least = self.bytes_min();
        ensure!(least > 0, "{name} may take no byte at all, so its array would be unbounded");
        let nullable = if self.may_be_null { nullable_code(name) } else { String::new() };
        Ok(format!(
            "impl Field for {name} {{
                const BYTES_MIN: usize = {least};

                fn read(decoder: &mut Decoder, layout: Layout) -> Result<Self, DecodeError> {{
                    {decode}
                }}

                fn write(&self, encoder: &mut Encoder, layout: Layout) \
                    -> Result<(), EncodeError> {{
                    {encode}
                }}
            }}\n\n{nullable}"
        ))
    }

    fn decode(&self, members: &[Member]) -> String {
        let values: String = members.iter().map(Member::read).collect();
        let tagged: String =
            members.iter().filter_map(|m| m.read_tagged(self.flexible())).collect();
        if tagged.is_empty() {
            let skip = match self.flexible() {
                Some(_) => "decoder.skip_tagged_fields(layout)?;\n",
                None => return format!("Ok(Self {{ {values} }})"),
            };
            return format!("let read = Self {{ {values} }};\n{skip}Ok(read)");
        }
        format!(
            "let mut read = Self {{ {values} }};
            decoder.tagged_fields(layout, |tag, decoder| {{
                match tag {{
                    {tagged}_ => return Ok(false),
                }}
                Ok(true)
            }})?;
            Ok(read)"
        )
    }

    fn encode(&self, members: &[Member]) -> String {
        let written = field::join(members.iter().filter_map(Member::write));
        let mut tagged: Vec<&Member> = members.iter().filter(|m| m.tag().is_some()).collect();
        tagged.sort_by_key(|member| member.tag());
        let tail = match (self.flexible(), tagged.is_empty()) {
            (None, _) => String::new(),
            (Some(_), true) => "encoder.no_tagged_fields(layout);\n".to_owned(),
            (Some(_), false) => {
                let added = field::join(tagged.iter().filter_map(|m| m.write_tagged()));
                format!(
                    "let mut tagged = TaggedFields::new(layout);\n{added}\
                    encoder.tagged_fields(tagged);\n"
                )
            }
        };
        format!("{written}{tail}Ok(())")
    }

    /// The first flexible version that the struct occurs in.
    fn flexible(&self) -> Option<i16> {
        let first = self.message.flexible_from?;
        (first <= self.versions.last).then_some(first.max(self.versions.first))
    }

    /// The least that the struct takes on the wire in any version that it occurs in.
    fn bytes_min(&self) -> usize {
        let versions = self.versions.first..=self.versions.last;
        let sizes = versions.map(|version| {
            let flexible = self.message.is_flexible(version);
            field::bytes_min(self.fields, version, flexible)
        });
        sizes.min().unwrap_or(0)
    }
}

fn nullable_code(name: &str) -> String {
    format!(
        "impl Nullable for {name} {{
            fn read_nullable(decoder: &mut Decoder, layout: Layout) \
                -> Result<Option<Self>, DecodeError> {{
                read_nullable_struct(decoder, layout)
            }}

            fn write_nullable(value: Option<&Self>, encoder: &mut Encoder, layout: Layout) \
                -> Result<(), EncodeError> {{
                write_nullable_struct(value, encoder, layout)
            }}
        }}\n\n"
    )
}

fn contains_float(fields: &[FieldSchema]) -> bool {
    fields.iter().any(|f| f.kind == FieldType::Float64 || contains_float(&f.fields))
}

/// What ties a request to its API and its response.
fn request_code(messages: &[MessageSchema]) -> Result<String> {
    let [request, response] = messages else { return Ok(String::new()) };
    let MessageKind::Request { key } = request.kind else { return Ok(String::new()) };
    ensure!(response.kind == MessageKind::Response { key }, "{} has no response", request.name);
    ensure!(response.versions == request.versions, "{} has other versions", response.name);
    ensure!(
        response.flexible_from == request.flexible_from,
        "{} has another first flexible version than its request",
        response.name
    );
    Ok(format!(
        "impl Request for {} {{
            const API_KEY: ApiKey = ApiKey::{};
            type Response = {};
        }}

        const _: () = assert!({}::API_KEY.code() == {key});\n",
        request.name,
        api_name(request),
        response.name,
        request.name,
    ))
}

/// The name of the API that a request belongs to.
pub fn api_name(request: &MessageSchema) -> &str {
    request.name.strip_suffix("Request").unwrap_or(&request.name)
}
