//! Finds test files below folders.
//!
//! Must never walk into folders that hold no work of the person, nor for ever.
//! Tests: `crates/cli/tests/tests_of_flows.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 20;
/// Most files that are found.
const FILES_MAX: usize = 20_000;

/// Named files as they are, and the test files below named folders, in order.
pub(super) fn tests(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in named {
        if path.is_dir() {
            below(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.dedup();
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read the folder {}", folder.display()))?;
    let mut entries: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            let is_work = !name.starts_with('.') && !matches!(name.as_str(), "target" | "node_modules");
            if is_work && depth < DEPTH_MAX && !path.is_symlink() {
                below(&path, depth + 1, found)?;
            }
        } else if files::is_test(&path) && found.len() < FILES_MAX {
            // `./flows/a` and `flows/a` are one to a reader.
            found.push(path.strip_prefix(".").map_or(path.clone(), Path::to_path_buf));
        }
    }
    Ok(())
}
