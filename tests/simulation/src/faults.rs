//! What goes wrong, when and where, as the seed has it; and how it is put right again.

use std::io::ErrorKind;
use std::time::Duration;

use commit_log::FaultyOperation;

use crate::chance::Chance;
use crate::host::{Host, Kill, Standing, Surroundings};
use crate::node_ports::USUAL_FLUSH_US;
use crate::sometimes::Sometimes;
use crate::weather::Place;

/// A disk that is to be slower than that does not answer at all.
const HANGS_FROM: Duration = Duration::from_secs(2);

/// What can go wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillProcess,
    CutPower,
    /// The power goes in the middle of some change of the disk.
    CutPowerMidway,
    StopInOrder,
    Pause,
    FailFlush,
    FailWrite,
    FillDisk,
    /// It takes its time, or does not answer until it is mended.
    SlowDisk,
    ResetConnections,
    CutFromClients,
    CutFromPeer,
    CutOneWay,
    Isolate,
    Storm,
    TurnClock,
}

const ALONE: &[Fault] = &[
    Fault::KillProcess,
    Fault::CutPower,
    Fault::CutPowerMidway,
    Fault::CutPowerMidway,
    Fault::StopInOrder,
    Fault::Pause,
    Fault::FailFlush,
    Fault::FailWrite,
    Fault::FillDisk,
    Fault::SlowDisk,
    Fault::ResetConnections,
    Fault::CutFromClients,
    Fault::Storm,
    Fault::TurnClock,
];

const TOGETHER: &[Fault] = &[Fault::CutFromPeer, Fault::CutOneWay, Fault::Isolate];

/// Something to be put right at its time.
#[derive(Clone, Copy, Debug)]
enum Repair {
    Start(i32),
    Resume(i32),
    Disk(i32),
    Ways,
    Weather,
    Clock(i32),
}

/// The one who breaks things.
pub struct Faults {
    chance: Chance,
    /// The longest time between two faults.
    pause_ms_max: u64,
    next_ms: u64,
    repairs: Vec<(u64, Repair)>,
    surroundings: Surroundings,
    sometimes: Sometimes,
}

impl Faults {
    /// Faults that begin some time after now.
    #[must_use]
    pub fn new(surroundings: Surroundings, sometimes: Sometimes) -> Self {
        let mut chance = Chance::new(surroundings.seed, "faults");
        let pause_ms_max = chance.between(3_000, 15_000);
        let now_ms = surroundings.weather.now_ms();
        let next_ms = now_ms + chance.between(500, pause_ms_max);
        let repairs = Vec::new();
        Self { chance, pause_ms_max, next_ms, repairs, surroundings, sometimes }
    }

    /// One step of time: repairs what is due, breaks what is due.
    pub fn step(&mut self, hosts: &mut [Host]) {
        let now_ms = self.surroundings.weather.now_ms();
        self.repair_due(now_ms, hosts);
        self.start_again(now_ms, hosts);
        if now_ms >= self.next_ms {
            self.next_ms = now_ms + self.chance.between(100, self.pause_ms_max);
            self.strike(now_ms, hosts);
        }
    }

    fn repair_due(&mut self, now_ms: u64, hosts: &mut [Host]) {
        let (due, later) = self.repairs.drain(..).partition(|(at, _)| *at <= now_ms);
        self.repairs = later;
        let due: Vec<(u64, Repair)> = due;
        due.into_iter().for_each(|(_, repair)| self.repair(repair, hosts));
    }

    fn repair(&self, repair: Repair, hosts: &mut [Host]) {
        let host = |hosts: &'_ mut [Host], node: i32| hosts.iter_mut().position(|h| h.node == node);
        let (Repair::Start(node) | Repair::Resume(node) | Repair::Disk(node) | Repair::Clock(node)) =
            repair
        else {
            let mut conditions = self.surroundings.weather.now();
            match repair {
                Repair::Ways => conditions.cuts.clear(),
                _ => {
                    (conditions.delay_ms_max, conditions.losses_per_mille) = (2, 0);
                    conditions.stragglers_per_mille = 0;
                }
            }
            return;
        };
        let Some(host) = host(hosts, node).and_then(|index| hosts.get_mut(index)) else { return };
        match repair {
            Repair::Start(_) if !host.is_up() => host.start(),
            Repair::Resume(_) => host.resume(),
            Repair::Disk(_) => mend_disk(host),
            Repair::Clock(_) => host.clock.set_skew_ms(0),
            Repair::Start(_) | Repair::Ways | Repair::Weather => {}
        }
    }

