//! The five scopes, how they are written on the wire and how they are said to a person.
//!
//! Must never decide who gets one: that is the consent page's and the API's.
//! Tests: below.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One thing an access token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Look at people and at the event log.
    #[serde(rename = "people.read")]
    PeopleRead,
    /// Add, change, suspend and remove people.
    #[serde(rename = "people.write")]
    PeopleWrite,
    /// Look at groups and who is in them.
    #[serde(rename = "groups.read")]
    GroupsRead,
    /// Add groups, put people in and take them out.
    #[serde(rename = "groups.write")]
    GroupsWrite,
    /// Look at, add and remove event hooks.
    #[serde(rename = "hooks.manage")]
    HooksManage,
}

/// A set of scopes, in a fixed order.
pub type Scopes = BTreeSet<Scope>;

impl Scope {
    /// Every scope there is.
    pub const ALL: [Scope; 5] =
        [Scope::PeopleRead, Scope::PeopleWrite, Scope::GroupsRead, Scope::GroupsWrite, Scope::HooksManage];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Scope::PeopleRead => "people.read",
            Scope::PeopleWrite => "people.write",
            Scope::GroupsRead => "groups.read",
            Scope::GroupsWrite => "groups.write",
            Scope::HooksManage => "hooks.manage",
        }
    }

    /// What it means, in words for the consent page: a title and a sentence.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Scope::PeopleRead => ("See people", "Names, e-mail addresses, departments and who joined or left."),
            Scope::PeopleWrite => ("Change people", "Add people, edit them, suspend them and remove them."),
            Scope::GroupsRead => ("See groups", "Which groups there are and who is in them."),
            Scope::GroupsWrite => ("Change groups", "Add groups, put people in and take them out."),
            Scope::HooksManage => ("Send events", "Be told when somebody joins, leaves or is suspended."),
        }
    }

    /// The consent page does not let it be unticked: without it the directory cannot be used at all.
    pub(crate) fn is_needed(self) -> bool {
        self == Scope::PeopleRead
    }

    fn parse(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What is asked for when a request names no scope.
pub(crate) fn default_scopes() -> Scopes {
    Scopes::from([Scope::PeopleRead, Scope::GroupsRead])
}

pub(crate) fn all_scopes() -> Scopes {
    Scopes::from(Scope::ALL)
}

/// Reads a space-separated list. `Err` holds the first name that is no scope.
pub(crate) fn parse_scopes(text: &str) -> Result<Scopes, String> {
    text.split_ascii_whitespace()
        .map(|name| Scope::parse(name).ok_or_else(|| name.chars().take(60).collect::<String>()))
        .collect()
}

pub(crate) fn print_scopes(scopes: &Scopes) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        assert_eq!(parse_scopes(&print_scopes(&all_scopes())), Ok(all_scopes()));
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), serde_json::json!(scope.name()));
        }
    }

    #[test]
    fn an_unknown_scope_is_named() {
        assert_eq!(parse_scopes("people.read  root"), Err("root".to_owned()));
    }
}
