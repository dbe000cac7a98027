//! Runs other programs, showing their output while it is read.
//!
//! Must never hide a failing exit status.
//! Tests: below.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Cargo, as the one that runs us. What it would keep to build the next change sooner is as large as all the rest of
/// the target folder, so it keeps none unless asked to.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    if std::env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Builds the program, the tools and all tests. Always everything at once: a part would choose other features of its
/// dependencies, and build those again.
pub(crate) fn build_all() -> Result<bool> {
    let all = ["build", "--workspace", "--lib", "--bins", "--tests", "--examples"];
    stream(cargo().args(all), |_| {})
}

/// Whether a program is on the path.
pub(crate) fn has(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Runs to the end, passing each line of standard output to `line` and on to ours. Answers whether it succeeded.
pub(crate) fn stream(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    read(command, |text| {
        println!("{text}");
        line(text);
    })
}

/// Runs to the end, passing each line of standard output to `line` alone. Answers whether it succeeded.
pub(crate) fn read(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let shown = format!("{command:?}");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("start {shown}"))?;
    if let Some(stdout) = child.stdout.take() {
        for text in BufReader::new(stdout).lines() {
            line(&text?);
        }
    }
    Ok(child.wait()?.success())
}

/// Runs to the end and fails where it fails.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    if !stream(command, |_| {})? {
        bail!("{shown} failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_reported() {
        assert!(must(&mut Command::new("false")).is_err());
        let mut lines = Vec::new();
        assert!(stream(Command::new("echo").arg("hello"), |l| lines.push(l.to_owned())).unwrap());
        assert_eq!(lines, ["hello"]);
    }
}
