//! The one thing the coordinator reads in what consumers tell each other: which topics a member
//! subscribes to, so that their offsets are neither deleted nor expired under it.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::generated::consumer_protocol_subscription::ConsumerProtocolSubscription;
use protocol::message::Message;
use protocol::primitives::Decoder;

/// The protocol type of consumers; other types (`connect`, …) have other subscriptions.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The topics of a consumer's subscription; `None` if the bytes are not one.
///
/// Whatever the version, it is read as version 0: that is the beginning of every later one, so
/// that consumers newer than this program are understood too.
#[must_use]
pub fn subscribed_topics(metadata: &Bytes) -> Option<BTreeSet<String>> {
    let mut decoder = Decoder::new(metadata.clone());
    let version = decoder.i16().ok()?;
    if version < 0 {
        return None;
    }
    let subscription = ConsumerProtocolSubscription::decode(&mut decoder, 0).ok()?;
    Some(subscription.topics.iter().map(|topic| topic.as_str().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    //! A subscription misread would let a living consumer's offsets be deleted.

    use bytes::Bytes;

    use super::subscribed_topics;

    /// Version 1: topics, no user data, no owned partitions.
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
        let bytes = Bytes::from(subscription(&["orders", "payments"]));
        let topics = subscribed_topics(&bytes).unwrap();
        assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["orders", "payments"]);
    }

    #[test]
    fn a_subscription_cut_anywhere_is_none() {
        let mut whole = subscription(&["orders"]);
        whole.truncate(2 + 4 + 2 + 6 + 4);
        let whole = Bytes::from(whole);
        assert!(subscribed_topics(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(subscribed_topics(&whole.slice(..end)), None, "{end} bytes");
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_is_none() {
        let mut bytes = vec![0, 0];
        bytes.extend(i32::MAX.to_be_bytes());
        assert_eq!(subscribed_topics(&Bytes::from(bytes)), None);
    }
}
