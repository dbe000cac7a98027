//! One person's machine: a home folder, a project with its data folder, and the flowdeck program.
//!
//! Must never touch the real home folder, nor pass anything of the tests' own environment on.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::emulate::{CLIENT_SECRET, root};
use crate::port::Port;
use crate::running::{Outcome, Running};

/// Exit code of a command whose run waits for somebody.
pub const WAITS: i32 = 75;

/// The machine.
#[derive(Debug)]
pub struct Deck {
    folder: TempDir,
    program: PathBuf,
    redirect: Arc<Port>,
    allow_http: Vec<String>,
    app_addresses: Vec<String>,
}

impl Default for Deck {
    fn default() -> Self {
        Self::new()
    }
}

impl Deck {
    /// A new machine: nothing connected, nothing run.
    ///
    /// # Panics
    /// Where the flowdeck program is missing or the folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::redirected_at(Arc::new(Port::take()))
    }

    /// A new machine whose redirect port is known already, as services are told it before they start.
    ///
    /// # Panics
    /// As [`Deck::new`].
    #[must_use]
    pub fn redirected_at(redirect: Arc<Port>) -> Self {
        let built =
            std::env::var_os("FLOWDECK_BIN").map_or_else(|| root().join("target/debug/flowdeck"), PathBuf::from);
        assert!(built.is_file(), "{} is missing: run `cargo build --package flowdeck-cli`", built.display());
        let folder = TempDir::new().expect("make a folder");
        for name in ["home", "run", "project/.flowdeck"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("make a folder");
        }
        let deck = Self { folder, program: built, redirect, allow_http: Vec::new(), app_addresses: Vec::new() };
        deck.write("client-secret", CLIENT_SECRET);
        deck
    }

    /// The operator allows plain http to this `host:port`.
    pub fn allow_http(&mut self, host: String) {
        self.allow_http.push(host);
    }

    /// The operator puts a stand-in for an app's own address: `slack.api`.
    pub fn app_address(&mut self, name: &str, url: &str) {
        self.app_addresses.push(format!("{name}={url}"));
    }

    /// Where an app's authorization answer comes back, to be registered at the provider.
    #[must_use]
    pub fn redirect_uri(&self, app: &str) -> String {
        format!("http://127.0.0.1:{}/oauth/callback/{app}", self.redirect.number())
    }

    /// The project's folder.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The project's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.project().join(".flowdeck")
    }

    /// Its runtime folder, where the local socket is.
    #[must_use]
    pub fn runtime_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Writes a file into the project; answers its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project().join(name);
        std::fs::write(&path, text).expect("write a file");
        path
    }

    /// Copies one of the project's sample flows into the machine's project.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn sample(&self, name: &str) -> PathBuf {
        let text = std::fs::read_to_string(root().join("flows").join(name)).expect("read a sample");
        self.write(name, &text)
    }

    /// A command: flowdeck with these arguments, in the project's folder.
    #[must_use]
    pub fn flowdeck<'a>(&'a self, arguments: &[&str]) -> Call<'a> {
        Call {
            deck: self,
            arguments: arguments.iter().map(|a| OsString::from(*a)).collect(),
            input: None,
            environment: Vec::new(),
            through: Vec::new(),
        }
    }

    fn process(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path().join("home");
        command.env_clear().current_dir(self.project());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join(".config"));
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("run"));
        command.env("FLOWDECK_REDIRECT_PORT", self.redirect.number().to_string());
        command.env("FLOWDECK_ALLOW_HTTP", self.allow_http.join(","));
        if !self.app_addresses.is_empty() {
            command.env("FLOWDECK_APP_ADDRESS", self.app_addresses.join(","));
        }
        // The tests' browser is opened by the test.
        command.env("BROWSER", "true").env("NO_COLOR", "1").env("RUST_BACKTRACE", "1");
        command
    }

    /// Everything below the data folder as one text, to look for what must not be there.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn bytes_on_disk(&self) -> Vec<u8> {
        let mut all = Vec::new();
        collect(&self.data(), &mut all);
        all
    }
}

fn collect(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("read a folder").flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), all);
        } else if entry.path().is_file() {
            all.extend(std::fs::read(entry.path()).expect("read a file"));
        }
    }
}

/// A command that is put together.
#[derive(Debug)]
pub struct Call<'a> {
    deck: &'a Deck,
    arguments: Vec<OsString>,
    input: Option<String>,
    environment: Vec<(String, String)>,
    through: Vec<String>,
}

impl Call<'_> {
    /// Started by another program, as in `strace flowdeck …`.
    #[must_use]
    pub fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// What stands on its standard input.
    #[must_use]
    pub fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Its clock stands elsewhere.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.environment.extend(clock.environment());
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(self) -> Running {
        let mut command = match self.through.split_first() {
            None => self.deck.process(&self.deck.program),
            Some((program, words)) => {
                let mut command = self.deck.process(Path::new(program));
                command.args(words).arg(&self.deck.program);
                command
            }
        };
        command.args(&self.arguments).envs(self.environment);
        let piped = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(piped).stdout(Stdio::piped()).stderr(Stdio::piped());
        let words: Vec<_> = self.arguments.iter().map(|a| a.to_string_lossy()).collect();
        Running::new(&format!("flowdeck {}", words.join(" ")), command, self.input)
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.spawn().end()
    }

    /// Runs it to its end; it must exit with this code.
    ///
    /// # Panics
    /// When it exits otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(code), "{outcome}");
        outcome
    }

    /// Runs it with success; answers its last line of JSON.
    ///
    /// # Panics
    /// When it fails or prints no JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        self.exits(0).last()
    }
}
