//! Each guard of the durable store, with the fault it is there for.
//!
//! Must never wait for a real failure: files fail through the `Io` port, at a chosen operation.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store, StoreError};
use flowdeck_store::{Options, SledStore};
use rustix::io::Errno;
use support::copy_folder;
use support::faults::Faults;

const S: Space = Space::Runs;

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
        SledStore::open(self.folder(), Options { io, free_bytes_min: 100, ..support::options() })
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
    assert_eq!(db.tree_names().len(), 1, "one tree");
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
    let bytes = fs::metadata(segment(&place)).unwrap().len();
    assert!(bytes < 100, "{bytes}");
}

/// Its several syncs would keep whoever stops the program waiting.
#[tokio::test]
async fn a_close_on_a_slow_disk_leaves_the_rest_to_the_next_open() {
    let slow = |point: &'static str| {
        let end = Instant::now() + Duration::from_millis(1_100);
        while point == "log-synced"
            && let Some(left) = end.checked_duration_since(Instant::now())
        {
            std::thread::park_timeout(left);
        }
    };
    let place = Place::new();
    place.open();
    let options = Options { points: Some(slow), ..support::options() };
    let store = SledStore::open(place.folder(), options).unwrap();
    put(&store, b"a", &[1; 3000]).await.unwrap();
    let before = fs::metadata(segment(&place)).unwrap().len();
    drop(store);
    assert_eq!(fs::metadata(segment(&place)).unwrap().len(), before, "no checkpoint");
    assert_eq!(get(&place.open(), b"a").await, Some(vec![1; 3000]));
}

#[tokio::test]
async fn a_checkpoint_syncs_sleds_file_before_the_log_starts_a_segment() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    // What making the store synced must not count for the checkpoint.
    place.faults.take();
    drop(store);
    let done = place.faults.take();
    let synced = done.iter().position(|line| line == "sync db");
    let begun = done.iter().position(|line| line == "rename segment");
    assert!(synced.is_some() && synced < begun, "{done:?}");
}

/// Takes away what a closed store could be built anew from.
fn forget_history(place: &Place) {
    let newest = segment(place);
    for path in support::files(&place.folder().join("log")) {
        if path != newest && !path.ends_with("witness") {
            fs::remove_file(path).unwrap();
        }
    }
}

/// The name of the newest segment of a closed store's log.
fn segment(place: &Place) -> PathBuf {
    let segments = support::files(&place.folder().join("log"));
    segments.into_iter().rfind(|path| path.extension().is_some_and(|extension| extension == "log")).unwrap()
}

