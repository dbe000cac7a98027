//! Plain references, read by hand: nearly every mapping of a flow is one, and the expression grammar takes far longer.
//!
//! Must never read anything otherwise than the grammar does: what is not plainly a reference is left to it.
//! Tests: below.

use super::{PathPart, Reference};

/// Longest path that is read here; the grammar has a limit of its own.
const PARTS_MAX: usize = 40;
/// Words that the grammar keeps for itself.
const WORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The reference that a text plainly is: `a`, `a.b`, `a['any key']`, `a["any key"]`, `a[0]`.
pub(super) fn reference(text: &str) -> Option<Reference> {
    let (root, mut rest) = name(text)?;
    let mut path = Vec::new();
    while !rest.is_empty() {
        if path.len() == PARTS_MAX {
            return None;
        }
        let (part, after) = match rest.strip_prefix('.') {
            Some(rest) => name(rest).map(|(key, after)| (PathPart::Key(key.to_owned()), after))?,
            None => inside(rest.strip_prefix('[')?)?,
        };
        path.push(part);
        rest = after;
    }
    Some(Reference { root: root.to_owned(), path })
}

/// A name, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let end = text.bytes().position(|b| !is_part(b)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let starts = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    (starts && !WORDS.contains(&name)).then_some((name, rest))
}

/// What stands in brackets, and what follows them.
fn inside(text: &str) -> Option<(PathPart, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    if let Some(quote) = quote {
        let (key, rest) = text[1..].split_once(quote)?;
        let is_plain = !key.contains(['\\', '\n', '\r']);
        return Some((PathPart::Key(key.to_owned()), rest.strip_prefix(']').filter(|_| is_plain)?));
    }
    let (digits, rest) = text.split_once(']')?;
    let is_plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    Some((PathPart::Index(digits.parse().ok().filter(|_| is_plain)?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Expression;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z_]{1,3}",
            "\\.[a-zA-Z_0-9]{0,3}",
            "\\['[ -~\u{e4}\t]{0,3}'\\]",
            "\\[\"[ -~]{0,3}\"\\]",
            "\\[[0-9]{0,3}\\]",
            proptest::sample::select(WORDS).prop_map(|word| format!(".{word}")),
            "[\\.\\[\\]'\" +x0`?]{1,2}",
        ]
    }

    proptest! {
        #[test]
        fn what_is_read_here_the_grammar_reads_alike(
            root in prop_oneof!["[a-zA-Z_]{1,3}", proptest::sample::select(WORDS).prop_map(str::to_owned)],
            parts in proptest::collection::vec(part(), 0..4),
        ) {
            let text = root + &parts.concat();
            if let Some(read) = reference(&text) {
                let grammar = Expression::by_grammar(&text);
                prop_assert_eq!(grammar.as_ref().ok().and_then(Expression::as_reference), Some(&read), "{}", text);
            }
        }
    }

    #[test]
    fn plain_ones_are_read_and_all_others_left() {
        for text in ["a", "a.b_1", "user['Last Login']", "a[\"it's\"]", "a[''][0].c", "input.text"] {
            assert!(reference(text).is_some(), "{text}");
        }
        let others =
            ["", "1", "a.", "a b", " a", "a[x]", "a[-1]", "a['''x''']", "a['\\n']", "a.in", "if", "a?b:c", "a(b)"];
        for text in others.into_iter().chain(["a.b(c)", "a['b'", "a[1u]", "a[0x1]", ".a", "a[ 1 ]", "a+b"]) {
            assert_eq!(reference(text), None, "{text}");
        }
        assert_eq!(reference(&format!("a{}", ".b".repeat(PARTS_MAX + 1))), None);
    }
}
