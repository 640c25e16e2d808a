//! The entrance: one client a cluster, from which producers, consumers and the admin are made.

use std::sync::Arc;

use crate::cluster::Cluster;
use crate::cluster_metadata::Broker;
use crate::error::Result;
use crate::settings::ClientSettings;

/// A client of one cluster. Cloning it is cheap; clones share connections and metadata.
#[derive(Clone)]
pub struct Client {
    pub(crate) cluster: Arc<Cluster>,
}

impl Client {
    /// Finds a cluster by some of its brokers: `host:port`, several separated by commas.
    ///
    /// # Errors
    /// [`Error::NoBroker`](crate::Error::NoBroker) where none of them answers.
    pub async fn connect(bootstrap: &str) -> Result<Self> {
        Self::with_settings(ClientSettings::new(bootstrap)).await
    }

    /// As [`Self::connect`], with settings of one's own.
    ///
    /// # Errors
    /// As [`Self::connect`], and where the settings contradict themselves.
    pub async fn with_settings(settings: ClientSettings) -> Result<Self> {
        Ok(Self { cluster: Cluster::connect(settings).await? })
    }

    /// The cluster's identity, if the brokers say one.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.cluster.metadata().cluster_id.clone()
    }

    /// The brokers known at present, in the order of their numbers.
    #[must_use]
    pub fn brokers(&self) -> Vec<Broker> {
        let mut brokers: Vec<_> = self.cluster.metadata().brokers.values().cloned().collect();
        brokers.sort_by_key(|broker| broker.id);
        brokers
    }
}
