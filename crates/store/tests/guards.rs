//! Each guard of the durable store, with the fault it is there for.
//!
//! Must never wait for a real failure: files fail through the `Io` port, at a chosen operation.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store, StoreError};
use flowdeck_store::{Io, IoFile, Options, SledStore, SystemIo, try_lock};
use parking_lot::Mutex;
use rustix::io::Errno;

const S: Space = Space::Runs;

/// What was done, in order, and which operation fails with what.
#[derive(Debug, Clone, Default)]
struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    done: Vec<String>,
    fail: Option<(&'static str, Errno)>,
}

impl Faults {
    /// Every later operation whose description contains `what` fails.
    fn fail(&self, what: &'static str, errno: Errno) {
        self.0.lock().fail = Some((what, errno));
    }

    fn heal(&self) {
        self.0.lock().fail = None;
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().done)
    }

    fn note(&self, verb: &str, path: &Path) -> io::Result<()> {
        let mut script = self.0.lock();
        let kind = if path.extension().is_some_and(|extension| extension == "log") {
            "segment".to_owned()
        } else if path.components().any(|part| part.as_os_str() == "blobs") {
            "blob".to_owned()
        } else {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let line = format!("{verb} {kind}");
        let failing = script.fail.filter(|(what, _)| line.contains(what));
        script.done.push(line);
        failing.map_or(Ok(()), |(_, errno)| Err(errno.into()))
    }
}

impl Io for Faults {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        self.note("create", path)?;
        Ok(Box::new(FaultFile(SystemIo.create(path)?, self.clone(), named(path))))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(FaultFile(SystemIo.open(path)?, self.clone(), named(path))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename", to)?;
        SystemIo.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path)?;
        SystemIo.remove_file(path)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        SystemIo.create_folder(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.note("sync-folder", path)?;
        SystemIo.sync_folder(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        if self.note("free", path).is_err() { Ok(10) } else { SystemIo.free_bytes(path) }
    }
}

/// A new segment is written under another name first; faults mean the final one.
fn named(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "new") { path.with_extension("log") } else { path.into() }
}

#[derive(Debug)]
struct FaultFile(Box<dyn IoFile>, Faults, PathBuf);

impl IoFile for FaultFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(cause) = self.1.note("write", &self.2) {
            self.0.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(cause);
        }
        self.0.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.1.note("sync", &self.2)?;
        self.0.sync()
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.1.note("cut", &self.2)?;
        self.0.set_len(len)
    }
    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.0.reserve(len)
    }
}

struct Place {
    root: tempfile::TempDir,
    faults: Faults,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), faults: Faults::default() }
    }
    fn folder(&self) -> PathBuf {
        self.root.path().join("store")
    }
    fn try_open(&self) -> Result<SledStore, StoreError> {
        let io = Arc::new(self.faults.clone());
        SledStore::open(self.folder(), Options { io, cache_bytes: 8 << 20, free_bytes_min: 100, ..Options::default() })
    }
    fn open(&self) -> SledStore {
        self.try_open().unwrap()
    }
    /// A folder as a killed process leaves it: copied while the store is open.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(&self.folder(), &copy.folder());
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy_folder(&entry.path(), &target) } else { drop(fs::copy(entry.path(), target)) }
    }
}

async fn put(store: &SledStore, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let mut delta = Delta::new(store.epoch());
    delta.put(S, key, value);
    store.commit(delta).await
}

async fn get(store: &SledStore, key: &[u8]) -> Option<Vec<u8>> {
    store.get(S, key).await.unwrap()
}

#[tokio::test]
async fn an_acknowledged_commit_was_written_and_synced_in_this_order() {
    let place = Place::new();
    let store = place.open();
    place.faults.take();
    put(&store, b"a", b"1").await.unwrap();
    let done: Vec<_> = place.faults.take().into_iter().filter(|line| !line.starts_with("free")).collect();
    assert_eq!(done, ["write segment", "sync segment", "write witness"]);
}

#[tokio::test]
async fn a_blob_is_durable_before_the_commit_that_names_it() {
    let place = Place::new();
    let store = place.open();
    place.faults.take();
    put(&store, b"a", &[7; 100_000]).await.unwrap();
    let done = place.faults.take();
    let at = |what: &str| done.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {done:?}"));
    assert!(at("sync blob") < at("rename blob") && at("rename blob") < at("write segment"));
    let folder_synced = done.iter().rposition(|line| line == "sync-folder blob").unwrap();
    assert!(at("rename blob") < folder_synced && folder_synced < at("write segment"));
}

#[tokio::test]
async fn a_failed_sync_poisons_the_store_until_it_is_opened_again() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    place.faults.fail("sync segment", Errno::IO);
    assert!(matches!(put(&store, b"b", b"2").await, Err(StoreError::Poisoned { .. })));
    place.faults.heal();
    place.faults.take();
    assert!(matches!(put(&store, b"c", b"3").await, Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.get(S, b"a").await, Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.scan(Scan::prefix(S, b"", 9)).await, Err(StoreError::Poisoned { .. })));
    drop(store);
    assert_eq!(place.faults.take(), Vec::<String>::new(), "nothing is written or synced again");
    let store = place.open();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
    assert_eq!(get(&store, b"c").await, None);
}

