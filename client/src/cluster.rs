//! The cluster as the client's parts use it: a picture of it that is kept fresh, and requests sent
//! to the broker that they are for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::message::Request;
use protocol::primitives::WireString;
use protocol::{BrokerId, ErrorCode, PartitionIndex, TopicId, TopicName, TopicPartition};
use rand::seq::SliceRandom;

use crate::any_broker::AnyBroker;
use crate::backoff::Attempts;
use crate::broker_connections::BrokerConnections;
use crate::cluster_metadata::{ClusterMetadata, Topic};
use crate::connection::Connection;
use crate::error::{Error, Result, Subject};
use crate::settings::ClientSettings;

pub(crate) struct Cluster {
    pub(crate) settings: Arc<ClientSettings>,
    /// For short requests of everybody.
    connections: Arc<BrokerConnections>,
    metadata: Mutex<Arc<ClusterMetadata>>,
    /// Topics that somebody uses: what a refresh asks for.
    topics: Mutex<BTreeSet<TopicName>>,
    /// Held by whoever refreshes, so that the others wait for the result instead.
    refreshing: tokio::sync::Mutex<()>,
}

/// Which topics a metadata request asks for.
#[derive(Clone, Copy)]
pub(crate) enum Topics<'a> {
    /// All of them.
    All,
    /// These, which may be none.
    Named(&'a [TopicName]),
    /// These, which the broker may make if it is set up so.
    NamedOrNew(&'a [TopicName]),
}

impl Cluster {
    /// Finds the cluster by its bootstrap addresses.
    pub(crate) async fn connect(settings: ClientSettings) -> Result<Arc<Self>> {
        settings.check()?;
        let settings = Arc::new(settings);
        let cluster = Self {
            connections: Arc::new(BrokerConnections::new(Arc::clone(&settings))),
            settings,
            metadata: Mutex::new(Arc::new(ClusterMetadata::empty())),
            topics: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        };
        cluster.refresh_after(0).await?;
        Ok(Arc::new(cluster))
    }

    pub(crate) fn attempts(&self) -> Attempts {
        Attempts::new(self.settings.backoff(), self.settings.operation_timeout)
    }

    /// Attempts within `timeout`, or the operation timeout if that is shorter.
    pub(crate) fn attempts_for(&self, timeout: Duration) -> Attempts {
        Attempts::new(self.settings.backoff(), timeout.min(self.settings.operation_timeout))
    }

    /// Connections of its own for a user whose requests wait long.
    pub(crate) fn own_connections(&self) -> BrokerConnections {
        BrokerConnections::new(Arc::clone(&self.settings))
    }

    /// What is known at present.
    pub(crate) fn metadata(&self) -> Arc<ClusterMetadata> {
        Arc::clone(&self.metadata.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another picture in the place of the present one, and gives the one that stands then.
    pub(crate) fn change_metadata(
        &self,
        next: impl FnOnce(&ClusterMetadata) -> Option<Arc<ClusterMetadata>>,
    ) -> Arc<ClusterMetadata> {
        let mut metadata = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = next(&metadata) {
            *metadata = next;
        }
        Arc::clone(&metadata)
    }

    /// Asks for metadata, and remembers what it says.
    pub(crate) async fn ask(&self, topics: Topics<'_>) -> Result<MetadataResponse> {
        let named = |names: &[TopicName]| {
            let topic = |name: &TopicName| MetadataRequestTopic {
                topic_id: TopicId::ZERO,
                name: Some(WireString::from(name.as_str())),
            };
            Some(names.iter().map(topic).collect())
        };
        let (topics, allow_auto_topic_creation) = match topics {
            Topics::All => (None, false),
            Topics::Named(names) => (named(names), false),
            Topics::NamedOrNew(names) => (named(names), true),
        };
        let request =
            MetadataRequest { topics, allow_auto_topic_creation, ..MetadataRequest::default() };
        let response = self.ask_first(&request, i16::MAX).await?;
        let subject = || Subject::Request;
        Error::check(MetadataRequest::API_KEY, subject, response.error_code, None)?;
        let in_use = self.topics_in_use().clone();
        let next = self.change_metadata(|metadata| {
            let mut next = metadata.after(&response);
            // a topic that was only asked about is in no refresh: kept, it would only become older
            next.topics.retain(|name, _| in_use.contains(name));
            Some(Arc::new(next))
        });
        self.connections.keep_only(|address| {
            next.brokers.values().any(|broker| &*broker.address == address)
                || self.settings.bootstrap.iter().any(|known| known == address)
        });
        Ok(response)
    }

    /// Fetches the metadata of all topics in use anew, unless somebody has done so since
    /// `version`, the picture that was found to be out of date.
    pub(crate) async fn refresh_after(&self, version: u64) -> Result<()> {
        let _turn = self.refreshing.lock().await;
        if self.metadata().version > version {
            return Ok(());
        }
        let topics: Vec<_> = self.topics_in_use().iter().cloned().collect();
        self.ask(Topics::Named(&topics)).await.map(drop)
    }

    /// As [`Self::refresh_after`], if the picture is older than the settings allow.
    pub(crate) async fn refresh_if_old(&self) -> Result<()> {
        let metadata = self.metadata();
        if metadata.fetched_at.elapsed() < self.settings.metadata_age_max {
            return Ok(());
        }
        self.refresh_after(metadata.version).await
    }

    fn topics_in_use(&self) -> std::sync::MutexGuard<'_, BTreeSet<TopicName>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for these topics, too, from now on.
    pub(crate) fn use_topics(&self, names: &[TopicName]) {
        self.topics_in_use().extend(names.iter().cloned());
    }

    /// A topic, from memory if it is known. A topic that does not exist is waited for until the
    /// attempts end, since it may just have been made.
    pub(crate) async fn topic(
        &self,
        name: &TopicName,
        may_create: bool,
        mut attempts: Attempts,
    ) -> Result<Arc<Topic>> {
        if let Some(topic) = self.metadata().topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        self.topics_in_use().insert(name.clone());
        loop {
            let found = self.ask_for_topic(name, may_create).await;
            match found {
                Ok(topic) => return Ok(topic),
                Err(error) => {
                    if !error.is_retryable() {
                        self.topics_in_use().remove(name);
                    }
                    attempts.pause(error).await?;
                }
            }
        }
    }

    /// A topic, asked for at most once.
    pub(crate) async fn topic_once(&self, name: &TopicName) -> Result<Arc<Topic>> {
        if let Some(topic) = self.metadata().topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        self.topics_in_use().insert(name.clone());
        self.ask_for_topic(name, false).await
    }

    async fn ask_for_topic(&self, name: &TopicName, may_create: bool) -> Result<Arc<Topic>> {
        let names = std::slice::from_ref(name);
        let topics = if may_create { Topics::NamedOrNew(names) } else { Topics::Named(names) };
        self.ask(topics).await?;
        let metadata = self.metadata();
        if let Some(topic) = metadata.topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        let subject = Subject::Topic(name.clone());
        let missing = Error::NotInResponse { api: MetadataRequest::API_KEY, subject };
        Err(metadata.refused.get(name).cloned().unwrap_or(missing))
    }

    /// Where a broker is, by what is known at present.
    pub(crate) fn address_of(&self, broker: BrokerId) -> Result<Arc<str>> {
        let metadata = self.metadata();
        let found = metadata.brokers.get(&broker).map(|broker| Arc::clone(&broker.address));
        found.ok_or(Error::Broker {
            api: MetadataRequest::API_KEY,
            subject: Subject::Broker(broker),
            // retryable: the next picture may have it
            code: ErrorCode::NetworkException,
            message: None,
        })
    }

    /// The shared connection to a broker.
    pub(crate) async fn connection_to(&self, broker: BrokerId) -> Result<Arc<Connection>> {
        self.connections.get(&self.address_of(broker)?).await
    }

    /// The leader of a partition. Where none is known, the error is retryable.
    pub(crate) fn leader(&self, topic: &TopicName, index: PartitionIndex) -> Result<BrokerId> {
        let metadata = self.metadata();
        let found = metadata.leader(topic, index).map(|(leader, _)| leader);
        found.ok_or_else(|| Error::Broker {
            api: MetadataRequest::API_KEY,
            subject: Subject::Partition(TopicPartition::new(topic.clone(), index)),
            code: ErrorCode::LeaderNotAvailable,
            message: None,
        })
    }

    /// Sends a short request to one broker, once.
    pub(crate) async fn request_to<R: Request>(
        &self,
        broker: BrokerId,
        request: &R,
    ) -> Result<R::Response> {
        self.connection_to(broker).await?.request(request).await
    }

    /// Ends the shared connection to a broker that is not waited for any longer.
    pub(crate) fn give_up(&self, address: &str, error: &Error) {
        self.connections.give_up(address, error);
    }

    /// The shared connection to `host:port`.
    pub(crate) async fn connection_at(&self, address: &Arc<str>) -> Result<Arc<Connection>> {
        self.connections.get(address).await
    }

    /// The known brokers in random order, then the bootstrap addresses.
    fn addresses(&self) -> Vec<Arc<str>> {
        let metadata = self.metadata();
        let mut addresses: Vec<Arc<str>> =
            metadata.brokers.values().map(|broker| Arc::clone(&broker.address)).collect();
        addresses.shuffle(&mut rand::rng());
        for address in &self.settings.bootstrap {
            if addresses.iter().all(|known| **known != **address) {
                addresses.push(Arc::from(&**address));
            }
        }
        addresses
    }

    /// Sends a short request to one broker after the other until one has answered.
    pub(crate) async fn request_any<R: Request>(&self, request: &R) -> Result<R::Response> {
        let mut last = Error::Setting { name: "bootstrap", reason: "names no broker" };
        for address in self.addresses() {
            let connection = match self.connections.get(&address).await {
                Ok(connection) => connection,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            match connection.request(request).await {
                Err(error @ (Error::ConnectionLost { .. } | Error::RequestTimedOut { .. })) => {
                    last = error;
                }
                answered => return answered,
            }
        }
        Err(Error::NoBroker { last: Arc::new(last) })
    }

    /// As [`Self::request_any`], in at most this version and without waiting for brokers that are
    /// silent: for questions that several brokers may get.
    pub(crate) async fn ask_first<R>(&self, request: &R, newest: i16) -> Result<R::Response>
    where
        R: Request + Clone + Send + Sync + 'static,
        R::Response: Send,
    {
        let any = AnyBroker {
            connections: Arc::clone(&self.connections),
            addresses: self.addresses(),
            silence_max: self.settings.silence_max,
            newest,
        };
        any.ask(request).await
    }

    /// Sends a short request to the leader of these partitions, once, and does not wait for it
    /// when it is silent and leads no more.
    pub(crate) async fn request_to_leader<R: Request>(
        &self,
        leader: BrokerId,
        partitions: &[TopicPartition],
        request: &R,
    ) -> Result<R::Response> {
        let answer = self.request_to(leader, request);
        self.unless_moved(&self.connections, leader, partitions, Duration::ZERO, answer).await
    }

    /// After a failed attempt: a fresh picture if the old one may be the reason, then a pause.
    ///
    /// # Errors
    /// Where another attempt does not help, or the time is up.
    pub(crate) async fn before_retry(
        &self,
        attempts: &mut Attempts,
        error: Error,
        version: u64,
    ) -> Result<()> {
        let stale = error.is_stale_metadata();
        attempts.pause(error).await?;
        if stale && let Err(error) = self.refresh_after(version).await {
            tracing::debug!(%error, "metadata could not be refreshed");
        }
        Ok(())
    }
}
