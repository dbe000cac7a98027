//! Plain references and calls, read by hand: nearly every mapping of a flow is one, and the grammar takes far longer.
//!
//! Must never read anything otherwise than the grammar does: what is not plain is left to it.
//! Tests: below.

use std::sync::Arc;

use serde_json::Value;

use super::expression::{Node, below, operation};
use super::operators::Function;
use super::{PathPart, Reference};

/// Longest text and path, most arguments and deepest calls that are read here; the grammar has limits of its own.
const BYTES_MAX: usize = 500;
const PARTS_MAX: usize = 40;
const DEPTH_MAX: usize = 8;
/// Words that the grammar (CEL's) keeps for itself: they cannot begin a reference.
pub const EXPRESSION_WORDS: &[&str] = &[
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

/// What a text plainly is: `a`, `a.b`, `a['any key']`, `a[0]`, or a call of a function with such things, texts, whole
/// numbers and words, perhaps with `!` before it.
pub(super) fn node(text: &str) -> Option<Node> {
    let (inner, negated) = text.strip_prefix('!').map_or((text, false), |rest| (rest, true));
    let (node, rest) = member(inner, DEPTH_MAX).filter(|_| text.len() <= BYTES_MAX)?;
    match (rest.is_empty(), negated) {
        (true, false) => Some(node),
        (true, true) => Some(Node::Not(Box::new(node))),
        (false, _) => None,
    }
}

/// A reference or call with the path behind it, and what follows.
fn member(text: &str, depth: usize) -> Option<(Node, &str)> {
    let (root, rest) = name(text)?;
    let (mut node, mut rest) = match rest.strip_prefix('(') {
        Some(rest) => call(root, rest, depth.checked_sub(1)?)?,
        None => (Node::Reference(Reference { root: root.to_owned(), path: Vec::new() }), rest),
    };
    for _ in 0..PARTS_MAX {
        let (part, after) = match (rest.strip_prefix('.'), rest.strip_prefix('[')) {
            (Some(rest), _) => name(rest).map(|(key, after)| (PathPart::Key(key.to_owned()), after))?,
            (_, Some(rest)) => inside(rest)?,
            (None, None) => return Some((node, rest)),
        };
        node = below(node, part);
        rest = after;
    }
    None
}

/// A call from behind its `(`.
fn call<'t>(function: &str, text: &'t str, depth: usize) -> Option<(Node, &'t str)> {
    Function::find(function)?;
    let mut arguments = Vec::new();
    let mut rest = text;
    while arguments.len() < PARTS_MAX {
        let (argument, after) = argument(rest, depth)?;
        arguments.push(argument);
        rest = match after.strip_prefix(',') {
            Some(rest) => rest.trim_start_matches(' '),
            None => return Some((operation(function, arguments).ok()?, after.strip_prefix(')')?)),
        };
    }
    None
}

fn argument(text: &str, depth: usize) -> Option<(Node, &str)> {
    let literal = |value: Value, rest| Some((Node::Literal(Arc::new(value)), rest));
    if let Some((key, rest)) = quoted(text) {
        return literal(Value::from(key), rest);
    }
    let end = text.bytes().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word {
        "true" | "false" if !rest.starts_with('_') => literal(Value::Bool(word == "true"), rest),
        "null" if !rest.starts_with('_') => literal(Value::Null, rest),
        _ if is_number(word) => literal(Value::from(word.parse::<i64>().ok()?), rest),
        _ => member(text, depth),
    }
}

fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A name, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let end = text.bytes().position(|b| !is_part(b)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let starts = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    (starts && !EXPRESSION_WORDS.contains(&name)).then_some((name, rest))
}

/// A text in quotes without anything special in it, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (key, rest) = text[1..].split_once(quote)?;
    (!key.contains(['\\', '\n', '\r'])).then_some((key, rest))
}

/// What stands in brackets, and what follows them.
fn inside(text: &str) -> Option<(PathPart, &str)> {
    if let Some((key, rest)) = quoted(text) {
        return Some((PathPart::Key(key.to_owned()), rest.strip_prefix(']')?));
    }
    let (digits, rest) = text.split_once(']')?;
    Some((PathPart::Index(digits.parse().ok().filter(|_| is_number(digits))?), rest))
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
            proptest::sample::select(EXPRESSION_WORDS).prop_map(|word| format!(".{word}")),
            "[\\.\\[\\]'\" +x0`?]{1,2}",
        ]
    }

    fn member() -> impl Strategy<Value = String> {
        let root = prop_oneof!["[a-zA-Z_]{1,3}", proptest::sample::select(EXPRESSION_WORDS).prop_map(str::to_owned)];
        (root, proptest::collection::vec(part(), 0..3)).prop_map(|(root, parts)| root + &parts.concat())
    }

    fn text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            member(),
            "'[ -~]{0,4}'",
            "\"[ -~]{0,3}\"",
            "-?[0-9]{1,10}[.u]?[0-9]?",
            "(true|false|null)_?",
            "[a-z]{1,3}",
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let name = prop_oneof![proptest::sample::select(Function::names()), Just("has"), Just("no"), Just("if")];
            let call = (name, proptest::collection::vec(inner, 0..4), "(, ?|,|, {2})", "(\\.[a-z]{1,2}|\\['a'\\]|)");
            call.prop_map(|(name, arguments, comma, after)| format!("{name}({}){after}", arguments.join(&comma)))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn what_is_read_here_the_grammar_reads_alike(text in text(), not in "!?") {
            let text = not + &text;
            if let Some(read) = node(&text) {
                let grammar = Expression::by_grammar(&text);
                prop_assert_eq!(grammar.ok().map(|e| e.node().clone()), Some(read), "{}", text);
            }
        }
    }

    #[test]
    fn plain_ones_are_read_and_all_others_left() {
        for text in ["a", "a.b_1", "user['Last Login']", "a[\"it's\"]", "a[''][0].c", "input.text", "!isEmpty(a.b)"] {
            assert!(node(text).is_some(), "{text}");
        }
        for text in ["compare(a.b, 'is', 7)", "parse(string(a))['k'].l", "list(null, true)", "number(a[0])"] {
            assert_eq!(node(text).is_some(), text != "list(null, true)", "{text}");
        }
        let others =
            ["", "1", "a.", "a b", " a", "a[x]", "a[-1]", "a['\''x'\'']", "a['\\n']", "a.in", "if", "a?b:c", "a(b)"];
        for text in
            others.into_iter().chain(["a.size()", "a['b'", "a[1u]", "a[0x1]", ".a", "a[ 1 ]", "a+b", "!!a", "-a"])
        {
            assert_eq!(node(text), None, "{text}");
        }
        assert_eq!(node(&format!("a{}", ".b".repeat(PARTS_MAX + 1))), None);
        assert_eq!(node(&format!("{}a{}", "json(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1))), None);
    }
}
