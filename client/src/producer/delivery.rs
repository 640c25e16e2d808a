//! What becomes of a record after `send`: a promise that the batch it stands in fulfils.

use std::future::IntoFuture;
use std::pin::Pin;

use protocol::{Offset, TopicPartition};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Where a batch was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchPlace {
    /// The offset of its first record, where the broker says one.
    pub(crate) base_offset: Option<Offset>,
    /// The broker's time, where it replaces that of the records.
    pub(crate) log_append_time: Option<i64>,
}

/// What a batch came to; nothing while it is under way.
pub(crate) type BatchOutcome = Option<Result<BatchPlace>>;

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Topic and partition.
    pub partition: TopicPartition,
    /// Its offset. Not known with [`Acks::None`](crate::Acks::None), nor where a broker only says
    /// that the record had been written before.
    pub offset: Option<Offset>,
    /// Milliseconds since 1970: the record's own, or the broker's where it gives them.
    pub timestamp: i64,
}

/// The delivery of one record. Waiting for it (`.await`) gives the record's place or the reason
/// why it was not delivered; dropping it leaves the delivery as it is.
#[derive(Debug)]
#[must_use = "whether the record was delivered is only known by waiting for it"]
pub struct Delivery {
    pub(crate) partition: TopicPartition,
    pub(crate) index: i32,
    pub(crate) timestamp: i64,
    pub(crate) outcome: watch::Receiver<BatchOutcome>,
}

impl Delivery {
    /// The partition that was chosen for the record.
    #[must_use]
    pub const fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    async fn place(mut self) -> Result<RecordPlace> {
        let outcome = wait(&mut self.outcome).await?;
        Ok(RecordPlace {
            partition: self.partition,
            offset: outcome.base_offset.map(|base| base.plus(i64::from(self.index))),
            timestamp: outcome.log_append_time.unwrap_or(self.timestamp),
        })
    }
}

impl IntoFuture for Delivery {
    type Output = Result<RecordPlace>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.place())
    }
}

/// Waits until a batch has come to an end.
pub(crate) async fn wait(outcome: &mut watch::Receiver<BatchOutcome>) -> Result<BatchPlace> {
    match outcome.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Err(Error::Closed)),
        // the producer's task ended without a word: the runtime was shut down
        Err(_) => Err(Error::Closed),
    }
}
