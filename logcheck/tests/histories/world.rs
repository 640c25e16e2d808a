//! A small world that is right: partitions, producers, consumers and a group, stepped by chance,
//! with everything that clients of a sound log may see: unknown outcomes, writes that arrive after
//! their producer gave up, refused commits, rebalances, crashes, new leaders, deleted records.
//! What it records must never be accused.

use std::collections::BTreeMap;

use logcheck::{
    Answer, Bound, Client, Event, History, Key, Operation, Read, Rebalance, Sent, Step, Ticket,
    Value,
};

use crate::Dice;

const PRODUCERS: u32 = 3;
/// Processes from here on are members of the group, later ones consume alone.
const MEMBERS: std::ops::Range<u32> = 10..13;
const LONERS: std::ops::Range<u32> = 20..22;
const DRAINER: u32 = 90;
const GROUP: &str = "billing";

/// One partition.
#[derive(Default)]
struct Partition {
    log: Vec<(i64, Value, i32)>,
    start: i64,
    end: i64,
    leader_epoch: i32,
}

impl Partition {
    fn append(&mut self, value: Value) -> Sent {
        let offset = self.end;
        self.log.push((offset, value, self.leader_epoch));
        self.end += 1;
        Sent { offset: Some(offset), leader_epoch: Some(self.leader_epoch) }
    }

    fn from(&self, position: i64, count: usize) -> impl Iterator<Item = &(i64, Value, i32)> {
        self.log.iter().filter(move |(offset, ..)| *offset >= position).take(count)
    }
}

/// A send under way; those of a producer are applied in their order.
struct Flight {
    ticket: Ticket,
    records: Vec<(Key, Value)>,
    applied: Option<Vec<Sent>>,
    given_up: bool,
}

#[derive(Default)]
struct Producer {
    incarnation: u32,
    sequence: u64,
    flights: Vec<Flight>,
}

#[derive(Default)]
struct Consumer {
    incarnation: u32,
    positions: BTreeMap<Key, i64>,
    polling: Option<Ticket>,
    repositioned: Vec<Key>,
    /// The generation that it knows of.
    generation: i32,
}

/// A commit under way: who, its ticket, its generation and its offsets.
struct Committing {
    ticket: Option<Ticket>,
    generation: i32,
    offsets: Vec<(Key, i64)>,
}

pub struct World {
    dice: Dice,
    history: History,
    time: u64,
    partitions: BTreeMap<Key, Partition>,
    producers: BTreeMap<u32, Producer>,
    consumers: BTreeMap<u32, Consumer>,
    generation: i32,
    committed: BTreeMap<Key, i64>,
    committing: Vec<(u32, Committing)>,
}

