//! What a panicking actor said, and where: ractor passes on neither the place nor the fact
//! that it was a panic and no error. A hook notes both by the id of the panicking task.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};
use tokio::task;

/// Reports kept for supervisors that have not asked yet. Most are asked for within
/// microseconds; those of tasks that nobody supervises are pushed out by later ones.
const REPORTS_MAX: usize = 256;

static INSTALL: Once = Once::new();
static REPORTS: Mutex<VecDeque<(task::Id, PanicReport)>> = Mutex::new(VecDeque::new());

/// What the hook saw of one panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PanicReport {
    pub(crate) message: String,
    /// `file:line:column`.
    pub(crate) location: String,
}

/// This build aborts the process at a panic, so no supervisor could ever restart anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("supervision needs panic = \"unwind\", but this build aborts at a panic")]
pub struct PanicsAbort;

/// Checks that a panic unwinds, so that it can be caught. For program start.
///
/// # Errors
/// [`PanicsAbort`] if the build profile says `panic = "abort"`.
pub fn ensure_unwinding_panics() -> Result<(), PanicsAbort> {
    if cfg!(panic = "unwind") { Ok(()) } else { Err(PanicsAbort) }
}

/// Installs the panic hook, once in the life of the process; later calls do nothing.
/// Starting a root supervisor does it too.
///
/// A panic inside a tokio task is noted for its supervisor and logged through `tracing`; with
/// `RUST_BACKTRACE` set the hook that was there before runs too. A panic outside of any task
/// goes to the hook that was there before.
pub fn install_panic_hook() {
    INSTALL.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let Some(task) = task::try_id() else {
                previous(info);
                return;
            };
            let report = note(task, info);
            if Backtrace::capture().status() == BacktraceStatus::Captured {
                previous(info);
            }
            tracing::error!(location = report.location, message = report.message, "task panicked");
        }));
    });
}

fn note(task: task::Id, info: &PanicHookInfo<'_>) -> PanicReport {
    let report = PanicReport {
        message: info.payload_as_str().unwrap_or("a panic without a text").to_owned(),
        location: info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string),
    };
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    if reports.len() >= REPORTS_MAX {
        reports.pop_front();
    }
    reports.push_back((task, report.clone()));
    report
}

/// Takes what is known of the last panic of `task`.
pub(crate) fn take_report(task: task::Id) -> Option<PanicReport> {
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let last = reports.iter().rposition(|(id, _)| *id == task)?;
    reports.remove(last).map(|(_, report)| report)
}
