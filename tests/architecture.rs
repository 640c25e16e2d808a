//! The house stays as it was drawn: layers, sizes, names and the shape of an actor's file.
//! Without this test each of them erodes by one reasonable exception at a time, and none of them
//! can be put back once the tree is full. The table of the layers is drawn in README.md.

#[path = "architecture/source_file.rs"]
mod source_file;
#[path = "architecture/workspace.rs"]
mod workspace;

use source_file::SourceFile;
use workspace::Member;

/// One crate's row of the layer table. What is not listed under `ours` is forbidden.
struct Layer {
    name: &'static str,
    ours: &'static [&'static str],
    /// Crates from outside that would carry a lower layer's world into this one.
    forbidden_crates: &'static [&'static str],
    /// The same for what comes with the language.
    forbidden_words: &'static [&'static str],
    /// Everything public is documented.
    documented: bool,
}

const DOMAIN: &[&str] =
    &["protocol", "commit-log", "replication", "metadata", "coordination", "supervision"];
const RUNTIME: &[&str] = &["tokio", "ractor", "ractor_cluster", "openraft", "axum", "futures-util"];
const RUNTIME_AND_CHANCE: &[&str] =
    &["tokio", "ractor", "ractor_cluster", "openraft", "axum", "futures-util", "rand"];
const WORLD: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Uuid::new_v4",
    "async fn",
    ".await",
];

const fn pure(name: &'static str) -> Layer {
    Layer {
        name,
        ours: &["protocol"],
        forbidden_crates: RUNTIME_AND_CHANCE,
        forbidden_words: WORLD,
        documented: true,
    }
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "protocol",
        ours: &[],
        forbidden_crates: RUNTIME_AND_CHANCE,
        forbidden_words: &["std::fs", "std::net", "std::thread", "Instant::now", "SystemTime::now"],
        documented: true,
    },
    Layer {
        name: "commit-log",
        ours: &["protocol"],
        forbidden_crates: RUNTIME,
        forbidden_words: &["std::net", "async fn", ".await"],
        documented: true,
    },
    pure("replication"),
    pure("metadata"),
    pure("coordination"),
    Layer {
        name: "supervision",
        ours: &[],
        forbidden_crates: &["ractor_cluster", "openraft", "axum"],
        forbidden_words: &["std::fs", "std::net"],
        documented: true,
    },
    Layer {
        name: "actors",
        ours: DOMAIN,
        forbidden_crates: &["clap", "config"],
        forbidden_words: &[],
        documented: false,
    },
    Layer {
        name: "client",
        ours: &["protocol"],
        forbidden_crates: &["ractor", "ractor_cluster", "openraft", "axum"],
        forbidden_words: &["std::fs"],
        documented: false,
    },
    Layer {
        name: "callboard",
        ours: &["actors", "supervision", "client", "commit-log", "protocol"],
        forbidden_crates: &["ractor_cluster", "openraft"],
        forbidden_words: &[],
        documented: false,
    },
    Layer {
        name: "logcheck",
        ours: &[],
        forbidden_crates: RUNTIME_AND_CHANCE,
        // Its program opens the file that it is given.
        forbidden_words: &[
            "std::net",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
            "Uuid::new_v4",
            "async fn",
            ".await",
        ],
        documented: true,
    },
    Layer {
        name: "simulation",
        ours: &[
            "actors",
            "supervision",
            "client",
            "logcheck",
            "metadata",
            "commit-log",
            "protocol",
        ],
        forbidden_crates: &["ractor_cluster", "openraft", "axum"],
        forbidden_words: &[],
        documented: false,
    },
    Layer {
        name: "xtask",
        ours: &[],
        forbidden_crates: RUNTIME,
        forbidden_words: &[],
        documented: false,
    },
];

/// A place that breaks a rule, and how.
struct Violation {
    file: String,
    /// From one; zero means the file as a whole.
    line: usize,
    what: String,
}

impl Violation {
    fn at(file: &SourceFile, line: usize, what: impl Into<String>) -> Violation {
        Violation { file: file.path.clone(), line, what: what.into() }
    }

    fn of(file: impl Into<String>, what: impl Into<String>) -> Violation {
        Violation { file: file.into(), line: 0, what: what.into() }
    }
}

