//! One way to break each rule: takes a history that is right, and bends what clients were told so
//! that it contradicts itself. None where the history offers no place for it.

use logcheck::{
    Answer, Bound, Client, Event, Key, Operation, Read, Rebalance, Rule, Sent, Step, Value,
};

use crate::Dice;

/// The client that reads everything in the end.
const DRAINER: u32 = 90;

/// The same history with the anomaly in it.
pub fn inject(rule: Rule, events: &[Event], dice: &mut Dice) -> Option<Vec<Event>> {
    let mut tale = Tale { events: events.to_vec(), dice };
    match rule {
        Rule::InconsistentOffset => tale.tell_another_record(),
        Rule::Duplicate => tale.tell_a_record_again(),
        Rule::LostWrite => tale.lose(true),
        Rule::Unseen => tale.lose(false),
        Rule::Vanished => tale.take_from_the_drain(),
        Rule::AbortedRead => tale.deny_a_send(),
        Rule::NeverSent => tale.rename_a_read(Some(Value::new(999, 1))),
        Rule::DamagedValue => tale.rename_a_read(None),
        Rule::Misrouted => tale.send_elsewhere(),
        Rule::ReusedValue => tale.send_again(),
        Rule::InternalPollSkip => tale.skip_inside(),
        Rule::InternalNonmonotonicPoll => tale.turn_inside(),
        Rule::PollSkip => tale.skip_between(),
        Rule::NonmonotonicPoll => tale.turn_between(),
        Rule::NonmonotonicSend => tale.swap_acknowledgements(false),
        Rule::InternalNonmonotonicSend => tale.swap_acknowledgements(true),
        Rule::ZeroOffset => tale.acknowledge_at_nothing(),
        Rule::TakenOffset => tale.acknowledge_at_a_taken_offset(),
        Rule::OffsetBeyond => tale.shorten(),
        Rule::StaleEpochAck => tale.acknowledge_under_another_epoch(),
        Rule::InconsistentEpoch => tale.serve_under_another_epoch(),
        Rule::EpochRegression => tale.serve_under_a_later_epoch(),
        Rule::CommitRegression => tale.resume_earlier(),
        Rule::NeverCommitted => tale.resume_nowhere(),
        Rule::ZombieCommit => tale.commit_in_an_ended_generation(),
        Rule::DoubleOwner => tale.commit_as_two(),
    }?;
    Some(tale.events)
}

struct Tale<'a> {
    events: Vec<Event>,
    dice: &'a mut Dice,
}

/// An acknowledged record: the events of its send, its place there, and what was told of it.
#[derive(Clone)]
struct Acked {
    invoked: usize,
    answered: usize,
    place: usize,
    idempotent: bool,
    key: Key,
    value: Value,
    offset: i64,
}

/// A place in a poll: the event, and which of its records.
type ReadAt = (usize, usize);

