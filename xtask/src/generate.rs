//! Writes `protocol/src/generated` from `protocol/schemas`, or checks that it is current.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::rust;
use crate::schema::{self, MessageKind, MessageSchema};

const INDEX_HEAD: &str = "\
//! The messages of the protocol, one API a module, request and response together.
//!
//! Written by `cargo xtask generate` from `schemas/`. Every field, its type and its versions are
//! Kafka's own; what each field means is said on Kafka's protocol page. Comments name the versions
//! of a field where the message has others too.

#![allow(missing_docs, reason = \"the names are the protocol's own\")]
#![allow(clippy::too_many_lines, reason = \"a message has as many fields as it has\")]

";

/// Writes the generated code.
pub fn write(protocol: &Path) -> Result<()> {
    let source = protocol.join("src");
    fs::create_dir_all(source.join("generated"))?;
    for stale in stale_files(protocol)? {
        fs::remove_file(stale)?;
    }
    for (path, code) in generated(protocol)? {
        fs::write(path, code)?;
    }
    Ok(())
}

/// Fails where the committed code is not what the schemas give.
pub fn check(protocol: &Path) -> Result<()> {
    for (path, code) in generated(protocol)? {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        ensure!(committed == code, "{} is out of date: cargo xtask generate", path.display());
    }
    let stale = stale_files(protocol)?;
    ensure!(stale.is_empty(), "{stale:?} have no schema: cargo xtask generate");
    Ok(())
}

/// Every generated file with its code.
fn generated(protocol: &Path) -> Result<Vec<(PathBuf, String)>> {
    let schemas = schemas(protocol)?;
    let source = protocol.join("src");
    let mut files = vec![(source.join("generated.rs"), format(&index(&schemas))?)];
    for (name, messages) in &schemas {
        let code = rust::module(name, messages).with_context(|| format!("in {name}.schema"))?;
        files.push((source.join(format!("generated/{name}.rs")), format(&code)?));
    }
    Ok(files)
}

/// The messages of every schema file, by the file's name.
fn schemas(protocol: &Path) -> Result<Vec<(String, Vec<MessageSchema>)>> {
    let mut names = stems(&protocol.join("schemas"), "schema")?;
    names.sort();
    let mut schemas = Vec::new();
    for name in names {
        let text = fs::read_to_string(protocol.join(format!("schemas/{name}.schema")))?;
        let messages = schema::parse(&text).with_context(|| format!("in {name}.schema"))?;
        schemas.push((name, messages));
    }
    Ok(schemas)
}

fn stems(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            names.push(stem.context("a file name is not UTF-8")?.to_owned());
        }
    }
    Ok(names)
}

/// Generated files whose schema is gone.
fn stale_files(protocol: &Path) -> Result<Vec<PathBuf>> {
    let schemas = stems(&protocol.join("schemas"), "schema")?;
    let folder = protocol.join("src/generated");
    let mut modules = stems(&folder, "rs")?;
    modules.retain(|module| !schemas.contains(module));
    Ok(modules.into_iter().map(|module| folder.join(format!("{module}.rs"))).collect())
}

/// The module list, and the list of APIs as a macro.
fn index(schemas: &[(String, Vec<MessageSchema>)]) -> String {
    let mut code = INDEX_HEAD.to_owned();
    for (name, _) in schemas {
        code.push_str(&format!("pub mod {name};\n"));
    }
    let mut apis: Vec<(i16, String)> = Vec::new();
    for (module, messages) in schemas {
        if let [request, response, ..] = &messages[..]
            && let MessageKind::Request { key } = request.kind
        {
            let (name, request, response) =
                (rust::api_name(request), &request.name, &response.name);
            apis.push((key, format!("        {name} {module} {request} {response},\n")));
        }
    }
    apis.sort();
    let lines: String = apis.into_iter().map(|(_, line)| line).collect();
    code.push_str(&format!(
        "
/// Calls a macro with one line for every API, in the order of the keys: the variant of
/// [`ApiKey`](crate::api_key::ApiKey), the module, the request and the response.
#[macro_export]
macro_rules! for_each_api {{
    ($call:ident) => {{
        $call! {{
{lines}        }}
    }};
}}
"
    ));
    code
}

/// The code as rustfmt leaves it, with the workspace's settings.
fn format(code: &str) -> Result<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt could not be started")?;
    let mut input = rustfmt.stdin.take().context("rustfmt has no input")?;
    input.write_all(code.as_bytes())?;
    drop(input);
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt refuses this:\n{code}");
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::protocol_folder;

    #[test]
    fn committed_code_is_what_the_schemas_give() {
        check(&protocol_folder().unwrap()).unwrap();
    }
}
