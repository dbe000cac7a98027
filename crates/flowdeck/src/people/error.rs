//! Why something about people was refused.
//!
//! Must never tell whether a name exists to who has not signed in, nor hold what was typed.
//! Tests: `tests/people.rs`.

use super::names::PersonName;
use super::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};

/// The refusal. `code()` is stable, the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleError {
    /// Name or password is wrong, or the user is disabled: one answer for all.
    #[error("the name or the password is wrong")]
    SignIn,
    /// Too many failed tries.
    #[error("too many failed tries; try again in {} s", .after_ms.div_ceil(1_000))]
    Throttled {
        /// When the next try may come, in milliseconds.
        after_ms: u64,
    },
    /// Too many passwords are being checked.
    #[error("too many people sign in at this moment; try again in a few seconds")]
    Busy,
    /// The one-time link was used, is too old, or is another process's.
    #[error("this one-time link is not valid: it was used, is older than an hour, or the server was started again")]
    Setup,
    /// No such name.
    #[error("a name is 1 to 64 small letters, digits or any of . _ - + @, and begins with a letter or digit")]
    Name,
    /// No such role.
    #[error("a role is viewer, builder or administrator")]
    Role,
    /// No such scope.
    #[error("a scope is flows, runs, connections, tables or people")]
    Scope,
    /// The password is too short, too long, or the name itself.
    #[error(
        "a password has at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes, and does not repeat the name or one character"
    )]
    Password,
    /// Somebody has this name.
    #[error("there is a user {0} already")]
    NameTaken(PersonName),
    /// Nobody has this name.
    #[error("there is no user of that name")]
    UnknownUser,
    /// There is no such token.
    #[error("there is no such token")]
    UnknownToken,
    /// A token's name, life or role cannot be used.
    #[error("{0}")]
    Token(&'static str),
    /// Nobody could administrate any more.
    #[error("this is the last administrator who can sign in; make another one first")]
    LastAdministrator,
    /// A count is bounded.
    #[error("there are {max} {what} already, and no more can be; remove some first")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
    /// The password could not be hashed.
    #[error("the password could not be checked")]
    Hash,
}

impl PeopleError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignIn => "people.sign_in",
            Self::Throttled { .. } => "people.throttled",
            Self::Busy => "people.busy",
            Self::Setup => "people.setup",
            Self::Name => "people.name",
            Self::Role => "people.role",
            Self::Scope => "people.scope",
            Self::Password => "people.password",
            Self::NameTaken(_) => "people.name_taken",
            Self::UnknownUser => "people.unknown",
            Self::UnknownToken => "people.unknown_token",
            Self::Token(_) => "people.token",
            Self::LastAdministrator => "people.last_administrator",
            Self::TooMany { .. } => "people.too_many",
            Self::Hash => "internal",
        }
    }
}
