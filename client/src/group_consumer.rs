//! The consumer of a group's share: joins, reads what it is assigned, commits, lets go when the
//! group rebalances.
//!
//! A record counts as worked on when `next` is called again, or when the application commits. So
//! nothing is skipped, and after a failure at most what was worked on since the last commit comes
//! again. Partitions change hands inside `next` only: never while a record is worked on.

mod settings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Generation, Offset, TopicName, TopicPartition};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

pub use settings::GroupSettings;

use crate::client::Client;
use crate::committed_offsets::{CommittedOffset, CommittedOffsets};
use crate::consumer::{ConsumedRecord, Consumer, ConsumerSettings, StartAt};
use crate::error::{Error, Result};
use crate::group_membership::coordinator::Coordinator;
use crate::group_membership::{GroupMembership, LastCall, Member, MembershipState, Order};

/// Reads the partitions that its group gives it. Dropping it leaves the group without a commit;
/// [`close`](Self::close) commits first.
pub struct GroupConsumer {
    consumer: Consumer,
    consumer_settings: ConsumerSettings,
    settings: Arc<GroupSettings>,
    topics: Vec<TopicName>,
    membership: GroupMembership,
    /// The generation whose partitions are being read.
    member: Option<Arc<Member>>,
    rebalances: u64,
    /// What the coordinator has of that generation, as far as this member knows.
    committed: Arc<Mutex<HashMap<TopicPartition, Offset>>>,
    next_auto_commit: Instant,
    committing: Option<PendingCommit>,
}

/// A commit under way. Waiting for it (`.await`) gives its outcome; dropping it leaves it to
/// itself.
#[derive(Debug)]
pub struct PendingCommit(JoinHandle<Result<()>>);

impl Future for PendingCommit {
    type Output = Result<()>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let joined = std::pin::Pin::new(&mut self.0).poll(context);
        joined.map(|joined| joined.unwrap_or(Err(Error::Closed)))
    }
}

/// Tells the membership that the application is inside a call, and when it has left it.
struct InCall(LastCall);

