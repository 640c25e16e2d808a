//! What must hold for every log and every order of inputs. Truncation that stops early leaves two
//! logs that differ; one that goes too far loses committed records; a ticket answered twice
//! confuses a client, one never answered blocks it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use protocol::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use replication::{
    Acks, Effect, Effects, EpochHistory, EpochStart, FetchAnswer, FetchOutcome, FetchVerdict,
    FollowerFetch, FollowerTerm, LeaderTerm, LogOffsets, Moment, PartitionEpoch, ReadReplica,
    Replica, ReplicationSettings, Ticket, closest_replica,
};

/// A log as the epochs of its records: two logs that agree on the epoch at an offset agree up to
/// there, if one leader an epoch wrote them.
type Log = Vec<i32>;

/// One leadership: who leads, how many records it appends, and how much of its log each other
/// replica has copied by its end.
#[derive(Clone, Debug)]
struct Leadership {
    leader: usize,
    appends: usize,
    copies: [usize; 3],
}

fn leaderships() -> impl Strategy<Value = Vec<Leadership>> {
    let leadership = (0..3usize, 0..4usize, [0..5usize, 0..5usize, 0..5usize])
        .prop_map(|(leader, appends, copies)| Leadership { leader, appends, copies });
    prop::collection::vec(leadership, 1..12)
}

/// Plays the leaderships without any care for what is committed: elections are as unclean as can
/// be, so that the logs differ in every possible way.
fn logs_after(leaderships: &[Leadership]) -> [Log; 3] {
    let mut logs: [Log; 3] = Default::default();
    for (epoch, leadership) in (1..).zip(leaderships) {
        let mut leader = logs[leadership.leader].clone();
        leader.extend(std::iter::repeat_n(epoch, leadership.appends));
        for (index, log) in logs.iter_mut().enumerate() {
            let copied = leadership.copies[index];
            if index != leadership.leader && copied > 0 {
                let kept = common_prefix(log, &leader);
                log.truncate(kept);
                log.extend_from_slice(&leader[kept..leader.len().min(kept + copied)]);
            }
        }
        logs[leadership.leader] = leader;
    }
    logs
}

