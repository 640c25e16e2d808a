//! What the logs of one process share.

use std::sync::Arc;

use crate::Storage;
use crate::open_segments::OpenSegments;
use crate::read_buffers::ReadBuffers;

/// The disk, and bounds over all logs on it; cheap to clone. Segments that are being appended to
/// are not counted: whoever owns the logs makes idle ones dormant.
#[derive(Clone, Debug)]
pub struct LogResources {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) open_segments: Arc<OpenSegments>,
    pub(crate) read_buffers: Arc<ReadBuffers>,
}

impl LogResources {
    /// Resources with the default bounds: 1,024 open files of segments that are not written to,
    /// 64 MiB of their indexes, 64 MiB of read buffers kept for the next reads.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self::with_bounds(storage, 1024, 64 << 20, 64 << 20)
    }

    /// Resources with bounds of one's own, in the order of [`LogResources::new`].
    #[must_use]
    pub fn with_bounds(
        storage: Arc<dyn Storage>,
        open_files_max: usize,
        index_bytes_max: usize,
        read_buffer_bytes_max: usize,
    ) -> Self {
        Self {
            storage,
            open_segments: OpenSegments::new(open_files_max, index_bytes_max),
            read_buffers: ReadBuffers::new(read_buffer_bytes_max),
        }
    }

    /// The disk.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }
}
