//! The bound on bytes that requests hold. Mailboxes are unbounded, so whoever lets a request in
//! holds the bound: a session takes a permit for a frame before it reads its body, the permit
//! travels inside the messages that carry the bytes, and ends when the bytes have reached the file.
//! A session without a permit stops reading its socket, and the client's own window does the rest.
//!
//! Small requests draw on a reserve of their own, so that heartbeats and metadata pass while the
//! large ones wait.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests up to this many bytes draw on the reserve.
pub const SMALL_REQUEST_BYTES_MAX: usize = 16 * 1024;

/// A share of the memory, given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct RequestPermit {
    _share: Arc<OwnedSemaphorePermit>,
}

/// The memory that requests may hold at one time, over all connections.
#[derive(Debug)]
pub struct RequestMemory {
    large: Arc<Semaphore>,
    large_bytes: usize,
    small: Arc<Semaphore>,
}

impl RequestMemory {
    /// A bound of `bytes` for large requests; the reserve for small ones is an eighth of it, and at
    /// least one such request. A single request larger than the bound takes all of it.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let large_bytes = bytes.clamp(1, u32::MAX as usize);
        let small_bytes = (large_bytes / 8).max(SMALL_REQUEST_BYTES_MAX);
        Self {
            large: Arc::new(Semaphore::new(large_bytes)),
            large_bytes,
            small: Arc::new(Semaphore::new(small_bytes)),
        }
    }

    /// Takes `bytes` if they are free now.
    #[must_use]
    pub fn try_acquire(&self, bytes: usize) -> Option<RequestPermit> {
        let (semaphore, bytes) = self.share(bytes);
        let share = Arc::clone(semaphore).try_acquire_many_owned(bytes).ok()?;
        Some(RequestPermit { _share: Arc::new(share) })
    }

    /// Waits until `bytes` are free and takes them. First come, first served.
    pub async fn acquire(&self, bytes: usize) -> RequestPermit {
        let (semaphore, bytes) = self.share(bytes);
        let share = Arc::clone(semaphore)
            .acquire_many_owned(bytes)
            .await
            .expect("the semaphore is never closed");
        RequestPermit { _share: Arc::new(share) }
    }

    /// Bytes of large requests held now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.large_bytes - self.large.available_permits()
    }

    fn share(&self, bytes: usize) -> (&Arc<Semaphore>, u32) {
        let semaphore = if bytes <= SMALL_REQUEST_BYTES_MAX { &self.small } else { &self.large };
        let bounded = bytes.clamp(1, self.large_bytes.max(SMALL_REQUEST_BYTES_MAX));
        (semaphore, u32::try_from(bounded).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_requests_pass_while_large_ones_hold_everything() {
        let memory = RequestMemory::new(1 << 20);
        let large = memory.try_acquire(2 << 20).expect("the whole bound is free");
        assert!(memory.try_acquire(SMALL_REQUEST_BYTES_MAX + 1).is_none());
        assert!(memory.try_acquire(100).is_some());
        drop(large);
        assert_eq!(memory.held_bytes(), 0);
        assert!(memory.try_acquire(SMALL_REQUEST_BYTES_MAX + 1).is_some());
    }

    #[test]
    fn a_permit_ends_with_its_last_clone() {
        let memory = RequestMemory::new(1 << 20);
        let first = memory.try_acquire(1 << 20).expect("free");
        let second = first.clone();
        drop(first);
        assert_eq!(memory.held_bytes(), 1 << 20);
        drop(second);
        assert_eq!(memory.held_bytes(), 0);
    }
}
