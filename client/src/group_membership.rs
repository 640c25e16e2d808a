//! One member of a classic consumer group: a task that joins, heartbeats and leaves.
//!
//! ```text
//!          Join                 joined, synced
//!   Out ─────────▶ Joining ───────────────────▶ Member
//!    ▲               ▲  │ refused for good         │ rebalance, expelled, too slow
//!    │               │  ▼                          ▼
//!    └─ Leave      Failed              MustRejoin { lost }
//!                    └──────────── Join ◀──────────┘
//! ```
//!
//! The task never rejoins by itself: the consumer first lets go of its partitions, then orders it
//! to. Until then heartbeats go on, so that the coordinator waits. When the orders' sender is
//! dropped, the member leaves the group and the task ends.

pub(crate) mod consumer_protocol;
pub(crate) mod coordinator;
mod join;

use std::sync::{Arc, Mutex, PoisonError};

use protocol::generated::heartbeat::HeartbeatRequest;
use protocol::generated::leave_group::{LeaveGroupRequest, MemberIdentity};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{ErrorCode, MemberId, TopicName, TopicPartition};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::committed_offsets::Committer;
use crate::error::{Error, Result};
use crate::group_consumer::GroupSettings;
use coordinator::Coordinator;
use join::GroupTopics;

/// A member of one generation.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) committer: Committer,
    pub(crate) assignment: Vec<TopicPartition>,
    /// The partition counts that a leader divided; nothing for other members.
    topics: Option<GroupTopics>,
}

/// Where the member stands.
#[derive(Clone, Debug)]
pub(crate) enum MembershipState {
    /// In no generation.
    Out,
    /// Waiting for the others to join.
    Joining,
    /// In a generation, with partitions.
    Member(Arc<Member>),
    /// The generation ends.
    MustRejoin {
        /// The member as it was.
        member: Arc<Member>,
        /// Whether its partitions may already be somebody else's, so that it can commit no more.
        lost: bool,
    },
    /// Refused for a reason that trying again does not help against.
    Failed(Error),
}

/// What the consumer wants of the task.
pub(crate) enum Order {
    /// Join, or join again; ignored by a member of a generation that goes on.
    Join(Vec<TopicName>),
    /// Leave the group and end; answered when that is done.
    Leave(oneshot::Sender<()>),
}

/// Since when the application has not called the consumer; `None` during a call.
pub(crate) type LastCall = Arc<Mutex<Option<Instant>>>;

/// The consumer's side of the task.
pub(crate) struct GroupMembership {
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) state: watch::Receiver<MembershipState>,
    pub(crate) last_call: LastCall,
}

impl GroupMembership {
    /// Starts the task; it waits for its first order.
    pub(crate) fn start(coordinator: Arc<Coordinator>, settings: Arc<GroupSettings>) -> Self {
        let (orders, inbox) = mpsc::channel(4);
        let (state, watched) = watch::channel(MembershipState::Out);
        let last_call = LastCall::default();
        let task = MembershipTask {
            coordinator: Arc::clone(&coordinator),
            settings,
            state,
            last_call: Arc::clone(&last_call),
            member_id: MemberId::new(""),
            next_heartbeat: Instant::now(),
        };
        tokio::spawn(task.run(inbox));
        Self { coordinator, orders, state: watched, last_call }
    }
}

struct MembershipTask {
    coordinator: Arc<Coordinator>,
    settings: Arc<GroupSettings>,
    state: watch::Sender<MembershipState>,
    last_call: LastCall,
    /// Empty until the coordinator has given one.
    member_id: MemberId,
    next_heartbeat: Instant,
}

