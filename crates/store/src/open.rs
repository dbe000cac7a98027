//! From a folder to a running writer: make or open, replay the log, verify, raise the epoch.
//!
//! Must never open a folder it does not hold, and never take damage for emptiness.
//! Tests: `tests/guards.rs`, `tests/rebuild.rs`, `tests/damage.rs`, `tests/power.rs`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_engine::ports::store::StoreError;
use parking_lot::Mutex;

use crate::account::{Account, decode_own, own};
use crate::group::Group;
use crate::lock::{FolderLock, beside};
use crate::log::{self, Found, Log, Reach};
use crate::options::Options;
use crate::read::Reader;
use crate::writer::Writer;
use crate::{ballast, check, fault, rebuild, record, sled_folder, suspect};

/// Everything a writer needs, with the new epoch committed.
pub(crate) fn open(lock: &FolderLock, options: Options) -> Result<Writer, StoreError> {
    let folder = lock.folder().to_path_buf();
    let failed = |cause| fault::io(&folder, "open the commit log", cause);
    if is_empty(&folder).map_err(failed)? {
        create(&folder, &options)?;
    }
    ballast::release_if_tight(&options, &folder);
    let log_folder = folder.join("log");
    let found = log::read(&log_folder).map_err(|cause| fault::damaged(&folder, cause))?;
    let (reader, account) = match sound(&folder, &options, &found) {
        Ok(sound) => sound,
        Err(Unsound::Sled(why, damaged)) => {
            if !found.kept.is_whole(found.newest.first_sequence) {
                return Err(damaged);
            }
            // What stands in the way of the repair is said; what was wrong at first is in the log of warnings.
            rebuild::rebuild(&folder, &options, &found, &why)?;
            sound(&folder, &options, &found).map_err(Unsound::into_error)?
        }
        Err(Unsound::Other(error)) => return Err(error),
    };
    let mut db_file = options.io.open(&folder.join("sled/db")).map_err(failed)?;
    let log = if found.newest.rest().is_empty() {
        Log::resume(Arc::clone(&options.io), &log_folder, &found).map_err(failed)?
    } else {
        reader.guarded(|| reader.db.flush())?;
        db_file.sync().map_err(failed)?;
        Log::resume_torn(Arc::clone(&options.io), &log_folder, &found).map_err(failed)?
    };
    suspect::clear(&*options.io, &folder).map_err(failed)?;
    for obsolete in &found.obsolete {
        options.io.remove_file(obsolete).map_err(failed)?;
    }
    ballast::take(&options, &folder);
    let poison = Arc::new(Mutex::new(None));
    let mut writer = Writer {
        reader,
        log,
        options,
        db_file,
        poison,
        account,
        frame: Vec::new(),
        making: None,
        last_sync: Duration::ZERO,
    };
    writer.account.epoch += 1;
    writer.commit(Group::default())?;
    Ok(writer)
}

/// Why sled cannot be used as it is.
enum Unsound {
    /// Its files are at fault, for this reason; the log can do without them.
    Sled(String, StoreError),
    Other(StoreError),
}

impl Unsound {
    fn into_error(self) -> StoreError {
        let (Self::Sled(_, error) | Self::Other(error)) = self;
        error
    }
}

impl From<StoreError> for Unsound {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Damaged { what, .. } => Self::Sled(what.clone(), error),
            _ => Self::Other(error),
        }
    }
}

/// sled with everything that the log holds, verified as far as its size and what is known of it ask for.
fn sound(folder: &Path, options: &Options, found: &Found) -> Result<(Reader, Account), Unsound> {
    let sled_folder::Opened { db, suspicious } = sled_folder::open(folder, options.cache_bytes)?;
    let reader = Reader { db, folder: folder.to_path_buf() };
    match bring_up(&reader, options, found, suspicious) {
        Ok(account) => Ok((reader, account)),
        Err(why) => {
            let closed = sled_folder::close(reader.db, &folder.join("sled"));
            closed.map_err(|cause| Unsound::Other(fault::io(folder, "close sled", cause)))?;
            Err(why)
        }
    }
}

fn bring_up(reader: &Reader, options: &Options, found: &Found, suspicious: bool) -> Result<Account, Unsound> {
    let folder = &reader.folder;
    let known = reader.record(record::OWN_KEY)?;
    let (applied, account) = known
        .as_deref()
        .and_then(decode_own)
        .ok_or_else(|| fault::damaged(folder, "the store does not know what it reflects"))?;
    let (first, last) = (found.newest.first_sequence, found.newest.last_sequence);
    match found.reach(applied) {
        Reach::Fits => {}
        Reach::Behind => {
            let what = format!("the store reflects commit {applied}, but the commit log starts at {first}");
            return Err(fault::damaged(folder, what).into());
        }
        Reach::Ahead => {
            let what = format!("the commit log ends at {last}, but {applied} was applied: its end is missing");
            return Err(Unsound::Other(fault::damaged(folder, what)));
        }
    }
    let account = rebuild::replay(reader, &found.newest, account)?;
    if suspicious || suspect::is_marked(folder) || account.records <= options.verify_records_max {
        check::walk(reader, account, false)?;
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
    sled_folder::sync(&**io, &init.join("sled")).map_err(failed)?;
    drop(Log::start(Arc::clone(io), &init.join("log"), 1, log::Chain::default()).map_err(failed)?);
    for part in ["log", "blobs", ""] {
        io.sync_folder(&init.join(part)).map_err(failed)?;
    }
    io.rename(&init, folder).map_err(failed)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    io.sync_folder(parent).map_err(failed)?;
    options.point("created");
    Ok(())
}
