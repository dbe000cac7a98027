//! What a run adds to a direct call of a function card, and how fast a loop over many items is.
//!
//! Must never compare across runs: the direct calls and the run alternate within one. `cargo xtask bench functions`

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flowdeck::engine::ports::store::{Store, StoreError};
use flowdeck::engine::ports::{
    Authorized, Authorizer, CardCall, CardHost, CardOutcome, Decision, LookUp, Loss, Vault, WaitKey,
};
use flowdeck::engine::{Engine, Parts};
use flowdeck::functions::Functions;
use flowdeck::model::connect::Need;
use flowdeck::model::{
    Ambient, AppName, CardDecl, CardName, Catalogue, ConnectionId, Fault, FaultCode, Fields, Flow, Millis, PromptId,
    RunId,
};
use flowdeck::store::{MemoryStore, Options, SledStore};
use flowdeck::{Limits, Runtime, Source, Start, Status, SystemClock};
use serde_json::json;

/// Cards of the measured flow: fewer than a commit of its own would come for.
const CARDS: usize = 200;
const RUNS: usize = 100;
const ROUNDS: usize = 3;
const ITEMS: usize = 100_000;

/// Function cards alone; notes when each call begins and ends.
#[derive(Debug)]
struct Timed {
    functions: Functions,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ended: Option<Instant>,
    between: Vec<u64>,
    inside: Vec<u64>,
}

impl Catalogue for Timed {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.functions.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.functions.cards()
    }

    fn has_app(&self, _: &AppName) -> bool {
        false
    }

    fn apps(&self) -> Vec<AppName> {
        Vec::new()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[async_trait]
impl CardHost for Timed {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        let began = Instant::now();
        let out = self.functions.evaluate(card, inputs, ambient);
        let ended = Instant::now();
        let mut seen = self.seen.lock().expect("one thread at a time");
        if let Some(before) = seen.ended.replace(ended) {
            seen.between.push(nanos(began - before));
        }
        seen.inside.push(nanos(ended - began));
        out
    }

    fn is_function(&self, card: &CardName) -> bool {
        self.functions.has(card)
    }

    fn request_hash(&self, _: &CardCall) -> Result<String, Fault> {
        Ok(String::new())
    }

    async fn perform(&self, _: CardCall) -> CardOutcome {
        CardOutcome::Unknown(Fault::new(FaultCode::UnknownCard, "there are no actions here"))
    }

    async fn look_up(&self, _: CardCall) -> LookUp {
        LookUp::CannotTell
    }
}

/// Nothing here needs a connection or seals a value.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Authorizer for Nobody {
    async fn authorize(&self, _: &Need) -> Result<Decision, StoreError> {
        std::future::pending().await
    }

    async fn refused(&self, _: &Need, _: &Authorized, _: Loss) -> Result<Decision, StoreError> {
        std::future::pending().await
    }

    fn worked(&self, _: &Authorized) {}

    async fn changed(&self, _: &WaitKey, _: u64) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        std::future::pending().await
    }

    async fn left(&self, _: PromptId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn account(&self, _: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        Ok(None)
    }
}

impl Vault for Nobody {
    fn seal(&self, _: RunId, _: &str, plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, _: RunId, _: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sealed.to_vec())
    }
}

fn chain(card: &str, key: &str, more: &str) -> String {
    let mut text = String::from("flow: chain\ninputs:\n  text: { type: text }\ncards:\n");
    let mut before = "input.text".to_owned();
    for n in 0..CARDS {
        text.push_str(&format!("  - id: c{n}\n    card: {card}\n    with: {{ {key}: \"${{{before}}}\"{more} }}\n"));
        before = format!("c{n}.output");
    }
    text
}

