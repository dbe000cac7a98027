//! Shows a list that narrows while somebody types, below what stands on the terminal already.
//!
//! Must never leave its lines, or a terminal that takes keys, behind.
//! Tests: `crates/cli/tests/builder.rs` on a real pseudo-terminal.

use std::io::Write as _;

use rustix::termios;

use super::input::Quiet;
use super::{Terminal, Typed, style_of};
use crate::build::picker::{Line, Picked, Picker};
use crate::build::rank::rank;

/// Most lines of the list at once.
const LINES_MAX: usize = 10;
/// Most questions where the terminal cannot move its cursor.
const TRIES_MAX: usize = 50;

impl Terminal {
    /// Lets the person choose one of the lines.
    pub(crate) async fn choose(&mut self, title: &str, lines: &[Line]) -> Picked {
        if self.style.signs {
            return self.pick(Picker::choice(title, lines)).await;
        }
        self.by_number(title, lines, false).await
    }

    /// Asks for a text, with suggestions.
    pub(crate) async fn text_of(&mut self, title: &str, lines: &[Line]) -> Picked {
        if self.style.signs {
            return self.pick(Picker::text(title, lines)).await;
        }
        self.by_number(title, lines, true).await
    }

    async fn pick(&mut self, mut picker: Picker<'_>) -> Picked {
        if !self.interactive {
            return Picked::Away;
        }
        self.erase();
        let _keys = Quiet::keys();
        let shown = Shown;
        loop {
            let style = style_of(std::io::stderr());
            let rows = termios::tcgetwinsize(std::io::stderr()).map_or(24, |size| usize::from(size.ws_row));
            let page = rows.saturating_sub(4).clamp(1, LINES_MAX);
            let (lines, cursor) = picker.draw(style, page);
            let up = lines.len().saturating_sub(1);
            let back = if up > 0 { format!("\x1b[{up}A") } else { String::new() };
            let right = if cursor > 0 { format!("\x1b[{cursor}C") } else { String::new() };
            write(&format!("\r\x1b[J{}{back}\r{right}", lines.join("\r\n")));
            let key = self.input.get_or_insert_with(super::Input::start).key().await;
            let picked = key.map_or(Some(Picked::Away), |key| picker.key(key, page));
            if let Some(picked) = picked {
                drop(shown);
                return picked;
            }
        }
    }

    /// The same where lines cannot be taken back: numbers, and words to filter by.
    async fn by_number(&mut self, title: &str, lines: &[Line], is_text: bool) -> Picked {
        let mut found = rank("", lines.iter().map(|line| &line.keys));
        for _ in 0..TRIES_MAX {
            let mut list = String::new();
            for (n, at) in found.iter().take(LINES_MAX).enumerate() {
                list.push_str(&format!("  #{} {}  {}\n", n + 1, lines[*at].label, lines[*at].about));
            }
            if found.len() > LINES_MAX {
                list.push_str(&format!("  and {} more\n", found.len() - LINES_MAX));
            }
            let how = if is_text { "a text, or #1 for a suggestion" } else { "#1 to choose, words to filter" };
            let Typed::Line(typed) = self.ask(&format!("{list}{title} ({how}): ")).await else { return Picked::Away };
            let number = typed.trim().strip_prefix('#').and_then(|n| n.parse::<usize>().ok());
            match number.map(|n| found.get(n.wrapping_sub(1)).copied()) {
                Some(Some(line)) => return Picked::Line(line),
                Some(None) => self.say("  There is none of that number.\n"),
                None if is_text => return Picked::Text(typed),
                None if typed.trim().is_empty() => return Picked::Away,
                None => found = rank(&typed, lines.iter().map(|line| &line.keys)),
            }
        }
        Picked::Away
    }
}

fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    // A closed terminal must not end the command.
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
}

/// The lines that are shown; taken back however the question ends.
struct Shown;

impl Drop for Shown {
    fn drop(&mut self) {
        write("\r\x1b[J");
    }
}
