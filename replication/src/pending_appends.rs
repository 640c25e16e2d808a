//! Appends on their way: admitted and not yet written, then written and not yet committed.
//!
//! Tickets come in increasing order and the writer keeps that order, so both queues are ordered by
//! ticket, and the second by end offset as well. Whoever admits appends bounds them.

use std::collections::VecDeque;

use protocol::Offset;

use crate::acks::Acks;
use crate::effect::Ticket;

/// An append that the writer has yet to report.
#[derive(Clone, Copy, Debug)]
struct Admitted {
    ticket: Ticket,
    acks: Acks,
    /// Its deadline passed: the writer's report finds it answered.
    answered: bool,
}

/// An append with `acks=all` that waits for the high watermark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) base_offset: Offset,
    /// Answered when the high watermark is at or above it.
    pub(crate) end_offset: Offset,
    answered: bool,
}

/// What became of a ticket that the writer reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It wants an answer at this level.
    Wants(Acks),
    /// It was answered before, or never admitted under this leadership.
    Answered,
}

/// The two queues of a leader.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingAppends {
    admitted: VecDeque<Admitted>,
    waiting: VecDeque<Waiting>,
}

impl PendingAppends {
    pub(crate) fn admit(&mut self, ticket: Ticket, acks: Acks) {
        debug_assert!(
            self.admitted.back().is_none_or(|last| last.ticket < ticket),
            "R5: tickets are handed out in increasing order"
        );
        self.admitted.push_back(Admitted { ticket, acks, answered: false });
    }

    /// The writer reported this ticket: takes it out. Nearly always the first one.
    pub(crate) fn take_admitted(&mut self, ticket: Ticket) -> Reported {
        let Ok(index) = self.admitted.binary_search_by_key(&ticket, |a| a.ticket) else {
            return Reported::Answered;
        };
        match self.admitted.remove(index) {
            Some(Admitted { acks, answered: false, .. }) => Reported::Wants(acks),
            _ => Reported::Answered,
        }
    }

    /// The writer refused this ticket: takes it out and says whether it was still unanswered.
    pub(crate) fn take_refused(&mut self, ticket: Ticket) -> bool {
        matches!(self.take_admitted(ticket), Reported::Wants(_))
    }

    /// Waits until the high watermark reaches `end_offset`. A duplicate's original may lie below
    /// appends that wait already: then it waits with the last of them, which keeps the order.
    pub(crate) fn wait(&mut self, ticket: Ticket, base_offset: Offset, end_offset: Offset) {
        let last = self.waiting.back();
        debug_assert!(
            last.is_none_or(|last| last.ticket < ticket),
            "R5: the writer reports tickets in increasing order"
        );
        let end_offset = last.map_or(end_offset, |last| last.end_offset.max(end_offset));
        self.waiting.push_back(Waiting { ticket, base_offset, end_offset, answered: false });
    }

    /// The next append that the high watermark has reached, if any.
    pub(crate) fn take_reached(&mut self, high_watermark: Offset) -> Option<Waiting> {
        while self.waiting.front().is_some_and(|first| first.end_offset <= high_watermark) {
            match self.waiting.pop_front() {
                Some(first) if !first.answered => return Some(first),
                _ => {}
            }
        }
        None
    }

    /// Marks a ticket as answered; says whether it was pending.
    pub(crate) fn expire(&mut self, ticket: Ticket) -> bool {
        let answered = if let Ok(index) = self.waiting.binary_search_by_key(&ticket, |w| w.ticket) {
            self.waiting.get_mut(index).map(|waiting| &mut waiting.answered)
        } else {
            let index = self.admitted.binary_search_by_key(&ticket, |a| a.ticket).ok();
            index.and_then(|i| self.admitted.get_mut(i)).map(|admitted| &mut admitted.answered)
        };
        let expired = answered.is_some_and(|answered| !std::mem::replace(answered, true));
        while self.waiting.front().is_some_and(|first| first.answered) {
            self.waiting.pop_front();
        }
        expired
    }

    /// Takes every ticket that is not answered yet, in order of their offsets.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Ticket> + '_ {
        let waiting = self.waiting.drain(..).filter(|w| !w.answered).map(|w| w.ticket);
        let admitted = self.admitted.drain(..).filter(|a| !a.answered).map(|a| a.ticket);
        waiting.chain(admitted)
    }

    /// How many tickets are in the queues, answered ones among them.
    pub(crate) fn len(&self) -> usize {
        self.admitted.len() + self.waiting.len()
    }

    pub(crate) fn debug_assert_invariants(&self, high_watermark: Offset) {
        if let Some(first) = self.waiting.front() {
            debug_assert!(first.end_offset > high_watermark, "R5: a committed append waits");
        }
        if let (Some(last), Some(first)) = (self.waiting.back(), self.admitted.front()) {
            debug_assert!(last.ticket < first.ticket, "R5: written before admitted earlier");
        }
    }
}
