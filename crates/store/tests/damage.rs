//! Damaged stores: a read answers with the full content, or with a typed error; never a panic, never a loss.
//!
//! Must print the seed of what fails. `FLOWDECK_SOAK_DAMAGE` sets how many stores are damaged (default 60),
//! `FLOWDECK_SEED` where the seeds start.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use crate::support;

use std::fs;
use std::path::Path;

use flowdeck_engine::ports::store::{Delta, KeyValue, Scan, Space, Store, StoreError};
use flowdeck_store::SledStore;
use support::{Dice, copy_folder, files, number, options};

const S: Space = Space::Entries;

async fn fill(store: &SledStore, from: u64) {
    for n in from..from + 150 {
        let mut delta = Delta::new(store.epoch());
        let size =
            [20, 300, 5_000, 70_000][usize::from(n % 10 == 0) + usize::from(n % 30 == 0) + usize::from(n % 50 == 0)];
        delta.put(S, n.to_be_bytes(), vec![n as u8; size]).delete(S, (n / 2).to_be_bytes());
        store.commit(delta).await.unwrap();
    }
}

/// Breaks one file at one place, and says how.
fn damage(folder: &Path, dice: &mut Dice) -> String {
    let all = files(folder);
    let parts = ["/log/", "/sled/db", "/sled/snap.", "/blobs/", "/sled/conf"];
    let part = parts[dice.roll(parts.len() as u64) as usize];
    let fitting: Vec<_> = all.iter().filter(|path| path.to_string_lossy().contains(part)).collect();
    let Some(path) = fitting.get(dice.roll(fitting.len() as u64) as usize) else { return format!("no file {part}") };
    let mut bytes = fs::read(path).unwrap();
    let at = dice.roll(bytes.len() as u64) as usize;
    let how = ["cut", "flip", "zero page", "zero tail"][dice.roll(4) as usize];
    match how {
        "cut" => bytes.truncate(at),
        "flip" => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << dice.roll(8)),
        "zero page" => bytes.iter_mut().skip(at & !4095).take(4096).for_each(|byte| *byte = 0),
        _ => bytes.iter_mut().skip(at).for_each(|byte| *byte = 0),
    }
    fs::write(path, bytes).unwrap();
    format!("{how} at {at} of {}", path.file_name().unwrap().to_string_lossy())
}

async fn read(folder: &Path) -> Result<Vec<KeyValue>, StoreError> {
    let store = SledStore::open(folder, options())?;
    store.scan(Scan::prefix(S, b"", usize::MAX)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_whole_or_says_so() {
    let root = tempfile::tempdir().unwrap();
    let (closed, killed) = (root.path().join("closed"), root.path().join("killed"));
    let store = SledStore::open(&closed, options()).unwrap();
    fill(&store, 0).await;
    drop(store);
    let closed_content = read(&closed).await.unwrap();
    let open = root.path().join("open");
    copy_folder(&closed, &open);
    let store = SledStore::open(&open, options()).unwrap();
    fill(&store, 1000).await;
    copy_folder(&open, &killed);
    let killed_content = store.scan(Scan::prefix(S, b"", usize::MAX)).await.unwrap();
    drop(store);

    let (mut whole, mut told) = (0, 0);
    let first = number("FLOWDECK_SEED", 1);
    for seed in first..first + number("FLOWDECK_SOAK_DAMAGE", 60) {
        let mut dice = Dice(seed);
        let (template, expected) = if seed % 2 == 0 { (&closed, &closed_content) } else { (&killed, &killed_content) };
        let folder = root.path().join(format!("damaged-{seed}"));
        copy_folder(template, &folder);
        let how = damage(&folder, &mut dice);
        match read(&folder).await {
            Ok(content) => {
                assert!(content == *expected, "seed {seed}: {how}: {} of {} keys", content.len(), expected.len());
                whole += 1;
            }
            Err(StoreError::Damaged { .. }) => told += 1,
            Err(other) => panic!("seed {seed}: {how}: {other}"),
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    println!("{whole} whole, {told} told");
    assert!(told > 0 && whole > 0);
}
