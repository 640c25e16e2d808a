//! The simulator's command line: one seed, the seeds that failed once, or fresh ones for a while.
//!
//! ```text
//! simulation --seed N [--nodes N] [--faulty-seconds N] [--trace FILE] [--history FILE]
//! simulation --past
//! simulation --fresh SECONDS [--nodes N] [--faulty-seconds N]
//! ```

use std::fs::File;
use std::io::{BufWriter, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rustix::process::{Resource, Rlimit, setrlimit};
use simulation::fresh_seeds::{HANGS_AFTER_CPU, Totals, fresh_seeds, past_seeds};
use simulation::history::History;
use simulation::run::{Plan, run};
use simulation::trace::Trace;

/// What a run is asked for on the command line.
struct Order {
    plan: Option<Plan>,
    fresh_seconds: Option<u64>,
    trace: Option<String>,
    history: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(order) = parse(std::env::args().skip(1)) else {
        let _ = writeln!(stderr(), "usage: simulation --seed N | --past | --fresh SECONDS");
        return ExitCode::from(2);
    };
    match (order.plan, order.fresh_seconds) {
        (Some(plan), None) => one_seed(plan, order.trace.as_deref(), order.history),
        (Some(plan), Some(seconds)) => verdict(&fresh_seeds(plan, seconds)),
        (None, _) => verdict(&past_seeds()),
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Order> {
    let mut order = Order { plan: None, fresh_seconds: None, trace: None, history: None };
    let mut plan = Plan { seed: 0, nodes: 0, faulty_seconds: 60 };
    let mut is_past = false;
    while let Some(name) = arguments.next() {
        if name == "--past" {
            is_past = true;
            continue;
        }
        let value = arguments.next()?;
        match name.as_str() {
            "--seed" => plan.seed = value.parse().ok()?,
            "--nodes" => plan.nodes = value.parse().ok().filter(|nodes| (1..=9).contains(nodes))?,
            "--faulty-seconds" => plan.faulty_seconds = value.parse().ok()?,
            "--fresh" => order.fresh_seconds = Some(value.parse().ok()?),
            "--trace" => order.trace = Some(value),
            "--history" => order.history = Some(value.into()),
            _ => return None,
        }
    }
    if order.fresh_seconds.is_none() {
        plan.nodes = plan.nodes.max(1);
    }
    order.plan = (!is_past).then_some(plan);
    Some(order)
}

fn one_seed(plan: Plan, trace_file: Option<&str>, history_file: Option<PathBuf>) -> ExitCode {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let lines = tracing_subscriber::fmt().with_env_filter(filter).without_time();
        lines.with_ansi(false).with_writer(stderr).init();
    }
    let trace = match trace_file.map(File::create) {
        None => Trace::default(),
        Some(Ok(file)) => Trace::to_file(Box::new(BufWriter::new(file))),
        Some(Err(error)) => {
            let _ = writeln!(stderr(), "the trace cannot be written: {error}");
            return ExitCode::from(2);
        }
    };
    end_if_it_hangs();
    let panics = count_panics();
    // the world has a thread of its own: what the preparations above drew is not its business
    let world = std::thread::Builder::new().name("world".to_owned()).spawn(move || {
        // before anything draws: from here on the process's randomness is the seed's
        mad_turmoil::rand::set_rng(rand::rngs::StdRng::seed_from_u64(plan.seed));
        run(plan, trace)
    });
    let Some((mut outcome, history)) = world.ok().and_then(|world| world.join().ok()) else {
        let panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(stdout(), "the simulator itself failed: {}", panics.join("; "));
        return ExitCode::FAILURE;
    };
    let panics = panics.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.violations.extend(panics.iter().map(|panic| format!("a panic: {panic}")));
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu_ms = cpu.tv_sec * 1000 + cpu.tv_nsec / 1_000_000;
    let _ = writeln!(stdout(), "{outcome}cpu_ms {cpu_ms}");
    let is_good = outcome.violations.is_empty();
    // a failing run leaves what its clients saw
    let history_file = history_file.or_else(|| (!is_good).then(|| usual_place(plan)));
    if let Some(path) = history_file {
        keep(&history, &path);
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A task that works without an end is ended by the system.
fn end_if_it_hangs() {
    let seconds = Some(HANGS_AFTER_CPU.as_secs());
    let limit = Rlimit { current: seconds, maximum: seconds };
    if let Err(error) = setrlimit(Resource::Cpu, limit) {
        let _ = writeln!(stderr(), "a run that hangs will not be noticed: {error}");
    }
}

fn usual_place(plan: Plan) -> PathBuf {
    let Plan { seed, nodes, faulty_seconds } = plan;
    let name = format!("callboard-simulation-{seed}-{nodes}-{faulty_seconds}.jsonl");
    std::env::temp_dir().join(name)
}

/// Writes the history and says how it is judged.
fn keep(history: &History, path: &Path) {
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        history.write(&mut file)?;
        file.flush()
    });
    let path = path.display();
    let _ = match written {
        Ok(()) => writeln!(stdout(), "its history: cargo run -p logcheck -- {path}"),
        Err(error) => writeln!(stderr(), "the history was not written to {path}: {error}"),
    };
}

/// A panic in the broker is caught by whoever supervises it; here it is a fault of the broker's, for
/// nobody injects one.
fn count_panics() -> Arc<Mutex<Vec<String>>> {
    let panics = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&panics);
    std::panic::set_hook(Box::new(move |panic| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(panic.to_string());
    }));
    panics
}

fn verdict(totals: &Totals) -> ExitCode {
    let _ = write!(stdout(), "{totals}");
    if totals.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
