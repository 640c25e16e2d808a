//! The protocol type, the vote for a protocol, and the topics subscribed to under it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ClassicGroup, ClassicGroupState};
use crate::group_member::MemberProtocol;
use crate::subscription;

impl ClassicGroup {
    /// Whether somebody with these protocols may be in the group: there must be one that everybody
    /// knows.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[MemberProtocol]) -> bool {
        if self.state == ClassicGroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| self.everybody_knows(&protocol.name))
    }

    fn everybody_knows(&self, protocol_name: &str) -> bool {
        self.supporters.get(protocol_name).copied().unwrap_or(0) == self.members.len()
    }

    /// The protocol of the next generation: each member votes for the one it likes best of those
    /// that everybody knows; the most votes win, and among equals the one that the leader likes
    /// best (Kafka leaves that open).
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let leader = self.members.get(self.leader.as_ref()?)?;
        // name → (place in the leader's list, votes)
        let mut candidates: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (place, protocol) in leader.protocols.iter().enumerate() {
            if self.everybody_knows(&protocol.name) {
                candidates.insert(&protocol.name, (place, 0));
            }
        }
        for member in self.members.values() {
            let names = || member.protocols.iter().map(|protocol| &*protocol.name);
            if let Some(favourite) = names().find(|name| candidates.contains_key(name))
                && let Some((_, votes)) = candidates.get_mut(favourite)
            {
                *votes += 1;
            }
        }
        let best = |(place, votes): &(usize, usize)| (*votes, Reverse(*place));
        let (place, _) = candidates.into_values().max_by_key(best)?;
        leader.protocols.get(place).map(|protocol| Arc::clone(&protocol.name))
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(subscription::CONSUMER_PROTOCOL_TYPE)
    }

    /// What the members consume, as far as it can be known: the group must use the consumer
    /// protocol and every subscription must be readable.
    pub(super) fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol_name = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription::subscribed_topics(&member.metadata(protocol_name))?);
        }
        Some(topics)
    }

    /// Whether a member may be consuming the topic. Consumers whose subscriptions are not known
    /// may be consuming anything.
    pub(super) fn may_be_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }
}
