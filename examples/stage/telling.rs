//! What a demonstration says, in the same form each time.

use std::time::{Duration, Instant};

use supervision::{NodeState, TreeNode};

/// Tells what happens, with the time since the beginning.
pub struct Telling {
    began: Instant,
}

impl Telling {
    /// Says what the demonstration shows.
    pub fn begin(what: &str) -> Self {
        println!("{what}\n");
        Self { began: Instant::now() }
    }

    /// A step of the demonstration.
    pub fn step(&self, text: &str) {
        println!("{:7.3} s  {text}", self.began.elapsed().as_secs_f64());
    }

    /// More about the step before.
    pub fn detail(&self, text: &str) {
        println!("{:11}{text}", "");
    }

    /// It was as it should be.
    pub fn end(&self, text: &str) {
        println!("\n{text} ({:.1} s)", self.began.elapsed().as_secs_f64());
    }
}

/// A duration in milliseconds, short.
pub fn in_ms(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1_000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

/// One actor as the tree shows it.
pub fn in_the_tree(node: &TreeNode) -> String {
    let state = match node.state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::BackingOff { .. } => "backing off",
        NodeState::Quarantined => "in quarantine",
        NodeState::Stopping => "stopping",
        NodeState::Stopped => "stopped",
    };
    let last = node.last_exit.as_ref().map(|reason| format!(", last {reason}"));
    format!("{}: {state}, restarts {}{}", node.id, node.restarts, last.unwrap_or_default())
}
