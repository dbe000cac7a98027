//! A command on a terminal of its own, and what a person sees there.
//!
//! Must never wait without a deadline.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longest wait for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
/// More rows than any walk fills, so that nothing scrolls away.
const ROWS: u16 = 400;

/// The terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    // Closing it would hang up on the command.
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Bytes of the screen's text that were waited for already.
    seen: usize,
}

impl Terminal {
    /// Starts a command on a terminal of so many columns.
    pub(crate) fn start(command: CommandBuilder, columns: u16) -> Self {
        let size = PtySize { rows: ROWS, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        // The command alone holds the terminal now: its end is the end of what can be read.
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(ROWS.try_into().unwrap(), columns.try_into().unwrap(), 0);
        Self { child, _master: pair.master, keys, bytes, screen, seen: 0 }
    }

    /// All that stands on the screen.
    pub(crate) fn text(&self) -> String {
        let text = self.screen.screen().contents();
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// Whether any of it has a colour, or is bold or dim.
    pub(crate) fn is_styled(&self) -> bool {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let row = |row| (0..columns.get()).filter_map(move |column| screen.cell(row, column));
        (0..rows.get()).flat_map(row).any(|c| c.fgcolor() != vt100::Color::Default || c.bold() || c.dim())
    }

    /// Waits until a text stands below what was waited for before.
    pub(crate) fn wait_for(&mut self, wanted: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = self.text();
            if let Some(at) = text.get(self.seen..).and_then(|rest| rest.find(wanted)) {
                self.seen += at + wanted.len();
                return;
            }
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("`{wanted}` did not come ({error}):\n{text}"),
            }
        }
    }

    /// Waits until a text stands anywhere on the screen: lists are drawn over and over at one place.
    pub(crate) fn wait_to_see(&mut self, wanted: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.text().contains(wanted) {
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("`{wanted}` did not come ({error}):\n{}", self.text()),
            }
        }
    }

    /// Presses keys, with no Enter behind them.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the command's end: its exit code and all that it showed.
    pub(crate) fn end(mut self) -> (u32, String) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the command did not end:\n{}", self.text()),
            }
        }
        (self.child.wait().unwrap().exit_code(), self.text())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok(); // It may have ended long ago.
    }
}
