//! A list that narrows while somebody types, and a line of text that is completed from it: what keys do, how it looks.
//!
//! Must never read a key or write a line itself.
//! Tests: below.

use super::complete::open_reference;
use super::rank::{Keys, rank};
use crate::screen::style::{Style, pad, shorten, width};

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Tab,
    Up,
    Down,
    PageUp,
    PageDown,
    Backspace,
    /// Takes the last word away.
    Word,
    /// Takes all away.
    Clear,
    Escape,
}

/// A line of the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// What it is found by.
    pub(crate) keys: Keys,
    /// What stands first; in a text field also what it becomes.
    pub(crate) label: String,
    /// What stands beside it.
    pub(crate) about: String,
}

impl Line {
    /// A line that is found by its label and the words about it.
    pub(crate) fn new(label: impl Into<String>, about: impl Into<String>) -> Self {
        let (label, about) = (label.into(), about.into());
        Self { keys: Keys { name: label.clone(), about: about.clone() }, label, about }
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Picked {
    /// A line.
    Line(usize),
    /// A text of one's own.
    Text(String),
    /// Nothing: the person turned away.
    Away,
}

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 4_000;

/// The list under way.
#[derive(Debug)]
pub(crate) struct Picker<'a> {
    title: &'a str,
    lines: &'a [Line],
    /// Whether a text of one's own may be the answer.
    is_text: bool,
    text: String,
    found: Vec<usize>,
    /// The chosen one among those found.
    at: Option<usize>,
}

impl<'a> Picker<'a> {
    /// One line has to be chosen.
    pub(crate) fn choice(title: &'a str, lines: &'a [Line]) -> Self {
        Self::new(title, lines, false)
    }

    /// A text, for which the lines are suggestions.
    pub(crate) fn text(title: &'a str, lines: &'a [Line]) -> Self {
        Self::new(title, lines, true)
    }

    fn new(title: &'a str, lines: &'a [Line], is_text: bool) -> Self {
        let mut picker = Self { title, lines, is_text, text: String::new(), found: Vec::new(), at: None };
        picker.search();
        picker
    }

    /// What a key does; the answer where it gave one.
    pub(crate) fn key(&mut self, key: Key, page: usize) -> Option<Picked> {
        match key {
            Key::Char(c) => {
                if self.text.chars().count() < TEXT_CHARS_MAX {
                    self.text.push(c);
                }
                self.search();
            }
            Key::Backspace => {
                self.text.pop();
                self.search();
            }
            Key::Clear => {
                self.text.clear();
                self.search();
            }
            Key::Word => {
                let rest = self.text.trim_end();
                let keep = rest.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.text.truncate(keep);
                self.search();
            }
            Key::Down => self.step(1),
            Key::PageDown => self.step(page.max(1)),
            Key::Up => self.back(1),
            Key::PageUp => self.back(page.max(1)),
            Key::Tab => self.complete(),
            Key::Escape => return Some(Picked::Away),
            Key::Enter => return self.enter(),
        }
        None
    }

    fn chosen(&self) -> Option<usize> {
        self.at.and_then(|at| self.found.get(at)).copied()
    }

    fn enter(&mut self) -> Option<Picked> {
        match (self.is_text, self.chosen()) {
            (false, chosen) => chosen.map(Picked::Line),
            (true, None) => Some(Picked::Text(self.text.clone())),
            (true, Some(line)) => {
                let is_inside = open_reference(&self.text).is_some_and(|(before, _)| !before.is_empty());
                if is_inside {
                    self.complete();
                    return None;
                }
                Some(Picked::Line(line))
            }
        }
    }

    /// Puts the chosen line into the text.
    fn complete(&mut self) {
        let Some(line) = self.chosen().or_else(|| self.found.first().copied()) else { return };
        let label = &self.lines[line].label;
        self.text = match open_reference(&self.text) {
            Some((before, _)) if self.is_text => format!("{before}{label}"),
            _ => label.clone(),
        };
        self.search();
        if self.is_text {
            self.at = None;
        }
    }

    fn step(&mut self, by: usize) {
        let last = self.found.len().checked_sub(1);
        self.at = last.map(|last| self.at.map_or(0, |at| at + by).min(last));
    }

    fn back(&mut self, by: usize) {
        self.at = match self.at {
            // From the first suggestion back into the text.
            Some(at) if at < by && self.is_text => None,
            at => at.map(|at| at.saturating_sub(by)),
        };
    }

    fn search(&mut self) {
        let inside = open_reference(&self.text).map(|(_, inside)| inside.to_owned());
        let query = inside.as_deref().unwrap_or(&self.text);
        self.found = rank(query, self.lines.iter().map(|line| &line.keys));
        let selects = !self.is_text || inside.is_some();
        self.at = (selects && !self.found.is_empty()).then_some(0);
    }

    /// How it looks: lines of at most `style.width` columns, and the column of the cursor in the first.
    pub(crate) fn draw(&self, style: Style, rows: usize) -> (Vec<String>, usize) {
        let room = style.width.saturating_sub(1);
        let title = format!("{} {} ", shorten(self.title, room / 2), style.sign("›", ">"));
        let text = tail(&self.text, room.saturating_sub(width(&title) + 1));
        let cursor = width(&title) + width(&text);
        let mut out = vec![format!("{}{text}", style.bold(&title))];
        let top = self.at.map_or(0, |at| at.saturating_sub(rows.saturating_sub(1)));
        let labels = self.found.iter().skip(top).take(rows).map(|i| width(&self.lines[*i].label));
        let column = labels.max().unwrap_or(0).min(room.saturating_sub(4) * 3 / 5);
        for (i, line) in self.found.iter().enumerate().skip(top).take(rows) {
            let line = &self.lines[*line];
            let label = pad(&shorten(&line.label, column), column);
            let about = shorten(&line.about, room.saturating_sub(column + 4));
            let is_chosen = self.at == Some(i);
            let sign = if is_chosen { style.sign("▸", ">") } else { " " };
            let label = if is_chosen { style.key(&label) } else { label };
            out.push(format!("{sign} {label}  {}", style.dim(&about)).trim_end().to_owned());
        }
        out.push(style.dim(&shorten(&self.foot(style), room)));
        (out, cursor)
    }