#[tokio::test]
async fn a_failed_write_poisons_and_its_torn_half_is_cut_at_the_next_open() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    place.faults.fail("write segment", Errno::IO);
    assert!(matches!(put(&store, b"b", &[2; 2000]).await, Err(StoreError::Poisoned { .. })));
    drop(store);
    place.faults.heal();
    for _ in 0..2 {
        let store = place.open();
        assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
        assert_eq!(get(&store, b"b").await, None);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_commits_and_goes_on_when_there_is_space() {
    for what in ["write segment", "write blob", "free"] {
        let place = Place::new();
        let store = place.open();
        put(&store, b"a", b"1").await.unwrap();
        place.faults.fail(what, Errno::NOSPC);
        assert!(matches!(put(&store, b"b", &[1; 70_000]).await, Err(StoreError::Full { .. })), "{what}");
        assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
        assert_eq!(get(&store, b"b").await, None);
        place.faults.heal();
        put(&store, b"c", b"3").await.unwrap();
        drop(store);
        let store = place.open();
        assert_eq!(get(&store, b"b").await, None);
        assert_eq!(get(&store, b"c").await, Some(b"3".to_vec()));
    }
}

#[tokio::test]
async fn commits_survive_a_kill_that_sled_did_not_see() {
    let place = Place::new();
    let store = place.open();
    let before = place.copy();
    for n in 0..50_u8 {
        put(&store, &[n], &[n; 6000]).await.unwrap();
    }
    // sled as it was, the log as it is: what a power cut leaves.
    for part in ["log", "blobs"] {
        fs::remove_dir_all(before.folder().join(part)).unwrap();
        copy_folder(&place.folder().join(part), &before.folder().join(part));
    }
    let store = before.open();
    for n in 0..50_u8 {
        assert_eq!(get(&store, &[n]).await, Some(vec![n; 6000]));
    }
}

#[tokio::test]
async fn a_half_written_snapshot_is_removed_before_sled_opens() {
    let place = Place::new();
    put(&place.open(), b"a", b"1").await.unwrap();
    let leftover = place.folder().join("sled/snap.00000000FFFFFFFF.generating");
    fs::write(&leftover, b"half").unwrap();
    let store = place.open();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
    assert!(!leftover.exists());
    assert!(!place.root.path().join("store.damaged.1").exists(), "nothing was wrong with the store");
}

#[tokio::test]
async fn a_broken_snapshot_is_kept_aside_and_done_without() {
    let place = Place::new();
    put(&place.open(), b"a", b"1").await.unwrap();
    fs::write(place.folder().join("sled/snap.00000000FFFFFFFF"), b"broken").unwrap();
    let store = place.open();
    assert_eq!(get(&store, b"a").await, Some(b"1".to_vec()));
    assert!(place.root.path().join("store.damaged.1/snap.00000000FFFFFFFF").exists());
}

#[tokio::test]
async fn a_store_that_was_never_finished_is_made_anew() {
    let place = Place::new();
    fs::create_dir_all(place.root.path().join("store.init/sled")).unwrap();
    fs::write(place.root.path().join("store.init/sled/conf"), b"cut").unwrap();
    put(&place.open(), b"a", b"1").await.unwrap();
    assert!(!place.root.path().join("store.init").exists());
}

#[test]
fn a_kill_before_the_rename_leaves_no_store() {
    let place = Place::new();
    place.faults.fail("rename store", Errno::IO);
    place.try_open().unwrap_err();
    assert!(!place.folder().exists());
    place.faults.heal();
    assert_eq!(place.open().epoch(), 1);
}

#[tokio::test]
async fn sled_holds_no_record_above_four_kibibytes_and_no_side_file() {
    let place = Place::new();
    let store = place.open();
    for (n, size) in [10, 4000, 4096, 9000, 65_536, 65_537, 1 << 20].into_iter().enumerate() {
        put(&store, &[n as u8; 512], &vec![1; size]).await.unwrap();
    }
    drop(store);
    let db = sled::open(place.folder().join("sled")).unwrap();
    let largest = db.iter().map(|pair| pair.unwrap()).map(|(key, value)| key.len() + value.len()).max();
    assert!(largest.is_some_and(|size| size > 4000 && size <= 4096), "{largest:?}");
    assert_eq!(fs::read_dir(place.folder().join("sled/blobs")).unwrap().count(), 0);
}

#[tokio::test]
async fn replaced_and_deleted_split_values_leave_no_chunk() {
    let place = Place::new();
    let store = place.open();
    for size in [60_000, 20_000, 100_000, 30_000, 3] {
        put(&store, b"a", &vec![1; size]).await.unwrap();
    }
    let mut delta = Delta::new(store.epoch());
    delta.put(S, b"b", [2; 50_000]).delete(S, b"b").delete(S, b"a");
    store.commit(delta).await.unwrap();
    drop(store);
    let db = sled::open(place.folder().join("sled")).unwrap();
    assert_eq!(db.len(), 1, "the store's own record alone");
}

#[tokio::test]
async fn a_clean_close_leaves_a_short_log() {
    let place = Place::new();
    let store = place.open();
    for n in 0..100_u8 {
        put(&store, &[n], &[n; 3000]).await.unwrap();
    }
    drop(store);
    let bytes: u64 =
        fs::read_dir(place.folder().join("log")).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 2000, "{bytes}");
}

#[tokio::test]
async fn a_checkpoint_syncs_sleds_file_before_the_log_is_shortened() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    // What making the store synced must not count for the checkpoint.
    place.faults.take();
    drop(store);
    let done = place.faults.take();
    let synced = done.iter().position(|line| line == "sync db");
    let removed = done.iter().position(|line| line == "remove segment");
    assert!(synced.is_some() && synced < removed, "{done:?}");
}

#[test]
fn the_second_opener_learns_who_holds_the_folder() {
    let place = Place::new();
    let store = place.open();
    let holder = std::process::id().to_string();
    assert_eq!(
        place.try_open().unwrap_err(),
        StoreError::Held { folder: place.folder().display().to_string(), holder: holder.clone() }
    );
    assert!(matches!(try_lock(&place.folder()), Err(StoreError::Held { .. })));
    drop(store);
    drop(try_lock(&place.folder()).unwrap());
    drop(place.open());
}
