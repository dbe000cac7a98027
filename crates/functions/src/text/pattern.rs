//! Patterns (regular expressions) with linear time, and replacement texts as JavaScript reads them.
//!
//! Must never compile without limits.
//! Tests: below.

use std::borrow::Cow;

use flowdeck_model::{Fault, FaultCode};
use regex::{Captures, Regex, RegexBuilder};

use crate::limits::{self, PATTERN_BYTES_MAX, PATTERN_COMPILED_MAX};

pub(crate) use super::dialect::DIALECT;

/// Compiles a pattern.
///
/// # Errors
/// `bad-input` where it is not a pattern of this dialect; `limit-reached` where it is too large.
pub(crate) fn compile(pattern: &str, sensitive: bool) -> Result<Regex, Fault> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Fault::new(
            FaultCode::LimitReached,
            format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes"),
        ));
    }
    RegexBuilder::new(&super::dialect::translate(pattern))
        .case_insensitive(!sensitive)
        .size_limit(PATTERN_COMPILED_MAX)
        .dfa_size_limit(PATTERN_COMPILED_MAX)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                Fault::new(FaultCode::LimitReached, "the pattern is too large").remedy("shorten its repetitions")
            }
            other => {
                let why = other.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Fault::bad_input(format!("`{}` is not a pattern: {why}", crate::value::short(pattern)))
                    .remedy("look-around and back references are not available; see the card's page")
            }
        })
}

/// Replaces the first or all matches. In the replacement `$1`, `$<name>`, `$&` and `$$` stand for groups, the match
/// and a dollar sign.
///
/// # Errors
/// `limit-reached` where the result is too long.
pub(crate) fn replace(text: &str, regex: &Regex, replacement: &str, all: bool) -> Result<String, Fault> {
    let mut out = String::new();
    let mut last = 0;
    for captures in regex.captures_iter(text).take(if all { usize::MAX } else { 1 }) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        out.push_str(&expand(replacement, &captures));
        last = whole.end();
        limits::text(out.len())?;
    }
    out.push_str(&text[last..]);
    limits::text(out.len())?;
    Ok(out)
}

fn expand<'r>(replacement: &'r str, captures: &Captures<'_>) -> Cow<'r, str> {
    if !replacement.contains('$') {
        return Cow::Borrowed(replacement);
    }
    let mut out = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (value, used) = reference(after, captures).unwrap_or(("$", 0));
        out.push_str(value);
        rest = &after[used..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What a reference after `$` stands for, and its length.
fn reference<'c>(after: &str, captures: &'c Captures<'_>) -> Option<(&'c str, usize)> {
    let group = |i: usize| captures.get(i).map_or("", |m| m.as_str());
    match after.as_bytes().first()? {
        b'$' => Some(("$", 1)),
        b'&' => Some((group(0), 1)),
        b'<' => {
            let end = after.find('>')?;
            Some((captures.name(&after[1..end]).map_or("", |m| m.as_str()), end + 1))
        }
        b'0'..=b'9' => (1..=2).rev().find_map(|digits| {
            let number: usize = after.get(..digits)?.parse().ok()?;
            (number > 0 && number < captures.len()).then(|| (group(number), digits))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacement_texts_are_read_as_in_javascript() {
        let regex = compile(r"(?<first>\w+) (\w+)", true).unwrap();
        for (replacement, expected) in [
            ("$2 $1", "Lee Ann"),
            ("$<first>!", "Ann!"),
            ("[$&]", "[Ann Lee]"),
            ("$$1", "$1"),
            ("$3", "$3"),
            ("$10", "Ann0"),
            ("$", "$"),
        ] {
            assert_eq!(replace("Ann Lee", &regex, replacement, true).unwrap(), expected, "{replacement}");
        }
    }

    #[test]
    fn refuses_what_the_dialect_or_a_limit_forbids() {
        assert!(compile("(?=a)", true).unwrap_err().message.contains("not a pattern"));
        assert!(compile(r"(a)\1", true).is_err());
        assert_eq!(compile("((a{1000}){1000}){1000}", true).unwrap_err().code, FaultCode::LimitReached);
        assert_eq!(compile(&"a".repeat(5000), true).unwrap_err().code, FaultCode::LimitReached);
        assert!(compile(&"(".repeat(2000), true).is_err());
        assert!(compile("A", false).unwrap().is_match("a"));
    }

    #[test]
    fn a_result_that_grows_beyond_the_limit_is_a_fault() {
        let regex = compile("a", true).unwrap();
        let fault = replace(&"a".repeat(1 << 16), &regex, &"b".repeat(1 << 10), true).unwrap_err();
        assert_eq!(fault.code, FaultCode::LimitReached);
    }
}