fn is_damage(place: &Place, what: &str) {
    match place.try_open().unwrap_err() {
        StoreError::Damaged { folder, what: found, remedy } => {
            assert_eq!(folder, place.folder().display().to_string());
            assert!(found.contains(what), "{found}");
            assert!(remedy.contains("copy of the folder"), "{remedy}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_store_behind_its_log_is_damage_that_names_the_folder_and_the_remedy() {
    let place = Place::new();
    put(&place.open(), b"a", b"1").await.unwrap();
    let older = place.copy();
    put(&place.open(), b"b", b"2").await.unwrap();
    fs::remove_dir_all(place.folder().join("sled")).unwrap();
    copy_folder(&older.folder().join("sled"), &place.folder().join("sled"));
    forget_history(&place);
    is_damage(&place, "the commit log starts at");
}

#[tokio::test]
async fn a_log_with_a_hole_or_without_its_end_is_damage() {
    let place = Place::new();
    let store = place.open();
    for n in 0..9 {
        put(&store, &[n], &[n; 100]).await.unwrap();
    }
    let killed = place.copy();
    let path = segment(&killed);
    let whole = fs::read(&path).unwrap();
    let frames: Vec<_> = whole.windows(4).enumerate().filter(|(_, w)| w == b"FdGr").map(|(at, _)| at).collect();
    fs::write(&path, [&whole[..frames[3]], &whole[frames[4]..]].concat()).unwrap();
    is_damage(&killed, "");
    fs::write(&path, &whole[..frames[7]]).unwrap();
    is_damage(&killed, "later commits were acknowledged");
    fs::remove_file(killed.folder().join("log/witness")).unwrap();
    is_damage(&killed, "its end is missing");
    fs::write(&path, &whole).unwrap();
    assert_eq!(get(&killed.open(), &[8]).await, Some(vec![8; 100]));
}

#[tokio::test]
async fn a_log_that_is_gone_is_damage() {
    let place = Place::new();
    put(&place.open(), b"a", b"1").await.unwrap();
    forget_history(&place);
    fs::remove_file(segment(&place)).unwrap();
    is_damage(&place, "no segment");
    fs::remove_dir_all(place.folder().join("log")).unwrap();
    is_damage(&place, "cannot be read");
}

#[tokio::test]
async fn a_panic_of_sled_is_an_error() {
    let place = Place::new();
    let store = place.open();
    for n in 0..200_u8 {
        put(&store, &[n], &[n; 3000]).await.unwrap();
    }
    drop(store);
    drop(place.open());
    forget_history(&place);
    // Without snapshots sled decodes its own log, and panics on some of what it does not expect there.
    for snapshot in support::files(&place.folder().join("sled")) {
        if snapshot.to_string_lossy().contains("snap.") {
            fs::remove_file(snapshot).unwrap();
        }
    }
    let whole = fs::read(place.folder().join("sled/db")).unwrap();
    let mut panics = 0;
    for part in 1..24 {
        let mut broken = whole.clone();
        broken[whole.len() * part / 24..][..4096].fill(0);
        let copy = place.copy();
        fs::write(copy.folder().join("sled/db"), broken).unwrap();
        match copy.try_open() {
            Err(StoreError::Damaged { what, .. }) => panics += u32::from(what.contains("panicked")),
            Ok(_) => {}
            Err(other) => panic!("part {part}: {other}"),
        }
    }
    assert!(panics > 0, "sled did not panic, so nothing was shown");
}

#[tokio::test]
async fn a_record_that_sled_lost_is_noticed_at_the_next_open() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    put(&store, b"b", b"2").await.unwrap();
    drop(store);
    let db = sled::open(place.folder().join("sled")).unwrap();
    let key = db.iter().keys().map(|key| key.unwrap()).find(|key| key.ends_with(b"a")).unwrap();
    db.remove(key).unwrap();
    drop(db);
    forget_history(&place);
    is_damage(&place, "records were found");
}

#[tokio::test]
async fn a_new_store_is_synced_before_it_has_its_name_and_its_name_after() {
    let place = Place::new();
    drop(place.open());
    let done = place.faults.take();
    let at = |what: &str| done.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {done:?}"));
    let renamed = at("rename store");
    for before in
        ["sync db", "sync conf", "sync segment", "sync-folder sled", "sync-folder log", "sync-folder store.init"]
    {
        assert!(at(before) < renamed, "{before} in {done:?}");
    }
    let parent = format!("sync-folder {}", place.root.path().file_name().unwrap().to_string_lossy());
    assert!(at(&parent) > renamed);
}

#[tokio::test]
async fn an_empty_folder_that_a_person_made_becomes_a_store() {
    let place = Place::new();
    fs::create_dir(place.folder()).unwrap();
    put(&place.open(), b"a", b"1").await.unwrap();
    assert_eq!(get(&place.open(), b"a").await, Some(b"1".to_vec()));
}

#[tokio::test]
async fn an_idle_store_starts_a_segment_by_itself() {
    let place = Place::new();
    let options = Options { checkpoint_after: std::time::Duration::from_millis(1), ..support::options() };
    let points = Arc::new(place.faults.clone());
    let store = SledStore::open(place.folder(), Options { io: points, ..options }).unwrap();
    put(&store, b"a", &[1; 3000]).await.unwrap();
    let begun = async {
        while fs::metadata(segment(&place)).unwrap().len() >= 100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), begun).await.expect("a checkpoint");
    assert_eq!(get(&store, b"a").await, Some(vec![1; 3000]));
}

#[tokio::test]
async fn a_caller_that_gives_up_harms_nobody() {
    let place = Place::new();
    let store = place.open();
    for n in 0..50_u8 {
        let mut delta = Delta::new(store.epoch());
        delta.put(S, [n], [n; 10]);
        let mut commit = store.commit(delta);
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(commit.as_mut().poll(context))).await;
        drop((polled, commit));
    }
    put(&store, b"last", b"1").await.unwrap();
    // What was taken is whole; what came before is there, in order.
    assert_eq!(store.scan(Scan::prefix(S, b"", 99)).await.unwrap().len(), 51);
}

#[tokio::test]
async fn a_store_opened_without_its_snapshots_is_verified_whatever_its_size() {
    let place = Place::new();
    let store = place.open();
    put(&store, b"a", b"1").await.unwrap();
    put(&store, b"b", b"2").await.unwrap();
    drop(store);
    let db = sled::open(place.folder().join("sled")).unwrap();
    let key = db.iter().keys().map(|key| key.unwrap()).find(|key| key.ends_with(b"a")).unwrap();
    db.remove(key).unwrap();
    drop(db);
    let any_size = Options { verify_records_max: 0, ..support::options() };
    drop(SledStore::open(place.folder(), any_size.clone()).unwrap());
    forget_history(&place);
    fs::write(place.folder().join("sled/snap.00000000FFFFFFFF"), b"broken").unwrap();
    assert!(matches!(SledStore::open(place.folder(), any_size), Err(StoreError::Damaged { .. })));
}

/// sled collects its garbage only on its flusher's thread.
#[cfg(target_os = "linux")]
#[test]
fn sled_collects_its_garbage_and_its_cache_is_bounded() {
    let place = Place::new();
    let _store = place.open();
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let mut names = threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).ok());
    assert!(names.any(|name| name.contains("log flusher")));
    assert_eq!(Options::default().cache_bytes, 64 << 20);
}
