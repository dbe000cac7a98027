//! A folder of its own for each test and the real binary in it.
//!
//! Must never see the person's own folders, keys or browser.
//! Tests: everything in `crates/cli/tests` uses it.
#![allow(clippy::unwrap_used)]

pub(crate) mod browser;
pub(crate) mod machine;
pub(crate) mod manual;
pub(crate) mod server;
pub(crate) mod serving;
pub(crate) mod terminal;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A home of its own.
pub(crate) struct Home(tempfile::TempDir);

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and gives its path as an argument.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        command.env("FLOWDECK_DATA", self.path("data")).env("BROWSER", "true");
        command
    }

    /// Runs it to its end, with nobody there.
    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Said {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Said {
    /// The exit code, and what has to stand in the error text.
    #[track_caller]
    pub(crate) fn check(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing in:\n{}", self.err);
        }
        self
    }

    /// Standard output as one JSON object a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    /// The last line, which is the run.
    #[track_caller]
    pub(crate) fn run(&self) -> Value {
        let last = self.lines().pop().expect("no line");
        assert_eq!(last["type"], "run", "{last}");
        last
    }
}
