//! The node's process, from its start to whatever ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::ports::Ports;
use actors::{Node, StaticSettings};
use tokio::sync::mpsc;

/// How a process stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    #[default]
    Down,
    /// It is on its way up.
    Starting,
    /// Its node serves.
    Serving,
    /// It ended by itself: it could not start, or its root supervisor gave up.
    Ended(String),
    /// It stopped in order.
    Stopped,
}

/// What a process is told from outside.
pub(super) enum Order {
    /// Stop in order within the deadline.
    Stop(Duration),
}

/// Where a process says how it stands.
#[derive(Clone, Default)]
pub(super) struct StandingCell(Arc<Mutex<Standing>>);

impl StandingCell {
    pub(super) fn get(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

/// The process's main function.
pub(super) async fn live(
    settings: StaticSettings,
    ports: Ports,
    mut orders: mpsc::UnboundedReceiver<Order>,
    standing: StandingCell,
) {
    standing.set(Standing::Starting);
    let mut node = match Node::start_with(settings, ports).await {
        Ok(node) => node,
        Err(error) => return standing.set(Standing::Ended(error.to_string())),
    };
    standing.set(Standing::Serving);
    let order = tokio::select! {
        biased;
        order = orders.recv() => order,
        () = node.has_ended() => None,
    };
    match order {
        Some(Order::Stop(deadline)) => {
            let _ = node.stop(deadline).await;
            standing.set(Standing::Stopped);
        }
        None => standing.set(Standing::Ended(format!("{:?}", node.ended().await))),
    }
}
