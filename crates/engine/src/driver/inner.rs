//! What all runs of one engine share: caches, the ready queue, who drives which run.
//!
//! Must never hold a lock across an await, nor memory for a run that waits.
//! Tests: `tests/driver`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use flowdeck_model::{Fault, Flow, FlowHash, FlowName, RunId};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, broadcast, watch};

use super::api::{EngineError, Notice, Parts};
use crate::machine::program::Program;
use crate::ports::{Space, WaitKey};
use crate::wire::{self, keys};

/// Most runs named in memory as ready; more are found in the store.
const QUEUE_MAX: usize = 4_096;
/// Most sweeps named in memory.
const WAKES_MAX: usize = 1_024;
/// Most runs set aside because they cannot be read; beyond that the store itself is at fault.
const ASIDE_MAX: usize = 1_000;
/// Most compiled flows kept.
const PROGRAMS_MAX: usize = 512;

/// Compiled flows by version and entry.
type Programs = HashMap<(FlowHash, Option<FlowName>), Arc<Program>>;

pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) notices: broadcast::Sender<Notice>,
    pub(super) admission: Semaphore,
    pub(super) wake: Notify,
    pub(super) stopping: AtomicBool,
    waiting_starts: AtomicUsize,
    number: AtomicU64,
    random: Mutex<rand::rngs::StdRng>,
    programs: Mutex<Programs>,
    hashes: Mutex<HashMap<usize, (Weak<Flow>, FlowHash)>>,
    pub(super) stored_flows: Mutex<HashSet<FlowHash>>,
    /// Flow versions whose tables are there.
    pub(super) tabled: Mutex<HashSet<FlowHash>>,
    queue: Mutex<Queue>,
    active: Mutex<HashMap<RunId, Arc<Slot>>>,
    aside: Mutex<HashMap<RunId, Fault>>,
    /// Held while a run is set aside and while one is cancelled: a cancel sees the mark, or its message is seen.
    pub(super) ending: tokio::sync::Mutex<()>,
    rested: Notify,
    /// How many [`OnWay`] there are.
    on_way: AtomicUsize,
}

/// Runs that may go on.
#[derive(Default)]
struct Queue {
    runs: VecDeque<RunId>,
    named: HashSet<RunId>,
    overflowed: bool,
    wakes: VecDeque<Wake>,
    /// More was freed or told than could be named: every inbox and everything waited for must be asked about.
    sweep: bool,
}

/// A sweep over everybody who waits for one thing.
#[derive(Debug, Clone)]
pub(super) struct Wake {
    pub(super) on: WaitKey,
    pub(super) after: Option<Vec<u8>>,
}

/// A run that somebody drives.
pub(super) struct Slot {
    nudged: AtomicBool,
    pub(super) notify: Notify,
    over: watch::Sender<bool>,
}

/// The right to drive a run, until dropped.
pub(super) struct Claim {
    inner: Arc<Inner>,
    run: RunId,
    pub(super) slot: Arc<Slot>,
}

/// Counts a caller who waits, until dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::AcqRel) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slot {
    /// Whether there is something new since the last time.
    pub(super) fn take_nudge(&self) -> bool {
        self.nudged.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_last = {
            let mut active = self.inner.active.lock();
            active.remove(&self.run);
            active.is_empty()
        };
        // A nudge is given under the lock: it came before and shows here, or finds nobody and goes into the queue.
        if self.slot.nudged.load(Ordering::Acquire) {
            self.inner.enqueue_told(self.run);
        }
        self.slot.over.send_replace(true);
        if is_last {
            self.inner.rested.notify_waiters();
        }
    }
}

/// See [`Inner::on_way`].
pub(super) struct OnWay(Arc<Inner>);

impl Drop for OnWay {
    fn drop(&mut self) {
        self.0.on_way.fetch_sub(1, Ordering::AcqRel);
        self.0.looks_idle();
    }
}

