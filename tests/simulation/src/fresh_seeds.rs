//! Many seeds, each in a process of its own: actor numbers, map hashers and registries belong to the
//! process, and a run has to find them as every other run does.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Write, stdout};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::Rng as _;
use rustix::time::{ClockId, clock_gettime};

use crate::run::Plan;

/// The seeds that failed once, with what they found. They stay.
const PAST: &str = include_str!("../failing_seeds.txt");
/// A run that works longer hangs: some task works without an end while time stands still. Its own
/// time counts, for a busy machine gives it little.
pub const HANGS_AFTER_CPU: Duration = Duration::from_secs(240);
/// One that has not ended by then waits for something that does not come.
const HANGS_AFTER: Duration = Duration::from_secs(1200);
/// What fresh seeds must have met, if there were this many of them at least.
const RUNS_THAT_MEET_ALL: u64 = 12;
const MUST_MEET: &[&str] = &[
    "fault: clock turned",
    "fault: connections reset",
    "fault: disk full",
    "fault: disk slow",
    "fault: flush failed",
    "fault: power cut",
    "fault: power cut midway",
    "fault: process killed",
    "fault: process paused",
    "fault: write failed",
    "judged: G1a",
    "judged: commit-regression",
    "judged: double-owner",
    "judged: duplicate",
    "judged: epoch-regression",
    "judged: inconsistent-offset",
    "judged: nonmonotonic-poll",
    "judged: nonmonotonic-send",
    "judged: offset-beyond",
    "judged: poll-skip",
    "judged: taken-offset",
    "judged: unseen",
    "judged: zombie-commit",
    "offset committed",
    "process stopped in order",
    "record acknowledged",
    "record read",
];

/// The same for runs of several nodes.
const MUST_MEET_TOGETHER: &[&str] = &[
    "fault: link cut",
    "fault: node isolated from nodes",
    "fault: storm",
    "fault: way cut in one direction",
];

/// What many runs came to.
#[derive(Debug, Default)]
pub struct Totals {
    runs: u64,
    runs_together: u64,
    simulated_ms: u64,
    cpu_ms: u64,
    met: BTreeMap<String, u64>,
    failed: Vec<Plan>,
    must_meet_all: bool,
}

impl Totals {
    /// Whether nothing failed and everything was met that must be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.never_met().is_empty()
    }

    fn never_met(&self) -> Vec<&'static str> {
        let mut wanted = Vec::new();
        if self.must_meet_all && self.runs >= RUNS_THAT_MEET_ALL {
            wanted.extend(MUST_MEET);
        }
        if self.must_meet_all && self.runs_together >= RUNS_THAT_MEET_ALL {
            wanted.extend(MUST_MEET_TOGETHER);
        }
        wanted.retain(|what| !self.met.contains_key(*what));
        wanted
    }

    fn faults(&self) -> u64 {
        self.met.iter().filter(|(what, _)| what.starts_with("fault:")).map(|(_, times)| times).sum()
    }

    /// Takes the words of a run's last lines.
    fn take(&mut self, plan: Plan, words: &str) {
        self.runs += 1;
        self.runs_together += u64::from(plan.nodes > 1);
        for line in words.lines() {
            let Some((what, number)) = line.rsplit_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what.split_once(' ') {
                Some(("met", what)) => *self.met.entry(what.to_owned()).or_default() += number,
                None if what == "simulated_ms" => self.simulated_ms += number,
                None if what == "cpu_ms" => self.cpu_ms += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.met {
            writeln!(formatter, "met {what} {times}")?;
        }
        let hours = self.simulated_ms as f64 / 3_600_000.0;
        let faults = self.faults();
        let factor = self.simulated_ms as f64 / self.cpu_ms.max(1) as f64;
        let density = faults as f64 / hours.max(f64::MIN_POSITIVE);
        writeln!(
            formatter,
            "{} runs, {hours:.2} simulated hours, {faults} faults ({density:.0} an hour), \
             {factor:.1} simulated hours per CPU hour",
            self.runs,
        )?;
        for what in self.never_met() {
            writeln!(formatter, "never met: {what}")?;
        }
        for plan in &self.failed {
            writeln!(formatter, "failed: {}", replay(*plan))?;
        }
        writeln!(
            formatter,
            "{} passed, {} failed",
            self.runs - self.failed.len() as u64,
            self.failed.len()
        )
    }
}

/// The command that repeats a run.
#[must_use]
pub fn replay(plan: Plan) -> String {
    format!("cargo run -p simulation -- {}", arguments(plan).join(" "))
}

fn arguments(plan: Plan) -> Vec<String> {
    let Plan { seed, nodes, faulty_seconds } = plan;
    let words = [("--seed", seed), ("--nodes", nodes as u64), ("--faulty-seconds", faulty_seconds)];
    words.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]).collect()
}

