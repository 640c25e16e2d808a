//! Which partition of `__consumer_offsets` holds a group, and so which broker coordinates it.

use protocol::PartitionIndex;

/// The partition of a group among `partitions` of them, as every Kafka broker computes it: the
/// absolute value of Java's `String.hashCode` modulo the number of partitions.
///
/// `None` if there are no partitions.
#[must_use]
pub fn coordinator_partition(group: &str, partitions: i32) -> Option<PartitionIndex> {
    let hash = java_string_hash(group);
    // the one number without an absolute value counts as 0, as in Kafka
    let positive = hash.checked_abs().unwrap_or(0);
    (partitions > 0).then(|| PartitionIndex(positive % partitions))
}

/// Java hashes UTF-16 units, so a character beyond the basic plane counts as two.
fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    //! A group's name must lead to the partition that Kafka chose for it, or its offsets are lost
    //! to a broker that reads the same files.

    use super::{coordinator_partition, java_string_hash};
    use protocol::PartitionIndex;

    #[test]
    fn hashes_are_those_of_java() {
        // jshell: "…".hashCode()
        for (text, hash) in [
            ("", 0),
            ("a", 97),
            ("my-group", -1_906_497_762),
            ("console-consumer-12345", 158_455_506),
            ("polygenelubricants", i32::MIN),
            ("gr\u{fc}ppe", -1_233_264_812),
            ("\u{1f600}", 1_772_899),
        ] {
            assert_eq!(java_string_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn the_partition_is_never_negative() {
        assert_eq!(coordinator_partition("polygenelubricants", 50), Some(PartitionIndex(0)));
        assert_eq!(coordinator_partition("a", 50), Some(PartitionIndex(47)));
        assert_eq!(coordinator_partition("a", 0), None);
    }
}
