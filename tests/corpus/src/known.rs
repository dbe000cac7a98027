//! What is known to fall short, so that the gate notices what is new.
//!
//! Must never excuse what is not named with its check, nor keep a name that holds by now.
//! Tests: below.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Export, then check (`a`, `b`, `c`), then why it falls short.
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
}
