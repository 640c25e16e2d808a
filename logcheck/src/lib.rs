#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod check;
pub mod event;
pub mod history;
pub mod payload;
pub mod report;
mod rules;
pub mod value;

pub use check::check;
pub use event::{Answer, Bound, Event, Operation, Read, Rebalance, Sent, Step};
pub use history::{History, HistoryError, Limits, ReadError, Ticket};
pub use payload::{Payload, PayloadError};
pub use report::{Counts, Report, Rule, Verdict, Violation};
pub use value::{Client, Key, Value};
