//! Names of people, their roles, and what an API token may be limited to.
//!
//! Must never take a name that looks like another one: small letters, digits and `. _ - + @` only.
//! Tests: below.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::PeopleError;

/// Longest name.
const NAME_CHARS_MAX: usize = 64;

/// The name a person signs in with. Capital letters are taken as small ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName(String);

impl PersonName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonName {
    type Err = PeopleError;

    fn from_str(text: &str) -> Result<Self, PeopleError> {
        let name = text.trim().to_ascii_lowercase();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-+@".contains(c);
        let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if !begins || name.len() > NAME_CHARS_MAX || !name.chars().all(good) {
            return Err(PeopleError::Name);
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for PersonName {
    type Error = PeopleError;

    fn try_from(text: String) -> Result<Self, PeopleError> {
        text.parse()
    }
}

impl From<PersonName> for String {
    fn from(name: PersonName) -> Self {
        name.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person may do; each role may do all that the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything that is no secret.
    Viewer,
    /// Starts and changes flows, runs, tables and connections.
    Builder,
    /// Decides who may do what.
    Administrator,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Builder, Self::Administrator];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Builder => "builder",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = PeopleError;

    fn from_str(text: &str) -> Result<Self, PeopleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(PeopleError::Role)
    }
}

/// A part of the API; a token may be limited to some (its scopes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Flows, their checks, and the library of apps and cards.
    Flows,
    /// Runs, their history, and what people answer in them.
    Runs,
    /// Connections, prompts, attempts to connect.
    Connections,
    /// Tables and their rows.
    Tables,
    /// Users, tokens, the audit records.
    People,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 5] = [Self::Flows, Self::Runs, Self::Connections, Self::Tables, Self::People];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Runs => "runs",
            Self::Connections => "connections",
            Self::Tables => "tables",
            Self::People => "people",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Area {
    type Err = PeopleError;

    fn from_str(text: &str) -> Result<Self, PeopleError> {
        Self::ALL.into_iter().find(|area| area.as_str() == text).ok_or(PeopleError::Scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_small_plain_and_short() {
        assert_eq!("Ada.Lovelace+x@Example.com".parse::<PersonName>().unwrap().as_str(), "ada.lovelace+x@example.com");
        for bad in ["", " ", ".ada", "-a", "a b", "a/b", "a\u{430}", "a\n b", "(local)", &"a".repeat(65)] {
            assert!(bad.parse::<PersonName>().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<PersonName>("\"a/b\"").is_err());
    }

    #[test]
    fn a_role_may_do_what_the_one_before_it_may() {
        assert!(Role::ALL.is_sorted());
        assert!(Role::Viewer < Role::Builder && Role::Builder < Role::Administrator);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for area in Area::ALL {
            assert_eq!(area.as_str().parse::<Area>().unwrap(), area);
            assert_eq!(serde_json::to_value(area).unwrap(), area.as_str());
        }
        assert!("owner".parse::<Role>().is_err() && "all".parse::<Area>().is_err());
    }
}
