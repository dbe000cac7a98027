//! `cargo xtask soak fuzz`: changing bytes against the readers; what reaches new code is collected, small ones are kept.
//!
//! Must never keep what came from somebody's exports: those are seeds of a phase of their own, which keeps nothing.
//! Tests: below; `tests/fuzz` replays what was kept.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::shell;

/// The name of the soak.
pub(crate) const NAME: &str = "fuzz";
/// What it does.
pub(crate) const ABOUT: &str = "native files, exports, expressions and cron against changing bytes (cargo-fuzz)";
/// Seconds for each target.
pub(crate) const FULL: u32 = 1200;
const SECONDS: &str = "FLOWDECK_SOAK_FUZZ_SECONDS";

/// The targets, and their longest inputs.
const TARGETS: [(&str, u32); 4] = [("cron", 200), ("export", 65_536), ("expression", 2_000), ("native", 32_768)];
/// Largest input that is kept in the repository, and most of one target.
const KEPT_BYTES_MAX: u64 = 2_048;
const KEPT_MAX: usize = 120;

/// Runs all targets, one after the other.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    let seconds: u64 = std::env::var(SECONDS).ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| FULL.into());
    println!("\n== soak {NAME}: {ABOUT} ({seconds} s each)");
    if !shell::has("cargo-fuzz") {
        report.missing("soak fuzz (cargo-fuzz is not installed: `cargo install cargo-fuzz`)");
        return Ok(());
    }
    let root = shell::root();
    let work = shell::target().join("fuzz");
    let own = seeds(&root, &work, "own", &[root.join("flows"), root.join("tests/corpus/made")])?;
    let samples = root.parent().map(|p| p.join("shared/corpus")).filter(|f| f.is_dir());
    let samples = samples.map(|folder| seeds(&root, &work, "samples", &[folder])).transpose()?;
    if samples.is_none() {
        report.missing("soak fuzz with samples as seeds (there is no folder `../shared/corpus` beside the checkout)");
    }
    // An even share for each phase.
    let share = if samples.is_some() { (seconds / 2).max(1) } else { seconds };
    for target in TARGETS {
        let started = Instant::now();
        let replay = root.join("tests/fuzz/replay").join(target.0);
        std::fs::create_dir_all(&replay).with_context(|| format!("make {}", replay.display()))?;
        let found = work.join("found").join(target.0);
        let mut ok = one(&root, target, &[found.clone(), own.join(target.0), replay.clone()], share)?;
        if let Some(samples) = &samples {
            ok &= one(&root, target, &[work.join("from-samples").join(target.0), samples.join(target.0)], share)?;
        }
        report.check(&format!("soak fuzz {}", target.0), ok);
        let kept = keep(&root, &work, target, &found, &replay)?;
        println!("fuzz {}: {} s, {kept} inputs kept", target.0, started.elapsed().as_secs());
    }
    Ok(())
}

/// Cargo with the nightly toolchain where it is there, else the stable one told to take nightly's options.
fn cargo_fuzz(root: &Path) -> Command {
    let listed = Command::new("rustup").args(["toolchain", "list"]).output();
    let nightly = listed.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("nightly"));
    let mut command = Command::new("cargo");
    command.current_dir(root.join("fuzz"));
    if nightly {
        command.env("RUSTUP_TOOLCHAIN", "nightly");
    } else {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command.env_remove("CARGO").env_remove("RUSTC").arg("fuzz");
    command
}

/// One target for a time. The first folder takes what is found. There is no unsafe code of ours that a sanitizer
/// would watch, so none slows it down.
fn one(root: &Path, (target, longest): (&str, u32), folders: &[PathBuf], seconds: u64) -> Result<bool> {
    for folder in folders {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut command = cargo_fuzz(root);
    command.args(["run", "--fuzz-dir", ".", "--sanitizer", "none", target]).args(folders).arg("--");
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={longest}"),
        "-timeout=20".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    let ok = shell::stream(&mut command, |_| {})?;
    if !ok {
        println!("fuzz {target}: what broke it is in fuzz/artifacts/{target}");
    }
    Ok(ok)
}

/// The fewest inputs that reach all that was reached, small ones only, into the replay corpus.
fn keep(root: &Path, work: &Path, (target, longest): (&str, u32), found: &Path, replay: &Path) -> Result<usize> {
    let merged = work.join("merged").join(target);
    let _ = std::fs::remove_dir_all(&merged);
    let small = work.join("small").join(target);
    let _ = std::fs::remove_dir_all(&small);
    for folder in [&merged, &small] {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut inputs = files(found)?;
    inputs.extend(files(replay)?);
    inputs.retain(|(bytes, _)| *bytes <= KEPT_BYTES_MAX);
    for (_, file) in &inputs {
        let name = file.file_name().context("a file without a name")?;
        std::fs::copy(file, small.join(name)).with_context(|| format!("copy {}", file.display()))?;
    }
    let mut command = cargo_fuzz(root);
    command.args(["run", "--fuzz-dir", ".", "--sanitizer", "none", target]).args([&merged, &small]).arg("--");
    command.args(["-merge=1".to_owned(), format!("-max_len={longest}"), "-verbosity=0".to_owned()]);
    if !shell::stream(&mut command, |_| {})? {
        return Ok(files(replay)?.len());
    }
    for (_, file) in files(replay)?.iter().filter(|(_, file)| !is_named(file)) {
        std::fs::remove_file(file).with_context(|| format!("remove {}", file.display()))?;
    }
    for (_, file) in files(&merged)?.iter().take(KEPT_MAX) {
        let name = file.file_name().context("a file without a name")?;
        std::fs::copy(file, replay.join(name)).with_context(|| format!("keep {}", file.display()))?;
    }
    Ok(files(replay)?.len())
}

/// Whether a person put an input there: the fuzzer names its own after their hash.
fn is_named(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.len() != 40 || !name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The files of a folder with their sizes, small ones first.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        if entry.metadata()?.is_file() {
            found.push((entry.metadata()?.len(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Seeds of all targets from the exports and flows below these folders.
fn seeds(root: &Path, work: &Path, name: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let to = work.join("seeds").join(name);
    for (nth, folder) in folders.iter().enumerate() {
        let part = work.join("seeds").join(format!("{name}-{nth}"));
        let mut command = shell::cargo();
        command.args(["run", "--quiet", "--package", "flowdeck-fuzz", "--bin", "seeds", "--"]).args([folder, &part]);
        shell::must(command.current_dir(root))?;
        for (target, _) in TARGETS {
            let into = to.join(target);
            std::fs::create_dir_all(&into).with_context(|| format!("make {}", into.display()))?;
            for (_, file) in files(&part.join(target))? {
                let name = format!("{nth}-{}", file.file_name().unwrap_or_default().to_string_lossy());
                std::fs::copy(&file, into.join(name)).with_context(|| format!("copy {}", file.display()))?;
            }
        }
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_with_a_name_of_their_own_stay() {
        assert!(is_named(Path::new("replay/cron/seven-fields")));
        assert!(!is_named(Path::new("replay/cron/da39a3ee5e6b4b0d3255bfef95601890afd80709")));
    }
}
