//! One per log directory: notices that its disk has stopped answering, and that it answers again.
//!
//! Supervised by `maintenance`, one_for_one: nobody depends on it. Sent to by whoever begins file work
//! while it rests (see [`crate::file_work`]), and by its own timer, which runs only while there is
//! work. It sends to nobody: who must act subscribes to the table. The lifecycle tells the
//! controller, so that others lead; the quorum lets another member decide.
//!
//! ```text
//! WorkBegan ─▶ TickDue ─▶ TickDue ─▶ … ─▶ nothing under way: it rests
//!                 │ something for too long: hung ─▶ … ─▶ it answers again
//! ```
//!
//! A restart loses nothing: the table remembers. Its mailbox holds one of the two messages. It
//! touches no file, and so is never stuck itself.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use supervision::{ChildSpec, Status};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::file_work::{FileWork, Verdict};

/// What the watch is told.
pub enum DiskWatchMessage {
    /// From whoever begins the first work since it came to rest.
    WorkBegan,
    /// From itself: look.
    TickDue,
}

impl ractor::Message for DiskWatchMessage {}

/// Everything the watch is born with.
#[derive(Clone)]
pub struct DiskWatchArguments {
    /// The directory, by name.
    pub directory: String,
    /// What is under way there.
    pub work: FileWork,
    /// What it shows in the tree.
    pub status: Status,
}

/// See the head of this file.
pub struct DiskWatch;

/// What the watch knows.
pub struct DiskWatchState {
    arguments: DiskWatchArguments,
    /// When the disk was found hung; of use for the log alone.
    hung_since: Option<Instant>,
}

impl DiskWatch {
    /// The child of `maintenance`.
    #[must_use]
    pub fn child(directory: &str, work: &FileWork) -> ChildSpec {
        let (directory, watched) = (directory.to_owned(), work.clone());
        let make = move |context: &supervision::StartContext| {
            let (directory, work) = (directory.clone(), watched.clone());
            (Self, DiskWatchArguments { directory, work, status: context.status() })
        };
        ChildSpec::addressed_actor("disk_watch", work.watch(), make)
    }
}

impl Actor for DiskWatch {
    type Msg = DiskWatchMessage;
    type State = DiskWatchState;
    type Arguments = DiskWatchArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        // whatever has begun meanwhile told nobody
        arguments.work.arm();
        let hung_since = arguments.work.is_hung().then(Instant::now);
        let state = DiskWatchState { arguments, hung_since };
        state.show();
        state.look_again(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DiskWatchMessage::WorkBegan => state.look_again(&myself),
            DiskWatchMessage::TickDue => state.on_tick_due(&myself),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        // no children
        Ok(())
    }
}

impl DiskWatchState {
    fn look_again(&self, myself: &ActorRef<DiskWatchMessage>) {
        // of ticks that were missed together one counts: time that this process missed is not the
        // disk's
        if let Some(tick) = self.arguments.work.tick() {
            myself.send_after(tick, || DiskWatchMessage::TickDue);
        }
    }

    fn on_tick_due(&mut self, myself: &ActorRef<DiskWatchMessage>) {
        let look = self.arguments.work.look();
        match look.verdict {
            Verdict::AsBefore => {}
            Verdict::Hung => self.on_hung(look.oldest),
            Verdict::Answers => self.on_answers(),
        }
        if look.goes_on {
            self.look_again(myself);
        }
    }

    fn on_hung(&mut self, outstanding: Duration) {
        self.hung_since = Some(Instant::now());
        self.show();
        let (directory, outstanding_ms) = (&self.arguments.directory, outstanding.as_millis());
        warn!(%directory, outstanding_ms, "the disk does not answer: others are to lead");
    }

    fn on_answers(&mut self) {
        let hung_ms = self.hung_since.take().map_or(0, |since| since.elapsed().as_millis());
        self.show();
        let directory = &self.arguments.directory;
        info!(%directory, hung_ms, "the disk answers again");
    }

    fn show(&self) {
        let disk = if self.hung_since.is_some() { "hung" } else { "answers" };
        self.arguments.status.set("disk", disk);
    }
}
