//! One per node: the HTTP door for people and monitoring.
//!
//! Supervised by `node`, last: nothing depends on it. Sent to by its own serving task only. It reads
//! the tree, the metrics and the image without asking an actor, so it answers when everything else
//! is stuck. A restart keeps nothing and listens again on the same socket. Bounded by what HTTP
//! clients may hold open. It changes nothing.
//!
//! `/metrics` OpenMetrics text · `/healthz` the process lives · `/readyz` it is registered, its
//! partitions have come up and its disk answers · `/tree` the live tree as JSON · `/cluster/tree`
//! those of all nodes.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use serde::Deserialize;
use supervision::{NodeState, TreeNode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::info;

use crate::broker::Broker;
use crate::client_listener::ConnectionCount;
use crate::cluster_tree::{CHILDREN_MAX, ClusterTree, cluster_tree};
use crate::partition_directory::PartitionPlace;
use crate::peer_messages::show_tree::ShowTreeMessage;

/// What the server is told.
pub enum AdminMessage {
    /// From its serving task: it ended, which it should not.
    ServingEnded,
}

impl ractor::Message for AdminMessage {}

/// Everything the server is born with.
#[derive(Clone)]
pub struct AdminArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The connections of the node.
    pub connections: Arc<ConnectionCount>,
    /// The socket, open already.
    pub socket: Arc<std::net::TcpListener>,
}

/// See the head of this file.
pub struct AdminServer;

/// What the server knows.
pub struct AdminState {
    serving: JoinHandle<()>,
}

impl Actor for AdminServer {
    type Msg = AdminMessage;
    type State = AdminState;
    type Arguments = AdminArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let listener = TcpListener::from_std(arguments.socket.try_clone()?)?;
        let address: SocketAddr = listener.local_addr()?;
        info!(%address, "admin listens");
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes(arguments)).await;
            let _ = myself.cast(AdminMessage::ServingEnded);
        });
        Ok(AdminState { serving })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AdminMessage::ServingEnded => Err("serving ended".into()),
        }
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl Drop for AdminState {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn routes(arguments: AdminArguments) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/tree", get(tree))
        .route("/cluster/tree", get(whole_tree))
        .with_state(arguments)
}

async fn metrics(State(arguments): State<AdminArguments>) -> Response {
    let metrics = &arguments.broker.metrics;
    let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    metrics.connections.set(gauge(arguments.connections.get()));
    metrics.partitions.set(gauge(arguments.broker.partitions.count()));
    metrics.replication.read(&arguments.broker);
    metrics.quorum.read(&arguments.broker.quorum.view());
    metrics.disk.read(&arguments.broker);
    metrics.request_memory.set(gauge(arguments.broker.request_memory.held_bytes()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn readyz(State(arguments): State<AdminArguments>) -> Response {
    let broker = &arguments.broker;
    if !broker.registration.epoch().is_known() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not registered yet\n").into_response();
    }
    if broker.file_work.is_hung() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the disk does not answer\n").into_response();
    }
    let starting = partitions_starting(broker);
    if starting > 0 {
        let all = broker.partitions.count();
        let text = format!("{starting} of {all} partitions do not serve yet\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    "ready\n".into_response()
}

/// Partitions that this node should lead and that have not served since it started. Those that failed afterwards, or are in
/// quarantine, do not count: a node taken out of service for them would make the failure of one
/// partition the failure of all.
fn partitions_starting(broker: &Broker) -> usize {
    let mut places = broker.partitions.places();
    let leads = |place: &PartitionPlace| place.decided().leader == Some(broker.id);
    let serves =
        |place: &PartitionPlace| place.view().is_some() || place.last_told_epoch().is_known();
    places.retain(|place| leads(place) && !serves(place));
    if places.is_empty() {
        return 0;
    }
    let tree = broker.tree.snapshot();
    let replicas = tree.as_ref().and_then(|tree| tree.find("partitions"));
    let replicas = replicas.map(|supervisor| &*supervisor.children).unwrap_or_default();
    let quarantined = replicas.iter().filter(|replica| replica.state == NodeState::Quarantined);
    let quarantined: HashSet<&str> = quarantined.map(|replica| &*replica.id).collect();
    places.iter().filter(|place| !quarantined.contains(&*place.name.to_string())).count()
}

async fn tree(State(arguments): State<AdminArguments>) -> Json<Option<TreeNode>> {
    Json(arguments.broker.tree.snapshot())
}

/// What part of the trees is wanted.
#[derive(Deserialize)]
struct WantedTree {
    /// Names joined by `/`.
    #[serde(default)]
    path: String,
    /// Children of one supervisor that just run.
    #[serde(default = "children_default")]
    children: u32,
}

const fn children_default() -> u32 {
    CHILDREN_MAX
}

async fn whole_tree(
    State(arguments): State<AdminArguments>,
    Query(wanted): Query<WantedTree>,
) -> Json<ClusterTree> {
    let question = ShowTreeMessage { path: wanted.path, children_max: wanted.children };
    Json(cluster_tree(&arguments.broker, &question).await)
}
