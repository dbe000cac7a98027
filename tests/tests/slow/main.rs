//! The real program on a disk whose every sync takes seconds, with servers that take half a minute: reads stay quick, a
//! stop comes in time, nothing that was acknowledged is lost or done twice.
//!
//! Must never call a read slow because this machine is busy: it is held against the disk's time.
//! Tests: this is it; `FLOWDECK_SOAK_SLOW_DISK` sets how long a sync takes, in milliseconds; an answer takes fifteen
//! times as long.

mod server;
mod stuck;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flowdeck_tests::deck::Deck;
use flowdeck_tests::running::Running;
use flowdeck_tests::socket::Socket;
use flowdeck_tests::wait::until;
use flowdeck_tests::{missing, need};
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use server::Server;

/// So long a sync takes in the gate, in milliseconds.
const SLICE_MS: u64 = 150;
const CALLERS: usize = 4;
/// A stop may take so long, whatever the servers and the disk do.
const STOP: Duration = Duration::from_secs(10);

const FLOW: &str = "flow: load\ninputs: { url: text, name: text }\ncards:\n  - id: now\n    card: date/now\n  - id: post\n    card: http/post\n    with: { url: \"${input.url}/${input.name}\", body: { at: \"${now.date}\" } }\n  - return: { name: \"${input.name}\" }\n";
const KEEPER: &str = "flow: keeper\ncards:\n  - wait: 10m\n";

struct Site {
    deck: Deck,
    server: Server,
    sync_ms: u64,
    acknowledged: Mutex<BTreeMap<String, String>>,
    next: AtomicUsize,
}

/// What one round showed.
struct Figures {
    reads: Vec<Duration>,
    stop: Duration,
}

impl Site {
    fn holder(&self, slow: bool) -> Running {
        let call = self.deck.flowdeck(&["run", "keeper.flow.yaml", "--json", "--no-input"]);
        let inject = format!("inject=fdatasync,fsync:delay_enter={}", self.sync_ms * 1_000);
        let words = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject];
        if slow { call.through(&words).spawn() } else { call.spawn() }
    }

    fn socket(&self) -> Socket {
        Socket::new(&self.deck.runtime_folder())
    }

    fn answers(&self, holder: &mut Running) {
        let socket = self.socket();
        until("the holder to answer", || {
            assert!(!holder.has_ended(), "a start failed: {}", holder.said());
            let about = socket.call(&Method::GET, "/v1/about", None);
            about.ok().filter(|(status, body)| *status == 200 && body["pid"] == holder.pid())
        });
    }

    /// Starts one run after the other until the holder stops; what is answered well is acknowledged.
    fn start_until(&self, over: &AtomicBool) {
        let socket = self.socket();
        while !over.load(Ordering::SeqCst) {
            let name = format!("n{}", self.next.fetch_add(1, Ordering::SeqCst));
            let body = json!({
                "file": { "name": "load.flow.yaml", "text": FLOW },
                "input": { "url": format!("http://{}", self.server.host()), "name": name },
            });
            if let Ok((200..300, run)) = socket.call(&Method::POST, "/v1/runs", Some(&body)) {
                self.acknowledged.lock().unwrap().insert(name, run["id"].as_str().unwrap().to_owned());
            }
        }
    }

    /// Looks at everything again and again; how long each look took.
    fn look_until(&self, over: &AtomicBool) -> Vec<Duration> {
        let (socket, mut took) = (self.socket(), Vec::new());
        while !over.load(Ordering::SeqCst) {
            for path in ["/v1/runs?limit=20", "/v1/about"] {
                let began = Instant::now();
                if let Ok((200, _)) = socket.call(&Method::GET, path, None) {
                    took.push(began.elapsed());
                }
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        took
    }

    /// Load on a slow disk, until requests are under way and stay so; then a stop in the middle of it.
    fn round(&self, signal: Signal) -> Figures {
        let mut holder = self.holder(true);
        self.answers(&mut holder);
        let over = AtomicBool::new(false);
        let heard = self.server.heard();
        let (reads, stop) = std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| self.start_until(&over));
            }
            let looking = scope.spawn(|| self.look_until(&over));
            until("requests to be under way", || (self.server.heard() >= heard + CALLERS as u64).then_some(()));
            let began = Instant::now();
            kill_process(Pid::from_raw(holder.pid().try_into().unwrap()).unwrap(), signal).unwrap();
            over.store(true, Ordering::SeqCst);
            let outcome = holder.end();
            assert!(outcome.signal.is_none(), "it ends by itself: {outcome}");
            (looking.join().unwrap(), began.elapsed())
        });
        assert!(stop <= STOP, "{signal:?}: the stop took {stop:?}");
        Figures { reads, stop }
    }

    /// Everything that was acknowledged comes to its end on a quick disk, and was done once.
    fn check(&self) -> usize {
        self.server.takes(0);
        until("the server to be through", || self.server.rests().then_some(()));
        let mut holder = self.holder(false);
        self.answers(&mut holder);
        let (socket, mut settled) = (self.socket(), 0);
        for (name, run) in &*self.acknowledged.lock().unwrap() {
            let view = until(&format!("run {run} to end"), || {
                let (_, view) = socket.call(&Method::GET, &format!("/v1/runs/{run}"), None).unwrap();
                let waits = view["waits"].as_array().cloned().unwrap_or_default();
                for wait in waits.iter().filter(|wait| wait["reason"]["in_doubt"].is_object()) {
                    settled += usize::from(self.settle(&socket, run, name, wait));
                }
                (view["status"] == "finished" || view["status"] == "failed").then_some(view)
            });
            assert_eq!((&view["status"], &view["output"]["name"]), (&json!("finished"), &json!(name)), "{view}");
        }
        let done = self.server.done();
        assert!(done.values().all(|times| *times == 1), "an effect was repeated unasked: {done:?}");
        for name in self.acknowledged.lock().unwrap().keys() {
            assert!(done.contains_key(&format!("/{name}")), "the effect of {name} is missing");
        }
        holder.kill_now();
        settled
    }

    /// Says what the server remembers.
    fn settle(&self, socket: &Socket, run: &str, name: &str, wait: &Value) -> bool {
        let happened = self.server.done().contains_key(&format!("/{name}"));
        let how = if happened { "happened" } else { "did_not" };
        let body = json!({ "path": wait["path"], "how": how });
        let (code, said) = socket.call(&Method::POST, &format!("/v1/runs/{run}/settle"), Some(&body)).unwrap();
        assert!(code < 300 || said["code"] == "run.not_now", "{code} {said}");
        code < 300
    }
}

