//! An address that survives restarts. An `ActorRef` names one incarnation and is worthless
//! after it; an address names the place, and always leads to who lives there now.

use crate::counted::{Counted, QueueMarker};
use arc_swap::ArcSwapOption;
use ractor::{ActorCell, ActorId, ActorRef, ActorStatus, Message, MessagingErr, RpcReplyPort};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Where to send messages of type `M`, whichever incarnation is there.
///
/// Cheap to clone, made before the actor exists, and so can be handed to neighbours in
/// any order of birth. A message sent is delivered at most once: the incarnation that took it
/// may end before it handles it, and then the message (with its reply port) is dropped.
pub struct Address<M> {
    slot: Arc<Slot<M>>,
}

struct Slot<M> {
    current: ArcSwapOption<Incarnation<M>>,
}

struct Incarnation<M> {
    actor: ActorCell,
    /// `None` if its mailbox type does not count.
    marker: Option<QueueMarker>,
    deliver: fn(&Incarnation<M>, M) -> Result<(), Undeliverable<M>>,
}

/// Nobody is there; here is the message back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody is at this address now")]
pub struct Undeliverable<M>(pub M);

impl<M> fmt::Debug for Undeliverable<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Undeliverable")
    }
}

/// Why [`Address::ask`] has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody was there; nothing was sent.
    #[error("nobody is at this address now")]
    Unavailable,
    /// The question was dropped unanswered, most often because its reader ended.
    /// It may or may not have acted on it.
    #[error("the question was dropped without an answer")]
    Dropped,
    /// No answer came in time. It may still be acted on.
    #[error("no answer within {0:?}")]
    DeadlineExceeded(Duration),
}

impl AskError {
    /// Whether asking again may help; only after [`Unavailable`](Self::Unavailable) is it
    /// certain that the first question had no effect.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable | Self::Dropped | Self::DeadlineExceeded(_) => true,
        }
    }
}

impl<M: Send + 'static> Address<M> {
    /// An address where nobody lives yet.
    #[must_use]
    pub fn new() -> Self {
        Self { slot: Arc::new(Slot { current: ArcSwapOption::empty() }) }
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// [`Undeliverable`] with the message, if nobody is there or who is there is ending.
    pub fn send(&self, message: M) -> Result<(), Undeliverable<M>> {
        match self.slot.current.load().as_ref() {
            Some(incarnation) => (incarnation.deliver)(incarnation, message),
            None => Err(Undeliverable(message)),
        }
    }

    /// Sends the message that `question` builds around a reply port and waits for the reply.
    ///
    /// # Errors
    /// [`AskError`], which says whether the question can have had an effect.
    pub async fn ask<R: Send + 'static>(
        &self,
        deadline: Duration,
        question: impl FnOnce(RpcReplyPort<R>) -> M,
    ) -> Result<R, AskError> {
        let (reply, answer) = oneshot::channel();
        let port = RpcReplyPort::from((reply, deadline));
        self.send(question(port)).map_err(|_| AskError::Unavailable)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::Dropped),
            Err(_) => Err(AskError::DeadlineExceeded(deadline)),
        }
    }

    /// Whether somebody is there and takes messages. True now may be false at the send.
    #[must_use]
    pub fn is_available(&self) -> bool {
        let current = self.slot.current.load();
        current.as_ref().is_some_and(|who| who.actor.get_status() < ActorStatus::Draining)
    }

    /// Messages waiting, if the actor's mailbox type is [`Counted`].
    #[must_use]
    pub fn depth(&self) -> Option<usize> {
        Published::depth(&*self.slot)
    }

    /// The incarnation that is there now.
    #[must_use]
    pub fn actor(&self) -> Option<ActorCell> {
        self.slot.current.load().as_ref().map(|incarnation| incarnation.actor.clone())
    }

    /// From now on the address leads to `mailbox`. Child specs do this for their children.
    pub fn publish<B: Mailbox<M>>(&self, mailbox: &B) {
        mailbox.publish_at(self);
    }

    /// Nobody is at this address any more.
    pub fn withdraw(&self) {
        self.slot.current.store(None);
    }

    pub(crate) fn published(&self) -> Arc<dyn Published> {
        self.slot.clone()
    }

    fn lead_to(&self, incarnation: Incarnation<M>) {
        self.slot.current.store(Some(Arc::new(incarnation)));
    }
}

