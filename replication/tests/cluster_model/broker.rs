//! One broker: its disk, its replica, and a shell that does what the real one promises.

use std::collections::{HashMap, VecDeque};

use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use replication::{
    Acks, Effect, Effects, FetchAnswer, FetchOutcome, FetchVerdict, FlushProgress, FollowerFetch,
    Moment, Refusal, Replica, Role, Ticket,
};

use crate::disk::{Disk, Record};
use crate::message::{Letter, Message, Plea, Report};
use crate::oracle::{Oracle, Verdict};

#[derive(Clone, Copy, Debug)]
pub struct Produced {
    pub value: u64,
    pub acks: Acks,
}

/// What the writer does, in order.
enum Work {
    Append(Ticket),
    AppendFetched(Vec<Record>),
    TruncateTo(i64),
    RestartLogAt(i64),
}

pub struct Broker {
    pub id: BrokerId,
    pub broker_epoch: BrokerEpoch,
    pub disk: Disk,
    /// `None` while the process is down.
    pub replica: Option<Replica>,
    /// Counts the replicas that this broker had.
    pub replica_number: u64,
    pub deadline: Option<Moment>,
    /// The highest leader epoch told of in the life of this process.
    spent: LeaderEpoch,
    work: VecDeque<Work>,
    is_flush_wanted: bool,
    /// What the fetcher asks, and whom.
    fetch: Option<(BrokerId, FollowerFetch)>,
    /// The flush report that was not answered yet.
    report: Option<(BrokerId, FlushProgress)>,
    tickets: HashMap<Ticket, Produced>,
    next_ticket: Ticket,
}

/// What one input brings: messages to send, promises to check.
pub struct Turn<'a> {
    pub now: Moment,
    pub oracle: &'a mut Oracle,
    pub sent: &'a mut Vec<Message>,
    pub make: fn(LeaderEpoch, Option<crate::Bug>) -> Replica,
    pub bug: Option<crate::Bug>,
}

impl Broker {
    pub fn new(id: BrokerId) -> Self {
        Self {
            id,
            broker_epoch: BrokerEpoch::UNKNOWN,
            disk: Disk::default(),
            replica: None,
            replica_number: 0,
            deadline: None,
            spent: LeaderEpoch::UNKNOWN,
            work: VecDeque::new(),
            is_flush_wanted: false,
            fetch: None,
            report: None,
            tickets: HashMap::new(),
            next_ticket: 0,
        }
    }

