//! Who asks.
//!
//! Must never be made up from a request alone: only the guard and the local socket say who it is.
//! Tests: `tests/people.rs`.

use axum::extract::FromRequestParts;
use flowdeck::people::{Area, PersonName, Role};
use http::StatusCode;
use http::request::Parts;

use crate::wire::{Me, Problem};

/// Who asks, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The owner of this machine's account, on the local socket.
    Local,
    /// A person who signed in.
    Session(PersonName, Role),
    /// A program with a token.
    Token(PersonName, Role, Vec<Area>),
}

impl Caller {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Local => Role::Administrator,
            Self::Session(_, role) | Self::Token(_, role, _) => *role,
        }
    }

    pub(crate) fn name(&self) -> Option<&PersonName> {
        match self {
            Self::Local => None,
            Self::Session(name, _) | Self::Token(name, ..) => Some(name),
        }
    }

    pub(crate) fn reaches(&self, area: Area) -> bool {
        match self {
            Self::Token(_, _, scopes) => scopes.is_empty() || scopes.contains(&area),
            Self::Local | Self::Session(..) => true,
        }
    }

    pub(crate) fn is_token(&self) -> bool {
        matches!(self, Self::Token(..))
    }

    pub(crate) fn me(&self) -> Me {
        let (by, scopes) = match self {
            Self::Local => ("local", Vec::new()),
            Self::Session(..) => ("session", Vec::new()),
            Self::Token(_, _, scopes) => ("token", scopes.clone()),
        };
        Me { name: self.name().cloned(), role: self.role(), by: by.into(), scopes }
    }
}

/// Nobody is who was not said to be somebody: a router that was mounted without the guard answers this.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

/// The answer to who is nobody.
pub(super) fn unknown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "people.unknown_caller", "sign in, or send an API token")
        .remedy("Sign in at /login, or send Authorization: Bearer with a token from `flowdeck tokens add`.")
}
