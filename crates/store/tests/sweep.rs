//! Files of large values go when nothing names them, and not before an hour.
//!
//! Must never wait: a file's age is set by the test.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flowdeck_engine::ports::store::{Delta, Space, Store};
use flowdeck_store::{SledStore, Swept};
use support::{copy_folder, files, options};

const S: Space = Space::Rows;

fn blobs(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(&folder.join("blobs"));
    found.retain(|path| path.file_name().is_some_and(|name| name.len() == 64));
    found
}

fn make_old(folder: &Path, hours: f64) {
    for path in files(&folder.join("blobs")) {
        let file = fs::File::options().write(true).open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - Duration::from_secs_f64(hours * 3600.0)).unwrap();
    }
}

async fn put(store: &SledStore, pairs: &[(&[u8], u8)]) {
    let mut delta = Delta::new(store.epoch());
    for (key, byte) in pairs {
        delta.put(S, *key, vec![*byte; 70_000]);
    }
    store.commit(delta).await.unwrap();
}

async fn delete(store: &SledStore, key: &[u8]) {
    let mut delta = Delta::new(store.epoch());
    delta.delete(S, key);
    store.commit(delta).await.unwrap();
}

#[tokio::test]
async fn a_file_goes_with_its_last_name_and_after_an_hour() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let store = SledStore::open(&folder, options()).unwrap();
    put(&store, &[(b"a", 1), (b"b", 1), (b"c", 2)]).await;
    assert_eq!(blobs(&folder).len(), 2, "one content, one file");

    delete(&store, b"a").await;
    make_old(&folder, 2.0);
    assert_eq!(store.sweep().await.unwrap(), Swept::default(), "`b` and `c` name them");
    delete(&store, b"b").await;
    assert_eq!(store.sweep().await.unwrap(), Swept { files: 1, bytes: 70_000 });
    assert_eq!(store.get(S, b"c").await.unwrap(), Some(vec![2; 70_000]));

    put(&store, &[(b"d", 3)]).await;
    delete(&store, b"d").await;
    assert_eq!(store.sweep().await.unwrap(), Swept::default(), "it is too young");
    make_old(&folder, 0.9);
    assert_eq!(store.sweep().await.unwrap(), Swept::default(), "it is still too young");
    make_old(&folder, 0.2);
    assert_eq!(store.sweep().await.unwrap().files, 1);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_content_that_comes_back_is_young_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let store = SledStore::open(&folder, options()).unwrap();
    put(&store, &[(b"a", 1)]).await;
    delete(&store, b"a").await;
    make_old(&folder, 2.0);
    put(&store, &[(b"a", 1)]).await;
    delete(&store, b"a").await;
    assert_eq!(store.sweep().await.unwrap(), Swept::default());
}

#[tokio::test]
async fn a_file_that_no_commit_came_to_name_is_swept_when_the_store_is_closed() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let store = SledStore::open(&folder, options()).unwrap();
    put(&store, &[(b"a", 1)]).await;
    drop(store);
    // As if it had been killed between the file and the commit; and a file from the future is no old one.
    let elsewhere = root.path().join("elsewhere");
    let store = SledStore::open(&elsewhere, options()).unwrap();
    put(&store, &[(b"a", 8), (b"b", 9)]).await;
    copy_folder(&elsewhere.join("blobs"), &folder.join("blobs"));
    make_old(&folder, 2.0);
    let future = blobs(&elsewhere)[1].strip_prefix(&elsewhere).unwrap().to_path_buf();
    let file = fs::File::options().write(true).open(folder.join(&future)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 34)).unwrap();
    drop(SledStore::open(&folder, options()).unwrap());
    assert_eq!(blobs(&folder).len(), 2);
    assert!(folder.join(future).exists());
    let store = SledStore::open(&folder, options()).unwrap();
    assert_eq!(store.get(S, b"a").await.unwrap(), Some(vec![1; 70_000]));
}
