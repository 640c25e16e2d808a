//! The clients' connections to the nodes: bytes that take their time, arrive in order, wait while a
//! way is cut, and stop coming when an end is gone.
//!
//! ```text
//! write ─▶ agenda (arrival drawn) ─▶ way cut? held until it heals ─▶ inbox ─▶ read
//! ```

mod connection;
mod stream;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::oneshot;

use self::connection::{Connection, Side};
pub(crate) use self::stream::node_at;
pub use self::stream::{VirtualDialer, VirtualNet, VirtualStream, client_address, host_name};
use crate::agenda::Agenda;
use crate::weather::{Place, Weather};

/// What is under way.
enum Parcel {
    Dial { node: i32, answer: oneshot::Sender<io::Result<VirtualStream>> },
    Bytes { connection: u64, to: Side, bytes: Bytes },
    End { connection: u64, to: Side },
}

/// What is known of a node's machine.
#[derive(Default)]
struct Machine {
    is_listening: bool,
    /// Its power is off: it answers nothing, not even that it is not there.
    is_silent: bool,
    waiting: Vec<VirtualStream>,
    accepting: Option<Waker>,
}

#[derive(Default)]
struct Wires {
    agenda: Agenda<Parcel>,
    /// What arrived where nothing passes, in order.
    held: Vec<Parcel>,
    connections: BTreeMap<u64, Connection>,
    machines: BTreeMap<i32, Machine>,
    next_connection: u64,
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct VirtualNetwork {
    wires: Arc<Mutex<Wires>>,
    weather: Weather,
}

impl VirtualNetwork {
    /// A network without anybody.
    #[must_use]
    pub fn new(weather: Weather) -> Self {
        Self { wires: Arc::default(), weather }
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what has arrived by now.
    pub fn deliver_due(&self) {
        let now_ms = self.weather.now_ms();
        let held = std::mem::take(&mut self.wires().held);
        held.into_iter().for_each(|parcel| self.deliver(parcel));
        while let Some(parcel) = self.take_due(now_ms) {
            self.deliver(parcel);
        }
    }

    fn take_due(&self, now_ms: u64) -> Option<Parcel> {
        self.wires().agenda.take_due(now_ms)
    }

    fn deliver(&self, parcel: Parcel) {
        let Some(parcel) = self.hold_if_cut(parcel) else { return };
        match parcel {
            Parcel::Dial { node, answer } => self.connect(node, answer),
            Parcel::Bytes { connection, to, bytes } => {
                self.weather.note(to.arrow(), connection, &bytes);
                let mut wires = self.wires();
                let silent = wires.is_silent_at(connection, to);
                if let Some(connection) = wires.connections.get_mut(&connection) {
                    connection.receive(to, bytes, silent);
                }
            }
            Parcel::End { connection, to } => {
                self.weather.note("end", connection, &[]);
                let mut wires = self.wires();
                if let Some(connection) = wires.connections.get_mut(&connection) {
                    connection.receive_end(to);
                }
            }
        }
    }

    fn hold_if_cut(&self, parcel: Parcel) -> Option<Parcel> {
        let mut wires = self.wires();
        let (from, to) = match &parcel {
            Parcel::Dial { node, .. } => (Place::Clients, Place::Node(*node)),
            Parcel::Bytes { connection, to, .. } | Parcel::End { connection, to } => {
                let node = wires.connections.get(connection)?.node;
                to.way(node)
            }
        };
        if self.weather.now().passes(from, to) {
            return Some(parcel);
        }
        wires.held.push(parcel);
        None
    }

    fn connect(&self, node: i32, answer: oneshot::Sender<io::Result<VirtualStream>>) {
        let mut wires = self.wires();
        let number = wires.next_connection;
        let machine = wires.machines.entry(node).or_default();
        if machine.is_silent {
            // no answer ever: whoever dials gives up at its deadline, or when the power is back
            wires.held.push(Parcel::Dial { node, answer });
            return;
        }
        self.weather.note("dial", u64::from(machine.is_listening), &node.to_be_bytes());
        if !machine.is_listening {
            drop(wires);
            let _ = answer.send(Err(io::ErrorKind::ConnectionRefused.into()));
            return;
        }
        machine.waiting.push(VirtualStream::new(self.clone(), number, Side::Node));
        let accepting = machine.accepting.take();
        wires.connections.insert(number, Connection::new(node));
        wires.next_connection += 1;
        drop(wires);
        accepting.into_iter().for_each(Waker::wake);
        let _ = answer.send(Ok(VirtualStream::new(self.clone(), number, Side::Client)));
    }

    /// The machine's power goes: no end of it says goodbye.
    pub fn silence(&self, node: i32) {
        let mut wires = self.wires();
        wires.machines.entry(node).or_default().is_silent = true;
        for connection in wires.connections.values_mut().filter(|c| c.node == node) {
            connection.abandon(Side::Node);
        }
    }

    /// The machine is back; who still writes to what was there before is told.
    pub fn unsilence(&self, node: i32) {
        self.wires().machines.entry(node).or_default().is_silent = false;
    }

    /// Resets every connection to a node, as a router that restarts does.
    pub fn reset_all(&self, node: i32) {
        self.weather.note("reset", 0, &node.to_be_bytes());
        let mut wires = self.wires();
        let concerned = wires.connections.values_mut().filter(|c| c.node == node);
        concerned.for_each(Connection::reset);
    }

    /// How many bytes wait in inboxes and on their way; for the diagnosis of a stuck run.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.wires().connections.len()
    }

