//! The one thing the coordinator reads in what consumers tell each other: which topics a member
//! subscribes to, so that their offsets are neither deleted nor expired under it.
//!
//! Source: `ConsumerProtocolSubscription.json` of Kafka. Version 0 is the beginning of every later
//! version, so only that beginning is read:
//!
//! ```text
//! i16 version │ i32 n, then n × (i16 length, bytes) topic │ i32 length, bytes user data │ …
//! ```

use std::collections::BTreeSet;

/// The protocol type of consumers; other types (`connect`, …) have other subscriptions.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The topics of a consumer's subscription; `None` if the bytes are not one.
#[must_use]
pub fn subscribed_topics(metadata: &[u8]) -> Option<BTreeSet<String>> {
    let mut rest = metadata;
    let version = take_i16(&mut rest)?;
    if version < 0 {
        return None;
    }
    let count = take_i32(&mut rest)?;
    let mut topics = BTreeSet::new();
    // each turn takes at least two bytes of `rest` or ends, so a false count costs nothing
    for _ in 0..count.max(0) {
        let length = usize::try_from(take_i16(&mut rest)?).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        topics.insert(std::str::from_utf8(name).ok()?.to_owned());
        rest = after;
    }
    // the user data must be there too: a subscription cut short is not one
    let user_data = take_i32(&mut rest)?;
    let length = usize::try_from(user_data.max(0)).ok()?;
    (count >= 0 && length <= rest.len()).then_some(topics)
}

fn take_i16(bytes: &mut &[u8]) -> Option<i16> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    *bytes = rest;
    Some(i16::from_be_bytes(*number))
}

fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    //! A subscription misread would let a living consumer's offsets be deleted.

    use super::subscribed_topics;

    fn subscription(topics: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0, 1];
        bytes.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
        for topic in topics {
            bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
            bytes.extend(topic.as_bytes());
        }
        bytes.extend((-1i32).to_be_bytes());
        bytes.extend(0u32.to_be_bytes());
        bytes
    }

    #[test]
    fn topics_are_read_whatever_follows() {
        let topics = subscribed_topics(&subscription(&["orders", "payments"])).unwrap();
        assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["orders", "payments"]);
    }

    #[test]
    fn a_subscription_cut_anywhere_is_none() {
        let mut whole = subscription(&["orders"]);
        whole.truncate(2 + 4 + 2 + 6 + 4);
        assert!(subscribed_topics(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(subscribed_topics(&whole[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_ends_at_once() {
        let mut bytes = vec![0, 0];
        bytes.extend(i32::MAX.to_be_bytes());
        assert_eq!(subscribed_topics(&bytes), None);
    }
}
