//! What lies in a watched folder.
//!
//! Must never follow a link to a folder, nor list without a limit. Tests: `tests/folders.rs`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most flow files.
pub(super) const FILES_MAX: usize = 1_000;
/// Most names that are looked at.
const NAMES_MAX: usize = 20_000;
/// Folders in folders.
const DEPTH_MAX: usize = 8;
/// Largest file, in bytes (16 MiB, as everywhere).
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What tells that a file may have changed; `None` where it cannot be looked at.
pub(super) type Stamp = Option<(SystemTime, u64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((found.modified().ok()?, found.len()))
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Flow files, by name.
    pub(super) flows: Vec<PathBuf>,
    /// Exports, which must be imported first.
    pub(super) exports: Vec<PathBuf>,
    names: usize,
}

/// Lists folders; one that cannot be read is an error, not an empty folder.
pub(super) fn list(folders: &[PathBuf]) -> Result<Listing, String> {
    let mut listing = Listing::default();
    for folder in folders {
        enter(folder, 0, &mut listing)?;
    }
    listing.flows.sort();
    listing.flows.dedup();
    Ok(listing)
}

fn enter(folder: &Path, depth: usize, listing: &mut Listing) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("the folder {} cannot be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        listing.names += 1;
        if listing.names > NAMES_MAX {
            return Err(format!("{} holds more than {NAMES_MAX} files; watch a smaller folder", folder.display()));
        }
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().map_err(unreadable)?;
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            if depth < DEPTH_MAX {
                enter(&path, depth + 1, listing)?;
            }
        } else if [".flow.yaml", ".flow.yml", ".flow.json"].iter().any(|end| name.ends_with(end)) {
            if listing.flows.len() == FILES_MAX {
                return Err(format!("{} holds more than {FILES_MAX} flow files", folder.display()));
            }
            listing.flows.push(path);
        } else if [".flopack", ".folder", ".flow"].iter().any(|end| name.ends_with(end)) && listing.exports.len() < 100
        {
            listing.exports.push(path);
        }
    }
    Ok(())
}

/// A file's text.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let refused = |error: io::Error| format!("it cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(refused)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
