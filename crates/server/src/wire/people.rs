//! People as they travel: signing in, users, API tokens.
//!
//! Must never hold a password in an answer, nor a token but in the one that makes it.
//! Tests: `tests/people.rs`.

use flowdeck::connections::SecretText;
use flowdeck::people::{Area, PersonName, Role, TokenView, User};
use serde::{Deserialize, Serialize};

use super::connect::sent;

/// `POST /v1/setup`: makes the first administrator. The answer is a [`Me`], with a cookie.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetUp {
    /// The one-time token.
    #[serde(serialize_with = "sent")]
    pub token: SecretText,
    /// The name to sign in with.
    pub name: String,
    /// The password.
    #[serde(serialize_with = "sent")]
    pub password: SecretText,
}

/// `POST /v1/login`. The answer is a [`Me`], with a cookie. `POST /v1/logout` needs no body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// The name. A text of any form: what is no name is answered as one that nobody has.
    #[serde(serialize_with = "sent")]
    pub name: SecretText,
    /// The password.
    #[serde(serialize_with = "sent")]
    pub password: SecretText,
}

/// `POST /v1/me/password`: other sessions end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The present one.
    #[serde(serialize_with = "sent")]
    pub present: SecretText,
    /// The new one.
    #[serde(serialize_with = "sent")]
    pub new: SecretText,
}

/// `GET /v1/me`: who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The user; none for the owner of this machine's account, on the local socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PersonName>,
    /// What they may do.
    pub role: Role,
    /// How they are known: `session`, `token` or `local`.
    pub by: String,
    /// Parts of the API that a token is limited to; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Area>,
}

/// `GET /v1/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// The users, by name.
    pub users: Vec<User>,
}

/// `POST /v1/users`. One: `POST /v1/users/{name}/role` ([`SetRole`]), `/password` ([`SetPassword`]), `/disable`,
/// `/enable`; `DELETE /v1/users/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddUser {
    /// The name to sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The first password.
    #[serde(serialize_with = "sent")]
    pub password: SecretText,
}

/// `POST /v1/users/{name}/role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRole {
    /// What they may do from now on.
    pub role: Role,
}

/// `POST /v1/users/{name}/password`: sessions and tokens of theirs end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetPassword {
    /// The new password.
    #[serde(serialize_with = "sent")]
    pub password: SecretText,
}

/// `GET /v1/tokens`: one's own; of all for an administrator. `DELETE /v1/tokens/{id}` revokes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenList {
    /// The tokens, the oldest first.
    pub tokens: Vec<TokenView>,
}

/// `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeToken {
    /// What it is for.
    pub name: String,
    /// Whose it is, for an administrator and on the local socket; else one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it may do; viewer where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Parts of the API to limit it to; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Area>,
    /// How many days it works; 90 where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// The answer of `POST /v1/tokens`: the only one that holds the token's text.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenMade {
    /// The token, as it is listed.
    pub token: TokenView,
    /// Its text.
    #[serde(serialize_with = "sent")]
    pub secret: SecretText,
}

impl std::fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenMade").field("token", &self.token).finish_non_exhaustive()
    }
}
