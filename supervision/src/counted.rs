//! A message that is counted while it waits in a mailbox.

use std::sync::Arc;

/// What one incarnation's mailbox counts with: every waiting message holds a clone, so the
/// reference count is the depth. Counting costs one relaxed increment at the send and one
/// decrement when the message is opened, or dropped unread.
#[derive(Debug, Default)]
pub(crate) struct QueueMarker(Arc<()>);

impl QueueMarker {
    pub(crate) fn depth(&self) -> usize {
        // One reference is our own.
        Arc::strong_count(&self.0).saturating_sub(1)
    }

    pub(crate) fn count<M>(&self, message: M) -> Counted<M> {
        Counted { message, waiting: Some(self.0.clone()) }
    }
}

/// The mailbox type of an actor whose depth is to be seen: `type Msg = Counted<MyMessage>`.
///
/// An [`Address`](crate::Address) wraps what it sends; `handle` begins with
/// [`open`](Counted::open). A message that an actor sends itself is wrapped with `.into()` and
/// is not counted. The wrapper never crosses the network: it is local by construction, and
/// the inner type needs no `ractor::Message` of its own.
#[derive(Debug)]
pub struct Counted<M> {
    message: M,
    waiting: Option<Arc<()>>,
}

impl<M> Counted<M> {
    /// Takes the message out; from now on it no longer counts as waiting.
    #[must_use]
    pub fn open(self) -> M {
        drop(self.waiting);
        self.message
    }
}

impl<M> From<M> for Counted<M> {
    fn from(message: M) -> Self {
        Self { message, waiting: None }
    }
}

impl<M: Send + 'static> ractor::Message for Counted<M> {}