impl MembershipTask {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let in_generation = matches!(
                &*self.state.borrow(),
                MembershipState::Member(_) | MembershipState::MustRejoin { .. }
            );
            let order = tokio::select! {
                order = orders.recv() => order,
                () = sleep_until(self.next_heartbeat), if in_generation => {
                    self.heartbeat().await;
                    continue;
                }
            };
            let last = match order {
                Some(Order::Join(topics)) => self.on_join(topics, &mut orders).await,
                last => Some(last),
            };
            if let Some(last) = last {
                self.leave().await;
                if let Some(Order::Leave(done)) = last {
                    // nobody listens if the consumer was dropped meanwhile
                    let _ = done.send(());
                }
                return;
            }
        }
    }

    /// Joins; gives the order that ended it, if it was to leave.
    async fn on_join(
        &mut self,
        topics: Vec<TopicName>,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Option<Option<Order>> {
        if matches!(&*self.state.borrow(), MembershipState::Member(_)) {
            return None;
        }
        self.state.send_replace(MembershipState::Joining);
        let joined = {
            let joining = self.join(&topics);
            tokio::pin!(joining);
            loop {
                tokio::select! {
                    joined = &mut joining => break joined,
                    order = orders.recv() => match order {
                        Some(Order::Join(_)) => {}
                        last => return Some(last),
                    },
                }
            }
        };
        self.next_heartbeat = Instant::now() + self.settings.heartbeat_interval;
        self.state.send_replace(match joined {
            Ok(member) => MembershipState::Member(Arc::new(member)),
            Err(error) => MembershipState::Failed(error),
        });
        None
    }

    fn member(&self) -> Option<(Arc<Member>, bool)> {
        match &*self.state.borrow() {
            MembershipState::Member(member) => Some((Arc::clone(member), false)),
            MembershipState::MustRejoin { member, lost } => Some((Arc::clone(member), *lost)),
            MembershipState::Out | MembershipState::Joining | MembershipState::Failed(_) => None,
        }
    }

    fn must_rejoin(&self, member: Arc<Member>, lost: bool) {
        tracing::info!(group = %self.coordinator.group, lost, "the group rebalances");
        self.state.send_replace(MembershipState::MustRejoin { member, lost });
    }

    async fn heartbeat(&mut self) {
        self.next_heartbeat = Instant::now() + self.settings.heartbeat_interval;
        let Some((member, lost)) = self.member() else { return };
        if lost {
            return;
        }
        if self.is_application_too_slow() {
            tracing::warn!(group = %self.coordinator.group, "no call for too long, leaving");
            self.leave().await;
            return self.must_rejoin(member, true);
        }
        if let Some(topics) = &member.topics
            && topics.have_changed(&self.coordinator.cluster).await
        {
            return self.must_rejoin(member, false);
        }
        if let Err(error) = self.send_heartbeat(&member).await {
            self.on_heartbeat_error(member, error);
        }
    }

    fn is_application_too_slow(&self) -> bool {
        let last_call = self.last_call.lock().unwrap_or_else(PoisonError::into_inner);
        last_call.is_some_and(|at| at.elapsed() > self.settings.processing_time_max)
    }

    async fn send_heartbeat(&self, member: &Member) -> Result<()> {
        let request = HeartbeatRequest {
            group_id: self.coordinator.group_name(),
            generation_id: member.committer.generation.value(),
            member_id: WireString::from(member.committer.member.as_str()),
            group_instance_id: self.instance(),
        };
        let timeout = self.settings.session_timeout;
        let response = self.coordinator.request(&request, i16::MAX, timeout).await?;
        self.coordinator.check::<HeartbeatRequest>(response.error_code)
    }

    fn on_heartbeat_error(&mut self, member: Arc<Member>, error: Error) {
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => {
                if matches!(&*self.state.borrow(), MembershipState::Member(_)) {
                    self.must_rejoin(member, false);
                }
            }
            Some(ErrorCode::IllegalGeneration) => self.must_rejoin(member, true),
            Some(ErrorCode::UnknownMemberId) => {
                self.member_id = MemberId::new("");
                self.must_rejoin(member, true);
            }
            _ if !error.is_retryable() => {
                self.state.send_replace(MembershipState::Failed(error));
            }
            _ => {
                // as long as the coordinator cannot be reached, only it knows whether the member
                // has been expelled; until it says so, records are read and commits are tried
                tracing::debug!(%error, "a heartbeat is sent again");
                let pause = self.coordinator.cluster.settings.retry_pause;
                self.next_heartbeat = Instant::now() + pause;
            }
        }
    }

    fn instance(&self) -> Option<WireString> {
        self.settings.instance.as_deref().map(WireString::from)
    }

    /// Tells the coordinator, once, if it knows the member. A static member only goes quiet: it
    /// is expected back.
    async fn leave(&mut self) {
        let member_id = std::mem::replace(&mut self.member_id, MemberId::new(""));
        if member_id.is_empty() || self.settings.instance.is_some() {
            return;
        }
        let group_id = self.coordinator.group_name();
        let member_id = WireString::from(member_id.as_str());
        let left = self.coordinator.request_past_join(|version| {
            // from version 3 on a request can name several members
            if version < 3 {
                return LeaveGroupRequest { group_id, member_id, members: Vec::new() };
            }
            let member = MemberIdentity { member_id, ..MemberIdentity::default() };
            LeaveGroupRequest { group_id, members: vec![member], ..LeaveGroupRequest::default() }
        });
        let api = LeaveGroupRequest::API_KEY;
        match left.await {
            Ok(response) if response.error_code == 0 => {}
            Ok(response) => tracing::debug!(%api, code = response.error_code, "refused"),
            Err(error) => tracing::debug!(%api, %error, "not answered"),
        }
    }
}
