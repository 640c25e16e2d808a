//! Developer tasks of the workspace.
//!
//! ```text
//! cargo xtask generate           protocol/schemas/*.schema → protocol/src/generated/*.rs
//! cargo xtask generate --check   fails where the committed code is not what the schemas give
//! cargo xtask import <jar>...    Kafka's message definitions → protocol/schemas/*.schema
//! ```
//!
//! `import` is run once for each Kafka release that is taken over, with the jars
//! `kafka-clients`, `kafka-group-coordinator` and `kafka-storage` of that release.

mod generate;
mod import;
mod naming;
mod rust;
mod schema;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask generate [--check] | cargo xtask import <jar>...";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let protocol = protocol_folder()?;
    match words.as_slice() {
        ["generate"] => generate::write(&protocol),
        ["generate", "--check"] => generate::check(&protocol),
        ["import", jars @ ..] if !jars.is_empty() => import::import(jars, &protocol),
        _ => bail!(USAGE),
    }
}

/// The folder of the crate that is generated for, beside this one.
fn protocol_folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
    Ok(root.join("protocol"))
}
