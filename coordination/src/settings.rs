//! The limits a group lives within.

use std::time::Duration;

/// Settings of every group of a broker; the defaults are Kafka 4.3's where Kafka has the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`, inclusive.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`, inclusive.
    pub session_timeout_max: Duration,
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits
    /// for further members; each member that arrives meanwhile extends it once more, up to the
    /// rebalance timeout.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: members of one group, inclusive.
    pub group_size_max: usize,
    /// How long a member that has never been answered may stay parked in a join. A retry of the
    /// client makes another member, so the defunct ones must go (fixed in Kafka, 5 minutes).
    pub new_member_join_timeout: Duration,
    /// `offset.metadata.max.bytes`: UTF-16 units of a commit's metadata, inclusive, as Kafka
    /// counts them.
    pub offset_metadata_length_max: usize,
    /// `offsets.retention.minutes`: how long a committed offset outlives its group's last member,
    /// or, in a living group, its last subscription.
    pub offsets_retention: Duration,
    /// Member ids given out and not yet used, of one group, inclusive. Kafka has no such bound.
    pub pending_members_max: usize,
    /// Bytes of the protocols that one member may bring. Kafka bounds only the request.
    pub member_metadata_bytes_max: usize,
    /// Bytes of all members of one group: their names, protocols and assignments, with
    /// [`Self::MEMBER_OVERHEAD_BYTES`] for each. Kafka has no such bound.
    pub group_metadata_bytes_max: usize,
    /// Appends of one group whose outcome is not known yet; above it requests that would append
    /// are told to try again.
    pub appends_in_flight_max: usize,
}

impl GroupSettings {
    /// What a member is counted with beside its own bytes.
    pub const MEMBER_OVERHEAD_BYTES: usize = 512;

    /// The longest name, of a group, an instance or a protocol: with a member id's UUID behind it,
    /// it still fits a string of Kafka's records.
    pub const NAME_BYTES_MAX: usize = 32_000;

    /// Whether a session timeout as the wire gives it lies within the bounds.
    #[must_use]
    pub fn session_timeout(&self, millis: i32) -> Option<Duration> {
        let timeout = Duration::from_millis(u64::try_from(millis).ok()?);
        (self.session_timeout_min..=self.session_timeout_max).contains(&timeout).then_some(timeout)
    }
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            group_size_max: i32::MAX as usize,
            new_member_join_timeout: Duration::from_secs(5 * 60),
            offset_metadata_length_max: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            pending_members_max: 5_000,
            member_metadata_bytes_max: 1024 * 1024,
            group_metadata_bytes_max: 32 * 1024 * 1024,
            appends_in_flight_max: 1_024,
        }
    }
}
