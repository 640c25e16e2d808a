//! Where to start, as an argument.

use client::{Offset, StartAt};

use crate::timestamp_text::parse_timestamp;

/// `earliest`, `latest`, an offset, so many records before the end, or a time.
pub fn parse_start(text: &str) -> Result<StartAt, String> {
    let start = match text {
        "earliest" | "beginning" => Some(StartAt::Earliest),
        "latest" | "end" => Some(StartAt::Latest),
        text => {
            if let Some(milliseconds) = text.strip_prefix('@') {
                milliseconds.parse().ok().filter(|time| *time >= 0).map(StartAt::Timestamp)
            } else if let Some(count) = text.strip_prefix('-') {
                count.parse().ok().map(StartAt::BeforeEnd)
            } else if let Ok(offset) = text.parse::<i64>() {
                Some(StartAt::Offset(Offset::new(offset)))
            } else {
                parse_timestamp(text).map(StartAt::Timestamp)
            }
        }
    };
    let expected = "it has to be earliest, latest, an offset, -N, @MILLISECONDS or a time such as \
                    2026-03-01T12:30:00Z";
    start.ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_place_is_told_apart() {
        let cases = [
            ("earliest", Some(StartAt::Earliest)),
            ("latest", Some(StartAt::Latest)),
            ("4711", Some(StartAt::Offset(Offset::new(4711)))),
            ("-10", Some(StartAt::BeforeEnd(10))),
            ("@1700000000000", Some(StartAt::Timestamp(1_700_000_000_000))),
            ("2023-11-14T22:13:20Z", Some(StartAt::Timestamp(1_700_000_000_000))),
            ("1970-01-02", Some(StartAt::Timestamp(86_400_000))),
            ("@-1", None),
            ("--1", None),
            ("tomorrow", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_start(text).ok(), expected, "{text}");
        }
    }
}
