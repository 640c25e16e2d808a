//! The ports that keep the world out of the broker, so that the whole of it can run in a
//! simulator: wall time, chance, where blocking file work runs, client sockets, and messages to
//! other nodes. (The sixth, files, is `commit_log::storage`.) Timers are tokio's.

pub mod clock;
pub mod net;
pub mod peers;
pub mod rng;
pub mod storage_executor;
pub mod watched_storage;

use std::sync::Arc;

use commit_log::{RealStorage, Storage};

use self::clock::{Clock, SystemClock};
use self::net::{Net, TcpNet};
use self::peers::{Alone, Peers};
use self::rng::{OsRng, Rng};
use self::storage_executor::{StorageExecutor, StorageThreads};
use self::watched_storage::{WatchedExecutor, WatchedStorage};
use crate::file_work::FileWork;

/// One implementation of each port.
#[derive(Clone)]
pub struct Ports {
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Chance: identities and jitter.
    pub rng: Arc<dyn Rng>,
    /// Files.
    pub storage: Arc<dyn Storage>,
    /// Where blocking file work runs.
    pub executor: Arc<dyn StorageExecutor>,
    /// Client sockets.
    pub net: Arc<dyn Net>,
    /// Messages to other nodes.
    pub peers: Arc<dyn Peers>,
}

impl Ports {
    /// The real world: the machine's clock, files, threads and sockets; no other nodes.
    ///
    /// # Errors
    /// When a storage thread cannot be started.
    pub fn real(storage_threads: usize, flush_threads: usize) -> std::io::Result<Self> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            rng: Arc::new(OsRng),
            storage: Arc::new(RealStorage),
            executor: Arc::new(StorageThreads::start(storage_threads, flush_threads)?),
            net: Arc::new(TcpNet::default()),
            peers: Arc::new(Alone),
        })
    }

    /// The same world with a watch over the disk.
    #[must_use]
    pub fn watched(self, work: &FileWork) -> Self {
        Self {
            storage: Arc::new(WatchedStorage::new(self.storage, work)),
            executor: WatchedExecutor::over(self.executor, work),
            ..self
        }
    }
}
