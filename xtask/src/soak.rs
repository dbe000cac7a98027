//! `cargo xtask soak`: long checks by name; the gate runs a slice of each.
//!
//! Must never report a figure that was not measured in this run.
//! Tests: the slices in the gate.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::report::{NotRun, Report};
use crate::setup::{self, SetUp};
use crate::{fuzz, shell, test};

/// A long check: a test binary that reads its size from the environment. Without it the test runs its slice, which is
/// how the gate has it among the tests.
struct Soak {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    test: &'static str,
    /// The module of its tests in that program; all of it when empty.
    module: &'static str,
    /// Variable that sets the size.
    size: &'static str,
    full: u32,
}

const fn of_the_store(name: &'static str, about: &'static str, size: &'static str, full: u32) -> Soak {
    Soak { name, about, package: "flowdeck-store", test: "suite", module: name, size, full }
}

const SOAKS: &[Soak] = &[
    of_the_store("damage", "damaged stores: full content or a typed error", "FLOWDECK_SOAK_DAMAGE", 2_000),
    of_the_store("power", "writes after the last sync dropped, torn or reordered", "FLOWDECK_SOAK_POWER", 2_000),
    of_the_store("disk", "no space at the n-th write, and on a real small disk", "FLOWDECK_SOAK_DISK", 2_000),
    of_the_store("sync", "the n-th sync fails: poisoned at once, recovered by a restart", "FLOWDECK_SOAK_SYNC", 2_000),
    Soak {
        module: "kills",
        ..of_the_store("store-kills", "a process around the store is killed", "FLOWDECK_SOAK_STORE_KILLS", 2_000)
    },
    Soak {
        name: "kills",
        about: "SIGKILLs of the command under load: at random, at marked points, while starting",
        package: "flowdeck-tests",
        test: "kills",
        module: "",
        size: "FLOWDECK_SOAK_KILLS",
        full: 2_000,
    },
    Soak {
        name: "crash-points",
        about: "every store operation of 12 flows failed or died at, before and after it took effect, and double ones",
        package: "flowdeck-engine",
        test: "suite",
        module: "crash",
        size: "FLOWDECK_SOAK_CRASH_POINTS",
        full: 20_000,
    },
    Soak {
        name: "clocks",
        about: "clocks that jump, with restarts: no timer lost, early or twice",
        package: "flowdeck-engine",
        test: "suite",
        module: "clocks",
        size: "FLOWDECK_SOAK_CLOCKS",
        full: 10_000,
    },
    Soak {
        name: "schedules",
        about: "the same for schedules, with clocks set for summer and crashes: each planned time as promised, once",
        package: "flowdeck",
        test: "suite",
        module: "clocks",
        size: "FLOWDECK_SOAK_CLOCKS",
        full: 3_000,
    },
    Soak {
        name: "slow",
        about: "a disk that takes 2 s for a commit, servers that take 30 s: quick reads, a stop in time, nothing lost",
        package: "flowdeck-engine",
        test: "suite",
        module: "slow",
        size: "FLOWDECK_SOAK_SLOW",
        full: 500,
    },
    Soak {
        name: "slow-disk",
        about: "the command on a disk whose every sync takes so many ms, with servers fifteen times as slow",
        package: "flowdeck-tests",
        test: "slow",
        module: "",
        size: "FLOWDECK_SOAK_SLOW_DISK",
        full: 2_000,
    },
    Soak {
        name: "hostile",
        about: "slow and hostile servers in random forms: every request has a bounded, typed end",
        package: "flowdeck-egress",
        test: "suite",
        module: "soak",
        size: "FLOWDECK_SOAK_HOSTILE",
        full: 5_000,
    },
];

/// Runs the named soaks at full size; all of them without a name.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if names.iter().any(|n| n == "list") {
        for soak in SOAKS {
            println!("{:14} {} (full size {})", soak.name, soak.about, soak.full);
        }
        println!("{:14} {} (full size {} s a target)", fuzz::NAME, fuzz::ABOUT, fuzz::FULL);
        return Ok(());
    }
    let mut report = Report::default();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    for name in names {
        if name != fuzz::NAME && !SOAKS.iter().any(|s| s.name == name) {
            bail!("no soak is called `{name}`; `cargo xtask soak list` names them");
        }
    }
    if SOAKS.iter().any(|s| wanted(s.name)) {
        let set_up = setup::run()?;
        let not_run = NotRun::begin()?;
        for soak in SOAKS.iter().filter(|s| wanted(s.name)) {
            one(soak, &set_up, &mut report)?;
        }
        not_run.read(&mut report)?;
    }
    if wanted(fuzz::NAME) {
        fuzz::run(&mut report)?;
    }
    if !report.close() {
        bail!("a soak failed");
    }
    Ok(())
}

fn one(soak: &Soak, set_up: &SetUp, report: &mut Report) -> Result<()> {
    println!("\n== soak {}: {} ({})", soak.name, soak.about, soak.full);
    let started = Instant::now();
    // Only the end-to-end tests start the command.
    if soak.package == "flowdeck-tests" {
        let built = shell::stream(shell::cargo().args(["build", "--release", "--package", "flowdeck-cli"]), |_| {})?;
        report.check("cargo build --release --package flowdeck-cli", built);
    }
    let mut command = shell::cargo();
    command.args(["test", "--release", "--package", soak.package, "--test", soak.test, "--", "--nocapture"]);
    if !soak.module.is_empty() {
        command.arg(format!("{}::", soak.module));
    }
    test::environment(&mut command, "release", set_up);
    command.env(soak.size, soak.full.to_string());
    let before = report.suites();
    let ok = shell::stream(&mut command, |line| report.read(line))?;
    if !ok || report.suites() == before {
        report.fail(soak.name);
    }
    println!("soak {} took {} s", soak.name, started.elapsed().as_secs());
    Ok(())
}
