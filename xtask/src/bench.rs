//! `cargo xtask bench`: figures as ratios inside one run.
//!
//! Must never assert a time.
//! Tests: none; the tables are read by people and kept in `docs/performance.md`.

use anyhow::{Result, bail};

use crate::shell;

/// Name, package, bench target, and what it measures. A name may have more than one target.
const BENCHES: &[(&str, &str, &str, &str)] = &[
    ("store", "flowdeck-store", "commit", "our commit beside raw append, sync and batch"),
    ("waiting", "flowdeck-store", "waiting", "opening a store with 100,000 waiting runs"),
    ("flows", "flowdeck", "flows", "flows of ten function cards, callers waiting, beside raw append and sync"),
    (
        "functions",
        "flowdeck",
        "functions",
        "what a run adds to a direct call of a function card; a loop over 100,000 items",
    ),
    ("exports", "flowdeck-format", "exports", "reading and checking the largest export beside the checkout"),
    ("waiting", "flowdeck", "waiting", "100,000 waiting runs in a fresh process: time to open the runtime, and memory"),
];

/// Runs the named benches; all of them without a name.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if names.iter().any(|n| n == "list") {
        for (name, _, _, about) in BENCHES {
            println!("{name:14} {about}");
        }
        return Ok(());
    }
    for name in names {
        if !BENCHES.iter().any(|b| b.0 == name) {
            bail!("no bench is called `{name}`; `cargo xtask bench list` names them");
        }
    }
    for (name, package, bench, about) in BENCHES {
        if names.is_empty() || names.iter().any(|n| n == name) {
            println!("\n== bench {name}: {about}");
            shell::must(shell::cargo().args(["bench", "--quiet", "--package", package, "--bench", bench]))?;
        }
    }
    Ok(())
}