/// Runs one fresh seed after the other for so many seconds. A pattern of 0 nodes means various.
#[must_use]
pub fn fresh_seeds(pattern: Plan, seconds: u64) -> Totals {
    let mut totals = Totals { must_meet_all: true, ..Totals::default() };
    let began = now();
    while now() - began < Duration::from_secs(seconds) {
        // short enough to be typed
        let seed = rand::rng().next_u64() >> 32;
        // a number of nodes that is not given is drawn: one node, a cluster, a larger one
        let drawn = [1, 3, 3, 5].get(usize::try_from(seed % 4).unwrap_or_default());
        let nodes = if pattern.nodes == 0 { drawn.copied().unwrap_or(1) } else { pattern.nodes };
        run_apart(Plan { seed, nodes, ..pattern }, &mut totals);
    }
    totals
}

/// Runs every seed that failed once.
#[must_use]
pub fn past_seeds() -> Totals {
    let mut totals = Totals::default();
    past_plans().for_each(|plan| run_apart(plan, &mut totals));
    totals
}

fn past_plans() -> impl Iterator<Item = Plan> {
    PAST.lines().filter_map(|line| {
        let mut numbers = line.split('#').next()?.split_whitespace();
        let mut next = || numbers.next()?.parse::<u64>().ok();
        let (seed, nodes, faulty_seconds) = (next()?, next()?, next()?);
        Some(Plan { seed, nodes: usize::try_from(nodes).ok()?, faulty_seconds })
    })
}

fn now() -> Duration {
    // the simulator's own clock stands still, so the system is asked behind its back
    let now = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or_default();
    Duration::from_secs(part(now.tv_sec)) + Duration::from_nanos(part(now.tv_nsec))
}

fn run_apart(plan: Plan, totals: &mut Totals) {
    let (is_good, words) = match run_process(plan) {
        Ok(ended) => ended,
        Err(error) => (false, format!("it could not be run: {error}\n")),
    };
    totals.take(plan, &words);
    let Plan { seed, nodes, .. } = plan;
    let _ =
        writeln!(stdout(), "seed {seed} nodes {nodes} {}", if is_good { "good" } else { "bad" });
    if is_good {
        return;
    }
    totals.failed.push(plan);
    let kept = words.lines().filter(|line| !line.starts_with("met "));
    let kept: Vec<&str> = kept.take(40).collect();
    let _ = writeln!(stdout(), "{}\n{}", replay(plan), kept.join("\n"));
}

/// Runs the plan in a process of its own; whether it was good, and what it printed.
fn run_process(plan: Plan) -> std::io::Result<(bool, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments(plan)).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let output = child.stdout.take();
    let reading = std::thread::spawn(move || {
        let mut words = String::new();
        if let Some(mut output) = output {
            let _ = std::io::Read::read_to_string(&mut output, &mut words);
        }
        words
    });
    let began = now();
    while !reading.is_finished() {
        if now() - began > HANGS_AFTER {
            child.kill()?;
            child.wait()?;
            return Ok((false, format!("it hangs: not done after {HANGS_AFTER:?}\n")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait()?;
    let mut words = reading.join().unwrap_or_default();
    if status.code().is_none() {
        words += &format!("it ended by a signal, which also ends what works {HANGS_AFTER_CPU:?}\n");
    }
    Ok((status.success(), words))
}
