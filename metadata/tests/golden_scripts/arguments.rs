//! A command of a script: words, `key=value` pairs, and lists in brackets.

use std::time::Duration;

use protocol::{BrokerId, PartitionIndex};

pub struct Arguments {
    pub words: Vec<String>,
    pairs: Vec<(String, String)>,
}

impl Arguments {
    pub fn parse(line: &str) -> Self {
        let mut arguments = Self { words: Vec::new(), pairs: Vec::new() };
        for token in tokens(line) {
            match token.split_once('=') {
                Some((key, value)) => arguments.pairs.push((key.to_owned(), value.to_owned())),
                None => arguments.words.push(token),
            }
        }
        arguments
    }

    pub fn word(&self, place: usize) -> &str {
        self.words.get(place).map_or("", String::as_str)
    }

    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub fn number(&self, key: &str, default: i64) -> i64 {
        self.get(key).map_or(default, |value| value.parse().unwrap())
    }

    pub fn broker(&self, place: usize) -> BrokerId {
        BrokerId(self.word(place).parse().unwrap())
    }

    pub fn duration(&self, place: usize) -> Duration {
        Duration::from_millis(self.word(place).strip_suffix("ms").unwrap().parse().unwrap())
    }

    /// `orders-0`
    pub fn partition(&self, place: usize) -> (String, PartitionIndex) {
        let (topic, index) = self.word(place).rsplit_once('-').unwrap();
        (topic.to_owned(), PartitionIndex(index.parse().unwrap()))
    }

    /// Pairs whose key is the name of a setting: with a dot in it, but for two.
    pub fn settings(&self) -> Vec<(String, Option<String>)> {
        let names = |key: &str| key.contains('.') || matches!(key, "preallocate" | "listeners");
        let settings = self.pairs.iter().filter(|(key, _)| names(key));
        settings.map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
    }
}

/// `[1 2]` or `1 2`
pub fn brokers(list: &str) -> Vec<BrokerId> {
    let list = list.trim_start_matches('[').trim_end_matches(']');
    list.split_whitespace().map(|id| BrokerId(id.parse().unwrap())).collect()
}

/// Words are parted by spaces, but not within brackets.
fn tokens(line: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut depth = 0;
    for character in line.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if character == ' ' && depth == 0 {
            tokens.push(String::new());
        } else if let Some(token) = tokens.last_mut() {
            token.push(character);
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}
