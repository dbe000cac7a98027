//! Colours, widths and line breaks of a screen.
//!
//! Must never look at the terminal or the environment: `terminal` does and passes what it saw.
//! Tests: below and `crates/cli/src/screen/golden.rs`.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects};
use unicode_width::UnicodeWidthStr as _;

/// How a screen may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether colours may be used. Only the terminal's own eight, so that light and dark both can be read.
    pub(crate) colour: bool,
    /// Columns.
    pub(crate) width: usize,
    /// Whether signs outside ASCII may be used.
    pub(crate) signs: bool,
}

/// Below this many columns a screen leaves out what is nice to have.
pub(crate) const NARROW: usize = 64;
/// Longer lines are hard to read.
const WIDE: usize = 100;

impl Style {
    /// As tests see it.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colour: false, width: 80, signs: true };

    fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn coloured(self, colour: AnsiColor, text: &str) -> String {
        self.paint(anstyle::Style::new().fg_color(Some(colour.into())), text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::BOLD), text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::DIMMED), text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.coloured(AnsiColor::Green, text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.coloured(AnsiColor::Red, text)
    }

    pub(crate) fn waiting(self, text: &str) -> String {
        self.coloured(AnsiColor::Yellow, text)
    }

    /// What can be typed or opened.
    pub(crate) fn key(self, text: &str) -> String {
        self.coloured(AnsiColor::Cyan, text)
    }

    /// A sign, or what stands for it where only ASCII can be shown.
    pub(crate) fn sign(self, sign: &'static str, ascii: &'static str) -> &'static str {
        if self.signs { sign } else { ascii }
    }

    pub(crate) fn is_narrow(self) -> bool {
        self.width < NARROW
    }

    /// Columns for running text.
    pub(crate) fn text_width(self) -> usize {
        self.width.clamp(20, WIDE)
    }
}

/// Columns that a text takes; colours take none.
pub(crate) fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        columns += before.width();
        rest = after.split_once('m').map_or("", |(_, tail)| tail);
    }
    columns + rest.width()
}

/// The text with spaces up to a number of columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// At most so many columns; an ellipsis shows that something was left out.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let flat = text.replace(['\n', '\r', '\t'], " ");
    if width(&flat) <= columns {
        return flat;
    }
    let mut out = String::new();
    for c in flat.chars() {
        if width(&out) + width(c.encode_utf8(&mut [0; 4])) + 1 > columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Breaks a text at spaces; each line begins with `indent` spaces. Words longer than a line stay whole, so that
/// addresses can be copied.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> String {
    let mut out = String::new();
    for paragraph in text.lines() {
        let mut line = " ".repeat(indent);
        let mut empty = true;
        for word in paragraph.split_whitespace() {
            if !empty && width(&line) + 1 + width(word) > columns {
                let _ = writeln!(out, "{}", line.trim_end());
                line = " ".repeat(indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// A text of several lines, each broken where the screen ends; commands stay whole, so that they can be copied.
pub(crate) fn reflow(text: &str, columns: usize) -> String {
    let line = |line: &str| {
        let words = line.trim_start();
        let is_command = words.starts_with("flowdeck ") || words.starts_with("http");
        if is_command || width(line) <= columns {
            return format!("{line}\n");
        }
        wrap(words, columns, line.len() - words.len())
    };
    text.lines().map(line).collect()
}

/// A label that takes so many columns, then a text that is broken beside it from `column` on; below it where the label
/// reaches that far.
pub(crate) fn beside(label: &str, taken: usize, column: usize, text: &str, columns: usize) -> String {
    let body = wrap(text, columns, column);
    if body.is_empty() {
        return format!("{label}\n");
    }
    if taken >= column {
        return format!("{label}\n{body}");
    }
    let gap = " ".repeat(column - taken);
    format!("{label}{gap}{}", &body[column.min(body.len())..])
}

/// A duration in the unit that fits: `41 ms`, `1.2 s`, `3 min`, `2 h`, `4 d`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// `1 card`, `2 cards`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_may_be() {
        assert_eq!(Style::PLAIN.bad("no"), "no");
        let colour = Style { colour: true, ..Style::PLAIN };
        assert_eq!(colour.bad("no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(colour.bad(""), "");
    }

    #[test]
    fn texts_are_broken_at_spaces_and_addresses_stay_whole() {
        assert_eq!(wrap("one two three", 9, 2), "  one two\n  three\n");
        assert_eq!(wrap("see http://127.0.0.1:1/a-long-path", 10, 0), "see\nhttp://127.0.0.1:1/a-long-path\n");
        assert_eq!(wrap("", 10, 2), "");
        assert_eq!(beside("a", 1, 3, "one two", 7), "a  one\n   two\n");
        assert_eq!(beside("a", 1, 3, "", 7), "a\n");
        assert_eq!(beside("abc", 3, 3, "one", 9), "abc\n   one\n");
    }

    #[test]
    fn a_long_sentence_is_broken_and_a_command_is_not() {
        let text = "error: one two three\n  four five six\n  flowdeck runs resume run_1\n";
        assert_eq!(reflow(text, 12), "error: one\ntwo three\n  four five\n  six\n  flowdeck runs resume run_1\n");
        assert_eq!(reflow("a  b\n", 12), "a  b\n", "what fits stays as it is");
    }

    #[test]
    fn long_texts_are_cut_by_columns_not_bytes() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("日本語", 4), "日…");
        assert_eq!(shorten("a\nb", 9), "a b");
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn durations_use_the_unit_that_fits() {
        let shown = [0, 999, 1_250, 59_999, 60_000, 3_600_000, 90_000_000, 172_800_000].map(duration);
        assert_eq!(shown, ["0 ms", "999 ms", "1.2 s", "59.9 s", "1 min", "1 h", "25 h", "2 d"]);
        assert_eq!(count(1, "card") + " " + &count(2, "card"), "1 card 2 cards");
    }
}
