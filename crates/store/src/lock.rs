//! The lock that makes one process the holder of a data folder: `<folder>.lock`, beside the folder.
//!
//! Must never be removed, only unlocked: a removed lock file could be held twice. Tests: `tests/lock.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flowdeck_engine::ports::store::StoreError;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::fault;

/// Held until dropped, or until the process ends in whatever way.
#[derive(Debug)]
#[must_use = "dropping it gives the folder up"]
pub struct FolderLock {
    folder: PathBuf,
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held"))]
    file: Locked,
}

/// A file with a lock on it. A child that is being started holds a copy of it for a moment, and with it the lock: so the
/// lock itself is given back, not only our copy.
#[derive(Debug)]
pub(crate) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(cause) = flock(&self.0, FlockOperation::Unlock) {
            tracing::warn!(%cause, "a lock was not given back; it goes with its file");
        }
    }
}

impl FolderLock {
    /// The data folder that is held.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Takes the lock of a data folder without waiting; the folder itself need not exist yet.
///
/// # Errors
/// [`StoreError::Held`] with the holder's process id; [`StoreError::Io`].
pub fn try_lock(folder: &Path) -> Result<FolderLock, StoreError> {
    let failed = |cause: std::io::Error| fault::io(folder, "lock the data folder", cause);
    let path = beside(folder, ".lock");
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(held(folder, &mut file)),
        Err(cause) => return Err(failed(cause.into())),
    }
    // The id only informs the next one who tries; on a full disk the lock must still be had.
    file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(failed)?;
    if let Err(cause) = writeln!(file, "{}", std::process::id()) {
        tracing::warn!(%cause, "the lock file does not name its holder");
    }
    Ok(FolderLock { folder: folder.to_path_buf(), file: Locked(file) })
}

/// Keeps holders away while a folder that cannot be written is copied. Where no process ever held it there is no lock.
pub(crate) fn share(folder: &Path) -> Result<Option<Locked>, StoreError> {
    let failed = |cause: std::io::Error| fault::io(folder, "lock the data folder for looking", cause);
    let mut file = match File::open(beside(folder, ".lock")) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(Locked(file))),
        Err(Errno::WOULDBLOCK) => Err(held(folder, &mut file)),
        Err(cause) => Err(failed(cause.into())),
    }
}

fn held(folder: &Path, file: &mut File) -> StoreError {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let pid = text.trim();
    let named = read.is_ok() && !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    let holder = if named { pid } else { "?" };
    StoreError::Held { folder: folder.display().to_string(), holder: holder.to_owned() }
}

/// `<folder><suffix>`, in the folder's parent.
pub(crate) fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_open_file_in_a_starting_child_does_not_keep_the_lock() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("store");
        let lock = try_lock(&folder).unwrap();
        let copied = lock.file.0.try_clone().unwrap();
        drop(lock);
        let lock = try_lock(&folder).unwrap();
        assert!(matches!(try_lock(&folder), Err(StoreError::Held { .. })));
        drop((lock, copied));
    }
}
