//! Opens sled in a folder whose lock is held, around its sharp edges.
//!
//! Must never let a panic of sled out, nor change a damaged folder before it is copied. Tests: `tests/guards.rs`,
//! `tests/damage.rs`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowdeck_engine::ports::store::StoreError;

use crate::io::Io;
use crate::lock::beside;
use crate::{copy, fault};

pub(crate) const CLOSING_TRIES_MAX: u32 = 1000;
pub(crate) const CLOSING_PAUSE: Duration = Duration::from_millis(5);
const COPIES_MAX: u32 = 1000;

/// sled, and whether anything was wrong with it: then every record must be looked at.
pub(crate) struct Opened {
    pub db: sled::Db,
    pub suspicious: bool,
}

/// Opens `<folder>/sled`. A half-written snapshot would make it unopenable for ever; a broken one is done without.
pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Opened, StoreError> {
    let path = folder.join("sled");
    let failed = |cause| fault::io(folder, "open sled", cause);
    if !path.exists() {
        return Err(fault::damaged(folder, "sled's files are gone"));
    }
    for snapshot in snapshots(&path).map_err(failed)? {
        if snapshot.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(snapshot).map_err(failed)?;
        }
    }
    match attempt(folder, &path, cache_bytes) {
        Err(StoreError::Damaged { what, .. }) if !snapshots(&path).map_err(failed)?.is_empty() => {
            // A snapshot is derived from sled's own log; the copy keeps everything as it was found.
            let aside = copy_aside(folder, &path).map_err(failed)?;
            tracing::warn!(folder = %folder.display(), aside = %aside.display(), what, "opening without snapshots");
            for snapshot in snapshots(&path).map_err(failed)? {
                fs::remove_file(snapshot).map_err(failed)?;
            }
            attempt(folder, &path, cache_bytes).map(|db| Opened { db, suspicious: true })
        }
        outcome => outcome.map(|db| Opened { db, suspicious: false }),
    }
}

/// A handle of this process that was dropped just now may still be closing; another process cannot have it, for we
/// hold the folder's lock.
pub(crate) fn attempt(folder: &Path, path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let damaged = |what: String| Err(fault::damaged(folder, what));
    for _ in 0..CLOSING_TRIES_MAX {
        // The flusher stays on: sled collects its garbage only there.
        let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(Some(500));
        // On a thread of its own: what sled leaves behind when it panics is never used again.
        let opening = std::thread::Builder::new()
            .name("flowdeck-store-open".to_owned())
            .spawn(move || catch_unwind(AssertUnwindSafe(|| config.open())));
        match opening.map_err(|cause| fault::io(folder, "open sled", cause))?.join() {
            Ok(Ok(Ok(db))) => return Ok(db),
            Ok(Ok(Err(sled::Error::Io(cause)))) if cause.to_string().contains("acquire lock") => {
                std::thread::sleep(CLOSING_PAUSE);
            }
            // What a cut file looks like from inside.
            Ok(Ok(Err(sled::Error::Io(cause)))) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
                return damaged(format!("sled does not open: {cause}"));
            }
            Ok(Ok(Err(sled::Error::Io(cause)))) => return Err(fault::io(folder, "open sled", cause)),
            Ok(Ok(Err(cause))) => return damaged(format!("sled does not open: {cause}")),
            Ok(Err(_)) | Err(_) => return damaged("sled panicked while it opened".to_owned()),
        }
    }
    Err(fault::says(folder, "open sled", "its last handle does not close"))
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

/// Copies sled's files to `<folder>.damaged.N`, beside the store.
fn copy_aside(folder: &Path, path: &Path) -> std::io::Result<PathBuf> {
    let aside = free_name(folder)?;
    fs::create_dir(&aside)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.path().is_file() {
            fs::copy(entry.path(), aside.join(entry.file_name()))?;
        }
    }
    Ok(aside)
}

/// The first `<folder>.damaged.N` that is not taken.
pub(crate) fn free_name(folder: &Path) -> std::io::Result<PathBuf> {
    (1..COPIES_MAX)
        .map(|number| beside(folder, &format!(".damaged.{number}")))
        .find(|aside| !aside.exists())
        .ok_or_else(|| std::io::ErrorKind::AlreadyExists.into())
}

/// Drops the last handle and waits until sled has let go of its file: until then it may write under its path.
pub(crate) fn close(db: sled::Db, path: &Path) -> std::io::Result<()> {
    // After a panic of sled its end may panic as well, or never come.
    drop(std::thread::Builder::new().name("flowdeck-store-close".to_owned()).spawn(move || {
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
    })?);
    drop(copy::closed(&path.join("db"))?);
    Ok(())
}

/// Makes all of sled's files durable with our own sync.
pub(crate) fn sync(io: &dyn Io, path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_file() {
            io.open(&path).and_then(|mut file| file.sync())?;
        }
    }
    io.sync_folder(path)
}