    /// A process that ended by itself is cleared away and started again, as an init system does.
    fn start_again(&mut self, now_ms: u64, hosts: &mut [Host]) {
        for host in hosts.iter_mut() {
            match host.standing() {
                Standing::Ended(reason) => {
                    tracing::debug!(node = host.node, reason, "a process ended by itself");
                    self.sometimes.met("process ended by itself");
                    host.kill(Kill::Process);
                }
                Standing::Stopped => {
                    self.sometimes.met("process stopped in order");
                    host.kill(Kill::Process);
                }
                Standing::Down if !self.will_start(host.node) => {
                    let at = now_ms + self.chance.between(100, 2_000);
                    self.repairs.push((at, Repair::Start(host.node)));
                }
                Standing::Down | Standing::Starting | Standing::Serving => {}
            }
        }
    }

    fn will_start(&self, node: i32) -> bool {
        self.repairs.iter().any(|(_, repair)| matches!(repair, Repair::Start(n) if *n == node))
    }

    fn strike(&mut self, now_ms: u64, hosts: &mut [Host]) {
        let more = if hosts.len() > 1 { TOGETHER } else { &[] };
        let choice: Vec<Fault> = ALONE.iter().chain(more).chain(more).copied().collect();
        let Some(fault) = self.chance.pick(&choice).copied() else { return };
        let all = hosts.len() as u64;
        let index = usize::try_from(self.chance.between(0, all)).unwrap_or_default();
        let others: Vec<i32> = hosts.iter().map(|host| host.node).collect();
        let Some(host) = hosts.get_mut(index) else { return };
        let number = host.node.to_be_bytes();
        self.surroundings.weather.note("fault", fault as u64, &number);
        tracing::debug!(?fault, node = host.node, now_ms, "a fault");
        match fault {
            Fault::KillProcess | Fault::CutPower | Fault::CutPowerMidway | Fault::StopInOrder => {
                self.end(fault, host);
            }
            Fault::Pause => self.pause(now_ms, host),
            Fault::FailFlush | Fault::FailWrite | Fault::FillDisk | Fault::SlowDisk => {
                self.hurt_disk(fault, now_ms, host);
            }
            Fault::TurnClock => {
                let skew = i64::try_from(self.chance.between(0, 7_200_000)).unwrap_or_default();
                host.clock.set_skew_ms(skew - 3_600_000);
                self.sometimes.met("fault: clock turned");
                self.later(now_ms, 20_000, Repair::Clock(host.node));
            }
            Fault::ResetConnections | Fault::CutFromClients | Fault::Storm => {
                self.disturb_clients(fault, now_ms, host.node);
            }
            Fault::CutFromPeer | Fault::CutOneWay | Fault::Isolate => {
                self.cut_peers(fault, now_ms, host.node, &others);
            }
        }
    }

    fn later(&mut self, now_ms: u64, within_ms: u64, repair: Repair) {
        let at = now_ms + self.chance.between(50, within_ms);
        self.repairs.push((at, repair));
    }

    fn end(&mut self, fault: Fault, host: &mut Host) {
        if !host.is_up() {
            return;
        }
        match fault {
            Fault::KillProcess => {
                self.sometimes.met("fault: process killed");
                host.kill(Kill::Process);
            }
            Fault::CutPower => {
                self.sometimes.met("fault: power cut");
                host.kill(Kill::Power);
            }
            Fault::StopInOrder => host.stop(Duration::from_secs(10)),
            _ => {
                self.sometimes.met("fault: power cut midway");
                host.disk.cut_power_after(self.chance.between(1, 60));
            }
        }
    }

