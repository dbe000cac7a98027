//! The durable store as its users hold it: answers the port from sled, hands changes to the writer.
//!
//! Must never answer after a failure that may have lost something. Tests: `tests/contract.rs`, `tests/guards.rs`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use flowdeck_engine::ports::store::{Delta, KeyValue, Scan, Space, Store, StoreError};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::account::decode_own;
use crate::blobs::Swept;
use crate::check::{self, CheckReport};
use crate::io::Io;
use crate::limits::{check_delta, stored_key};
use crate::lock::{FolderLock, try_lock};
use crate::options::Options;
use crate::queue::{Answer, Closed, Ending, Queue, Request};
use crate::read::Reader;
use crate::writer::Poison;
use crate::{copy, fault, open, record, suspect};

/// Sizes of a store on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Sequence of the last group of commits.
    pub sequence: u64,
    /// Records in sled, chunks of split values included.
    pub records: u64,
    /// Bytes of the commit log.
    pub log_bytes: u64,
    /// Bytes of sled's files.
    pub sled_bytes: u64,
    /// Bytes of the files of large values.
    pub blob_bytes: u64,
}

/// The store on disk: a commit log that is synced, and sled for reading.
pub struct SledStore {
    reader: Reader,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    poison: Poison,
    io: Arc<dyn Io>,
    epoch: u64,
    lock: FolderLock,
    /// Where this is only a copy; it goes last.
    copy: Option<TempDir>,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("folder", &self.lock.folder()).field("epoch", &self.epoch).finish()
    }
}

impl SledStore {
    /// Takes the folder's lock and opens it, or makes a new store there.
    ///
    /// # Errors
    /// [`StoreError::Held`], [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        Self::open_locked(try_lock(folder.as_ref())?, options)
    }

    /// Opens the folder of a lock that is already held.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_locked(lock: FolderLock, options: Options) -> Result<Self, StoreError> {
        let (places, io) = (options.queue_commits, Arc::clone(&options.io));
        let writer = open::open(&lock, options)?;
        let (reader, poison, epoch) = (writer.reader.clone(), Arc::clone(&writer.poison), writer.account.epoch);
        let queue = Arc::new(Queue::new(places));
        let ending = Ending(Arc::clone(&queue));
        let thread = std::thread::Builder::new().name("flowdeck-store".to_owned());
        let writer = thread
            .spawn(move || {
                let ending = ending;
                writer.run(&ending.0);
            })
            .map_err(|cause| fault::io(lock.folder(), "start the writer", cause))?;
        Ok(Self { reader, queue, writer: Some(writer), poison, io, epoch, lock, copy: None })
    }

    /// Opens for looking: the folder itself where it can be written, else a private copy of it.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn look(folder: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        if copy::is_writable(folder) { Self::open(folder, options) } else { Self::open_copy(folder, options) }
    }

    /// Opens a private copy, which takes neither the folder's lock nor a byte of it and is gone when this is dropped.
    ///
    /// # Errors
    /// [`StoreError::Held`] while another process holds the folder; as [`SledStore::open`].
    pub fn open_copy(folder: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        let (place, copied) = copy::copy(folder)?;
        let options = Options { ballast_bytes: 0, free_bytes_min: 0, ..options };
        match Self::open(copied, options) {
            Ok(mut store) => {
                store.copy = Some(place);
                Ok(store)
            }
            Err(StoreError::Damaged { what, remedy, .. }) => {
                Err(StoreError::Damaged { folder: folder.display().to_string(), what, remedy })
            }
            Err(error) => Err(error),
        }
    }

    /// Reads everything, also the files of large values. Reads go on meanwhile, commits wait.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] naming the first thing that is not whole.
    pub async fn check(&self) -> Result<CheckReport, StoreError> {
        self.ask(Request::Check).await
    }

    /// Removes files of large values that no record names and that are older than an hour. It runs by itself once an
    /// hour, when the store is idle or closed.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`], [`StoreError::Poisoned`].
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.ask(Request::Sweep).await
    }

    /// Sizes on disk, for metrics.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let size = |part: &str| {
            check::folder_bytes(&self.lock.folder().join(part))
                .map_err(|cause| fault::io(self.lock.folder(), "measure the store", cause))
        };
        let known = self.reader.record(record::OWN_KEY)?;
        let (sequence, account) = known.as_deref().and_then(decode_own).unwrap_or_default();
        Ok(Stats {
            sequence,
            records: account.records,
            log_bytes: size("log")?,
            sled_bytes: size("sled")?,
            blob_bytes: size("blobs")?,
        })
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        self.sound()?;
        let (answer, outcome) = oneshot::channel();
        self.queue.push(question(answer)).map_err(|Closed| self.stopped())?;
        outcome.await.map_err(|_| self.stopped())?
    }

    /// The writer is gone; its own words tell why, if it had any.
    fn stopped(&self) -> StoreError {
        self.sound().err().unwrap_or_else(|| fault::poisoned(self.lock.folder(), "the writer ended"))
    }

    /// A read needs no space: without it sled has met its end, and answers nothing more until it is opened again.
    fn read_failed(&self, error: StoreError) -> StoreError {
        suspect::note(&*self.io, self.lock.folder(), &error);
        if !matches!(error, StoreError::Full { .. }) {
            return error;
        }
        let mut poison = self.poison.lock();
        let what = poison.get_or_insert_with(|| "sled found no space for what it had taken".to_owned());
        fault::poisoned(self.lock.folder(), what)
    }

    fn sound(&self) -> Result<(), StoreError> {
        self.poison.lock().as_ref().map_or(Ok(()), |what| Err(fault::poisoned(self.lock.folder(), what)))
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.queue.close();
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer panicked");
        }
    }
}

#[async_trait]
impl Store for SledStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        check_delta(&delta)?;
        self.sound()?;
        if delta.epoch != self.epoch {
            return Err(StoreError::Fenced { seen: delta.epoch, current: self.epoch });
        }
        if delta.is_empty() {
            return Ok(());
        }
        let (answer, outcome) = oneshot::channel();
        self.queue.commit(delta, answer).await.map_err(|Closed| self.stopped())?;
        outcome.await.map_err(|_| self.stopped())?
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.sound()?;
        self.reader.value(&stored_key(space, key)).map_err(|error| self.read_failed(error))
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.sound()?;
        self.reader.scan(&scan).map_err(|error| self.read_failed(error))
    }
}
