//! Commits against the machine's own limit: the same bytes appended, synced once a group, put into sled as a batch.
//!
//! Must never compare across runs: both sides alternate within one. `cargo bench -p flowdeck-store`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use flowdeck_engine::ports::store::{Delta, Space, Store};
use flowdeck_store::{Options, SledStore};

const ROUNDS: usize = 9;
const VALUE_BYTES: usize = 300;

fn commits(writers: u32) -> u32 {
    if writers == 1 { 1_000 } else { writers * 200 }
}

fn pair(writer: u32, n: u32) -> (Vec<u8>, Vec<u8>) {
    ([writer.to_be_bytes(), n.to_be_bytes()].concat(), vec![n as u8; VALUE_BYTES])
}

fn ours(folder: &Path, writers: u32) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let store = Arc::new(SledStore::open(folder, Options::default()).expect("a store"));
    let each = commits(writers) / writers;
    let began = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for n in 0..each {
                        let (key, value) = pair(writer, n);
                        let mut delta = Delta::new(store.epoch());
                        delta.put(Space::Entries, key, value);
                        store.commit(delta).await.expect("a commit");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a writer");
        }
    });
    f64::from(each * writers) / began.elapsed().as_secs_f64()
}

/// The same writers as tasks that wait for one thread, which appends, syncs and applies what has gathered.
fn raw(folder: &Path, writers: u32) -> f64 {
    std::fs::create_dir_all(folder).expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let db = sled::Config::new().path(folder.join("sled")).cache_capacity(64 << 20).open().expect("sled");
    let mut log = File::create(folder.join("log")).expect("a file");
    let (queue, waiting) = mpsc::sync_channel::<(Vec<u8>, Vec<u8>, tokio::sync::oneshot::Sender<()>)>(4096);
    let thread = std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let (mut bytes, mut batch, mut answers) = (Vec::new(), sled::Batch::default(), Vec::new());
            for (key, value, answer) in std::iter::once(first).chain(waiting.try_iter()) {
                bytes.extend_from_slice(&key);
                bytes.extend_from_slice(&value);
                batch.insert(key, value);
                answers.push(answer);
            }
            log.write_all(&bytes).expect("an append");
            log.sync_data().expect("a sync");
            db.apply_batch(batch).expect("a batch");
            for answer in answers {
                answer.send(()).expect("a writer waits");
            }
        }
    });
    let each = commits(writers) / writers;
    let began = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let queue = queue.clone();
                tokio::spawn(async move {
                    for n in 0..each {
                        let (key, value) = pair(writer, n);
                        let (answer, done) = tokio::sync::oneshot::channel();
                        queue.send((key, value, answer)).expect("the thread waits");
                        done.await.expect("an answer");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a writer");
        }
    });
    let rate = f64::from(each * writers) / began.elapsed().as_secs_f64();
    drop(queue);
    thread.join().expect("the thread");
    rate
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    println!("{VALUE_BYTES} B values, median of {ROUNDS} alternating rounds");
    println!("{:>7}  {:>12}  {:>12}  {:>5}", "writers", "ours /s", "raw /s", "ratio");
    for writers in [1, 8, 64] {
        let (mut all_ours, mut all_raw) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let root = tempfile::tempdir().expect("a folder");
            all_ours.push(ours(&root.path().join("ours"), writers));
            all_raw.push(raw(&root.path().join("raw"), writers));
        }
        let ratios = all_ours.iter().zip(&all_raw).map(|(ours, raw)| ours / raw).collect();
        println!("{writers:>7}  {:>12.0}  {:>12.0}  {:>5.2}", median(all_ours), median(all_raw), median(ratios));
    }
}
