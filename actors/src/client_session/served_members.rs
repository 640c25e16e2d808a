//! The group members that speak by one connection, so that their groups hear when it closes.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::{GroupId, MemberId};

use crate::broker::Broker;
use crate::group_directory::member_connections::{ConnectionNumber, Speaker};

/// Members that one connection speaks for; a client has one or a few. Beyond it those that were
/// silent for longest are forgotten: they have their session timeout, and nothing shorter.
const MEMBERS_MAX: usize = 256;

/// See the head of this file. When it is dropped without [`ServedMembers::on_connection_ended`],
/// it is this node that ended the connection: then nobody is cut off, and the client is expected
/// back.
pub struct ServedMembers {
    broker: Arc<Broker>,
    connection: ConnectionNumber,
    /// The one heard of last is at the end.
    members: VecDeque<(GroupId, MemberId)>,
}

impl ServedMembers {
    /// Nobody yet, by a connection that was just accepted.
    #[must_use]
    pub fn new(broker: Arc<Broker>) -> Self {
        let connection = broker.groups.next_connection();
        Self { broker, connection, members: VecDeque::new() }
    }

    /// A request of the member came by this connection. `None` for a consumer without membership.
    pub fn speaker(&mut self, group_id: &GroupId, member_id: &MemberId) -> Option<Speaker> {
        if member_id.as_str().is_empty() {
            return None;
        }
        let is_known =
            |(group, member): &(GroupId, MemberId)| group == group_id && member == member_id;
        match self.members.iter().rposition(is_known) {
            Some(place) if place + 1 == self.members.len() => {}
            Some(place) => {
                let heard = self.members.remove(place);
                self.members.extend(heard);
            }
            None => self.remember(group_id.clone(), member_id.clone()),
        }
        Some(Speaker { member_id: member_id.clone(), connection: self.connection })
    }

    fn remember(&mut self, group_id: GroupId, member_id: MemberId) {
        if self.members.len() >= MEMBERS_MAX
            && let Some((group_id, member_id)) = self.members.pop_front()
        {
            self.forget(&group_id, member_id);
        }
        self.members.push_back((group_id, member_id));
    }

    fn forget(&self, group_id: &GroupId, member_id: MemberId) {
        let speaker = Speaker { member_id, connection: self.connection };
        self.broker.groups.forget_speaker(&self.broker, group_id, &speaker);
    }

    /// The client closed the connection, or spoiled it.
    pub fn on_connection_ended(&mut self) {
        for (group_id, member_id) in std::mem::take(&mut self.members) {
            let speaker = Speaker { member_id, connection: self.connection };
            self.broker.groups.on_speaker_left(&self.broker, &group_id, &speaker);
        }
    }
}

impl Drop for ServedMembers {
    fn drop(&mut self) {
        for (group_id, member_id) in std::mem::take(&mut self.members) {
            self.forget(&group_id, member_id);
        }
    }
}
