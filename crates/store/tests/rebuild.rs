//! sled's files are gone or broken: the base and the log bring everything back, or the store says so and touches nothing.
//!
//! Must never pass because sled was whole after all: each test looks for what was put aside.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowdeck_engine::ports::store::{Scan, Store, StoreError};
use flowdeck_store::{Options, SledStore};
use rustix::io::Errno;
use support::faults::Faults;
use support::ledger::Ledger;

/// A store with its ledger, which checkpoints after a few commits.
struct Place {
    root: tempfile::TempDir,
    faults: Faults,
    ledger: Ledger,
    segment_bytes: u64,
}

impl Place {
    fn new() -> Self {
        let (root, faults) = (tempfile::tempdir().unwrap(), Faults::default());
        Self { root, faults, ledger: Ledger::default(), segment_bytes: 20_000 }
    }
    fn folder(&self) -> PathBuf {
        self.root.path().join("store")
    }
    fn options(&self) -> Options {
        let io = Arc::new(self.faults.clone());
        Options { io, segment_bytes: self.segment_bytes, free_bytes_min: 100, ..support::options() }
    }
    fn try_open(&self) -> Result<SledStore, StoreError> {
        SledStore::open(self.folder(), self.options())
    }
    /// Opens, commits, and closes.
    async fn work(&mut self, commits: u64) {
        let store = self.try_open().unwrap();
        for _ in 0..commits {
            self.ledger.commit(&store).await.unwrap();
        }
        close(store, &self.folder());
    }
    /// Everything is there, also after another open, and the store goes on.
    async fn is_whole(&mut self, what: &str) {
        for _ in 0..2 {
            let store = self.try_open().unwrap_or_else(|error| panic!("{what}: {error}"));
            self.ledger.verify(&store, what).await;
            store.check().await.unwrap();
            self.ledger.commit(&store).await.unwrap();
            close(store, &self.folder());
        }
    }
    fn is_damage(&self, words: &str) {
        match self.try_open().map(|_| ()) {
            Err(StoreError::Damaged { what, .. }) => assert!(what.contains(words), "{what}"),
            other => panic!("{other:?}"),
        }
    }
    fn log(&self, extension: &str) -> Vec<PathBuf> {
        let mut found = support::files(&self.folder().join("log"));
        found.retain(|path| path.extension().is_some_and(|found| found == extension));
        found
    }
    fn aside(&self, number: u32) -> PathBuf {
        self.root.path().join(format!("store.damaged.{number}"))
    }
    fn lose_sled(&self) {
        fs::remove_dir_all(self.folder().join("sled")).unwrap();
    }
}

/// Returns when sled has written its last.
fn close(store: SledStore, folder: &Path) {
    drop(store);
    let db = fs::File::open(folder.join("sled/db")).unwrap();
    rustix::fs::flock(&db, rustix::fs::FlockOperation::LockExclusive).unwrap();
}

#[tokio::test]
async fn a_young_store_is_built_anew_from_its_log_alone() {
    let mut place = Place::new();
    place.segment_bytes = 1 << 20;
    place.work(60).await;
    place.work(60).await;
    let found = (place.log("base").len(), place.log("log").len());
    assert_eq!(found, (0, 3));
    fs::write(place.folder().join("sled/db"), b"not what it was").unwrap();
    place.is_whole("sled's file is another one").await;
    assert!(place.aside(1).join("db").exists(), "the old file is kept");
}

