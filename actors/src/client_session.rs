//! One per client connection: owns the socket and the requests under way on it.
//!
//! Supervised by `client_sessions`, temporary: a session that ends is not started again, for its
//! socket is gone. Sent to by operators only; the bytes are read and written by the one task that it
//! owns, so that a request costs no hop through its mailbox. That task routes requests to replicas,
//! coordinators and the controller and awaits their answers, each under a deadline.
//!
//! A restart keeps nothing; the client connects again. The session holds the bound on its requests:
//! bytes (permits), produces under way, time for half a request. A panic in the task is the
//! session's, and nobody else's. It never touches a file and never decides.

pub mod connection;
pub mod deadline;
pub mod fetch_sessions;
pub mod frame_reader;
pub mod response_writer;
pub mod served_members;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::Status;
use tokio::task::JoinHandle;
use tracing::debug;

use self::connection::{Connection, ConnectionEnd};
use self::served_members::ServedMembers;
use crate::broker::Broker;
use crate::client_listener::CountedConnection;
use crate::ports::net::ClientStream;
use crate::requests::RequestContext;

/// What a session is told.
pub enum ClientSessionMessage {
    /// From its task: the connection ended.
    Ended(ConnectionEnd),
    /// From its task's keeper: the task panicked.
    Panicked(String),
}

impl ractor::Message for ClientSessionMessage {}

/// A socket, and that it counts.
type AcceptedStream = (Box<dyn ClientStream>, CountedConnection);

/// The socket on its way to the session's only incarnation.
#[derive(Clone)]
pub struct StreamSlot {
    stream: Arc<Mutex<Option<AcceptedStream>>>,
}

impl StreamSlot {
    /// A slot that holds a socket.
    #[must_use]
    pub fn new(stream: Box<dyn ClientStream>, counted: CountedConnection) -> Self {
        Self { stream: Arc::new(Mutex::new(Some((stream, counted)))) }
    }

    fn take(&self) -> Option<AcceptedStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Everything a session is born with.
pub struct ClientSessionArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// The listener that the client came by.
    pub listener: Arc<str>,
    /// The client's address.
    pub address: SocketAddr,
    /// Its socket.
    pub stream: StreamSlot,
    /// What it shows in the tree.
    pub status: Status,
}

/// See the head of this file.
pub struct ClientSession;

/// What a session knows.
pub struct ClientSessionState {
    task: JoinHandle<()>,
    address: SocketAddr,
    /// Last: the connection counts until the session is gone.
    _counted: CountedConnection,
}

impl Actor for ClientSession {
    type Msg = ClientSessionMessage;
    type State = ClientSessionState;
    type Arguments = ClientSessionArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let (stream, counted) = arguments.stream.take().ok_or("the socket is gone")?;
        let address = arguments.address;
        let members = ServedMembers::new(Arc::clone(&arguments.broker));
        let (listener, status) = (arguments.listener, arguments.status);
        let context = RequestContext::new(listener, address.ip(), status, members);
        let connection = Connection::new(arguments.broker, stream, context);
        let serving = tokio::spawn(connection.run());
        let task = tokio::spawn(keep(serving, myself));
        Ok(ClientSessionState { task, address, _counted: counted })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ClientSessionMessage::Ended(end) => {
                debug!(client = %state.address, %end, "connection ended");
                myself.stop(None);
                Ok(())
            }
            ClientSessionMessage::Panicked(panic) => Err(panic.into()),
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

impl Drop for ClientSessionState {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends the serving task when the keeper is aborted.
struct AbortOnDrop(JoinHandle<ConnectionEnd>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for the end of the connection and tells the session how it came.
async fn keep(serving: JoinHandle<ConnectionEnd>, session: ActorRef<ClientSessionMessage>) {
    let mut serving = AbortOnDrop(serving);
    let message = match (&mut serving.0).await {
        Ok(end) => ClientSessionMessage::Ended(end),
        Err(error) => ClientSessionMessage::Panicked(error.to_string()),
    };
    let _ = session.cast(message);
}
