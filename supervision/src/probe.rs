//! An actor that records what it was sent: a neighbour to test another actor with.

use crate::address::Address;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, Message, SpawnErr, SupervisionEvent};
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Records a note `N` for every message `M` it gets. Clones see the same notes.
pub struct Probe<M, N = M> {
    actor: ActorRef<M>,
    address: Address<M>,
    notes: Arc<Notes<N>>,
}

struct Notes<N> {
    noted: Mutex<Vec<N>>,
    count: watch::Sender<usize>,
}

/// What was waited for did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not seen within {waited:?}, but {noted} other notes")]
pub struct ProbeTimeout {
    /// How long was waited.
    pub waited: Duration,
    /// Notes there at the end.
    pub noted: usize,
}

impl<M: Message> Probe<M> {
    /// A probe that keeps the messages themselves.
    ///
    /// # Errors
    /// ractor's, which does not occur for an actor without a name.
    pub async fn start() -> Result<Self, SpawnErr> {
        Self::noting(|message| message).await
    }
}

impl<M: Message, N: Send + 'static> Probe<M, N> {
    /// A probe that keeps what `note` makes of each message, which may answer a reply port.
    ///
    /// # Errors
    /// ractor's, which does not occur for an actor without a name.
    pub async fn noting(note: impl FnMut(M) -> N + Send + 'static) -> Result<Self, SpawnErr> {
        let notes = Arc::new(Notes { noted: Mutex::default(), count: watch::Sender::new(0) });
        let arguments = Recorder { note: Box::new(note), notes: notes.clone() };
        let (actor, _) = Actor::spawn(None, ProbeActor(PhantomData), arguments).await?;
        let address = Address::new();
        address.publish(&actor);
        Ok(Self { actor, address, notes })
    }

    /// Where the probe is.
    #[must_use]
    pub fn address(&self) -> Address<M> {
        self.address.clone()
    }

    /// The probe as ractor knows it.
    #[must_use]
    pub fn actor(&self) -> ActorRef<M> {
        self.actor.clone()
    }

    /// The probe, for whoever wants to stop or link it.
    #[must_use]
    pub fn cell(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// Waits, without sleeping, until `predicate` holds for all notes so far.
    ///
    /// # Errors
    /// [`ProbeTimeout`] after `deadline`.
    pub async fn wait_for(
        &self,
        mut predicate: impl FnMut(&[N]) -> bool,
        deadline: Duration,
    ) -> Result<(), ProbeTimeout> {
        let mut count = self.notes.count.subscribe();
        let seen = count.wait_for(|_| self.read(&mut predicate));
        match tokio::time::timeout(deadline, seen).await {
            Ok(_) => Ok(()),
            Err(_) => Err(ProbeTimeout { waited: deadline, noted: self.read(<[N]>::len) }),
        }
    }

    /// What `look` finds in all notes so far, oldest first.
    pub fn read<R>(&self, look: impl FnOnce(&[N]) -> R) -> R {
        look(&self.notes.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes all notes so far, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<N> {
        std::mem::take(&mut *self.notes.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Records messages; supervised by nobody, it ends with the test.
struct ProbeActor<M, N>(PhantomData<fn(M) -> N>);

struct Recorder<M, N> {
    note: Box<dyn FnMut(M) -> N + Send>,
    notes: Arc<Notes<N>>,
}

impl<M: Message, N: Send + 'static> Actor for ProbeActor<M, N> {
    type Msg = M;
    type State = Recorder<M, N>;
    type Arguments = Recorder<M, N>;

    async fn pre_start(
        &self,
        _myself: ActorRef<M>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn handle(
        &self,
        _myself: ActorRef<M>,
        message: M,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let note = (state.note)(message);
        let notes = &state.notes;
        notes.noted.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        notes.count.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<M>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // It has no children.
        Ok(())
    }
}

impl<M, N> Clone for Probe<M, N> {
    fn clone(&self) -> Self {
        let (actor, address) = (self.actor.clone(), self.address.clone());
        Self { actor, address, notes: self.notes.clone() }
    }
}

impl<M, N> fmt::Debug for Probe<M, N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Probe").field("actor", &self.actor).finish()
    }
}
