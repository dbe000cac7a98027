//! `cargo xtask test`: the gate.
//!
//! Must never pass with a step that did not run unnamed.
//! Tests: it is the test.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::report::Report;
use crate::{setup, shell, soak, tidy};

/// Runs every step of the gate, or only the named ones.
pub(crate) fn run(only: &[String]) -> Result<()> {
    let mut report = Report::default();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|o| o == name);
    let started = Instant::now();

    let set_up = setup::run()?;
    for name in &set_up.missing {
        report.missing(name.clone());
    }

    if wanted("tidy") {
        heading("tidy: arrows, file sizes, words, licences", started);
        for (name, ok) in tidy::checks()? {
            report.check(&name, ok);
        }
    }
    if wanted("fmt") {
        heading("fmt", started);
        let ok = shell::stream(shell::cargo().args(["fmt", "--all", "--check"]), |_| {})?;
        report.check("cargo fmt --all --check", ok);
    }
    if wanted("clippy") {
        heading("clippy", started);
        let ok =
            shell::stream(shell::cargo().args(["clippy", "--workspace", "--quiet", "--", "-D", "warnings"]), |_| {})?;
        report.check("cargo clippy --workspace -- -D warnings", ok);
        // Tests may unwrap: a panic is how they fail.
        let tests =
            ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings", "-A", "clippy::unwrap_used"];
        let ok = shell::stream(shell::cargo().args(tests), |_| {})?;
        report.check("cargo clippy --workspace --all-targets -- -D warnings -A clippy::unwrap_used", ok);
    }
    if wanted("tests") {
        heading("tests", started);
        let built = shell::stream(shell::cargo().args(["build", "--package", "flowdeck-cli"]), |_| {})?;
        report.check("cargo build --package flowdeck-cli", built);
        let mut command = shell::cargo();
        command.args(["test", "--workspace", "--no-fail-fast", "--quiet"]);
        command.env("FLOWDECK_BIN", shell::root().join("target/debug/flowdeck"));
        if let Some(folder) = &set_up.npm {
            command.env("FLOWDECK_NPM", folder);
        }
        let mut failed_names = Vec::new();
        let ok = shell::stream(&mut command, |line| {
            report.read(line);
            if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----")) {
                failed_names.push(name.to_owned());
            }
        })?;
        for name in failed_names {
            println!("failed test: {name}");
        }
        if !ok {
            report.fail("cargo test --workspace");
        }
    }
    if wanted("soak") {
        heading("a slice of each soak", started);
        soak::slices(&mut report)?;
    }

    println!("\ntook {} s", started.elapsed().as_secs());
    if !report.close() {
        bail!("the gate is closed");
    }
    Ok(())
}

fn heading(name: &str, started: Instant) {
    println!("\n== {name} ({} s)", started.elapsed().as_secs());
}
