//! What must hold, whatever happens. It sees everything at once, as nobody in a cluster can.

use std::collections::HashMap;

use protocol::{BrokerId, LeaderEpoch};
use replication::{Acks, Effect, Refusal, Replica, Role};

use crate::broker::{Broker, Produced};
use crate::disk::Record;

/// A promise that was broken, in words.
pub type Verdict = Result<(), String>;

#[derive(Default)]
pub struct Oracle {
    /// Every record that a leader declared committed, by offset.
    committed: Vec<Record>,
    /// Under which epoch each of them was committed.
    committed_under: Vec<LeaderEpoch>,
    /// Every record that a leader appended, by epoch and offset.
    written: HashMap<(LeaderEpoch, i64), u64>,
    /// Who led under which epoch: broker and number of its replica.
    leaders: HashMap<LeaderEpoch, (BrokerId, u64)>,
    /// The last high watermark seen of a leadership.
    high_watermarks: HashMap<LeaderEpoch, i64>,
    pub acknowledged: usize,
}

impl Oracle {
    pub fn committed(&self) -> usize {
        self.committed.len()
    }

    fn committed_at(&self, offset: i64) -> Option<Record> {
        self.committed.get(usize::try_from(offset).ok()?).copied()
    }

    pub fn on_leadership(&mut self, broker: &Broker, replica: &Replica) -> Verdict {
        let epoch = replica.leader_epoch();
        let who = (broker.id, broker.replica_number);
        let first = *self.leaders.entry(epoch).or_insert(who);
        if first != who {
            return Err(format!("epoch {epoch} was led by {first:?} and by {who:?}"));
        }
        // a leader that learns late of its election need not hold what its successors committed
        let earlier = self.committed_under.partition_point(|under| *under < epoch);
        for offset in broker.disk.start()..i64::try_from(earlier).unwrap() {
            let (held, committed) = (broker.disk.record(offset), self.committed_at(offset));
            if held != committed {
                return Err(format!(
                    "broker {} leads epoch {epoch} with {held:?} at {offset}, committed was \
                     {committed:?}",
                    broker.id
                ));
            }
        }
        Ok(())
    }

    pub fn on_append(&mut self, broker: &Broker, offset: i64, record: Record) -> Verdict {
        let first = *self.written.entry((record.epoch, offset)).or_insert(record.value);
        if first != record.value {
            let (id, epoch) = (broker.id, record.epoch);
            return Err(format!("broker {id} writes another record at {offset} in epoch {epoch}"));
        }
        Ok(())
    }

    pub fn on_high_watermark(&mut self, broker: &Broker, replica: &Replica) -> Verdict {
        let high_watermark = replica.high_watermark().value();
        if replica.role() == Role::Leader {
            let epoch = replica.leader_epoch();
            let last = self.high_watermarks.insert(epoch, high_watermark);
            if last.is_some_and(|last| last > high_watermark) {
                return Err(format!("the high watermark of epoch {epoch} fell below {last:?}"));
            }
            for offset in i64::try_from(self.committed.len()).unwrap()..high_watermark {
                let record = broker.disk.record(offset);
                self.committed.push(record.ok_or(format!("nothing committed at {offset}"))?);
                self.committed_under.push(epoch);
            }
        }
        self.check_prefix(broker, high_watermark)
    }

    /// What a replica holds below its high watermark is what was committed.
    pub fn check_prefix(&self, broker: &Broker, high_watermark: i64) -> Verdict {
        for offset in broker.disk.start()..high_watermark {
            let (held, committed) = (broker.disk.record(offset), self.committed_at(offset));
            if held != committed || held.is_none() {
                return Err(format!(
                    "broker {} shows {held:?} at {offset}, committed was {committed:?}",
                    broker.id
                ));
            }
        }
        Ok(())
    }

    /// A ticket is answered: once, and with a promise that is true.
    pub fn on_answer(&mut self, effect: &Effect, produced: Option<Produced>) -> Verdict {
        let Some(produced) = produced else {
            return Err(format!("{effect:?} answers a ticket that is not pending"));
        };
        match effect {
            Effect::Acknowledge { base_offset, .. } if produced.acks == Acks::All => {
                let committed = self.committed_at(base_offset.value());
                if committed.map(|record| record.value) != Some(produced.value) {
                    return Err(format!("{base_offset} was acknowledged, but holds {committed:?}"));
                }
                self.acknowledged += 1;
                Ok(())
            }
            Effect::Refuse { reason, .. } if !is_for_producers(*reason) => {
                Err(format!("a producer reads {reason:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// Every refusal of a pending append tells the producer to try again.
fn is_for_producers(reason: Refusal) -> bool {
    reason.is_retryable() && reason.error_code().is_retryable()
}
