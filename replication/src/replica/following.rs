//! What a follower hears from its leader, and what its writer reports.

use protocol::Offset;

use super::{Replica, State};
use crate::effect::Effects;
use crate::epoch_history::EpochStart;
use crate::fetch::FetchAnswer;

impl Replica {
    /// The leader answered a fetch. Answers to older questions and of other leaderships are
    /// ignored. (A refused or failed fetch is the fetcher's matter: it asks again.)
    pub fn on_fetch_answer(&mut self, answer: &FetchAnswer, effects: &mut Effects) {
        if let State::Follower(follower) = &mut self.state {
            follower.on_fetch_answer(answer, &mut self.log, effects);
        }
        self.debug_assert_invariants();
    }

    /// The writer appended the fetched batches: the log now ends at `end_offset`, and `epochs`
    /// says where the leader epochs in them start.
    pub fn on_follower_appended(
        &mut self,
        end_offset: Offset,
        epochs: &[EpochStart],
        effects: &mut Effects,
    ) {
        if let State::Follower(follower) = &mut self.state {
            follower.on_appended(end_offset, epochs, &mut self.log, effects);
        }
        self.debug_assert_invariants();
    }

    /// The writer refused the fetched batches and nothing was written: they are asked for again.
    pub fn on_follower_append_refused(&mut self, effects: &mut Effects) {
        if let State::Follower(follower) = &mut self.state {
            follower.on_append_refused(&self.log, effects);
        }
        self.debug_assert_invariants();
    }

    /// `TruncateTo` or `RestartLogAt` is done.
    pub fn on_truncated(&mut self, effects: &mut Effects) {
        if let State::Follower(follower) = &mut self.state {
            follower.on_truncated(&mut self.log, effects);
        }
        self.debug_assert_invariants();
    }
}