    fn dial(&self, node: i32) -> oneshot::Receiver<io::Result<VirtualStream>> {
        let (answer, answered) = oneshot::channel();
        let arrival = self.weather.now().arrival_ms();
        self.wires().agenda.put(arrival, Parcel::Dial { node, answer });
        answered
    }

    fn listen(&self, node: i32) {
        self.wires().machines.entry(node).or_default().is_listening = true;
    }

    fn stop_listening(&self, node: i32) {
        let mut wires = self.wires();
        let machine = wires.machines.entry(node).or_default();
        machine.is_listening = false;
        machine.accepting = None;
        let refused = std::mem::take(&mut machine.waiting);
        drop(wires);
        drop(refused);
    }

    fn poll_accept(&self, node: i32, context: &Context<'_>) -> Poll<(VirtualStream, SocketAddr)> {
        let mut wires = self.wires();
        let machine = wires.machines.entry(node).or_default();
        if machine.waiting.is_empty() {
            machine.accepting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let stream = machine.waiting.remove(0);
        let port = u16::try_from(stream.number() % 60_000).unwrap_or_default();
        Poll::Ready((stream, SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1024 + port)))
    }

    fn poll_read(
        &self,
        connection: u64,
        side: Side,
        context: &Context<'_>,
        bytes_max: usize,
    ) -> Poll<io::Result<Bytes>> {
        match self.wires().connections.get_mut(&connection) {
            Some(connection) => connection.poll_read(side, context, bytes_max),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_write(
        &self,
        number: u64,
        side: Side,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let drawn = self.weather.now().arrival_ms();
        let mut wires = self.wires();
        let Some(connection) = wires.connections.get_mut(&number) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let room = match connection.poll_room(side, context) {
            Poll::Ready(Ok(room)) => room,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let part = Bytes::copy_from_slice(bytes.get(..room).unwrap_or(bytes));
        let written = part.len();
        let arrival = connection.send(side, written, drawn);
        let to = side.other();
        wires.agenda.put(arrival, Parcel::Bytes { connection: number, to, bytes: part });
        Poll::Ready(Ok(written))
    }

    fn send_end(&self, number: u64, side: Side) {
        let drawn = self.weather.now().arrival_ms();
        let mut wires = self.wires();
        let Some(connection) = wires.connections.get_mut(&number) else { return };
        if connection.is_abandoned(side) {
            return;
        }
        let arrival = connection.send(side, 0, drawn);
        let to = side.other();
        wires.agenda.put(arrival, Parcel::End { connection: number, to });
    }

    fn leave(&self, number: u64, side: Side) {
        self.send_end(number, side);
        let mut wires = self.wires();
        let Some(connection) = wires.connections.get_mut(&number) else { return };
        connection.leave(side);
        if connection.is_deserted() {
            wires.connections.remove(&number);
        }
    }
}

impl Wires {
    fn is_silent_at(&self, connection: u64, to: Side) -> bool {
        let Some(connection) = self.connections.get(&connection) else { return true };
        let machine = self.machines.get(&connection.node);
        to == Side::Node && machine.is_some_and(|machine| machine.is_silent)
    }
}
