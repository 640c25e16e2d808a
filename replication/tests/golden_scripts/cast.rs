//! The replicas of a script, by broker, and the inputs they understand.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{BrokerEpoch, LeaderEpoch, Offset};
use replication::{
    Acks, Effects, FetchAnswer, FetchOutcome, FetchPosition, FlushProgress, FollowerFetch,
    FollowerTerm, InSyncRefusal, LeaderTerm, LogOffsets, Moment, PartitionChange, PartitionEpoch,
    Replica, ReplicationSettings,
};

use crate::arguments::{Arguments, broker, epoch, epoch_at, number};
use crate::diary;

#[derive(Default)]
pub struct Cast {
    replicas: BTreeMap<i64, Replica>,
    /// The last state written of each.
    states: BTreeMap<i64, String>,
    now: Moment,
}

impl Cast {
    /// `BROKER: input key=value…`, or `clock MILLISECONDS`. Returns the diary.
    pub fn perform(&mut self, input: &str) -> Vec<String> {
        if let Some(milliseconds) = input.strip_prefix("clock ") {
            self.now = moment(number(milliseconds));
            return Vec::new();
        }
        let (id, input) = input.split_once(": ").expect("BROKER: input");
        let id = number(id);
        let mut words = input.split_whitespace();
        let verb = words.next().expect("an input");
        let arguments = Arguments::parse(words);
        let replica = self.replicas.entry(id).or_default();
        let mut effects = Effects::new();
        let scene = Scene { id, now: self.now, arguments, effects: &mut effects };
        let answer = scene.play(verb, replica);
        let mut diary: Vec<String> = answer.into_iter().collect();
        diary.extend(effects.iter().map(diary::effect));
        let state = diary::state(replica);
        if self.states.insert(id, state.clone()).as_ref() != Some(&state) {
            diary.push(state);
        }
        diary
    }
}

/// One input on its way to a replica.
struct Scene<'a> {
    id: i64,
    now: Moment,
    arguments: Arguments<'a>,
    effects: &'a mut Effects,
}

