//! The segments of a process that have a file open or indexes in memory without being written to:
//! how many may, and which give way.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::segment::Segment;

/// The bounds, and who is counted. A segment that was used since it was last looked at gets a
/// second chance.
#[derive(Debug)]
pub(crate) struct OpenSegments {
    files_max: usize,
    index_bytes_max: usize,
    queue: Mutex<VecDeque<Weak<Segment>>>,
}

impl OpenSegments {
    pub(crate) fn new(files_max: usize, index_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { files_max, index_bytes_max, queue: Mutex::new(VecDeque::new()) })
    }

    /// Counts a segment that has just opened its file or loaded its indexes, and closes others
    /// until the bounds hold again.
    pub(crate) fn admit(&self, segment: &Arc<Segment>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !segment.queued.swap(true, Ordering::Relaxed) {
            queue.push_back(Arc::downgrade(segment));
        }
        queue.retain(|segment| segment.strong_count() > 0);
        let mut index_bytes: usize =
            queue.iter().filter_map(Weak::upgrade).map(|segment| segment.index_bytes()).sum();
        // everybody may be passed over once
        let mut looks = 2 * queue.len();
        while looks > 0 && (queue.len() > self.files_max || index_bytes > self.index_bytes_max) {
            looks -= 1;
            let Some(segment) = queue.pop_front().as_ref().and_then(Weak::upgrade) else {
                continue;
            };
            if segment.recently_used.swap(false, Ordering::Relaxed) {
                queue.push_back(Arc::downgrade(&segment));
                continue;
            }
            segment.queued.store(false, Ordering::Relaxed);
            index_bytes = index_bytes.saturating_sub(segment.index_bytes());
            segment.close();
        }
    }
}
