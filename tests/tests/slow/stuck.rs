//! A disk that does not answer at all: whoever asks the program to end is not kept waiting for it.
//!
//! Must never wait for the disk itself: a sync takes longer than any test waits.
//! Tests: this is it.

use std::fs;
use std::process::{Child, Command, Stdio};

use flowdeck_tests::deck::Deck;
use flowdeck_tests::running::Running;
use flowdeck_tests::socket::Socket;
use flowdeck_tests::wait::until;
use flowdeck_tests::{missing, need};
use http::Method;
use serde_json::json;

use super::{KEEPER, strace};

/// Holds up every sync of a process. Threads that it holds leave only with it; their process is a zombie until then.
struct Stuck(Child);

impl Stuck {
    fn of(pid: u32) -> Self {
        let mut words = Command::new("strace");
        words.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,sync_file_range"]);
        words.args(["-e", "inject=fdatasync,fsync,sync_file_range:delay_enter=600000000", "-p", &pid.to_string()]);
        let child = words.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let threads = || fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        until("every thread to be held up", || {
            let mut held = threads().map_while(Result::ok).map(|thread| {
                let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
                status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
            });
            held.all(|held| held).then_some(())
        });
        Self(child)
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn stat(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default()
}

fn pid_of_holder(deck: &Deck, holder: &mut Running) -> u32 {
    until("the holder to answer", || {
        assert!(!holder.has_ended(), "the start failed: {}", holder.said());
        let about = Socket::new(&deck.runtime_folder()).call(&Method::GET, "/v1/about", None);
        about.is_ok_and(|(status, body)| status == 200 && body["pid"] == holder.pid()).then(|| holder.pid())
    })
}

#[test]
fn an_end_waits_for_no_disk() {
    need!(missing::need("strace", "apt-get install strace, or `cargo xtask setup` as root", strace()));
    for (words, code, last) in [
        (&["serve", "--listen", "127.0.0.1:0", "--json"][..], 0, r#"{"type":"stopped"}"#),
        (&["run", "keeper.flow.yaml", "--json", "--no-input"], 130, r#""status":"interrupted""#),
    ] {
        let mut deck = Deck::new();
        deck.allow_http("127.0.0.1:9".to_owned());
        deck.write("keeper.flow.yaml", KEEPER);
        let mut holder = deck.flowdeck(words).spawn();
        let pid = pid_of_holder(&deck, &mut holder);
        let socket = Socket::new(&deck.runtime_folder());
        let outcome = std::thread::scope(|scope| {
            // Let go before the holder is waited for, also where the test fails.
            let stuck = Stuck::of(pid);
            // Something that is still to be written at the end.
            let body = json!({ "file": { "name": "keeper.flow.yaml", "text": KEEPER }, "input": {} });
            let asked = scope.spawn(move || socket.call(&Method::POST, "/v1/runs", Some(&body)));
            holder.interrupt();
            until("the process to leave", || stat(pid).contains(") Z").then_some(()));
            drop(stuck);
            let outcome = holder.end();
            let answer = asked.join().unwrap();
            assert!(!matches!(answer, Ok((200..300, _))), "nothing is acknowledged by a disk that does not answer");
            outcome
        });
        assert_eq!((outcome.code, outcome.signal), (Some(code), None), "{outcome}");
        assert!(outcome.lines.last().is_some_and(|line| line.contains(last)), "{outcome}");
    }
}
