//! The node program: arguments in, one command run, an exit code out.
//!
//! ```text
//! 0    done; of `serve`: stopped in order
//! 1    it failed
//! 2    the arguments or the settings make no sense; nothing was started
//! 130  SIGINT, 143 SIGTERM: before the start was through, or a second one while stopping
//! ```

mod command_line;
mod commands;
mod output;
mod progress;
mod record_text;
mod stop_signals;
mod timestamp_text;

use std::process::ExitCode;

use clap::Parser;

use command_line::CommandLine;

/// Many small allocations of many threads: the system's allocator would be the bottleneck.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return commands::failed(&anyhow::Error::from(error)),
    };
    let code = runtime.block_on(Box::pin(commands::run(command_line)));
    // a thread may still wait for a line of standard input that nobody will read
    runtime.shutdown_background();
    code
}
