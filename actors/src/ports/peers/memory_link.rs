//! One link between two starts of nodes in memory: carries messages and answers, late or never if
//! the network says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::BrokerId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::memory_peers::{Shared, Traffic};
use super::memory_registration::Registered;
use super::{Lane, PeerService};
use crate::gateway_messages::{Begun, begin};
use crate::once::Once;

/// A message and where its answer goes.
pub(super) struct Parcel {
    pub envelope: Bytes,
    pub reply: oneshot::Sender<Bytes>,
}

/// Sender and receiver.
pub(super) type Way = (BrokerId, BrokerId);

/// What is on its way in one lane, with the time of its arrival.
type LaneQueue = UnboundedSender<(Instant, Parcel)>;

/// A link that is up, or was.
pub(super) struct Link {
    pub closed: Once,
    ends: [Arc<Registered>; 2],
    /// Bounded by those who wait for answers.
    lanes: Mutex<BTreeMap<(Way, Lane), LaneQueue>>,
}

impl Link {
    pub fn new(one: &Arc<Registered>, other: &Arc<Registered>) -> Self {
        let ends = [Arc::clone(one), Arc::clone(other)];
        Self { closed: Once::default(), ends, lanes: Mutex::default() }
    }

    /// Whether it is between these two starts.
    pub fn is_between(&self, one: &Arc<Registered>, other: &Arc<Registered>) -> bool {
        Arc::ptr_eq(&self.ends[0], one) && Arc::ptr_eq(&self.ends[1], other)
    }

    /// Closes it: nothing new is taken, whoever waits for an answer hears of it at once.
    pub fn close(&self) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.closed.happen();
    }

    /// Puts a message on its way.
    pub fn send(&self, shared: &Arc<Shared>, way: Way, lane: Lane, parcel: Parcel) {
        let traffic = shared.state().traffic_on(way);
        let delay = shared.draw_between(traffic.delay_min, traffic.delay_max);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.has_happened() {
            return;
        }
        let sender = lanes.entry((way, lane)).or_insert_with(|| self.start_lane(shared, way, lane));
        let _ = sender.send((Instant::now() + delay, parcel));
    }

    fn start_lane(&self, shared: &Arc<Shared>, way: Way, lane: Lane) -> LaneQueue {
        let (sender, parcels) = unbounded_channel();
        let receiver = self.ends.iter().find(|end| end.identity.node == way.1);
        if let Some(receiver) = receiver {
            let receiver = Arc::clone(receiver);
            let carrier = Carrier { shared: Arc::clone(shared), receiver, way, lane };
            tokio::spawn(carrier.carry(parcels));
        }
        sender
    }
}

/// Carries what goes one way in one lane. It outlives its link: what was sent before the link
/// closed may still arrive, as it may in a socket.
#[derive(Clone)]
struct Carrier {
    shared: Arc<Shared>,
    receiver: Arc<Registered>,
    way: Way,
    lane: Lane,
}

impl Carrier {
    async fn carry(self, mut parcels: UnboundedReceiver<(Instant, Parcel)>) {
        while let Some((arrival, parcel)) = parcels.recv().await {
            tokio::time::sleep_until(arrival).await;
            self.shared.wait_until_thawed(self.way).await;
            let traffic = self.shared.state().traffic_on(self.way);
            let is_lost = self.shared.state().is_cut(self.way)
                || self.receiver.gone.has_happened()
                || self.shared.happens(traffic.lost_per_thousand);
            if !is_lost {
                self.deliver(traffic, parcel).await;
            }
        }
    }

    /// Begins the answer here, so that messages are begun in the order in which they came.
    async fn deliver(&self, traffic: Traffic, parcel: Parcel) {
        if self.shared.happens(traffic.repeated_per_thousand)
            && let Begun::Waits(answer) = self.begin(parcel.envelope.clone()).await
        {
            let receiver = Arc::clone(&self.receiver);
            tokio::spawn(async move { receiver.while_here(answer).await });
        }
        let begun = self.begin(parcel.envelope).await;
        let carrier = self.clone();
        tokio::spawn(async move {
            let answer = match begun {
                Begun::Done(answer) => Some(answer),
                Begun::Waits(answer) => carrier.receiver.while_here(answer).await,
            };
            if let Some(answer) = answer {
                carrier.carry_back(answer, parcel.reply).await;
            }
        });
    }

    async fn begin(&self, envelope: Bytes) -> Begun {
        let service: &Arc<dyn PeerService> = &self.receiver.service;
        begin(service.answer(self.lane, envelope)).await
    }

    async fn carry_back(&self, answer: Bytes, reply: oneshot::Sender<Bytes>) {
        let way = (self.way.1, self.way.0);
        let traffic = self.shared.state().traffic_on(way);
        let delay = self.shared.draw_between(traffic.delay_min, traffic.delay_max);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.shared.wait_until_thawed(way).await;
        let is_lost = self.shared.state().is_cut(way)
            || self.shared.happens(traffic.answers_lost_per_thousand);
        if !is_lost {
            let _ = reply.send(answer);
        }
    }
}
