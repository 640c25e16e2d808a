//! Whose data directory it is.

use commit_log::{DirectoryIdentity, LogDirectory};
use metadata::{ClusterId, DirectoryId};
use protocol::{BrokerId, TopicId};

use super::NodeError;
use crate::ports::rng::Rng;

/// The cluster and the directory's own identity; a new directory gets both.
pub fn identify(
    directory: &mut LogDirectory,
    node_id: BrokerId,
    rng: &dyn Rng,
) -> Result<(ClusterId, DirectoryId), NodeError> {
    if directory.identity().is_none() {
        directory.set_identity(DirectoryIdentity {
            cluster_id: TopicId(rng.uuid()).to_base64(),
            node_id,
            directory_id: TopicId(rng.uuid()).to_base64(),
        })?;
    }
    let identity = directory.identity().expect("given just above");
    let read = |text: &str| {
        let invalid = || NodeError::ClusterId { cluster_id: text.to_owned() };
        TopicId::from_base64(text).map(|id| id.0).ok_or_else(invalid)
    };
    Ok((ClusterId(read(&identity.cluster_id)?), DirectoryId(read(&identity.directory_id)?)))
}
