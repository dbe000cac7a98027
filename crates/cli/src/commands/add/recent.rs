//! The cards that were added last, for the palette.
//!
//! Must never fail a command: without the list the palette only has another order.
//! Tests: below.

use std::path::Path;

/// Most names that are kept.
const KEPT_MAX: usize = 12;
/// Largest file that is read, in bytes.
const BYTES_MAX: u64 = 16 << 10;
const FILE: &str = "recent-cards";

/// The names, the latest first.
pub(super) fn read(data: Option<&Path>) -> Vec<String> {
    let Some(path) = data.map(|data| data.join(FILE)) else { return Vec::new() };
    let is_small = std::fs::metadata(&path).is_ok_and(|m| m.len() <= BYTES_MAX);
    let text = if is_small { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
    text.lines().take(KEPT_MAX).map(ToOwned::to_owned).collect()
}

/// Keeps a name as the latest, where there is a data folder.
pub(super) fn keep(data: Option<&Path>, mut recent: Vec<String>, name: &str) {
    let Some(path) = data.map(|data| data.join(FILE)) else { return };
    recent.retain(|known| known != name);
    recent.insert(0, name.to_owned());
    recent.truncate(KEPT_MAX);
    std::fs::write(path, recent.join("\n") + "\n").ok(); // See the head of this file.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_first_and_none_is_there_twice() {
        let data = tempfile::tempdir().unwrap();
        for name in ["a", "b", "a", "c"] {
            keep(Some(data.path()), read(Some(data.path())), name);
        }
        assert_eq!(read(Some(data.path())), ["c", "a", "b"]);
        assert!(read(None).is_empty());
    }
}
