//! How a durable store is opened: sizes, limits, and the hooks tests hang on.
//!
//! Must never read the environment; the edge that knows the settings fills it in.

use std::sync::Arc;
use std::time::Duration;

use crate::io::{Io, SystemIo};

/// Options of [`crate::SledStore::open`]. The defaults suit a laptop and a small server.
#[derive(Debug, Clone)]
pub struct Options {
    /// sled's page cache. Real memory use is a multiple of it.
    pub cache_bytes: u64,
    /// The log is checkpointed, and starts a new segment, when it has grown by this much.
    pub segment_bytes: u64,
    /// The log is also checkpointed when nothing was committed for this long.
    pub checkpoint_after: Duration,
    /// Commits that may wait for the writer, each 16 KiB counted as one; more wait for a place.
    pub queue_commits: usize,
    /// A file of this size is kept so that a store on a full disk can still be opened. Zero: none.
    pub ballast_bytes: u64,
    /// Below this much free space commits are refused as `Full`.
    pub free_bytes_min: u64,
    /// A store of at most this many records is read whole at every open; a larger one only on suspicion.
    pub verify_records_max: u64,
    /// The file operations.
    pub io: Arc<dyn Io>,
    /// Called at `created`, `log-written`, `log-synced`, `applied` and `checkpoint`, on the writer's thread.
    pub points: Option<fn(&'static str)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            segment_bytes: 16 << 20,
            checkpoint_after: Duration::from_secs(60),
            queue_commits: 4096,
            ballast_bytes: 32 << 20,
            free_bytes_min: 64 << 20,
            verify_records_max: 50_000,
            io: Arc::new(SystemIo),
            points: None,
        }
    }
}

impl Options {
    pub(crate) fn point(&self, name: &'static str) {
        if let Some(reached) = self.points {
            reached(name);
        }
    }
}