fn common_prefix(one: &[i32], other: &[i32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

fn offset(place: usize) -> Offset {
    Offset::new(i64::try_from(place).unwrap())
}

fn offsets(log: &Log) -> LogOffsets {
    let mut epochs: Vec<EpochStart> = Vec::new();
    for (place, epoch) in log.iter().enumerate() {
        let leader_epoch = LeaderEpoch::new(*epoch);
        if epochs.last().is_none_or(|last| last.leader_epoch != leader_epoch) {
            epochs.push(EpochStart { leader_epoch, start_offset: offset(place) });
        }
    }
    let end = offset(log.len());
    LogOffsets { log_start: Offset::ZERO, log_end: end, flushed: end, epochs }
}

const LEADER: BrokerId = BrokerId(1);
const FOLLOWER: BrokerId = BrokerId(2);
const NEXT_EPOCH: LeaderEpoch = LeaderEpoch::new(100);

fn lead(log: &Log, in_sync: &[BrokerId]) -> Replica {
    let mut leader = Replica::new();
    let term = LeaderTerm {
        leader_epoch: NEXT_EPOCH,
        partition_epoch: PartitionEpoch(0),
        in_sync_replicas: in_sync.to_vec(),
        assigned_replicas: vec![LEADER, FOLLOWER],
        this_broker: LEADER,
        settings: ReplicationSettings::default(),
    };
    let mut effects = Effects::new();
    leader.on_become_leader(Moment::ORIGIN, &term, &offsets(log), &mut effects).unwrap();
    leader
}

/// Lets a follower find out where its log parts from the leader's. Returns where it ends then, and
/// how many questions that took.
fn truncate_by_epoch(leader_log: &Log, follower_log: &Log) -> (Offset, usize) {
    let mut leader = lead(leader_log, &[LEADER]);
    let (mut follower, mut effects) = (Replica::new(), Effects::new());
    let settings = ReplicationSettings::default();
    let (leader_epoch, this_broker) = (NEXT_EPOCH, FOLLOWER);
    let term = FollowerTerm { leader_epoch, leader: LEADER, this_broker, settings };
    follower.on_become_follower(&term, &offsets(follower_log), &mut effects).unwrap();
    for questions in 1.. {
        let fetch = effects.iter().rev().find_map(|effect| match effect {
            Effect::FetchFrom { position, flushed_offset, .. } => {
                Some((*position, *flushed_offset))
            }
            _ => None,
        });
        let (position, flushed_offset) = fetch.unwrap();
        let broker_epoch = BrokerEpoch::ZERO;
        let fetch = FollowerFetch {
            follower: FOLLOWER,
            broker_epoch,
            leader_epoch,
            position,
            readable_from: None,
            flushed_offset,
        };
        effects.clear();
        let verdict = leader.on_follower_fetch(Moment::ORIGIN, &fetch, &mut effects).unwrap();
        let outcome = match verdict {
            FetchVerdict::ReadFrom { offset } => return (offset, questions),
            FetchVerdict::Diverging(end) => FetchOutcome::Diverging(end),
            FetchVerdict::OutOfRange { log_end_offset, .. } => {
                FetchOutcome::OutOfRange { log_end_offset }
            }
        };
        let answer = FetchAnswer {
            leader_epoch,
            asked: position,
            high_watermark: Offset::ZERO,
            log_start_offset: Offset::ZERO,
            outcome,
        };
        effects.clear();
        follower.on_fetch_answer(&answer, &mut effects);
        follower.on_truncated(&mut effects);
        assert!(questions < 50, "the follower asks for ever");
    }
    unreachable!("the questions are numbered without end")
}

/// One thing that happens to a leader without followers.
#[derive(Clone, Copy, Debug)]
enum Input {
    Produce(Acks),
    /// The writer writes, refuses or finds repeated what was admitted first.
    Write(usize),
    RefuseAppend,
    Duplicate,
    Flush,
    Expire(usize),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let acks = prop_oneof![
        proptest::strategy::Just(Acks::None),
        proptest::strategy::Just(Acks::Leader),
        proptest::strategy::Just(Acks::All)
    ];
    let input = prop_oneof![
        4 => acks.prop_map(Input::Produce),
        4 => (1..5usize).prop_map(Input::Write),
        1 => proptest::strategy::Just(Input::RefuseAppend),
        1 => proptest::strategy::Just(Input::Duplicate),
        2 => proptest::strategy::Just(Input::Flush),
        1 => any::<usize>().prop_map(Input::Expire),
    ];
    prop::collection::vec(input, 0..60)
}

/// A leader, its writer, and how each ticket was answered.
struct Stage {
    leader: Replica,
    effects: Effects,
    admitted: std::collections::VecDeque<(Ticket, Acks)>,
    /// Where the records of each `acks=all` end.
    waiting: BTreeMap<Ticket, Offset>,
    answers: BTreeMap<Ticket, usize>,
    next_ticket: Ticket,
}

impl Stage {
    fn play(&mut self, input: Input) {
        let end = self.leader.log_end_offset();
        match input {
            Input::Produce(acks) => {
                self.leader.on_produce(self.next_ticket, acks).unwrap();
                self.admitted.push_back((self.next_ticket, acks));
                self.answers.insert(self.next_ticket, 0);
                self.next_ticket += 1;
            }
            Input::Write(records) => {
                if let Some((ticket, acks)) = self.admitted.pop_front() {
                    let to = end.plus(i64::try_from(records).unwrap());
                    self.note_waiting(ticket, acks, to);
                    self.leader.on_appended(Moment::ORIGIN, ticket, end, to, &mut self.effects);
                }
            }
            Input::Duplicate if end > Offset::ZERO => {
                if let Some((ticket, acks)) = self.admitted.pop_front() {
                    self.note_waiting(ticket, acks, end);
                    self.leader.on_duplicate(ticket, Offset::ZERO, end, &mut self.effects);
                }
            }
            Input::Duplicate => {}
            Input::RefuseAppend => {
                if let Some((ticket, _)) = self.admitted.pop_front()
                    && self.leader.on_append_refused(ticket)
                {
                    self.answer(ticket);
                }
            }
            Input::Flush => self.leader.on_flushed(end, &mut self.effects),
            Input::Expire(which) => {
                let ticket = u64::try_from(which).unwrap() % self.next_ticket.max(1);
                self.leader.on_ticket_expired(ticket, &mut self.effects);
            }
        }
        self.check_answers();
    }

    fn note_waiting(&mut self, ticket: Ticket, acks: Acks, end: Offset) {
        if acks == Acks::All {
            self.waiting.insert(ticket, end);
        }
    }

    fn answer(&mut self, ticket: Ticket) {
        *self.answers.get_mut(&ticket).unwrap() += 1;
    }

    fn check_answers(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Acknowledge { ticket, .. } => {
                    let committed = self.leader.high_watermark();
                    let end = self.waiting.get(&ticket);
                    assert!(end.is_none_or(|end| *end <= committed), "answered before the flush");
                    self.answer(ticket);
                }
                Effect::Refuse { ticket, .. } => self.answer(ticket),
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn a_follower_truncates_to_the_end_of_the_common_log(played in leaderships()) {
        let logs = logs_after(&played);
        for (leader, follower) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            let (end, questions) = truncate_by_epoch(&logs[leader], &logs[follower]);
            let common = common_prefix(&logs[leader], &logs[follower]);
            assert_eq!(end, offset(common), "{:?} follows {:?}", logs[follower], logs[leader]);
            let epochs = offsets(&logs[follower]).epochs.len();
            assert!(questions <= epochs + 1, "{questions} questions for {epochs} epochs");
        }
    }

    #[test]
    fn every_ticket_is_answered_exactly_once(played in inputs()) {
        let mut stage = Stage {
            leader: lead(&Log::new(), &[LEADER]),
            effects: Effects::new(),
            admitted: std::collections::VecDeque::new(),
            waiting: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_ticket: 0,
        };
        played.into_iter().for_each(|input| stage.play(input));
        assert!(stage.leader.pending_appends() <= stage.answers.len());
        stage.leader.on_stop(&mut stage.effects);
        stage.check_answers();
        assert!(stage.answers.values().all(|times| *times == 1), "{:?}", stage.answers);
    }

    #[test]
    fn the_high_watermark_is_reached_by_both_and_never_falls(
        steps in prop::collection::vec((0..4u8, 0..12usize), 0..60)
    ) {
        let mut leader = lead(&Log::new(), &[LEADER, FOLLOWER]);
        let (mut effects, mut ticket, mut last) = (Effects::new(), 0, Offset::ZERO);
        let (mut reached, mut flushed) = (Offset::ZERO, Offset::ZERO);
        for (what, by) in steps {
            let end = leader.log_end_offset();
            let by = i64::try_from(by).unwrap();
            match what {
                0 => {
                    leader.on_produce(ticket, Acks::All).unwrap();
                    let to = end.plus(by + 1);
                    leader.on_appended(Moment::ORIGIN, ticket, end, to, &mut effects);
                    ticket += 1;
                }
                1 => {
                    flushed = flushed.max(end.min(flushed.plus(by)));
                    leader.on_flushed(flushed, &mut effects);
                }
                _ => {
                    // late and repeated fetches may name less than was reached before
                    let fetch_offset = end.min(offset(usize::try_from(by).unwrap()));
                    reached = reached.max(fetch_offset);
                    let last_fetched_epoch = (fetch_offset > Offset::ZERO).then_some(NEXT_EPOCH);
                    let fetch = FollowerFetch {
                        follower: FOLLOWER,
                        broker_epoch: BrokerEpoch::ZERO,
                        leader_epoch: NEXT_EPOCH,
                        position: replication::FetchPosition { fetch_offset, last_fetched_epoch },
                        readable_from: None,
                        flushed_offset: fetch_offset,
                    };
                    leader.on_follower_fetch(Moment::ORIGIN, &fetch, &mut effects).unwrap();
                }
            }
            assert!(leader.high_watermark() >= last, "the high watermark fell");
            assert_eq!(leader.high_watermark(), flushed.min(reached));
            last = leader.high_watermark();
        }
    }

    #[test]
    fn a_consumer_is_sent_to_the_best_replica_of_its_rack_that_holds_its_offset(
        followers in prop::collection::vec((0..3usize, 0..40i64, 0..40i64), 0..8),
        (rack, leader_rack, offset) in (0..3usize, 0..3usize, 0..60i64),
    ) {
        let racks = [None, Some("a"), Some("b")];
        let replica = |(number, (rack, log_start, records)): (usize, &(usize, i64, i64))| {
            let broker = BrokerId(i32::try_from(number).unwrap());
            let (log_start, log_end) = (Offset::new(*log_start), Offset::new(log_start + records));
            (ReadReplica { broker, log_start, log_end }, racks[*rack])
        };
        let followers: Vec<_> = followers.iter().enumerate().map(replica).collect();
        let (own, offset) = (racks[rack].unwrap_or_default(), Offset::new(offset));
        let chosen = closest_replica(own, offset, racks[leader_rack], followers.iter().copied());
        let may_serve = |replica: &ReadReplica, rack: Option<&str>| {
            rack == Some(own) && replica.contains(offset)
        };
        let is_elsewhere = !own.is_empty() && racks[leader_rack] != Some(own);
        let able: Vec<_> =
            followers.iter().filter(|(one, rack)| is_elsewhere && may_serve(one, *rack)).collect();
        let most = able.iter().map(|(one, _)| one.log_end).max();
        let found = chosen.map(|broker| able.iter().find(|(one, _)| one.broker == broker).unwrap());
        assert_eq!(found.map(|(one, _)| one.log_end), most);
    }

    #[test]
    fn a_history_keeps_its_order_whatever_it_is_told(
        told in prop::collection::vec((0..4u8, 0..20i32, 0..40i64), 0..40)
    ) {
        let mut history = EpochHistory::default();
        for (what, epoch, place) in told {
            match what {
                0 | 1 => history.begin(LeaderEpoch::new(epoch), Offset::new(place)),
                2 => history.truncate_to(Offset::new(place)),
                _ => history.move_start(Offset::new(place)),
            }
            assert!(history.is_ordered(), "{history:?}");
        }
    }
}