fn expect_none(rule: &str, reason: &str, violations: &[Violation]) {
    let places: Vec<String> =
        violations.iter().map(|v| format!("  {}:{}: {}", v.file, v.line.max(1), v.what)).collect();
    assert!(places.is_empty(), "\n{rule}\n({reason})\n{}\n", places.join("\n"));
}

fn sources() -> Vec<SourceFile> {
    let files = source_file::read_all(workspace::root());
    assert!(files.len() > 10, "only {} Rust files found: the walk is broken", files.len());
    files
}

/// Violations found line by line in the production code of every file.
fn in_production(check: impl Fn(&SourceFile, &str) -> Option<String>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in sources() {
        let lines = file.production_code();
        let found = lines.filter_map(|(number, line)| Some((number, check(&file, line)?)));
        violations.extend(found.map(|(number, what)| Violation::at(&file, number, what)));
    }
    violations
}

/// Whether the word stands in the line and is not only the beginning of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[at + word.len()..].starts_with(goes_on))
}

fn layer_of(member: &Member) -> &'static Layer {
    let found = LAYERS.iter().find(|layer| layer.name == member.name);
    found.unwrap_or_else(|| panic!("a new crate needs a row in the layer table: {}", member.name))
}

fn manifest_name(member: &Member) -> String {
    let folder = member.folder.strip_prefix(workspace::root()).unwrap_or(&member.folder);
    folder.join("Cargo.toml").to_string_lossy().into_owned()
}

#[test]
fn every_crate_imports_only_the_layers_below_it() {
    let mut violations = Vec::new();
    for member in workspace::members() {
        let layer = layer_of(&member);
        // The tests of the upper layers may bring up anything; those of the lower ones may not,
        // or a crate could no longer be built and understood alone.
        let lower = layer.documented;
        for dependency in member.dependencies.iter().filter(|d| lower || !d.development) {
            // A crate may ask for itself with its testing feature.
            let ours = LAYERS.iter().any(|other| other.name == dependency.name)
                && dependency.name != member.name;
            if ours && !layer.ours.contains(&dependency.name.as_str()) {
                let what = format!("{} must not import {}", member.name, dependency.name);
                violations.push(Violation::of(manifest_name(&member), what));
            }
        }
    }
    let reason = "no circle can form, and a change in one crate cannot break its siblings";
    expect_none("A crate imports ours only as the layer table says.", reason, &violations);
}

#[test]
fn no_crate_carries_a_foreign_world_into_its_layer() {
    let mut violations = Vec::new();
    for member in workspace::members() {
        let forbidden = layer_of(&member).forbidden_crates;
        for dependency in member.dependencies.iter().filter(|d| !d.development) {
            if forbidden.contains(&dependency.name.as_str()) {
                let what = format!("{} must not import {}", member.name, dependency.name);
                violations.push(Violation::of(manifest_name(&member), what));
            }
        }
    }
    let reason = "runtimes and chance stay in actors and client, so that the rest can be simulated";
    expect_none("A crate's manifest keeps the world out of its layer.", reason, &violations);
}

#[test]
fn the_pure_crates_touch_no_file_socket_clock_or_future() {
    let violations = in_production(|file, line| {
        let layer = LAYERS.iter().find(|l| file.path.starts_with(&format!("{}/src/", l.name)))?;
        let word = layer.forbidden_words.iter().find(|word| has_word(line, word))?;
        Some(format!("{} must not use {word}", layer.name))
    });
    let reason =
        "what decides gets time, chance and bytes as arguments and leaves acting to actors";
    expect_none("A lower layer does not reach for the world.", reason, &violations);
}

#[test]
fn every_file_fits_a_readers_patience() {
    let mut violations = Vec::new();
    for file in sources() {
        if !file.is_test() && file.production > 400 {
            let what = format!("{} lines of production code, at most 400", file.production);
            violations.push(Violation::at(&file, 401, what));
        }
        if file.lines.len() > 600 {
            let what = format!("{} lines with tests, at most 600", file.lines.len());
            violations.push(Violation::at(&file, 601, what));
        }
        let tests = file.lines.len() - file.production;
        if !file.is_test() && tests > 150 + 5 {
            let what = format!("{tests} lines of tests: over 150 go to {}/tests.rs", file.stem());
            violations.push(Violation::at(&file, file.production + 1, what));
        }
    }
    let reason = "a file that cannot be read in one sitting cannot be proofread";
    expect_none("A file stays within its length.", reason, &violations);
}

