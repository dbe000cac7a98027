//! A full disk: the n-th write has no space, a small real file system, the ballast.
//!
//! Must never lose an acknowledged commit, nor keep a refused one. `FLOWDECK_SOAK_DISK` limits at which operation it
//! fails (default 150, every seventh) and how many small file systems are filled (a hundredth, at least one).
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Store, StoreError};
use flowdeck_sim::did_not_run;
use flowdeck_store::{Options, SledStore};
use rustix::io::Errno;
use support::faults::Faults;
use support::ledger::{Ledger, S};
use support::{number, options};

const WRITES: &[&str] = &["write", "create", "create-folder", "cut", "reserve", "rename"];

fn with(faults: &Faults) -> Options {
    Options { io: Arc::new(faults.clone()), segment_bytes: 40_000, ballast_bytes: 1 << 20, ..options() }
}

/// Answers whether the failing operation was met.
async fn scenario(nth: u64) -> bool {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let faults = Faults::default();
    faults.fail_nth(WRITES, nth, Errno::NOSPC);
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        let store = match SledStore::open(&folder, with(&faults)) {
            Ok(store) => store,
            // Poisoned: the epoch's own commit met it, and it may be durable.
            Err(StoreError::Full { .. } | StoreError::Poisoned { .. }) => {
                assert!(faults.was_hit());
                SledStore::open(&folder, with(&faults)).unwrap()
            }
            Err(other) => panic!("write {nth}: {other}"),
        };
        let mut refused = 0;
        for n in 0..40 {
            match ledger.commit(&store).await {
                Ok(()) => {}
                Err(StoreError::Full { .. }) => {
                    refused += 1;
                    assert_eq!(refused, 1, "write {nth}: it failed once");
                    // Reads go on, and nothing of the refused commit is there.
                    ledger.verify(&store, &format!("write {nth}, commit {n} was refused")).await;
                }
                Err(StoreError::Poisoned { .. }) => break,
                Err(other) => panic!("write {nth}: {other}"),
            }
        }
        drop(store);
    }
    let hit = faults.was_hit();
    faults.heal();
    let store = SledStore::open(&folder, with(&faults)).unwrap();
    ledger.verify(&store, &format!("write {nth}")).await;
    assert!(ledger.count > 0, "write {nth}: nothing was accepted at all");
    ledger.commit(&store).await.unwrap();
    hit
}

#[tokio::test]
async fn the_nth_write_without_space_is_refused_or_recovered() {
    let most = number("FLOWDECK_SOAK_DISK", 150);
    // The gate's slice looks at every seventh.
    let stride = if most > 150 { 1 } else { 7 };
    let (mut nth, mut failed) = (0, 0);
    while nth < most && scenario(nth).await {
        nth += stride;
        failed += 1;
    }
    println!("{failed} of {nth} writes failed, one at a time");
    assert!(nth >= 100, "the scenario reached only {nth} writes");
}

#[tokio::test]
async fn the_ballast_is_taken_where_there_is_space_and_given_back_where_there_is_none() {
    let root = tempfile::tempdir().unwrap();
    let (folder, faults) = (root.path().join("store"), Faults::default());
    let open = || SledStore::open(&folder, with(&faults)).unwrap();
    let ballast = folder.join("ballast");
    let mut ledger = Ledger::default();
    let store = open();
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), 1 << 20);
    faults.fail("write segment", Errno::NOSPC);
    assert!(matches!(ledger.commit(&store).await, Err(StoreError::Full { .. })));
    assert!(!ballast.exists(), "given back when the disk is full");
    faults.heal();
    drop(store);
    drop(open());
    assert!(ballast.exists(), "taken again when there is space");
    faults.fail("free", Errno::NOSPC);
    drop(open());
    assert!(!ballast.exists(), "given back before a store on a full disk is opened");
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

/// Fills a real small file system until commits are refused, to the last byte, and goes on when there is space.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_small_disk_fills_up_and_nothing_is_lost() {
    let rounds = (number("FLOWDECK_SOAK_DISK", 0) / 100).max(1);
    let (mut accepted, mut poisoned) = (0, 0);
    for round in 0..rounds {
        let root = tempfile::tempdir().unwrap();
        let mebibytes = 8 + round % 3 * 8;
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(root.path()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            return did_not_run("a real small file system (needs root and the right to mount)");
        }
        let _mounted = Mounted(root.path());
        let folder = root.path().join("store");
        // Without a lower limit of free space, so that every last byte is tried for.
        let options = || Options { ballast_bytes: 2 << 20, segment_bytes: 1 << 20, ..options() };
        let mut ledger = Ledger::default();
        let filler = root.path().join("filler");
        // sled's file grows in steps; other files leave the store less and less.
        std::fs::write(&filler, vec![1; (round as usize * 321_987) % (2 << 20) + 1]).unwrap();
        let mut store = SledStore::open(&folder, options()).unwrap();
        let mut refused = 0;
        for n in 0..20_000_u64 {
            let mut grow = Ledger::delta(store.epoch(), n);
            grow.ops.clear();
            grow.put(flowdeck_engine::ports::store::Space::Audit, n.to_be_bytes(), vec![n as u8; 3000]);
            let outcomes = [store.commit(grow).await, ledger.commit(&store).await];
            if outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Poisoned { .. }))) {
                poisoned += 1;
                break;
            }
            refused += u64::from(outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Full { .. }))));
            if refused > 20 {
                break;
            }
        }
        accepted += ledger.count;
        if refused > 20 {
            // sled's own thread may have met the full disk meanwhile.
            match store.get(S, &0_u64.to_be_bytes()).await {
                Ok(_) => {}
                Err(StoreError::Poisoned { .. }) => poisoned += 1,
                Err(other) => panic!("reads go on, or the store has stopped: {other}"),
            }
        }
        drop(store);
        // Still full: opening works, or says that the disk is full.
        match SledStore::open(&folder, options()) {
            Ok(opened) => {
                ledger.verify(&opened, &format!("round {round}, still full")).await;
                drop(opened);
            }
            Err(StoreError::Full { .. }) => {}
            Err(other) => panic!("round {round}: {other}"),
        }
        let larger = format!("remount,size={}m", mebibytes + 16);
        assert!(Command::new("mount").args(["-o", &larger]).arg(root.path()).status().unwrap().success());
        store = SledStore::open(&folder, options()).unwrap();
        ledger.verify(&store, &format!("round {round}, with space")).await;
        ledger.commit(&store).await.unwrap();
        store.check().await.unwrap();
    }
    println!("{rounds} small disks filled, {accepted} commits accepted, {poisoned} stopped by sled");
    assert!(accepted > 0);
}
