//! Lines typed by a person, without blocking what else is under way.
//!
//! Must never leave the terminal without echo, nor keep a secret longer than its answer.
//! Tests: `crates/cli/tests/first_minute.rs` on a real pseudo-terminal.

use std::io::Read;
use std::sync::mpsc as blocking;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use tokio::sync::mpsc;
use zeroize::Zeroize;

/// Longest line that is taken, in bytes; a terminal gives no more than 4,096 anyway.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What a person did at a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A line, without its end.
    Line(String),
    /// End of input (Ctrl-D), or nobody is there.
    End,
}

/// Reads lines on a thread of its own: a read of a terminal cannot be called back, so a line that was asked for and
/// not taken is the answer to the next question.
#[derive(Debug)]
pub(crate) struct Input {
    wanted: blocking::SyncSender<()>,
    lines: mpsc::Receiver<Typed>,
    asked: bool,
}

impl Input {
    pub(crate) fn start() -> Self {
        let (wanted, asked) = blocking::sync_channel::<()>(1);
        let (typed, lines) = mpsc::channel(1);
        let read = move || {
            while asked.recv().is_ok() {
                let line = read_line();
                let ended = line == Typed::End;
                if typed.blocking_send(line).is_err() || ended {
                    break;
                }
            }
        };
        // Without a thread the channel is closed at once, and every answer is the end of input.
        std::thread::Builder::new().name("input".into()).spawn(read).ok();
        Self { wanted, lines, asked: false }
    }

    pub(crate) async fn line(&mut self, secret: bool) -> Typed {
        let _quiet = secret.then(Quiet::start);
        if !self.asked {
            if self.wanted.try_send(()).is_err() {
                return Typed::End;
            }
            self.asked = true;
        }
        let line = self.lines.recv().await.unwrap_or(Typed::End);
        self.asked = false;
        line
    }
}

/// One line, byte by byte, so that nothing behind it is taken from whoever reads next.
fn read_line() -> Typed {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    let mut byte = [0; 1];
    loop {
        match input.read(&mut byte) {
            Ok(1) if byte[0] == b'\n' => break,
            Ok(1) if line.len() < LINE_BYTES_MAX => line.push(byte[0]),
            Ok(1) => {}
            Ok(_) | Err(_) if line.is_empty() => return Typed::End,
            Ok(_) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
    line.zeroize();
    Typed::Line(text)
}

/// No echo while this lives.
#[derive(Debug)]
struct Quiet(Option<Termios>);

impl Quiet {
    fn start() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = termios::tcgetattr(&stdin) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let set = termios::tcsetattr(&stdin, OptionalActions::Flush, &quiet);
        Self(set.ok().map(|()| before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before).ok();
        }
    }
}
