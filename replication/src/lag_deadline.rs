//! The one deadline of a leader.
//!
//! It is left armed when the last member catches up: it then fires once, finds nobody behind and
//! is not armed again. Under load that is one timer per lag time instead of two effects per append.

use crate::effect::{Effect, Effects};
use crate::moment::Moment;

/// What the shell was told last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LagDeadline {
    armed: Option<Moment>,
}

impl LagDeadline {
    /// Makes sure that `on_time` is called no later than `at`.
    pub(crate) fn arm(&mut self, at: Option<Moment>, effects: &mut Effects) {
        let Some(at) = at else { return };
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            effects.push(Effect::ArmLagDeadline { at });
        }
    }

    /// The deadline has come, or `on_time` was called early: the shell has forgotten it.
    pub(crate) fn on_time(&mut self) {
        self.armed = None;
    }

    pub(crate) fn disarm(&mut self, effects: &mut Effects) {
        if self.armed.take().is_some() {
            effects.push(Effect::DisarmLagDeadline);
        }
    }

    pub(crate) fn is_armed_by(&self, at: Moment) -> bool {
        self.armed.is_some_and(|armed| armed <= at)
    }
}