#[tokio::test]
async fn an_older_store_is_built_anew_from_its_base_and_the_log_since() {
    let mut place = Place::new();
    for _ in 0..4 {
        place.work(150).await;
    }
    assert_eq!(place.log("base").len(), 1);
    let first: u64 = place.log("log")[0].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert!(first > 1, "the segments before the base are gone");
    place.lose_sled();
    place.is_whole("sled's folder is gone").await;
    assert!(!place.aside(1).exists(), "there was nothing to keep");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_that_was_made_while_commits_went_on_is_as_good() {
    let mut place = Place::new();
    let mut bases = std::collections::BTreeSet::new();
    while bases.len() < 6 {
        let store = place.try_open().unwrap();
        let before = bases.len();
        while bases.len() == before {
            place.ledger.commit(&store).await.unwrap();
            bases.extend(place.log("base"));
        }
        close(store, &place.folder());
        place.lose_sled();
        let store = place.try_open().unwrap();
        let what = format!("after {} commits", place.ledger.count);
        place.ledger.verify(&store, &what).await;
        store.check().await.unwrap();
        close(store, &place.folder());
    }
}

#[tokio::test]
async fn a_kill_half_way_through_the_repair_is_repaired_again() {
    let mut place = Place::new();
    place.work(100).await;
    place.lose_sled();
    let half = sled::open(place.folder().join("sled.new")).unwrap();
    half.insert(b"\x06of an earlier try", b"x").unwrap();
    drop(half);
    place.is_whole("killed while sled.new was filled, and before it got its name").await;
    assert!(!place.folder().join("sled.new").exists());
}

#[tokio::test]
async fn the_new_files_are_durable_before_they_have_their_name() {
    let mut place = Place::new();
    place.work(100).await;
    fs::write(place.folder().join("sled/db"), b"not what it was").unwrap();
    place.faults.take();
    drop(place.try_open().unwrap());
    let done = place.faults.take();
    let at = |what: &str| done.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {done:?}"));
    let (aside, named) =
        (done.iter().position(|line| line.starts_with("rename store.damaged")).unwrap(), at("rename sled"));
    assert!(at("sync db") < aside && at("sync conf") < aside && at("sync-folder sled.new") < aside, "{done:?}");
    assert!(aside < named && named < at("sync-folder store"), "{done:?}");
}

#[tokio::test]
async fn without_a_whole_history_it_is_damage_and_nothing_is_touched() {
    for (gone, words) in [("base", ""), ("log", ""), ("flip", "the base at commit"), ("hole", "gap before")] {
        let mut place = Place::new();
        for _ in 0..4 {
            place.work(150).await;
        }
        place.segment_bytes = 1 << 20;
        place.work(3).await;
        place.work(3).await;
        fs::write(place.folder().join("sled/db"), b"not what it was").unwrap();
        let (base, segments) = (place.log("base")[0].clone(), place.log("log"));
        match gone {
            "base" => fs::remove_file(base).unwrap(),
            "log" => fs::remove_file(&segments[0]).unwrap(),
            "hole" => fs::remove_file(&segments[1]).unwrap(),
            _ => {
                let mut bytes = fs::read(&base).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&base, bytes).unwrap();
            }
        }
        place.is_damage(words);
        assert!(place.folder().join("sled/db").exists(), "{gone}: it is where it was");
    }
}

#[tokio::test]
async fn a_cut_base_is_not_taken_for_a_small_one() {
    let mut place = Place::new();
    for _ in 0..4 {
        place.work(150).await;
    }
    let base = place.log("base")[0].clone();
    let whole = fs::read(&base).unwrap();
    let frames: Vec<_> = whole.windows(4).enumerate().filter(|(_, w)| w == b"FdGr").map(|(at, _)| at).collect();
    place.lose_sled();
    for cut in [20, frames[0], frames[0] + 50, *frames.last().unwrap(), whole.len() - 1] {
        fs::write(&base, &whole[..cut]).unwrap();
        place.is_damage("");
        fs::remove_dir_all(place.folder().join("sled")).unwrap_or_default();
    }
    fs::write(&base, whole).unwrap();
    place.is_whole("the whole base").await;
}