    fn foot(&self, style: Style) -> String {
        let count = match (self.found.len(), self.is_text) {
            (0, false) => "nothing fits; ".into(),
            (0, true) => String::new(),
            (n, _) => format!("{n} of {}; ", self.lines.len()),
        };
        let keys = match (self.is_text, self.found.is_empty()) {
            (false, _) => "type to filter, Enter takes",
            (true, true) => "Enter takes what you type",
            (true, false) => "type, or choose; Tab completes, Enter takes",
        };
        let arrows = if self.found.len() > 1 { style.sign(", ↑↓ move", ", arrows move") } else { "" };
        format!("{count}{keys}{arrows}, Esc leaves")
    }
}

/// The end of a text that fits.
fn tail(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for c in text.chars().rev() {
        if width(&out) + width(c.encode_utf8(&mut [0; 4])) > columns {
            break;
        }
        out.insert(0, c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        [("okta/listUsers", "Lists users."), ("okta/readUser", "Reads a user."), ("date/now", "The time.")]
            .map(|(label, about)| Line::new(label, about))
            .into()
    }

    fn typed(picker: &mut Picker<'_>, text: &str) -> Option<Picked> {
        let mut picked = None;
        for c in text.chars() {
            let key = match c {
                '\n' => Key::Enter,
                '\t' => Key::Tab,
                '↓' => Key::Down,
                '↑' => Key::Up,
                '←' => Key::Backspace,
                '⌫' => Key::Word,
                '✗' => Key::Escape,
                c => Key::Char(c),
            };
            picked = picker.key(key, 10);
        }
        picked
    }

    #[test]
    fn a_choice_is_filtered_moved_and_taken() {
        let lines = lines();
        for (keys, picked) in [
            ("\n", Some(Picked::Line(0))),
            ("read\n", Some(Picked::Line(1))),
            ("okta↓\n", Some(Picked::Line(1))),
            ("↓↓↓↓\n", Some(Picked::Line(2))),
            ("↓↓↑\n", Some(Picked::Line(1))),
            ("↑\n", Some(Picked::Line(0))),
            ("zzz\n", None),
            ("zzz←←←\n", Some(Picked::Line(0))),
            ("read user⌫⌫now\n", Some(Picked::Line(2))),
            ("✗", Some(Picked::Away)),
        ] {
            assert_eq!(typed(&mut Picker::choice("Card", &lines), keys), picked, "{keys:?}");
        }
    }

    #[test]
    fn a_text_is_taken_as_typed_or_completed() {
        let lines = [Line::new("${staff.people}", "list"), Line::new("${now.date}", "date")];
        for (keys, picked) in [
            ("\n", Some(Picked::Text(String::new()))),
            ("Hello\n", Some(Picked::Text("Hello".into()))),
            ("↓\n", Some(Picked::Line(0))),
            ("↓↑\n", Some(Picked::Text(String::new()))),
            ("now\n", Some(Picked::Text("now".into()))),
            ("now\t\n", Some(Picked::Text("${now.date}".into()))),
            ("${peo\n", Some(Picked::Line(0))),
            ("On ${now\n", None),
            ("On ${now\n.\n", Some(Picked::Text("On ${now.date}.".into()))),
            ("${staff.people}\n", Some(Picked::Text("${staff.people}".into()))),
        ] {
            assert_eq!(typed(&mut Picker::text("Text", &lines), keys), picked, "{keys:?}");
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut lines = lines();
        lines.push(Line::new("x".repeat(200), "日本語".repeat(60)));
        for columns in [20, 41, 80, 120] {
            let style = Style { width: columns, ..Style::PLAIN };
            let mut picker = Picker::choice("A rather long question about a card", &lines);
            typed(&mut picker, &"x".repeat(150));
            let (shown, cursor) = picker.draw(style, 10);
            assert!(shown.iter().all(|line| width(line) < columns), "{columns}: {shown:#?}");
            assert!(cursor < columns, "{columns}");
        }
    }

    #[test]
    fn it_looks_like_this() {
        let lines = lines();
        let mut picker = Picker::choice("Card", &lines);
        typed(&mut picker, "us↓");
        let (shown, cursor) = picker.draw(Style { width: 60, ..Style::PLAIN }, 10);
        let wanted = "\
Card › us
  okta/listUsers  Lists users.
▸ okta/readUser   Reads a user.
2 of 3; type to filter, Enter takes, ↑↓ move, Esc leaves";
        assert_eq!((shown.join("\n").as_str(), cursor), (wanted, 9));
    }

    #[test]
    fn a_long_list_moves_with_the_choice() {
        let lines: Vec<Line> = (0..30).map(|n| Line::new(format!("line {n}"), "")).collect();
        let mut picker = Picker::choice("Which", &lines);
        typed(&mut picker, &"↓".repeat(12));
        let (shown, _) = picker.draw(Style::PLAIN, 5);
        assert_eq!(shown.len(), 7);
        assert_eq!((shown[1].as_str(), shown[5].as_str()), ("  line 8", "▸ line 12"));
    }
}
