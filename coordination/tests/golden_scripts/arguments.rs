//! The words of a command: `join 1 a member=a-1 v=4`.

use std::time::Duration;

pub struct Arguments<'a> {
    pub verb: &'a str,
    pub words: Vec<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> Arguments<'a> {
    pub fn parse(command: &'a str) -> Self {
        let mut parts = command.split_whitespace();
        let verb = parts.next().unwrap();
        let (mut words, mut named) = (Vec::new(), Vec::new());
        for part in parts {
            match part.split_once('=') {
                // a partition with its offset is a word: orders/0=5
                Some((name, _)) if name.contains('/') => words.push(part),
                Some(pair) => named.push(pair),
                None => words.push(part),
            }
        }
        Self { verb, words, named }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.named.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        self.get(name).map_or(default, |text| {
            text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
        })
    }

    pub fn word(&self, place: usize) -> &'a str {
        self.words.get(place).unwrap_or_else(|| panic!("{} wants more words", self.verb))
    }

    pub fn ticket(&self) -> coordination::Ticket {
        coordination::Ticket(self.word(0).parse().unwrap())
    }
}

/// `250ms`, `3s`, `5m`, `8d`.
pub fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("{text} is not a time"));
    match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "d" => Duration::from_secs(number * 24 * 60 * 60),
        unit => panic!("{unit} is no unit of time"),
    }
}
