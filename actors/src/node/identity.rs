//! Whose data directory it is.

use commit_log::{DirectoryIdentity, LogDirectory};
use metadata::{ClusterId, DirectoryId};
use protocol::{BrokerId, TopicId};

use super::NodeError;
use super::founding::Founding;
use crate::ports::Ports;

/// The cluster and the directory's own identity; a new directory gets both.
pub async fn identify(
    directory: &mut LogDirectory,
    node_id: BrokerId,
    founding: &Founding,
    ports: &Ports,
) -> Result<(ClusterId, DirectoryId), NodeError> {
    if directory.identity().is_none() {
        let cluster_id = founding.cluster_id(node_id, &*ports.peers, &*ports.rng).await?;
        directory.set_identity(DirectoryIdentity {
            cluster_id: TopicId(cluster_id.0).to_base64(),
            node_id,
            directory_id: TopicId(ports.rng.uuid()).to_base64(),
        })?;
    }
    let identity = directory.identity().expect("given just above");
    let read = |text: &str| {
        let invalid = || NodeError::ClusterId { cluster_id: text.to_owned() };
        TopicId::from_base64(text).map(|id| id.0).ok_or_else(invalid)
    };
    Ok((ClusterId(read(&identity.cluster_id)?), DirectoryId(read(&identity.directory_id)?)))
}