impl World {
    /// The events of a world that went that many steps, and was healed and drained then.
    pub fn run(seed: u64, steps: usize) -> Vec<Event> {
        let mut world = World::new(seed);
        for _ in 0..steps {
            world.step();
        }
        world.heal();
        world.drain();
        world.history.events().collect()
    }

    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let count = 1 + dice.below(3);
        let names = (0..count).map(|index| Key::new("orders", i32::try_from(index).unwrap()));
        let partitions = names.map(|key| (key, Partition::default())).collect();
        let producers = (0..PRODUCERS).map(|process| (process, Producer::default())).collect();
        let mut world = World {
            dice,
            history: History::new(),
            time: 0,
            partitions,
            producers,
            consumers: BTreeMap::new(),
            generation: 0,
            committed: BTreeMap::new(),
            committing: Vec::new(),
        };
        for process in MEMBERS.chain(LONERS) {
            world.consumers.insert(process, Consumer::default());
        }
        LONERS.for_each(|process| world.assign(process));
        world.rebalance();
        world
    }

    fn now(&mut self) -> u64 {
        // Now and then two events at the same time: their order is that of the lines.
        self.time += [0, 1, 7, 1000][self.dice.below(4)];
        self.time
    }

    fn invoke(&mut self, client: Client, operation: Operation) -> Ticket {
        let now = self.now();
        self.history.invoke(now, client, operation).expect("the world goes forwards")
    }

    fn complete(&mut self, ticket: Ticket, step: Step) {
        let now = self.now();
        self.history.complete(now, ticket, step).expect("it was begun");
    }

    fn note(&mut self, client: Client, step: Step) {
        let now = self.now();
        self.history.note(now, client, step).expect("the world goes forwards");
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..25 => self.send(),
            25..50 => self.progress(),
            50..78 => self.poll(),
            78..84 => self.commit(),
            84..88 => self.finish_commit(),
            88..91 => self.fetch_committed(),
            91..94 => self.list_offsets(),
            94 => self.rebalance(),
            95 => self.seek(),
            96 => self.elect(),
            97 => self.crash_producer(),
            98 => self.crash_consumer(),
            _ => self.delete_records(),
        }
    }

    fn any_key(&mut self) -> Key {
        let keys: Vec<Key> = self.partitions.keys().cloned().collect();
        self.dice.pick(&keys).expect("there is a partition").clone()
    }

    /// The last producer is not idempotent: it may write a record twice.
    fn is_idempotent(process: u32) -> bool {
        process + 1 != PRODUCERS
    }

    fn send(&mut self) {
        let process = u32::try_from(self.dice.below(PRODUCERS as usize)).unwrap();
        let keys: Vec<Key> = (0..1 + self.dice.below(3)).map(|_| self.any_key()).collect();
        let producer = self.producers.get_mut(&process).unwrap();
        if producer.flights.len() >= 3 {
            return;
        }
        let mut value = || {
            producer.sequence += 1;
            Value::new(process, producer.sequence)
        };
        let records: Vec<(Key, Value)> = keys.into_iter().map(|key| (key, value())).collect();
        let client = Client::new(process, producer.incarnation);
        let idempotent = World::is_idempotent(process);
        let operation = Operation::Send { idempotent, records: records.clone() };
        let ticket = self.invoke(client, operation);
        let flight = Flight { ticket, records, applied: None, given_up: false };
        self.producers.get_mut(&process).unwrap().flights.push(flight);
    }

    /// Something happens to a send under way.
    fn progress(&mut self) {
        let process = u32::try_from(self.dice.below(PRODUCERS as usize)).unwrap();
        let flights = &self.producers[&process].flights;
        let next = flights.iter().position(|flight| flight.applied.is_none());
        match (self.dice.below(10), next) {
            (0..6, Some(place)) => self.apply(process, place),
            (6, Some(place)) => self.give_up(process, place),
            _ => self.answer(process),
        }
    }

    fn apply(&mut self, process: u32, place: usize) {
        let producer = self.producers.get_mut(&process).unwrap();
        let flight = &mut producer.flights[place];
        let mut sent = Vec::new();
        for (key, value) in &flight.records {
            let partition = self.partitions.get_mut(key).unwrap();
            sent.push(partition.append(*value));
            if !World::is_idempotent(process) && self.dice.happens(20) {
                partition.append(*value);
            }
            // A control record takes an offset that nobody reads.
            partition.end += i64::from(self.dice.happens(5));
        }
        flight.applied = Some(sent);
        if flight.given_up {
            producer.flights.remove(place);
        }
    }

    /// The answer does not come; the write may still arrive, or certainly never will.
    fn give_up(&mut self, process: u32, place: usize) {
        let flight = &mut self.producers.get_mut(&process).unwrap().flights[place];
        if flight.given_up {
            return;
        }
        let ticket = flight.ticket;
        let certain = self.dice.happens(30);
        if certain || self.dice.happens(50) {
            self.producers.get_mut(&process).unwrap().flights.remove(place);
        } else {
            flight.given_up = true;
        }
        self.complete(ticket, if certain { Step::Fail } else { Step::Unknown });
    }

    fn answer(&mut self, process: u32) {
        let flights = &mut self.producers.get_mut(&process).unwrap().flights;
        let applied = flights.iter().enumerate().filter(|(_, flight)| flight.applied.is_some());
        let applied: Vec<usize> = applied.map(|(place, _)| place).collect();
        let Some(place) = self.dice.pick(&applied).copied() else { return };
        let flight = flights.remove(place);
        let lost = self.dice.happens(15);
        let sent = flight.applied.expect("it was chosen for that");
        self.complete(
            flight.ticket,
            if lost { Step::Unknown } else { Step::Ok(Answer::Sent(sent)) },
        );
    }

    fn any_consumer(&mut self) -> u32 {
        let processes: Vec<u32> = self.consumers.keys().copied().collect();
        *self.dice.pick(&processes).expect("there are consumers")
    }

    fn client(&self, process: u32) -> Client {
        Client::new(process, self.consumers[&process].incarnation)
    }

    fn assign(&mut self, process: u32) {
        let keys: Vec<Key> = self.partitions.keys().cloned().collect();
        let ticket = self.invoke(self.client(process), Operation::Assign(keys.clone()));
        self.complete(ticket, Step::Ok(Answer::Done));
        let starts = self.partitions.iter().map(|(key, at)| (key.clone(), at.start));
        self.consumers.get_mut(&process).unwrap().positions = starts.collect();
    }

    fn poll(&mut self) {
        let process = self.any_consumer();
        let Some(ticket) = self.consumers[&process].polling else {
            let ticket = self.invoke(self.client(process), Operation::Poll);
            self.consumers.get_mut(&process).unwrap().polling = Some(ticket);
            return;
        };
        self.consumers.get_mut(&process).unwrap().polling = None;
        if self.dice.happens(4) {
            return self.complete(ticket, Step::Fail);
        }
        let answer = self.take(process);
        // Taken along, and never told of; what moved is told with the next answer.
        let untold = self.dice.happens(4);
        if let (true, Answer::Polled { repositioned, .. }) = (untold, &answer) {
            let consumer = self.consumers.get_mut(&process).unwrap();
            consumer.repositioned.extend(repositioned.iter().cloned());
        }
        self.complete(ticket, if untold { Step::Unknown } else { Step::Ok(answer) });
    }

    /// What a poll brings; the positions move on.
    fn take(&mut self, process: u32) -> Answer {
        let consumer = self.consumers.get_mut(&process).unwrap();
        let mut records = Vec::new();
        let mut repositioned = std::mem::take(&mut consumer.repositioned);
        for (key, position) in &mut consumer.positions {
            let partition = &self.partitions[key];
            if *position < partition.start {
                *position = partition.start;
                repositioned.push(key.clone());
            }
            let count = self.dice.below(6);
            for (offset, value, epoch) in partition.from(*position, count) {
                let (key, leader_epoch) = (key.clone(), Some(*epoch));
                records.push(Read { key, offset: *offset, value: Some(*value), leader_epoch });
                *position = offset + 1;
            }
        }
        Answer::Polled { records, repositioned }
    }

    fn seek(&mut self) {
        let process = self.any_consumer();
        let keys: Vec<Key> = self.consumers[&process].positions.keys().cloned().collect();
        let Some(key) = self.dice.pick(&keys).cloned() else { return };
        if self.consumers[&process].polling.is_some() {
            return;
        }
        let partition = &self.partitions[&key];
        let span = usize::try_from(partition.end - partition.start).unwrap();
        let position = partition.start + i64::try_from(self.dice.below(span + 1)).unwrap();
        self.consumers.get_mut(&process).unwrap().positions.insert(key.clone(), position);
        if self.dice.happens(30) {
            return self.consumers.get_mut(&process).unwrap().repositioned.push(key);
        }
        let ticket = self.invoke(self.client(process), Operation::Seek(vec![key]));
        self.complete(ticket, Step::Ok(Answer::Done));
    }

    /// The group deals its partitions out anew. A member in three is absent: it is told nothing,
    /// goes on with what it had, and its commits are refused.
    fn rebalance(&mut self) {
        let absent = MEMBERS.start + u32::try_from(self.dice.below(9)).unwrap();
        let present: Vec<u32> = MEMBERS.filter(|process| *process != absent).collect();
        for process in &present {
            let consumer = self.consumers.get_mut(process).unwrap();
            let revoked: Vec<Key> = std::mem::take(&mut consumer.positions).into_keys().collect();
            let generation = (consumer.generation > 0).then_some(consumer.generation);
            let told = Rebalance { group: GROUP.into(), generation, assigned: vec![], revoked };
            self.note(self.client(*process), Step::Rebalance(told));
        }
        self.generation += 1;
        let keys: Vec<Key> = self.partitions.keys().cloned().collect();
        for (place, process) in present.iter().enumerate() {
            let mine = keys.iter().skip(place).step_by(present.len()).cloned();
            let assigned: Vec<Key> = mine.collect();
            let at = |key: &Key| self.committed.get(key).copied().unwrap_or(0);
            let positions = assigned.iter().map(|key| (key.clone(), at(key))).collect();
            let consumer = self.consumers.get_mut(process).unwrap();
            consumer.positions = positions;
            consumer.generation = self.generation;
            let generation = Some(self.generation);
            let told = Rebalance { group: GROUP.into(), generation, assigned, revoked: vec![] };
            self.note(self.client(*process), Step::Rebalance(told));
        }
    }

    fn commit(&mut self) {
        let processes: Vec<u32> = MEMBERS.collect();
        let process = *self.dice.pick(&processes).unwrap();
        let consumer = &self.consumers[&process];
        let generation = consumer.generation;
        let offsets: Vec<(Key, i64)> = consumer.positions.clone().into_iter().collect();
        if generation == 0 || offsets.is_empty() {
            return;
        }
        let operation = Operation::Commit {
            group: GROUP.to_owned(),
            generation: Some(generation),
            offsets: offsets.clone(),
        };
        let ticket = Some(self.invoke(self.client(process), operation));
        self.committing.push((process, Committing { ticket, generation, offsets }));
    }

    /// The coordinator comes to a commit: refuses an old generation, or writes it down.
    fn finish_commit(&mut self) {
        if self.committing.is_empty() {
            return;
        }
        let place = self.dice.below(self.committing.len());
        // Nobody waits for it any more, but it may arrive later.
        if self.dice.happens(15) {
            let ticket = self.committing[place].1.ticket.take();
            return ticket.into_iter().for_each(|ticket| self.complete(ticket, Step::Unknown));
        }
        let (_, Committing { ticket, generation, offsets }) = self.committing.remove(place);
        let current = generation == self.generation;
        if current {
            self.committed.extend(offsets);
        }
        let Some(ticket) = ticket else { return };
        let lost = self.dice.happens(15);
        let told = if current { Step::Ok(Answer::Done) } else { Step::Fail };
        self.complete(ticket, if lost { Step::Unknown } else { told });
    }

    fn fetch_committed(&mut self) {
        let process = self.any_consumer();
        let operation = Operation::FetchCommitted { group: GROUP.to_owned() };
        let ticket = self.invoke(self.client(process), operation);
        let of = |key: &Key| (key.clone(), self.committed.get(key).copied());
        let answer = Answer::Committed(self.partitions.keys().map(of).collect());
        if self.dice.happens(50) {
            // Overtaken on its way.
            self.finish_commit();
        }
        self.complete(ticket, Step::Ok(answer));
    }

    fn list_offsets(&mut self) {
        let bounds = [Bound::Earliest, Bound::Latest, Bound::HighWatermark, Bound::LastStable];
        let bound = *self.dice.pick(&bounds).unwrap();
        let process = self.any_consumer();
        let ticket = self.invoke(self.client(process), Operation::ListOffsets(bound));
        let offset = |at: &Partition| if bound == Bound::Earliest { at.start } else { at.end };
        let shown =
            |(key, at): (&Key, &Partition)| (key.clone(), offset(at), Some(at.leader_epoch));
        let answer = Answer::Offsets(self.partitions.iter().map(shown).collect());
        self.complete(ticket, Step::Ok(answer));
    }

    fn elect(&mut self) {
        let key = self.any_key();
        self.partitions.get_mut(&key).unwrap().leader_epoch += 1;
    }

    fn delete_records(&mut self) {
        let key = self.any_key();
        let partition = self.partitions.get_mut(&key).unwrap();
        if self.dice.happens(30) && partition.end > 4 {
            partition.start = partition.start.max(partition.end / 3);
            let start = partition.start;
            partition.log.retain(|(offset, ..)| *offset >= start);
        }
    }

    fn crash_producer(&mut self) {
        let process = u32::try_from(self.dice.below(PRODUCERS as usize)).unwrap();
        let client = Client::new(process, self.producers[&process].incarnation);
        self.note(client, Step::Crash);
        let producer = self.producers.get_mut(&process).unwrap();
        producer.incarnation += 1;
        // What had left the producer may still arrive; nobody will be told.
        producer.flights.clear();
    }

    fn crash_consumer(&mut self) {
        let process = self.any_consumer();
        self.note(self.client(process), Step::Crash);
        let incarnation = self.consumers[&process].incarnation + 1;
        let fresh = Consumer { incarnation, ..Consumer::default() };
        self.consumers.insert(process, fresh);
        // Its commits may still arrive.
        let own = self.committing.iter_mut().filter(|(whose, _)| *whose == process);
        own.for_each(|(_, commit)| commit.ticket = None);
        if LONERS.contains(&process) {
            self.assign(process);
        }
    }

    /// Everything under way comes to an end.
    fn heal(&mut self) {
        while !self.committing.is_empty() {
            self.finish_commit();
        }
        for process in 0..PRODUCERS {
            while let Some(place) = self.first_unapplied(process) {
                self.apply(process, place);
            }
            while !self.producers[&process].flights.is_empty() {
                self.answer(process);
            }
        }
    }

    fn first_unapplied(&self, process: u32) -> Option<usize> {
        self.producers[&process].flights.iter().position(|flight| flight.applied.is_none())
    }

    fn drain(&mut self) {
        self.consumers.insert(DRAINER, Consumer::default());
        let client = self.client(DRAINER);
        let ticket = self.invoke(client, Operation::ListOffsets(Bound::Earliest));
        let shown = |(key, at): (&Key, &Partition)| (key.clone(), at.start, None);
        let starts = self.partitions.iter().map(shown).collect();
        self.complete(ticket, Step::Ok(Answer::Offsets(starts)));
        self.assign(DRAINER);
        while self.behind() {
            let ticket = self.invoke(client, Operation::Poll);
            let answer = self.take(DRAINER);
            self.complete(ticket, Step::Ok(answer));
        }
        let keys = self.partitions.keys().cloned().collect();
        self.note(client, Step::Drained(keys));
    }

    fn behind(&self) -> bool {
        let positions = &self.consumers[&DRAINER].positions;
        positions.iter().any(|(key, position)| self.partitions[key].from(*position, 1).count() > 0)
    }
}
