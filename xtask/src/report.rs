//! Counts what ran and names what did not.
//!
//! Must never count a test that did not run as passed.
//! Tests: below.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use crate::shell;

/// Totals of a gate run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: u64,
    failed: u64,
    ignored: u64,
    suites: u64,
    failures: Vec<String>,
    missing: Vec<String>,
}

impl Report {
    /// Reads one line of a test runner; counts it where it is a summary.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        // "ok. 12 passed; 0 failed; …": the number before each word.
        let number = |word: &str| -> u64 {
            let part = rest.split(['.', ';']).find_map(|part| part.trim().strip_suffix(word));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.suites += 1;
        self.passed += number(" passed");
        self.failed += number(" failed");
        self.ignored += number(" ignored");
    }

    /// Test binaries that have reported.
    pub(crate) fn suites(&self) -> u64 {
        self.suites
    }

    /// A check of ours that has no test runner.
    pub(crate) fn check(&mut self, name: &str, ok: bool) {
        if ok {
            self.passed += 1;
        } else {
            self.fail(name);
        }
    }

    /// A step that failed as a whole.
    pub(crate) fn fail(&mut self, name: &str) {
        self.failed += 1;
        self.failures.push(name.to_owned());
    }

    /// The name of a test that its runner has counted as failed.
    pub(crate) fn name(&mut self, test: &str) {
        self.failures.push(test.to_owned());
    }

    /// Whether anything has failed so far.
    pub(crate) fn has_failures(&self) -> bool {
        self.failed > 0
    }

    /// Something that could not run here.
    pub(crate) fn missing(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Prints the totals; answers whether all is well.
    pub(crate) fn close(&self) -> bool {
        println!();
        for name in &self.failures {
            println!("failed: {name}");
        }
        for name in &self.missing {
            println!("did not run: {name}");
        }
        if self.missing.is_empty() {
            println!("did not run: nothing");
        }
        println!("suites: {}", self.suites);
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.ignored + self.missing.len() as u64
        );
        self.failed == 0 && self.passed > 0
    }
}

/// Where tests write down what they could not do on this machine (`FLOWDECK_NOT_RUN`).
#[derive(Debug)]
pub(crate) struct NotRun(PathBuf);

impl NotRun {
    /// An empty list.
    pub(crate) fn begin() -> Result<Self> {
        let path = Self::path();
        std::fs::create_dir_all(shell::target())?;
        std::fs::write(&path, "")?;
        Ok(Self(path))
    }

    pub(crate) fn path() -> PathBuf {
        shell::target().join("did-not-run.txt")
    }

    /// Takes over what was written, each reason once.
    pub(crate) fn read(&self, report: &mut Report) -> Result<()> {
        let text = std::fs::read_to_string(&self.0)?;
        for line in text.lines().collect::<BTreeSet<_>>() {
            report.missing(line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_summary_line_of_the_test_runner() {
        let mut report = Report::default();
        report.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        report
            .read("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        report.read("running 4 tests");
        assert_eq!((report.passed, report.failed, report.ignored, report.suites), (14, 3, 1, 2));
        assert!(!report.close());
    }
}
