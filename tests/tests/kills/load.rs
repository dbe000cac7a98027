//! The load, and the kills in the middle of it.
//!
//! Must never start a run under a name of its own twice: a start that got no answer is repeated with its key.
//! Tests: `main.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use flowdeck_tests::deck::{Call, Deck};
use flowdeck_tests::ledger::Ledger;
use flowdeck_tests::running::Running;
use flowdeck_tests::socket::Socket;
use flowdeck_tests::wait::{deadline, until};
use http::Method;
use serde_json::{Value, json};

/// Callers that start runs at the same time.
const CALLERS: usize = 3;

/// Each run: functions, three effects, a result.
const FLOW: &str = r#"
flow: load
inputs: { url: text, name: text }
cards:
  - id: now
    card: date/now
  - id: three
    times: 3
    as: number
    cards:
      - id: post
        card: http/post
        with: { url: "${input.url}/effects/${input.name}/${number}", body: { at: "${now.date}" } }
  - return: { name: "${input.name}", count: "${three.count}" }
"#;

/// Keeps the command that holds the data folder there.
const KEEPER: &str = "flow: keeper\ncards:\n  - wait: 10m\n";

/// When the holder is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kill {
    /// So soon after its start, answering or not.
    Starting { after_ms: u64 },
    /// Right after it has acknowledged so many runs.
    AfterAcknowledged { runs: usize },
    /// So long after it answers.
    UnderLoad { after_ms: u64 },
    /// When one of its threads makes this system call for the `nth` time, before the call is carried out.
    AtCall { call: &'static str, nth: u64 },
}

/// Calls to be killed at: the log's sync, its writes, files put in place, requests and answers that leave.
pub(crate) const CALLS: &[&str] = &[
    "fdatasync",
    "write,pwrite64,writev",
    "fsync,rename,renameat,renameat2,unlink",
    "sendto,sendmsg,writev",
    "connect",
];

/// How long a holder that is to be killed at a call may run without making it.
const CALL_WITHIN: Duration = Duration::from_millis(1_500);

/// A data folder under siege.
pub(crate) struct Siege {
    pub(crate) deck: Deck,
    pub(crate) ledger: Ledger,
    pub(crate) book: Mutex<Book>,
    pub(crate) figures: Figures,
    acknowledged: (Mutex<usize>, Condvar),
    next: AtomicUsize,
    at_call: AtomicUsize,
}

/// Names of runs that were asked for: their run, where it was acknowledged.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) acknowledged: BTreeMap<String, String>,
    pub(crate) unanswered: Vec<String>,
    /// Runs whose every detail was checked already.
    pub(crate) checked: std::collections::BTreeSet<String>,
}

/// What happened.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) kills: usize,
    pub(crate) starts: usize,
    pub(crate) repeated_starts: usize,
    pub(crate) settled: usize,
    pub(crate) checked: usize,
    pub(crate) effects: usize,
    pub(crate) slowest_start_ms: u128,
}

impl Siege {
    pub(crate) fn new() -> Self {
        let ledger = Ledger::default();
        let mut deck = Deck::new();
        deck.allow_http(ledger.host());
        deck.write("keeper.flow.yaml", KEEPER);
        Self {
            deck,
            ledger,
            book: Mutex::default(),
            figures: Figures::default(),
            acknowledged: Default::default(),
            next: AtomicUsize::new(0),
            at_call: AtomicUsize::new(0),
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.book.lock().unwrap().acknowledged.len()
    }

    pub(crate) fn figures(&self) -> String {
        let f = &self.figures;
        format!(
            "{} kills ({} at a system call), {} starts of the program (slowest to answer {} ms), {} runs acknowledged, {} starts repeated with their key, \
             {} effects, {} writes in doubt settled, {} runs checked: 0 lost, 0 duplicated entries, 0 gaps, 0 repeated effects, 0 failed starts",
            f.kills,
            self.at_call.load(Ordering::SeqCst),
            f.starts,
            f.slowest_start_ms,
            self.acknowledged(),
            f.repeated_starts,
            f.effects,
            f.settled,
            f.checked
        )
    }

    pub(crate) fn socket(&self) -> Socket {
        Socket::new(&self.deck.runtime_folder())
    }

    pub(crate) fn start_holder(&mut self) -> Running {
        self.figures.starts += 1;
        self.holder().spawn()
    }

    fn holder(&self) -> Call<'_> {
        self.deck.flowdeck(&["run", "keeper.flow.yaml", "--json", "--no-input"])
    }

