//! Which fetchers and feeds this node has: finds them, or has them started. No actor.
//!
//! What is said before an actor can be found is not lost: a fetcher asks the replicas to repeat it
//! when it begins, and a feed finds the fetches that came early.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use metadata::PartitionKey;
use protocol::{BrokerId, ErrorCode};
use replication::FlushProgress;
use supervision::{
    Address, Backoff, ChildSpec, DynamicSupervisor, DynamicSupervisorSpec, StartContext,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::follower_feed::{
    ArrivedFetch, EarlyFetches, FollowerFeed, FollowerFeedArguments, FollowerFeedMessage,
};
use crate::partition_replica::{LeadingMessage, PartitionReplicaMessage};
use crate::peer_messages::AnswerStatus;
use crate::peer_messages::flush_progress::{
    FlushProgressAnswer, FlushProgressMessage, FlushReport,
};
use crate::peer_messages::follower_fetch::{FollowerFetchMessage, SHARDS, shard_of};
use crate::peer_service::{PeerReply, read, write};
use crate::ports::peers::PeerIdentity;
use crate::replica_fetcher::{ReplicaFetcher, ReplicaFetcherArguments, ReplicaFetcherMessage};

/// A fetcher or feed that fails is back at once: whoever follows waits for it.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
/// How long a feed may take to answer: its longest wait and a little more.
const FEED_DEADLINE: Duration = Duration::from_secs(7);
/// How long a replica may take to hear of a flush.
const HEARING_DEADLINE: Duration = Duration::from_secs(1);
/// Fetches of one follower that wait for their feed to begin.
const EARLY_MAX: usize = 4;

/// Which node, and which of its shards.
type Pair = (BrokerId, u8);

struct Feed {
    address: Address<FollowerFeedMessage>,
    early: EarlyFetches,
}

impl Feed {
    /// Gives the fetch back if nobody is there.
    fn deliver(&self, fetch: ArrivedFetch) -> Option<ArrivedFetch> {
        match self.address.send(FollowerFeedMessage::Fetch(fetch)) {
            Err(supervision::Undeliverable(FollowerFeedMessage::Fetch(fetch))) => Some(fetch),
            Ok(()) | Err(_) => None,
        }
    }
}

/// See the head of this file.
pub struct ReplicationDirectory {
    supervisor: DynamicSupervisor,
    fetchers: Mutex<HashMap<Pair, Address<ReplicaFetcherMessage>>>,
    feeds: Mutex<HashMap<Pair, Feed>>,
    lags: Mutex<HashMap<Pair, i64>>,
    sessions: AtomicU64,
}

impl ReplicationDirectory {
    /// A directory without anybody, and the supervisor that will have them, at most
    /// `children_max` at a time.
    #[must_use]
    pub fn new(children_max: usize, of: Weak<Broker>) -> Self {
        // a supervisor that failed itself begins with everybody whom it had
        let initial = move || match of.upgrade() {
            Some(broker) => broker.replication.all_children(&broker),
            None => Vec::new(),
        };
        let spec = DynamicSupervisorSpec::new(children_max).initial(initial);
        Self {
            supervisor: DynamicSupervisor::new(spec),
            fetchers: Mutex::default(),
            feeds: Mutex::default(),
            lags: Mutex::default(),
            sessions: AtomicU64::new(0),
        }
    }

    /// The supervisor of fetchers and feeds.
    #[must_use]
    pub const fn supervisor(&self) -> &DynamicSupervisor {
        &self.supervisor
    }

    /// Numbers for the sessions of one fetcher's life: far above all earlier ones.
    pub(crate) fn next_session_number(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) << 32
    }

    /// A feed's word on how many records its follower lacks.
    pub(crate) fn note_lag(&self, follower: BrokerId, shard: u8, records: i64) {
        lock(&self.lags).insert((follower, shard), records);
    }

    /// How many records each follower lacks, as the feeds last saw it.
    #[must_use]
    pub fn lags(&self) -> BTreeMap<BrokerId, i64> {
        let mut lags = BTreeMap::new();
        for ((follower, _), records) in &*lock(&self.lags) {
            *lags.entry(*follower).or_default() += *records;
        }
        lags
    }

    /// Tells the fetcher that asks `leader` about the partition; it is started if there is none.
    pub fn tell_fetcher(
        &self,
        broker: &Arc<Broker>,
        leader: BrokerId,
        key: PartitionKey,
        message: ReplicaFetcherMessage,
    ) {
        let shard = shard_of(key);
        let address = {
            let mut fetchers = lock(&self.fetchers);
            if let Some(address) = fetchers.get(&(leader, shard)) {
                address.clone()
            } else {
                let address = Address::new();
                fetchers.insert((leader, shard), address.clone());
                self.start(Self::fetcher_spec(broker, (leader, shard), &address));
                address
            }
        };
        // nobody there: when somebody is, it asks the replicas to say it again
        let _ = address.send(message);
    }

    fn fetcher_spec(
        broker: &Arc<Broker>,
        (leader, shard): Pair,
        address: &Address<ReplicaFetcherMessage>,
    ) -> ChildSpec {
        let (broker, at) = (Arc::downgrade(broker), address.clone());
        let make = move |context: &StartContext| {
            let (broker, address) = (broker.clone(), at.clone());
            let status = context.status();
            (ReplicaFetcher, ReplicaFetcherArguments { broker, leader, shard, address, status })
        };
        let name = format!("fetcher-{leader}-{shard}");
        ChildSpec::addressed_actor(name, address, make).backoff(BACKOFF)
    }

    fn feed_spec(broker: &Arc<Broker>, (follower, shard): Pair, feed: &Feed) -> ChildSpec {
        let (broker, at) = (Arc::downgrade(broker), feed.address.clone());
        let early = Arc::clone(&feed.early);
        let make = move |context: &StartContext| {
            let (broker, address) = (broker.clone(), at.clone());
            let (early, status) = (Arc::clone(&early), context.status());
            (
                FollowerFeed,
                FollowerFeedArguments { broker, follower, shard, address, early, status },
            )
        };
        let name = format!("feed-{follower}-{shard}");
        ChildSpec::addressed_actor(name, &feed.address, make).backoff(BACKOFF)
    }

    fn start(&self, child: ChildSpec) {
        // refused, the supervisor is being restarted: it begins with all that are noted here
        let _ = self.supervisor.request_start(child);
    }

    /// The children that the supervisor begins with: everybody whom it had before it failed.
    #[must_use]
    pub fn all_children(&self, broker: &Arc<Broker>) -> Vec<ChildSpec> {
        let fetchers = lock(&self.fetchers);
        let fetchers = fetchers.iter().map(|(pair, at)| Self::fetcher_spec(broker, *pair, at));
        let mut children: Vec<_> = fetchers.collect();
        let feeds = lock(&self.feeds);
        children.extend(feeds.iter().map(|(pair, feed)| Self::feed_spec(broker, *pair, feed)));
        children
    }

    /// Answers a follower's fetch.
    ///
    /// # Errors
    /// What the follower is told instead.
    pub async fn on_follower_fetch(
        &self,
        broker: &Arc<Broker>,
        from: PeerIdentity,
        body: Bytes,
    ) -> PeerReply {
        let message: FollowerFetchMessage = read(body)?;
        if message.shard >= SHARDS {
            return Err(AnswerStatus::Unreadable);
        }
        let (reply, answer) = oneshot::channel();
        let pair = (from.node, message.shard);
        let fetch = ArrivedFetch { incarnation: from.incarnation, message, reply };
        self.hand_to_feed(broker, pair, fetch);
        match timeout(FEED_DEADLINE, answer).await {
            Ok(Ok(answer)) => write(&answer),
            Ok(Err(_)) | Err(_) => Err(AnswerStatus::NotNow),
        }
    }

    fn hand_to_feed(&self, broker: &Arc<Broker>, pair: Pair, fetch: ArrivedFetch) {
        let mut feeds = lock(&self.feeds);
        let feed = feeds.entry(pair).or_insert_with(|| {
            let feed = Feed { address: Address::new(), early: EarlyFetches::default() };
            self.start(Self::feed_spec(broker, pair, &feed));
            feed
        });
        let Some(fetch) = feed.deliver(fetch) else { return };
        {
            let mut early = lock(&feed.early);
            if early.len() >= EARLY_MAX {
                early.remove(0);
            }
            early.push(fetch);
        }
        if feed.address.is_available() {
            // it began in between, and may have looked before
            let early = std::mem::take(&mut *lock(&feed.early));
            early.into_iter().for_each(|fetch| drop(feed.deliver(fetch)));
        }
    }

    /// Answers a follower's report of flushes: each goes to the partition's replica at once.
    ///
    /// # Errors
    /// What the follower is told instead.
    pub async fn on_flush_progress(
        &self,
        broker: &Arc<Broker>,
        from: PeerIdentity,
        body: Bytes,
    ) -> PeerReply {
        let FlushProgressMessage { broker_epoch, reports, .. } = read(body)?;
        let tell = |report: &FlushReport| {
            let (reply, heard) = oneshot::channel();
            let FlushReport { key, leader_epoch, flushed_offset } = *report;
            let follower = from.node;
            let report = FlushProgress { follower, broker_epoch, leader_epoch, flushed_offset };
            let message = LeadingMessage::FlushProgress { report, reply };
            if let Some(place) = broker.partitions.find(key) {
                let _ = place.replica.send(PartitionReplicaMessage::Leading(message));
            }
            heard
        };
        let waiting: Vec<_> = reports.iter().map(tell).collect();
        let mut codes = vec![ErrorCode::NotLeaderOrFollower.code(); waiting.len()];
        let hear = async {
            for (code, heard) in codes.iter_mut().zip(waiting) {
                *code = match heard.await {
                    Ok(Ok(())) => 0,
                    Ok(Err(refusal)) => refusal.error_code().code(),
                    Err(_) => ErrorCode::NotLeaderOrFollower.code(),
                };
            }
        };
        // whoever is late is asked to repeat it
        let _ = timeout(HEARING_DEADLINE, hear).await;
        write(&FlushProgressAnswer { codes })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