impl Scene<'_> {
    /// Gives the input; what it returns, if it returns anything, is written first.
    fn play(self, verb: &str, replica: &mut Replica) -> Option<String> {
        match verb {
            "restarted-after" => {
                *replica = Replica::restarted(self.arguments.leader_epoch("epoch"));
                None
            }
            "become-leader" | "become-follower" | "no-leader" | "changed" | "settings" => {
                self.play_controller(verb, replica)
            }
            "isr-refused" => {
                let epoch = self.partition_epoch();
                let reason = match self.arguments.text("reason") {
                    Some("ineligible") => InSyncRefusal::Ineligible,
                    Some("outdated") => InSyncRefusal::Outdated,
                    _ => InSyncRefusal::Unanswered,
                };
                replica.on_in_sync_refused(self.now, epoch, reason, self.effects);
                None
            }
            "fetch" | "flush-progress" | "follower-failed" => self.play_follower(verb, replica),
            "answer" => {
                replica.on_fetch_answer(&self.answer(), self.effects);
                None
            }
            "unfenced" => {
                let who = broker(self.arguments.number("broker").expect("broker="));
                replica.on_follower_unfenced(self.now, who, self.effects);
                None
            }
            "time" => {
                replica.on_time(self.now, self.effects);
                None
            }
            "stop" => {
                replica.on_stop(self.effects);
                None
            }
            "ask-delete-records" => {
                Some(match replica.may_delete_records(self.arguments.offset("before")) {
                    Ok(offset) => format!("<- up to {offset}"),
                    Err(reason) => diary::outcome(Err(reason)),
                })
            }
            "ask-latest-offset" => Some(diary::outcome(replica.may_answer_latest_offset())),
            "ask-epoch" => {
                let current = epoch(self.arguments.number("current").unwrap_or(-1));
                let end = replica.end_of_epoch(current, self.arguments.leader_epoch("epoch"));
                Some(match end {
                    Ok(Some(end)) => format!("<- {}", diary::epoch_end(end)),
                    Ok(None) => "<- unknown".to_owned(),
                    Err(reason) => diary::outcome(Err(reason)),
                })
            }
            "ask-lag" => Some(match replica.lag_records(broker(self.from())) {
                Some(records) => format!("<- {records} records"),
                None => "<- unknown".to_owned(),
            }),
            "ask-readable" => {
                Some(format!("<- {}", if replica.is_readable() { "yes" } else { "no" }))
            }
            "ask-read-replicas" => Some(diary::read_replicas(replica)),
            _ => self.play_writer(verb, replica),
        }
    }

    fn play_controller(self, verb: &str, replica: &mut Replica) -> Option<String> {
        let leader_epoch = self.arguments.number("epoch").map_or(replica.leader_epoch(), epoch);
        match verb {
            "become-leader" => {
                let (term, offsets) = (self.leader_term(leader_epoch), self.offsets(replica));
                let told = replica.on_become_leader(self.now, &term, &offsets, self.effects);
                Some(diary::outcome(told))
            }
            "become-follower" => {
                let term = FollowerTerm {
                    leader_epoch,
                    leader: broker(self.arguments.number("leader").expect("leader=")),
                    this_broker: broker(self.id),
                    settings: self.settings(),
                };
                let offsets = self.offsets(replica);
                Some(diary::outcome(replica.on_become_follower(&term, &offsets, self.effects)))
            }
            "no-leader" => Some(diary::outcome(replica.on_no_leader(leader_epoch, self.effects))),
            "changed" => {
                let in_sync_replicas = self.arguments.brokers("isr").expect("isr=");
                let change = PartitionChange {
                    leader_epoch,
                    partition_epoch: self.partition_epoch(),
                    assigned_replicas: self.assigned(&in_sync_replicas),
                    in_sync_replicas,
                };
                replica.on_partition_changed(self.now, &change, self.effects);
                None
            }
            _ => {
                replica.on_settings_changed(self.now, self.settings(), self.effects);
                None
            }
        }
    }

    fn play_writer(self, verb: &str, replica: &mut Replica) -> Option<String> {
        let arguments = &self.arguments;
        let ticket = || u64::try_from(arguments.number("ticket").expect("ticket=")).unwrap();
        match verb {
            "produce" => {
                let acks = i16::try_from(arguments.number("acks").unwrap_or(-1)).unwrap();
                let acks = Acks::from_wire(acks).expect("acks");
                return Some(diary::outcome(replica.on_produce(ticket(), acks)));
            }
            "appended" => {
                let (base, end) = arguments.range("records").expect("records=");
                replica.on_appended(self.now, ticket(), base, end, self.effects);
            }
            "duplicate" => {
                let (base, end) = arguments.range("records").expect("records=");
                replica.on_duplicate(ticket(), base, end, self.effects);
            }
            "append-refused" if arguments.has("ticket") => {
                let is_waiting = replica.on_append_refused(ticket());
                return Some(format!("<- {}", if is_waiting { "answer it" } else { "answered" }));
            }
            "append-refused" => replica.on_follower_append_refused(self.effects),
            "expired" => replica.on_ticket_expired(ticket(), self.effects),
            "flushed" => replica.on_flushed(arguments.offset("to"), self.effects),
            "flush-failed" => replica.on_flush_failed(self.effects),
            "log-start-moved" => replica.on_log_start_moved(arguments.offset("to"), self.effects),
            "follower-appended" => {
                let epochs = arguments.epochs("epochs").unwrap_or_default();
                replica.on_follower_appended(arguments.offset("end"), &epochs, self.effects);
            }
            "truncated" => replica.on_truncated(self.effects),
            _ => panic!("nobody understands {verb:?}"),
        }
        None
    }

    fn play_follower(self, verb: &str, replica: &mut Replica) -> Option<String> {
        let arguments = &self.arguments;
        let follower = broker(self.from());
        let broker_epoch = BrokerEpoch::new(arguments.number("broker-epoch").unwrap_or(1));
        let leader_epoch = arguments.number("epoch").map_or(replica.leader_epoch(), epoch);
        let flushed = arguments.number("flushed").or(arguments.number("at"));
        let flushed_offset = Offset::new(flushed.unwrap_or(0));
        match verb {
            "fetch" => {
                let position = FetchPosition {
                    fetch_offset: arguments.offset("at"),
                    last_fetched_epoch: arguments.number("last").map(epoch),
                };
                let fetch = FollowerFetch {
                    follower,
                    broker_epoch,
                    leader_epoch,
                    position,
                    readable_from: arguments.number("serves-from").map(Offset::new),
                    flushed_offset,
                };
                Some(diary::verdict(replica.on_follower_fetch(self.now, &fetch, self.effects)))
            }
            "flush-progress" => {
                let report = FlushProgress { follower, broker_epoch, leader_epoch, flushed_offset };
                Some(diary::outcome(replica.on_flush_progress(self.now, &report, self.effects)))
            }
            _ => {
                let told =
                    replica.on_follower_failed(self.now, follower, broker_epoch, self.effects);
                Some(diary::outcome(told))
            }
        }
    }

    fn answer(&self) -> FetchAnswer {
        let arguments = &self.arguments;
        let outcome = if arguments.has("batches") {
            FetchOutcome::Batches { base_offset: arguments.offset("batches") }
        } else if let Some(end) = arguments.text("diverging") {
            FetchOutcome::Diverging(epoch_at(end))
        } else if arguments.has("out-of-range") {
            FetchOutcome::OutOfRange { log_end_offset: arguments.offset("out-of-range") }
        } else {
            FetchOutcome::Nothing
        };
        FetchAnswer {
            leader_epoch: arguments.leader_epoch("epoch"),
            asked: FetchPosition {
                fetch_offset: arguments.offset("asked"),
                last_fetched_epoch: arguments.number("last").map(epoch),
            },
            high_watermark: Offset::new(arguments.number("high-watermark").unwrap_or(0)),
            log_start_offset: Offset::new(arguments.number("log-start").unwrap_or(0)),
            outcome,
        }
    }

    fn leader_term(&self, leader_epoch: LeaderEpoch) -> LeaderTerm {
        let in_sync_replicas =
            self.arguments.brokers("isr").unwrap_or_else(|| vec![broker(self.id)]);
        LeaderTerm {
            leader_epoch,
            partition_epoch: self.partition_epoch(),
            assigned_replicas: self.assigned(&in_sync_replicas),
            in_sync_replicas,
            this_broker: broker(self.id),
            settings: self.settings(),
        }
    }

    fn assigned(&self, in_sync: &[protocol::BrokerId]) -> Vec<protocol::BrokerId> {
        self.arguments.brokers("assigned").unwrap_or_else(|| in_sync.to_vec())
    }

    fn partition_epoch(&self) -> PartitionEpoch {
        let number = self.arguments.number("partition-epoch").unwrap_or(0);
        PartitionEpoch(i32::try_from(number).unwrap())
    }

    fn settings(&self) -> ReplicationSettings {
        let lag = u64::try_from(self.arguments.number("lag").unwrap_or(2_000)).unwrap();
        ReplicationSettings {
            min_in_sync_replicas: usize::try_from(self.arguments.number("min").unwrap_or(1))
                .unwrap(),
            flush_before_ack: !self.arguments.has("no-flush"),
            replica_lag_time_max: Duration::from_millis(lag),
        }
    }

    /// Where the log stands, as far as the script does not say otherwise: as the replica knows it.
    fn offsets(&self, replica: &Replica) -> LogOffsets {
        let known = (replica.log_start_offset(), replica.log_end_offset());
        let (log_start, log_end) = self.arguments.range("log").unwrap_or(known);
        let flushed = self.arguments.number("flushed").map(Offset::new);
        let known_flushed =
            if self.arguments.has("log") { log_end } else { replica.flushed_offset() };
        LogOffsets {
            log_start,
            log_end,
            flushed: flushed.unwrap_or(known_flushed),
            epochs: self
                .arguments
                .epochs("epochs")
                .unwrap_or_else(|| replica.epoch_starts().to_vec()),
        }
    }

    fn from(&self) -> i64 {
        self.arguments.number("from").expect("from=")
    }
}

fn moment(milliseconds: i64) -> Moment {
    Moment::new(Duration::from_millis(u64::try_from(milliseconds).unwrap()))
}
