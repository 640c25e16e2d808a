//! How a node comes to its cluster, decided from its settings and its directory.

use std::time::Duration;

use metadata::{ClusterId, ClusterSettings, HostAndPort};
use protocol::{BrokerId, TopicId};
use thiserror::Error;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::ports::peers::Peers;
use crate::ports::rng::Rng;

/// How long one seed may take to answer.
const DISCOVERY_DEADLINE: Duration = Duration::from_secs(2);
/// The pause before the seeds are asked again.
const RETRY: Duration = Duration::from_millis(200);
/// How long the first node of the list may need to come up.
const DISCOVERY_PATIENCE: Duration = Duration::from_secs(60);

/// How a node comes to its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Founding {
    /// A new directory of a node that nobody reaches: a cluster of its own.
    Alone,
    /// A new directory that was told to begin a cluster.
    NewCluster,
    /// A new directory that was told whom to ask.
    Join(Vec<HostAndPort>),
    /// A directory that has been used: it knows.
    Restart,
}

/// Why a node cannot come to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FoundingError {
    /// With a cluster listener, an empty directory does not say which cluster is meant.
    #[error(
        "the data directory is empty: start with --new-cluster to found a cluster, or with \
         --join HOST:PORT to join one"
    )]
    Undecided,
    /// Both were said.
    #[error("a node founds a cluster or joins one, not both")]
    Both,
    /// Nobody could reach the node.
    #[error("to found or join a cluster a node needs a cluster listener")]
    NoListener,
    /// Nobody who was named answered.
    #[error("nobody at {} answered within {DISCOVERY_PATIENCE:?}", list(seeds))]
    NobodyAnswers {
        /// Who was asked.
        seeds: Vec<HostAndPort>,
    },
    /// The number is taken by the node that was to be joined.
    #[error("node {node} listens at {seed} already: every node needs a number of its own")]
    SameNumber {
        /// Where.
        seed: HostAndPort,
        /// The number.
        node: BrokerId,
    },
}

impl FoundingError {
    /// Whether a later start may succeed without anybody's help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::NobodyAnswers { .. } => true,
            Self::Undecided | Self::Both | Self::NoListener | Self::SameNumber { .. } => false,
        }
    }
}

fn list(seeds: &[HostAndPort]) -> String {
    seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Founding {
    /// Decides for a directory.
    ///
    /// # Errors
    /// A new directory, and settings that do not say what is meant.
    pub fn decide(
        directory_is_new: bool,
        settings: &ClusterSettings,
    ) -> Result<Self, FoundingError> {
        if !directory_is_new {
            return Ok(Self::Restart);
        }
        match (settings.listener.is_some(), settings.is_new, settings.join.is_empty()) {
            (_, true, false) => Err(FoundingError::Both),
            (false, false, true) => Ok(Self::Alone),
            (false, _, _) => Err(FoundingError::NoListener),
            (true, true, true) => Ok(Self::NewCluster),
            (true, false, false) => Ok(Self::Join(settings.join.clone())),
            (true, false, true) => Err(FoundingError::Undecided),
        }
    }

    /// The cluster that a new directory belongs to: a new one, or that of the first seed that
    /// answers.
    ///
    /// # Errors
    /// Nobody answers, or only a node of the same number.
    pub async fn cluster_id(
        &self,
        node: BrokerId,
        peers: &dyn Peers,
        rng: &dyn Rng,
    ) -> Result<ClusterId, FoundingError> {
        let Self::Join(seeds) = self else { return Ok(ClusterId(rng.uuid())) };
        let deadline = Instant::now() + DISCOVERY_PATIENCE;
        let mut taken = None;
        loop {
            for seed in seeds {
                match peers.discover(seed, DISCOVERY_DEADLINE).await {
                    Ok(found) if found.node == node => {
                        warn!(%seed, "has the number of this node");
                        taken = Some(seed.clone());
                    }
                    Ok(found) => {
                        info!(%seed, cluster = %TopicId(found.cluster_id.0), "found a cluster");
                        return Ok(found.cluster_id);
                    }
                    Err(error) => debug!(%error, "a seed does not answer"),
                }
            }
            if Instant::now() >= deadline {
                return Err(match taken {
                    Some(seed) => FoundingError::SameNumber { seed, node },
                    None => FoundingError::NobodyAnswers { seeds: seeds.clone() },
                });
            }
            sleep(RETRY).await;
        }
    }
}

/// Whether a quorum directory that is still empty begins a quorum: as the settings say, which may
/// be those of an earlier start that failed. One that is not empty remembers.
#[must_use]
pub fn founds_quorum(settings: &ClusterSettings) -> bool {
    settings.join.is_empty() && (settings.is_new || settings.listener.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listener: bool, is_new: bool, join: bool) -> ClusterSettings {
        let somewhere = || HostAndPort::new("localhost", 7000);
        ClusterSettings {
            listener: listener.then(somewhere),
            advertised: None,
            is_new,
            join: join.then(somewhere).into_iter().collect(),
            tls_directory: None,
            plaintext_allowed: false,
            voters: 3,
        }
    }

    #[test]
    fn an_empty_directory_with_a_listener_must_be_told_what_is_meant() {
        let decide =
            |listener, is_new, join| Founding::decide(true, &settings(listener, is_new, join));
        assert_eq!(decide(false, false, false), Ok(Founding::Alone));
        assert_eq!(decide(true, true, false), Ok(Founding::NewCluster));
        assert!(matches!(decide(true, false, true), Ok(Founding::Join(_))));
        assert_eq!(decide(true, false, false), Err(FoundingError::Undecided));
        assert_eq!(decide(true, true, true), Err(FoundingError::Both));
        assert_eq!(decide(false, true, false), Err(FoundingError::NoListener));
        assert_eq!(decide(false, false, true), Err(FoundingError::NoListener));
    }

    #[test]
    fn a_used_directory_needs_to_be_told_nothing() {
        for (is_new, join) in [(false, false), (true, false), (false, true)] {
            let decided = Founding::decide(false, &settings(true, is_new, join));
            assert_eq!(decided, Ok(Founding::Restart));
        }
    }
}
