//! From a folder to a running writer: make or open, replay the log, verify, raise the epoch.
//!
//! Must never open a folder it does not hold, and never take damage for emptiness.
//! Tests: `tests/guards.rs`, `tests/damage.rs`, `tests/power.rs`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use flowdeck_engine::ports::store::StoreError;
use parking_lot::Mutex;

use crate::account::{Account, decode_own, own};
use crate::group::{self, Group};
use crate::lock::{FolderLock, beside};
use crate::log::{self, Log};
use crate::options::Options;
use crate::read::Reader;
use crate::writer::Writer;
use crate::{ballast, check, fault, record, sled_folder};

/// Everything a writer needs, with the new epoch committed.
pub(crate) fn open(lock: &FolderLock, options: Options) -> Result<Writer, StoreError> {
    let folder = lock.folder().to_path_buf();
    let failed = |cause| fault::io(&folder, "open the commit log", cause);
    if is_empty(&folder).map_err(failed)? {
        create(&folder, &options)?;
    }
    ballast::release_if_tight(&options, &folder);
    let sled_folder::Opened { db, suspicious } = sled_folder::open(&folder, options.cache_bytes)?;
    let reader = Reader { db, folder: folder.clone() };
    let known = reader.record(record::OWN_KEY)?;
    let (applied, account) = known
        .as_deref()
        .and_then(decode_own)
        .ok_or_else(|| fault::damaged(&folder, "the store does not know what it reflects"))?;
    let log_folder = folder.join("log");
    let found = log::read(&log_folder, applied).map_err(|cause| fault::damaged(&folder, cause))?;
    let account = replay(&reader, &found, account)?;
    if suspicious || account.records <= options.verify_records_max {
        check::walk(&reader, account, false)?;
    }
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
    ballast::take(&options, &folder);
    let poison = Arc::new(Mutex::new(None));
    let mut writer = Writer { reader, log, options, db_file, poison, account, frame: Vec::new() };
    writer.account.epoch += 1;
    writer.commit(Group::default())?;
    Ok(writer)
}

/// Applies all that the log holds, also what sled reflects already: a batch that sled lost in part is whole again.
fn replay(reader: &Reader, found: &log::Found, mut account: Account) -> Result<Account, StoreError> {
    for (sequence, payload) in found.frames() {
        let (newer, mut batch) =
            group::decode(payload).ok_or_else(|| fault::damaged(&reader.folder, "a logged commit is not readable"))?;
        batch.insert(record::OWN_KEY, own(sequence, newer));
        reader.guarded(|| reader.db.apply_batch(batch))?;
        account = newer;
    }
    Ok(account)
}

/// Whether there is no folder, or one without anything in it, which a person may have made.
fn is_empty(folder: &Path) -> std::io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(cause),
    }
}

/// An unsynced tail is cut by going on in a new segment; with no whole frame the same name is written again.
fn torn(options: &Options, folder: &Path, found: &log::Found) -> std::io::Result<Log> {
    let log = Log::start(Arc::clone(&options.io), folder, found.last_sequence + 1, found.chain)?;
    if found.last_sequence >= found.first_sequence {
        options.io.remove_file(&log::segment_path(folder, found.first_sequence))?;
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
    let reader = Reader { db: sled_folder::open(&init, options.cache_bytes)?.db, folder: init.clone() };
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
