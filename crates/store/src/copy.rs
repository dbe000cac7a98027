//! A private copy of a store whose folder cannot be written, so that it can be looked at: sled opens for writing only.
//!
//! Must never write into the folder, nor copy while another process holds it.
//! Tests: `tests/look.rs`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use flowdeck_engine::ports::store::StoreError;
use rustix::fs::{Access, FlockOperation, access, flock};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::sled_folder::{CLOSING_PAUSE, CLOSING_TRIES_MAX};
use crate::{fault, lock};

/// Most bytes that are copied (8 GiB); a larger store is looked at where it can be written.
const COPY_BYTES_MAX: u64 = 8 << 30;
/// Most files, those of large values included.
const COPY_FILES_MAX: usize = 1_000_000;

/// Whether everything that an open writes to can be written.
pub(crate) fn is_writable(folder: &Path) -> bool {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parts =
        [parent.to_owned(), lock::beside(folder, ".lock"), folder.to_owned(), folder.join("log"), folder.join("sled")];
    parts.iter().all(|part| !part.exists() || access(part, Access::WRITE_OK).is_ok())
}

/// The copy, in a folder of its own that only this user can enter; gone when dropped.
pub(crate) fn copy(folder: &Path) -> Result<(TempDir, PathBuf), StoreError> {
    let failed = |cause| fault::says(folder, "copy the store to look at it", cause);
    // Shared: several may look, and nobody becomes the holder meanwhile.
    let _shared = lock::share(folder)?;
    let _closed = closed(&folder.join("sled/db")).map_err(failed)?;
    let place = tempfile::Builder::new().prefix("flowdeck-look-").tempdir().map_err(failed)?;
    let to = place.path().join("store");
    let mut rest = Rest { bytes: COPY_BYTES_MAX, files: COPY_FILES_MAX };
    for part in ["sled", "log"] {
        rest.tree(&folder.join(part), &to.join(part)).map_err(failed)?;
    }
    rest.blobs(&folder.join("blobs"), &to.join("blobs")).map_err(failed)?;
    Ok((place, to))
}

/// What may still be copied.
struct Rest {
    bytes: u64,
    files: usize,
}

impl Rest {
    /// Copies files and folders.
    fn tree(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            let found = entry.metadata()?;
            if found.is_dir() {
                self.tree(&path, &to)?;
            } else if found.is_file() {
                self.take(found.len())?;
                fs::copy(&path, &to)?;
                fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    }

    /// Files of large values never change, so links to them are enough; what else lies beside them is not needed.
    fn blobs(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let to = to.join(entry.file_name());
            fs::create_dir_all(&to)?;
            for value in fs::read_dir(entry.path())? {
                let value = value?;
                self.take(0)?;
                symlink(std::path::absolute(value.path())?, to.join(value.file_name()))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.files = self.files.checked_sub(1).ok_or_else(|| io::Error::other("it has too many files"))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| io::Error::other("it is too large for a copy"))?;
        Ok(())
    }
}

/// Waits for a handle of sled that was dropped just now: it still writes. Only this process can have one.
pub(crate) fn closed(db: &Path) -> io::Result<Option<File>> {
    let file = match File::open(db) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    for _ in 0..CLOSING_TRIES_MAX {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(CLOSING_PAUSE),
            Err(cause) => return Err(cause.into()),
        }
    }
    Err(io::Error::other("its last handle does not close"))
}
