//! A store in memory that counts its operations and fails or dies at a chosen one.
//!
//! Must never show a part of a commit.
//! Tests: the store contract is in `crates/store`; this fake is only as good as the engine's tests need.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use flowdeck_engine::ports::store::{KeyValue, VALUE_BYTES_MAX};
use flowdeck_engine::ports::{Delta, Op, Precondition, Scan, Space, Store, StoreError};
use parking_lot::Mutex;

type Keys = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// What happens at the chosen operation, and (but for a refused read) to every later one of this opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the operation took effect.
    DieBefore,
    /// It took effect, but nobody learned so.
    DieAfter,
    /// The process lives. A read is refused, this once; a commit fails on the disk and leaves nothing there, and the
    /// store is poisoned: it answers nothing any more.
    FailBefore,
    /// As [`Fault::FailBefore`], but the commit that failed is on the disk all the same.
    FailAfter,
}

impl Fault {
    /// Whether the process goes on after it.
    #[must_use]
    pub fn lives(self) -> bool {
        matches!(self, Self::FailBefore | Self::FailAfter)
    }
}

/// What survives a crash.
#[derive(Debug, Default)]
struct Disk {
    keys: Mutex<Keys>,
    epoch: AtomicU64,
}

/// One opening of a fake disk.
#[derive(Debug)]
pub struct FakeStore {
    disk: Arc<Disk>,
    epoch: u64,
    operations: AtomicU64,
    commits: AtomicU64,
    rule: Mutex<Option<(u64, Fault)>>,
    dead: AtomicBool,
    last_ops: Mutex<usize>,
    last_commit: Mutex<Option<u64>>,
    /// Commits that find space, and then those that do not.
    space: Mutex<(u64, u64)>,
    slow: AtomicBool,
    /// Commits that may take effect.
    gate: tokio::sync::watch::Sender<u64>,
    /// What cannot be read: the values of keys that begin so.
    damaged: Mutex<Option<(Space, Vec<u8>)>>,
    under_way: AtomicU64,
    at_once: AtomicU64,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self::open(Arc::default())
    }
}

impl FakeStore {
    fn open(disk: Arc<Disk>) -> Self {
        let epoch = disk.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        Self {
            disk,
            epoch,
            operations: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            rule: Mutex::new(None),
            dead: AtomicBool::new(false),
            last_ops: Mutex::new(0),
            last_commit: Mutex::new(None),
            space: Mutex::new((0, 0)),
            slow: AtomicBool::new(false),
            gate: tokio::sync::watch::Sender::new(u64::MAX),
            damaged: Mutex::new(None),
            under_way: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
        }
    }

