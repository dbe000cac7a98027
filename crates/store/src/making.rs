//! Makes a base on a thread of its own, while the writer goes on.
//!
//! Must never outlive the writer: its handle of sled would keep the store open. Tests: `tests/rebuild.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use flowdeck_engine::ports::store::StoreError;

use crate::base::{self, From};
use crate::log::{Log, Piece};
use crate::options::Options;
use crate::read::Reader;

type Outcome = Result<Option<Piece>, StoreError>;

/// A base that is being made.
#[derive(Debug)]
pub(crate) struct Making {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Outcome>>,
}

impl Making {
    /// At a checkpoint: `from` is the end of the log.
    pub(crate) fn start(reader: &Reader, options: &Options, log: &Log, from: From) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (reader, io, folder) = (reader.clone(), Arc::clone(&options.io), log.folder().to_path_buf());
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("flowdeck-store-base".to_owned());
        let thread = thread.spawn(move || base::write(&*io, &reader, &folder, from, &told))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(crate) fn join(mut self) -> Outcome {
        // A panic of sled is an error already; nothing else there panics.
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or(Ok(None))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a base of the store was not made: its thread panicked");
        }
    }
}
