//! What the owner of a log and its readers share.
//!
//! The owner publishes in this order: bytes, index, end of the segment, log end offset; a new
//! segment before anything is appended to it. A reader goes the other way. Truncation makes the
//! generation odd before it changes anything and even again afterwards, so a read that saw the
//! same even number before and after saw no truncation.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::{LeaderEpoch, Offset};

use crate::leader_epochs::LeaderEpochs;
use crate::segment::Segment;
use crate::{LogResources, ReadError};

/// Places remembered: as many as readers at different offsets that make progress at a time.
const PLACES: usize = 16;

/// The segments of a log in the order of their offsets; never empty.
pub(crate) type Segments = Arc<Vec<Arc<Segment>>>;

/// The shared part of a log.
#[derive(Debug)]
pub(crate) struct SharedLog {
    pub(crate) directory: Arc<Path>,
    pub(crate) resources: LogResources,
    segments: RwLock<Segments>,
    log_start_offset: AtomicI64,
    log_end_offset: AtomicI64,
    /// Odd while a truncation is under way.
    generation: AtomicU64,
    closed: AtomicBool,
    epochs: RwLock<LeaderEpochs>,
    places: Mutex<[Option<Place>; PLACES]>,
    next_place: AtomicU64,
}

/// Where the batch that begins at an offset lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: Offset,
    /// The segment, by its base offset.
    pub(crate) segment: Offset,
    /// In bytes.
    pub(crate) position: u64,
}

impl SharedLog {
    pub(crate) fn new(
        directory: Arc<Path>,
        resources: LogResources,
        segments: Vec<Arc<Segment>>,
        epochs: LeaderEpochs,
    ) -> Self {
        Self {
            directory,
            resources,
            segments: RwLock::new(Arc::new(segments)),
            log_start_offset: AtomicI64::new(0),
            log_end_offset: AtomicI64::new(0),
            generation: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            epochs: RwLock::new(epochs),
            places: Mutex::default(),
            next_place: AtomicU64::new(0),
        }
    }

    pub(crate) fn segments(&self) -> Segments {
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_segments(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(segments);
    }

    pub(crate) fn log_start_offset(&self) -> Offset {
        Offset::new(self.log_start_offset.load(Ordering::Acquire))
    }

    pub(crate) fn set_log_start_offset(&self, offset: Offset) {
        self.log_start_offset.store(offset.value(), Ordering::Release);
    }

    pub(crate) fn log_end_offset(&self) -> Offset {
        Offset::new(self.log_end_offset.load(Ordering::Acquire))
    }

    pub(crate) fn set_log_end_offset(&self, offset: Offset) {
        self.log_end_offset.store(offset.value(), Ordering::Release);
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The generation to begin a read in.
    pub(crate) fn begin_read(&self) -> Result<u64, ReadError> {
        let generation = self.generation();
        if self.closed.load(Ordering::Acquire) {
            return Err(ReadError::Closed);
        }
        if generation % 2 == 1 { Err(ReadError::Truncated) } else { Ok(generation) }
    }

    /// Whether what was read since `generation` is good.
    pub(crate) fn end_read(&self, generation: u64) -> Result<(), ReadError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(ReadError::Closed);
        }
        if self.generation() == generation { Ok(()) } else { Err(ReadError::Truncated) }
    }

    pub(crate) fn begin_truncation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn end_truncation(&self) {
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = [None; PLACES];
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends all reading for ever: the owner is gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The place of the batch that begins at `offset`, if it is remembered.
    pub(crate) fn place_of(&self, offset: Offset) -> Option<Place> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().flatten().find(|place| place.offset == offset).copied()
    }

    /// Remembers where a batch begins, or the next one will. `generation` is the one in which that
    /// was found out; an older one is worth nothing.
    pub(crate) fn remember_place(&self, place: Place, generation: u64) {
        let next = self.next_place.fetch_add(1, Ordering::Relaxed);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let known = places.iter().position(|known| known.is_some_and(|k| k.offset == place.offset));
        let slot = known.unwrap_or(usize::try_from(next).unwrap_or(0) % PLACES);
        // under the lock: a truncation clears the places before it ends
        if self.generation() == generation {
            places[slot] = Some(place);
        }
    }

    /// Asks the leader epochs something.
    pub(crate) fn with_epochs<T>(&self, ask: impl FnOnce(&LeaderEpochs) -> T) -> T {
        ask(&self.epochs.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_epochs(&self, epochs: LeaderEpochs) {
        *self.epochs.write().unwrap_or_else(PoisonError::into_inner) = epochs;
    }

    pub(crate) fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let log_end_offset = self.log_end_offset();
        self.with_epochs(|epochs| epochs.end_offset_for(epoch, log_end_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealStorage;

    fn shared() -> SharedLog {
        let resources = LogResources::new(Arc::new(RealStorage));
        SharedLog::new(Arc::from(Path::new("log")), resources, vec![], LeaderEpochs::default())
    }

    #[test]
    fn no_read_begins_or_ends_well_during_a_truncation() {
        let shared = shared();
        let before = shared.begin_read().unwrap();
        shared.begin_truncation();
        assert!(matches!(shared.begin_read(), Err(ReadError::Truncated)));
        assert!(matches!(shared.end_read(before), Err(ReadError::Truncated)));
        shared.end_truncation();
        assert!(matches!(shared.end_read(before), Err(ReadError::Truncated)));
        let after = shared.begin_read().unwrap();
        assert!(shared.end_read(after).is_ok());
        shared.close();
        assert!(matches!(shared.end_read(after), Err(ReadError::Closed)));
    }

    #[test]
    fn a_place_found_before_a_truncation_is_not_remembered_after_it() {
        let shared = shared();
        let place =
            |offset| Place { offset: Offset::new(offset), segment: Offset::ZERO, position: 7 };
        let before = shared.generation();
        shared.remember_place(place(1), before);
        assert_eq!(shared.place_of(Offset::new(1)), Some(place(1)));
        shared.begin_truncation();
        shared.remember_place(place(2), before);
        shared.end_truncation();
        shared.remember_place(place(3), before);
        for offset in 1..=3 {
            assert_eq!(shared.place_of(Offset::new(offset)), None);
        }
    }
}
