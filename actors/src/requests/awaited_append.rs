//! An append that a Produce waits for. Its replica answers, or its end does; but a replica that waits
//! for a disk which hangs can do neither, though others lead already.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::broker::Broker;
use crate::partition_directory::PartitionPlace;
use crate::partition_replica::AppendAnswer;

/// How often one that takes its time looks whether this node was deposed.
const LOOK: Duration = Duration::from_millis(250);

/// See the head of this file.
#[derive(Debug)]
pub struct AwaitedAppend {
    /// Where the answer comes.
    pub answer: oneshot::Receiver<AppendAnswer>,
    /// The partition.
    pub place: Arc<PartitionPlace>,
}

/// What became of it.
pub enum Settled {
    /// The replica said so.
    Answered(AppendAnswer),
    /// The replica ended, or does not lead and cannot say so.
    Lost,
    /// The client's deadline has come.
    TimedOut,
}

impl AwaitedAppend {
    /// Waits for the answer, until `deadline` if there is one. Safe to cancel.
    pub async fn settled(&mut self, broker: &Broker, deadline: Option<Instant>) -> Settled {
        loop {
            let look = Instant::now() + LOOK;
            let until = deadline.map_or(look, |deadline| deadline.min(look));
            match timeout_at(until, &mut self.answer).await {
                Ok(Ok(answer)) => return Settled::Answered(answer),
                Ok(Err(_)) => return Settled::Lost,
                Err(_) if Some(until) == deadline => return Settled::TimedOut,
                Err(_) if self.is_led_elsewhere(broker) => return Settled::Lost,
                Err(_) => {}
            }
        }
    }

    fn is_led_elsewhere(&self, broker: &Broker) -> bool {
        broker.file_work.is_hung() && self.place.decided().leader != Some(broker.id)
    }
}
