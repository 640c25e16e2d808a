//! An actor that is found at an address before it handles its first message: published at the
//! end of `pre_start`, when it can no longer refuse to start, and not by whoever started it,
//! because then its first handlers could run before anybody finds it.

use crate::address::{Address, Mailbox};
use ractor::message::SerializedMessage;
use ractor::thread_local::ThreadLocalActor;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::marker::PhantomData;

/// `A`, published at an address of `M`. Everything else is `A`'s.
pub(crate) struct PublishedActor<A, M> {
    actor: A,
    message: PhantomData<fn(M)>,
}

impl<A, M> PublishedActor<A, M> {
    pub(crate) fn new(actor: A) -> Self {
        Self { actor, message: PhantomData }
    }
}

/// The arguments of an actor and where it is to be found.
pub(crate) struct At<T, M> {
    pub(crate) arguments: T,
    pub(crate) address: Address<M>,
}

impl<A, M> Actor for PublishedActor<A, M>
where
    A: Actor,
    ActorRef<A::Msg>: Mailbox<M>,
    M: Send + 'static,
{
    type Msg = A::Msg;
    type State = A::State;
    type Arguments = At<A::Arguments, M>;

    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        at: Self::Arguments,
    ) -> Result<A::State, ActorProcessingErr> {
        let state = self.actor.pre_start(myself.clone(), at.arguments).await?;
        at.address.publish(&myself);
        Ok(state)
    }

    fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        self.actor.post_start(myself, state)
    }

    fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        self.actor.post_stop(myself, state)
    }

    fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        self.actor.handle(myself, message, state)
    }

    fn handle_serialized(
        &self,
        myself: ActorRef<A::Msg>,
        message: SerializedMessage,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        self.actor.handle_serialized(myself, message, state)
    }

    fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        self.actor.handle_supervisor_evt(myself, event, state)
    }
}

/// As [`PublishedActor`], for an actor that need not be `Send`.
pub(crate) struct PublishedOnThread<A, M> {
    actor: A,
    message: PhantomData<fn(M)>,
}

impl<A: Default, M> Default for PublishedOnThread<A, M> {
    fn default() -> Self {
        Self { actor: A::default(), message: PhantomData }
    }
}

impl<A, M> ThreadLocalActor for PublishedOnThread<A, M>
where
    A: ThreadLocalActor,
    ActorRef<A::Msg>: Mailbox<M>,
    M: Send + 'static,
{
    type Msg = A::Msg;
    type State = A::State;
    type Arguments = At<A::Arguments, M>;

    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        at: Self::Arguments,
    ) -> Result<A::State, ActorProcessingErr> {
        let state = self.actor.pre_start(myself.clone(), at.arguments).await?;
        at.address.publish(&myself);
        Ok(state)
    }

    fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> {
        self.actor.post_start(myself, state)
    }

    fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> {
        self.actor.post_stop(myself, state)
    }

    fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> {
        self.actor.handle(myself, message, state)
    }

    fn handle_serialized(
        &self,
        myself: ActorRef<A::Msg>,
        message: SerializedMessage,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> {
        self.actor.handle_serialized(myself, message, state)
    }

    fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        state: &mut A::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> {
        self.actor.handle_supervisor_evt(myself, event, state)
    }
}
