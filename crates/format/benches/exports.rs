//! How long reading and checking the largest export takes: `cargo xtask bench exports`.
//!
//! Must never be a test: times depend on the machine, so nothing fails here.
//! Tests: none; it is a measurement.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and ends where it cannot measure")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use flowdeck_format::{Source, import, print, read};
use flowdeck_functions::Functions;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue};

const ROUNDS: usize = 15;
/// What reading and checking together may take.
const GOAL_MS: f64 = 50.0;

struct Cards(Functions);

impl Catalogue for Cards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.0.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.0.cards()
    }

    fn has_app(&self, _: &AppName) -> bool {
        true
    }

    fn apps(&self) -> Vec<AppName> {
        Vec::new()
    }
}

fn exports(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            exports(&path, found);
        } else if path.extension().is_some_and(|e| e == "flopack") {
            found.push(path);
        }
    }
}

/// The middle of some times, in milliseconds.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn timed<T>(work: impl Fn() -> T) -> f64 {
    let once = || {
        let started = Instant::now();
        std::hint::black_box(work());
        started.elapsed().as_secs_f64() * 1e3
    };
    median((0..ROUNDS).map(|_| once()).collect())
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let beside = root.join("../shared/corpus");
    let folder = if beside.is_dir() { beside } else { root.join("tests/corpus/made") };
    let mut found = Vec::new();
    exports(&folder, &mut found);
    found.sort_by_key(|path| std::fs::metadata(path).map(|m| m.len()).unwrap_or(0));
    let Some(largest) = found.last() else {
        println!("there is no export to measure");
        return;
    };
    let bytes = std::fs::read(largest).unwrap();
    let cards = Cards(Functions::new());
    let (export, _) = import::read("a", &bytes, &cards);
    let export = export.unwrap();
    let json = timed(|| serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    let reading = timed(|| import::read("a", &bytes, &cards).0.is_some());
    // As `flowdeck check` does: each flow by itself, as a native file.
    let check = || {
        let texts = export.flows.iter().map(print);
        texts.map(|text| read(&Source::new("a.yaml", &text), Some(&cards)).diagnostics.len()).sum::<usize>()
    };
    let checking = timed(check);
    println!(
        "largest export: {} KB, {} flows, {} cards",
        bytes.len() / 1000,
        export.flows.len(),
        export.report.cards.len()
    );
    println!("its JSON alone          {json:8.1} ms");
    println!("read into flows         {reading:8.1} ms");
    println!("printed and checked     {checking:8.1} ms");
    println!("read and checked        {:8.1} ms   (goal {GOAL_MS:.0} ms)", reading + checking);
}
