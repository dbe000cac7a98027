//! A process around a store, for tests that trace, stop or kill it. Never shipped.
//!
//! Must never print `ok` before the store has acknowledged.
//! Tests: `tests/sync.rs`, `tests/kills.rs`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Space, Store, StoreError};
use flowdeck_store::{Options, SledStore};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let folder = PathBuf::from(arguments.next().unwrap_or_default());
    let number: u64 = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(0);
    let outcome = match verb.to_str() {
        Some("one-by-one") => one_by_one(folder, number),
        Some("load") => load(folder, number),
        Some("count") => count(folder),
        _ => {
            eprintln!("store-driver one-by-one|load|count FOLDER [NUMBER]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Small segments, so that a short life has checkpoints.
fn options() -> Options {
    Options { cache_bytes: 4 << 20, segment_bytes: 200_000, ballast_bytes: 0, free_bytes_min: 0, ..Options::default() }
}

/// One write, whole or not at all for whoever reads the pipe.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away ends nothing here; the test that killed it knows.
    drop(out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()));
}

fn runtime() -> Result<tokio::runtime::Runtime, StoreError> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().map_err(|cause| StoreError::Io {
        folder: String::new(),
        what: "start".to_owned(),
        cause: cause.to_string(),
    })
}

fn one_by_one(folder: PathBuf, commits: u64) -> Result<(), StoreError> {
    let store = SledStore::open(folder, options())?;
    runtime()?.block_on(async {
        for n in 0..commits {
            say(&format!("commit {n}"));
            let mut delta = Delta::new(store.epoch());
            delta.put(Space::Entries, n.to_be_bytes(), vec![n as u8; 200]);
            store.commit(delta).await?;
            say(&format!("ok {n}"));
        }
        Ok(())
    })
}

/// Eight writers that never end. Writer `w` goes on behind its last number; each commit writes its number in three
/// places and, now and then, a value of another size.
fn load(folder: PathBuf, seed: u64) -> Result<(), StoreError> {
    say("starting");
    let store = Arc::new(SledStore::open(folder, options())?);
    say("open");
    runtime()?.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8_u64 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let last = store.get(Space::Runs, &writer.to_be_bytes()).await?;
                let mut n = last.map_or(0, |bytes| bytes.try_into().map_or(0, u64::from_be_bytes));
                loop {
                    n += 1;
                    let size = match (n + seed) % 40 {
                        0 => 70_000,
                        1..4 => 9_000,
                        other => other as usize * 12,
                    };
                    let mut delta = Delta::new(store.epoch());
                    let entry = [writer.to_be_bytes(), n.to_be_bytes()].concat();
                    delta.expect_absent(Space::Entries, entry.clone());
                    delta.put(Space::Entries, entry, n.to_be_bytes());
                    delta.put(Space::Runs, writer.to_be_bytes(), n.to_be_bytes());
                    let slot = [writer.to_be_bytes(), (n % 13).to_be_bytes()].concat();
                    delta.put(Space::States, slot, [&n.to_be_bytes()[..], &vec![n as u8; size]].concat());
                    store.commit(delta).await?;
                    say(&format!("ok {writer} {n}"));
                }
            });
        }
        while let Some(ended) = writers.join_next().await {
            let outcome: Result<(), StoreError> = ended.unwrap_or(Ok(()));
            outcome?;
        }
        Ok(())
    })
}

fn count(folder: PathBuf) -> Result<(), StoreError> {
    let store = SledStore::open(folder, options())?;
    let scan = flowdeck_engine::ports::store::Scan::prefix(Space::Entries, b"".to_vec(), usize::MAX);
    let keys = runtime()?.block_on(store.scan(scan))?.len();
    say(&keys.to_string());
    Ok(())
}
