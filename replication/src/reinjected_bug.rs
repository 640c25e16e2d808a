//! Mistakes that Kafka once made, to be made again on purpose: a suite that does not find them
//! would not find the next one either. Without the feature `reinjected-bugs` none can be switched
//! on and the compiler removes the questions.

/// One historical mistake. The letters are those of the failure catalogue of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReinjectedBug {
    /// A1, KIP-101 first scenario: a follower cuts its log to its high watermark before it
    /// fetches.
    TruncateToHighWatermark,
    /// A2, KIP-101 second scenario: a leader judges a follower by its offset alone.
    JudgeByOffsetAlone,
    /// A3, KIP-279: a leader answers where the next epoch starts and does not say that it lacks
    /// the one asked about.
    HideMissingEpoch,
    /// A3, KAFKA-10706: an epoch whose records were all cut stays, and is asked about for ever.
    KeepEmptyEpochs,
    /// A4, KAFKA-7164: a follower does not compare epochs if the leader is the same as before.
    TrustUnchangedLeader,
    /// A5, KAFKA-15510: an empty answer makes a follower forget the epoch of its last record.
    ForgetEpochOnEmptyAnswer,
    /// A6, Jepsen: a leader that the cluster has deposed drops followers by itself and goes on.
    ShrinkWithoutController,
    /// A7, Kafka 0.8: a leader commits alone, below `min.insync.replicas`.
    IgnoreMinInSync,
    /// A8, KIP-966: what is not flushed counts.
    CountUnflushed,
    /// A9, KIP-903: a request of an earlier registration speaks for the present one.
    IgnoreBrokerEpoch,
}

/// Which mistake this replica makes: none, unless a test says so.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BugSwitch {
    #[cfg(feature = "reinjected-bugs")]
    bug: Option<ReinjectedBug>,
    #[cfg(feature = "reinjected-bugs")]
    forgot_epoch: bool,
}

#[cfg(feature = "reinjected-bugs")]
impl BugSwitch {
    pub(crate) const fn on(bug: ReinjectedBug) -> Self {
        Self { bug: Some(bug), forgot_epoch: false }
    }

    pub(crate) fn is(self, bug: ReinjectedBug) -> bool {
        self.bug == Some(bug)
    }

    /// The follower forgets the epoch of its last record, if it makes this mistake.
    pub(crate) fn forget_epoch(&mut self, bug: ReinjectedBug) {
        self.forgot_epoch |= self.is(bug);
    }

    pub(crate) fn remember_epoch(&mut self) {
        self.forgot_epoch = false;
    }

    pub(crate) const fn has_forgotten_epoch(self) -> bool {
        self.forgot_epoch
    }
}

#[cfg(not(feature = "reinjected-bugs"))]
impl BugSwitch {
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn is(self, _bug: ReinjectedBug) -> bool {
        false
    }

    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn forget_epoch(&mut self, _bug: ReinjectedBug) {}

    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn remember_epoch(&mut self) {}

    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn has_forgotten_epoch(self) -> bool {
        false
    }
}
