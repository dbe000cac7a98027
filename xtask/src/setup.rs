//! Fetches what the tests need: npm packages into a folder of their own, Debian packages when root.
//!
//! Must never install anything outside the target folder without being root, nor hide what is missing.
//! Tests: `cargo xtask test` names what this could not get.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell;

/// Debian packages that the gate uses, with the program each brings.
const DEBIAN: &[(&str, &str)] = &[("strace", "strace"), ("faketime", "faketime")];

/// What is there after set-up.
#[derive(Debug, Default)]
pub(crate) struct SetUp {
    /// Folder with `node_modules`, where npm succeeded.
    pub(crate) npm: Option<PathBuf>,
    /// What could not be had, in words.
    pub(crate) missing: Vec<String>,
}

impl SetUp {
    /// Says what is missing.
    pub(crate) fn print(&self) {
        for name in &self.missing {
            println!("missing: {name}");
        }
        if self.missing.is_empty() {
            println!("everything the tests need is there");
        }
    }
}

/// Gets what is not there yet.
pub(crate) fn run() -> Result<SetUp> {
    let mut set_up = SetUp::default();
    debian(&mut set_up);
    npm(&mut set_up)?;
    Ok(set_up)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"))
}

fn debian(set_up: &mut SetUp) {
    let absent = || DEBIAN.iter().filter(|(_, program)| !shell::has(program)).map(|(p, _)| *p).collect::<Vec<_>>();
    let wanted = absent();
    if wanted.is_empty() {
        return;
    }
    let mut why = "needs root".to_owned();
    if !shell::has("apt-get") {
        why = "this is no Debian".to_owned();
    } else if is_root() {
        let mut install = vec!["install", "-y", "--no-install-recommends"];
        install.extend(&wanted);
        // A fresh machine has no package lists, and old lists name files that are gone: update once, then again.
        let updated = lists_are_empty() && apt(&["update"]).is_ok();
        let mut outcome = apt(&install);
        if outcome.is_err() && !updated {
            outcome = apt(&["update"]).and_then(|()| apt(&install));
        }
        why = outcome.err().unwrap_or_default();
    }
    for package in absent() {
        set_up.missing.push(format!("Debian package {package} (apt-get install {package}: {why})"));
    }
}

fn lists_are_empty() -> bool {
    let lists = std::fs::read_dir("/var/lib/apt/lists");
    !lists.is_ok_and(|lists| lists.flatten().any(|file| file.file_name().to_string_lossy().contains("_Packages")))
}

/// Runs apt-get; an error is its last words.
fn apt(arguments: &[&str]) -> Result<(), String> {
    println!("apt-get {}", arguments.join(" "));
    let output = Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation may hold the lock for a while, but not for ever.
        .args(["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"])
        .args(arguments)
        .output()
        .map_err(|cause| cause.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(told.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("apt-get failed").to_owned())
}

/// Installs the pinned packages of `tests/npm` below the target folder, once per lock file.
fn npm(set_up: &mut SetUp) -> Result<()> {
    if !shell::has("npm") {
        set_up.missing.push("npm (Node 20 or later): the emulator tests".into());
        return Ok(());
    }
    let folder = shell::root().join("target/npm");
    std::fs::create_dir_all(&folder)?;
    let from = shell::root().join("tests/npm");
    let lock = std::fs::read(from.join("package-lock.json"))?;
    let mark = folder.join("installed-lock.json");
    if std::fs::read(&mark).is_ok_and(|seen| seen == lock) {
        set_up.npm = Some(folder);
        return Ok(());
    }
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(file), folder.join(file))?;
    }
    let ok = shell::stream(
        Command::new("npm").current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]),
        |_| {},
    )?;
    if ok {
        std::fs::write(&mark, lock)?;
        set_up.npm = Some(folder);
    } else {
        set_up.missing.push("npm packages of tests/npm (npm ci failed)".into());
    }
    Ok(())
}