impl Inner {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let (notices, _) = broadcast::channel(parts.limits.notices_max.max(1));
        Arc::new(Self {
            notices,
            admission: Semaphore::new(parts.limits.active_runs_max.max(1)),
            wake: Notify::new(),
            stopping: AtomicBool::new(false),
            on_way: AtomicUsize::new(0),
            waiting_starts: AtomicUsize::new(0),
            number: AtomicU64::new(0),
            random: Mutex::new(rand::rngs::StdRng::seed_from_u64(parts.seed)),
            programs: Mutex::default(),
            hashes: Mutex::default(),
            stored_flows: Mutex::default(),
            tabled: Mutex::default(),
            queue: Mutex::default(),
            active: Mutex::default(),
            aside: Mutex::default(),
            ending: tokio::sync::Mutex::default(),
            rested: Notify::new(),
            parts,
        })
    }

    /// A place among the active runs, for a caller who waits.
    pub(super) async fn admit(&self) -> Result<SemaphorePermit<'_>, EngineError> {
        if let Ok(permit) = self.admission.try_acquire() {
            return Ok(permit);
        }
        let waiting = Waiting::new(&self.waiting_starts);
        if waiting.before >= self.parts.limits.waiting_starts_max {
            return Err(EngineError::Busy { waiting: waiting.before });
        }
        self.admission.acquire().await.map_err(|_| EngineError::Stopping)
    }

    pub(super) fn random(&self) -> u128 {
        self.random.lock().random()
    }

    /// Rises with each call.
    pub(super) fn number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Who drives the run, or the right to.
    pub(super) fn claim(self: &Arc<Self>, run: RunId) -> Result<Claim, watch::Receiver<bool>> {
        let mut active = self.active.lock();
        if let Some(slot) = active.get(&run) {
            return Err(slot.over.subscribe());
        }
        let (over, _) = watch::channel(false);
        let slot = Arc::new(Slot { nudged: AtomicBool::new(false), notify: Notify::new(), over });
        active.insert(run, slot.clone());
        Ok(Claim { inner: self.clone(), run, slot })
    }

    /// Something new came for a run: tell who drives it, else put it into the queue.
    pub(super) fn nudge(&self, run: RunId) {
        let active = self.active.lock();
        match active.get(&run) {
            Some(slot) => {
                slot.nudged.store(true, Ordering::Release);
                slot.notify.notify_one();
            }
            None => {
                drop(active);
                self.enqueue_told(run);
            }
        }
    }

    /// Names a run that something new came for. Where the queue is full the store may hold no ready mark of it: then
    /// inboxes and waits are looked through.
    fn enqueue_told(&self, run: RunId) {
        {
            let mut queue = self.queue.lock();
            queue.sweep |= queue.runs.len() >= QUEUE_MAX;
        }
        self.enqueue(run);
    }

    /// Names a run as ready.
    pub(super) fn enqueue(&self, run: RunId) {
        let mut queue = self.queue.lock();
        if queue.runs.len() >= QUEUE_MAX {
            queue.overflowed = true;
        } else if queue.named.insert(run) {
            queue.runs.push_back(run);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// More ready runs may be in the store than in memory.
    pub(super) fn look_into_store(&self) {
        self.queue.lock().overflowed = true;
        self.wake.notify_one();
    }

    /// Runs that can go on may be named nowhere: everything is looked through, as after a start.
    pub(super) fn look_again(&self) {
        self.queue.lock().sweep = true;
        self.wake.notify_one();
    }

    /// Begins or goes on with a sweep; one from the start makes a second one needless.
    pub(super) fn push_wake(&self, wake: Wake) {
        let mut queue = self.queue.lock();
        if queue.wakes.len() >= WAKES_MAX {
            queue.sweep = true;
        } else if !queue.wakes.iter().any(|w| w.on == wake.on && w.after.is_none()) {
            queue.wakes.push_back(wake);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Takes the mark that everything waited for must be asked about.
    pub(super) fn take_sweep(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.wakes.is_empty() && std::mem::take(&mut queue.sweep)
    }

    pub(super) fn pop_wake(&self) -> Option<Wake> {
        self.queue.lock().wakes.pop_front()
    }

    pub(super) fn pop_ready(&self) -> Option<RunId> {
        let mut queue = self.queue.lock();
        let run = queue.runs.pop_front()?;
        queue.named.remove(&run);
        Some(run)
    }

    /// Whether nothing is named as ready.
    pub(super) fn is_idle(&self) -> bool {
        let queue = self.queue.lock();
        queue.runs.is_empty() && queue.wakes.is_empty() && !queue.overflowed && !queue.sweep
    }

    /// While it lives, the engine is not idle: runs were taken out of the queue that nobody drives yet.
    pub(super) fn on_way(self: &Arc<Self>) -> OnWay {
        self.on_way.fetch_add(1, Ordering::AcqRel);
        OnWay(self.clone())
    }

    /// Returns when nobody drives a run and none is named as ready.
    pub(super) async fn until_idle(&self) {
        self.until(|| self.active.lock().is_empty() && self.is_idle() && self.on_way.load(Ordering::Acquire) == 0)
            .await;
    }

    /// Returns when nobody drives a run.
    pub(super) async fn until_rested(&self) {
        self.until(|| self.active.lock().is_empty()).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let rested = self.rested.notified();
            tokio::pin!(rested);
            rested.as_mut().enable();
            if is_so() {
                return;
            }
            rested.await;
        }
    }

    /// Tells who waits for idleness to look again.
    pub(super) fn looks_idle(&self) {
        self.rested.notify_waiters();
    }

    /// How many runs somebody drives.
    pub(super) fn active_count(&self) -> usize {
        self.active.lock().len()
    }

    /// A run that cannot be driven is not tried again by this process. False where there are too many of them.
    pub(super) fn set_aside(&self, run: RunId, why: Fault) -> bool {
        let mut aside = self.aside.lock();
        aside.insert(run, why);
        aside.len() <= ASIDE_MAX
    }

    pub(super) fn is_aside(&self, run: RunId) -> bool {
        self.aside.lock().contains_key(&run)
    }

    /// Why a run is set aside.
    pub(super) fn aside(&self, run: RunId) -> Option<Fault> {
        self.aside.lock().get(&run).cloned()
    }

    pub(super) fn forget_aside(&self, run: RunId) {
        self.aside.lock().remove(&run);
    }

    /// Wakes everybody who drives a run.
    pub(super) fn nudge_all(&self) {
        for slot in self.active.lock().values() {
            slot.notify.notify_one();
        }
    }

    /// Takes the mark that the store must be looked into.
    pub(super) fn take_overflow(&self) -> bool {
        std::mem::take(&mut self.queue.lock().overflowed)
    }

    pub(super) fn is_active(&self, run: RunId) -> bool {
        self.active.lock().contains_key(&run)
    }

    /// The hash of a flow version; remembered by address while the flow lives.
    pub(super) fn hash(&self, flow: &Arc<Flow>) -> Result<FlowHash, EngineError> {
        let address = Arc::as_ptr(flow) as usize;
        if let Some((known, hash)) = self.hashes.lock().get(&address)
            && known.upgrade().is_some_and(|k| Arc::ptr_eq(&k, flow))
        {
            return Ok(*hash);
        }
        let hash = FlowHash::of(&flow_bytes(flow)?);
        let mut hashes = self.hashes.lock();
        if hashes.len() >= PROGRAMS_MAX {
            hashes.clear();
        }
        hashes.insert(address, (Arc::downgrade(flow), hash));
        Ok(hash)
    }

    /// A flow version as it was stored.
    pub(super) async fn version(&self, hash: FlowHash) -> Result<Flow, EngineError> {
        let bytes = self.parts.store.get(Space::Flows, &keys::flow_version(hash)).await?;
        let missing = || wire::WireError { what: "flow", cause: format!("version {hash} is not in the store") };
        Ok(wire::decode::<Flow>("flow", &bytes.ok_or_else(missing)?)?)
    }

    /// A flow made ready to run; read from the store where it is not given.
    pub(super) async fn program(
        &self,
        hash: FlowHash,
        entry: Option<&FlowName>,
        flow: Option<&Flow>,
    ) -> Result<Arc<Program>, EngineError> {
        let key = (hash, entry.cloned());
        if let Some(known) = self.programs.lock().get(&key) {
            return Ok(known.clone());
        }
        let read;
        let flow = match flow {
            Some(flow) => flow,
            None => {
                read = self.version(hash).await?;
                &read
            }
        };
        let program = Arc::new(Program::compile(flow, entry, self.parts.cards.as_ref())?);
        let mut programs = self.programs.lock();
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        programs.insert(key, program.clone());
        Ok(program)
    }
}

/// The canonical stored form of a flow version; its hash is over these bytes.
pub(super) fn flow_bytes(flow: &Flow) -> Result<Vec<u8>, EngineError> {
    Ok(wire::encode("flow", flow)?)
}
