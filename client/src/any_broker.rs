//! A question that any broker can answer: asked of one, and of the next as well as soon as the one
//! before has been silent for a moment, so that a broker that hangs delays nobody for long.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::message::Request;
use tokio::time::sleep;

use crate::broker_connections::BrokerConnections;
use crate::error::{Error, Result};

/// Who is asked, and how.
pub(crate) struct AnyBroker {
    pub(crate) connections: Arc<BrokerConnections>,
    /// `host:port` of all that may be asked, in this order.
    pub(crate) addresses: Vec<Arc<str>>,
    /// How long the last one asked may be silent.
    pub(crate) silence_max: Duration,
    /// The newest version of the request.
    pub(crate) newest: i16,
}

impl AnyBroker {
    /// The first answer. The request must do no harm where several brokers get it.
    ///
    /// # Errors
    /// [`Error::NoBroker`] where none of them answers.
    pub(crate) async fn ask<R>(self, request: &R) -> Result<R::Response>
    where
        R: Request + Clone + Send + Sync + 'static,
        R::Response: Send,
    {
        let mut under_way = FuturesUnordered::new();
        let mut addresses = self.addresses.into_iter();
        let mut last = Error::Setting { name: "bootstrap", reason: "names no broker" };
        loop {
            let next = addresses.next();
            let was_last = next.is_none();
            if let Some(address) = next {
                let (connections, newest) = (Arc::clone(&self.connections), self.newest);
                let request = request.clone();
                // in a task: whoever is not waited for any more still meets its deadline, which
                // ends a connection that is of no use
                under_way.push(tokio::spawn(async move {
                    connections.get(&address).await?.request_in(&request, newest).await
                }));
            }
            tokio::select! {
                answered = under_way.next() => match answered {
                    Some(Ok(Err(error))) if may_be_another_brokers(&error) => last = error,
                    Some(Ok(answered)) => return answered,
                    // the task has ended abruptly, which only the end of the runtime does
                    Some(Err(_)) => last = Error::Closed,
                    None => return Err(Error::NoBroker { last: Arc::new(last) }),
                },
                () = sleep(self.silence_max), if !was_last => {}
            }
        }
    }
}

/// Whether another broker may have a better answer.
fn may_be_another_brokers(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect { .. } | Error::ConnectionLost { .. } | Error::RequestTimedOut { .. }
    )
}
