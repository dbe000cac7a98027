//! What must be true after kills: every acknowledged run is there, whole, and did each of its effects once.
//!
//! Must never settle a write otherwise than by what the server remembers.
//! Tests: `main.rs`.

use std::collections::BTreeMap;

use flowdeck_tests::socket::Socket;
use flowdeck_tests::wait::until;
use http::Method;
use serde_json::{Value, json};

use crate::load::Siege;

/// Effects of each run.
const EFFECTS: u32 = 3;

impl Siege {
    /// Starts the holder once more, lets everything come to its end, and looks at everything.
    pub(crate) fn check(&mut self) {
        let mut holder = self.start_holder();
        let socket = self.socket();
        self.answers(&mut holder, &socket);
        let unanswered = std::mem::take(&mut self.book.lock().unwrap().unanswered);
        for name in unanswered {
            assert!(self.begin(&socket, &name), "a start with its key was not taken");
            self.figures.repeated_starts += 1;
        }
        let runs = self.book.lock().unwrap().acknowledged.clone();
        for (name, id) in &runs {
            if !self.book.lock().unwrap().checked.contains(name) {
                let view = self.ended(&socket, name, id);
                check_run(&socket, name, id, &view);
            }
        }
        let effects = self.ledger.counts();
        self.check_effects(&runs, &effects);
        self.check_no_other_runs(&socket, &runs);
        self.book.lock().unwrap().checked = runs.keys().cloned().collect();
        self.figures.effects = effects.len();
        self.figures.checked = runs.len();
        holder.kill_now();
    }

    /// The run at its end. A write in doubt is settled by what the server remembers.
    fn ended(&mut self, socket: &Socket, name: &str, id: &str) -> Value {
        until(&format!("run {id} of {name} to end"), || {
            let view = Self::ask(socket, &Method::GET, &format!("/v1/runs/{id}"), None);
            let waits = view["waits"].as_array().cloned().unwrap_or_default();
            for wait in waits.iter().filter(|w| w["reason"]["in_doubt"].is_object()) {
                let path = wait["path"].as_str().unwrap();
                let number = path.split(['[', ']']).nth(1).unwrap();
                let happened = self.ledger.counts().contains_key(&format!("{name}/{number}"));
                let how = if happened { "happened" } else { "did_not" };
                let body = json!({ "path": path, "how": how });
                let settle = format!("/v1/runs/{id}/settle");
                let (code, said) = socket.call(&Method::POST, &settle, Some(&body)).unwrap_or_else(|e| panic!("{e}"));
                // The record may still show a wait that was settled a moment ago.
                assert!((200..300).contains(&code) || said["code"] == "run.not_now", "{settle}: {code} {said}");
                self.figures.settled += usize::from(code < 300);
            }
            let status = view["status"].as_str().unwrap_or_default().to_owned();
            ["finished", "failed", "cancelled", "expired"].contains(&status.as_str()).then_some(view)
        })
    }

    fn check_effects(&self, runs: &BTreeMap<String, String>, effects: &BTreeMap<String, u32>) {
        for (effect, times) in effects {
            assert_eq!(*times, 1, "the effect {effect} was repeated unasked");
            let name = effect.split('/').next().unwrap_or_default();
            assert!(runs.contains_key(name), "an effect of no run: {effect}");
        }
        for name in runs.keys() {
            for number in 0..EFFECTS {
                assert!(effects.contains_key(&format!("{name}/{number}")), "an effect is missing: {name}/{number}");
            }
        }
    }

    /// No run is there twice, under one name or another.
    fn check_no_other_runs(&self, socket: &Socket, runs: &BTreeMap<String, String>) {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = Self::ask(socket, &Method::GET, &format!("/v1/runs?flow=load&limit=200{cursor}"), None);
            let list = page["runs"].as_array().unwrap();
            found.extend(list.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        found.sort();
        let mut known: Vec<String> = runs.values().cloned().collect();
        known.sort();
        assert_eq!(found.len(), known.len(), "runs that nobody started, or that are lost");
        assert_eq!(found, known);
    }
}

/// One run, entry by entry.
fn check_run(socket: &Socket, name: &str, id: &str, view: &Value) {
    assert_eq!(view["status"], "finished", "{view}");
    assert_eq!(view["output"]["name"], name, "{view}");
    let page = Siege::ask(socket, &Method::GET, &format!("/v1/runs/{id}/entries?after=0&limit=500"), None);
    let entries = page["entries"].as_array().unwrap();
    for (position, entry) in entries.iter().enumerate() {
        assert_eq!(entry["s"].as_u64(), Some(position as u64 + 1), "a gap or a duplicate in {id}: {page}");
    }
    let finished =
        |path: &str| entries.iter().filter(|e| e["p"] == path && e["w"]["step_finished"].is_object()).count();
    for number in 0..EFFECTS {
        let path = format!("three[{number}].post");
        assert_eq!(finished(&path), 1, "{path} of {id}: {page}");
    }
    let starts = entries.iter().filter(|e| e["w"]["run_started"].is_object()).count();
    let ends = entries.iter().filter(|e| e["w"]["run_ended"].is_object()).count();
    assert_eq!((starts, ends), (1, 1), "{page}");
}
