//! The durable store: opens a data folder, recovers what the log holds, and answers the port.
//!
//! Must never open a folder it does not hold, and never take damage for emptiness. Tests: `tests/`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use flowdeck_engine::ports::store::{Delta, KeyValue, Scan, Space, Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::account::{Account, decode_own, own};
use crate::check::{self, CheckReport};
use crate::fault;
use crate::limits::{check_delta, scan_bounds, stored_key};
use crate::lock::{FolderLock, beside, try_lock};
use crate::log::{self, Log};
use crate::options::Options;
use crate::read::Reader;
use crate::record;
use crate::writer::{self, Poison, Request, Writer};

const CLOSING_TRIES_MAX: u32 = 1000;
const CLOSING_PAUSE: Duration = Duration::from_millis(5);

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
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    poison: Poison,
    epoch: u64,
    lock: FolderLock,
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
        let folder = lock.folder().to_path_buf();
        if !folder.exists() {
            create(&folder, &options)?;
        }
        let (db, suspicious) = open_sled(&folder, options.cache_bytes)?;
        let reader = Reader { db, folder: folder.clone() };
        let known = reader.record(record::OWN_KEY)?;
        let (applied, mut account) = known
            .as_deref()
            .and_then(decode_own)
            .ok_or_else(|| fault::damaged(&folder, "the store does not know what it reflects"))?;
        let log_folder = folder.join("log");
        let found = log::read(&log_folder, applied).map_err(|cause| fault::damaged(&folder, cause))?;
        // All that the log holds, also what sled reflects already: a batch that sled lost in part is whole again.
        for (sequence, payload) in found.frames() {
            let (newer, mut batch) =
                writer::decode(payload).ok_or_else(|| fault::damaged(&folder, "a logged commit is not readable"))?;
            batch.insert(record::OWN_KEY, own(sequence, newer));
            reader.guarded(|| reader.db.apply_batch(batch))?;
            account = newer;
        }
        if suspicious || account.records <= options.verify_records_max {
            check::walk(&reader, account, false)?;
        }
        let failed = |cause| fault::io(&folder, "open the commit log", cause);
        let mut db_file = options.io.open(&folder.join("sled/db")).map_err(failed)?;
        let log = if found.torn_bytes == 0 {
            Log::resume(Arc::clone(&options.io), &log_folder, &found).map_err(failed)?
        } else {
            // The torn tail stays behind in a segment that the new one makes superfluous.
            reader.guarded(|| reader.db.flush())?;
            db_file.sync().map_err(failed)?;
            torn(&options, &log_folder, &found).map_err(failed)?
        };
        for obsolete in &found.obsolete {
            options.io.remove_file(obsolete).map_err(failed)?;
        }
        let poison: Poison = Arc::new(Mutex::new(None));
        let (queue, commits) = mpsc::channel(options.queue_commits.max(1));
        account.epoch += 1;
        let epoch = account.epoch;
        let poisoned = Arc::clone(&poison);
        let mut writer =
            Writer { reader: reader.clone(), log, options, db_file, poison: poisoned, account, frame: Vec::new() };
        writer.commit(std::collections::HashMap::new())?;
        let thread = std::thread::Builder::new().name("flowdeck-store".to_owned());
        let writer = thread.spawn(move || writer.run(commits)).map_err(|cause| fault::io(&folder, "start", cause))?;
        Ok(Self { reader, queue: Some(queue), writer: Some(writer), poison, epoch, lock })
    }

    /// Reads everything, also the files of large values. Reads go on meanwhile, commits wait.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] naming the first thing that is not whole.
    pub async fn check(&self) -> Result<CheckReport, StoreError> {
        self.sound()?;
        let stopped = || fault::poisoned(self.lock.folder(), "the writer ended");
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Request::Check(answer)).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
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

    fn sound(&self) -> Result<(), StoreError> {
        self.poison.lock().as_ref().map_or(Ok(()), |what| Err(fault::poisoned(self.lock.folder(), what)))
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.queue = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the store's writer panicked");
        }
    }
}

/// An unsynced tail is cut by going on in a new segment; with no whole frame the same name is written again.
fn torn(options: &Options, folder: &Path, found: &log::Found) -> std::io::Result<Log> {
    let log = Log::start(Arc::clone(&options.io), folder, found.last_sequence + 1, found.chain)?;
    if found.last_sequence >= found.first_sequence {
        options.io.remove_file(&folder.join(format!("{:020}.log", found.first_sequence)))?;
    }
    Ok(log)
}

