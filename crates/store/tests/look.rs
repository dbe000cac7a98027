//! Looking at a store whose folder cannot be written: everything is there, nothing of it is touched.
//!
//! Must never pass because the folder could be written after all: each test compares it byte by byte.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store, StoreError};
use flowdeck_store::{Options, SledStore};

fn options() -> Options {
    Options { ballast_bytes: 0, free_bytes_min: 0, ..Options::default() }
}

/// Every file with its bytes and time.
fn content(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()));
        }
    }
    found
}

/// Closes a store, and returns when sled has written its last.
fn closed(store: SledStore, folder: &Path) {
    drop(store);
    let db = fs::File::open(folder.join("sled/db")).unwrap();
    rustix::fs::flock(&db, rustix::fs::FlockOperation::LockExclusive).unwrap();
}

async fn filled(folder: &Path) -> SledStore {
    let store = SledStore::open(folder, options()).unwrap();
    let mut delta = Delta::new(store.epoch());
    delta.put(Space::Runs, *b"small", b"one".to_vec());
    delta.put(Space::Runs, *b"split", vec![7; 20_000]);
    delta.put(Space::Runs, *b"large", vec![8; 200_000]);
    store.commit(delta).await.unwrap();
    store
}

#[tokio::test]
async fn a_copy_shows_everything_and_leaves_the_folder_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    closed(filled(&folder).await, &folder);
    let before = content(root.path());
    let looked = SledStore::open_copy(&folder, options()).unwrap();
    let found = looked.scan(Scan::prefix(Space::Runs, Vec::new(), 10)).await.unwrap();
    let sizes: Vec<_> =
        found.iter().map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value.len())).collect();
    assert_eq!(sizes, [("large".into(), 200_000), ("small".into(), 3), ("split".into(), 20_000)]);
    // What is written goes with the copy, large values and their sweep too.
    let mut delta = Delta::new(looked.epoch());
    delta.put(Space::Runs, *b"more", vec![9; 100_000]).delete(Space::Runs, *b"large");
    looked.commit(delta).await.unwrap();
    looked.sweep().await.unwrap();
    drop(looked);
    assert!(content(root.path()) == before, "the folder was touched");
    let store = SledStore::open(&folder, options()).unwrap();
    assert_eq!(store.get(Space::Runs, b"large").await.unwrap().unwrap().len(), 200_000);
    assert_eq!(store.get(Space::Runs, b"more").await.unwrap(), None);
}

#[tokio::test]
async fn a_held_store_is_not_copied_and_who_looks_keeps_nobody_out() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let holder = filled(&folder).await;
    let held = SledStore::open_copy(&folder, options()).unwrap_err();
    assert!(matches!(&held, StoreError::Held { holder, .. } if *holder == std::process::id().to_string()), "{held}");
    drop(holder);
    let first = SledStore::open_copy(&folder, options()).unwrap();
    let second = SledStore::open_copy(&folder, options()).unwrap();
    let holder = SledStore::open(&folder, options()).unwrap();
    for looked in [first, second] {
        assert_eq!(looked.get(Space::Runs, b"small").await.unwrap().unwrap(), b"one");
    }
    drop(holder);
}

#[tokio::test]
async fn damage_and_absence_name_the_folder_and_not_the_copy() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let absent = SledStore::open_copy(&folder, options()).unwrap_err().to_string();
    assert!(absent.contains(&folder.display().to_string()), "{absent}");
    drop(filled(&folder).await);
    for entry in fs::read_dir(folder.join("log")).unwrap() {
        fs::write(entry.unwrap().path(), b"rubbish").unwrap();
    }
    let damaged = SledStore::open_copy(&folder, options()).unwrap_err();
    let StoreError::Damaged { folder: named, .. } = &damaged else { panic!("{damaged}") };
    assert_eq!(*named, folder.display().to_string());
}
