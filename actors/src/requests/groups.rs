//! The APIs of classic consumer groups: from a request to the group's coordinator and back. What
//! differs between versions is here; what it means, the coordinator's machine knows.

mod describing;
mod find_coordinator;
mod membership;
mod offset_commit;
mod offset_delete;
mod offset_fetch;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use coordination::GroupInstanceId;
use protocol::api_key::ApiKey;
use protocol::frame::RequestFrameError;
use protocol::primitives::{Encoded, WireString};

use super::Turn;
use crate::client_session::connection::ConnectionEnd;

/// How long a coordinator may take to answer what it knows at once.
const QUICK_ANSWER: Duration = Duration::from_secs(5);

/// Answers a request of a group, or about groups.
///
/// # Errors
/// When the body is damaged or the response cannot be encoded, and for any other API: the
/// connection ends.
pub async fn route(turn: &mut Turn<'_>) -> Result<Encoded, ConnectionEnd> {
    match turn.frame.key {
        ApiKey::FindCoordinator => find_coordinator::find_coordinator(turn).await,
        ApiKey::JoinGroup => membership::join_group(turn).await,
        ApiKey::SyncGroup => membership::sync_group(turn).await,
        ApiKey::Heartbeat => membership::heartbeat(turn).await,
        ApiKey::LeaveGroup => membership::leave_group(turn).await,
        ApiKey::OffsetCommit => offset_commit::offset_commit(turn).await,
        ApiKey::OffsetFetch => offset_fetch::offset_fetch(turn).await,
        ApiKey::OffsetDelete => offset_delete::offset_delete(turn).await,
        ApiKey::DescribeGroups => describing::describe_groups(turn).await,
        ApiKey::ListGroups => describing::list_groups(turn).await,
        ApiKey::DeleteGroups => describing::delete_groups(turn).await,
        key => {
            let version = turn.frame.version;
            Err(RequestFrameError::UnknownApi { code: key.code(), version }.into())
        }
    }
}

/// How long a coordinator may take to answer what it must write first: the write has a deadline of
/// its own, and its failure is an answer.
fn durable_answer(turn: &Turn<'_>) -> Duration {
    turn.broker.settings.load().offsets.commit_timeout + QUICK_ANSWER
}

/// A text that outlives the frame it came in.
fn kept(text: &WireString) -> Arc<str> {
    Arc::from(text.as_str())
}

fn instance_id(text: Option<&WireString>) -> Option<GroupInstanceId> {
    text.map(|text| GroupInstanceId::new(text.as_str()))
}

fn instance_id_on_wire(id: Option<&GroupInstanceId>) -> Option<WireString> {
    id.map(|id| WireString::from(id.as_str()))
}

/// The client's address as Kafka keeps and shows it, which is Java's way: a slash, and IPv6
/// without any shortening.
fn client_host(address: IpAddr) -> Arc<str> {
    match address.to_canonical() {
        IpAddr::V4(address) => Arc::from(format!("/{address}")),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            Arc::from(format!("/{}", groups.join(":")))
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tools compare client hosts as text, and the log keeps them.

    use super::client_host;

    #[test]
    fn client_hosts_are_written_as_java_writes_them() {
        for (address, written) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::ffff:10.1.2.3", "/10.1.2.3"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("2001:db8::ff00:42:8329", "/2001:db8:0:0:0:ff00:42:8329"),
        ] {
            assert_eq!(&*client_host(address.parse().unwrap()), written);
        }
    }
}
