//! One member of a group: what it brought, what it was given, which request of it is parked and
//! until when it may be silent.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::MemberId;

use crate::effect::Ticket;
use crate::record::MemberRecord;
use crate::request::JoinRequest;
use crate::settings::GroupSettings;

/// The name an operator gave one place in a group (KIP-345): whoever claims it takes the place
/// over, with the assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupInstanceId(Arc<str>);

impl GroupInstanceId {
    /// The id as the client gave it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GroupInstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupInstanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The id a member would be given: its instance id, or else its client id, a dash and something
/// that never was before (a random UUID).
#[must_use]
pub fn candidate_member_id(
    client_id: &str,
    group_instance_id: Option<&GroupInstanceId>,
    unique: impl fmt::Display,
) -> MemberId {
    let name = group_instance_id.map_or(client_id, GroupInstanceId::as_str);
    MemberId::new(&format!("{name}-{unique}"))
}

/// One way of assigning partitions that a member can take part in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberProtocol {
    /// Its name: `range`, `cooperative-sticky`, …
    pub name: Arc<str>,
    /// What the member tells the leader under it, such as its subscription. Opaque here, but for
    /// [`subscription`](crate::subscription).
    pub metadata: Bytes,
}

/// A member that has joined.
#[derive(Clone, Debug)]
pub(crate) struct GroupMember {
    pub member_id: MemberId,
    pub group_instance_id: Option<GroupInstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    /// Best first; no name twice.
    pub protocols: Vec<MemberProtocol>,
    /// Of the last generation it was given one in.
    pub assignment: Bytes,
    /// Its JoinGroup request, while it waits.
    pub join_ticket: Option<Ticket>,
    /// Its SyncGroup request, while it waits.
    pub sync_ticket: Option<Ticket>,
    /// Never answered yet, so its client does not know its id and cannot send heartbeats.
    pub is_new: bool,
    /// When silence makes it lost; `None` while a parked request shows that it lives.
    pub session_deadline: Option<Duration>,
    /// When the loss of its connection makes it lost; any request of it clears this.
    pub disconnect_deadline: Option<Duration>,
}

impl GroupMember {
    pub(crate) fn joining(
        member_id: MemberId,
        request: &JoinRequest,
        session_timeout: Duration,
    ) -> Self {
        Self {
            member_id,
            group_instance_id: request.group_instance_id.clone(),
            client_id: Arc::clone(&request.client_id),
            client_host: Arc::clone(&request.client_host),
            session_timeout,
            rebalance_timeout: rebalance_timeout(request.rebalance_timeout_ms, session_timeout),
            protocols: owned(&request.protocols),
            assignment: Bytes::new(),
            join_ticket: None,
            sync_ticket: None,
            is_new: true,
            session_deadline: None,
            disconnect_deadline: None,
        }
    }

    /// A member as the last durable generation knew it: only the chosen protocol is known.
    pub(crate) fn restored(record: MemberRecord, protocol_name: &Arc<str>) -> Self {
        Self {
            member_id: record.member_id,
            group_instance_id: record.group_instance_id,
            client_id: record.client_id,
            client_host: record.client_host,
            session_timeout: record.session_timeout,
            rebalance_timeout: record.rebalance_timeout,
            protocols: vec![MemberProtocol {
                name: Arc::clone(protocol_name),
                metadata: record.subscription,
            }],
            assignment: record.assignment,
            join_ticket: None,
            sync_ticket: None,
            is_new: false,
            session_deadline: None,
            disconnect_deadline: None,
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// Whether silence is no reason to lose it: the answer it waits for is the coordinator's turn.
    /// A new member is not excused, because a client that gave up and retried left it behind.
    pub(crate) fn is_excused(&self) -> bool {
        !self.is_new && (self.join_ticket.is_some() || self.sync_ticket.is_some())
    }

    pub(crate) fn supports(&self, protocol_name: &str) -> bool {
        self.protocols.iter().any(|protocol| &*protocol.name == protocol_name)
    }

    /// What it brought for a protocol; empty if it does not know that one.
    pub(crate) fn metadata(&self, protocol_name: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|protocol| &*protocol.name == protocol_name)
            .map_or_else(Bytes::new, |protocol| protocol.metadata.clone())
    }

    /// When it is lost if nothing is heard of it.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        [self.session_deadline, self.disconnect_deadline].into_iter().flatten().min()
    }

    /// What it counts for in the group's bound.
    pub(crate) fn size_bytes(&self) -> usize {
        GroupSettings::MEMBER_OVERHEAD_BYTES
            + self.member_id.as_str().len()
            + self.group_instance_id.as_ref().map_or(0, |id| id.as_str().len())
            + self.client_id.len()
            + self.client_host.len()
            + protocols_bytes(&self.protocols)
            + self.assignment.len()
    }

    pub(crate) fn to_record(&self, protocol_name: &str, assignment: Bytes) -> MemberRecord {
        MemberRecord {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            rebalance_timeout: self.rebalance_timeout,
            session_timeout: self.session_timeout,
            subscription: self.metadata(protocol_name),
            assignment,
        }
    }
}

/// Version 0 has no rebalance timeout and means the session timeout.
pub(crate) fn rebalance_timeout(millis: i32, session_timeout: Duration) -> Duration {
    u64::try_from(millis).map_or(session_timeout, Duration::from_millis)
}

/// The bytes of what a member brought.
pub(crate) fn protocols_bytes(protocols: &[MemberProtocol]) -> usize {
    protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
}

/// What a member brought, in memory of its own: a slice would keep the whole request alive.
pub(crate) fn owned(protocols: &[MemberProtocol]) -> Vec<MemberProtocol> {
    protocols
        .iter()
        .map(|protocol| MemberProtocol {
            name: Arc::clone(&protocol.name),
            metadata: Bytes::copy_from_slice(&protocol.metadata),
        })
        .collect()
}

/// Drops every protocol whose name an earlier one has.
pub(crate) fn without_duplicates(protocols: &mut Vec<MemberProtocol>) {
    let mut names = std::collections::BTreeSet::new();
    protocols.retain(|protocol| names.insert(Arc::clone(&protocol.name)));
}
