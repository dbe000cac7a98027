//! A disk that takes seconds for each commit, and servers that take half a minute for each answer: reads stay quick, no
//! queue grows without bound, a stop comes in time, and nothing that was acknowledged is lost or done twice.
//!
//! Must never look at the real time: the clock is moved a little whenever everybody had their turns.
//! Tests: this is one; `FLOWDECK_SOAK_SLOW` sets how many worlds.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use flowdeck_engine::ports::store::KeyValue;
use flowdeck_engine::ports::{CardCall, CardHost, CardOutcome, Clock, Delta, LookUp, Scan, Space, Store, StoreError};
use flowdeck_engine::{Engine, EngineError, EntryKind, Limits, Parts, Settlement, Start, Status, WaitReason};
use flowdeck_model::{Ambient, AppName, CardDecl, CardName, Catalogue, Fault, Fields, Flow, RunId};
use flowdeck_sim::world::flow;
use flowdeck_sim::{FakeAuthorizer, FakeCards, FakeClock, FakeStore, FakeVault};
use rand::{Rng, SeedableRng};
use serde_json::json;

/// A commit may take so long, in milliseconds.
const SYNC_MS: u64 = 2_000;
/// On a disk that is about to give up, a commit may take so long, in milliseconds.
const STALLED_MS: u64 = 120_000;
/// An answer may take so long, in milliseconds.
const ANSWER_MS: u64 = 30_000;
/// Every read must be answered within, in milliseconds.
const READ_MS: u64 = 1_000;
/// A stop may take so long, in milliseconds: what is promised, whatever the disk does.
const STOP_MS: u64 = 10_000;
/// How far the clock is moved at once, in milliseconds.
const TICK_MS: u64 = 50;
/// Turns that everybody gets between two moves.
const TURNS: usize = 48;
/// More moves than anything here takes: an hour.
const TICKS_MAX: usize = 72_000;
const ACTIVE_MAX: usize = 8;
const CALLERS_MAX: usize = 4;

/// Random pauses, from one seed.
#[derive(Debug)]
struct Dice(parking_lot::Mutex<rand::rngs::StdRng>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(parking_lot::Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }

    fn up_to(&self, most: u64) -> u64 {
        self.0.lock().random_range(0..=most)
    }

    async fn take(&self, clock: &FakeClock, most_ms: u64) {
        let ms = self.up_to(most_ms);
        clock.sleep(ms).await;
    }
}

/// A store whose commits take their time before they are acknowledged.
#[derive(Debug)]
struct SlowStore {
    disk: FakeStore,
    clock: Arc<FakeClock>,
    dice: Dice,
    /// A commit takes at most so long, in milliseconds.
    sync_ms: AtomicU64,
    /// Commits under way, and the most there ever were.
    at_work: AtomicUsize,
    peak: AtomicUsize,
}

#[async_trait]
impl Store for SlowStore {
    fn epoch(&self) -> u64 {
        self.disk.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let now = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        self.dice.take(&self.clock, self.sync_ms.load(Ordering::SeqCst)).await;
        let done = self.disk.commit(delta).await;
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        done
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.disk.scan(scan).await
    }
}

/// Servers that take their time before and after they act.
#[derive(Debug)]
struct SlowCards {
    cards: Arc<FakeCards>,
    clock: Arc<FakeClock>,
    dice: Dice,
}

impl Catalogue for SlowCards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.cards.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.cards.cards()
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.cards.has_app(name)
    }

    fn apps(&self) -> Vec<AppName> {
        self.cards.apps()
    }
}

#[async_trait]
impl CardHost for SlowCards {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        self.cards.evaluate(card, inputs, ambient)
    }

    fn is_function(&self, card: &CardName) -> bool {
        self.cards.is_function(card)
    }

    fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        self.cards.request_hash(call)
    }

    async fn perform(&self, call: CardCall) -> CardOutcome {
        self.dice.take(&self.clock, ANSWER_MS / 2).await;
        let outcome = self.cards.perform(call).await;
        self.dice.take(&self.clock, ANSWER_MS / 2).await;
        outcome
    }

    async fn look_up(&self, call: CardCall) -> LookUp {
        self.dice.take(&self.clock, ANSWER_MS).await;
        self.cards.look_up(call).await
    }
}

struct World {
    clock: Arc<FakeClock>,
    store: Arc<SlowStore>,
    cards: Arc<FakeCards>,
    engine: Engine,
}

