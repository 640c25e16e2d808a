//! The code of one struct: declaration, default, decoding and encoding.

use anyhow::{Result, ensure};

use crate::naming::{range, sentence, snake_case};
use crate::schema::{FieldSchema, FieldType, MessageSchema, Versions};

use super::field::{self, Member};

/// One struct of a module.
pub struct Struct<'a> {
    pub name: &'a str,
    message: &'a MessageSchema,
    /// The versions in which it can occur.
    versions: Versions,
    fields: &'a [FieldSchema],
    /// `Struct.field` that it is an element of; `None` for the message itself.
    within: Option<String>,
    may_be_null: bool,
}

/// The structs of a message, the message itself first.
pub fn structs(message: &MessageSchema) -> Vec<Struct<'_>> {
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

    pub fn code(&self) -> Result<String> {
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
        let versions = sentence(&range(self.versions));
        match (&self.within, self.message.flexible_from) {
            (Some(within), _) => format!("/// In [`{within}`]."),
            (None, Some(first)) => format!("/// {versions}, flexible from {first}."),
            (None, None) => format!("/// {versions}, never flexible."),
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
