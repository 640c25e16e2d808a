//! One per node: registers this start of the process with the controller, so that it leads under new
//! epochs, says that it is alive, and has its leaderships handed over before the node stops and
//! while its disk hangs.
//!
//! Supervised by `cluster`, last of the rest_for_one: when anything that it stands on restarts, it
//! registers again, which the controller takes as the same process. Sent to by itself, and by the
//! node that wants to stop. Sends to the controller.
//!
//! ```text
//! RegistrationDue ─▶ Registered ─▶ HeartbeatDue ─▶ Heard ─▶ … ─▶ Stop ─▶ … ─▶ it may
//!        ▲                                           │ the registration is not known any more
//!        └───────────────────────────────────────────┘
//! ```
//!
//! A restart loses only who waits for the stop, and that has a deadline. Its mailbox holds its own
//! timers and the answers to few heartbeats: each is given up soon. It decides nothing: whether a
//! registration is good and when a node may stop is the controller's to say.

use std::sync::Arc;
use std::time::Duration;

use metadata::{HeartbeatAnswer, RegisterBroker};
use protocol::{BrokerEpoch, ErrorCode};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::broker::Broker;
use crate::controller::{NotAgreed, Refused, ask, question};
use crate::directory_use::DirectoryUse;
use crate::metadata_quorum::AppliedImage;

/// How long until the controller is asked again.
const RETRY: Duration = Duration::from_millis(200);

/// What the lifecycle is told.
pub enum LifecycleMessage {
    /// From itself: ask the controller.
    RegistrationDue,
    /// From the controller: what it said.
    Registered(Result<Result<BrokerEpoch, Refused>, NotAgreed>),
    /// From itself: say that this node is alive.
    HeartbeatDue,
    /// From its watch: the disk stopped answering, or answers again.
    DiskChanged,
    /// From the controller: it heard.
    Heard {
        /// When the heartbeat was sent.
        sent: Instant,
        /// What it said.
        answer: Result<Result<HeartbeatAnswer, Refused>, NotAgreed>,
    },
    /// The node wants to stop: others are to lead what it leads.
    Stop {
        /// It may, as far as others could take over.
        reply: oneshot::Sender<()>,
    },
}

impl ractor::Message for LifecycleMessage {}

/// Everything the lifecycle is born with.
#[derive(Clone)]
pub struct LifecycleArguments {
    /// The node.
    pub broker: Arc<Broker>,
    /// What it says of itself.
    pub request: RegisterBroker,
    /// The cluster as far as the quorum here has applied it.
    pub applied: AppliedImage,
    /// What its directory remembers.
    pub directory: DirectoryUse,
    /// Where it says that the node is registered, or why it never will be.
    pub registered: watch::Sender<Option<Result<BrokerEpoch, Refused>>>,
}

/// See the head of this file.
pub struct BrokerLifecycle;

/// What the lifecycle knows.
pub struct LifecycleState {
    arguments: LifecycleArguments,
    is_registering: bool,
    has_heartbeats: bool,
    /// Who waits until the node may stop; `None` while it does not want to.
    stopping: Option<Vec<oneshot::Sender<()>>>,
    _follows_disk: FollowsDisk,
}

/// The task that tells of the disk; it ends with the lifecycle.
struct FollowsDisk(AbortHandle);

impl Drop for FollowsDisk {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow_disk(mut hung: watch::Receiver<bool>, myself: ActorRef<LifecycleMessage>) {
    while hung.changed().await.is_ok() {
        let _ = myself.cast(LifecycleMessage::DiskChanged);
    }
}

impl Actor for BrokerLifecycle {
    type Msg = LifecycleMessage;
    type State = LifecycleState;
    type Arguments = LifecycleArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        mut arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let own = arguments.applied.load().broker(arguments.broker.id).cloned();
        arguments.request.last_use = arguments.directory.begin(own).await?;
        myself.cast(LifecycleMessage::RegistrationDue)?;
        let (is_registering, has_heartbeats, stopping) = (false, false, None);
        let follow = follow_disk(arguments.broker.file_work.subscribe(), myself);
        let _follows_disk = FollowsDisk(tokio::spawn(follow).abort_handle());
        Ok(LifecycleState { arguments, is_registering, has_heartbeats, stopping, _follows_disk })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LifecycleMessage::RegistrationDue => state.on_registration_due(&myself),
            LifecycleMessage::Registered(answer) => state.on_registered(answer, &myself),
            LifecycleMessage::HeartbeatDue => state.on_heartbeat_due(&myself),
            LifecycleMessage::DiskChanged => state.on_disk_changed(&myself),
            LifecycleMessage::Heard { sent, answer } => state.on_heard(sent, answer, &myself),
            LifecycleMessage::Stop { reply } => state.on_stop(reply, &myself),
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

impl LifecycleState {
    fn broker(&self) -> &Arc<Broker> {
        &self.arguments.broker
    }

