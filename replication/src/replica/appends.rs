//! Appends of a leader, and what the writer reports.

use protocol::Offset;

use super::{Replica, State};
use crate::acks::Acks;
use crate::effect::{Effect, Effects, Ticket};
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::term::ReplicationSettings;

impl Replica {
    /// May this append start? Asked before its bytes go to the writer. From `Ok` on the ticket is
    /// pending: exactly one `Acknowledge` or `Refuse` answers it, unless the writer refuses the
    /// append itself (`on_append_refused`).
    ///
    /// # Errors
    /// `NotLeader`, or `StorageFailed` after a failure; `NotEnoughReplicas` for `acks=all`.
    pub fn on_produce(&mut self, ticket: Ticket, acks: Acks) -> Result<(), Refusal> {
        let outcome = match &mut self.state {
            State::Leader(leader) => leader.on_produce(ticket, acks),
            State::Offline(reason) => Err(*reason),
            State::AwaitingElection | State::Follower(_) => Err(Refusal::NotLeader),
        };
        self.debug_assert_invariants();
        outcome
    }

    /// The writer wrote an append of this leadership to the file, unflushed: records
    /// `[base_offset, end_offset)`. Reports come in the order of the admissions.
    pub fn on_appended(
        &mut self,
        now: Moment,
        ticket: Ticket,
        base_offset: Offset,
        end_offset: Offset,
        effects: &mut Effects,
    ) {
        if let State::Leader(leader) = &mut self.state {
            // a report of an earlier leadership, which this one's offsets already contain
            if end_offset > self.log.log_end {
                let records = (base_offset, end_offset);
                leader.on_appended(now, ticket, records, &mut self.log, effects);
            }
        }
        self.debug_assert_invariants();
    }

    /// The writer found that these records are in the log already, as `[base_offset, end_offset)`:
    /// answered when the original meets the condition of this request's `acks`.
    pub fn on_duplicate(
        &mut self,
        ticket: Ticket,
        base_offset: Offset,
        end_offset: Offset,
        effects: &mut Effects,
    ) {
        if let State::Leader(leader) = &mut self.state {
            leader.on_duplicate(ticket, (base_offset, end_offset), &self.log, effects);
        }
        self.debug_assert_invariants();
    }

    /// Leader: the writer refused this append (its producer is fenced, its batch is bad, …): the
    /// shell answers it with the writer's reason. Says whether the ticket still waits for that.
    pub fn on_append_refused(&mut self, ticket: Ticket) -> bool {
        let is_pending = match &mut self.state {
            State::Leader(leader) => leader.pending.take_refused(ticket),
            State::AwaitingElection | State::Follower(_) | State::Offline(_) => false,
        };
        self.debug_assert_invariants();
        is_pending
    }

    /// The deadline of this ticket passed: refused with `RequestTimedOut` if it is still pending.
    pub fn on_ticket_expired(&mut self, ticket: Ticket, effects: &mut Effects) {
        if let State::Leader(leader) = &mut self.state
            && leader.pending.expire(ticket)
        {
            effects.push(Effect::Refuse { ticket, reason: Refusal::RequestTimedOut });
        }
        self.debug_assert_invariants();
    }

    /// A flush succeeded: everything below `offset` is on disk. Reported after the append reports
    /// of what it covers, and never across a truncation.
    pub fn on_flushed(&mut self, offset: Offset, effects: &mut Effects) {
        match &mut self.state {
            State::Leader(leader) => leader.on_flushed(offset, &mut self.log, effects),
            State::Follower(follower) => follower.on_flushed(offset, &mut self.log, effects),
            State::AwaitingElection | State::Offline(_) => {}
        }
        self.debug_assert_invariants();
    }

    /// Retention or DeleteRecords moved the log start offset; never above the high watermark.
    pub fn on_log_start_moved(&mut self, offset: Offset, effects: &mut Effects) {
        match &mut self.state {
            State::Leader(leader) => leader.on_log_start_moved(offset, &mut self.log, effects),
            State::Follower(_) | State::AwaitingElection | State::Offline(_) => {
                self.log.move_start(offset);
            }
        }
        self.debug_assert_invariants();
    }

    /// The topic's settings changed.
    pub fn on_settings_changed(
        &mut self,
        now: Moment,
        settings: ReplicationSettings,
        effects: &mut Effects,
    ) {
        match &mut self.state {
            State::Leader(leader) => {
                leader.on_settings_changed(now, settings, &mut self.log, effects);
            }
            State::Follower(follower) => {
                follower.on_settings_changed(settings, &self.log, effects);
            }
            State::AwaitingElection | State::Offline(_) => {}
        }
        self.debug_assert_invariants();
    }
}