/// What an [`Address`] of `M` can lead to: an actor that takes `M`, plain or [`Counted`].
pub trait Mailbox<M>: sealed::Sealed {
    #[doc(hidden)]
    fn publish_at(&self, address: &Address<M>);
}

mod sealed {
    pub trait Sealed {}
    impl<M> Sealed for ractor::ActorRef<M> {}
}

impl<M: Message> Mailbox<M> for ActorRef<M> {
    fn publish_at(&self, address: &Address<M>) {
        address.lead_to(Incarnation { actor: self.get_cell(), marker: None, deliver: plain });
    }
}

impl<M: Send + 'static> Mailbox<M> for ActorRef<Counted<M>> {
    fn publish_at(&self, address: &Address<M>) {
        let marker = Some(QueueMarker::default());
        address.lead_to(Incarnation { actor: self.get_cell(), marker, deliver: counted });
    }
}

fn plain<M: Message>(incarnation: &Incarnation<M>, message: M) -> Result<(), Undeliverable<M>> {
    incarnation.actor.send_message(message).map_err(|error| Undeliverable(returned(error)))
}

fn counted<M: Send + 'static>(
    incarnation: &Incarnation<M>,
    message: M,
) -> Result<(), Undeliverable<M>> {
    let message = match &incarnation.marker {
        Some(marker) => marker.count(message),
        None => Counted::from(message),
    };
    incarnation.actor.send_message(message).map_err(|error| Undeliverable(returned(error).open()))
}

/// The message out of a failed send.
fn returned<M>(error: MessagingErr<M>) -> M {
    match error {
        MessagingErr::SendErr(message) => message,
        MessagingErr::ChannelClosed | MessagingErr::InvalidActorType => {
            // ractor answers so to a wrong message type or an unserialisable remote message;
            // the type was fixed by the `ActorRef` at publication, and a remote one's message
            // serialises.
            unreachable!("a send to a mailbox of the right type returns its message")
        }
    }
}

/// The sides of an address that need no message type.
pub(crate) trait Published: Send + Sync {
    /// Empties the address if `actor` is there.
    fn withdraw_actor(&self, actor: ActorId);
    /// Empties the address if whoever is there has ended: a start that failed late.
    fn withdraw_ended(&self);
    fn depth(&self) -> Option<usize>;
}

impl<M: Send + 'static> Published for Slot<M> {
    fn withdraw_actor(&self, actor: ActorId) {
        self.withdraw_if(|present| present.get_id() == actor);
    }

    fn withdraw_ended(&self) {
        self.withdraw_if(|present| present.get_status() >= ActorStatus::Stopping);
    }

    fn depth(&self) -> Option<usize> {
        let current = self.current.load();
        current.as_ref().and_then(|who| who.marker.as_ref()).map(QueueMarker::depth)
    }
}

impl<M> Slot<M> {
    fn withdraw_if(&self, condition: impl FnOnce(&ActorCell) -> bool) {
        let current = self.current.load();
        if current.as_ref().is_some_and(|incarnation| condition(&incarnation.actor)) {
            // Loses only against a later publication, which must stay.
            self.current.compare_and_swap(&*current, None);
        }
    }
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { slot: self.slot.clone() }
    }
}

impl<M: Send + 'static> Default for Address<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.slot.current.load();
        let actor = current.as_ref().map(|incarnation| incarnation.actor.get_id());
        formatter.debug_struct("Address").field("actor", &actor).finish()
    }
}
