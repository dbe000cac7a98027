//! A file that only takes up space, so that a store on a full disk can still be opened and closed.
//!
//! Must never be what makes the disk full. Tests: `tests/disk.rs`.

use std::path::{Path, PathBuf};

use crate::options::Options;

fn path(folder: &Path) -> PathBuf {
    folder.join("ballast")
}

/// Gives the space back where there is too little for opening: sled writes a snapshot, the log a segment.
pub(crate) fn release_if_tight(options: &Options, folder: &Path) {
    if options.io.free_bytes(folder).is_ok_and(|free| free < options.ballast_bytes) {
        release(options, folder);
    }
}

/// Gives the space back.
pub(crate) fn release(options: &Options, folder: &Path) {
    let path = path(folder);
    if path.exists() {
        match options.io.remove_file(&path) {
            Ok(()) => tracing::warn!(folder = %folder.display(), "the disk is full; the store gave its reserve back"),
            Err(cause) => tracing::warn!(%cause, "the store's reserve of disk space cannot be given back"),
        }
    }
}

/// Takes the space where it is missing and the disk has plenty.
pub(crate) fn take(options: &Options, folder: &Path) {
    let path = path(folder);
    let bytes = options.ballast_bytes;
    let enough = options.free_bytes_min.saturating_add(bytes.saturating_mul(2));
    if bytes == 0 || path.exists() || options.io.free_bytes(folder).is_ok_and(|free| free < enough) {
        return;
    }
    let taken = options.io.create(&path).and_then(|mut file| file.reserve(bytes));
    if let Err(cause) = taken {
        tracing::warn!(%cause, "the store has no reserve of disk space");
        release(options, folder);
    }
}
