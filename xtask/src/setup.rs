//! Fetches what the tests need: npm packages into a folder of their own, Debian packages when root.
//!
//! Must never install anything outside the target folder without being root, nor hide what is missing.
//! Tests: below; `cargo xtask test` names what this could not get.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Debian packages that the gate uses, with the program each brings.
const DEBIAN: &[(&str, &str)] = &[("strace", "strace"), ("faketime", "faketime")];

/// What a build of everything takes in the target folder, with some to spare (measured: docs/testing.md).
const FREE_MIB_MIN: u64 = 5 * 1024;

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

/// Fails before the long build where the disk cannot hold it. What was built before counts: it is built over.
pub(crate) fn room() -> Result<()> {
    let target = shell::target();
    std::fs::create_dir_all(&target)?;
    let disk = rustix::fs::statvfs(&target).context("ask how full the disk is")?;
    enough((disk.f_bavail * disk.f_frsize) >> 20, target.join("debug/flowdeck").exists())
}

fn enough(free_mib: u64, built_before: bool) -> Result<()> {
    if free_mib < FREE_MIB_MIN && !built_before {
        bail!(
            "the disk has {free_mib} MiB free, and building everything takes up to {FREE_MIB_MIN} MiB: \
             make room, or set CARGO_TARGET_DIR to a folder on another disk"
        );
    }
    Ok(())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"))
}

fn debian(set_up: &mut SetUp) {
    let absent = || absent(shell::has);
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

/// Packages whose program is not there.
fn absent(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    DEBIAN.iter().filter(|(_, program)| !has(program)).map(|(package, _)| *package).collect()
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
    let folder = shell::target().join("npm");
    let installed = once_per_lock(&shell::root().join("tests/npm"), &folder, || {
        let options = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        shell::stream(Command::new("npm").current_dir(&folder).args(options), |_| {})
    })?;
    if installed {
        set_up.npm = Some(folder);
    } else {
        set_up.missing.push("npm packages of tests/npm (npm ci failed)".into());
    }
    Ok(())
}

/// Installs into `folder` what the lock file in `from` pins, unless that very lock file is installed there. Answers
/// whether it is installed now.
fn once_per_lock(from: &Path, folder: &Path, install: impl FnOnce() -> Result<bool>) -> Result<bool> {
    let lock = std::fs::read(from.join("package-lock.json"))?;
    let mark = folder.join("installed-lock.json");
    if std::fs::read(&mark).is_ok_and(|seen| seen == lock) {
        return Ok(true);
    }
    std::fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(file), folder.join(file))?;
    }
    let installed = install()?;
    if installed {
        std::fs::write(&mark, lock)?;
    }
    Ok(installed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_before_the_build() {
        assert!(enough(FREE_MIB_MIN, false).is_ok());
        let told = enough(1024, false).unwrap_err().to_string();
        assert!(told.contains("1024 MiB free") && told.contains("CARGO_TARGET_DIR"), "{told}");
        assert!(enough(1024, true).is_ok(), "what is built is built over");
    }

    #[test]
    fn only_packages_whose_program_is_absent_are_wanted() {
        assert!(absent(|_| true).is_empty());
        assert_eq!(absent(|program| program != "strace"), ["strace"]);
    }

    #[test]
    fn packages_are_installed_once_for_a_lock_file_and_again_after_a_failure() {
        let (from, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let lock = |text: &str| std::fs::write(from.path().join("package-lock.json"), text).unwrap();
        std::fs::write(from.path().join("package.json"), "{}").unwrap();
        let mut installs = 0;
        for (text, works, installed, so_far) in
            [("1", false, false, 1), ("1", true, true, 2), ("1", true, true, 2), ("2", true, true, 3)]
        {
            lock(text);
            let outcome = once_per_lock(from.path(), folder.path(), || {
                installs += 1;
                Ok(works)
            });
            assert_eq!((outcome.unwrap(), installs), (installed, so_far), "lock {text}");
            assert_eq!(std::fs::read_to_string(folder.path().join("package-lock.json")).unwrap(), text);
        }
    }
}
