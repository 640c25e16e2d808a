//! One Rust file as the rules see it: its lines, and the same lines with comments and literals
//! blanked, so that a word in a sentence is not mistaken for code.

use std::path::{Path, PathBuf};

/// A Rust source file below the root of the workspace.
pub struct SourceFile {
    /// Path relative to the root, with `/` between its parts.
    pub path: String,
    /// The lines as written.
    pub lines: Vec<String>,
    /// The same lines with comments, strings and character literals blanked.
    pub code: Vec<String>,
    /// How many of the lines come before the test module at the end of the file.
    pub production: usize,
}

/// A function with the lines that it spans.
pub struct Function {
    pub name: String,
    /// Number of the line with `fn`, from one.
    pub line: usize,
    /// From the line with `fn` to the closing brace, both included.
    pub length: usize,
}

impl SourceFile {
    fn read(root: &Path, path: &Path) -> SourceFile {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let relative = path.strip_prefix(root).expect("the walk began at the root");
        let relative = relative.to_string_lossy().replace('\\', "/");
        SourceFile::parse(relative, &text)
    }

    pub fn parse(path: String, text: &str) -> SourceFile {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let code: Vec<String> = blank_words(text).lines().map(str::to_owned).collect();
        let production = production_lines(&code);
        SourceFile { path, lines, code, production }
    }

    /// The name of the file without its folder and its ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.strip_suffix(".rs").unwrap_or(name)
    }

    /// Whether the whole file is test code: a test program, or the test module of a neighbour.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.stem() == "tests"
    }

    /// The lines of production code with their numbers, comments and literals blanked.
    pub fn production_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test() { 0 } else { self.production };
        self.code[..end].iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Every function of the file, found by the indentation that rustfmt gives.
    pub fn functions(&self) -> Vec<Function> {
        let starts = self.code.iter().enumerate();
        starts.filter_map(|(index, line)| self.function_at(index, line)).collect()
    }

    fn function_at(&self, index: usize, line: &str) -> Option<Function> {
        let name = function_name(line)?;
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let closing = format!("{indent}}}");
        let rest = &self.code[index..];
        let body = rest.iter().position(|l| l.contains('{') || l.trim_end().ends_with(';'))?;
        if rest[body].trim_end().ends_with(';') || rest[body].trim_end().ends_with('}') {
            return Some(Function { name, line: index + 1, length: body + 1 });
        }
        let end = rest.iter().position(|l| l.trim_end() == closing)?;
        Some(Function { name, line: index + 1, length: end + 1 })
    }
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if word == "fn" {
            let name = words.next()?;
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            return Some(name[..end].to_owned());
        }
        let before_fn = ["pub", "const", "async", "extern"].contains(&word);
        if !before_fn && !word.starts_with("pub(") {
            return None;
        }
    }
    None
}

/// The lines before `#[cfg(test)]` with a module below it.
fn production_lines(code: &[String]) -> usize {
    let begins_tests = |pair: &[String]| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod ")
    };
    code.windows(2).position(begins_tests).unwrap_or(code.len())
}

/// Every Rust file below `root` that a person wrote, in the order of their paths.
pub fn read_all(root: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() && is_ours(&path) {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(SourceFile::read(root, &path));
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    listing.map(|entry| entry.expect("a listed entry can be read").path()).collect()
}

/// Not what a build left behind, and not what the generator wrote.
fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    !name.starts_with('.') && !["target", "generated", "node_modules"].contains(&name.as_str())
}

/// Replaces what stands in comments, strings and character literals by blanks, line for line.
pub fn blank_words(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut blanked = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at);
        if end == at {
            blanked.push(characters[at]);
            at += 1;
        } else {
            let skipped = characters[at..end].iter();
            blanked.extend(skipped.map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    blanked
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn literal_end(text: &[char], at: usize) -> usize {
    let next = text.get(at + 1).copied();
    match text[at] {
        '/' if next == Some('/') => find(text, at, '\n'),
        '/' if next == Some('*') => block_comment_end(text, at),
        '"' => string_end(text, at + 1),
        'r' if !follows_a_word(text, at) => raw_string_end(text, at),
        '\'' if next == Some('\\') => find(text, at + 3, '\'') + 1,
        '\'' if text.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
    .min(text.len())
}

fn find(text: &[char], from: usize, wanted: char) -> usize {
    (from..text.len()).find(|index| text[*index] == wanted).unwrap_or(text.len())
}

fn follows_a_word(text: &[char], at: usize) -> bool {
    // `br"…"` is a raw string as well, so a lone b before the r does not count as a word.
    let before = |back: usize| at.checked_sub(back).map(|index| text[index]);
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    is_word(before(1)) && (before(1) != Some('b') || is_word(before(2)))
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let closes = |index: &usize| text[*index] == '*' && text.get(index + 1) == Some(&'/');
    (at + 2..text.len()).find(closes).map_or(text.len(), |index| index + 2)
}

fn string_end(text: &[char], from: usize) -> usize {
    let mut at = from;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string_end(text: &[char], at: usize) -> usize {
    let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
    if text.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let closes = |index: &usize| {
        let tail = &text[index + 1..];
        text[*index] == '"' && tail.iter().take_while(|c| **c == '#').count() >= hashes
    };
    let end = (at + 2 + hashes..text.len()).find(closes).unwrap_or(text.len());
    end + 1 + hashes
}
