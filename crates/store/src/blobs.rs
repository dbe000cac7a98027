//! Files of large values, named by the hash of their content.
//!
//! Must never remove a file that a record names, nor one younger than [`SWEEP_AGE`]; a file is durable under its
//! name before a commit may name it. Tests: `tests/guards.rs`, `tests/sweep.rs`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowdeck_engine::ports::store::StoreError;

use crate::fault;
use crate::io::Io;
use crate::read::Reader;
use crate::record;

/// A file that no record names is kept this long, and sweeps are this far apart.
pub(crate) const SWEEP_AGE: Duration = Duration::from_secs(60 * 60);
const UNFINISHED: &str = "unfinished";
/// Its age says when the folder was swept last.
const SWEPT: &str = "swept";

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Files of large values that no record named.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

pub(crate) fn path(folder: &Path, hash: &[u8; 32]) -> PathBuf {
    let name = hex::encode(hash);
    folder.join("blobs").join(&name[..2]).join(name)
}

/// Writes, syncs and names one value. The first part may run out of space; a failure of the second must stop the store.
pub(crate) fn write(io: &dyn Io, folder: &Path, value: &[u8]) -> Result<(), WriteFault> {
    let path = path(folder, &record::hash(value));
    let above = folder.join("blobs");
    let unfinished = above.join(UNFINISHED);
    let Some(own) = path.parent() else { return Err(WriteFault::Write(io::ErrorKind::InvalidInput.into())) };
    let written = (|| {
        if !own.exists() {
            io.create_folder(own)?;
            io.sync_folder(&above)?;
        }
        let mut file = io.create(&unfinished)?;
        file.write_at(0, value)?;
        Ok(file)
    })();
    let mut file = written.map_err(WriteFault::Write)?;
    file.sync()
        .and_then(|()| io.rename(&unfinished, &path))
        .and_then(|()| io.sync_folder(own))
        .map_err(WriteFault::Keep)
}

/// At which step a value could not be kept.
#[derive(Debug)]
pub(crate) enum WriteFault {
    /// Nothing has a name yet.
    Write(io::Error),
    /// Nobody knows what is durable.
    Keep(io::Error),
}

/// Whether the last sweep is long ago. A clock set back makes it wait, never hurry.
pub(crate) fn is_due(folder: &Path) -> bool {
    age(&folder.join("blobs").join(SWEPT)).is_none_or(|age| age >= SWEEP_AGE)
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

/// Removes old files that no record names. Only the writer's thread may call it, between two groups.
pub(crate) fn sweep(io: &dyn Io, reader: &Reader) -> Result<Swept, StoreError> {
    let folder = reader.folder.join("blobs");
    let failed = |cause| fault::io(&reader.folder, "sweep large values", cause);
    let mut swept = Swept::default();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(hash) = hash_of(&entry.file_name()) else { continue };
            // An age that cannot be told (the clock was set back) is no age.
            if age(&entry.path()).is_none_or(|age| age < SWEEP_AGE) || is_named(reader, &hash)? {
                continue;
            }
            swept.bytes += entry.metadata().map_err(failed)?.len();
            swept.files += 1;
            io.remove_file(&entry.path()).map_err(failed)?;
        }
    }
    drop(io.create(&folder.join(SWEPT)).map_err(failed)?);
    Ok(swept)
}

fn hash_of(name: &OsStr) -> Option<[u8; 32]> {
    hex::decode(name.to_str()?).ok()?.try_into().ok()
}

fn is_named(reader: &Reader, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let first = reader.guarded(|| reader.db.scan_prefix(record::reference_key(hash, &[])).next().transpose())?;
    Ok(first.is_some())
}