fn strace() -> Option<std::process::Output> {
    std::process::Command::new("strace").arg("--version").output().ok()
}

#[test]
fn a_slow_disk_and_slow_servers_hold_up_nobody_who_does_not_need_them() {
    need!(missing::need("strace", "apt-get install strace, or `cargo xtask setup` as root", strace()));
    let sync_ms = std::env::var("FLOWDECK_SOAK_SLOW_DISK").ok().map_or(SLICE_MS, |text| text.parse().unwrap());
    let server = Server::new(15 * sync_ms);
    let mut deck = Deck::new();
    deck.allow_http(server.host());
    deck.write("keeper.flow.yaml", KEEPER);
    let site = Site { deck, server, sync_ms, acknowledged: Mutex::default(), next: AtomicUsize::new(0) };
    // The folder is made on a quick disk.
    let mut holder = site.holder(false);
    site.answers(&mut holder);
    holder.interrupt();
    holder.end();
    for signal in [Signal::INT, Signal::TERM] {
        site.server.takes(15 * sync_ms);
        let Figures { mut reads, stop } = site.round(signal);
        reads.sort();
        let at = |share: usize| reads[(reads.len() - 1) * share / 100];
        println!(
            "{signal:?}, syncs of {sync_ms} ms, answers of {} ms: {} reads, median {:?}, 99th {:?}; stopped in {stop:?}",
            15 * sync_ms,
            reads.len(),
            at(50),
            at(99)
        );
        assert!(at(50) < Duration::from_millis(sync_ms / 2), "reads wait for the disk: {:?}", at(50));
        let settled = site.check();
        let runs = site.acknowledged.lock().unwrap().len();
        println!("{runs} runs acknowledged, each finished once; {settled} writes in doubt settled");
        assert!(runs >= CALLERS);
    }
}
