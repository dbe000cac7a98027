//! House rules as checks: arrows between crates, dependencies, files, words.
//!
//! Must never change a file.
//! Tests: beside each rule, with a case it must refuse.

mod arrows;
mod dependencies;
mod files;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::shell;

/// Runs every rule and fails where one is broken.
pub(crate) fn run() -> Result<()> {
    let mut broken = 0;
    for (name, ok) in checks()? {
        println!("{} {name}", if ok { "ok    " } else { "broken" });
        broken += usize::from(!ok);
    }
    if broken > 0 {
        bail!("{broken} house rules are broken");
    }
    Ok(())
}

/// Every rule with its verdict; what is wrong is printed.
pub(crate) fn checks() -> Result<Vec<(String, bool)>> {
    let metadata = MetadataCommand::new().current_dir(shell::root()).exec().context("read cargo metadata")?;
    let tracked = tracked()?;
    let mut rules = vec![("arrows between crates", arrows::check(&metadata))];
    rules.extend(dependencies::checks(&metadata)?);
    rules.extend(files::checks(&sources(&tracked)));
    rules.push(("words", words::check(&tracked)));
    let verdicts = rules.into_iter().map(|(name, broken)| {
        for line in &broken {
            println!("tidy: {name}: {line}");
        }
        (format!("tidy: {name}"), broken.is_empty())
    });
    Ok(verdicts.collect())
}

/// Files that git knows or would know.
fn tracked() -> Result<Vec<PathBuf>> {
    let out = Command::new("git")
        .current_dir(shell::root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .output()
        .context("list files with git")?;
    Ok(out
        .stdout
        .split(|b| *b == 0)
        .filter(|p| !p.is_empty())
        .map(|p| shell::root().join(String::from_utf8_lossy(p).as_ref()))
        .filter(|p| p.is_file())
        .collect())
}

/// The Rust files among them, read.
fn sources(files: &[PathBuf]) -> Vec<files::Source> {
    let rust = files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    // One that cannot be read has no head, and is refused for that.
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    rust.map(|path| files::Source { path: shown(path), text: read(path) }).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(shell::root()).unwrap_or(path).display().to_string()
}