    /// Waits until this very process answers. That it ends instead is a failed start.
    pub(crate) fn answers(&mut self, holder: &mut Running, socket: &Socket) {
        let began = Instant::now();
        let pid = holder.pid();
        until("the holder to answer", || {
            if holder.has_ended() {
                panic!("a start failed: {}", holder.said());
            }
            let about = socket.call(&Method::GET, "/v1/about", None);
            about.ok().filter(|(status, body)| *status == 200 && body["pid"] == pid)
        });
        self.figures.slowest_start_ms = self.figures.slowest_start_ms.max(began.elapsed().as_millis());
    }

    pub(crate) fn kill(&mut self, kill: Kill) {
        if let Kill::AtCall { call, nth } = kill {
            return self.kill_at(call, nth);
        }
        let mut holder = self.start_holder();
        let socket = self.socket();
        if let Kill::Starting { after_ms } = kill {
            std::thread::park_timeout(Duration::from_millis(after_ms));
            assert!(!holder.has_ended(), "a start failed: {}", holder.said());
        } else {
            self.answers(&mut holder, &socket);
            let over = AtomicBool::new(false);
            let begun = *self.acknowledged.0.lock().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| self.call_until(&over));
                }
                match kill {
                    Kill::AfterAcknowledged { runs } => self.wait_acknowledged(begun + runs),
                    Kill::UnderLoad { after_ms } | Kill::Starting { after_ms } => {
                        std::thread::park_timeout(Duration::from_millis(after_ms));
                    }
                    Kill::AtCall { .. } => unreachable!("killed elsewhere"),
                }
                assert!(!holder.has_ended(), "the holder ended by itself: {}", holder.said());
                over.store(true, Ordering::SeqCst);
                holder.kill_now();
            });
        }
        holder.kill_now();
        let outcome = holder.end();
        assert_eq!(outcome.signal, Some(9), "it was killed and nothing else: {outcome}");
        self.figures.kills += 1;
    }

    /// Killed by `strace` at a system call; where it does not come to that call, at random as usual.
    fn kill_at(&mut self, call: &str, nth: u64) {
        self.figures.starts += 1;
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={nth}"));
        let words = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let mut holder = self.holder().through(&words).spawn();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    let began = Instant::now();
                    while !over.load(Ordering::SeqCst) && began.elapsed() < CALL_WITHIN {
                        self.call_until(&over);
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                });
            }
            let end = Instant::now() + CALL_WITHIN;
            while !holder.has_ended() && Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            over.store(true, Ordering::SeqCst);
            self.at_call.fetch_add(usize::from(holder.has_ended()), Ordering::SeqCst);
            holder.kill_now();
        });
        let outcome = holder.end();
        assert_eq!(outcome.signal, Some(9), "it was killed and nothing else: {outcome}");
        self.figures.kills += 1;
    }

    fn wait_acknowledged(&self, n: usize) {
        let end = deadline();
        let mut count = self.acknowledged.0.lock().unwrap();
        while *count < n {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "runs are not acknowledged");
            count = self.acknowledged.1.wait_timeout(count, left).unwrap().0;
        }
    }

    /// Starts one run after the other until the holder is gone.
    fn call_until(&self, over: &AtomicBool) {
        let socket = self.socket();
        while !over.load(Ordering::SeqCst) {
            let again = self.book.lock().unwrap().unanswered.pop();
            let name = again.unwrap_or_else(|| format!("n{}", self.next.fetch_add(1, Ordering::SeqCst)));
            if !self.begin(&socket, &name) {
                return;
            }
        }
    }

    /// Starts the run of this name; whether it was acknowledged.
    pub(crate) fn begin(&self, socket: &Socket, name: &str) -> bool {
        let body = json!({
            "file": { "name": "load.flow.yaml", "text": FLOW },
            "input": { "url": format!("http://{}", self.ledger.host()), "name": name },
            "idempotency_key": name,
        });
        match socket.call(&Method::POST, "/v1/runs", Some(&body)) {
            Ok((status, run)) => {
                assert!((200..300).contains(&status), "a run was refused: {status} {run}");
                let id = run["id"].as_str().unwrap().to_owned();
                let before = self.book.lock().unwrap().acknowledged.insert(name.to_owned(), id.clone());
                assert!(before.is_none_or(|b| b == id), "one key, two runs: {name}");
                *self.acknowledged.0.lock().unwrap() += 1;
                self.acknowledged.1.notify_all();
                true
            }
            Err(_) => {
                self.book.lock().unwrap().unanswered.push(name.to_owned());
                false
            }
        }
    }

    /// A call that must be answered well.
    pub(crate) fn ask(socket: &Socket, method: &Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = socket.call(method, path, body).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }
}
