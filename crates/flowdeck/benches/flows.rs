//! Finished durable runs a second, callers waiting, beside the same bytes appended raw and synced in groups.
//!
//! Must never compare across runs: both sides alternate within one. `cargo xtask bench flows`

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use async_trait::async_trait;
use flowdeck::engine::ports::store::{Delta, KeyValue, Op, Scan, Space, Store, StoreError};
use flowdeck::model::{Fields, Flow};
use flowdeck::store::{Options, SledStore};
use flowdeck::{Runtime, Source, Start, Status};

const ROUNDS: usize = 3;
const CALLERS: usize = 64;
const RUNS: usize = 20_000;
const CARDS: usize = 10;

/// Counts what is committed on its way to the store.
#[derive(Debug)]
struct Counted {
    inner: SledStore,
    commits: AtomicU64,
    keys: AtomicU64,
    bytes: AtomicU64,
}

#[async_trait]
impl Store for Counted {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let size = |op: &Op| match op {
            Op::Put { key, value, .. } => key.len() + value.len(),
            Op::Delete { key, .. } => key.len(),
        };
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.keys.fetch_add(delta.ops.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(delta.ops.iter().map(size).sum::<usize>() as u64, Ordering::Relaxed);
        self.inner.commit(delta).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.inner.scan(scan).await
    }
}

fn text() -> String {
    let mut text = String::from("flow: ten\ninputs:\n  name: { type: text }\ncards:\n");
    let mut before = "input.name".to_owned();
    for n in 1..CARDS {
        text.push_str(&format!(
            "  - id: c{n}\n    card: string/toUpperCase\n    with: {{ string: \"${{{before}}}\" }}\n"
        ));
        before = format!("c{n}.output");
    }
    text.push_str(&format!(
        "  - id: c{CARDS}\n    card: string/capitalize\n    with: {{ string: \"${{{before}}}\" }}\n"
    ));
    text
}

struct Measured {
    rate: f64,
    commits: u64,
    keys: u64,
    bytes: u64,
}

async fn ours(folder: &Path) -> Measured {
    let store = Arc::new(Counted {
        inner: SledStore::open(folder, Options::default()).expect("a store"),
        commits: AtomicU64::new(0),
        keys: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    });
    let runtime = Runtime::builder().store(store.clone()).key_bytes([1; 32]).open().await.expect("a runtime");
    let flow: Arc<Flow> = runtime
        .flow(&Source::new("ten.flow.yaml", &text()), None)
        .unwrap_or_else(|e| panic!("{e}: {:?}", e.diagnostics()));
    let input = Fields::from_value(serde_json::json!({ "name": "Ada Lovelace" }));
    runtime.run(Start::new(flow.clone(), input.clone())).await.expect("a first run");
    for counter in [&store.commits, &store.keys, &store.bytes] {
        counter.store(0, Ordering::Relaxed);
    }
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (runtime, flow, input) = (runtime.clone(), flow.clone(), input.clone());
            tokio::spawn(async move {
                for _ in 0..RUNS / CALLERS {
                    let view = runtime.run(Start::new(flow.clone(), input.clone())).await.expect("a run");
                    assert_eq!(view.status, Status::Finished, "{view:?}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    let rate = (RUNS / CALLERS * CALLERS) as f64 / began.elapsed().as_secs_f64();
    runtime.stop().await.expect("a stop");
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Measured { rate, commits: read(&store.commits), keys: read(&store.keys), bytes: read(&store.bytes) }
}

/// As many callers hand as many bytes to one thread, which appends and syncs what has gathered.
async fn raw(file: &Path, bytes_each: usize) -> f64 {
    let mut log = File::create(file).expect("a file");
    let (queue, waiting) = mpsc::sync_channel::<(Vec<u8>, tokio::sync::oneshot::Sender<()>)>(4096);
    let thread = std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let (mut bytes, mut answers) = (Vec::new(), Vec::new());
            for (more, answer) in std::iter::once(first).chain(waiting.try_iter()) {
                bytes.extend_from_slice(&more);
                answers.push(answer);
            }
            log.write_all(&bytes).expect("an append");
            log.sync_data().expect("a sync");
            answers.into_iter().for_each(|answer| answer.send(()).expect("a caller waits"));
        }
    });
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for _ in 0..RUNS / CALLERS {
                    let (answer, done) = tokio::sync::oneshot::channel();
                    queue.send((vec![7; bytes_each], answer)).expect("the thread waits");
                    done.await.expect("an answer");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    let rate = (RUNS / CALLERS * CALLERS) as f64 / began.elapsed().as_secs_f64();
    drop(queue);
    thread.join().expect("the thread");
    rate
}

fn main() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    println!("{CARDS} function cards a flow, {CALLERS} callers that wait, {RUNS} runs, {ROUNDS} alternating rounds");
    println!(
        "{:>10} {:>10} {:>6} {:>12} {:>12} {:>12}",
        "runs /s", "raw /s", "ratio", "commits/run", "keys/commit", "bytes/run"
    );
    for _ in 0..ROUNDS {
        let root = tempfile::tempdir().expect("a folder");
        let ours = threads.block_on(ours(&root.path().join("store")));
        let bytes_each = (ours.bytes / RUNS as u64) as usize;
        let raw = threads.block_on(raw(&root.path().join("raw"), bytes_each));
        println!(
            "{:>10.0} {raw:>10.0} {:>6.2} {:>12.2} {:>12.2} {bytes_each:>12}",
            ours.rate,
            ours.rate / raw,
            ours.commits as f64 / RUNS as f64,
            ours.keys as f64 / ours.commits as f64,
        );
    }
}