fn read(cards: &dyn Catalogue, text: &str) -> Arc<Flow> {
    let checked = flowdeck::read(&Source::new("chain.flow.yaml", text), Some(cards));
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    Arc::new(checked.flows.into_iter().next().expect("a flow"))
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

async fn added(card: &str, key: &str, more: &str, kilobyte: &str) {
    let cards = Arc::new(Timed { functions: Functions::new(), seen: Mutex::default() });
    let engine = Engine::new(Parts {
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(SystemClock::default()),
        cards: cards.clone(),
        authorizer: Arc::new(Nobody),
        vault: Arc::new(Nobody),
        seed: 7,
        limits: Limits::default(),
    });
    let flow = read(cards.as_ref(), &chain(card, key, more));
    engine.publish(&flow).await.expect("a flow");
    let (mut between, mut inside, mut direct) = (Vec::new(), Vec::new(), Vec::new());
    let name = CardName::new(card).expect("a name");
    let mut given = json!({ key: kilobyte });
    if card == "string/replace" {
        given = json!({ key: kilobyte, "src": "o", "dest": "u", "global": true, "sensitive": true });
    }
    let given = Fields::from_value(given);
    let ambient = Ambient { now: Millis(0), seed: 1 };
    for _ in 0..RUNS {
        *cards.seen.lock().expect("one thread at a time") = Seen::default();
        let input = Fields::from_value(json!({ "text": kilobyte }));
        let view = engine.start_and_wait(Start::new(flow.clone(), input)).await.expect("a run");
        assert_eq!(view.status, Status::Finished, "{view:?}");
        let seen = std::mem::take(&mut *cards.seen.lock().expect("one thread at a time"));
        between.extend(seen.between);
        inside.extend(seen.inside);
        for _ in 0..CARDS {
            let inputs = given.clone();
            let began = Instant::now();
            let out = cards.functions.evaluate(&name, inputs, &ambient);
            direct.push(nanos(began.elapsed()));
            assert!(out.is_ok());
        }
    }
    let p90 = |mut values: Vec<u64>| {
        values.sort_unstable();
        values.get(values.len() * 9 / 10).copied().unwrap_or(0)
    };
    println!(
        "{card:22} {:>9} {:>9} {:>12} {:>9}",
        median(direct),
        median(inside),
        median(between.clone()),
        p90(between)
    );
}

fn memory_mib(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(line));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).map_or(f64::NAN, |kib: f64| kib / 1024.0)
}

const LOOP: &str = "flow: loop\ninputs:\n  items: { type: list }\ncards:\n  - id: each\n    for_each: ${input.items}\n    as: item\n    concurrency: 10\n    cards:\n      - id: text\n        card: string/compose\n        with: { _text_: \"Hello {{{name}}}\", name: \"${item.name}\" }\n";

async fn looped(name: &str, store: Arc<dyn Store>) {
    let runtime = Runtime::builder().store(store).key_bytes([1; 32]).open().await.expect("a runtime");
    let flow = runtime
        .flow(&Source::new("loop.flow.yaml", LOOP), None)
        .unwrap_or_else(|e| panic!("{e}: {:?}", e.diagnostics()));
    let items: Vec<_> = (0..ITEMS).map(|n| json!({ "name": format!("person {n}"), "n": n })).collect();
    let input = Fields::from_value(json!({ "items": items }));
    let before = memory_mib("VmRSS:");
    let began = Instant::now();
    let view = runtime.run(Start::new(flow, input)).await.expect("a run");
    let took = began.elapsed().as_secs_f64();
    assert_eq!(view.status, Status::Finished, "{:?}", view.fault);
    println!(
        "{name:8} {:>10.0} {took:>8.2} {before:>12.0} {:>12.0} {:>12.0}",
        ITEMS as f64 / took,
        memory_mib("VmRSS:"),
        memory_mib("VmHWM:")
    );
    runtime.stop().await.expect("a stop");
}

fn main() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let kilobyte = "abcdefghijklmno ".repeat(64);
    println!("{CARDS} cards a run, {RUNS} runs, values of 1 KiB; medians in ns");
    println!("{:22} {:>9} {:>9} {:>12} {:>9}", "card", "direct", "in a run", "run adds", "p90");
    for _ in 0..ROUNDS {
        threads.block_on(added("string/trim", "string", "", &kilobyte));
        threads.block_on(added("string/toLowerCase", "string", "", &kilobyte));
        threads.block_on(added("string/replace", "string", ", src: o, dest: u", &kilobyte));
    }
    println!("\nfor_each over {ITEMS} items, one Compose inside, concurrency 10");
    println!("{:8} {:>10} {:>8} {:>12} {:>12} {:>12}", "store", "items /s", "s", "MiB before", "MiB after", "MiB peak");
    for _ in 0..ROUNDS {
        threads.block_on(looped("memory", Arc::new(MemoryStore::new())));
        let folder = tempfile::tempdir().expect("a folder");
        let store = SledStore::open(folder.path().join("store"), Options::default()).expect("a store");
        threads.block_on(looped("sled", Arc::new(store)));
    }
}
