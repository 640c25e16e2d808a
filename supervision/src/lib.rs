#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod address;
mod backoff;
mod child;
mod child_id;
mod child_spec;
mod counted;
mod dynamic_supervisor;
mod exit_reason;
mod launch;
mod lease;
mod notice;
mod occupancy;
mod operator;
mod own_children;
mod panics;
mod place;
#[cfg(feature = "testing")]
mod probe;
mod published_actor;
mod restart_intensity;
mod roster;
mod start;
mod status;
mod strategy;
mod supervisor;
mod tree;
mod tree_node;

pub use address::{Address, AskError, Mailbox, Undeliverable};
pub use backoff::{Backoff, FailureRun, Jitter};
pub use child_id::ChildId;
pub use child_spec::{ChildSpec, RestartType, Shutdown};
pub use counted::Counted;
pub use dynamic_supervisor::{
    DynamicSupervisor, DynamicSupervisorSpec, StartChildError, StopChildError,
};
pub use exit_reason::ExitReason;
pub use lease::{Lease, LeaseTable, LeaseTimeout};
pub use notice::{Notice, NoticeEvent, Subscriber};
pub use operator::{OperatorCommand, OperatorError};
pub use own_children::{OwnChild, OwnChildren};
pub use panics::{PanicsAbort, ensure_unwinding_panics, install_panic_hook};
#[cfg(feature = "testing")]
pub use probe::{Probe, ProbeTimeout};
pub use restart_intensity::{RestartHistory, RestartIntensity};
pub use start::{StartContext, StartError, Started};
pub use status::{Status, StatusValue};
pub use strategy::{AutoShutdown, NextSteps, Sibling, Standing, Strategy, next_steps};
pub use supervisor::{DuplicateChild, Escalation, Supervisor, SupervisorSpec};
pub use tree::{Tree, WallClock};
pub use tree_node::{NodeKind, NodeState, REMARKABLE_MAX, TreeNode};
