//! Kills of a real process under load: nothing acknowledged is lost, nothing is torn, every start succeeds.
//!
//! Must never decide by time what is right, only when to kill. `FLOWDECK_SOAK_STORE_KILLS` sets how many kills
//! (default 12), `FLOWDECK_SEED` where the seeds start.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use flowdeck_engine::ports::store::{Scan, Space, Store};
use flowdeck_store::SledStore;
use support::{Dice, number, options};

/// The highest number each writer saw acknowledged.
type Acknowledged = BTreeMap<u64, u64>;

/// Runs the driver until it has said so many lines, and kills it there; the pipe is read to its end, so that no
/// acknowledgement is missed.
fn live(folder: &Path, seed: u64, lines: u64, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_store-driver"))
        .args(["load".as_ref(), folder.as_os_str(), seed.to_string().as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0_u64.. {
        if n == lines {
            child.kill().unwrap();
        }
        let Some(Ok(line)) = said.next() else { break };
        let words: Vec<_> = line.split(' ').collect();
        if let ["ok", writer, number] = words[..] {
            acknowledged.insert(writer.parse().unwrap(), number.parse().unwrap());
        }
    }
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code().is_none() && told.is_empty(), "seed {seed}: it ended by itself: {told}");
}

async fn verify(folder: &Path, acknowledged: &Acknowledged, lives: u64, what: &str) {
    let store = SledStore::open(folder, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    for writer in 0..8_u64 {
        let last = store.get(Space::Runs, &writer.to_be_bytes()).await.unwrap();
        let last = last.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let least = acknowledged.get(&writer).copied().unwrap_or(0);
        // A writer has one commit in flight when it is killed.
        assert!(
            (least..=least + lives).contains(&last),
            "{what}: writer {writer} is at {last}, {least} was acknowledged"
        );
        let prefix = writer.to_be_bytes();
        let entries = store.scan(Scan::prefix(Space::Entries, prefix, usize::MAX)).await.unwrap();
        let numbers: Vec<_> = entries.iter().map(|(_, n)| u64::from_be_bytes(n[..].try_into().unwrap())).collect();
        assert!(numbers.iter().copied().eq(1..=last), "{what}: writer {writer}: a gap before {last}");
        for (key, value) in store.scan(Scan::prefix(Space::States, prefix, usize::MAX)).await.unwrap() {
            let slot = u64::from_be_bytes(key[8..].try_into().unwrap());
            let newest = (1..=last).rev().find(|n| n % 13 == slot).unwrap();
            assert_eq!(value[..8], newest.to_be_bytes(), "{what}: writer {writer}, slot {slot}");
            assert!(value[8..].iter().all(|byte| *byte == newest as u8), "{what}: a torn value");
        }
    }
    store.check().await.unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let (first, kills) = (number("FLOWDECK_SEED", 1), number("FLOWDECK_SOAK_STORE_KILLS", 12));
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let (mut while_starting, mut commits, mut lives) = (0, 0, 0);
    for seed in first..first + kills {
        let mut dice = Dice(seed);
        // Young and old stores fail differently: a new one now and then.
        let folder = root.path().join(format!("store-{}", seed / 50));
        if seed % 50 == 0 {
            commits += acknowledged.values().sum::<u64>();
            acknowledged.clear();
            lives = 0;
        }
        // The first lines come before and right after the store is open.
        let lines = if dice.roll(4) == 0 { dice.roll(3) } else { dice.roll(600) };
        while_starting += u64::from(lines < 2);
        live(&folder, seed, lines, &mut acknowledged);
        lives += 1;
        // Not after every kill: recovery must also stand on recovery that was killed.
        if folder.exists() && dice.roll(3) == 0 {
            verify(&folder, &acknowledged, lives, &format!("seed {seed}, killed after {lines} lines")).await;
            // The verification's own reads are no commits; the writers go on behind what they find.
            let store = SledStore::open(&folder, options()).unwrap();
            for writer in 0..8_u64 {
                let last = store.get(Space::Runs, &writer.to_be_bytes()).await.unwrap();
                let last = last.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
                acknowledged.insert(writer, last);
            }
            lives = 0;
        }
    }
    commits += acknowledged.values().sum::<u64>();
    println!("{kills} kills, {while_starting} of them while starting, {commits} commits acknowledged");
    assert!(commits > 0);
}
