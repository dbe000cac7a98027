//! A failed sync poisons at once, wherever it happens; an acknowledged commit was synced.
//!
//! Must never let a later sync make up for a failed one. `FLOWDECK_SOAK_SYNC` limits at which sync it fails
//! (default 40); the loop ends early where the scenario has no further sync.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::process::Command;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Store, StoreError};
use flowdeck_sim::did_not_run;
use flowdeck_store::{Options, SledStore};
use rustix::io::Errno;
use support::faults::Faults;
use support::ledger::{Ledger, S};
use support::{number, options};

/// Small segments, so that checkpoints and their syncs are reached too.
fn with(faults: &Faults) -> Options {
    Options { io: Arc::new(faults.clone()), segment_bytes: 40_000, ..options() }
}

/// Opens, commits, opens again, commits: answers whether the failing sync was met.
async fn scenario(nth: u64) -> bool {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    let faults = Faults::default();
    faults.fail_nth(&["sync", "sync-folder"], nth, Errno::IO);
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        let Ok(store) = SledStore::open(&folder, with(&faults)) else {
            assert!(faults.was_hit(), "sync {nth}: opening failed without a reason");
            break;
        };
        for n in 0..40 {
            let hit_before = faults.was_hit();
            match ledger.commit(&store).await {
                // A checkpoint's sync may fail behind an acknowledged commit, never before it.
                Ok(()) => assert!(!hit_before, "sync {nth}: commit {n} was acknowledged after a failed sync"),
                Err(StoreError::Poisoned { .. }) => {
                    assert!(faults.was_hit());
                    let done = faults.take();
                    assert!(matches!(ledger.commit(&store).await, Err(StoreError::Poisoned { .. })));
                    assert!(matches!(store.get(S, b"k").await, Err(StoreError::Poisoned { .. })));
                    assert_eq!(faults.take(), Vec::<String>::new(), "sync {nth}: nothing is written after {done:?}");
                    break;
                }
                Err(other) => panic!("sync {nth}: {other}"),
            }
        }
        drop(store);
        if faults.was_hit() {
            break;
        }
    }
    let hit = faults.was_hit();
    faults.heal();
    let store = SledStore::open(&folder, with(&faults)).unwrap();
    ledger.verify(&store, &format!("sync {nth}")).await;
    ledger.commit(&store).await.unwrap();
    hit
}

#[tokio::test]
async fn the_nth_failed_sync_poisons_at_once_and_a_restart_recovers() {
    let most = number("FLOWDECK_SOAK_SYNC", 40);
    let mut nth = 0;
    while nth < most && scenario(nth).await {
        nth += 1;
    }
    println!("{nth} syncs failed, one at a time");
    assert!(nth >= 30, "the scenario reached only {nth} syncs");
}

/// The order of system calls of a real process, seen from outside.
#[test]
fn strace_sees_the_logs_sync_between_each_write_and_its_acknowledgement() {
    if Command::new("strace").arg("-V").output().is_err() {
        return did_not_run("the order of system calls (needs strace)");
    }
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "40", "-e", "trace=write,pwrite64,fdatasync,fsync", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_store-driver"))
        .args(["one-by-one".as_ref(), root.path().join("store").as_os_str(), "20".as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(trace).unwrap();
    let mut calls = trace.lines();
    for n in 0..20 {
        let (begin, end) = (format!("\"commit {n}\\n\""), format!("\"ok {n}\\n\""));
        calls.by_ref().find(|call| call.contains(&begin)).unwrap_or_else(|| panic!("{begin} in the trace"));
        let between: Vec<_> = calls.by_ref().take_while(|call| !call.contains(&end)).collect();
        let log = |call: &&str, verb: &str| call.contains(verb) && call.contains(".log>");
        let written = between.iter().position(|call| log(call, "pwrite64("));
        let syncs: Vec<_> = (0..between.len()).filter(|at| log(&between[*at], "fdatasync(")).collect();
        assert_eq!(syncs.len(), 1, "commit {n}: syncs of the log in {between:#?}");
        assert!(written.is_some_and(|written| written < syncs[0]), "commit {n}: {between:#?}");
        // The sync had come back before the answer was printed.
        let sync = between[syncs[0]];
        let thread = sync.split_whitespace().next().unwrap();
        let back = sync.ends_with("= 0")
            || between.iter().any(|call| call.starts_with(thread) && call.contains("fdatasync resumed"));
        assert!(back, "commit {n}: {between:#?}");
    }
}

/// The same failure where only the kernel can make it.
#[test]
fn a_real_process_whose_sync_fails_stops_and_loses_nothing() {
    if Command::new("strace").arg("-V").output().is_err() {
        return did_not_run("failing system calls (needs strace)");
    }
    for nth in [4, 9, 15] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("store");
        let output = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync"])
            .args(["-e".to_owned(), format!("inject=fdatasync:error=EIO:when={nth}")])
            .arg(env!("CARGO_BIN_EXE_store-driver"))
            .args(["one-by-one".as_ref(), folder.as_os_str(), "40".as_ref()])
            .output()
            .unwrap();
        assert!(!output.status.success(), "sync {nth} failed and nobody noticed");
        let text = String::from_utf8_lossy(&output.stdout);
        let acknowledged = text.lines().filter(|line| line.starts_with("ok ")).count() as u64;
        let tried = text.lines().filter(|line| line.starts_with("commit ")).count() as u64;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("restart to recover") || told.contains("make the store"), "{told}");
        let again = Command::new(env!("CARGO_BIN_EXE_store-driver"))
            .args(["count".as_ref(), folder.as_os_str()])
            .output()
            .unwrap();
        let count: u64 = String::from_utf8_lossy(&again.stdout).trim().parse().unwrap();
        assert!((acknowledged..=tried).contains(&count), "sync {nth}: {count} of {acknowledged}..={tried}");
    }
}
