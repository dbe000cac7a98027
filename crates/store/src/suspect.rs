//! A mark in the folder: damage was met, so the next open reads everything, whatever the size.
//!
//! Must never be taken away before everything was found whole. Tests: `tests/rebuild.rs`.

use std::path::{Path, PathBuf};

use flowdeck_engine::ports::store::StoreError;

use crate::io::Io;

fn path(folder: &Path) -> PathBuf {
    folder.join("suspect")
}

/// Notes an error that is damage. Best effort: it is said to the caller as well.
pub(crate) fn note(io: &dyn Io, folder: &Path, error: &StoreError) {
    if matches!(error, StoreError::Damaged { .. })
        && !is_marked(folder)
        && let Err(cause) = io.create(&path(folder)).and_then(|mut file| file.sync())
    {
        tracing::warn!(%cause, "the store could not note that it met damage");
    }
}

pub(crate) fn is_marked(folder: &Path) -> bool {
    path(folder).exists()
}

pub(crate) fn clear(io: &dyn Io, folder: &Path) -> std::io::Result<()> {
    if is_marked(folder) { io.remove_file(&path(folder)) } else { Ok(()) }
}
