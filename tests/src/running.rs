//! A program that runs: its lines as they come, its end, and ways to end it.
//!
//! Must never wait without a deadline, nor leave a process behind.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wait::{DEADLINE_S, deadline};

/// Lines kept of one program.
const LINES_MAX: usize = 200_000;

/// The program.
#[derive(Debug)]
pub struct Running {
    words: String,
    child: Child,
    output: Arc<Output>,
    /// Lines of JSON that the test has taken already.
    taken: usize,
}

#[derive(Debug, Default)]
struct Output {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    lines: Vec<String>,
    errors: String,
    /// Readers that have come to their end.
    ended: usize,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command.
    pub words: String,
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its lines.
    pub lines: Vec<String>,
    /// What it wrote to standard error.
    pub errors: String,
}

impl Running {
    pub(crate) fn new(words: &str, mut command: Command, input: Option<String>) -> Self {
        let mut child = command.spawn().expect("start the program");
        let output = Arc::new(Output::default());
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
            // It may end without reading all of it.
            std::thread::spawn(move || stdin.write_all(text.as_bytes()).ok());
        }
        let (stdout, stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let of_lines = output.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok).take(LINES_MAX) {
                of_lines.change(|text| text.lines.push(line));
            }
            of_lines.change(|text| text.ended += 1);
        });
        let of_errors = output.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stderr);
            let mut line = Vec::new();
            while reader.by_ref().read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                of_errors.change(|text| text.errors.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            of_errors.change(|text| text.ended += 1);
        });
        Self { words: words.to_owned(), child, output, taken: 0 }
    }

    /// The next line of JSON that `fits`; lines before it are passed over.
    ///
    /// # Panics
    /// When the program ends, or the deadline passes, without one.
    #[track_caller]
    pub fn line(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = deadline();
        let mut text = self.output.text.lock().expect("the output");
        loop {
            while let Some(line) = text.lines.get(self.taken) {
                self.taken += 1;
                if let Ok(value) = serde_json::from_str::<Value>(line)
                    && fits(&value)
                {
                    return value;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            let over = text.ended == 2 || left.is_zero();
            assert!(
                !over,
                "no line with {what} from `{}` (ended: {}, or waited {DEADLINE_S} s)\n{}\n{}",
                self.words,
                text.ended == 2,
                text.lines.join("\n"),
                text.errors
            );
            text = self.output.changed.wait_timeout(text, left).expect("the output").0;
        }
    }

    /// The next line of this type.
    ///
    /// # Panics
    /// As [`Running::line`].
    #[track_caller]
    pub fn of_type(&mut self, kind: &str) -> Value {
        self.line(&format!("type {kind}"), |value| value["type"] == kind)
    }

    /// Ends it without warning, as a crash does.
    #[must_use]
    pub fn kill_9(mut self) -> Outcome {
        self.child.kill().ok();
        self.end()
    }

    /// Kills it at once and does not wait for it.
    pub fn kill_now(&mut self) {
        self.child.kill().ok();
    }

    /// All that it said so far.
    ///
    /// # Panics
    /// When a reader panicked.
    #[must_use]
    pub fn said(&self) -> String {
        let text = self.output.text.lock().expect("the output");
        format!("`{}`\n{}\n{}", self.words, text.lines.join("\n"), text.errors)
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("send the signal");
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When the deadline passes; it is killed then.
    #[track_caller]
    pub fn end(mut self) -> Outcome {
        let end = deadline();
        {
            let mut text = self.output.text.lock().expect("the output");
            while text.ended < 2 {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.child.kill().ok();
                    panic!(
                        "`{}` did not end in {DEADLINE_S} s\n{}\n{}",
                        self.words,
                        text.lines.join("\n"),
                        text.errors
                    );
                }
                text = self.output.changed.wait_timeout(text, left).expect("the output").0;
            }
        }
        let status = self.child.wait().expect("wait for the program");
        self.outcome(status)
    }

    fn outcome(&self, status: ExitStatus) -> Outcome {
        let text = self.output.text.lock().expect("the output");
        Outcome {
            words: self.words.clone(),
            code: status.code(),
            signal: status.signal(),
            lines: text.lines.clone(),
            errors: text.errors.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Output {
    fn change(&self, change: impl FnOnce(&mut Text)) {
        change(&mut self.text.lock().expect("the output"));
        self.changed.notify_all();
    }
}

impl Outcome {
    /// Its lines of JSON.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        self.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Its lines of JSON of this type.
    #[must_use]
    pub fn of_type(&self, kind: &str) -> Vec<Value> {
        self.json().into_iter().filter(|value| value["type"] == kind).collect()
    }

    /// Its output read as JSON: all of it where it is one value, else its last line.
    ///
    /// # Panics
    /// Where it is neither.
    #[must_use]
    #[track_caller]
    pub fn last(&self) -> Value {
        let whole = serde_json::from_str(&self.lines.join("\n")).ok();
        whole.or_else(|| self.json().pop()).unwrap_or_else(|| panic!("no JSON from {self}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` ended with code {:?}, signal {:?}", self.words, self.code, self.signal)?;
        writeln!(f, "--- standard output\n{}", self.lines.join("\n"))?;
        write!(f, "--- standard error\n{}", self.errors)
    }
}
