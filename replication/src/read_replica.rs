//! Which replica a consumer reads from (KIP-392), and what a follower answers it. The leader sends
//! consumers to a replica in their own rack; a follower shows what it knows to be committed.

use protocol::{BrokerId, Offset};

/// A replica as its leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReplica {
    /// Whose it is.
    pub broker: BrokerId,
    /// The first offset that it holds.
    pub log_start: Offset,
    /// The offset after the last record that it said it holds; it may hold more by now.
    pub log_end: Offset,
}

impl ReadReplica {
    /// Whether a consumer at `offset` finds its next record there, once that is committed.
    #[must_use]
    pub fn contains(&self, offset: Offset) -> bool {
        self.log_start <= offset && offset <= self.log_end
    }
}

/// The follower that a consumer should read from, if not from the leader: as Kafka's
/// `RackAwareReplicaSelector`, the one in the consumer's rack that holds most, of those that hold
/// `fetch_offset`; the highest number decides between equals. `None` is the leader: for a consumer
/// without a rack, if the leader is in that rack, and if nobody is.
///
/// `followers` are in sync and alive, each with its rack.
#[must_use]
pub fn closest_replica<'a>(
    consumer_rack: &str,
    fetch_offset: Offset,
    leader_rack: Option<&str>,
    followers: impl IntoIterator<Item = (ReadReplica, Option<&'a str>)>,
) -> Option<BrokerId> {
    if consumer_rack.is_empty() || leader_rack == Some(consumer_rack) {
        return None;
    }
    let same_rack = followers.into_iter().filter(|(_, rack)| *rack == Some(consumer_rack));
    let holding = same_rack.map(|(replica, _)| replica).filter(|one| one.contains(fetch_offset));
    holding.max_by_key(|replica| (replica.log_end, replica.broker)).map(|replica| replica.broker)
}

/// What a follower answers a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowerRead {
    /// Read from there, up to the high watermark.
    Read,
    /// Not known to be committed here. It may be soon, so the consumer waits; then it goes back to
    /// the leader, which knows: `OFFSET_NOT_AVAILABLE`.
    NotYet,
    /// Deleted: `OFFSET_OUT_OF_RANGE`.
    OutOfRange,
}

/// What a follower answers a consumer that fetches from `offset`. Above its high watermark nothing is
/// out of range for a follower: its leader may have the record.
#[must_use]
pub fn judge_follower_read(
    offset: Offset,
    log_start: Offset,
    high_watermark: Offset,
) -> FollowerRead {
    if offset < log_start {
        FollowerRead::OutOfRange
    } else if offset > high_watermark {
        FollowerRead::NotYet
    } else {
        FollowerRead::Read
    }
}

#[cfg(test)]
mod tests {
    //! A consumer that is sent where its records are not goes to and fro and reads nothing; one that
    //! is told "out of range" too early starts over or skips what it has not read.

    use super::*;

    fn replica(broker: i32, log_start: i64, log_end: i64) -> ReadReplica {
        let (log_start, log_end) = (Offset::new(log_start), Offset::new(log_end));
        ReadReplica { broker: BrokerId(broker), log_start, log_end }
    }

    /// Brokers 2 and 4 are in rack b, 3 is in c, 5 nowhere.
    fn followers() -> Vec<(ReadReplica, Option<&'static str>)> {
        vec![
            (replica(2, 0, 100), Some("b")),
            (replica(3, 0, 100), Some("c")),
            (replica(4, 50, 90), Some("b")),
            (replica(5, 0, 100), None),
        ]
    }

    fn chosen(rack: &str, offset: i64, leader_rack: Option<&str>) -> Option<i32> {
        let offset = Offset::new(offset);
        closest_replica(rack, offset, leader_rack, followers()).map(|broker| broker.0)
    }

    #[test]
    fn the_consumers_rack_decides() {
        assert_eq!(chosen("b", 60, Some("a")), Some(2));
        assert_eq!(chosen("c", 60, Some("a")), Some(3));
    }

    #[test]
    fn the_leader_serves_its_own_rack_and_those_that_nobody_is_in() {
        assert_eq!(chosen("b", 60, Some("b")), None);
        assert_eq!(chosen("d", 60, Some("a")), None);
        assert_eq!(chosen("", 60, None), None);
        assert_eq!(chosen("", 60, Some("")), None);
    }

    #[test]
    fn a_leader_without_a_rack_sends_consumers_on() {
        assert_eq!(chosen("c", 60, None), Some(3));
    }

    #[test]
    fn of_two_the_one_that_holds_most_is_chosen_and_the_higher_number_of_equals() {
        assert_eq!(chosen("b", 60, None), Some(2));
        let equal = [(replica(2, 0, 90), Some("b")), (replica(4, 0, 90), Some("b"))];
        let choice = closest_replica("b", Offset::new(60), None, equal);
        assert_eq!(choice, Some(BrokerId(4)));
    }

    #[test]
    fn only_who_holds_the_offset_is_chosen() {
        assert_eq!(chosen("b", 100, None), Some(2));
        assert_eq!(chosen("b", 101, None), None);
        let late = [(replica(4, 50, 90), Some("b"))];
        assert_eq!(closest_replica("b", Offset::new(49), None, late), None);
        assert_eq!(closest_replica("b", Offset::new(50), None, late), Some(BrokerId(4)));
    }

    #[test]
    fn a_follower_reads_up_to_its_high_watermark_and_waits_above_it() {
        let judge = |offset: i64| {
            judge_follower_read(Offset::new(offset), Offset::new(10), Offset::new(20))
        };
        assert_eq!(judge(9), FollowerRead::OutOfRange);
        assert_eq!(judge(10), FollowerRead::Read);
        assert_eq!(judge(20), FollowerRead::Read);
        assert_eq!(judge(21), FollowerRead::NotYet);
        assert_eq!(judge(1_000), FollowerRead::NotYet);
    }
}
