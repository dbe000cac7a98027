//! Bytes of a file as text, or where they are none.
//!
//! Must never guess an encoding: a wrong guess changes what a flow says without a word.
//! Tests: below, `crates/cli/tests/check.rs`.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Severity};
use crate::{Checked, Source};

/// A file that is no UTF-8 text.
#[derive(Debug, Clone)]
pub struct NotText {
    /// The file with `\u{fffd}` in the place of what is no text, to show it.
    pub source: Source,
    /// Where the first such byte is, and what to do.
    pub diagnostic: Diagnostic,
}

impl From<NotText> for Checked {
    fn from(not_text: NotText) -> Self {
        Self { flows: Vec::new(), diagnostics: vec![not_text.diagnostic] }
    }
}

impl Source {
    /// A source from the bytes of a file.
    ///
    /// # Errors
    /// [`NotText`] where they are not UTF-8; its diagnostic (`not-utf8`) names the byte, the line and the column.
    ///
    /// ```
    /// use flowdeck_format::Source;
    ///
    /// assert!(Source::from_bytes("a.flow.yaml", b"flow: a\ncards: []".to_vec()).is_ok());
    /// let wrong = Source::from_bytes("a.flow.yaml", b"flow: a\ndescription: caf\xe9\ncards: []".to_vec()).unwrap_err();
    /// assert_eq!((wrong.diagnostic.line, wrong.diagnostic.column), (2, 17));
    /// println!("{}", wrong.diagnostic.render(&wrong.source, false));
    /// ```
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Box<NotText>> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, &text)),
            Err(error) => Err(Box::new(not_text(name, error.as_bytes(), error.utf8_error().valid_up_to()))),
        }
    }
}

fn not_text(name: &str, bytes: &[u8], at: usize) -> NotText {
    let (before, rest) = bytes.split_at(at);
    let before = String::from_utf8_lossy(before);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    // What comes before is text, so the first replaced character stands at the same byte.
    let span: Range<usize> = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
    let byte = rest.first().copied().unwrap_or_default();
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        code: "not-utf8",
        message: format!("byte {at} of the file (0x{byte:02X}) is not UTF-8 text"),
        remedy: Some(remedy(bytes)),
        span,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        path: String::new(),
    };
    NotText { source: Source::new(name, &String::from_utf8_lossy(bytes)), diagnostic }
}

/// What to do, by what the file looks like.
fn remedy(bytes: &[u8]) -> String {
    let from = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        _ if bytes.contains(&0) => return "this looks like no text file at all; give a flow file".to_owned(),
        _ => "ISO-8859-1",
    };
    format!("save the file as UTF-8 in your editor, or convert it: `iconv -f {from} -t UTF-8`, if {from} is what it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(bytes: &[u8]) -> Diagnostic {
        let wrong = Source::from_bytes("f.yaml", bytes.to_vec()).unwrap_err();
        assert_eq!(wrong.source.text.get(wrong.diagnostic.span.clone()), Some("\u{fffd}"), "the span is another place");
        wrong.diagnostic
    }

    #[test]
    fn the_first_byte_that_is_no_text_is_named() {
        let found = wrong(
            "flow: a\ndescription: äö "
                .as_bytes()
                .iter()
                .copied()
                .chain(*b"\xe9\xff x\n")
                .collect::<Vec<_>>()
                .as_slice(),
        );
        assert_eq!(
            found.line_text("f.yaml").split(';').next(),
            Some("f.yaml:2:17: error[not-utf8]: byte 26 of the file (0xE9) is not UTF-8 text")
        );
        assert!(found.remedy.unwrap().contains("ISO-8859-1"));
        assert_eq!(wrong(b"a\xc3").column, 2, "cut off in the middle of a character");
        assert!(Source::from_bytes("f.yaml", "äö".into()).is_ok());
    }

    #[test]
    fn the_remedy_follows_what_the_file_looks_like() {
        assert!(wrong(b"\xff\xfef\0l\0o\0w\0").remedy.unwrap().contains("UTF-16"));
        assert!(wrong(b"\x7fELF\0\0\xff").remedy.unwrap().contains("no text file"));
    }
}
