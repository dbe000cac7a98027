//! Turns failures of files and of sled into the port's errors, all naming the data folder.
//!
//! Must never lose the first cause.

use std::fmt::Display;
use std::path::Path;

use flowdeck_engine::ports::store::StoreError;

pub(crate) fn damaged(folder: &Path, what: impl Display) -> StoreError {
    StoreError::Damaged {
        folder: folder.display().to_string(),
        what: what.to_string(),
        remedy: "stop, keep a copy of the folder, and restore the newest backup".to_owned(),
    }
}

/// What the operating system refused; a full disk has an error of its own, because it passes.
pub(crate) fn io(folder: &Path, what: &str, cause: std::io::Error) -> StoreError {
    if is_full(&cause) { full(folder) } else { says(folder, what, cause) }
}

pub(crate) fn says(folder: &Path, what: &str, cause: impl Display) -> StoreError {
    StoreError::Io { folder: folder.display().to_string(), what: what.to_owned(), cause: cause.to_string() }
}

pub(crate) fn poisoned(folder: &Path, what: impl Display) -> StoreError {
    StoreError::Poisoned { folder: folder.display().to_string(), what: what.to_string() }
}

pub(crate) fn full(folder: &Path) -> StoreError {
    StoreError::Full { folder: folder.display().to_string() }
}

/// Whether the operating system said that the disk (or the quota) is full.
pub(crate) fn is_full(cause: &std::io::Error) -> bool {
    matches!(cause.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
