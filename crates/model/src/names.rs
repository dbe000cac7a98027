//! Names as types: checked once, when they are read.
//!
//! Must never hold an empty or oversized text.
//! Tests: below.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text cannot be this kind of name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct NameError {
    /// What was given (shortened).
    pub text: String,
    /// What kind of name was expected.
    pub kind: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

/// Whether `text` is `[a-z_][a-z0-9_]*` of at most 64 characters.
fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether `text` is 1 to 120 characters of letters, digits, `-`, `_`, `.`, starting with a letter, digit or `_`.
fn is_plain(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 120
        && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_card(text: &str) -> bool {
    text.split_once('/').is_some_and(|(family, name)| is_plain(family) && is_plain(name))
}

fn is_label(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 200 && text.trim() == text && !text.chars().any(char::is_control)
}

macro_rules! define_name {
    ($(#[$doc:meta])* $name:ident, $check:path, $kind:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What such a name must look like, in words.
            pub const RULE: &'static str = $rule;

            /// Checks and wraps a text.
            ///
            /// # Errors
            /// [`NameError`] when the text breaks the rule.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(NameError { text: text.chars().take(60).collect(), kind: $kind, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

define_name!(
    /// Names a card inside one flow; also how mappings refer to its outputs.
    CardId, is_identifier, "card id", "lower-case letters, digits and _, not starting with a digit, at most 64"
);
define_name!(
    /// Names a connection slot of a flow.
    SlotName, is_identifier, "slot name", "lower-case letters, digits and _, not starting with a digit, at most 64"
);
define_name!(
    /// Names an operation: `family/name`, as in `string/compose` or `okta/suspendUser`.
    ///
    /// ```
    /// use flowdeck_model::CardName;
    ///
    /// let name = CardName::new("okta/suspendUser")?;
    /// assert_eq!(name.family(), "okta");
    /// assert!("suspendUser".parse::<CardName>().is_err());
    /// # Ok::<(), flowdeck_model::names::NameError>(())
    /// ```
    CardName, is_card, "card name", "`family/name`, each of letters, digits, `-`, `_` and `.`"
);
define_name!(
    /// Names an app (connector), as in `okta`.
    AppName, is_plain, "app name", "letters, digits, `-`, `_` and `.`, at most 120"
);
define_name!(
    /// Names a flow.
    ///
    /// ```
    /// use flowdeck_model::FlowName;
    ///
    /// let wrong = FlowName::new("my flow").unwrap_err();
    /// assert_eq!((wrong.kind, wrong.rule), ("flow name", FlowName::RULE));
    /// ```
    FlowName, is_plain, "flow name", "letters, digits, `-`, `_` and `.`, at most 120"
);
define_name!(
    /// Names a table.
    TableName, is_label, "table name", "1 to 200 characters without line breaks or outer spaces"
);
define_name!(
    /// A person's name for a connection, unique per app.
    Nickname, is_label, "nickname", "1 to 200 characters without line breaks or outer spaces"
);

impl CardName {
    /// The part before the slash: an app's name or a family of functions.
    #[must_use]
    pub fn family(&self) -> &str {
        self.0.split_once('/').map_or("", |(family, _)| family)
    }

    /// The part after the slash.
    #[must_use]
    pub fn operation(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "_x", "each_user2"] {
            assert!(CardId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "2a", "A", "a-b", "a b", &"x".repeat(65)] {
            assert!(CardId::new(bad).is_err(), "{bad}");
        }
        assert_eq!(CardName::new("okta/suspendUser").unwrap().family(), "okta");
        for bad in ["okta", "/x", "okta/", "a/b/c", "o kta/x"] {
            assert!(CardName::new(bad).is_err(), "{bad}");
        }
        assert!(Nickname::new("prod admin").is_ok());
        assert!(Nickname::new(" padded").is_err());
        assert!(Nickname::new("two\nlines").is_err());
    }
}
