//! Which siblings are stopped and started again with a failed child, and in which order.
//! Pure: a supervisor describes its children, this module names the next steps.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What the failure of one child means for its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nothing: only the failed child is started again.
    OneForOne,
    /// All are stopped, last first, and started again, first first.
    OneForAll,
    /// Those started after it are stopped, last first, then it and they are started again.
    RestForOne,
}

impl Strategy {
    /// The children that share the fate of child `failed` out of `count`, itself included.
    #[must_use]
    pub fn affected(self, failed: usize, count: usize) -> Range<usize> {
        match self {
            Self::OneForOne => failed..failed.saturating_add(1).min(count),
            Self::OneForAll => 0..count,
            Self::RestForOne => failed..count,
        }
    }
}

/// What a significant child's own, orderly end means for its supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// Nothing.
    #[default]
    Never,
    /// The first significant child that ends for good ends the supervisor.
    AnySignificant,
    /// The last one does.
    AllSignificant,
}

impl AutoShutdown {
    /// Whether the supervisor must end now, given for each significant child whether it has
    /// ended for good.
    #[must_use]
    pub fn must_shut_down(self, significant_ended: impl IntoIterator<Item = bool>) -> bool {
        let mut ended = significant_ended.into_iter().peekable();
        match self {
            Self::Never => false,
            Self::AnySignificant => ended.any(|ended| ended),
            Self::AllSignificant => ended.peek().is_some() && ended.all(|ended| ended),
        }
    }
}

/// Where one child stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not running, to be started when its turn comes.
    Waiting,
    /// Its start is under way (a backoff counts).
    Starting,
    /// Running.
    Up,
    /// Being stopped.
    Stopping,
    /// Not running, and not to be started.
    Ended,
}

/// One child as the strategy sees it. Children are listed in start order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Where it stands.
    pub standing: Standing,
    /// It must be stopped before it may run again.
    pub condemned: bool,
    /// It has been up at least once.
    pub has_run: bool,
}

impl Sibling {
    fn is_alive(&self) -> bool {
        matches!(self.standing, Standing::Starting | Standing::Up | Standing::Stopping)
    }

    /// Whether those after it may start.
    fn lets_pass(&self, strategy: Strategy) -> bool {
        match self.standing {
            Standing::Up | Standing::Ended => true,
            // Independent siblings wait for each other at the first start only.
            Standing::Waiting | Standing::Starting | Standing::Stopping => {
                strategy == Strategy::OneForOne && self.has_run
            }
        }
    }
}

/// What a supervisor must do now; both may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextSteps {
    /// The one child to stop.
    pub stop: Option<usize>,
    /// The children to start, in this order.
    pub start: Vec<usize>,
}

/// The next steps towards all children running as they should.
///
/// Condemned children are stopped one at a time, last first. Unless siblings are
/// independent, nothing starts before all of them are down; then children start one at a
/// time, first first, each when all before it are up.
#[must_use]
pub fn next_steps(strategy: Strategy, siblings: &[Sibling]) -> NextSteps {
    let clearing = siblings.iter().any(|sibling| sibling.condemned && sibling.is_alive());
    let may_start = !clearing || strategy == Strategy::OneForOne;
    NextSteps {
        stop: next_stop(siblings),
        start: if may_start { startable(strategy, siblings) } else { Vec::new() },
    }
}

fn next_stop(siblings: &[Sibling]) -> Option<usize> {
    let last = siblings.iter().rposition(|sibling| sibling.condemned && sibling.is_alive())?;
    let stopping = siblings.iter().any(|sibling| sibling.standing == Standing::Stopping);
    (!stopping).then_some(last)
}

fn startable(strategy: Strategy, siblings: &[Sibling]) -> Vec<usize> {
    let mut start = Vec::new();
    for (index, sibling) in siblings.iter().enumerate() {
        if sibling.standing == Standing::Waiting && !sibling.condemned {
            start.push(index);
        }
        if !sibling.lets_pass(strategy) {
            break;
        }
    }
    start
}

#[cfg(test)]
mod tests;
