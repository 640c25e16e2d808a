//! The live trees of all nodes of the cluster, as one of them shows them: no actor, a question to
//! every node at once. Nobody is waited for longer than two seconds, so that a tree is there just
//! when nodes are not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use metadata::BrokerState;
use protocol::BrokerId;
use serde::{Deserialize, Serialize};
use supervision::TreeNode;

use crate::broker::Broker;
use crate::peer_messages::show_tree::{ShowTreeAnswer, ShowTreeMessage};
use crate::peer_service::{PeerReply, read, write};

/// How long the other nodes have to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How large an answer to another node may be: it shares its lane with fetches.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How many children of one supervisor are shown unless somebody wants more.
pub const CHILDREN_MAX: u32 = 20;

/// The cluster, as the node that was asked sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterTree {
    /// Which cluster.
    pub cluster_id: String,
    /// Its registered nodes, by number.
    pub nodes: Vec<NodeTree>,
}

/// One node of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTree {
    /// Its number.
    pub node: i32,
    /// Whether it is fenced: it leads nothing and is in sync nowhere.
    pub is_fenced: bool,
    /// Whether it leads the metadata quorum.
    pub leads_quorum: bool,
    /// Its tree; nothing if it has nothing at that path, or could not be asked.
    pub tree: Option<TreeNode>,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Asks every node.
pub async fn cluster_tree(broker: &Arc<Broker>, question: &ShowTreeMessage) -> ClusterTree {
    let image = broker.image.load();
    let leader = broker.quorum.view().leader;
    let shown = image.brokers().map(|state| show_node(broker, state, leader, question));
    ClusterTree { cluster_id: broker.cluster_id.to_string(), nodes: join_all(shown).await }
}

async fn show_node(
    broker: &Arc<Broker>,
    state: &BrokerState,
    quorum_leader: Option<BrokerId>,
    question: &ShowTreeMessage,
) -> NodeTree {
    let id = state.id();
    let answer = match id == broker.id {
        true => Ok(own_tree(broker, question)),
        false => broker.peer_caller().ask(id, question, PATIENCE).await,
    };
    let (tree, trouble) = match answer {
        Ok(ShowTreeAnswer(tree)) => (tree, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (is_fenced, leads_quorum) = (state.is_fenced(), quorum_leader == Some(id));
    NodeTree { node: id.0, is_fenced, leads_quorum, tree, trouble }
}

fn own_tree(broker: &Broker, question: &ShowTreeMessage) -> ShowTreeAnswer {
    let children_max = usize::try_from(question.children_max).unwrap_or(usize::MAX);
    let tree = broker.tree.snapshot();
    let part = tree.as_ref().and_then(|tree| tree.find(&question.path)).cloned();
    ShowTreeAnswer(part.map(|part| part.shortened(children_max)))
}

/// Answers another node; what does not fit into an answer is shortened.
///
/// # Errors
/// When the question cannot be read.
pub fn answer_peer(broker: &Broker, body: Bytes) -> PeerReply {
    let question: ShowTreeMessage = read(body)?;
    let answer = write(&own_tree(broker, &question))?;
    if answer.len() <= ANSWER_BYTES_MAX {
        return Ok(answer);
    }
    write(&own_tree(broker, &ShowTreeMessage { children_max: CHILDREN_MAX, ..question }))
}
