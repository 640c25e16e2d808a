//! Turns the messages of one schema file into one Rust module.

mod field;
mod structs;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::schema::{MessageKind, MessageSchema};
use structs::structs;

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
