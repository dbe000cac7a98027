//! What is known to fall short, so that the gate notices what is new.
//!
//! Must never excuse what is not named with its check, nor keep a name that holds by now.
//! Tests: below.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// The checks of an export.
const CHECKS: [&str; 4] = ["a", "b", "c", "n"];

/// Export, then check, then why it falls short.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Known(BTreeMap<String, BTreeMap<String, String>>);

impl Known {
    pub(crate) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("read the list of what is known to fall short")
    }

    /// What the list and the finding make of one check: `None` where they agree, else what is wrong.
    pub(crate) fn disagrees(&self, export: &str, check: &str, holds: bool) -> Option<String> {
        let named = self.0.get(export).and_then(|checks| checks.get(check));
        match (named, holds) {
            (Some(_), true) => Some(format!("{export} ({check}) holds by now: take it off the list")),
            (None, false) => Some(format!("{export} ({check}) falls short")),
            _ => None,
        }
    }

    /// Names that are not those of an export or check that was looked at.
    pub(crate) fn gone(&self, seen: &BTreeSet<String>) -> Vec<String> {
        let gone = self.0.keys().filter(|name| !seen.contains(*name));
        let mut lines: Vec<String> =
            gone.map(|name| format!("{name} is on the list, and there is no such export: take it off")).collect();
        for (name, checks) in &self.0 {
            let unknown = checks.keys().filter(|check| !CHECKS.contains(&check.as_str()));
            lines.extend(unknown.map(|check| format!("{name}: there is no check `{check}`")));
        }
        lines
    }

    /// How many checks are named.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_may_fall_short() {
        let known = Known::read(r#"{"one": {"c": "a list, not an object"}}"#).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known.disagrees("one", "c", false), None);
        assert!(known.disagrees("one", "b", false).is_some());
        assert!(known.disagrees("one", "c", true).is_some());
        assert!(known.disagrees("two", "c", false).is_some());
        assert_eq!(known.disagrees("two", "c", true), None);
        assert!(Known::read("[]").is_err());
    }

    #[test]
    fn what_is_not_there_is_not_kept_on_the_list() {
        let known = Known::read(r#"{"one": {"c": "why"}, "two": {"z": "why"}}"#).unwrap();
        let seen = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(known.gone(&seen(&["one", "two"])), ["two: there is no check `z`"]);
        assert!(known.gone(&seen(&["two"]))[0].contains("one"));
    }
}
