//! By which client connections the members of one group speak.
//!
//! A member is cut off when the last connection that spoke for it has closed. Clients speak by
//! several, and open the next one before this node has noticed the end of the last: the end of one
//! among others says nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use protocol::MemberId;

/// A client connection of this start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionNumber(pub u64);

/// Who asks: a member, by a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speaker {
    /// The member's id.
    pub member_id: MemberId,
    /// The connection that its request came by.
    pub connection: ConnectionNumber,
}

/// See the head of this file. Its size is bounded by the connections: each speaks for so many
/// members and no more.
#[derive(Debug, Default)]
pub struct MemberConnections(Mutex<BTreeSet<Speaker>>);

impl MemberConnections {
    /// The member speaks by this connection. Called before its request is sent on.
    pub fn add(&self, speaker: &Speaker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(speaker.clone());
    }

    /// The connection speaks for the member no longer. If no other one does, `cut_off` is called
    /// before anybody can be added: what it sends stands before the requests that come by a new
    /// connection, which then cancel it.
    pub fn remove(&self, speaker: &Speaker, cut_off: impl FnOnce()) {
        let mut speakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let did_speak = speakers.remove(speaker);
        let first = Speaker { connection: ConnectionNumber(0), ..speaker.clone() };
        let next = speakers.range(first..).next();
        if did_speak && next.is_none_or(|next| next.member_id != speaker.member_id) {
            cut_off();
        }
    }
}

#[cfg(test)]
mod tests {
    //! Connections of a member come and go. Taking the end of one for the end of the member would
    //! rebalance a group that lost nobody.

    use super::*;

    fn speaker(member: &str, connection: u64) -> Speaker {
        Speaker { member_id: MemberId::new(member), connection: ConnectionNumber(connection) }
    }

    fn cuts_off(connections: &MemberConnections, speaker: &Speaker) -> bool {
        let mut is_cut_off = false;
        connections.remove(speaker, || is_cut_off = true);
        is_cut_off
    }

    #[test]
    fn a_member_is_cut_off_by_the_end_of_its_last_connection() {
        let connections = MemberConnections::default();
        for one in [speaker("a", 1), speaker("a", 2), speaker("a", 2), speaker("b", 3)] {
            connections.add(&one);
        }
        assert!(!cuts_off(&connections, &speaker("a", 1)), "it speaks by the second one");
        assert!(cuts_off(&connections, &speaker("a", 2)));
        assert!(!cuts_off(&connections, &speaker("a", 2)), "once");
        assert!(cuts_off(&connections, &speaker("b", 3)));
    }
}