    fn pause(&mut self, now_ms: u64, host: &mut Host) {
        if host.is_up() && !host.is_paused() {
            self.sometimes.met("fault: process paused");
            host.pause();
            self.later(now_ms, 8_000, Repair::Resume(host.node));
        }
    }

    fn hurt_disk(&mut self, fault: Fault, now_ms: u64, host: &Host) {
        let (skip, times) = (self.chance.between(0, 20), self.chance.between(1, 4));
        match fault {
            Fault::FailFlush => {
                self.sometimes.met("fault: flush failed");
                host.disk.fail(FaultyOperation::SyncData, skip, times, ErrorKind::Other);
            }
            Fault::FailWrite => {
                self.sometimes.met("fault: write failed");
                host.disk.fail(FaultyOperation::Write, skip, times, ErrorKind::Other);
            }
            Fault::FillDisk => {
                self.sometimes.met("fault: disk full");
                host.disk.set_capacity(Some(0));
            }
            _ => {
                let longest = self.chance.millis(50, 3_000);
                if longest > HANGS_FROM {
                    self.sometimes.met("fault: disk hung");
                    host.pace.set_hangs(true);
                } else {
                    self.sometimes.met("fault: disk slow");
                    host.pace.set_flush_max(longest);
                }
            }
        }
        self.later(now_ms, 6_000, Repair::Disk(host.node));
    }

    fn disturb_clients(&mut self, fault: Fault, now_ms: u64, node: i32) {
        match fault {
            Fault::ResetConnections => {
                self.sometimes.met("fault: connections reset");
                self.surroundings.network.reset_all(node);
            }
            Fault::CutFromClients => {
                self.sometimes.met("fault: clients cut off");
                let (to, from) = (Place::Node(node), Place::Clients);
                self.surroundings.weather.now().cuts.extend([(from, to), (to, from)]);
                self.later(now_ms, 8_000, Repair::Ways);
            }
            _ => {
                self.sometimes.met("fault: storm");
                let mut conditions = self.surroundings.weather.now();
                conditions.delay_ms_max = self.chance.between(5, 80);
                conditions.losses_per_mille = self.chance.between(0, 60);
                conditions.stragglers_per_mille = self.chance.between(0, 60);
                drop(conditions);
                self.later(now_ms, 8_000, Repair::Weather);
            }
        }
    }

    fn cut_peers(&mut self, fault: Fault, now_ms: u64, node: i32, all: &[i32]) {
        let others: Vec<i32> = all.iter().copied().filter(|other| *other != node).collect();
        let Some(other) = self.chance.pick(&others).copied() else { return };
        let mut conditions = self.surroundings.weather.now();
        let mut cut = |from: i32, to: i32| {
            conditions.cuts.insert((Place::Node(from), Place::Node(to)));
        };
        match fault {
            Fault::CutOneWay => {
                self.sometimes.met("fault: way cut in one direction");
                cut(node, other);
            }
            Fault::CutFromPeer => {
                self.sometimes.met("fault: link cut");
                cut(node, other);
                cut(other, node);
            }
            _ => {
                self.sometimes.met("fault: node isolated from nodes");
                for other in others {
                    cut(node, other);
                    cut(other, node);
                }
            }
        }
        drop(conditions);
        self.later(now_ms, 10_000, Repair::Ways);
    }

    /// Puts everything right, at once; nothing breaks from now on.
    pub fn heal(&mut self, hosts: &mut [Host]) {
        self.repairs.clear();
        self.next_ms = u64::MAX;
        self.repair(Repair::Ways, hosts);
        self.repair(Repair::Weather, hosts);
        for host in hosts.iter_mut() {
            mend_disk(host);
            host.clock.set_skew_ms(0);
            host.resume();
        }
    }
}

fn mend_disk(host: &Host) {
    host.disk.heal();
    host.disk.set_capacity(None);
    host.pace.set_flush_max(Duration::from_micros(USUAL_FLUSH_US));
    host.pace.set_hangs(false);
}
