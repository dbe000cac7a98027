//! The terminal: what it can show, lines out, lines in.
//!
//! Must never be asked where nobody can answer; `Terminal::person` says whether somebody can.
//! Tests: `crates/cli/tests/first_minute.rs` on a real pseudo-terminal.

mod input;
mod pick;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use rustix::termios;

pub(crate) use input::Typed;
use input::{Input, Quiet};

use crate::screen::pace::Pace;
use crate::screen::steps::Line;
use crate::screen::style::Style;

/// Columns where the terminal does not tell.
const COLUMNS: usize = 80;

/// Where progress and questions go (standard error), and where answers come from (standard input).
#[derive(Debug)]
pub(crate) struct Terminal {
    style: Style,
    interactive: bool,
    is_screen: bool,
    moving: bool,
    pace: Pace,
    input: Option<Input>,
}

impl Terminal {
    /// The terminal of this process; with `silent` nobody is asked whatever is there.
    pub(crate) fn new(silent: bool) -> Self {
        let is_screen = std::io::stderr().is_terminal();
        let interactive = !silent && is_screen && std::io::stdin().is_terminal();
        Self {
            style: style_of(std::io::stderr()),
            interactive,
            is_screen,
            moving: false,
            pace: Pace::default(),
            input: None,
        }
    }

    /// How its screens look.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Whether somebody is there who can answer.
    pub(crate) fn interactive(&self) -> bool {
        self.interactive
    }

    /// Shows text that stays.
    pub(crate) fn say(&mut self, text: &str) {
        self.erase();
        let mut err = std::io::stderr().lock();
        // A closed terminal must not end a run.
        err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
    }

    /// Shows lines of a run.
    pub(crate) fn lines(&mut self, lines: Vec<Line>) {
        for line in lines {
            match line {
                Line::Keep(text) => self.say(&format!("{text}\n")),
                // A screen that cannot take it back gets none.
                Line::Moving(text) if self.is_screen && self.style.signs => {
                    let due = self.pace.offer(text, Instant::now());
                    self.draw(due);
                }
                Line::Moving(_) => {}
            }
        }
    }

    /// In how long the moving line has to be drawn again, where it has.
    pub(crate) fn owes(&self) -> Option<Duration> {
        self.pace.owes(Instant::now())
    }

    /// Draws the moving line that was held back.
    pub(crate) fn catch_up(&mut self) {
        let due = self.pace.catch_up(Instant::now());
        self.draw(due);
    }

    fn draw(&mut self, moving: Option<String>) {
        let Some(text) = moving else { return };
        self.erase();
        let mut err = std::io::stderr().lock();
        err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
        self.moving = true;
    }

    /// Takes the moving line away.
    pub(crate) fn erase(&mut self) {
        self.pace.forget();
        if self.moving {
            let mut err = std::io::stderr().lock();
            err.write_all(b"\r\x1b[2K").and_then(|()| err.flush()).ok();
            self.moving = false;
        }
    }

    /// Asks for a line. The answer is [`Typed::End`] where nobody can answer.
    pub(crate) async fn ask(&mut self, question: &str) -> Typed {
        self.say(question);
        self.read().await
    }

    /// Asks for a line that is not shown while it is typed.
    pub(crate) async fn ask_secret(&mut self, question: &str) -> Typed {
        // Before the question: whoever answers at once is not seen either, nor is the answer forgotten.
        let quiet = self.interactive.then(Quiet::lines);
        self.say(question);
        let typed = self.read().await;
        drop(quiet);
        self.say("\n");
        typed
    }

    /// The next line, without a question.
    pub(crate) async fn read(&mut self) -> Typed {
        if !self.interactive {
            return Typed::End;
        }
        self.input.get_or_insert_with(Input::start).line().await
    }
}

/// What a stream can show.
pub(crate) fn style_of(stream: impl IsTerminal + std::os::fd::AsFd) -> Style {
    let is_terminal = stream.is_terminal();
    let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let columns = termios::tcgetwinsize(&stream).map(|s| usize::from(s.ws_col)).ok().filter(|c| *c > 0);
    Style { colour: is_terminal && !dumb && !forbidden, width: columns.unwrap_or(COLUMNS).max(20), signs: !dumb }
}