impl InCall {
    fn enter(last_call: &LastCall) -> Self {
        *last_call.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Self(Arc::clone(last_call))
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

fn remember(committed: &Mutex<HashMap<TopicPartition, Offset>>, offsets: CommittedOffsets) {
    let mut committed = committed.lock().unwrap_or_else(PoisonError::into_inner);
    committed.extend(offsets.into_iter().map(|(partition, found)| (partition, found.offset)));
}

impl Client {
    /// A member of a group that reads topics. It joins when [`GroupConsumer::next`] is first
    /// called.
    ///
    /// # Errors
    /// Where the settings contradict themselves.
    pub fn group_consumer(
        &self,
        topics: impl IntoIterator<Item = TopicName>,
        group: GroupSettings,
        settings: ConsumerSettings,
    ) -> Result<GroupConsumer> {
        group.check()?;
        let settings_of_group = Arc::new(group);
        let coordinator = Coordinator::new(&self.cluster, settings_of_group.group.clone());
        let membership =
            GroupMembership::start(Arc::new(coordinator), Arc::clone(&settings_of_group));
        Ok(GroupConsumer {
            consumer: Consumer::new(&self.cluster, settings.clone())?,
            consumer_settings: settings,
            next_auto_commit: Instant::now(),
            settings: settings_of_group,
            topics: topics.into_iter().collect(),
            membership,
            member: None,
            rebalances: 0,
            committed: Arc::default(),
            committing: None,
        })
    }
}

impl GroupConsumer {
    /// The next record of the assigned partitions; waits while there is none, and takes part in
    /// the group's rebalances meanwhile. Call it again at least every
    /// [`processing_time_max`](GroupSettings::processing_time_max).
    ///
    /// `None` once every assigned partition has reached the offset that it stops at.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`Consumer::next`], and where the group refuses the member for good.
    pub async fn next(&mut self) -> Result<Option<ConsumedRecord>> {
        let _in_call = InCall::enter(&self.membership.last_call);
        loop {
            self.auto_commit();
            let state = self.membership.state.borrow_and_update().clone();
            match state {
                MembershipState::Failed(error) => return Err(error),
                MembershipState::Out => self.order_join().await?,
                MembershipState::Joining => {}
                MembershipState::MustRejoin { lost, .. } => {
                    self.let_go(lost).await;
                    self.order_join().await?;
                }
                MembershipState::Member(member) => {
                    self.take_over(&member).await?;
                    if let Some(record) = self.consumer.buffered_record() {
                        return record.map(Some);
                    }
                    let commits = self.settings.auto_commit.is_some();
                    tokio::select! {
                        changed = self.membership.state.changed() => {
                            changed.map_err(|_| Error::Closed)?;
                        }
                        record = self.consumer.next_or_wait() => return record,
                        () = sleep_until(self.next_auto_commit), if commits => {}
                    }
                    continue;
                }
            }
            self.membership.state.changed().await.map_err(|_| Error::Closed)?;
        }
    }

    async fn order_join(&self) -> Result<()> {
        let order = Order::Join(self.topics.clone());
        self.membership.orders.send(order).await.map_err(|_| Error::Closed)
    }

    /// The generation ends: commits what was worked on, if that is still possible.
    async fn let_go(&mut self, lost: bool) {
        if self.settings.auto_commit.is_some()
            && !lost
            && let Err(error) = self.commit().await
        {
            tracing::warn!(%error, "no commit before the rebalance");
        }
        self.member = None;
        self.committed = Arc::default();
        self.consumer.assign([]);
    }

    /// A generation begins: starts where the group is.
    async fn take_over(&mut self, member: &Arc<Member>) -> Result<()> {
        if self.member.as_ref().is_some_and(|current| Arc::ptr_eq(current, member)) {
            return Ok(());
        }
        let committed = match member.assignment.as_slice() {
            [] => CommittedOffsets::new(),
            partitions => self.membership.coordinator.committed(Some(partitions)).await?,
        };
        let mut starts = Vec::new();
        for partition in &member.assignment {
            let start = match committed.get(partition) {
                Some(committed) => Some(StartAt::Offset(committed.offset)),
                None => self.consumer_settings.reset.start(),
            };
            let missing = || Error::NoOffset { partition: partition.clone() };
            starts.push((partition.clone(), start.ok_or_else(missing)?));
        }
        self.consumer.assign(starts);
        self.committed = Arc::default();
        remember(&self.committed, committed);
        self.member = Some(Arc::clone(member));
        self.rebalances += 1;
        self.schedule_auto_commit();
        Ok(())
    }

    fn schedule_auto_commit(&mut self) {
        let interval = self.settings.auto_commit.unwrap_or_default();
        self.next_auto_commit = Instant::now() + interval;
    }

    fn auto_commit(&mut self) {
        let due = self.settings.auto_commit.is_some() && Instant::now() >= self.next_auto_commit;
        let busy = self.committing.as_ref().is_some_and(|pending| !pending.0.is_finished());
        if due && !busy && self.member.is_some() {
            self.schedule_auto_commit();
            let waits = !self.uncommitted().is_empty();
            self.committing = waits.then(|| self.start_commit());
        }
    }

    /// What has been worked on and not been committed yet.
    fn uncommitted(&self) -> CommittedOffsets {
        let committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut offsets = CommittedOffsets::new();
        for partition in self.consumer.assignment() {
            if let Some(position) = self.consumer.position(&partition)
                && committed.get(&partition) != Some(&position)
            {
                offsets.insert(partition, CommittedOffset::from(position));
            }
        }
        offsets
    }

    /// Commits the positions of all assigned partitions: every record that `next` has given so
    /// far counts as worked on.
    ///
    /// # Errors
    /// [`Error::AssignmentLost`] where the group has gone on without this member; what was not
    /// committed comes again, here or elsewhere.
    pub async fn commit(&mut self) -> Result<()> {
        let offsets = self.uncommitted();
        self.commit_offsets(offsets).await
    }

    /// Commits these offsets, each that of the next record to be worked on.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub async fn commit_offsets(&mut self, offsets: CommittedOffsets) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let member = self.member.as_ref().ok_or(Error::AssignmentLost)?;
        self.membership.coordinator.commit(&member.committer, &offsets).await?;
        remember(&self.committed, offsets);
        Ok(())
    }

    /// Starts a commit as [`Self::commit`] does, without waiting for it. Commits take effect in
    /// the order in which they were started.
    pub fn start_commit(&self) -> PendingCommit {
        let offsets = self.uncommitted();
        let coordinator = Arc::clone(&self.membership.coordinator);
        let (member, committed) = (self.member.clone(), Arc::clone(&self.committed));
        PendingCommit(tokio::spawn(async move {
            let member = member.ok_or(Error::AssignmentLost)?;
            match coordinator.commit(&member.committer, &offsets).await {
                Ok(()) => remember(&committed, offsets),
                Err(error) => {
                    tracing::warn!(%error, "offsets were not committed");
                    return Err(error);
                }
            }
            Ok(())
        }))
    }

    /// The offsets that the group has committed for the assigned partitions.
    ///
    /// # Errors
    /// Where the coordinator cannot be asked.
    pub async fn committed(&self) -> Result<CommittedOffsets> {
        let partitions = self.consumer.assignment();
        self.membership.coordinator.committed(Some(&partitions)).await
    }

    /// The partitions of this member; none while the group rebalances.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.consumer.assignment()
    }

    /// The generation whose partitions are being read, in which commits are made; `None` while the
    /// group rebalances.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.member.as_ref().map(|member| member.committer.generation)
    }

    /// How often partitions were given to this consumer. Whenever the number has risen it reads on
    /// from where the group has committed, which may be the same generation as before: a member
    /// that joins again in the middle of one is given back what it had.
    #[must_use]
    pub const fn rebalances(&self) -> u64 {
        self.rebalances
    }

    /// The partitions themselves, to seek, pause and stop them. What is added or removed here is
    /// undone by the next rebalance.
    pub const fn partitions(&mut self) -> &mut Consumer {
        &mut self.consumer
    }

    /// Commits what has been worked on, if it commits by itself, and leaves the group, so that
    /// the others take over at once.
    ///
    /// # Errors
    /// Where the commit fails; the group is left all the same.
    pub async fn close(mut self) -> Result<()> {
        let still_member = matches!(&*self.membership.state.borrow(), MembershipState::Member(_));
        let committed = match self.settings.auto_commit {
            Some(_) if still_member && self.member.is_some() => self.commit().await,
            _ => Ok(()),
        };
        let (done, left) = oneshot::channel();
        if self.membership.orders.send(Order::Leave(done)).await.is_ok() {
            // the task has ended either way
            let _ = left.await;
        }
        committed
    }
}
