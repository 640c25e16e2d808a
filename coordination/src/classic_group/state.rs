//! The states of a classic group.

use std::fmt;

/// Where a group stands in its life. The form of these notes is that of Kafka's `GroupMetadata`.
///
/// ```text
///                   first join                 all joined, or time is up
///        ┌─► Empty ────────────► PreparingRebalance ──────────────► CompletingRebalance
///        │     │ ▲                  │  ▲       ▲                        │   │
///        │     │ └──────────────────┘  │       └────────────────────────┘   │ assignment
///        │     │   nobody is left      │          join, leave, loss         │ durable
///        │     │                       │                                    ▼
///        │     │ deleted, expired      └─────────────────────────────── Stable
///        │     ▼                             join, leave, loss
///        └── Dead ◄── any state, when the broker stops coordinating the group
///  removal not durable
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassicGroupState {
    /// No members; perhaps committed offsets, perhaps member ids given out and not yet used.
    ///
    /// - *Actions:* answer a first join by preparing a rebalance; answer sync, heartbeat and leave
    ///   with `UNKNOWN_MEMBER_ID`; accept commits of simple consumers; accept deletion.
    /// - *Transitions:* a member joins → `PreparingRebalance`; the group is deleted, or its last
    ///   offset expires → `Dead`.
    Empty,
    /// A rebalance has begun: members are to join.
    ///
    /// - *Actions:* park joins until all members have joined or the rebalance timeout (for a group
    ///   that was empty: the initial delay) has passed; answer heartbeats and syncs with
    ///   `REBALANCE_IN_PROGRESS`; accept commits of the last generation.
    /// - *Transitions:* all joined or time is up, somebody has joined → `CompletingRebalance`;
    ///   nobody is left → `Empty`.
    PreparingRebalance,
    /// A generation has begun: its leader is to assign.
    ///
    /// - *Actions:* park syncs until the leader's assignment is durable; answer commits with
    ///   `REBALANCE_IN_PROGRESS`; answer heartbeats; answer a join that brings nothing new with
    ///   the generation.
    /// - *Transitions:* the assignment is durable → `Stable`; somebody joins, brings something
    ///   new, leaves or is lost, does not sync in time, or the append fails →
    ///   `PreparingRebalance`.
    CompletingRebalance,
    /// Every member may know its assignment.
    ///
    /// - *Actions:* answer syncs with the assignment, heartbeats, commits; answer a follower's
    ///   join that brings nothing new with the generation; let a static member return to its place
    ///   once that is durable.
    /// - *Transitions:* somebody joins, the leader rejoins, a member brings something new, leaves
    ///   or is lost, or does not sync in time → `PreparingRebalance`.
    Stable,
    /// The group is being removed, is removed, or is coordinated elsewhere.
    ///
    /// - *Actions:* answer everything with `COORDINATOR_NOT_AVAILABLE`, or `NOT_COORDINATOR` where
    ///   the group is elsewhere, so that clients look for the coordinator and come back.
    /// - *Transitions:* the removal could not be made durable → `Empty`.
    Dead,
}

impl ClassicGroupState {
    /// Kafka's name of the state, as DescribeGroups and ListGroups give it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    /// Whether the drawing above has an arrow to `next`.
    pub(super) const fn may_become(self, next: Self) -> bool {
        match next {
            Self::Empty => matches!(self, Self::PreparingRebalance | Self::Dead),
            Self::PreparingRebalance => {
                matches!(self, Self::Empty | Self::CompletingRebalance | Self::Stable)
            }
            Self::CompletingRebalance => matches!(self, Self::PreparingRebalance),
            Self::Stable => matches!(self, Self::CompletingRebalance),
            Self::Dead => true,
        }
    }
}

impl fmt::Display for ClassicGroupState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
