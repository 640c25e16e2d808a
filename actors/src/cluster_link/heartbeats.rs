//! Watches over one session: brings it up, notices when the other node is silent, ends it.
//!
//! Silence is counted in ticks of this node's own timer, not in time: a node that could not run
//! for a while has missed its own ticks, too, and does not take that for the others' silence. Any
//! byte is a sign of life, so that a heartbeat which waits behind bulk on a slow line is none of
//! silence. When only one direction is cut, the end that hears nothing closes, and the other sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::info;

use super::ClusterLinkMessage;
use super::session::Session;
use super::switchboard::Switchboard;
use crate::gateway_messages::{Asked, Header};
use crate::metrics::{LinkEndLabel, LinkLabel};
use crate::ports::peers::{Lane, PeerError};

/// How often a node says that it is alive.
const TICK: Duration = Duration::from_millis(150);
/// After so many ticks without a byte the other node is silent: 600 to 750 ms.
const SILENT_TICKS: u32 = 4;
/// Bytes come, but no heartbeat was answered for so many ticks: its gateway is not there.
const UNANSWERED_TICKS: u32 = 20;
/// A session that is not up by then will not come up.
const ESTABLISH_MAX: Duration = Duration::from_secs(3);
/// How long ractor_cluster may take to forget a session.
pub(super) const END_MAX: Duration = Duration::from_secs(1);

/// Watches over a session until it has ended.
pub(super) async fn watch_over(board: Arc<Switchboard>, session: Arc<Session>) {
    let node = session.peer.node;
    let established = tokio::time::timeout(ESTABLISH_MAX, establish(&board, &session));
    let is_up = tokio::select! {
        biased;
        () = session.closed.wait() => false,
        established = established => established.is_ok(),
    };
    if is_up {
        info!(%node, incarnation = %session.peer.incarnation.0, "link up");
        board.put_up(&session);
        let number = session.number;
        let _ = board.address.send(ClusterLinkMessage::Up { node, number });
        let mut counted = Counted::default();
        let reason = tokio::select! {
            biased;
            () = session.closed.wait() => "closed",
            reason = keep(&board, &session, &mut counted) => reason,
        };
        board.take_down(&session);
        counted.count(&board, &session);
        board.metrics.bytes_in_flight.get_or_create(&LinkLabel::of(node)).set(0);
        board.metrics.ends.get_or_create(&LinkEndLabel { node: node.0, reason }).inc();
        info!(%node, reason, "link down");
    }
    session.break_off();
    session.wait_until_ended(END_MAX).await;
    board.forget(session.number);
    let _ = board.address.send(ClusterLinkMessage::Ended { node, number: session.number });
}

async fn establish(board: &Switchboard, session: &Session) {
    session.ready.wait().await;
    while heartbeat(board, session).await.is_err() {
        // its gateways are not there yet
        tokio::time::sleep(TICK / 10).await;
    }
    board.metrics.connects.get_or_create(&LinkLabel::of(session.peer.node)).inc();
}

/// Returns why the session must end.
async fn keep(
    board: &Arc<Switchboard>,
    session: &Arc<Session>,
    counted: &mut Counted,
) -> &'static str {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let unanswered = Arc::new(AtomicU32::new(0));
    let mut silence = Silence::default();
    loop {
        ticks.tick().await;
        counted.count(board, session);
        if silence.on_tick(session.traffic.received.load(Ordering::Relaxed)) >= SILENT_TICKS {
            return "silent";
        }
        if unanswered.fetch_add(1, Ordering::Relaxed) >= UNANSWERED_TICKS {
            return "unanswered";
        }
        let (board, session, unanswered) = (board.clone(), session.clone(), unanswered.clone());
        tokio::spawn(async move {
            if heartbeat(&board, &session).await.is_ok() {
                unanswered.store(0, Ordering::Relaxed);
            }
        });
    }
}

/// Asks the other node's control gateway whether it is there.
async fn heartbeat(board: &Switchboard, session: &Session) -> Result<(), PeerError> {
    let node = session.peer.node;
    let Some(me) = board.me() else { return Err(PeerError::Unreachable { node }) };
    let header = Header { asked: Asked::Heartbeat, from: me.node, incarnation: me.incarnation };
    let since = Instant::now();
    session.ask(header, Lane::Control, Bytes::new(), TICK * UNANSWERED_TICKS).await?;
    let took = since.elapsed().as_secs_f64();
    board.metrics.heartbeat_seconds.get_or_create(&LinkLabel::of(node)).observe(took);
    Ok(())
}

/// How long nothing came.
#[derive(Default)]
struct Silence {
    received: u64,
    ticks: u32,
}

impl Silence {
    fn on_tick(&mut self, received: u64) -> u32 {
        self.ticks = if received == self.received { self.ticks + 1 } else { 0 };
        self.received = received;
        self.ticks
    }
}

/// What the metrics know of a session's traffic.
#[derive(Default)]
struct Counted {
    received: u64,
    sent: u64,
    messages: u64,
}

impl Counted {
    fn count(&mut self, board: &Switchboard, session: &Session) {
        let label = LinkLabel::of(session.peer.node);
        let metrics = &board.metrics;
        let traffic = &session.traffic;
        for (total, counted, counter) in [
            (&traffic.received, &mut self.received, &metrics.bytes_in),
            (&traffic.sent, &mut self.sent, &metrics.bytes_out),
            (&traffic.messages, &mut self.messages, &metrics.messages),
        ] {
            let total = total.load(Ordering::Relaxed);
            counter.get_or_create(&label).inc_by(total.saturating_sub(*counted));
            *counted = total;
        }
        let in_flight = i64::try_from(session.in_flight.bytes()).unwrap_or(i64::MAX);
        metrics.bytes_in_flight.get_or_create(&label).set(in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_byte_ends_the_silence() {
        let mut silence = Silence::default();
        assert_eq!(
            [5, 5, 5, 6, 6, 6].map(|received| silence.on_tick(received)),
            [0, 1, 2, 0, 1, 2]
        );
    }
}
