//! A broker as a process of its own: the built program on free ports and a temporary directory.
//! Nothing here waits for a time to pass: a broker is ready when it says so.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(dead_code, reason = "not every test needs a cluster")]
pub mod cluster;
#[allow(dead_code, reason = "not every test has clients that are watched")]
pub mod witness;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// How long anything may take before the test gives up on it.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program, deaf to the settings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    let variables = std::env::vars().map(|(name, _)| name);
    for name in variables.filter(|name| name.starts_with("CALLBOARD_")) {
        command.env_remove(name);
    }
    command
}

/// What a finished command came to.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output of a command that succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Standard error of a command that ended with `code`.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

/// Runs a command to its end, with this on its standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Finished {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // a command that refuses its arguments reads nothing
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Finished::of(child.wait_with_output().unwrap())
}

/// `callboard serve` with these arguments, which are expected to be refused.
pub fn refused_serve(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command.arg("serve").args(arguments).envs(variables.iter().copied());
    Finished::of(command.current_dir(directory.path()).output().unwrap())
}

/// A running broker. It is killed when this is dropped.
pub struct Broker {
    child: Child,
    pub bootstrap: String,
    pub admin: String,
    data: PathBuf,
}

impl Broker {
    /// Starts a broker on `data`, which a test keeps beyond the broker's life.
    pub fn start(data: &Path, settings: &[&str]) -> Self {
        Self::start_as(program(), data, settings)
    }

    /// As [`Self::start`], with a command that may have variables set.
    pub fn start_as(mut command: Command, data: &Path, settings: &[&str]) -> Self {
        command.arg("serve").arg("--data-dir").arg(data);
        command.args(["--listeners", "PLAINTEXT://127.0.0.1:0", "--admin-listener", "127.0.0.1:0"]);
        let quick = ["group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=2"];
        for setting in quick.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let log = data.with_extension("log");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let Some(line) = first_line(stdout) else {
            let _ = child.kill();
            panic!("the broker does not say that it is ready: {}", read(&log));
        };
        let (bootstrap, admin) = addresses(&line).unwrap_or_else(|| panic!("{line}"));
        Self { child, bootstrap, admin, data: data.to_owned() }
    }

    /// A client command, with where this broker is.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env("CALLBOARD_BOOTSTRAP", &self.bootstrap).env("CALLBOARD_ADMIN", &self.admin);
        command.args(arguments);
        command
    }

    /// Runs a client command to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "")
    }

    /// Runs a client command to its end, with this on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        run_with_input(&mut self.command(arguments), input)
    }

    /// A file of the data directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Sends a signal, such as `TERM`, and waits for the end.
    pub fn end_by(mut self, signal: &str) -> ExitStatus {
        send_signal(&self.child, signal);
        self.child.wait().unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = read(&self.data.with_extension("log"));
            let _ = writeln!(std::io::stderr(), "the log of the broker:\n{log}");
        }
    }
}

/// Sends a signal, such as `TERM`.
pub fn send_signal(child: &Child, signal: &str) {
    let process = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &process]).status().unwrap();
    assert!(sent.success());
}

/// A broker with a directory that goes when both are dropped.
pub fn broker() -> (TempDir, Broker) {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::start(&directory.path().join("data"), &[]);
    (directory, broker)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The first line of a pipe; `None` if it ends before or takes too long.
fn first_line(pipe: impl std::io::Read + Send + 'static) -> Option<String> {
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = BufReader::new(pipe).read_line(&mut text);
        let _ = sender.send((read.unwrap_or(0) > 0).then_some(text));
    });
    line.recv_timeout(DEADLINE).ok().flatten()
}

/// What the line says that a broker is ready with.
fn addresses(line: &str) -> Option<(String, String)> {
    let line = line.strip_prefix("callboard is ready: clients connect to ")?;
    let (bootstrap, rest) = line.split_once(", admin at http://")?;
    let (admin, _) = rest.split_once("; stop with Ctrl-C")?;
    Some((bootstrap.to_owned(), admin.to_owned()))
}
