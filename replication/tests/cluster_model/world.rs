//! Brokers, a controller and a network that loses, repeats and reorders; then a time of healing.

use std::time::Duration;

use protocol::{BrokerId, LeaderEpoch, Offset};
use replication::{Acks, InSyncRefusal, Moment, Replica, ReplicationSettings, Role};

use crate::Bug;
use crate::broker::{Broker, Turn};
use crate::controller::Controller;
use crate::dice::Dice;
use crate::message::{Letter, Message, Plea, Report};
use crate::oracle::{Oracle, Verdict};

/// How often, in hundredths of a step.
struct Faults {
    lose: usize,
    repeat: usize,
    crash: usize,
    fence: usize,
    move_leader: usize,
    fail_flush: usize,
    panic: usize,
    wipe: usize,
    delete_records: usize,
}

impl Faults {
    /// Every run has its own mixture: some only crash, some only lose messages.
    fn roll(dice: &mut Dice) -> Self {
        let mut some = |most: usize| if dice.percent(60) { dice.below(most + 1) } else { 0 };
        Self {
            lose: some(20),
            repeat: some(20),
            crash: some(3),
            fence: some(3),
            move_leader: some(3),
            fail_flush: some(2),
            panic: some(2),
            wipe: some(2),
            delete_records: some(2),
        }
    }
}

pub struct World {
    dice: Dice,
    faults: Faults,
    settings: ReplicationSettings,
    now: Moment,
    brokers: Vec<Broker>,
    controller: Controller,
    network: Vec<Message>,
    pub oracle: Oracle,
    /// The broker whose disk was lost, until it is in sync again: so many at once are survived.
    wiped: Option<BrokerId>,
    next_value: u64,
    bug: Option<Bug>,
}

#[cfg(feature = "reinjected-bugs")]
fn make(spent: LeaderEpoch, bug: Option<Bug>) -> Replica {
    match bug {
        Some(bug) => Replica::with_bug(spent, bug),
        None => Replica::restarted(spent),
    }
}

