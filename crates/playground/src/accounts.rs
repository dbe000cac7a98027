//! The two people one can be signed in as, and who a token speaks for.
//!
//! Must never hold a secret.
//! Tests: `tests/walk/` (roles).

use serde::{Deserialize, Serialize};

/// A person who can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// Robin Admin: may look and change.
    Robin,
    /// Sam Staff: may look only.
    Sam,
}

/// What an account may do, whatever its token's scopes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Staff,
}

impl Account {
    /// Every account there is.
    pub const ALL: [Account; 2] = [Account::Robin, Account::Sam];

    /// The id, also the `sub` of its tokens.
    pub fn id(self) -> &'static str {
        match self {
            Account::Robin => "robin",
            Account::Sam => "sam",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Account::Robin => "Robin Admin",
            Account::Sam => "Sam Staff",
        }
    }

    pub(crate) fn email(self) -> &'static str {
        match self {
            Account::Robin => "robin.admin@example.com",
            Account::Sam => "sam.staff@example.com",
        }
    }

    pub(crate) fn role(self) -> Role {
        match self {
            Account::Robin => Role::Admin,
            Account::Sam => Role::Staff,
        }
    }

    /// Finds an account by id or e-mail, as a form or a `login_hint` names it.
    pub(crate) fn find(text: &str) -> Option<Account> {
        Account::ALL.into_iter().find(|account| account.id() == text || account.email() == text)
    }
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Staff => "staff",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Role::Admin => "may look and change",
            Role::Staff => "may look only",
        }
    }
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Account(Account),
    /// Client credentials: the application itself, with an admin's role.
    Client(String),
}

impl Subject {
    pub(crate) fn sub(&self) -> &str {
        match self {
            Subject::Account(account) => account.id(),
            Subject::Client(id) => id,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Subject::Account(account) => account.name(),
            Subject::Client(id) => id,
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self {
            Subject::Account(account) => account.role(),
            Subject::Client(_) => Role::Admin,
        }
    }
}
