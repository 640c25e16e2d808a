//! `logcheck FILE`: judges the history in a file of JSON lines, `-` for standard input.
//!
//! Ends with 0 for a clean history, 1 for one that breaks a rule or shows nothing, 2 if it cannot
//! be read.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::process::ExitCode;

use logcheck::{History, Verdict, check};

fn main() -> ExitCode {
    match judge() {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Empty | Verdict::Broken) => ExitCode::from(1),
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            // Nobody is left to be told if this fails too.
            _ = writeln!(io::stderr(), "logcheck: {text}");
            ExitCode::from(2)
        }
    }
}

fn judge() -> Result<Verdict, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        return Err("usage: logcheck FILE".into());
    };
    let history = if path == "-" {
        History::read(io::stdin().lock())?
    } else {
        History::read(BufReader::with_capacity(1 << 20, File::open(path)?))?
    };
    let report = check(&history);
    writeln!(io::stdout(), "{report}")?;
    Ok(report.verdict())
}