/// Makes a new store under another name, so that a kill half-way leaves nothing that looks like one.
fn create(folder: &Path, options: &Options) -> Result<(), StoreError> {
    let failed = |cause| fault::io(folder, "make the store", cause);
    let (init, io) = (beside(folder, ".init"), &options.io);
    if init.exists() {
        fs::remove_dir_all(&init).map_err(failed)?;
    }
    for part in ["sled", "log", "blobs"] {
        io.create_folder(&init.join(part)).map_err(failed)?;
    }
    let (db, _) = open_sled(&init, options.cache_bytes)?;
    let reader = Reader { db, folder: init.clone() };
    reader.guarded(|| reader.db.insert(record::OWN_KEY, own(0, Account::default())))?;
    reader.guarded(|| reader.db.flush())?;
    drop(reader);
    for entry in fs::read_dir(init.join("sled")).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            io.open(&path).and_then(|mut file| file.sync()).map_err(failed)?;
        }
    }
    drop(Log::start(Arc::clone(io), &init.join("log"), 1, log::Chain::default()).map_err(failed)?);
    for part in ["sled", "log", "blobs", ""] {
        io.sync_folder(&init.join(part)).map_err(failed)?;
    }
    io.rename(&init, folder).map_err(failed)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    io.sync_folder(parent).map_err(failed)?;
    options.point("created");
    Ok(())
}

/// Opens sled where its panics can be caught, and says whether anything was wrong with it. A half-written snapshot would make it unopenable for ever.
fn open_sled(folder: &Path, cache_bytes: u64) -> Result<(sled::Db, bool), StoreError> {
    let path: PathBuf = folder.join("sled");
    let failed = |cause| fault::io(folder, "open sled", cause);
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") && name.to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    match attempt(folder, &path, cache_bytes) {
        Err(StoreError::Damaged { what, .. }) if has_snapshot(&path).map_err(failed)? => {
            // A snapshot is derived from sled's own log; the copy keeps everything as it was found.
            let aside = copy_aside(folder, &path).map_err(failed)?;
            tracing::warn!(folder = %folder.display(), aside = %aside.display(), what, "opening without snapshots");
            for snapshot in snapshots(&path).map_err(failed)? {
                fs::remove_file(snapshot).map_err(failed)?;
            }
            attempt(folder, &path, cache_bytes).map(|db| (db, true))
        }
        outcome => outcome.map(|db| (db, false)),
    }
}

/// Opens sled on a thread of its own. A handle of this process that was dropped just now may still be closing;
/// another process cannot have it, for we hold the folder's lock.
fn attempt(folder: &Path, path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let failed = |cause| fault::io(folder, "open sled", cause);
    for _ in 0..CLOSING_TRIES_MAX {
        let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(Some(500));
        let opening = std::thread::Builder::new().name("flowdeck-store-open".to_owned()).spawn(move || config.open());
        match opening.map_err(failed)?.join() {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(sled::Error::Io(cause))) if cause.to_string().contains("acquire lock") => {
                std::thread::sleep(CLOSING_PAUSE);
            }
            Ok(Err(sled::Error::Io(cause))) => return Err(failed(cause)),
            Ok(Err(cause)) => return Err(fault::damaged(folder, format!("sled does not open: {cause}"))),
            Err(_) => return Err(fault::damaged(folder, "sled panicked while it opened")),
        }
    }
    Err(fault::io(folder, "open sled", "its last handle does not close"))
}

fn snapshots(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn has_snapshot(path: &Path) -> std::io::Result<bool> {
    Ok(!snapshots(path)?.is_empty())
}

fn copy_aside(folder: &Path, path: &Path) -> std::io::Result<PathBuf> {
    let mut number = 1;
    let aside = loop {
        let aside = beside(folder, &format!(".damaged.{number}"));
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    fs::create_dir(&aside)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.path().is_file() {
            fs::copy(entry.path(), aside.join(entry.file_name()))?;
        }
    }
    Ok(aside)
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
        let stopped = || fault::poisoned(self.lock.folder(), "the writer ended");
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Request::Commit(delta, answer)).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.sound()?;
        self.reader.value(&stored_key(space, key))
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.sound()?;
        let Some(bounds) = scan_bounds(&scan) else { return Ok(Vec::new()) };
        let mut range = self.reader.guarded(|| Ok(self.reader.db.range(bounds)))?;
        let mut pairs = Vec::new();
        while pairs.len() < scan.limit {
            let next = if scan.reverse { range.next_back() } else { range.next() };
            let Some(next) = next else { break };
            let (key, found) = self.reader.guarded(|| next)?;
            let value = if scan.keys_only { Some(Vec::new()) } else { self.reader.resolve(&key, found)? };
            pairs.extend(value.map(|value| (key[1..].to_vec(), value)));
        }
        Ok(pairs)
    }
}
