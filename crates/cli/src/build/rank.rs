//! Which of many lines fits what was typed, best first.
//!
//! Must never leave out a line that holds all that was typed.
//! Tests: below.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// What a line is found by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// What it is called: letters in order are enough.
    pub(crate) name: String,
    /// Words about it: they must occur as they are typed.
    pub(crate) about: String,
}

/// Longest text that is searched for, in characters.
const QUERY_CHARS_MAX: usize = 200;

/// The lines that fit, best first; all of them in their order where nothing was typed.
pub(crate) fn rank<'a>(query: &str, lines: impl Iterator<Item = &'a Keys>) -> Vec<usize> {
    let query: String = query.chars().take(QUERY_CHARS_MAX).collect();
    let query = query.trim();
    if query.is_empty() {
        return lines.enumerate().map(|(at, _)| at).collect();
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = |kind| Pattern::new(query, CaseMatching::Ignore, Normalization::Smart, kind);
    let (near, exact) = (pattern(AtomKind::Fuzzy), pattern(AtomKind::Substring));
    let mut found: Vec<(u32, usize)> = Vec::new();
    let mut scattered: Vec<(u32, usize)> = Vec::new();
    let mut letters = Vec::new();
    for (at, keys) in lines.enumerate() {
        let all = format!("{} {}", keys.name, keys.about);
        let by_name = near.score(Utf32Str::new(&keys.name, &mut letters), &mut matcher);
        // A name in which the words occur whole is meant before one with their letters scattered.
        let whole = exact.score(Utf32Str::new(&keys.name, &mut letters), &mut matcher);
        let by_words = exact.score(Utf32Str::new(&all, &mut letters), &mut matcher);
        match (whole, by_name, by_words) {
            (Some(score), ..) => found.push((20_000 + score, at)),
            (None, Some(score), None) => scattered.push((score, at)),
            (None, _, Some(score)) => found.push((10_000 + score, at)),
            (None, None, None) => {}
        }
    }
    // Letters in order are found in nearly every long name; only the best of those are meant.
    let best = scattered.iter().map(|(score, _)| *score).max().unwrap_or(0);
    let is_alone = found.is_empty();
    scattered.retain(|(score, _)| *score * 10 >= best * if is_alone { 7 } else { 9 });
    found.extend(scattered);
    found.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    found.into_iter().map(|(_, at)| at).collect()
}

/// The same lines with those first that were used lately, the latest first.
pub(crate) fn recent_first<T>(lines: Vec<T>, recent: &[String], name: impl Fn(&T) -> &str) -> Vec<T> {
    let rank = |line: &T| recent.iter().position(|r| r == name(line)).unwrap_or(usize::MAX);
    let mut lines = lines;
    lines.sort_by_key(|line| rank(line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Keys> {
        [
            ("okta/listUsers List Users Okta", "Lists users by a search."),
            ("okta/suspendUser Suspend User Okta", "Takes a user's access."),
            ("playground/listPeople List people Playground", "Everybody in the directory."),
            ("string/split Split function", "Cuts a text at a separator into a list."),
            ("if If/Else control", "Cards where a condition holds."),
        ]
        .map(|(name, about)| Keys { name: name.into(), about: about.into() })
        .into()
    }

    #[test]
    fn names_come_before_words_about_them() {
        for (query, first, count) in [
            ("", 0, 5),
            ("suspend", 1, 1),
            ("okta susp", 1, 1),
            ("lstpeo", 2, 1),
            ("separator", 3, 1),
            ("list", 0, 3),
            ("LIST PEOPLE", 2, 1),
            ("if", 4, 2),
            ("lusers", 0, 1),
        ] {
            let lines = lines();
            let found = rank(query, lines.iter());
            assert_eq!((found.first(), found.len()), (Some(&first), count), "{query}: {found:?}");
        }
        assert!(rank("zzqq", lines().iter()).is_empty());
    }

    #[test]
    fn a_line_is_found_by_any_part_of_its_name() {
        for (at, line) in lines().iter().enumerate() {
            let letters: Vec<char> = line.name.chars().collect();
            for from in 0..letters.len() {
                for to in from + 1..=letters.len() {
                    let part: String = letters[from..to].iter().collect();
                    // A pattern's own signs are not searched for.
                    if part.trim().is_empty() || part.contains(['\\', '$', '^', '!', '\'']) {
                        continue;
                    }
                    assert!(rank(&part, lines().iter()).contains(&at), "{part:?} in {}", line.name);
                }
            }
        }
    }

    #[test]
    fn what_was_used_lately_comes_first() {
        let recent = ["c".to_owned(), "a".to_owned()];
        assert_eq!(recent_first(vec!["a", "b", "c", "d"], &recent, |s| s), ["c", "a", "b", "d"]);
    }
}
