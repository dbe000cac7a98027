//! Text that must never be seen: tokens, passwords, client secrets.
//!
//! Must never be printed, serialised or compared in variable time; [`SecretText::expose`] is the one way to read it.
//! Tests: below, and the compile-fail examples of the type.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text: wiped from memory when dropped, write-only for everybody but those who call [`Self::expose`].
///
/// It cannot be printed:
/// ```compile_fail
/// let secret = flowdeck_connections::SecretText::new("s3cret");
/// println!("{secret}");
/// ```
/// It cannot be serialised:
/// ```compile_fail
/// let secret = flowdeck_connections::SecretText::new("s3cret");
/// serde_json::to_string(&secret).unwrap();
/// ```
/// It can be read on purpose:
/// ```
/// let secret = flowdeck_connections::SecretText::new("s3cret");
/// assert_eq!(secret.expose(), "s3cret");
/// ```
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Reviewers look for this word.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // serde's own words would repeat what was found: a secret written as a number, say.
        String::deserialize(from).map(Self).map_err(|_| D::Error::custom("a secret must be a text"))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?}", SecretText::new("canary-1234"));
        assert_eq!(shown, "SecretText(..)");
    }

    #[test]
    fn what_is_no_text_is_not_repeated() {
        for text in ["20240117", "true", "[\"canary\"]", "{\"canary\":1}", "-7.5"] {
            let error = serde_json::from_str::<SecretText>(text).unwrap_err().to_string();
            assert!(error.starts_with("a secret must be a text"), "{error}");
            assert!(!["20240117", "canary", "7.5"].iter().any(|secret| error.contains(secret)), "{error}");
        }
        assert_eq!(serde_json::from_str::<SecretText>("\"a\"").unwrap(), SecretText::new("a"));
    }

    #[test]
    fn equal_texts_are_equal() {
        assert_eq!(SecretText::new("a"), SecretText::from("a"));
        assert_ne!(SecretText::new("a"), SecretText::from("ab"));
        assert!(SecretText::default().is_empty());
    }
}
