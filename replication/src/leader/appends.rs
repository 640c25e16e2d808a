//! The hot path of a leader: admitted, written, flushed, committed.

use protocol::Offset;

use super::Leader;
use crate::acks::Acks;
use crate::effect::{Effect, Effects, Ticket};
use crate::moment::Moment;
use crate::pending_appends::Reported;
use crate::refusal::Refusal;
use crate::replica_log::ReplicaLog;

impl Leader {
    pub(crate) fn on_produce(&mut self, ticket: Ticket, acks: Acks) -> Result<(), Refusal> {
        if acks == Acks::All && !self.has_enough_in_sync() {
            let (in_sync, needed) = (self.in_sync.members().len(), self.needed());
            return Err(Refusal::NotEnoughReplicas { in_sync, needed });
        }
        self.pending.admit(ticket, acks);
        Ok(())
    }

    pub(crate) fn on_appended(
        &mut self,
        now: Moment,
        ticket: Ticket,
        (base_offset, end_offset): (Offset, Offset),
        log: &mut ReplicaLog,
        effects: &mut Effects,
    ) {
        for follower in &mut self.followers {
            follower.note_append(now, log.log_end, end_offset);
        }
        log.append(self.leader_epoch, base_offset, end_offset);
        match self.pending.take_admitted(ticket) {
            Reported::Wants(Acks::All) => self.pending.wait(ticket, base_offset, end_offset),
            Reported::Wants(Acks::None | Acks::Leader) => {
                let log_start_offset = log.log_start;
                effects.push(Effect::Acknowledge { ticket, base_offset, log_start_offset });
            }
            Reported::Answered => {}
        }
        self.want_flush(log, effects);
        if !self.counts_flushed() {
            self.advance_high_watermark(log, effects);
        }
        self.arm_deadline(effects);
    }

    pub(crate) fn on_duplicate(
        &mut self,
        ticket: Ticket,
        (base_offset, end_offset): (Offset, Offset),
        log: &ReplicaLog,
        effects: &mut Effects,
    ) {
        match self.pending.take_admitted(ticket) {
            Reported::Wants(Acks::All) if end_offset > log.high_watermark.get() => {
                self.pending.wait(ticket, base_offset, end_offset);
            }
            Reported::Wants(Acks::All) => {
                effects.push(self.commit_answer(ticket, base_offset, log));
            }
            Reported::Wants(Acks::None | Acks::Leader) => {
                let log_start_offset = log.log_start;
                effects.push(Effect::Acknowledge { ticket, base_offset, log_start_offset });
            }
            Reported::Answered => {}
        }
    }

    pub(crate) fn on_flushed(&mut self, offset: Offset, log: &mut ReplicaLog, out: &mut Effects) {
        log.flush(offset);
        if self.flush_wanted.is_some_and(|wanted| wanted <= log.flushed) {
            self.flush_wanted = None;
        }
        self.want_flush(log, out);
        if self.counts_flushed() {
            self.advance_high_watermark(log, out);
        }
    }

    pub(crate) fn on_log_start_moved(
        &mut self,
        offset: Offset,
        log: &mut ReplicaLog,
        out: &mut Effects,
    ) {
        if log.move_start(offset) {
            self.publish_high_watermark(log, out);
        }
    }
}