    fn on_registration_due(&mut self, myself: &ActorRef<LifecycleMessage>) {
        if std::mem::replace(&mut self.is_registering, true) {
            return;
        }
        let registration = Box::new(self.arguments.request.clone());
        let answer = ask(&self.broker().controller, question::RegisterBroker { registration });
        let myself = myself.clone();
        tokio::spawn(async move {
            let _ = myself.cast(LifecycleMessage::Registered(answer.await));
        });
    }

    fn on_registered(
        &mut self,
        answer: Result<Result<BrokerEpoch, Refused>, NotAgreed>,
        myself: &ActorRef<LifecycleMessage>,
    ) {
        self.is_registering = false;
        let broker = self.broker();
        match answer {
            Ok(Ok(epoch)) => {
                info!(broker = %broker.id, %epoch, "registered");
                broker.registration.set(epoch);
                self.arguments.registered.send_replace(Some(Ok(epoch)));
                if !std::mem::replace(&mut self.has_heartbeats, true) {
                    self.on_heartbeat_due(myself);
                }
            }
            Ok(Err(refused)) => {
                warn!(broker = %broker.id, %refused, "the registration was refused");
                self.arguments.registered.send_replace(Some(Err(refused)));
            }
            Err(NotAgreed) => {
                myself.send_after(RETRY, || LifecycleMessage::RegistrationDue);
            }
        }
    }

    fn on_heartbeat_due(&self, myself: &ActorRef<LifecycleMessage>) {
        let interval = self.broker().settings.load().liveness.heartbeat_interval;
        myself.send_after(interval, || LifecycleMessage::HeartbeatDue);
        self.send_heartbeat(myself);
    }

    /// The controller hears of it at once, and with every heartbeat as long as it lasts.
    fn on_disk_changed(&self, myself: &ActorRef<LifecycleMessage>) {
        if self.has_heartbeats {
            self.send_heartbeat(myself);
        }
    }

    fn send_heartbeat(&self, myself: &ActorRef<LifecycleMessage>) {
        let broker = self.broker();
        let broker_epoch = broker.registration.epoch();
        let own = broker.image.load().broker(broker.id).map(|state| state.epoch());
        let heartbeat = metadata::Heartbeat {
            broker: broker.id,
            broker_epoch,
            has_caught_up: own == Some(broker_epoch),
            wants_fence: false,
            wants_to_stop: self.stopping.is_some(),
            disk_hangs: broker.file_work.is_hung(),
        };
        let sent = Instant::now();
        let answer = ask(&broker.controller, question::Heartbeat { heartbeat });
        let myself = myself.clone();
        tokio::spawn(async move {
            let answer = answer.await;
            let _ = myself.cast(LifecycleMessage::Heard { sent, answer });
        });
    }

    fn on_heard(
        &mut self,
        sent: Instant,
        answer: Result<Result<HeartbeatAnswer, Refused>, NotAgreed>,
        myself: &ActorRef<LifecycleMessage>,
    ) {
        let broker = &self.arguments.broker;
        let metrics = &broker.metrics.controller;
        match &answer {
            Ok(Ok(_)) => metrics.heartbeat_seconds.observe(sent.elapsed().as_secs_f64()),
            Ok(Err(_)) | Err(NotAgreed) => drop(metrics.heartbeats_failed.inc()),
        }
        match answer {
            Ok(Ok(heard)) => {
                broker.lifeline.extend(sent, broker.settings.load().liveness.session_timeout);
                if let Some(waiting) = self.stopping.as_mut().filter(|_| heard.may_stop) {
                    for reply in waiting.drain(..) {
                        let _ = reply.send(());
                    }
                }
            }
            Ok(Err(refused)) if is_forgotten(&refused) => {
                warn!(broker = %broker.id, %refused, "registers again");
                self.on_registration_due(myself);
            }
            Ok(Err(refused)) => warn!(broker = %broker.id, %refused, "a heartbeat was refused"),
            Err(NotAgreed) => debug!(broker = %broker.id, "a heartbeat was not answered"),
        }
    }

    fn on_stop(&mut self, reply: oneshot::Sender<()>, myself: &ActorRef<LifecycleMessage>) {
        self.stopping.get_or_insert_default().push(reply);
        self.send_heartbeat(myself);
    }
}

/// Whether the controller does not know this registration any more.
fn is_forgotten(refused: &Refused) -> bool {
    matches!(refused.code(), ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered)
}
