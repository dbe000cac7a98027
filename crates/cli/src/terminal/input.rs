//! Bytes typed by a person, as lines or as keys, without blocking what else is under way.
//!
//! Must never leave the terminal without echo, nor keep a secret longer than its answer.
//! Tests: `crates/cli/tests/first_minute.rs` and `crates/cli/tests/builder.rs` on a real pseudo-terminal; below.

use std::io::Read;
use std::sync::mpsc as blocking;
use std::time::Duration;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use tokio::sync::mpsc;
use zeroize::Zeroize;

use crate::build::picker::Key;

/// Longest line that is taken, in bytes; a terminal gives no more than 4,096 anyway.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What follows an escape within this time belongs to it.
const ESCAPE_WAIT: Duration = Duration::from_millis(60);
/// Longest sequence of one key, in bytes.
const SEQUENCE_BYTES_MAX: usize = 16;

/// What a person did at a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A line, without its end.
    Line(String),
    /// End of input (Ctrl-D), or nobody is there.
    End,
}

/// Reads bytes on a thread of its own, each only when it is wanted: a read of a terminal cannot be called back, so what
/// was asked for and not taken belongs to the next question.
#[derive(Debug)]
pub(crate) struct Input {
    wanted: blocking::SyncSender<()>,
    bytes: mpsc::Receiver<u8>,
    asked: bool,
    line: Vec<u8>,
}

impl Input {
    pub(crate) fn start() -> Self {
        let (wanted, asked) = blocking::sync_channel::<()>(1);
        let (typed, bytes) = mpsc::channel(1);
        let read = move || {
            let mut byte = [0; 1];
            // Byte by byte, so that nothing behind it is taken from whoever reads next.
            while asked.recv().is_ok() {
                let read = std::io::stdin().lock().read(&mut byte);
                if !matches!(read, Ok(1)) || typed.blocking_send(byte[0]).is_err() {
                    break;
                }
                byte.zeroize();
            }
        };
        // Without a thread the channel is closed at once, and every answer is the end of input.
        std::thread::Builder::new().name("input".into()).spawn(read).ok();
        Self { wanted, bytes, asked: false, line: Vec::new() }
    }

    /// The next byte; nothing at the end of input. Called off, it is the next caller's.
    async fn byte(&mut self) -> Option<u8> {
        if !self.asked {
            self.wanted.try_send(()).ok()?;
            self.asked = true;
        }
        let byte = self.bytes.recv().await;
        self.asked = false;
        byte
    }

    pub(crate) async fn line(&mut self) -> Typed {
        loop {
            match self.byte().await {
                Some(b'\n') => break,
                Some(byte) if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
                Some(_) => {}
                None if self.line.is_empty() => return Typed::End,
                None => break,
            }
        }
        let text = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
        self.line.zeroize();
        Typed::Line(text)
    }

    /// The next key, where the terminal gives keys (see [`Quiet::keys`]).
    pub(crate) async fn key(&mut self) -> Option<Key> {
        loop {
            let mut bytes = vec![self.byte().await?];
            let is_whole = |bytes: &[u8]| bytes.len() >= SEQUENCE_BYTES_MAX || !is_open(bytes);
            while !is_whole(&bytes) {
                match tokio::time::timeout(ESCAPE_WAIT, self.byte()).await {
                    Ok(Some(byte)) => bytes.push(byte),
                    Ok(None) | Err(_) => break,
                }
            }
            if let Some(key) = key_of(&bytes) {
                return Some(key);
            }
        }
    }
}

/// Whether more bytes of the same key are to come.
fn is_open(bytes: &[u8]) -> bool {
    match bytes {
        [0x1b] => true,
        [0x1b, b'[' | b'O'] => true,
        [0x1b, b'[', rest @ ..] => !rest.last().is_some_and(|b| (0x40..=0x7e).contains(b)),
        [0x1b, ..] => false,
        [first, rest @ ..] => {
            let wanted = match first {
                0xc0..=0xdf => 1,
                0xe0..=0xef => 2,
                0xf0..=0xf7 => 3,
                _ => 0,
            };
            rest.len() < wanted
        }
        [] => true,
    }
}

fn key_of(bytes: &[u8]) -> Option<Key> {
    Some(match bytes {
        b"\r" | b"\n" => Key::Enter,
        b"\t" => Key::Tab,
        [0x7f] | [0x08] => Key::Backspace,
        [0x15] => Key::Clear,
        [0x17] => Key::Word,
        [0x10] | b"\x1b[A" | b"\x1bOA" => Key::Up,
        [0x0e] | b"\x1b[B" | b"\x1bOB" => Key::Down,
        b"\x1b[5~" => Key::PageUp,
        b"\x1b[6~" => Key::PageDown,
        // Ctrl-D ends input elsewhere.
        [0x1b] | [0x04] => Key::Escape,
        [first, ..] if *first < 0x20 => return None,
        bytes => Key::Char(std::str::from_utf8(bytes).ok()?.chars().next()?),
    })
}

/// Without echo, or key by key, while this lives.
#[derive(Debug)]
pub(crate) struct Quiet {
    before: Option<Termios>,
    /// When a change takes effect, and what becomes of bytes that nobody has read.
    when: OptionalActions,
}

impl Quiet {
    fn start(without: LocalModes, with: LocalModes, when: OptionalActions) -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = termios::tcgetattr(&stdin) else { return Self { before: None, when } };
        let mut quiet = before.clone();
        quiet.local_modes.remove(without);
        quiet.local_modes.insert(with);
        let set = termios::tcsetattr(&stdin, when, &quiet);
        Self { before: set.ok().map(|()| before), when }
    }

    /// Lines, unseen. What was typed before is forgotten, and so is what is not read in the end: whoever reads next, such
    /// as the shell after Ctrl-C, would show half a secret.
    pub(crate) fn lines() -> Self {
        Self::start(LocalModes::ECHO, LocalModes::empty(), OptionalActions::Flush)
    }

    /// Each key at once and unseen; Ctrl-C stays what it is, but throws away nothing that is written and not yet shown,
    /// and with it where a list ends that is to be taken back.
    pub(crate) fn keys() -> Self {
        Self::start(LocalModes::ECHO | LocalModes::ICANON, LocalModes::NOFLSH, OptionalActions::Now)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            termios::tcsetattr(std::io::stdin(), self.when, before).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_keys() {
        for (bytes, key) in [
            (&b"a"[..], Some(Key::Char('a'))),
            ("ü".as_bytes(), Some(Key::Char('ü'))),
            ("日".as_bytes(), Some(Key::Char('日'))),
            (b"\r", Some(Key::Enter)),
            (b"\x1b[A", Some(Key::Up)),
            (b"\x1bOB", Some(Key::Down)),
            (b"\x1b[6~", Some(Key::PageDown)),
            (b"\x1b", Some(Key::Escape)),
            (b"\x1b[1;5C", None),
            (b"\x01", None),
        ] {
            for end in 1..bytes.len() {
                assert!(is_open(&bytes[..end]), "{bytes:?} is not over after {end}");
            }
            assert!(!is_open(bytes) || bytes == b"\x1b", "{bytes:?}");
            assert_eq!(key_of(bytes), key, "{bytes:?}");
        }
    }
}
