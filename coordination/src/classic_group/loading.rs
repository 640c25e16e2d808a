//! A group as its records tell of it, after a restart or a change of coordinator.

use std::sync::Arc;

use protocol::{Generation, MemberId, TopicPartition};

use super::{ClassicGroup, ClassicGroupState};
use crate::effect::Effects;
use crate::group_member::GroupMember;
use crate::record::{GroupRecord, MembershipRecord};
use crate::time::Now;

impl ClassicGroup {
    /// Takes over one record of the group, in the order of the log, before any other input.
    pub fn restore(&mut self, record: GroupRecord) {
        self.is_recorded = true;
        match record {
            GroupRecord::OffsetCommitted { topic, partition, committed } => {
                self.exists = true;
                self.offsets.insert(topic, partition, committed);
            }
            GroupRecord::OffsetRemoved { topic, partition } => {
                self.offsets.remove(&TopicPartition::new(topic, partition));
            }
            GroupRecord::Membership(membership) => self.restore_membership(membership),
            GroupRecord::GroupRemoved => {
                self.clear_membership();
                // an offset without a tombstone of its own is still committed
                self.exists = !self.offsets.is_empty();
            }
        }
    }

    /// All records are taken over. Every member gets its full session timeout, because nobody
    /// could hear it meanwhile; a group above a bound that was lowered joins anew.
    pub fn on_loaded(&mut self, now: Now, effects: &mut Effects) {
        let members: Vec<MemberId> = self.members.keys().cloned().collect();
        for member_id in &members {
            self.renew_session(member_id, now, effects);
        }
        if members.len() > self.settings.group_size_max {
            self.prepare_rebalance(now, effects);
        }
        self.debug_assert_invariants();
    }

    fn restore_membership(&mut self, membership: MembershipRecord) {
        self.clear_membership();
        self.exists = true;
        self.generation = membership.generation;
        self.state_since = membership.state_since;
        let protocol_type = membership.protocol_type;
        self.protocol_type = (!protocol_type.is_empty()).then(|| Arc::clone(&protocol_type));
        let has_members = !membership.members.is_empty();
        // a generation with members has a protocol; one without a name would be a foreign
        // writer's mistake, and no reason to lose the group
        let protocol_name = membership.protocol_name.unwrap_or_default();
        for record in membership.members {
            let member = GroupMember::restored(record, &protocol_name);
            let instance_id = member.group_instance_id.as_ref();
            let is_double = self.members.contains_key(&member.member_id)
                || instance_id.is_some_and(|id| self.static_members.contains_key(id));
            if !is_double {
                self.add_member(member, &protocol_type);
            }
        }
        if has_members {
            self.state = ClassicGroupState::Stable;
            self.protocol_name = Some(protocol_name);
            let led = membership.leader.filter(|leader| self.members.contains_key(leader));
            self.leader = led.or_else(|| self.leader.take());
        }
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    fn clear_membership(&mut self) {
        self.state = ClassicGroupState::Empty;
        self.state_since = None;
        self.generation = Generation::ZERO;
        self.protocol_type = None;
        self.protocol_name = None;
        self.leader = None;
        self.members.clear();
        self.static_members.clear();
        self.supporters.clear();
        self.joins_parked = 0;
        self.members_bytes = 0;
        self.subscribed_topics = None;
    }
}