#[tokio::test]
async fn segments_go_only_when_the_base_is_durable() {
    let mut place = Place::new();
    place.work(1).await;
    while place.log("base").is_empty() {
        place.work(20).await;
    }
    place.work(1).await;
    let done = place.faults.take();
    let at = |what: &str| done.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what} in {done:?}"));
    assert!(at("sync base") < at("rename base"), "{done:?}");
    let durable = at("rename base") + done[at("rename base")..].iter().position(|l| l == "sync-folder log").unwrap();
    assert!(durable < at("remove segment"), "{done:?}");
}

#[tokio::test]
async fn a_base_that_finds_no_space_is_left_out_and_its_rest_removed() {
    let mut place = Place::new();
    place.faults.fail("write base", Errno::NOSPC);
    for _ in 0..3 {
        place.work(150).await;
    }
    assert!(place.log("base").is_empty());
    place.faults.heal();
    place.work(1).await;
    assert_eq!((place.log("base").len(), place.log("new").len()), (1, 0));
    place.lose_sled();
    place.is_whole("with the base that was made in the end").await;
}

#[tokio::test]
async fn a_base_that_cannot_be_synced_stops_the_store() {
    let mut place = Place::new();
    place.faults.fail("sync base", Errno::IO);
    let store = place.try_open().unwrap();
    let mut refused = None;
    for _ in 0..5_000 {
        refused = place.ledger.commit(&store).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert!(matches!(refused, Some(StoreError::Poisoned { .. })), "{refused:?}");
}

/// Takes one record out of sled, behind the store's back.
fn lose_a_record(place: &Place) {
    let db = sled::open(place.folder().join("sled")).unwrap();
    let key = db.iter().keys().map(|key| key.unwrap()).find(|key| key.len() == 9).unwrap();
    db.remove(key).unwrap().unwrap();
}

#[tokio::test]
async fn a_large_store_that_met_damage_is_verified_at_the_next_open_and_built_anew() {
    let mut place = Place::new();
    place.segment_bytes = 1 << 20;
    place.work(100).await;
    lose_a_record(&place);
    let large = || Options { verify_records_max: 0, ..place.options() };
    let store = SledStore::open(place.folder(), large()).unwrap();
    assert!(matches!(store.check().await, Err(StoreError::Damaged { .. })));
    close(store, &place.folder());
    assert!(!place.aside(1).exists());
    let store = SledStore::open(place.folder(), large()).unwrap();
    let mut ledger = place.ledger.clone();
    ledger.verify(&store, "the lost record is back").await;
    store.check().await.unwrap();
    close(store, &place.folder());
    assert!(place.aside(1).exists() && !place.aside(2).exists());
    // The mark is gone: no further open reads everything.
    assert!(!place.folder().join("suspect").exists());
}

#[tokio::test]
async fn a_base_is_not_made_of_a_store_that_lost_a_record() {
    let mut place = Place::new();
    place.work(150).await;
    lose_a_record(&place);
    for base in place.log("base") {
        fs::remove_file(base).unwrap();
    }
    let large = || Options { verify_records_max: 0, ..place.options() };
    let store = SledStore::open(place.folder(), large()).unwrap();
    close(store, &place.folder());
    assert!(place.log("base").is_empty());
    assert!(place.folder().join("suspect").exists(), "the next open looks at everything");
}

#[tokio::test]
async fn a_store_without_history_gets_a_base_at_its_first_checkpoint() {
    let mut place = Place::new();
    place.segment_bytes = 1 << 20;
    place.work(50).await;
    place.work(50).await;
    // As a version that kept nothing left it.
    let segments = place.log("log");
    for old in &segments[..segments.len() - 1] {
        fs::remove_file(old).unwrap();
    }
    assert!(place.log("base").is_empty());
    place.work(1).await;
    assert_eq!(place.log("base").len(), 1);
    place.lose_sled();
    place.is_whole("from the base").await;
    let store = place.try_open().unwrap();
    assert!(!store.scan(Scan::prefix(support::ledger::S, b"", 9)).await.unwrap().is_empty());
}
