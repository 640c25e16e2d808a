//! Bounds the bytes that were given to a session and are not in its socket yet: a heartbeat waits
//! behind them, so there must not be more of them than the line carries in a fraction of the time
//! after which a peer counts as silent.
//!
//! Whoever sends a long message takes its length first. The writer sees each frame leave, and gives
//! back the longest message that fits into it: frames are a little longer than what they carry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Two megabytes: 17 ms of a gigabit.
const IN_FLIGHT_BYTES_MAX: usize = 2 << 20;
/// Shorter messages are not counted.
pub(crate) const SHORT_BYTES: usize = 16 * 1024;
/// A message that has not left by then was dropped on its way, as an answer is for which nobody
/// waits any more: a session that stands still so long is ended.
const LOST_AFTER: Duration = Duration::from_secs(4);

/// See the head of this file.
pub(crate) struct BytesInFlight {
    room: Arc<Semaphore>,
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    length: usize,
    since: Instant,
    _room: OwnedSemaphorePermit,
}

impl Default for BytesInFlight {
    fn default() -> Self {
        let room = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX));
        Self { room, waiting: Mutex::default() }
    }
}

impl BytesInFlight {
    /// Waits until a message of `length` bytes may be given to the session.
    pub async fn admit(&self, length: usize) {
        if length < SHORT_BYTES {
            return;
        }
        self.drop_lost();
        let bytes = u32::try_from(length.min(IN_FLIGHT_BYTES_MAX)).unwrap_or(u32::MAX);
        // never closed
        if let Ok(room) = Arc::clone(&self.room).acquire_many_owned(bytes).await {
            let waiting = Waiting { length, since: Instant::now(), _room: room };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        }
    }

    /// A frame has left.
    pub fn on_left(&self, frame_bytes: u64) {
        let frame_bytes = usize::try_from(frame_bytes).unwrap_or(usize::MAX);
        if frame_bytes < SHORT_BYTES {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = waiting.iter().enumerate().filter(|(_, one)| one.length <= frame_bytes);
        if let Some((place, _)) = fits.max_by_key(|(_, one)| one.length) {
            waiting.swap_remove(place);
        }
    }

    /// Bytes in flight now.
    pub fn bytes(&self) -> usize {
        IN_FLIGHT_BYTES_MAX.saturating_sub(self.room.available_permits())
    }

    fn drop_lost(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.since.elapsed() < LOST_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn a_third_megabyte_waits_until_one_has_left_and_a_short_message_never() {
        let in_flight = BytesInFlight::default();
        in_flight.admit(MEGABYTE).await;
        in_flight.admit(MEGABYTE).await;
        in_flight.admit(SHORT_BYTES - 1).await;
        let moment = Duration::from_millis(1);
        assert!(tokio::time::timeout(moment, in_flight.admit(MEGABYTE)).await.is_err());
        in_flight.on_left(100);
        assert!(tokio::time::timeout(moment, in_flight.admit(MEGABYTE)).await.is_err());
        in_flight.on_left(1_048_600);
        assert!(tokio::time::timeout(moment, in_flight.admit(MEGABYTE)).await.is_ok());
        assert_eq!(in_flight.bytes(), 2 * MEGABYTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_was_dropped_on_its_way_does_not_take_room_for_ever() {
        let in_flight = BytesInFlight::default();
        in_flight.admit(4 * MEGABYTE).await;
        tokio::time::advance(LOST_AFTER).await;
        in_flight.admit(MEGABYTE).await;
        assert_eq!(in_flight.bytes(), MEGABYTE);
    }
}