impl Tale<'_> {
    fn acked(&self) -> Vec<Acked> {
        let mut acked = Vec::new();
        for (answered, event) in self.events.iter().enumerate() {
            let Step::Ok(Answer::Sent(sent)) = &event.step else { continue };
            let begun = |e: &Event| {
                e.client == event.client
                    && e.operation == event.operation
                    && matches!(e.step, Step::Invoke(_))
            };
            let invoked = self.events[..answered].iter().rposition(begun).unwrap();
            let Step::Invoke(Operation::Send { idempotent, records }) = &self.events[invoked].step
            else {
                continue;
            };
            for (place, ((key, value), sent)) in records.iter().zip(sent).enumerate() {
                let (key, value, idempotent) = (key.clone(), *value, *idempotent);
                let Some(offset) = sent.offset else { continue };
                acked.push(Acked { invoked, answered, place, idempotent, key, value, offset });
            }
        }
        acked
    }

    fn any_acked(&mut self, fits: impl Fn(&Tale<'_>, &Acked) -> bool) -> Option<Acked> {
        let acked: Vec<Acked> = self.acked().into_iter().filter(|one| fits(self, one)).collect();
        self.dice.pick(&acked).cloned()
    }

    fn sent_at(&mut self, of: &Acked) -> &mut Sent {
        match &mut self.events[of.answered].step {
            Step::Ok(Answer::Sent(sent)) => &mut sent[of.place],
            _ => panic!("no acknowledgement"),
        }
    }

    fn reads(&self) -> Vec<(ReadAt, &Read)> {
        let polled = |(place, event): (usize, &'_ Event)| match &event.step {
            Step::Ok(Answer::Polled { .. }) => Some(place),
            _ => None,
        };
        let polls = self.events.iter().enumerate().filter_map(polled);
        polls
            .flat_map(|poll| self.poll(poll).iter().enumerate().map(move |(at, r)| ((poll, at), r)))
            .collect()
    }

    fn poll(&self, place: usize) -> &Vec<Read> {
        match &self.events[place].step {
            Step::Ok(Answer::Polled { records, .. }) => records,
            _ => panic!("no poll"),
        }
    }

    fn poll_mut(&mut self, place: usize) -> &mut Vec<Read> {
        match &mut self.events[place].step {
            Step::Ok(Answer::Polled { records, .. }) => records,
            _ => panic!("no poll"),
        }
    }

    fn any_read(&mut self, fits: impl Fn(&Tale<'_>, ReadAt, &Read) -> bool) -> Option<ReadAt> {
        let reads = self.reads().into_iter();
        let fitting: Vec<ReadAt> =
            reads.filter(|(at, read)| fits(self, *at, read)).map(|(at, _)| at).collect();
        self.dice.pick(&fitting).copied()
    }

    fn drained(&self) -> Vec<(ReadAt, &Read)> {
        let all = self.reads().into_iter();
        all.filter(|((poll, _), _)| self.events[*poll].client.process == DRAINER).collect()
    }

    fn forget(&mut self, goes: impl Fn(&Client, &Read) -> bool) {
        for event in &mut self.events {
            let client = event.client;
            if let Step::Ok(Answer::Polled { records, .. }) = &mut event.step {
                records.retain(|read| !goes(&client, read));
            }
        }
    }

    /// An operation at the end of the tale.
    fn add(&mut self, client: Client, operation: Operation, answer: Answer) {
        let time = self.events.last().map_or(0, |event| event.time);
        let number = 1_000_000 + self.events.len() as u64;
        let event = |step| Event { time, client, operation: number, step };
        let begin = event(Step::Invoke(operation));
        let end = event(Step::Ok(answer));
        self.events.extend([begin, end]);
    }

    fn tell_another_record(&mut self) -> Option<()> {
        let at = self.any_read(|tale, at, read| {
            let same = |(other, r): &(ReadAt, &Read)| {
                *other != at && r.key == read.key && r.offset == read.offset
            };
            tale.reads().iter().any(same)
        })?;
        let (key, told) = (self.place(at).0, self.poll(at.0)[at.1].value);
        let other = self.any_read(|_, _, r| r.key == key && r.value != told)?;
        let value = self.poll(other.0)[other.1].value;
        self.poll_mut(at.0)[at.1].value = value;
        Some(())
    }

    fn place(&self, at: ReadAt) -> (Key, i64) {
        let read = &self.poll(at.0)[at.1];
        (read.key.clone(), read.offset)
    }

    fn tell_a_record_again(&mut self) -> Option<()> {
        let acked = self.any_acked(|_, acked| acked.idempotent)?;
        let (at, last) = self.drained().into_iter().rfind(|(_, read)| read.key == acked.key)?;
        let again = Read { offset: last.offset + 1, value: Some(acked.value), ..last.clone() };
        self.poll_mut(at.0).insert(at.1 + 1, again);
        Some(())
    }

    /// Nobody reads an acknowledged record: below others that are read, or the last one.
    fn lose(&mut self, below: bool) -> Option<()> {
        let acked = self.any_acked(|tale, acked| {
            let drained = tale.drained();
            let mut of_key = drained.iter().filter(|(_, read)| read.key == acked.key);
            let there = of_key.clone().any(|(_, read)| read.value == Some(acked.value));
            let higher = of_key.any(|(_, read)| read.offset > acked.offset);
            // a producer that is not idempotent may have left a second one, beyond deleted records
            acked.idempotent && there && higher == below
        })?;
        self.forget(|_, read| read.value == Some(acked.value));
        Some(())
    }

    fn take_from_the_drain(&mut self) -> Option<()> {
        let at = self.any_read(|tale, at, read| {
            let process = tale.events[at.0].client.process;
            let drained = tale.drained();
            process != DRAINER && drained.iter().any(|(_, r)| r.value == read.value)
        })?;
        let value = self.poll(at.0)[at.1].value;
        self.forget(|client, read| client.process == DRAINER && read.value == value);
        Some(())
    }

    fn deny_a_send(&mut self) -> Option<()> {
        let acked = self.any_acked(|tale, acked| {
            tale.reads().iter().any(|(_, read)| read.value == Some(acked.value))
        })?;
        self.events[acked.answered].step = Step::Fail;
        Some(())
    }

    fn rename_a_read(&mut self, value: Option<Value>) -> Option<()> {
        let at = self.any_read(|_, _, _| true)?;
        self.poll_mut(at.0)[at.1].value = value;
        Some(())
    }

    fn send_elsewhere(&mut self) -> Option<()> {
        let at = self.any_read(|_, _, _| true)?;
        let value = self.poll(at.0)[at.1].value;
        for event in &mut self.events {
            let Step::Invoke(Operation::Send { records, .. }) = &mut event.step else { continue };
            for (key, _) in records.iter_mut().filter(|(_, sent)| Some(*sent) == value) {
                *key = Key::new("elsewhere", 0);
            }
        }
        Some(())
    }

    fn send_again(&mut self) -> Option<()> {
        let acked = self.any_acked(|_, _| true)?;
        let records = vec![(acked.key, acked.value)];
        let sent = vec![Sent { offset: Some(1 << 40), leader_epoch: None }];
        let operation = Operation::Send { idempotent: true, records };
        self.add(Client::new(70, 0), operation, Answer::Sent(sent));
        Some(())
    }

    /// Three records of a partition next to each other in a poll, by the place of the first.
    fn any_run(&mut self, length: usize) -> Option<ReadAt> {
        self.any_read(|tale, (poll, at), read| {
            let run = tale.poll(poll).get(at..at + length);
            run.is_some_and(|run| run.iter().all(|r| r.key == read.key))
        })
    }

    fn skip_inside(&mut self) -> Option<()> {
        let (poll, at) = self.any_run(3)?;
        let read = self.poll_mut(poll).remove(at + 1);
        // In the drain as well, so not deleted meanwhile: what is deleted may be skipped.
        let still = |((other, _), r): &(ReadAt, &Read)| {
            let drained = self.events[*other].client.process == DRAINER;
            drained && r.key == read.key && r.offset == read.offset
        };
        let known = self.reads().iter().any(still);
        known.then_some(())
    }

    fn turn_inside(&mut self) -> Option<()> {
        let (poll, at) = self.any_run(2)?;
        self.poll_mut(poll).swap(at, at + 1);
        Some(())
    }

    /// Two polls of the drainer in a row that bring the same partition: the last record of the
    /// first, the first one of the second.
    fn seam(&mut self) -> Option<(ReadAt, ReadAt)> {
        let drained = self.drained();
        let mut seams = Vec::new();
        for (at, read) in &drained {
            let of_key = drained.iter().filter(|(_, other)| other.key == read.key);
            let next = of_key.into_iter().find(|(_, other)| other.offset > read.offset);
            if let Some((next, _)) = next.filter(|(next, _)| next.0 > at.0) {
                seams.push((*at, *next));
            }
        }
        self.dice.pick(&seams).copied()
    }

    fn skip_between(&mut self) -> Option<()> {
        let (_, (poll, at)) = self.seam()?;
        let read = self.poll_mut(poll).remove(at);
        let reads = self.reads();
        let place = |r: &Read| r.key == read.key && r.offset == read.offset;
        let known = reads.iter().any(|(_, r)| place(r));
        let more = self.poll(poll).iter().any(|r| r.key == read.key);
        (known && more).then_some(())
    }

    fn turn_between(&mut self) -> Option<()> {
        let (last, (poll, at)) = self.seam()?;
        let again = self.poll(last.0)[last.1].clone();
        self.poll_mut(poll).insert(at, again);
        Some(())
    }

    /// Two records of a producer get each other's offset.
    fn swap_acknowledgements(&mut self, internal: bool) -> Option<()> {
        let acked = self.acked();
        let mut pairs = Vec::new();
        for left in acked.iter().filter(|one| one.idempotent) {
            let client = |one: &Acked| self.events[one.invoked].client;
            let later = |right: &&Acked| {
                client(right) == client(left)
                    && right.key == left.key
                    && (right.invoked == left.invoked) == internal
                    && (left.invoked, left.place) < (right.invoked, right.place)
            };
            pairs.extend(acked.iter().filter(later).map(|right| (left.clone(), right.clone())));
        }
        let (left, right) = self.dice.pick(&pairs)?.clone();
        self.sent_at(&left).offset = Some(right.offset);
        self.sent_at(&right).offset = Some(left.offset);
        Some(())
    }

    fn shown_before(&self, acked: &Acked) -> i64 {
        let earlier = self.acked().into_iter().filter(|one| one.answered < acked.invoked);
        let of_key = earlier.filter(|one| one.key == acked.key);
        of_key.map(|one| one.offset).max().unwrap_or(-1)
    }

    fn acknowledge_at_nothing(&mut self) -> Option<()> {
        let acked = self.any_acked(|tale, acked| tale.shown_before(acked) >= 1)?;
        let offset = [None, Some(-1), Some(0)][self.dice.below(3)];
        self.sent_at(&acked).offset = offset;
        Some(())
    }

    fn acknowledge_at_a_taken_offset(&mut self) -> Option<()> {
        let acked = self.any_acked(|tale, acked| tale.shown_before(acked) >= 1)?;
        let shown = self.shown_before(&acked);
        self.sent_at(&acked).offset = Some(shown);
        Some(())
    }

    fn shorten(&mut self) -> Option<()> {
        let at = self.any_read(|_, _, _| true)?;
        let (key, offset) = self.place(at);
        let client = Client::new(70, 0);
        if self.dice.happens(50) {
            let answer = Answer::Offsets(vec![(key, offset, None)]);
            self.add(client, Operation::ListOffsets(Bound::Latest), answer);
            return Some(());
        }
        for end in [offset + 2, offset + 1] {
            let answer = Answer::Offsets(vec![(key.clone(), end, Some(1))]);
            self.add(client, Operation::ListOffsets(Bound::HighWatermark), answer);
        }
        Some(())
    }

    fn acknowledge_under_another_epoch(&mut self) -> Option<()> {
        let acked = self.any_acked(|tale, acked| {
            let there =
                |read: &Read| read.value == Some(acked.value) && read.offset == acked.offset;
            tale.reads().iter().any(|(_, read)| there(read))
        })?;
        let sent = self.sent_at(&acked);
        sent.leader_epoch = sent.leader_epoch.map(|epoch| epoch + 1);
        Some(())
    }

    fn serve_under_another_epoch(&mut self) -> Option<()> {
        let at = self.any_read(|tale, at, read| {
            let same = |(other, r): &(ReadAt, &Read)| {
                *other != at && r.offset == read.offset && r.key == read.key
            };
            tale.reads().iter().any(same)
        })?;
        let read = &mut self.poll_mut(at.0)[at.1];
        read.leader_epoch = read.leader_epoch.map(|epoch| epoch + 1);
        Some(())
    }

    fn serve_under_a_later_epoch(&mut self) -> Option<()> {
        let at = self.any_read(|tale, _, read| {
            tale.reads().iter().any(|(_, r)| r.key == read.key && r.offset > read.offset)
        })?;
        let (key, offset) = self.place(at);
        for (place, _) in self.reads().into_iter().map(|(at, _)| at).collect::<Vec<_>>() {
            let of = |read: &&mut Read| read.key == key && read.offset == offset;
            let reads = self.poll_mut(place).iter_mut().filter(of);
            reads.for_each(|read| read.leader_epoch = Some(1000));
        }
        Some(())
    }

    fn commit(&mut self, client: Client, key: &Key, offset: i64, generation: Option<i32>) {
        let (group, offsets) = ("billing".to_owned(), vec![(key.clone(), offset)]);
        self.add(client, Operation::Commit { group, generation, offsets }, Answer::Done);
    }

    fn fetch(&mut self, key: &Key, offset: Option<i64>) {
        let operation = Operation::FetchCommitted { group: "billing".to_owned() };
        let answer = Answer::Committed(vec![(key.clone(), offset)]);
        self.add(Client::new(70, 0), operation, answer);
    }

    fn resume_earlier(&mut self) -> Option<()> {
        let key = Key::new("orders", 0);
        let client = Client::new(71, 0);
        self.commit(client, &key, 1_000_010, None);
        self.commit(client, &key, 1_000_020, None);
        let offset = [Some(1_000_010), None][self.dice.below(2)];
        self.fetch(&key, offset);
        Some(())
    }

    fn resume_nowhere(&mut self) -> Option<()> {
        let key = Key::new("orders", 0);
        self.commit(Client::new(71, 0), &key, 1_000_010, None);
        self.fetch(&key, Some(1_000_005));
        Some(())
    }

    fn told(&mut self, client: Client, generation: i32) {
        let time = self.events.last().map_or(0, |event| event.time);
        let step = Step::Rebalance(Rebalance {
            group: "billing".to_owned(),
            generation: Some(generation),
            assigned: vec![Key::new("orders", 0)],
            revoked: Vec::new(),
        });
        self.events.push(Event { time, client, operation: 0, step });
    }

    fn commit_in_an_ended_generation(&mut self) -> Option<()> {
        let (old, new) = (Client::new(71, 0), Client::new(72, 0));
        self.told(old, 1_000_000);
        self.told(new, 1_000_001);
        self.commit(old, &Key::new("orders", 0), 5, Some(1_000_000));
        Some(())
    }

    fn commit_as_two(&mut self) -> Option<()> {
        let (one, two) = (Client::new(71, 0), Client::new(72, 0));
        self.told(one, 1_000_000);
        self.told(two, 1_000_000);
        self.commit(one, &Key::new("orders", 0), 5, Some(1_000_000));
        self.commit(two, &Key::new("orders", 0), 6, Some(1_000_000));
        Some(())
    }
}
