//! `cargo xtask soak`: long checks by name; the gate runs a slice of each.
//!
//! Must never report a figure that was not measured in this run.
//! Tests: the slices in the gate.

use anyhow::{Result, bail};

use crate::report::Report;
use crate::shell;

/// A long check: a test binary that reads its size from the environment.
struct Soak {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    test: &'static str,
    filter: &'static str,
    /// Variable that sets the size.
    size: &'static str,
    full: u32,
}

const SOAKS: &[Soak] = &[
    Soak {
        name: "crash-points",
        about: "every store operation of 12 flows died at, before and after it took effect, and double crashes",
        package: "flowdeck-engine",
        test: "crash",
        filter: "",
        size: "FLOWDECK_SOAK_CRASH_POINTS",
        full: 20_000,
    },
    Soak {
        name: "damage",
        about: "damaged stores: full content or a typed error",
        package: "flowdeck-store",
        test: "damage",
        filter: "",
        size: "FLOWDECK_SOAK_DAMAGE",
        full: 2_000,
    },
    Soak {
        name: "power",
        about: "writes after the last sync dropped, torn or reordered",
        package: "flowdeck-store",
        test: "power",
        filter: "",
        size: "FLOWDECK_SOAK_POWER",
        full: 2_000,
    },
    Soak {
        name: "clocks",
        about: "clocks that jump, with restarts: no timer lost, early or twice",
        package: "flowdeck-engine",
        test: "clocks",
        filter: "",
        size: "FLOWDECK_SOAK_CLOCKS",
        full: 10_000,
    },
];

/// Runs the named soaks at full size; all of them without a name.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if names.iter().any(|n| n == "list") {
        for soak in SOAKS {
            println!("{:14} {} (full size {})", soak.name, soak.about, soak.full);
        }
        return Ok(());
    }
    let mut report = Report::default();
    for name in names {
        if !SOAKS.iter().any(|s| s.name == name) {
            bail!("no soak is called `{name}`; `cargo xtask soak list` names them");
        }
    }
    for soak in SOAKS.iter().filter(|s| names.is_empty() || names.iter().any(|n| n == s.name)) {
        one(soak, Some(soak.full), &mut report)?;
    }
    if !report.close() {
        bail!("a soak failed");
    }
    Ok(())
}

/// The slices run inside `cargo test` already, at the size each test falls back to; nothing is left to do here.
pub(crate) fn slices(_report: &mut Report) -> Result<()> {
    println!("run as tests of their crates, at their small size");
    Ok(())
}

fn one(soak: &Soak, size: Option<u32>, report: &mut Report) -> Result<()> {
    println!("\n== soak {}: {}", soak.name, soak.about);
    let mut command = shell::cargo();
    command.args(["test", "--release", "--package", soak.package, "--test", soak.test, "--", "--nocapture"]);
    if !soak.filter.is_empty() {
        command.arg(soak.filter);
    }
    command.env("FLOWDECK_BIN", shell::root().join("target/release/flowdeck"));
    command.env("FLOWDECK_NPM", shell::root().join("target/npm"));
    if let Some(size) = size {
        command.env(soak.size, size.to_string());
    }
    let ok = shell::stream(&mut command, |line| report.read(line))?;
    if !ok {
        report.fail(soak.name);
    }
    Ok(())
}
