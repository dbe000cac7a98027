//! API tokens: made, listed, revoked, checked.
//!
//! Must never let a token do more than its owner may at that moment, nor work after its time.
//! Tests: `tests/people.rs`.

use flowdeck_connections::{AuditKind, SecretText};
use flowdeck_engine::ports::{Delta, StoreError};
use flowdeck_model::Millis;
use serde::{Deserialize, Serialize};

use super::error::PeopleError;
use super::names::{Area, PersonName, Role};
use super::record::{Kept as _, SPACE, TokenRecord, encode, key};
use super::{People, digest, fresh, random};
use crate::error::RuntimeError;

/// What every token begins with, so that one that leaked is recognised.
pub const TOKEN_PREFIX: &str = "fd_";
/// Longest life of a token, in days.
pub const TOKEN_DAYS_MAX: u32 = 366;
const DAY_MS: u64 = 24 * 3_600_000;
const NAME_CHARS_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 100;
/// Most tokens of one user.
const OF_ONE_MAX: usize = 100;

/// A token to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for, in words.
    pub name: String,
    /// Whose it is.
    pub owner: PersonName,
    /// What it may do at most; never more than its owner.
    pub role: Role,
    /// Parts of the API it is limited to; empty: all.
    pub scopes: Vec<Area>,
    /// How many days it works.
    pub days: u32,
}

/// A token, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Names it, for revoking.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub owner: PersonName,
    /// What it may do at most.
    pub role: Role,
    /// Parts of the API it is limited to; empty: all.
    pub scopes: Vec<Area>,
    /// Since when.
    pub created: Millis,
    /// Until when.
    pub expires: Millis,
    /// The day of its last use (its beginning, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Millis>,
}

/// A new token and its text, which cannot be had again.
#[derive(Debug)]
pub struct MadeToken {
    /// What is kept.
    pub view: TokenView,
    /// The text.
    pub secret: SecretText,
}

/// Who a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokened {
    /// Its owner.
    pub name: PersonName,
    /// What it may do now.
    pub role: Role,
    /// Parts of the API it is limited to; empty: all.
    pub scopes: Vec<Area>,
}

impl From<&TokenRecord> for TokenView {
    fn from(of: &TokenRecord) -> Self {
        Self {
            id: of.id.clone(),
            name: of.name.clone(),
            owner: of.owner.clone(),
            role: of.role,
            scopes: of.scopes.clone(),
            created: of.created,
            expires: of.expires,
            used: of.used,
        }
    }
}

impl People {
    /// Tokens of one user, or of all, the oldest first.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn tokens(&self, owner: Option<&PersonName>) -> Result<Vec<TokenView>, RuntimeError> {
        let all = self.all::<TokenRecord>().await?;
        let wanted = all.iter().filter(|(_, token)| owner.is_none_or(|owner| *owner == token.owner));
        let mut views: Vec<_> = wanted.map(|(_, token)| TokenView::from(token)).collect();
        views.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(views)
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`PeopleError::Token`], [`PeopleError::UnknownUser`], [`PeopleError::TooMany`].
    pub async fn make_token(&self, by: Option<&PersonName>, asked: NewToken) -> Result<MadeToken, RuntimeError> {
        let name = asked.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(PeopleError::Token("a token has a name of 1 to 100 characters that says what it is for").into());
        }
        if asked.days == 0 || asked.days > TOKEN_DAYS_MAX {
            return Err(PeopleError::Token("a token works for 1 to 366 days").into());
        }
        let _write = self.state().write.lock().await;
        let owner = self.user(&asked.owner).await?.filter(|user| !user.disabled).ok_or(PeopleError::UnknownUser)?;
        if asked.role > owner.role {
            return Err(PeopleError::Token("a token may not do more than its owner").into());
        }
        let all = self.all::<TokenRecord>().await?;
        let own = all.iter().filter(|(_, token)| token.user == owner.id).count();
        for (count, what, max) in [(own, "tokens of this user", OF_ONE_MAX), (all.len(), "tokens", TokenRecord::MAX)] {
            if count >= max {
                return Err(PeopleError::TooMany { what, max }.into());
            }
        }
        let (secret, now) = (fresh(TOKEN_PREFIX), self.runtime.now());
        let mut scopes = asked.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let token = TokenRecord {
            id: format!("{:016x}", u64::from_be_bytes(random())),
            name,
            user: owner.id,
            owner: owner.name,
            role: asked.role,
            scopes,
            created: now,
            expires: now.plus(u64::from(asked.days) * DAY_MS),
            used: None,
        };
        let mut delta = self.told(AuditKind::TokenMake, by, format!("{}: {} of {}", token.id, token.role, token.owner));
        delta.put(SPACE, key::<TokenRecord>(&digest(&secret)), encode(&token)?);
        self.commit(delta).await?;
        Ok(MadeToken { view: TokenView::from(&token), secret })
    }

    /// Revokes a token; with `owner`, only one of theirs.
    ///
    /// # Errors
    /// [`PeopleError::UnknownToken`].
    pub async fn revoke_token(
        &self,
        by: Option<&PersonName>,
        id: &str,
        owner: Option<&PersonName>,
    ) -> Result<(), RuntimeError> {
        let _write = self.state().write.lock().await;
        let all = self.all::<TokenRecord>().await?;
        let found = all.into_iter().find(|(_, token)| token.id == id && owner.is_none_or(|of| *of == token.owner));
        let (at, token) = found.ok_or(PeopleError::UnknownToken)?;
        let mut delta = self.told(AuditKind::TokenRevoke, by, format!("{id} of {}", token.owner));
        delta.delete(SPACE, at);
        self.commit(delta).await
    }

    /// Who a token stands for; `None` where it is none of ours, is over, or its owner is shut out.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn token(&self, text: &SecretText) -> Result<Option<Tokened>, RuntimeError> {
        if !text.expose().starts_with(TOKEN_PREFIX) || text.expose().len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let Some((token, bytes)) = self.read::<TokenRecord>(&digest(text)).await? else { return Ok(None) };
        let now = self.runtime.now();
        let owner = self.user(&token.owner).await?.filter(|user| user.id == token.user && !user.disabled);
        let (Some(owner), true) = (owner, now < token.expires) else { return Ok(None) };
        let stands_for = Tokened { name: owner.name, role: token.role.min(owner.role), scopes: token.scopes.clone() };
        let today = Millis(now.0 - now.0.rem_euclid(i64::try_from(DAY_MS).unwrap_or(i64::MAX)));
        if token.used.is_none_or(|used| used < today) {
            let at = key::<TokenRecord>(&digest(text));
            let mut delta = Delta::new(self.runtime.engine().store().epoch());
            delta.expect_equals(SPACE, at.clone(), bytes);
            delta.put(SPACE, at, encode(&TokenRecord { used: Some(today), ..token })?);
            match self.runtime.engine().store().commit(delta).await {
                // Revoked, or used by another request, meanwhile.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error @ StoreError::Full { .. }) => tracing::debug!(%error, "the use of a token is not kept"),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(stands_for))
    }
}