    pub fn is_leader(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.role() == Role::Leader)
    }

    pub fn is_offline(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.role() == Role::Offline)
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.work.is_empty() && self.tickets.is_empty() && self.report.is_none()
    }

    pub fn start(&mut self, broker_epoch: BrokerEpoch, turn: &mut Turn<'_>) {
        self.broker_epoch = broker_epoch;
        self.spent = LeaderEpoch::UNKNOWN;
        self.start_replica(turn);
    }

    /// The process is killed; `lucky` unflushed records survive.
    pub fn crash(&mut self, lucky: i64) {
        self.disk.crash(lucky);
        self.replica = None;
        self.forget();
    }

    fn forget(&mut self) {
        self.deadline = None;
        self.work.clear();
        self.is_flush_wanted = false;
        self.fetch = None;
        self.report = None;
        self.tickets.clear();
    }

    /// The supervisor starts the replica, for the first time or after it failed.
    pub fn start_replica(&mut self, turn: &mut Turn<'_>) {
        self.forget();
        self.replica_number += 1;
        self.replica = Some((turn.make)(self.spent, turn.bug));
    }

    /// The replica panics and is restarted in the same process: what was written stays, whether
    /// flushed or not, and nobody answers the tickets.
    pub fn panic(&mut self, turn: &mut Turn<'_>) {
        if self.is_leader() {
            self.plead(Plea::CannotLead(self.spent), turn);
        }
        self.start_replica(turn);
    }

    pub fn produce(&mut self, value: u64, acks: Acks) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(replica) = &mut self.replica
            && replica.on_produce(ticket, acks).is_ok()
        {
            self.tickets.insert(ticket, Produced { value, acks });
            self.work.push_back(Work::Append(ticket));
        }
    }

    pub fn expire(&mut self, turn: &mut Turn<'_>) -> Verdict {
        let Some(ticket) = self.tickets.keys().min().copied() else { return Ok(()) };
        self.tell(turn, |replica, effects| replica.on_ticket_expired(ticket, effects))
    }

    /// Gives the replica an input and does what it wants done.
    pub fn tell<T>(
        &mut self,
        turn: &mut Turn<'_>,
        input: impl FnOnce(&mut Replica, &mut Effects) -> T,
    ) -> Result<T, String> {
        let mut effects = Effects::new();
        let mut replica = self.replica.take().ok_or("nobody is there")?;
        let answer = input(&mut replica, &mut effects);
        self.spent = replica.leader_epoch().max(self.spent);
        if !effects.is_empty() {
            crate::trace(|| format!("broker {} {}: {effects:?}", self.id, replica.leader_epoch()));
        }
        let performed = effects.iter().try_for_each(|effect| self.perform(&replica, effect, turn));
        self.replica = Some(replica);
        performed.map(|()| answer)
    }

    fn perform(&mut self, replica: &Replica, effect: &Effect, turn: &mut Turn<'_>) -> Verdict {
        match effect {
            Effect::Acknowledge { ticket, .. } | Effect::Refuse { ticket, .. } => {
                turn.oracle.on_answer(effect, self.tickets.remove(ticket))?;
            }
            Effect::HighWatermarkAdvanced { .. } | Effect::BecameReadable { .. } => {
                turn.oracle.on_high_watermark(self, replica)?;
            }
            Effect::FlushNeeded { .. } => self.is_flush_wanted = true,
            Effect::ProposeInSyncReplicas(proposal) => {
                self.plead(Plea::Propose(proposal.clone()), turn);
            }
            Effect::ArmLagDeadline { at } => self.deadline = Some(*at),
            Effect::DisarmLagDeadline => self.deadline = None,
            Effect::LeadershipLost { leader_epoch } => {
                self.plead(Plea::CannotLead(*leader_epoch), turn);
            }
            Effect::FetchFrom {
                leader,
                leader_epoch,
                position,
                log_start_offset,
                flushed_offset,
            } => {
                let fetch = FollowerFetch {
                    follower: self.id,
                    broker_epoch: self.broker_epoch,
                    leader_epoch: *leader_epoch,
                    position: *position,
                    readable_from: Some(*log_start_offset),
                    flushed_offset: *flushed_offset,
                };
                self.fetch = Some((*leader, fetch));
            }
            Effect::StopFetching { .. } => (self.fetch, self.report) = (None, None),
            // pushed by whoever holds the batches
            Effect::AppendFetched { .. } => {}
            Effect::TruncateTo { below_high_watermark: true, offset } => {
                return Err(format!("broker {} cuts committed records at {offset}", self.id));
            }
            Effect::TruncateTo { offset, .. } => {
                self.work.push_back(Work::TruncateTo(offset.value()));
            }
            Effect::RestartLogAt { offset } => {
                self.work.push_back(Work::RestartLogAt(offset.value()));
            }
            Effect::MoveLogStart { offset } => self.disk.move_start(offset.value()),
            Effect::ReportFlushProgress { leader, leader_epoch, flushed_offset } => {
                let report = FlushProgress {
                    follower: self.id,
                    broker_epoch: self.broker_epoch,
                    leader_epoch: *leader_epoch,
                    flushed_offset: *flushed_offset,
                };
                self.report = Some((*leader, report));
            }
            Effect::ReportFailure { leader, .. } => {
                let report = Report::Failed(self.id, self.broker_epoch);
                turn.sent.push(Message::Report { to: *leader, report });
            }
        }
        Ok(())
    }

    fn plead(&self, plea: Plea, turn: &mut Turn<'_>) {
        let (from, broker_epoch) = (self.id, self.broker_epoch);
        turn.sent.push(Message::Plea { from, broker_epoch, plea });
    }

    /// Sends what is waiting to be sent: the fetch, and the flush report.
    pub fn send(&mut self, turn: &mut Turn<'_>) {
        if let Some((to, fetch)) = self.fetch {
            turn.sent.push(Message::Report { to, report: Report::Fetch(fetch) });
        }
        if let Some((to, report)) = self.report {
            turn.sent.push(Message::Report { to, report: Report::Flushed(report) });
        }
    }

    /// The flush report was answered: it need not be repeated.
    pub fn on_report_answered(&mut self, answered: FlushProgress) {
        if self.report.is_some_and(|(_, report)| report == answered) {
            self.report = None;
        }
    }

    /// The writer does the next thing. Says whether there was one.
    pub fn work(&mut self, turn: &mut Turn<'_>) -> Result<bool, String> {
        let Some(work) = self.work.pop_front() else { return Ok(false) };
        match work {
            Work::Append(ticket) => {
                let Some(produced) = self.tickets.get(&ticket).copied() else {
                    // expired, and written nevertheless
                    return self.append(ticket, u64::MAX - ticket, turn).map(|()| true);
                };
                self.append(ticket, produced.value, turn)?;
            }
            Work::AppendFetched(records) => {
                let base = self.disk.end();
                records.into_iter().for_each(|record| self.disk.append(record));
                let (end, epochs) = (Offset::new(self.disk.end()), self.disk.epochs_from(base));
                self.tell(turn, |r, effects| r.on_follower_appended(end, &epochs, effects))?;
            }
            Work::TruncateTo(offset) => {
                self.disk.truncate_to(offset);
                self.tell(turn, Replica::on_truncated)?;
            }
            Work::RestartLogAt(offset) => {
                self.disk.restart_at(offset);
                self.tell(turn, Replica::on_truncated)?;
            }
        }
        Ok(true)
    }

    fn append(&mut self, ticket: Ticket, value: u64, turn: &mut Turn<'_>) -> Verdict {
        let epoch = self.replica.as_ref().map_or(LeaderEpoch::UNKNOWN, Replica::leader_epoch);
        let (base, record) = (self.disk.end(), Record { epoch, value });
        turn.oracle.on_append(self, base, record)?;
        self.disk.append(record);
        let (base, end, now) = (Offset::new(base), Offset::new(base + 1), turn.now);
        self.tell(turn, |replica, effects| replica.on_appended(now, ticket, base, end, effects))
    }

    /// A flush ends, if one was wanted.
    pub fn flush(&mut self, turn: &mut Turn<'_>) -> Verdict {
        if !std::mem::take(&mut self.is_flush_wanted) {
            return Ok(());
        }
        self.disk.flush();
        let flushed = Offset::new(self.disk.flushed());
        self.tell(turn, |replica, effects| replica.on_flushed(flushed, effects))
    }

    /// A flush fails: what was not flushed is lost.
    pub fn fail_flush(&mut self, turn: &mut Turn<'_>) -> Verdict {
        self.work.clear();
        self.tell(turn, Replica::on_flush_failed)?;
        self.disk.crash(0);
        Ok(())
    }

    /// The writer finishes what it was given before a role changes.
    fn drain(&mut self, turn: &mut Turn<'_>) -> Verdict {
        while self.work(turn)? {}
        Ok(())
    }

    pub fn on_letter(&mut self, letter: Letter, turn: &mut Turn<'_>) -> Verdict {
        let now = turn.now;
        match letter {
            Letter::BecomeLeader(term) => {
                self.drain(turn)?;
                let offsets = self.disk.offsets();
                let told = self
                    .tell(turn, |r, effects| r.on_become_leader(now, &term, &offsets, effects))?;
                match told {
                    Ok(()) => self.check_leadership(turn)?,
                    Err(Refusal::LeaderEpochSpent { .. } | Refusal::StorageFailed) => {
                        self.plead(Plea::CannotLead(term.leader_epoch), turn);
                    }
                    Err(_) => {}
                }
            }
            Letter::BecomeFollower(term) => {
                self.drain(turn)?;
                let offsets = self.disk.offsets();
                // a refusal is a message from the past, or an offline replica
                let _ = self.tell(turn, |r, out| r.on_become_follower(&term, &offsets, out))?;
            }
            Letter::NoLeader(epoch) => {
                self.drain(turn)?;
                let _ = self.tell(turn, |r, effects| r.on_no_leader(epoch, effects))?;
            }
            Letter::Changed(change) => {
                self.tell(turn, |r, effects| r.on_partition_changed(now, &change, effects))?;
            }
            Letter::Refused(epoch, reason) => {
                self.tell(turn, |r, effects| r.on_in_sync_refused(now, epoch, reason, effects))?;
            }
            Letter::Unfenced(broker) => {
                self.tell(turn, |r, effects| r.on_follower_unfenced(now, broker, effects))?;
            }
            Letter::FetchAnswer(answer, records) => self.on_fetch_answer(&answer, records, turn)?,
        }
        Ok(())
    }

    fn check_leadership(&mut self, turn: &mut Turn<'_>) -> Verdict {
        let replica = self.replica.take().ok_or("nobody is there")?;
        let verdict = turn.oracle.on_leadership(self, &replica);
        self.replica = Some(replica);
        verdict
    }

    fn on_fetch_answer(
        &mut self,
        answer: &FetchAnswer,
        records: Vec<Record>,
        turn: &mut Turn<'_>,
    ) -> Verdict {
        let mut records = Some(records);
        let mut is_taken = false;
        self.tell(turn, |replica, effects| {
            replica.on_fetch_answer(answer, effects);
            is_taken = effects.iter().any(|e| matches!(e, Effect::AppendFetched { .. }));
        })?;
        if is_taken {
            self.work.extend(records.take().map(Work::AppendFetched));
        }
        Ok(())
    }

    /// Answers a fetch as a leader. `limit` is in records.
    pub fn serve(
        &mut self,
        fetch: &FollowerFetch,
        limit: usize,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Letter>, String> {
        let now = turn.now;
        let verdict = self.tell(turn, |r, effects| r.on_follower_fetch(now, fetch, effects))?;
        let (Ok(verdict), Some(replica)) = (verdict, &self.replica) else { return Ok(None) };
        let mut records = Vec::new();
        let outcome = match verdict {
            FetchVerdict::ReadFrom { offset } => {
                records = self.disk.read(offset.value(), limit);
                match records.is_empty() {
                    true => FetchOutcome::Nothing,
                    false => FetchOutcome::Batches { base_offset: offset },
                }
            }
            FetchVerdict::Diverging(end) => FetchOutcome::Diverging(end),
            FetchVerdict::OutOfRange { log_end_offset, .. } => {
                FetchOutcome::OutOfRange { log_end_offset }
            }
        };
        let answer = FetchAnswer {
            leader_epoch: fetch.leader_epoch,
            asked: fetch.position,
            high_watermark: replica.high_watermark(),
            log_start_offset: replica.log_start_offset(),
            outcome,
        };
        Ok(Some(Letter::FetchAnswer(answer, records)))
    }
}
