//! Kafka's names as Rust has them.

use crate::schema::Versions;

/// `MaxWaitMs` and `maxWaitMs` as `max_wait_ms`.
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let after_word = place > 0 && !letters[place - 1].is_uppercase();
        let before_word = letters.get(place + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && place > 0 && (after_word || before_word) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A range as a sentence begins with it.
pub fn range(versions: Versions) -> String {
    match (versions.first, versions.last) {
        (first, last) if first == last => format!("version {first}"),
        (first, last) => format!("versions {first} to {last}"),
    }
}

/// The words with a capital at their start.
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
