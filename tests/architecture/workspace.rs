//! The members of the workspace and what each of them imports, from `cargo metadata`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One crate of the workspace.
pub struct Member {
    pub name: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
    pub dependencies: Vec<Dependency>,
}

/// One line of a crate's dependency tables.
pub struct Dependency {
    pub name: String,
    /// Needed by tests and benches only.
    pub development: bool,
}

/// The folder that holds the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the workspace.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Every member, asked from cargo itself, so that renamed and inherited lines count too.
pub fn members() -> Vec<Member> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    array(&metadata, "packages").iter().map(member).collect()
}

fn member(package: &Value) -> Member {
    let manifest = PathBuf::from(text(package, "manifest_path"));
    let folder = manifest.parent().expect("a manifest lies in a folder").to_path_buf();
    let dependencies = array(package, "dependencies").iter().map(dependency).collect();
    Member { name: text(package, "name"), folder, dependencies }
}

fn dependency(line: &Value) -> Dependency {
    Dependency { name: text(line, "name"), development: line["kind"] == "dev" }
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("cargo metadata has no list {key}"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("cargo metadata has no text {key}")).to_owned()
}