#[test]
fn every_function_fits_a_screen() {
    let mut violations = Vec::new();
    for file in sources() {
        for function in file.functions() {
            let table = file.path.starts_with("actors/src/") && function.name == "handle";
            let limit = if table { 50 } else { 70 };
            if function.length > limit {
                let what =
                    format!("{} has {} lines, at most {limit}", function.name, function.length);
                violations.push(Violation::at(&file, function.line, what));
            }
        }
    }
    let reason = "what is longer than a screen cannot be proofread; handle is a table of contents";
    expect_none("A function has at most 70 lines, an actor's handle 50.", reason, &violations);
}

/// Code that several test programs of a crate share; as `harness.rs` it would be one of them.
fn is_harness(file: &SourceFile) -> bool {
    file.is_test() && file.path.ends_with("harness/mod.rs")
}

#[test]
fn no_file_is_named_after_nothing() {
    let banned =
        ["util", "utils", "helper", "helpers", "common", "types", "misc", "manager", "mod"];
    let violations: Vec<Violation> = sources()
        .iter()
        .filter(|file| banned.contains(&file.stem()) && !is_harness(file))
        .map(|file| Violation::at(file, 1, format!("{}.rs says nothing", file.stem())))
        .collect();
    let reason =
        "a name that fits everything collects everything; mod.rs makes all tabs look alike";
    expect_none("A file is named after what it holds.", reason, &violations);
}

#[test]
fn no_type_is_named_after_nothing() {
    let banned = ["Manager", "Handler", "Helper", "Util", "Utils", "Data", "Info", "Base", "Impl"];
    let violations = in_production(|_, line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let keyword = |word: &&&str| ["struct", "enum", "trait", "type"].contains(*word);
        let place = words.iter().position(|word| keyword(&word))?;
        let name = words.get(place + 1)?;
        let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
        let suffix = banned.iter().find(|suffix| name[..end].ends_with(**suffix))?;
        Some(format!("{} ends in {suffix}", &name[..end]))
    });
    let reason = "the glossary in protocol/README.md has a better word";
    expect_none("A type is named after what it is.", reason, &violations);
}

#[test]
fn every_actor_file_says_who_supervises_it_and_what_it_does_on_a_childs_end() {
    let mut violations = Vec::new();
    for file in sources().iter().filter(|file| file.path.starts_with("actors/src/")) {
        let is_actor =
            |line: &str| line.trim_start().starts_with("impl") && line.contains("Actor for ");
        let actors: Vec<usize> =
            file.production_code().filter(|(_, l)| is_actor(l)).map(|(number, _)| number).collect();
        let Some(first) = actors.first() else { continue };
        let head = file.lines.iter().take_while(|line| line.starts_with("//!")).count();
        if head < 8 {
            let what =
                format!("{head} lines of head comment, at least 8: who supervises it and why");
            violations.push(Violation::at(file, 1, what));
        }
        let supervises =
            file.production_code().any(|(_, line)| line.contains("fn handle_supervisor_evt"));
        if !supervises {
            let what = "handle_supervisor_evt is not written out: the default kills the parent";
            violations.push(Violation::at(file, *first, what));
        }
        if let Some(second) = actors.get(1) {
            violations.push(Violation::at(file, *second, "a second actor in the same file"));
        }
    }
    let reason = "one actor a file, and its place in the tree is readable at the top of it";
    expect_none("An actor's file has the shape that all of them have.", reason, &violations);
}

#[test]
fn no_actor_takes_more_than_fourteen_messages() {
    let mut violations = Vec::new();
    for file in sources().iter().filter(|file| file.path.starts_with("actors/src/")) {
        for (number, line) in file.production_code() {
            let is_enum = line.starts_with("pub enum ") || line.starts_with("pub(crate) enum ");
            if !is_enum || !line.contains("Message ") {
                continue;
            }
            let body = file.code[number..].iter().take_while(|line| *line != "}");
            let is_variant = |l: &&String| {
                l.starts_with("    ") && l[4..].starts_with(|c: char| c.is_uppercase())
            };
            let variants = body.filter(is_variant).count();
            if variants > 14 {
                let what = format!("{variants} messages, at most 14");
                violations.push(Violation::at(file, number, what));
            }
        }
    }
    let reason = "more means two actors";
    expect_none("An actor has at most 14 messages.", reason, &violations);
}

