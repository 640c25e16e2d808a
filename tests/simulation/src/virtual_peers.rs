//! The messages between nodes: accepted, then late, lost, answered in vain, or delivered. Links go
//! down when a process ends, at once, and when a node is not heard for 600 ms; they come back some
//! time after both hear each other again.

mod port;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actors::ports::peers::{Lane, Links, PeerIdentity};
use bytes::Bytes;
use metadata::Incarnation;
use protocol::BrokerId;
use tokio::sync::{mpsc, oneshot, watch};

pub use self::port::VirtualPeers;
use crate::agenda::Agenda;
use crate::weather::{Place, Weather};

/// How long a node may be silent before its links are closed.
const SILENCE_MS: u64 = 600;

/// A message at the node that it was sent to.
pub(crate) struct Arrival {
    lane: Lane,
    envelope: Bytes,
    from: i32,
    answer: oneshot::Sender<Bytes>,
}

enum Message {
    Call {
        from: i32,
        to: i32,
        /// The start of the node that the link leads to; a later one never sees the message.
        to_start: Incarnation,
        lane: Lane,
        envelope: Bytes,
        answer: oneshot::Sender<Bytes>,
    },
    Answer {
        from: i32,
        to: i32,
        envelope: Bytes,
        answer: oneshot::Sender<Bytes>,
    },
}

impl Message {
    const fn ends(&self) -> (i32, i32) {
        match self {
            Self::Call { from, to, .. } | Self::Answer { from, to, .. } => (*from, *to),
        }
    }
}

/// A node that is there.
struct Present {
    identity: PeerIdentity,
    inbox: mpsc::UnboundedSender<Arrival>,
    /// Its process is stopped: it is there, and hears and says nothing.
    is_paused: bool,
}

#[derive(Default)]
struct Switchboard {
    agenda: Agenda<Message>,
    held: Vec<Message>,
    present: BTreeMap<i32, Present>,
    /// Who was told of whom.
    books: BTreeMap<i32, BTreeSet<i32>>,
    shown: BTreeMap<i32, watch::Sender<Links>>,
    /// How many times the links of each pair went down, for those who wait for an answer.
    closings: BTreeMap<(i32, i32), watch::Sender<u64>>,
    links: BTreeMap<(i32, i32), Link>,
    /// The last arrival of each lane, so that none overtakes.
    last_arrivals: BTreeMap<(i32, i32, Lane), u64>,
}

/// Between two nodes, the lower number first.
struct Link {
    ends: (Incarnation, Incarnation),
    is_up: bool,
    /// Down: when it may come up. Up: when each direction was heard last.
    redial_at_ms: u64,
    heard_ms: (u64, u64),
}

/// The links and messages of all nodes. Clones are the same.
#[derive(Clone)]
pub struct PeerFabric {
    board: Arc<Mutex<Switchboard>>,
    weather: Weather,
}

impl PeerFabric {
    /// A fabric without nodes.
    #[must_use]
    pub fn new(weather: Weather) -> Self {
        Self { board: Arc::default(), weather }
    }

    fn board(&self) -> MutexGuard<'_, Switchboard> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node's process stops or goes on.
    pub fn set_paused(&self, node: i32, is_paused: bool) {
        if let Some(present) = self.board().present.get_mut(&node) {
            present.is_paused = is_paused;
        }
    }

    /// The node's process is gone. With its machine (`silently`) nobody hears of it; otherwise the
    /// system closes its links.
    pub fn remove(&self, node: i32, silently: bool) {
        let mut board = self.board();
        board.present.remove(&node);
        if !silently {
            let closed: Vec<_> = board.links_of(node).collect();
            for pair in closed {
                let redial_at_ms = self.weather.now().redial_at_ms();
                board.close(pair, redial_at_ms);
            }
            board.show_all();
        }
    }

    /// Moves links and messages on by one step of time.
    pub fn deliver_due(&self) {
        self.tend_links();
        let now_ms = self.weather.now_ms();
        let held = std::mem::take(&mut self.board().held);
        held.into_iter().for_each(|message| self.deliver(message));
        while let Some(message) = self.take_due(now_ms) {
            self.deliver(message);
        }
    }

    fn take_due(&self, now_ms: u64) -> Option<Message> {
        self.board().agenda.take_due(now_ms)
    }