impl World {
    fn open(disk: FakeStore, cards: Arc<FakeCards>, clock: Arc<FakeClock>, seed: u64) -> Self {
        let (dice, at_work, peak) = (Dice::new(seed), AtomicUsize::default(), AtomicUsize::default());
        let sync_ms = AtomicU64::new(SYNC_MS);
        let store = Arc::new(SlowStore { disk, clock: clock.clone(), dice, sync_ms, at_work, peak });
        let authorizer = Arc::new(FakeAuthorizer::default());
        authorizer.grant("acme", "alice");
        let engine = Engine::new(Parts {
            store: store.clone(),
            clock: clock.clone(),
            cards: Arc::new(SlowCards { cards: cards.clone(), clock: clock.clone(), dice: Dice::new(seed + 1) }),
            authorizer,
            vault: Arc::new(FakeVault),
            seed,
            limits: Limits { active_runs_max: ACTIVE_MAX, waiting_starts_max: CALLERS_MAX, ..Limits::default() },
        });
        Self { clock, store, cards, engine }
    }

    /// Lets time pass until `done`, a little at a time.
    async fn during<T>(&self, done: impl Future<Output = T>) -> T {
        tokio::pin!(done);
        for _ in 0..TICKS_MAX {
            for _ in 0..TURNS {
                tokio::select! {
                    biased;
                    done = &mut done => return done,
                    () = tokio::task::yield_now() => {}
                }
            }
            self.clock.advance(TICK_MS);
        }
        panic!("it does not come to its end");
    }
}

/// Reads, a write, a function, a write.
fn work() -> Arc<Flow> {
    let call = |id: &str, card: &str| json!({"id": id, "kind": {"call": {"card": card, "slot": "acme", "with": {}}}});
    let echo = json!({"id": "e", "kind": {"call": {"card": "t/echo", "with": {"x": "${r}"}}}});
    let cards = json!([call("r", "acme/read"), call("one", "acme/write"), echo, call("two", "acme/write")]);
    flow(json!({"slots": {"acme": {"app": "acme"}}, "cards": cards}))
}

/// Looks at everything as often as it may, until told to stop; answers the slowest look in milliseconds.
async fn looks(engine: Engine, clock: Arc<FakeClock>, mut stop: tokio::sync::watch::Receiver<bool>) -> (u64, usize) {
    let (mut slowest, mut count) = (0, 0);
    while !*stop.borrow() {
        let began = clock.monotonic_ms();
        let page = engine.runs(&Default::default(), None, 20).await.unwrap();
        for run in page.runs.iter().take(3) {
            engine.run(run.id).await.unwrap().unwrap();
            engine.entries(run.id, 0, 100).await.unwrap();
        }
        slowest = slowest.max(clock.monotonic_ms() - began);
        count += 1;
        tokio::select! {
            _ = stop.changed() => {}
            () = clock.sleep(100) => {}
        }
    }
    (slowest, count)
}

/// A person says of each write in doubt what the servers remember.
async fn settle(world: &World) {
    for _ in 0..10 {
        let filter = flowdeck_engine::RunFilter { flow: None, status: vec![Status::InDoubt] };
        let doubtful = world.engine.runs(&filter, None, 1_000).await.unwrap().runs;
        if doubtful.is_empty() {
            return;
        }
        for run in doubtful {
            for wait in run.waits.iter().filter(|w| matches!(w.reason, WaitReason::InDoubt { .. })) {
                let begins = format!("{}/{}/", run.id, wait.path);
                let happened = world.cards.performed.lock().iter().any(|p| p.key.starts_with(&begins));
                let word = if happened { Settlement::Happened(Fields::new()) } else { Settlement::DidNot };
                world.during(world.engine.settle(run.id, wait.path.clone(), word)).await.unwrap();
            }
        }
        world.during(world.engine.run_until_idle()).await.unwrap();
    }
    panic!("doubts do not end");
}

struct Figures {
    slowest_read_ms: u64,
    stop_ms: u64,
    busy: usize,
    acknowledged: usize,
    reads: usize,
}

