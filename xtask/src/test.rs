//! `cargo xtask test`: the gate.
//!
//! Must never pass with a step that did not run unnamed.
//! Tests: it is the test; the reading of lints below.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::report::{NotRun, Report};
use crate::setup::{self, SetUp};
use crate::{corpus, lints, shell, tidy};

/// Every step, in the order of what fails soonest.
const STEPS: &[&str] = &["tidy", "fmt", "clippy", "tests", "corpus"];

/// Runs every step of the gate, or only the named ones.
pub(crate) fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.contains(&name.as_str())) {
        bail!("no step is called `{unknown}`; there are {}", STEPS.join(", "));
    }
    let mut report = Report::default();
    let mut times = Vec::new();
    let started = Instant::now();

    setup::room()?;
    let set_up = setup::run()?;
    for name in &set_up.missing {
        report.missing(name.clone());
    }
    times.push(("set-up", started.elapsed()));
    for step in STEPS {
        if !only.is_empty() && !only.iter().any(|name| name == step) {
            report.missing(format!("step {step} (only {} was asked for)", only.join(", ")));
            continue;
        }
        println!("\n== {step}");
        let began = Instant::now();
        match *step {
            "tidy" => {
                for (name, ok) in tidy::checks()? {
                    report.check(&name, ok);
                }
            }
            "fmt" => {
                let ok = shell::stream(shell::cargo().args(["fmt", "--all", "--check"]), |_| {})?;
                report.check("cargo fmt --all --check", ok);
            }
            "clippy" => report.check("cargo clippy --workspace --all-targets", lints::run()?),
            "corpus" => corpus::gate(&mut report)?,
            _ => tests(&set_up, &mut report)?,
        }
        times.push((step, began.elapsed()));
    }

    println!();
    for (step, time) in times {
        println!("{step:8} {:>5} s", time.as_secs());
    }
    println!("{:8} {:>5} s", "all", started.elapsed().as_secs());
    if !report.close() {
        bail!("the gate is closed");
    }
    Ok(())
}

/// What the tests that start our program find in their environment.
pub(crate) fn environment(command: &mut Command, profile: &str, set_up: &SetUp) {
    command.env("FLOWDECK_BIN", shell::target().join(profile).join("flowdeck"));
    command.env("FLOWDECK_NOT_RUN", NotRun::path());
    if let Some(folder) = &set_up.npm {
        command.env("FLOWDECK_NPM", folder);
    }
}

/// One build for the program and all tests: the same packages with the same features, so that nothing is built twice.
/// The soaks' slices are among the tests.
fn tests(set_up: &SetUp, report: &mut Report) -> Result<()> {
    report.check("cargo build --workspace", shell::build_all()?);
    let not_run = NotRun::begin()?;
    let mut command = shell::cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--quiet"]);
    environment(&mut command, "debug", set_up);
    let ok = shell::stream(&mut command, |line| {
        report.read(line);
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----")) {
            report.name(name);
        }
    })?;
    if !ok && !report.has_failures() {
        report.fail("cargo test --workspace");
    }
    not_run.read(report)
}
