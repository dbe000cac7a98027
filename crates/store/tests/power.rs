//! Power cuts: whatever a disk with a volatile cache may leave, every acknowledged commit is there and none is torn.
//!
//! Must never need luck: `FLOWDECK_SOAK_POWER` sets how many images are tried (default 80), `FLOWDECK_SEED` where the
//! seeds start; a failure names its seed.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::path::Path;
use std::sync::Arc;

use flowdeck_engine::ports::store::Store;
use flowdeck_store::{Options, SledStore};
use support::disk_model::Recorder;
use support::ledger::{HEAVY_FROM, Ledger};
use support::{Dice, number, options};

const COMMITS: u64 = 160;

/// A history, what had happened at each of its commits' answers, and the ledger of commits before it.
struct History {
    recorder: Recorder,
    /// Events when commit `n` was asked for, and when it was answered.
    answers: Vec<(usize, usize)>,
    first: u64,
}

impl History {
    fn end(&self) -> u64 {
        self.first + self.answers.len() as u64
    }
}

async fn history(folder: &Path, first: u64) -> History {
    let recorder = Recorder::default();
    let io = Arc::new(recorder.clone());
    let store = SledStore::open(folder, Options { io, segment_bytes: 60_000, ..options() }).unwrap();
    recorder.begin(folder);
    let mut answers = Vec::new();
    let mut n = first;
    while n < first + COMMITS {
        let began = recorder.now();
        let [one, two] = [n, n + 1].map(|n| store.commit(Ledger::delta(store.epoch(), n)));
        if n.is_multiple_of(3) {
            // Two in one group, in this order.
            let (one, two) = tokio::join!(one, two);
            one.and(two).unwrap();
            answers.extend([(began, recorder.now()); 2]);
            n += 2;
        } else {
            one.await.unwrap();
            answers.push((began, recorder.now()));
            n += 1;
        }
    }
    drop(store);
    History { recorder, answers, first }
}

/// Opens an image and finds a prefix of the history that holds all that was acknowledged.
async fn verify(image: &Path, least: u64, most: u64, what: &str) {
    let store = SledStore::open(image, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut ledger = Ledger::default();
    ledger.find(&store, least, most, what).await;
    store.check().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    ledger.commit(&store).await.unwrap();
    drop(store);
    let store = SledStore::open(image, options()).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    ledger.verify(&store, what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_acknowledged_and_tears_nothing() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("store");
    // The second history begins with what a clean close and an open leave; the third makes sled move things.
    let mut histories = vec![history(&folder, 0).await];
    while histories.len() < 3 {
        let first = histories[histories.len() - 1].end();
        histories.push(history(&folder, first).await);
    }
    assert!(histories[2].first >= HEAVY_FROM);
    let (first, images) = (number("FLOWDECK_SEED", 1), number("FLOWDECK_SOAK_POWER", 80));
    let (mut ahead, mut rebuilt) = (0, 0);
    for seed in first..first + images {
        let mut dice = Dice(seed);
        let history = &histories[(seed % 3) as usize];
        let at = dice.roll(history.recorder.now() as u64) as usize;
        let image = root.path().join(format!("image-{seed}"));
        history.recorder.image(at, &mut dice, &folder, &image);
        let least = history.first + history.answers.iter().filter(|(_, answered)| *answered <= at).count() as u64;
        let most = history.first + history.answers.iter().filter(|(asked, _)| *asked < at).count() as u64;
        ahead += most - least;
        verify(&image, least, most, &format!("seed {seed}, cut after {at} events")).await;
        std::fs::remove_dir_all(&image).unwrap();
        // sled's own files were of no use, and the base and the log replaced them.
        let aside = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains(".damaged.")).collect();
        rebuilt += u64::from(!aside.is_empty());
        aside.iter().for_each(|path| std::fs::remove_dir_all(path).unwrap());
    }
    println!("{images} images, {ahead} commits were in flight, {rebuilt} times sled was built anew");
}