    fn deliver(&self, message: Message) {
        let (from, to) = message.ends();
        let mut board = self.board();
        if !board.is_up(from, to) {
            // it went down with the link
            return;
        }
        if !self.weather.now().passes(Place::Node(from), Place::Node(to)) {
            board.held.push(message);
            return;
        }
        match message {
            Message::Call { from, to, to_start, lane, envelope, answer } => {
                self.weather.note("call", pair_number(from, to), &envelope);
                let present = board.present.get(&to);
                if let Some(present) = present.filter(|p| p.identity.incarnation == to_start) {
                    let _ = present.inbox.send(Arrival { lane, envelope, from, answer });
                }
            }
            Message::Answer { from, to, envelope, answer } => {
                self.weather.note("answer", pair_number(from, to), &envelope);
                drop(board);
                let _ = answer.send(envelope);
            }
        }
    }

    fn tend_links(&self) {
        let now_ms = self.weather.now_ms();
        let mut board = self.board();
        board.open_where_wanted();
        let mut changed = false;
        let pairs: Vec<_> = board.links.keys().copied().collect();
        for pair in pairs {
            let ends = board.ends_now(pair);
            let conditions = self.weather.now();
            let (low, high) = (Place::Node(pair.0), Place::Node(pair.1));
            let hears = (conditions.passes(high, low), conditions.passes(low, high));
            drop(conditions);
            let redial_at_ms = self.weather.now().redial_at_ms();
            let Some(link) = board.links.get_mut(&pair) else { continue };
            if link.tend(now_ms, ends, hears) {
                changed = true;
            } else if link.is_silent(now_ms) {
                board.close(pair, redial_at_ms);
                changed = true;
            }
        }
        if changed {
            board.show_all();
        }
    }

    pub(crate) fn introduce(&self, node: i32, others: BTreeSet<i32>) {
        self.board().books.insert(node, others);
    }

    pub(crate) fn links(&self, node: i32) -> watch::Receiver<Links> {
        let mut board = self.board();
        let sender =
            board.shown.entry(node).or_insert_with(|| watch::Sender::new(Links::default()));
        let links = sender.subscribe();
        board.show_all();
        links
    }

    pub(crate) fn appear(&self, identity: PeerIdentity) -> mpsc::UnboundedReceiver<Arrival> {
        let (inbox, arrivals) = mpsc::unbounded_channel();
        let present = Present { identity, inbox, is_paused: false };
        self.board().present.insert(identity.node.0, present);
        arrivals
    }

    /// The carrier of this start of the node ended; a later start stays.
    pub(crate) fn disappear(&self, identity: PeerIdentity) {
        let node = identity.node.0;
        let is_this = |board: &Switchboard| {
            board.present.get(&node).is_some_and(|present| present.identity == identity)
        };
        if is_this(&self.board()) {
            self.remove(node, false);
        }
    }

    pub(crate) fn identity_of(&self, node: i32) -> Option<PeerIdentity> {
        let board = self.board();
        board.present.get(&node).filter(|present| !present.is_paused).map(|found| found.identity)
    }

    /// Sends a call; nothing if there is no link.
    pub(crate) fn send(
        &self,
        from: i32,
        to: i32,
        lane: Lane,
        envelope: Bytes,
    ) -> Option<(oneshot::Receiver<Bytes>, watch::Receiver<u64>)> {
        let mut board = self.board();
        let to_start = board.start_linked(from, to)?;
        let closing = board.closing((from.min(to), from.max(to))).subscribe();
        drop(board);
        let (answer, answered) = oneshot::channel();
        let message = Message::Call { from, to, to_start, lane, envelope, answer };
        self.put(message, Some(lane));
        Some((answered, closing))
    }

    fn answer(&self, from: i32, to: i32, envelope: Bytes, answer: oneshot::Sender<Bytes>) {
        self.put(Message::Answer { from, to, envelope, answer }, None);
    }

    fn put(&self, message: Message, lane: Option<Lane>) {
        let (from, to) = message.ends();
        let Some(mut arrival) = self.weather.now().peer_arrival_ms() else {
            self.weather.note("lost", pair_number(from, to), &[]);
            let mut board = self.board();
            board.lose(message);
            return;
        };
        let mut board = self.board();
        if let Some(lane) = lane {
            let last = board.last_arrivals.entry((from, to, lane)).or_default();
            arrival = arrival.max(*last);
            *last = arrival;
        }
        board.agenda.put(arrival, message);
    }
}

