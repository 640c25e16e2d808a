//! Who is alive, as the active controller hears it. In memory only: a new controller starts all
//! clocks anew, so a change of controller fences nobody by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::{BrokerEpoch, BrokerId};

use crate::image::ClusterImage;

/// One broker's heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    broker_epoch: BrokerEpoch,
    deadline: Instant,
}

/// The deadlines of all brokers that are not fenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerLiveness {
    session_timeout: Duration,
    sessions: BTreeMap<BrokerId, Session>,
    last_look: Instant,
}

impl BrokerLiveness {
    /// The liveness that a new controller starts with: every broker that is not fenced has a whole
    /// session timeout to be heard of.
    #[must_use]
    pub fn new(now: Instant, session_timeout: Duration, image: &ClusterImage) -> Self {
        let deadline = now + session_timeout;
        let session = |broker_epoch| Session { broker_epoch, deadline };
        let sessions =
            image.live_brokers().map(|broker| (broker.id(), session(broker.epoch()))).collect();
        Self { session_timeout, sessions, last_look: now }
    }

    /// A broker was heard of; call it for accepted registrations and heartbeats.
    pub fn on_heartbeat(&mut self, now: Instant, broker: BrokerId, broker_epoch: BrokerEpoch) {
        let deadline = now + self.session_timeout;
        match self.sessions.get(&broker) {
            Some(session) if session.broker_epoch > broker_epoch => {}
            _ => drop(self.sessions.insert(broker, Session { broker_epoch, deadline })),
        }
    }

    /// A broker's process is known to be gone: its connection was closed, and it refuses new ones.
    pub fn on_death(&mut self, now: Instant, broker: BrokerId, broker_epoch: BrokerEpoch) {
        if let Some(session) = self.sessions.get_mut(&broker)
            && session.broker_epoch == broker_epoch
        {
            session.deadline = session.deadline.min(now);
        }
    }

    /// A broker was fenced or has left.
    pub fn forget(&mut self, broker: BrokerId) {
        self.sessions.remove(&broker);
    }

    /// Whether a broker was heard of within the session timeout.
    #[must_use]
    pub fn is_alive(&self, now: Instant, broker: BrokerId) -> bool {
        self.sessions.get(&broker).is_some_and(|session| session.deadline > now)
    }

    /// When `expired` is to be asked next; `None` if there is nobody to wait for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.sessions.values().map(|session| session.deadline).min()
    }

    /// The brokers that have been silent for too long, by id; they are forgotten, and to be fenced.
    ///
    /// A look that comes much later than the deadline it was for says that this process stood
    /// still (it was frozen, or the machine was busy), and that what was sent meanwhile may still
    /// lie in a queue: silence then proves nothing, and everybody gets a whole timeout again.
    pub fn expired(&mut self, now: Instant) -> Vec<(BrokerId, BrokerEpoch)> {
        let stood_still = self.is_late(now);
        self.last_look = now;
        if stood_still {
            let deadline = now + self.session_timeout;
            self.sessions.values_mut().for_each(|session| session.deadline = deadline);
            return Vec::new();
        }
        let late: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.deadline <= now)
            .map(|(broker, session)| (*broker, session.broker_epoch))
            .collect();
        for (broker, _) in &late {
            self.sessions.remove(broker);
        }
        late
    }

    fn is_late(&self, now: Instant) -> bool {
        let due = self.next_deadline().unwrap_or(now).max(self.last_look);
        now.saturating_duration_since(due) > self.session_timeout / 2
    }
}
