//! A private copy of a store whose folder cannot be written, so that it can be looked at: sled opens for writing only.
//!
//! Must never write into the folder, nor copy while another process holds it, nor leave copies to pile up.
//! Tests: `tests/look.rs`, and below.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowdeck_engine::ports::store::StoreError;
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::sled_folder::{CLOSING_PAUSE, CLOSING_TRIES_MAX};
use crate::{fault, lock};

/// Most bytes that are copied (8 GiB); a larger store is looked at where it can be written.
const COPY_BYTES_MAX: u64 = 8 << 30;
/// Most files, those of large values included.
const COPY_FILES_MAX: usize = 1_000_000;
/// An open writes: without a reserve it needs this much space (16 MiB).
const ROOM_BYTES_MIN: u64 = 16 << 20;
/// What the folder of a copy begins with, and the file in it that is locked while it is made.
const PREFIX: &str = "flowdeck-look-";
const IN_USE: &str = "in-use";
/// A copy that nobody locks is one that somebody left behind when it is this old: one just made is opened at once.
const STALE_AFTER: Duration = Duration::from_secs(600);
/// Most entries of the folder of temporary files that are looked at.
const SWEPT_MAX: usize = 10_000;

/// Whether everything that an open writes to can be written.
pub(crate) fn is_writable(folder: &Path) -> bool {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parts =
        [parent.to_owned(), lock::beside(folder, ".lock"), folder.to_owned(), folder.join("log"), folder.join("sled")];
    parts.iter().all(|part| !part.exists() || access(part, Access::WRITE_OK).is_ok()) && has_room(folder)
}

/// Whether the disk has space for what an open writes, or the store a reserve that it can give back.
fn has_room(folder: &Path) -> bool {
    let free = statvfs(folder).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    folder.join("ballast").exists() || !free.is_ok_and(|free| free < ROOM_BYTES_MIN)
}

/// The copy, in a folder of its own that only this user can enter; gone when dropped.
pub(crate) fn copy(folder: &Path) -> Result<(TempDir, PathBuf), StoreError> {
    let failed = |cause| fault::io(folder, "copy the store to look at it", cause);
    // Shared: several may look, and nobody becomes the holder meanwhile.
    let _shared = lock::share(folder)?;
    let _closed = closed(&folder.join("sled/db")).map_err(failed)?;
    let place = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(failed)?;
    let in_use = File::create(place.path().join(IN_USE)).map_err(failed)?;
    flock(&in_use, FlockOperation::NonBlockingLockExclusive).map_err(|cause| failed(cause.into()))?;
    sweep(place.path());
    let to = place.path().join("store");
    let mut rest = Rest { bytes: COPY_BYTES_MAX, files: COPY_FILES_MAX };
    for part in ["sled", "log"] {
        rest.tree(&folder.join(part), &to.join(part)).map_err(failed)?;
    }
    rest.blobs(&folder.join("blobs"), &to.join("blobs")).map_err(failed)?;
    // As old as its latest byte: the lock ends here, and that of the opened copy begins a moment later.
    let made = File::create(place.path().join("made")).and_then(|file| file.metadata()?.modified());
    in_use.set_modified(made.map_err(failed)?).map_err(failed)?;
    Ok((place, to))
}

/// Removes what this user's killed processes left beside `own`. What cannot be removed is left for the next look.
fn sweep(own: &Path) {
    let (Some(temporary), Ok(us)) = (own.parent(), fs::metadata(own.join(IN_USE))) else { return };
    let Ok(entries) = fs::read_dir(temporary) else { return };
    for entry in entries.take(SWEPT_MAX).filter_map(Result::ok) {
        let path = entry.path();
        let is_copy = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && path != own
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && found.uid() == us.uid());
        if is_copy && is_left(&path, &us) {
            let removed = fs::remove_dir_all(&path);
            tracing::debug!(path = %path.display(), ?removed, "a copy that was left behind");
        }
    }
}

/// Whether nobody makes or has opened a copy. The time is the file system's own, as a file of now tells it.
fn is_left(place: &Path, now: &fs::Metadata) -> bool {
    let unlocked = |name: &str| match File::open(place.join(name)) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(cause) => cause.kind() == io::ErrorKind::NotFound,
    };
    let made = fs::metadata(place.join(IN_USE)).and_then(|file| file.modified());
    let age = made.and_then(|made| Ok(now.modified()?.duration_since(made).unwrap_or_default()));
    age.is_ok_and(|age| age >= STALE_AFTER) && unlocked(IN_USE) && unlocked("store.lock")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of that age.
    fn left(temporary: &Path, name: &str, age: Duration) -> PathBuf {
        let place = temporary.join(name);
        fs::create_dir_all(place.join("store/sled")).unwrap();
        let file = File::create(place.join(IN_USE)).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        file.set_modified(made - age).unwrap();
        place
    }

    #[test]
    fn copies_that_were_left_behind_are_removed_and_no_others() {
        let temporary = tempfile::tempdir().unwrap();
        let of = |name: &str, age| left(temporary.path(), name, age);
        let own = of("flowdeck-look-own", Duration::ZERO);
        let long = STALE_AFTER * 2;
        let (old, young) = (of("flowdeck-look-old", long), of("flowdeck-look-young", STALE_AFTER / 2));
        let (made, open) = (of("flowdeck-look-made", long), of("flowdeck-look-open", long));
        let other = of("somebody-elses", long);
        let link = temporary.path().join("flowdeck-look-link");
        symlink(&other, &link).unwrap();
        let lock = |path: PathBuf| {
            let file = File::create(path).unwrap();
            flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
            file
        };
        let _making = {
            let file = File::open(made.join(IN_USE)).unwrap();
            flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
            file
        };
        let _opened = lock(open.join("store.lock"));
        sweep(&own);
        assert!(!old.exists(), "a copy of a killed process stays");
        for kept in [own, young, made, open, other, link] {
            assert!(kept.exists(), "{} was removed", kept.display());
        }
    }
}
