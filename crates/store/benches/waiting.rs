//! `cargo xtask bench waiting`: 100,000 waiting runs on disk; how long opening takes, and how much memory.
//!
//! Must never assert a time. The parent fills the store, children open it: their memory is theirs alone.
#![allow(clippy::expect_used, reason = "a bench that cannot run says why by panicking")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use flowdeck_engine::ports::store::{Delta, Scan, Space, Store};
use flowdeck_store::{Options, SledStore};

const RUNS: u64 = 100_000;
const STATE_BYTES: usize = 1024;

fn main() {
    let mut arguments = std::env::args_os().skip_while(|argument| argument != "open").skip(1);
    match arguments.next() {
        Some(folder) => open(Path::new(&folder)),
        None => parent(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// Bytes that no compression makes small.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

async fn fill(store: &SledStore) {
    for first in (0..RUNS).step_by(250) {
        let mut delta = Delta::new(store.epoch());
        for run in first..first + 250 {
            // As a run's id is: a time, then chance.
            let id = [&(run / 3).to_be_bytes()[2..], &noise(run, 10)].concat();
            delta.put(Space::Runs, id.clone(), noise(run + 1, 200));
            delta.put(Space::States, id.clone(), noise(run + 2, STATE_BYTES));
            delta.put(Space::Waits, [&b"connection/playground/"[..], &id].concat(), noise(run + 3, 24));
            delta.put(Space::Timers, [&(run * 7).to_be_bytes()[..], &id].concat(), b"expire");
            delta.put(Space::Entries, [&id[..], &0_u64.to_be_bytes()].concat(), noise(run + 4, 120));
        }
        store.commit(delta).await.expect("a commit");
    }
}

fn parent() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("store");
    let began = Instant::now();
    let store = SledStore::open(&folder, Options::default()).expect("a store");
    runtime().block_on(fill(&store));
    let stats = store.stats().expect("sizes");
    println!(
        "{RUNS} waiting runs, {} records, {} MiB of sled, filled in {:.1} s",
        stats.records,
        stats.sled_bytes >> 20,
        began.elapsed().as_secs_f64()
    );
    // As a kill leaves it: a log that is not applied, and no clean close.
    let killed = root.path().join("killed");
    assert!(Command::new("cp").arg("-r").arg(&folder).arg(&killed).status().expect("cp").success());
    drop(store);
    let lost = root.path().join("lost");
    assert!(Command::new("cp").arg("-r").arg(&folder).arg(&lost).status().expect("cp").success());
    std::fs::remove_dir_all(lost.join("sled")).expect("sled's files");
    println!("{:>28}  {:>8}  {:>12}  {:>8}", "", "open", "find waiting", "memory");
    let opens = [
        ("after a clean close", &folder),
        ("again", &folder),
        ("after a kill", &killed),
        ("built anew from the log", &lost),
    ];
    for (name, folder) in opens {
        let own = std::env::current_exe().expect("this program");
        let output = Command::new(own).arg("open").arg(folder).output().expect("a child");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{name:>28}  {}", String::from_utf8_lossy(&output.stdout).trim_end());
    }
}

fn open(folder: &Path) {
    let began = Instant::now();
    let store = SledStore::open(folder, Options::default()).expect("a store");
    let opened = began.elapsed();
    let waiting = runtime().block_on(async {
        let mut scan = Scan::prefix(Space::Waits, b"connection/playground/", 1000);
        scan.keys_only = true;
        let mut found = 0;
        loop {
            let page = store.scan(scan.clone()).await.expect("a page");
            found += page.len() as u64;
            match page.last() {
                Some((last, _)) => scan.after = Some(last.clone()),
                None => break found,
            }
        }
    });
    assert_eq!(waiting, RUNS);
    let found = began.elapsed() - opened;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    let mebibytes = peak.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib >> 10);
    println!("{:>5} ms  {:>9} ms  {mebibytes:>4} MiB", opened.as_millis(), found.as_millis());
}