#[test]
fn every_library_is_documented_by_its_readme() {
    let mut violations = Vec::new();
    for member in workspace::members() {
        let readme = member.folder.join("README.md");
        let library = member.folder.join("src/lib.rs");
        if !library.exists() {
            continue;
        }
        if !readme.exists() {
            violations.push(Violation::of(&member.name, "has no README.md"));
        }
        let text = workspace::read(&library);
        let is_doc = text.contains("#![doc = include_str!(\"../README.md\")]");
        if !is_doc && member.name != "callboard" {
            violations
                .push(Violation::of(&member.name, "lib.rs does not include README.md as doc"));
        }
        if layer_of(&member).documented && !text.contains("#![deny(missing_docs)]") {
            violations.push(Violation::of(&member.name, "lib.rs does not deny missing_docs"));
        }
    }
    let reason = "prose lives next to what it describes and is tested with it";
    expect_none("A crate's README is its documentation.", reason, &violations);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut violations = Vec::new();
    let limits = workspace::read(&workspace::root().join("clippy.toml"));
    for member in workspace::members() {
        let manifest = workspace::read(&member.folder.join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            violations.push(Violation::of(manifest_name(&member), "lints.workspace is not true"));
        }
        let own = member.folder.join("clippy.toml");
        if !own.exists() {
            continue;
        }
        let own = workspace::read(&own);
        for limit in limits.lines().filter(|line| !line.starts_with('#') && !own.contains(*line)) {
            let what = format!("does not repeat {limit}; it replaces the clippy.toml of the root");
            violations.push(Violation::of(format!("{}/clippy.toml", member.name), what));
        }
    }
    let root = workspace::read(&workspace::root().join("Cargo.toml"));
    if !root.contains("unsafe_code = \"forbid\"") {
        violations.push(Violation::of("Cargo.toml", "unsafe_code is not forbidden"));
    }
    let reason = "a lint that one crate leaves out is a lint that nobody has";
    expect_none("A crate takes the lints of the workspace.", reason, &violations);
}

#[test]
fn nothing_is_unsafe_unfinished_or_skipped() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
    let mut violations = Vec::new();
    for file in sources() {
        for (index, (line, code)) in file.lines.iter().zip(&file.code).enumerate() {
            let words = |text: &str, word: &str| {
                text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
            };
            if words(code, concat!("uns", "afe")) {
                violations.push(Violation::at(&file, index + 1, "unsafe code"));
            }
            if code.contains(concat!("#[ign", "ore")) {
                violations.push(Violation::at(&file, index + 1, "a test that does not run"));
            }
            if let Some(mark) = marks.iter().find(|mark| words(line, mark)) {
                violations.push(Violation::at(&file, index + 1, format!("{mark} in the code")));
            }
        }
    }
    let reason = "what is left out is named in the crate's README, where its user looks";
    expect_none("Nothing is unsafe, unfinished or skipped.", reason, &violations);
}

#[test]
fn the_reader_of_sources_is_not_fooled_by_comments_strings_and_lifetimes() {
    let text = "fn a<'x>(y: &'x str) {\n    let c = '\\'';\n    // fn b() {\n    \
                let s = r#\"fn c() { \"#;\n    let t = \"} \\\" {\";\n}\n\nfn d() {}\n\
                #[cfg(test)]\nmod tests {\n}\n";
    let file = SourceFile::parse("actors/src/some_actor.rs".to_owned(), text);
    let names: Vec<(String, usize)> =
        file.functions().into_iter().map(|f| (f.name, f.length)).collect();
    assert_eq!(names, [("a".to_owned(), 6), ("d".to_owned(), 1)]);
    assert_eq!(file.production, 8);
    assert_eq!(file.lines.len(), file.code.len());
    assert!(!file.is_test());
}