#[cfg(not(feature = "reinjected-bugs"))]
fn make(spent: LeaderEpoch, _bug: Option<Bug>) -> Replica {
    Replica::restarted(spent)
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut dice = Dice::new(seed);
        let faults = Faults::roll(&mut dice);
        let settings = ReplicationSettings {
            min_in_sync_replicas: 1 + dice.below(2),
            flush_before_ack: dice.percent(75),
            replica_lag_time_max: Duration::from_secs(1),
        };
        let ids: Vec<_> = (1..=3).map(BrokerId).collect();
        let controller = Controller::new(&ids, settings);
        let brokers = ids.into_iter().map(Broker::new).collect();
        let mut world = Self {
            dice,
            faults,
            settings,
            now: Moment::ORIGIN,
            brokers,
            controller,
            network: Vec::new(),
            oracle: Oracle::default(),
            wiped: None,
            next_value: 0,
            bug,
        };
        (0..world.brokers.len()).for_each(|index| world.start_broker(index, false));
        world
    }

    /// Faults for `steps` steps, then healing.
    pub fn run(&mut self, steps: usize) -> Verdict {
        for step in 0..steps {
            self.step().map_err(|broken| format!("step {step}: {broken}"))?;
        }
        self.heal()
    }

    fn with_broker<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Broker, &mut Turn<'_>) -> T,
    ) -> T {
        let mut turn = Turn {
            now: self.now,
            oracle: &mut self.oracle,
            sent: &mut self.network,
            make,
            bug: self.bug,
        };
        act(&mut self.brokers[index], &mut turn)
    }

    fn start_broker(&mut self, index: usize, is_wiped: bool) {
        let (broker_epoch, messages) = self.controller.register(self.brokers[index].id, is_wiped);
        self.network.extend(messages);
        self.with_broker(index, |broker, turn| broker.start(broker_epoch, turn));
    }

    fn step(&mut self) -> Verdict {
        self.cause_trouble()?;
        let index = self.dice.below(self.brokers.len());
        if self.brokers[index].replica.is_none() {
            if self.dice.percent(10) {
                self.start_broker(index, false);
            }
            return self.deliver_some();
        }
        match self.dice.below(10) {
            0 if self.brokers[index].is_leader() => {
                let acks = if self.dice.percent(80) { Acks::All } else { Acks::Leader };
                self.next_value += 1;
                self.brokers[index].produce(self.next_value, acks);
            }
            1..=2 => {
                self.with_broker(index, Broker::work)?;
            }
            3..=4 => self.with_broker(index, Broker::flush)?,
            5 => self.with_broker(index, |broker, turn| broker.send(turn)),
            6 => self.pass_time()?,
            _ => self.deliver_some()?,
        }
        Ok(())
    }

    fn cause_trouble(&mut self) -> Verdict {
        let index = self.dice.below(self.brokers.len());
        let id = self.brokers[index].id;
        let is_up = self.brokers[index].replica.is_some();
        if is_up && self.dice.percent(self.faults.crash) {
            self.crash(index);
        } else if self.dice.percent(self.faults.fence) {
            let messages = self.controller.fence(id);
            self.network.extend(messages);
        } else if self.dice.percent(self.faults.move_leader) {
            let messages = self.controller.move_leader(&mut self.dice);
            self.network.extend(messages);
        } else if is_up && self.settings.flush_before_ack && self.may(self.faults.fail_flush) {
            self.with_broker(index, Broker::fail_flush)?;
        } else if is_up && self.may(self.faults.panic) {
            self.with_broker(index, Broker::panic);
        } else if is_up && self.dice.percent(self.faults.delete_records) {
            self.delete_records(index)?;
        } else if is_up && self.may(self.faults.wipe) {
            self.wipe(index);
        } else if is_up && self.dice.percent(1) {
            self.with_broker(index, Broker::expire)?;
        } else if self.brokers[index].is_offline() && self.dice.percent(20) {
            self.with_broker(index, Broker::start_replica);
        } else if is_up && self.controller.is_fenced(id) && self.dice.percent(20) {
            let messages = self.controller.unfence(id);
            self.network.extend(messages);
        } else if self.dice.percent(5) {
            self.network.extend(self.controller.publish(id));
        }
        self.note_recovered();
        Ok(())
    }

    /// A rarer fault: a tenth of `percent`.
    fn may(&mut self, percent: usize) -> bool {
        self.dice.percent(percent) && self.dice.percent(30)
    }

    fn crash(&mut self, index: usize) {
        crate::trace(|| format!("broker {} crashes", self.brokers[index].id));
        let broker = &mut self.brokers[index];
        let unflushed = broker.disk.end() - broker.disk.flushed();
        // without flush.before.ack only the process is killed: the page cache survives
        let kept = match self.settings.flush_before_ack {
            true => self.dice.below(usize::try_from(unflushed).unwrap() + 1),
            false => usize::try_from(unflushed).unwrap(),
        };
        self.brokers[index].crash(i64::try_from(kept).unwrap());
        if self.dice.percent(50) {
            let messages = self.controller.fence(self.brokers[index].id);
            self.network.extend(messages);
        }
    }

    /// A disk is lost and the broker comes back with an empty one. The promise covers
    /// `min.insync.replicas - 1` of them at once.
    fn wipe(&mut self, index: usize) {
        if self.wiped.is_none() && self.settings.min_in_sync_replicas > 1 {
            self.brokers[index].crash(0);
            self.brokers[index].disk.restart_at(0);
            self.wiped = Some(self.brokers[index].id);
            crate::trace(|| format!("broker {} loses its disk", self.brokers[index].id));
            self.start_broker(index, true);
        }
    }

    fn note_recovered(&mut self) {
        self.wiped = self.wiped.filter(|broker| !self.controller.in_sync().contains(broker));
    }

    fn delete_records(&mut self, index: usize) -> Verdict {
        let Some(replica) = self.brokers[index].replica.as_ref() else { return Ok(()) };
        if replica.role() != Role::Leader {
            return Ok(());
        }
        let (start, end) = (replica.log_start_offset(), replica.high_watermark());
        let committed = usize::try_from(end.distance_from(start)).unwrap();
        let to = start.plus(i64::try_from(self.dice.below(committed + 1)).unwrap());
        self.brokers[index].disk.move_start(to.value());
        self.with_broker(index, |broker, turn| {
            broker.tell(turn, |replica, effects| replica.on_log_start_moved(to, effects))
        })
    }

    fn pass_time(&mut self) -> Verdict {
        let milliseconds = u64::try_from(self.dice.below(300)).unwrap();
        self.advance(Duration::from_millis(milliseconds))
    }

    fn advance(&mut self, by: Duration) -> Verdict {
        self.now = self.now.plus(by);
        let now = self.now;
        for index in 0..self.brokers.len() {
            if self.brokers[index].deadline.is_some_and(|at| at <= now) {
                self.brokers[index].deadline = None;
                self.with_broker(index, |broker, turn| {
                    broker.tell(turn, |replica, effects| replica.on_time(now, effects))
                })?;
            }
        }
        Ok(())
    }

    fn deliver_some(&mut self) -> Verdict {
        if self.network.is_empty() {
            return Ok(());
        }
        // the newest third is likelier, so that the cluster makes progress at all
        let from = if self.dice.percent(50) { self.network.len() * 2 / 3 } else { 0 };
        let index = from + self.dice.below(self.network.len() - from);
        let message = match self.dice.percent(self.faults.repeat) {
            true => self.network[index].clone(),
            false => self.network.swap_remove(index),
        };
        if self.dice.percent(self.faults.lose) {
            return self.lose(message);
        }
        self.deliver(message)
    }

    /// A lost proposal is noticed by whoever waits for the answer; so is a lost answer.
    fn lose(&mut self, message: Message) -> Verdict {
        let (to, broker_epoch, proposed_under) = match message {
            Message::Plea { from, broker_epoch, plea: Plea::Propose(proposal) } => {
                (from, broker_epoch, proposal.partition_epoch)
            }
            Message::Letter { to, broker_epoch, letter: Letter::Refused(proposed_under, _) } => {
                (to, broker_epoch, proposed_under)
            }
            Message::Plea { .. } | Message::Letter { .. } | Message::Report { .. } => return Ok(()),
        };
        let letter = Letter::Refused(proposed_under, InSyncRefusal::Unanswered);
        self.deliver(Message::Letter { to, broker_epoch, letter })
    }

    fn index_of(&self, broker: BrokerId) -> Option<usize> {
        self.brokers.iter().position(|b| b.id == broker && b.replica.is_some())
    }

    fn deliver(&mut self, message: Message) -> Verdict {
        crate::trace(|| format!("{message:?}"));
        match message {
            Message::Letter { to, broker_epoch, letter } => {
                let index = self.index_of(to);
                match index.filter(|index| self.brokers[*index].broker_epoch == broker_epoch) {
                    Some(index) => self.with_broker(index, |b, turn| b.on_letter(letter, turn)),
                    None => Ok(()),
                }
            }
            Message::Report { to, report } => match self.index_of(to) {
                Some(index) => self.report(index, report),
                None => Ok(()),
            },
            Message::Plea { from, broker_epoch, plea } => {
                let messages = self.controller.on_plea(from, broker_epoch, &plea);
                self.network.extend(messages);
                Ok(())
            }
        }
    }

    fn report(&mut self, index: usize, report: Report) -> Verdict {
        let now = self.now;
        match report {
            Report::Fetch(fetch) => {
                let limit = 1 + self.dice.below(4);
                let letter = self.with_broker(index, |b, turn| b.serve(&fetch, limit, turn))?;
                let (to, broker_epoch) = (fetch.follower, fetch.broker_epoch);
                let answer = letter.map(|letter| Message::Letter { to, broker_epoch, letter });
                self.network.extend(answer);
            }
            Report::Flushed(progress) => {
                let heard = self.with_broker(index, |broker, turn| {
                    broker.tell(turn, |r, effects| r.on_flush_progress(now, &progress, effects))
                })?;
                let follower = self.index_of(progress.follower);
                if let (Ok(()), Some(follower)) = (heard, follower) {
                    self.brokers[follower].on_report_answered(progress);
                }
            }
            Report::Failed(follower, broker_epoch) => {
                let _ = self.with_broker(index, |broker, turn| {
                    broker.tell(turn, |replica, effects| {
                        replica.on_follower_failed(now, follower, broker_epoch, effects)
                    })
                })?;
            }
        }
        Ok(())
    }

    /// The faults end: everything must come together without anybody's help.
    fn heal(&mut self) -> Verdict {
        for index in 0..self.brokers.len() {
            if self.brokers[index].replica.is_none() {
                self.start_broker(index, false);
            }
        }
        for _round in 0..400 {
            self.heal_once()?;
            if self.has_converged() {
                return self.check_end();
            }
        }
        let states: Vec<_> =
            self.brokers.iter().map(|broker| format!("{:?}", broker.replica)).collect();
        Err(format!("does not converge: {}", states.join("\n")))
    }

    fn heal_once(&mut self) -> Verdict {
        for index in 0..self.brokers.len() {
            let id = self.brokers[index].id;
            if self.brokers[index].is_offline() {
                self.with_broker(index, Broker::start_replica);
            }
            if self.controller.is_fenced(id) {
                let messages = self.controller.unfence(id);
                self.network.extend(messages);
            }
            self.network.extend(self.controller.publish(id));
            while self.with_broker(index, Broker::work)? {}
            self.with_broker(index, Broker::flush)?;
            self.with_broker(index, |broker, turn| broker.send(turn));
        }
        for message in std::mem::take(&mut self.network) {
            self.deliver(message)?;
        }
        self.advance(Duration::from_millis(100))
    }

    fn has_converged(&self) -> bool {
        let Some(leader) = self.controller.leader().and_then(|leader| self.index_of(leader)) else {
            return false;
        };
        let end = Offset::new(self.brokers[leader].disk.end());
        self.controller.in_sync().len() == self.brokers.len()
            && self.brokers.iter().all(|broker| {
                broker.is_quiet()
                    && broker.replica.as_ref().is_some_and(|replica| {
                        replica.log_end_offset() == end && replica.high_watermark() == end
                    })
            })
    }

    fn check_end(&self) -> Verdict {
        for broker in &self.brokers {
            let high_watermark = broker.replica.as_ref().map(Replica::high_watermark);
            self.oracle.check_prefix(broker, high_watermark.map_or(0, Offset::value))?;
        }
        Ok(())
    }
}
