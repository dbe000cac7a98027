//! `flowdeck serve` as a process, and callers of what it serves.
//!
//! Must never outlive its test, nor leave loopback.
//! Tests: `serve.rs` uses it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Home;

/// The longest that anything may take.
const WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Serving {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The run that it tells of.
    #[track_caller]
    pub(crate) fn run(&self) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix("flowdeck-run: "));
        line.unwrap_or_else(|| panic!("no run: {self:?}"))
    }
}

impl Serving {
    /// Starts it and waits until it serves.
    pub(crate) fn start(home: &Home, more: &[&str]) -> Self {
        let arguments = [&["serve", "--json", "--listen", "127.0.0.1:0"], more].concat();
        let mut child = home.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut serving = Self { child, out, url: String::new() };
        serving.url = serving.line("serving")["url"].as_str().unwrap().to_owned();
        serving
    }

    /// The next line of this type; others are passed over.
    #[track_caller]
    pub(crate) fn line(&mut self, kind: &str) -> Value {
        let mut passed = String::new();
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "no `{kind}` came, but:\n{passed}");
            let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if told["type"] == kind {
                return told;
            }
            passed.push_str(&line);
        }
    }

    /// Sends a signal; the exit code, and how long the end took.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, began.elapsed(), rest)
    }

    pub(crate) fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}");
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}
