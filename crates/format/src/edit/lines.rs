//! Pieces of text that are put into a text.
//!
//! Must never touch what is outside the pieces.
//! Tests: below.

use std::ops::Range;

/// A piece: what stands in a range is replaced, mostly nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// The text with all pieces; `None` where two of them meet.
pub(super) fn apply(text: &str, mut pieces: Vec<Piece>) -> Option<String> {
    pieces.sort_by_key(|piece| piece.range.start);
    let mut out = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for piece in pieces {
        out.push_str(text.get(at..piece.range.start)?);
        out.push_str(&piece.text);
        at = piece.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// The line break of a text.
pub(super) fn line_break(text: &str) -> &'static str {
    let first = text.find('\n');
    if first.is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" }
}

/// Where the line of a position begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |i| i + 1)
}

/// Behind the line break of the line of a position, or the text's end.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |i| at + i + 1)
}

/// Columns (bytes) before a position in its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    let start = line_start(text, at);
    at - if start == 0 && text.starts_with('\u{feff}') { 3.min(at) } else { start }
}

/// Where what begins at a column and has its last word at `end` is over: comments that stand deeper belong to it.
pub(super) fn over(text: &str, end: usize, column: usize, behind_blanks: bool) -> usize {
    let mut at = line_end(text, end);
    let mut next = at;
    while next < text.len() {
        let stop = line_end(text, next);
        let line = &text[next..stop];
        let words = line.trim_start();
        if words.is_empty() {
            at = if behind_blanks { stop } else { at };
        } else if words.starts_with('#') && line.len() - words.len() > column {
            at = stop;
        } else {
            break;
        }
        next = stop;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_over_behind_its_own_comments() {
        let text = "a: 1 # x\n    # deeper\n\n    # deeper too\n\n# next\nb: 2\n";
        assert_eq!(&text[over(text, 3, 0, false)..], "\n# next\nb: 2\n");
        assert_eq!(&text[over(text, 3, 0, true)..], "# next\nb: 2\n");
        assert_eq!(&text[over(text, 3, 4, false)..], &text[9..]);
        assert_eq!(over("a", 1, 0, false), 1);
    }

    #[test]
    fn pieces_that_meet_are_refused() {
        let piece = |range: Range<usize>| Piece { range, text: "-".into() };
        assert_eq!(apply("abc", vec![piece(3..3), piece(0..1)]).as_deref(), Some("-bc-"));
        assert_eq!(apply("abc", vec![piece(0..2), piece(1..3)]), None);
    }
}
