//! Who runs on another node: its live supervision tree, or a part of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use supervision::TreeNode;

use super::{BodyError, MessageKind, PeerBody, PeerMessage, decode_body, encode_body};
use crate::ports::peers::Lane;

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShowTreeMessage {
    /// Which part (names joined by `/`); empty: everything.
    pub path: String,
    /// How many children of one supervisor that just run; see [`TreeNode::shortened`].
    pub children_max: u32,
}

/// The tree; `None` if there is nothing at that path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowTreeAnswer(pub Option<TreeNode>);

impl PeerBody for ShowTreeMessage {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        encode_body(self)
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        decode_body(&bytes)
    }
}

impl PeerMessage for ShowTreeMessage {
    const KIND: MessageKind = MessageKind::ShowTree;
    type Answer = ShowTreeAnswer;

    /// Not the lane of heartbeats: a tree may be large.
    fn lane(&self) -> Lane {
        Lane::Bulk(0)
    }
}

/// JSON, as on the admin listener: a tree leaves out what it has nothing to say of, and nodes of
/// other versions have other things to say.
impl PeerBody for ShowTreeAnswer {
    fn to_bytes(&self) -> Result<Bytes, BodyError> {
        let json = serde_json::to_vec(&self.0);
        json.map(Bytes::from).map_err(|_| BodyError::Malformed { part: "the tree" })
    }

    fn from_bytes(bytes: Bytes) -> Result<Self, BodyError> {
        let tree = serde_json::from_slice(&bytes);
        tree.map(Self).map_err(|_| BodyError::Malformed { part: "the tree" })
    }
}
