//! One process holds a data folder.
//!
//! Must never need a second process: a lock belongs to an open file, not to a process.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use flowdeck_engine::ports::store::StoreError;
use flowdeck_store::{SledStore, try_lock};
use support::options;

#[test]
fn nothing_in_the_folder_is_touched_without_the_lock() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    drop(SledStore::open(&folder, options()).unwrap());
    let half = folder.join("sled/snap.00000000FFFFFFFF.generating");
    fs::write(&half, b"being written by the holder").unwrap();
    let init = root.path().join("store.init");
    fs::create_dir(&init).unwrap();
    let held = try_lock(&folder).unwrap();
    let refused = SledStore::open(&folder, options()).unwrap_err();
    let holder = std::process::id().to_string();
    assert_eq!(refused, StoreError::Held { folder: folder.display().to_string(), holder });
    assert!(half.exists() && init.exists());
    drop(SledStore::open_locked(held, options()).unwrap());
    assert!(!half.exists());
}

#[test]
fn the_lock_lies_beside_the_folder_and_stays() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("deep/er/store");
    drop(try_lock(&folder).unwrap());
    let mode = fs::metadata(root.path().join("deep/er/store.lock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "who can open it can lock it");
    assert!(!folder.exists());
    drop(try_lock(&folder).unwrap());
}

#[test]
fn a_lock_file_without_a_readable_holder_still_locks() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let held = try_lock(&folder).unwrap();
    fs::write(root.path().join("store.lock"), b"\xff not a number").unwrap();
    assert!(matches!(try_lock(&folder), Err(StoreError::Held { holder, .. }) if holder == "?"));
    drop(held);
}
