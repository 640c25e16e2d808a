//! The machine of one classic consumer group: who belongs to it, which generation it is in, and
//! what it has committed.

mod deadlines;
mod deletion;
mod describe;
mod durability;
mod expiry;
mod heartbeat;
mod invariants;
mod join;
mod leave;
mod loading;
mod members;
mod offset_deletion;
mod offsets;
mod pending_appends;
mod protocols;
mod rebalance;
mod state;
mod static_member;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, Generation, GroupId, MemberId};

use crate::committed_offsets::CommittedOffsets;
use crate::effect::{Effect, Effects};
use crate::group_member::{GroupInstanceId, GroupMember};
use crate::settings::GroupSettings;
use crate::time::{Now, Timestamp};

pub use state::ClassicGroupState;

use deadlines::JoinPhase;
use pending_appends::PendingAppends;

/// One classic consumer group.
///
/// A pure machine: each `on_…` takes the moment and an input, changes the group and leaves effects
/// in the caller's buffer. A new machine stands for a group that does not exist; the first join or
/// commit makes it exist, [`Effect::GroupRemoved`] says that it does no more.
///
/// # Invariants
/// Checked at the end of every input in debug builds, under these numbers.
/// - **C1** `Empty` and `Dead` have no members; `CompletingRebalance` and `Stable` have some.
/// - **C2** There is a leader exactly if there are members, and it is one of them.
/// - **C3** Every static member is found under its instance id, and nothing else is.
/// - **C4** Joins are parked in `PreparingRebalance`, and in `Stable` only by a static member that
///   waits for its return to be durable; syncs are parked in `CompletingRebalance` only.
/// - **C5** A ticket waits in one place.
/// - **C6** In `CompletingRebalance` and `Stable` there is a protocol, and every member knows it.
/// - **C7** A member without a session deadline has a request parked.
/// - **C8** Who is still to sync is a member, and there is a deadline for it exactly if there is
///   such a one, in `CompletingRebalance` and `Stable` only.
/// - **C9** A member id given out and not yet used is no member's; their number is bounded.
/// - **C10** The join phase has a deadline exactly in `PreparingRebalance`.
/// - **C11** The timer is armed no later than the first deadline.
/// - **C12** The counters (joins parked, protocols supported, bytes) agree with the members.
/// - **C13** A group that does not exist has nothing.
#[derive(Clone, Debug)]
pub struct ClassicGroup {
    group_id: GroupId,
    settings: Arc<GroupSettings>,
    state: ClassicGroupState,
    previous_state: ClassicGroupState,
    /// When `state` was entered; unknown for a group that old records told of.
    state_since: Option<Timestamp>,
    /// Somebody joined or committed, and it has not been removed since.
    exists: bool,
    /// A record of it may be in the log, so that its removal needs a tombstone.
    is_recorded: bool,
    /// Another broker coordinates it now.
    has_resigned: bool,
    generation: Generation,
    protocol_type: Option<Arc<str>>,
    protocol_name: Option<Arc<str>>,
    leader: Option<MemberId>,
    members: BTreeMap<MemberId, GroupMember>,
    static_members: BTreeMap<GroupInstanceId, MemberId>,
    /// Member ids given out and not yet used, with the time when they end.
    pending_members: BTreeMap<MemberId, Duration>,
    /// Members of this generation that have not synced.
    pending_syncs: BTreeSet<MemberId>,
    /// How many members support each protocol.
    supporters: BTreeMap<Arc<str>, usize>,
    /// How many members have a join parked.
    joins_parked: usize,
    /// Bytes of all members.
    members_bytes: usize,
    /// What the members consume; `None` where that is not known.
    subscribed_topics: Option<BTreeSet<String>>,
    join_phase: Option<JoinPhase>,
    sync_deadline: Option<Duration>,
    armed_at: Option<Duration>,
    offsets: CommittedOffsets,
    pending_appends: PendingAppends,
}

impl ClassicGroup {
    /// A group that does not exist yet.
    #[must_use]
    pub fn new(group_id: GroupId, settings: Arc<GroupSettings>) -> Self {
        Self {
            group_id,
            settings,
            state: ClassicGroupState::Empty,
            previous_state: ClassicGroupState::Dead,
            state_since: None,
            exists: false,
            is_recorded: false,
            has_resigned: false,
            generation: Generation::ZERO,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            supporters: BTreeMap::new(),
            joins_parked: 0,
            members_bytes: 0,
            subscribed_topics: None,
            join_phase: None,
            sync_deadline: None,
            armed_at: None,
            offsets: CommittedOffsets::default(),
            pending_appends: PendingAppends::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn group_id(&self) -> &GroupId {
        &self.group_id
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> ClassicGroupState {
        self.state
    }

    /// Its generation; 0 before the first.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The leader of this generation, or of the next one as it stands.
    #[must_use]
    pub const fn leader(&self) -> Option<&MemberId> {
        self.leader.as_ref()
    }

    /// How many members it has.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Its durable committed offsets.
    #[must_use]
    pub const fn committed_offsets(&self) -> &CommittedOffsets {
        &self.offsets
    }

    /// Whether the machine may be dropped and made anew at the next request, because the group
    /// does not exist here and waits for nothing.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        (!self.exists || self.has_resigned) && self.pending_appends.is_empty()
    }

    /// The broker no longer coordinates the group: whoever waits is told so, and so is whoever
    /// comes. Appends in flight may still become durable; whoever waited for one is not told.
    pub fn on_resigned(&mut self, now: Now, effects: &mut Effects) {
        self.has_resigned = true;
        for purpose in self.pending_appends.take_all() {
            self.answer_failed_append(purpose, ErrorCode::NotCoordinator, effects);
        }
        let members: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in members {
            self.remove_member(&member_id, ErrorCode::NotCoordinator, effects);
        }
        self.pending_members.clear();
        self.join_phase = None;
        self.clear_pending_syncs();
        self.enter(ClassicGroupState::Dead, now, effects);
        self.debug_assert_invariants();
    }

    fn enter(&mut self, next: ClassicGroupState, now: Now, effects: &mut Effects) {
        debug_assert!(self.state.may_become(next), "{} to {next}", self.state);
        self.previous_state = self.state;
        self.state = next;
        self.state_since = Some(now.wall_clock);
        effects.push(Effect::StateChanged {
            from: self.previous_state,
            to: next,
            generation: self.generation,
        });
    }

    /// What a dead group answers.
    const fn dead_error(&self) -> ErrorCode {
        if self.has_resigned {
            ErrorCode::NotCoordinator
        } else {
            ErrorCode::CoordinatorNotAvailable
        }
    }

    fn is_dead(&self) -> bool {
        self.state == ClassicGroupState::Dead
    }

    /// Requests that append are put off while too many appends are in flight.
    fn must_put_off_append(&self) -> bool {
        self.pending_appends.len() >= self.settings.appends_in_flight_max
    }

    /// Checks that a request comes from a member of the group, under its present id.
    fn check_member(
        &self,
        member_id: &MemberId,
        group_instance_id: Option<&GroupInstanceId>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if current != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }
}