fn pair_number(from: i32, to: i32) -> u64 {
    u64::from(from.unsigned_abs()) << 32 | u64::from(to.unsigned_abs())
}

/// What becomes of a message that is lost: its answer never comes, which only a deadline tells.
const LOST_FOR_MS: u64 = 3_600_000;

impl Switchboard {
    fn lose(&mut self, message: Message) {
        // kept until long after every deadline: dropping it would tell the sender
        self.agenda.put(u64::MAX - LOST_FOR_MS, message);
    }

    fn links_of(&self, node: i32) -> impl Iterator<Item = (i32, i32)> {
        self.links.keys().copied().filter(move |pair| pair.0 == node || pair.1 == node)
    }

    fn is_up(&self, from: i32, to: i32) -> bool {
        self.links.get(&(from.min(to), from.max(to))).is_some_and(|link| link.is_up)
    }

    /// The start of `to` that `from` has a link to.
    fn start_linked(&self, from: i32, to: i32) -> Option<Incarnation> {
        let link = self.links.get(&(from.min(to), from.max(to))).filter(|link| link.is_up)?;
        Some(if to < from { link.ends.0 } else { link.ends.1 })
    }

    fn close(&mut self, pair: (i32, i32), redial_at_ms: u64) {
        if let Some(link) = self.links.get_mut(&pair) {
            link.is_up = false;
            link.redial_at_ms = redial_at_ms;
            self.closing(pair).send_modify(|times| *times += 1);
        }
    }

    fn closing(&mut self, pair: (i32, i32)) -> &watch::Sender<u64> {
        self.closings.entry(pair).or_insert_with(|| watch::Sender::new(0))
    }

    /// Both ends' incarnations, if both are there and run.
    fn ends_now(&self, pair: (i32, i32)) -> Option<(Incarnation, Incarnation)> {
        let end = |node: i32| {
            let present = self.present.get(&node).filter(|present| !present.is_paused)?;
            Some(present.identity.incarnation)
        };
        Some((end(pair.0)?, end(pair.1)?))
    }

    fn open_where_wanted(&mut self) {
        let wanted: BTreeSet<(i32, i32)> = self
            .books
            .iter()
            .flat_map(|(node, others)| {
                others.iter().map(|other| (*node.min(other), *node.max(other)))
            })
            .filter(|pair| pair.0 != pair.1)
            .collect();
        for pair in wanted {
            if let (false, Some(ends)) = (self.links.contains_key(&pair), self.ends_now(pair)) {
                self.links.insert(pair, Link::down(ends));
            }
        }
    }

    fn show_all(&self) {
        for (node, sender) in &self.shown {
            let mut links = BTreeMap::new();
            for ((low, high), link) in self.links.iter().filter(|(_, link)| link.is_up) {
                if low == node {
                    links.insert(BrokerId(*high), link.ends.1);
                } else if high == node {
                    links.insert(BrokerId(*low), link.ends.0);
                }
            }
            sender.send_if_modified(|shown| {
                let differs = **shown != links;
                if differs {
                    *shown = Arc::new(links);
                }
                differs
            });
        }
    }
}

impl Link {
    const fn down(ends: (Incarnation, Incarnation)) -> Self {
        Self { ends, is_up: false, redial_at_ms: 0, heard_ms: (0, 0) }
    }

    /// Whether an end has not been heard for too long.
    const fn is_silent(&self, now_ms: u64) -> bool {
        let (low, high) = self.heard_ms;
        let earlier = if low < high { low } else { high };
        self.is_up && earlier + SILENCE_MS < now_ms
    }

    /// Notes who was heard; whether the link came up.
    fn tend(
        &mut self,
        now_ms: u64,
        ends: Option<(Incarnation, Incarnation)>,
        hears: (bool, bool),
    ) -> bool {
        let Some(ends) = ends else { return false };
        if !self.is_up {
            let comes_up = hears == (true, true) && self.redial_at_ms <= now_ms;
            if comes_up {
                *self = Self { ends, is_up: true, heard_ms: (now_ms, now_ms), ..*self };
            }
            return comes_up;
        }
        if ends == self.ends {
            let heard = |before: u64, hears: bool| if hears { now_ms } else { before };
            self.heard_ms = (heard(self.heard_ms.0, hears.0), heard(self.heard_ms.1, hears.1));
        }
        false
    }
}
