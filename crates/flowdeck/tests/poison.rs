//! A store that fails while the program lives: the runtime ends with its reason, says so at once to everybody, and what
//! was acknowledged is there when the data is opened again.
//!
//! Must never wait for a real failure: files fail through the store's `Io`, at a chosen operation.
//! Tests: these.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flowdeck::engine::ports::{Delta, Scan, Space, Store, StoreError};
use flowdeck::model::RunId;
use flowdeck::store::{Io, IoFile, MemoryStore, Options, SystemIo};
use flowdeck::{Runtime, RuntimeError, Status};

use crate::support::{flow, start};

const LONG: Duration = Duration::from_secs(60);
const QUICK: &str = "flow: quick\ncards:\n  - id: now\n    card: date/now\n  - return: { at: \"${now.date}\" }\n";
const WAITS: &str = "flow: waits\ncards:\n  - wait: { signal: go }\n  - return: { done: true }\n";

/// The system's files, whose syncs fail once the n-th is reached.
#[derive(Debug, Clone)]
struct Failing {
    left: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FailingFile(Box<dyn IoFile>, Failing);

impl Failing {
    fn after(syncs: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(syncs)) }
    }

    fn sync(&self) -> io::Result<()> {
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

impl Io for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(FailingFile(SystemIo.create(path)?, self.clone())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(FailingFile(SystemIo.open(path)?, self.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemIo.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        SystemIo.remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        SystemIo.create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.sync()?;
        SystemIo.sync_folder(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        SystemIo.free_bytes(path)
    }
}

impl IoFile for FailingFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()?;
        self.0.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.0.reserve(len)
    }
}

async fn open(folder: PathBuf, io: Failing) -> Result<Runtime, RuntimeError> {
    let options = Options { io: Arc::new(io), ballast_bytes: 0, free_bytes_min: 0, ..Options::default() };
    Runtime::builder().data(folder).store_options(options).key_bytes([7; 32]).open().await
}

async fn broken(runtime: &Runtime) -> RuntimeError {
    let broken = async {
        loop {
            match runtime.broken() {
                Some(error) => return error,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LONG, broken).await.unwrap()
}

/// Starts runs until the store fails; those that were acknowledged, and why the last one was not.
async fn start_until_it_fails(runtime: &Runtime) -> (Vec<RunId>, RuntimeError) {
    let mut acknowledged = Vec::new();
    for n in 0..1_000 {
        let text = if n % 2 == 0 { QUICK } else { WAITS };
        match runtime.start_run(start(runtime, text)).await {
            Ok(run) => acknowledged.push(run),
            Err(error) => return (acknowledged, error),
        }
    }
    panic!("the store does not fail");
}

/// As another process would find the folder: steps that the broken store let go hold it for a moment longer.
async fn reopened(folder: PathBuf) -> Runtime {
    let opened = async {
        loop {
            match open(folder.clone(), Failing::after(u64::MAX)).await {
                Err(RuntimeError::Held { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(LONG, opened).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_the_runtime_and_a_restart_has_all_that_was_acknowledged() {
    for syncs in [12, 17, 23, 40] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("data");
        // The folder is made by a process whose disk works.
        open(folder.clone(), Failing::after(u64::MAX)).await.unwrap().stop().await.unwrap();
        let runtime = open(folder.clone(), Failing::after(syncs)).await.unwrap();
        runtime.start().unwrap();
        let (acknowledged, error) = start_until_it_fails(&runtime).await;
        assert_eq!(error.code(), "store.poisoned", "{error}");
        let why = broken(&runtime).await;
        assert_eq!(why.code(), "store.poisoned");
        assert!(why.to_string().contains("restart to recover"), "{why}");
        assert!(why.to_string().contains(folder.join("store").to_str().unwrap()), "it names the folder: {why}");
        // Everybody learns of it at once, also who only looks.
        for answer in [
            runtime.start_run(start(&runtime, QUICK)).await.map(drop),
            runtime.run(start(&runtime, QUICK)).await.map(drop),
            runtime.run_view(acknowledged[0]).await.map(drop),
            runtime.runs(&Default::default(), None, 10).await.map(drop),
            runtime.publish(&flow(&runtime, QUICK)).await.map(drop),
            runtime.start_scheduled().await.map(drop),
            runtime.come_to_rest().await,
        ] {
            assert_eq!(answer.unwrap_err().code(), "store.poisoned");
        }
        tokio::time::timeout(LONG, runtime.stop()).await.unwrap().unwrap_err();
        drop(runtime);
        let again = reopened(folder).await;
        again.run_until_idle().await.unwrap();
        for (n, run) in acknowledged.iter().enumerate() {
            let expected = if n % 2 == 0 { Status::Finished } else { Status::Waiting };
            assert_eq!(again.run_view(*run).await.unwrap().status, expected, "after {syncs} syncs: {run}");
        }
        again.stop().await.unwrap();
    }
}

/// Refuses one read where it is told to.
#[derive(Debug, Default)]
struct Refusing {
    store: MemoryStore,
    refuse: AtomicBool,
}

impl Refusing {
    fn read(&self) -> Result<(), StoreError> {
        if self.refuse.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Io { folder: "here".into(), what: "read".into(), cause: "refused".into() });
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Store for Refusing {
    fn epoch(&self) -> u64 {
        self.store.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        self.store.commit(delta).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read()?;
        self.store.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.read()?;
        self.store.scan(scan).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_background_that_a_refused_read_ended_goes_on_with_every_run_when_it_is_started_again() {
    let store = Arc::new(Refusing::default());
    let runtime = Runtime::builder().store(store.clone()).key_bytes([7; 32]).open().await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(runtime.start_run(start(&runtime, QUICK)).await.unwrap());
    }
    store.refuse.store(true, Ordering::SeqCst);
    runtime.start().unwrap();
    assert_eq!(broken(&runtime).await.code(), "store.io");
    runtime.start().unwrap();
    for run in runs {
        assert_eq!(runtime.wait_for(run, true, LONG).await.unwrap().status, Status::Finished);
    }
    runtime.stop().await.unwrap();
}