    /// The same disk, opened again as after a crash.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self::open(self.disk.clone())
    }

    /// Operation number `n` (from 1) ends as `fault` says, and (but for a refused read) so does every later one.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        *self.rule.lock() = Some((n, fault));
    }

    /// The process dies just before commit number `n` (from 1) takes effect.
    pub fn fail_at_commit(&self, n: u64) {
        *self.last_commit.lock() = Some(n);
    }

    /// The disk is full after this many commits, for this many.
    pub fn full_after(&self, commits: u64, refusals: u64) {
        *self.space.lock() = (commits, refusals);
    }

    /// In this opening no value can be read whose key begins so.
    pub fn damage(&self, space: Space, prefix: Vec<u8>) {
        *self.damaged.lock() = Some((space, prefix));
    }

    fn is_whole(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        match &*self.damaged.lock() {
            Some((damaged, prefix)) if *damaged == space && key.starts_with(prefix) => Err(StoreError::Damaged {
                folder: "sim".into(),
                what: "the simulation damaged a value".into(),
                remedy: "mend it".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Each operation takes a turn of its own before and after it takes effect.
    pub fn take_turns(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// This many commits of this opening take effect; those after them wait until more may.
    pub fn let_through(&self, commits: u64) {
        self.gate.send_replace(commits);
    }

    /// The most commits that were under way at once.
    #[must_use]
    pub fn commits_at_once(&self) -> u64 {
        self.at_once.load(Ordering::SeqCst)
    }

    async fn turn(&self) {
        if self.slow.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    fn finds_space(&self) -> bool {
        let mut space = self.space.lock();
        match &mut *space {
            (0, 0) => true,
            (0, refusals) => {
                *refusals -= 1;
                false
            }
            (commits, _) => {
                *commits -= 1;
                true
            }
        }
    }

    /// Nothing fails any more that has not failed yet.
    pub fn spare(&self) {
        *self.rule.lock() = None;
    }

    /// Everything fails from now on, as after a kill.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// Whether it died.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    /// Commits so far.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// How many changes the last commit had.
    #[must_use]
    pub fn last_commit_ops(&self) -> usize {
        *self.last_ops.lock()
    }

    /// How many keys a space has.
    #[must_use]
    pub fn count(&self, space: Space) -> usize {
        self.disk.keys.lock().keys().filter(|(s, _)| *s == space).count()
    }

    /// Bytes of all values of a space.
    #[must_use]
    pub fn bytes(&self, space: Space) -> usize {
        self.disk.keys.lock().iter().filter(|((s, _), _)| *s == space).map(|(_, v)| v.len()).sum()
    }

    /// Spaces that hold these bytes in a value.
    #[must_use]
    pub fn spaces_with(&self, bytes: &[u8]) -> std::collections::BTreeSet<Space> {
        let keys = self.disk.keys.lock();
        let holds = |value: &[u8]| value.windows(bytes.len().max(1)).any(|w| w == bytes);
        keys.iter().filter(|(_, v)| holds(v)).map(|((space, _), _)| *space).collect()
    }

    fn dead(&self) -> StoreError {
        StoreError::Poisoned { folder: "sim".into(), what: "the simulation killed it".into() }
    }

    /// Whether the operation may take effect, and whether it may be answered.
    fn begin(&self) -> (bool, bool) {
        let n = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_dead() {
            return (false, false);
        }
        match *self.rule.lock() {
            Some((at, fault)) if n >= at => {
                self.kill();
                (matches!(fault, Fault::DieAfter | Fault::FailAfter), false)
            }
            _ => (true, true),
        }
    }

    /// Whether a read may be answered.
    fn begin_read(&self) -> Result<(), StoreError> {
        let next = self.operations() + 1;
        let refused = self.rule.lock().take_if(|(at, fault)| fault.lives() && next >= *at).is_some();
        if refused && !self.is_dead() {
            self.operations.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Io {
                folder: "sim".into(),
                what: "read".into(),
                cause: "the simulation refuses it".into(),
            });
        }
        if self.begin().1 { Ok(()) } else { Err(self.dead()) }
    }

    fn commit_now(&self, delta: Delta) -> Result<(), StoreError> {
        if !self.finds_space() {
            return Err(StoreError::Full { folder: "sim".into() });
        }
        for op in &delta.ops {
            if let Op::Put { value, .. } = op
                && value.len() > VALUE_BYTES_MAX
            {
                return Err(StoreError::TooLarge {
                    what: "size of a value",
                    size: value.len(),
                    limit: VALUE_BYTES_MAX,
                });
            }
        }
        let (happens, answers) = self.begin();
        if self.last_commit.lock().is_some_and(|n| self.commits() + 1 >= n) {
            self.kill();
        }
        if !happens || answers && self.is_dead() {
            return Err(self.dead());
        }
        let current = self.disk.epoch.load(Ordering::SeqCst);
        if delta.epoch != current {
            return Err(StoreError::Fenced { seen: delta.epoch, current });
        }
        let mut keys = self.disk.keys.lock();
        for precondition in &delta.preconditions {
            let holds = match precondition {
                Precondition::Absent { space, key } => !keys.contains_key(&(*space, key.clone())),
                Precondition::Equals { space, key, value } => keys.get(&(*space, key.clone())) == Some(value),
            };
            if !holds {
                return Err(StoreError::Conflict);
            }
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        *self.last_ops.lock() = delta.ops.len();
        for op in delta.ops {
            match op {
                Op::Put { space, key, value } => drop(keys.insert((space, key), value)),
                Op::Delete { space, key } => drop(keys.remove(&(space, key))),
            }
        }
        if answers { Ok(()) } else { Err(self.dead()) }
    }
}

#[async_trait]
impl Store for FakeStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once.fetch_max(under_way, Ordering::SeqCst);
        self.gate.subscribe().wait_for(|commits| self.commits() < *commits).await.ok();
        self.turn().await;
        let done = self.commit_now(delta);
        self.turn().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        done
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.begin_read()?;
        self.is_whole(space, key)?;
        Ok(self.disk.keys.lock().get(&(space, key.to_vec())).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.begin_read()?;
        let keys = self.disk.keys.lock();
        let fits = |key: &[u8]| {
            key.starts_with(&scan.prefix)
                && scan
                    .after
                    .as_ref()
                    .is_none_or(|after| if scan.reverse { key < after.as_slice() } else { key > after.as_slice() })
        };
        let first = match &scan.after {
            Some(after) if !scan.reverse => after.clone().max(scan.prefix.clone()),
            _ => scan.prefix.clone(),
        };
        let range = keys.range((scan.space, first)..).take_while(|((space, key), _)| {
            *space == scan.space && (key.starts_with(&scan.prefix) || *key < scan.prefix || scan.after.is_some())
        });
        let take = |((_, key), value): (&(Space, Vec<u8>), &Vec<u8>)| {
            (key.clone(), if scan.keys_only { Vec::new() } else { value.clone() })
        };
        let found = range.filter(|((_, key), _)| fits(key));
        let pairs: Vec<KeyValue> = if scan.reverse {
            found.collect::<Vec<_>>().into_iter().rev().take(scan.limit).map(take).collect()
        } else {
            found.take(scan.limit).map(take).collect()
        };
        let read = if scan.keys_only { &[] } else { pairs.as_slice() };
        read.iter().try_for_each(|(key, _)| self.is_whole(scan.space, key))?;
        Ok(pairs)
    }
}
