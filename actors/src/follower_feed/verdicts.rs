//! The way of a machine's verdict back to the feed that asked.

use metadata::PartitionKey;
use replication::{FetchVerdict, Refusal};
use tokio::sync::mpsc;

/// What a machine said to one question.
#[derive(Debug)]
pub struct Verdict {
    /// Which partition.
    pub key: PartitionKey,
    /// Which question: a newer one makes the answer to an older one worthless.
    pub question: u64,
    /// What it said.
    pub outcome: Result<FetchVerdict, Refusal>,
}

/// Verdicts on their way to one session.
#[derive(Debug)]
pub struct Verdicts {
    sender: mpsc::UnboundedSender<Verdict>,
    receiver: mpsc::UnboundedReceiver<Verdict>,
}

impl Default for Verdicts {
    fn default() -> Self {
        // bounded by the session: one question a partition
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }
}

impl Verdicts {
    /// The way back for one question.
    #[must_use]
    pub fn reply(&self, key: PartitionKey, question: u64) -> VerdictReply {
        VerdictReply { key, question, sender: Some(self.sender.clone()) }
    }

    /// The next verdict that is there.
    pub fn take(&mut self) -> Option<Verdict> {
        self.receiver.try_recv().ok()
    }

    /// Waits for a verdict.
    pub async fn next(&mut self) -> Option<Verdict> {
        self.receiver.recv().await
    }
}

/// Takes one verdict. Dropped without one, it means that the replica is not there.
#[derive(Debug)]
pub struct VerdictReply {
    key: PartitionKey,
    question: u64,
    sender: Option<mpsc::UnboundedSender<Verdict>>,
}

impl VerdictReply {
    /// Gives the verdict.
    pub fn send(mut self, outcome: Result<FetchVerdict, Refusal>) {
        self.give(outcome);
    }

    fn give(&mut self, outcome: Result<FetchVerdict, Refusal>) {
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(Verdict { key: self.key, question: self.question, outcome });
        }
    }
}

impl Drop for VerdictReply {
    fn drop(&mut self) {
        self.give(Err(Refusal::NotLeader));
    }
}