/// One world; where the disk `stalls`, it does so when the stop comes.
async fn one(seed: u64, stalls: bool) -> Figures {
    let dice = Dice::new(seed);
    let clock = Arc::new(FakeClock::default());
    let cards = Arc::new(FakeCards::default());
    let world = World::open(FakeStore::default(), cards.clone(), clock.clone(), seed);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let background = tokio::spawn({
        let (engine, stopped) = (world.engine.clone(), stopped.clone());
        async move { engine.run_forever(stopped).await }
    });
    let looking = tokio::spawn(looks(world.engine.clone(), clock.clone(), stopped));
    let flow = work();
    // Many programs hand runs over, and many wait for theirs: more than there is room for.
    let mut starts = tokio::task::JoinSet::new();
    for caller in 0..60 {
        let (engine, start) = (world.engine.clone(), Start::new(flow.clone(), Fields::new()));
        starts.spawn(async move {
            // Where the disk will stall, all are handed over: what callers drive themselves is not the background's to stop.
            if stalls || caller % 2 == 0 {
                engine.start(start).await
            } else {
                engine.start_and_wait(start).await.map(|view| view.id)
            }
        });
    }
    // A stall is worth something only while there is work.
    let busy_ms = if stalls { 5 * SYNC_MS } else { 4 * ANSWER_MS };
    world.during(clock.sleep(dice.up_to(busy_ms))).await;
    if stalls {
        world.store.sync_ms.store(STALLED_MS, Ordering::SeqCst);
    }
    stop.send_replace(true);
    let began = clock.monotonic_ms();
    world.during(background).await.unwrap().unwrap();
    let stop_ms = clock.monotonic_ms() - began;
    let (slowest_read_ms, reads) = world.during(looking).await.unwrap();
    let (mut acknowledged, mut busy) = (Vec::new(), 0);
    while let Some(started) = world.during(starts.join_next()).await {
        match started.unwrap() {
            Ok(run) => acknowledged.push(run),
            Err(EngineError::Busy { .. }) => busy += 1,
            Err(EngineError::Stopping) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(world.cards.peak() <= 2 * ACTIVE_MAX, "seed {seed}: {} calls at once", world.cards.peak());
    let commits = world.store.peak.load(Ordering::SeqCst);
    assert!(commits <= 60, "seed {seed}: {commits} commits wait for the disk");

    world.store.disk.kill();
    let again = World::open(world.store.disk.reopen(), cards.clone(), clock, seed + 2);
    again.during(again.engine.recover()).await.unwrap();
    again.during(again.engine.run_until_idle()).await.unwrap();
    settle(&again).await;
    check(&again, &acknowledged, seed).await;
    Figures { slowest_read_ms, stop_ms, busy, acknowledged: acknowledged.len(), reads }
}

/// Every acknowledged run finished, its history has no gap, and each of its writes happened once.
async fn check(world: &World, acknowledged: &[RunId], seed: u64) {
    let mut happened: BTreeMap<String, usize> = BTreeMap::new();
    for performed in world.cards.happened("acme/write") {
        *happened.entry(performed.key).or_default() += 1;
    }
    assert!(happened.values().all(|n| *n == 1), "seed {seed}: a write was repeated: {happened:?}");
    for run in acknowledged {
        let view = world.engine.run(*run).await.unwrap().expect("an acknowledged run is there");
        assert_eq!(view.status, Status::Finished, "seed {seed}: {run} {:?}", view.fault);
        let entries = world.engine.entries(*run, 0, 1_000).await.unwrap();
        assert!(entries.iter().map(|e| e.seq).eq(1..=view.counts.entries), "seed {seed}: {run} has a gap");
        let steps = entries.iter().filter(|e| matches!(e.what, EntryKind::StepFinished { .. })).count();
        assert_eq!(steps, 4, "seed {seed}: {run}");
        for step in ["one", "two"] {
            let key = format!("{run}/{step}/0");
            assert!(happened.contains_key(&key), "seed {seed}: {key} never happened");
        }
    }
}

#[tokio::test]
async fn a_slow_disk_and_slow_servers_hold_up_nobody_who_does_not_need_them() {
    let worlds: u64 = std::env::var("FLOWDECK_SOAK_SLOW").ok().map_or(4, |n| n.parse().unwrap());
    let (mut read, mut stop, mut busy, mut acknowledged, mut reads) = (0, 0, 0, 0, 0);
    for seed in 0..worlds {
        let figures = one(seed * 1_000, seed % 2 == 1).await;
        assert!(figures.slowest_read_ms < READ_MS, "seed {seed}: a read took {} ms", figures.slowest_read_ms);
        assert!(figures.stop_ms <= STOP_MS + TICK_MS, "seed {seed}: the stop took {} ms", figures.stop_ms);
        (read, stop) = (read.max(figures.slowest_read_ms), stop.max(figures.stop_ms));
        (busy, acknowledged, reads) = (busy + figures.busy, acknowledged + figures.acknowledged, reads + figures.reads);
    }
    assert!(busy > 0, "nobody was refused, so no queue was full");
    println!(
        "{worlds} worlds, {acknowledged} runs acknowledged and finished once, {busy} refused as busy, {reads} reads; \
         slowest read {read} ms, slowest stop {stop} ms of simulated time"
    );
}
