//! Access tokens, refresh tokens with rotation, and API tokens.
//!
//! Must never let a rotated refresh token live on unseen: its late use ends the whole grant (RFC 9700 section 4.14.2).
//! Tests: `tests/walk/`.

use serde::{Deserialize, Serialize};

use super::{Grants, TokenRefusal};
use crate::accounts::{Account, Subject};
use crate::limits;
use crate::options::Lifetimes;
use crate::scopes::{Scopes, all_scopes};
use crate::secret::{Digest, Secret};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) grant: u64,
    pub(crate) scopes: Scopes,
    pub(crate) issued_ms: i64,
    pub(crate) expires_ms: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refresh {
    pub(crate) grant: u64,
    pub(crate) issued_ms: i64,
    pub(crate) expires_ms: i64,
    /// When it was first exchanged for a newer one.
    pub(crate) rotated_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) account: Account,
    pub(crate) made_ms: i64,
}

/// The answer of the token endpoint.
pub(crate) struct Issued {
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
    pub(crate) expires_in_s: u32,
    pub(crate) scopes: Scopes,
}

/// What a presented token turned out to be.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) subject: Subject,
    pub(crate) scopes: Scopes,
    pub(crate) client_id: String,
    pub(crate) issued_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) is_refresh: bool,
}

/// Which tokens of an account to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeKind {
    /// Access tokens only: a refresh brings new ones.
    Access,
    /// Refresh tokens only: access tokens work until they expire.
    Refresh,
    /// Everything, as if the person had withdrawn their consent.
    All,
}

const WRONG_REFRESH: TokenRefusal =
    TokenRefusal::InvalidGrant("the refresh token is unknown, expired, revoked or already used");

impl Grants {
    fn issue_access(&mut self, grant: u64, scopes: Scopes, lives: &Lifetimes, now_ms: i64) -> Issued {
        let access = Secret::random("fda_");
        let expires_ms = now_ms + i64::from(lives.access_s) * 1000;
        self.access.insert(access.digest(), Access { grant, scopes: scopes.clone(), issued_ms: now_ms, expires_ms });
        Issued { access, refresh: None, expires_in_s: lives.access_s, scopes }
    }

    pub(super) fn issue_with_refresh(&mut self, grant: u64, lives: &Lifetimes, now_ms: i64) -> Issued {
        let scopes = self.grants.get(&grant).map(|grant| grant.scopes.clone()).unwrap_or_default();
        self.issue_narrowed(grant, scopes, lives, now_ms)
    }

    fn issue_narrowed(&mut self, grant: u64, scopes: Scopes, lives: &Lifetimes, now_ms: i64) -> Issued {
        let refresh = Secret::random("fdr_");
        let expires_ms = now_ms + i64::from(lives.refresh_s) * 1000;
        self.refresh.insert(refresh.digest(), Refresh { grant, issued_ms: now_ms, expires_ms, rotated_ms: None });
        Issued { refresh: Some(refresh), ..self.issue_access(grant, scopes, lives, now_ms) }
    }

    /// Client credentials: a grant of its own, no refresh token (RFC 6749 section 4.4.3).
    pub(crate) fn issue_to_client(
        &mut self,
        client_id: &str,
        scopes: Scopes,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> Issued {
        let grant = self.start_grant(client_id, Subject::Client(client_id.to_owned()), scopes.clone());
        self.issue_access(grant, scopes, lives, now_ms)
    }

    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        narrower: Option<Scopes>,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> Result<Issued, TokenRefusal> {
        let found = self.refresh.get_mut(&Digest::of(token)).ok_or(WRONG_REFRESH)?;
        let id = found.grant;
        let grant = self.grants.get(&id).ok_or(WRONG_REFRESH)?;
        if grant.client_id != client_id || grant.ended || found.expires_ms <= now_ms {
            return Err(WRONG_REFRESH);
        }
        if found.rotated_ms.is_some_and(|at_ms| now_ms - at_ms > i64::from(lives.refresh_grace_s) * 1000) {
            self.end_grant(id);
            return Err(WRONG_REFRESH);
        }
        let scopes = narrower.unwrap_or_else(|| grant.scopes.clone());
        if !scopes.is_subset(&grant.scopes) {
            return Err(TokenRefusal::InvalidScope);
        }
        found.rotated_ms.get_or_insert(now_ms);
        Ok(self.issue_narrowed(id, scopes, lives, now_ms))
    }

    /// RFC 7009: an unknown token is no error; another client's token is.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str) -> Result<(), TokenRefusal> {
        let digest = Digest::of(token);
        let (grant, is_refresh) = match (self.refresh.get(&digest), self.access.get(&digest)) {
            (Some(refresh), _) => (refresh.grant, true),
            (None, Some(access)) => (access.grant, false),
            (None, None) => return Ok(()),
        };
        if self.grants.get(&grant).is_some_and(|grant| grant.client_id != client_id) {
            return Err(TokenRefusal::UnauthorizedClient("the token belongs to another client"));
        }
        if is_refresh {
            self.end_grant(grant);
        } else {
            self.access.remove(&digest);
        }
        Ok(())
    }

    /// Finds a live access token; `None` for anything else.
    pub(crate) fn see_access(&self, token: &str, now_ms: i64) -> Option<Seen> {
        let access = self.access.get(&Digest::of(token)).filter(|access| access.expires_ms > now_ms)?;
        let grant = self.grants.get(&access.grant).filter(|grant| !grant.ended)?;
        Some(Seen {
            subject: grant.subject.clone(),
            scopes: access.scopes.clone(),
            client_id: grant.client_id.clone(),
            issued_ms: access.issued_ms,
            expires_ms: access.expires_ms,
            is_refresh: false,
        })
    }

    /// Finds a refresh token that could still be used.
    pub(crate) fn see_refresh(&self, token: &str, now_ms: i64) -> Option<Seen> {
        let refresh = self.refresh.get(&Digest::of(token))?;
        let grant = self.grants.get(&refresh.grant).filter(|grant| !grant.ended)?;
        (refresh.expires_ms > now_ms && refresh.rotated_ms.is_none()).then(|| Seen {
            subject: grant.subject.clone(),
            scopes: grant.scopes.clone(),
            client_id: grant.client_id.clone(),
            issued_ms: refresh.issued_ms,
            expires_ms: refresh.expires_ms,
            is_refresh: true,
        })
    }

    pub(crate) fn make_api_token(
        &mut self,
        name: String,
        account: Account,
        now_ms: i64,
    ) -> Result<Secret, TokenRefusal> {
        if self.api_tokens.len() >= limits::API_TOKENS_MAX {
            return Err(TokenRefusal::Full);
        }
        let token = Secret::random("fdp_");
        let id = self.next_id();
        self.api_tokens.insert(token.digest(), ApiToken { id, name, account, made_ms: now_ms });
        Ok(token)
    }

    pub(crate) fn remove_api_token(&mut self, id: u64) {
        self.api_tokens.retain(|_, token| token.id != id);
    }

    pub(crate) fn api_tokens(&self) -> Vec<&ApiToken> {
        let mut tokens: Vec<&ApiToken> = self.api_tokens.values().collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// An API token may do all that its account may.
    pub(crate) fn see_api_token(&self, token: &str) -> Option<(Subject, Scopes)> {
        let found = self.api_tokens.get(&Digest::of(token))?;
        Some((Subject::Account(found.account), all_scopes()))
    }

    /// How many consents of an account still let somebody in.
    pub(crate) fn consents(&self, account: Account) -> usize {
        let lives = |id: &u64| {
            self.refresh.values().any(|refresh| refresh.grant == *id) || self.access.values().any(|a| a.grant == *id)
        };
        let theirs = self.grants.iter().filter(|(_, g)| !g.ended && g.subject == Subject::Account(account));
        theirs.filter(|(id, _)| lives(id)).count()
    }

    /// Revokes tokens of an account, behind every client's back. Answers how many.
    pub(crate) fn revoke_account(&mut self, account: Account, kind: RevokeKind) -> u64 {
        let theirs: Vec<u64> = self
            .grants
            .iter()
            .filter(|(_, grant)| !grant.ended && grant.subject == Subject::Account(account))
            .map(|(id, _)| *id)
            .collect();
        let before = self.access.len() + self.refresh.len();
        if kind != RevokeKind::Refresh {
            self.access.retain(|_, access| !theirs.contains(&access.grant));
        }
        if kind != RevokeKind::Access {
            self.refresh.retain(|_, refresh| !theirs.contains(&refresh.grant));
        }
        (before - self.access.len() - self.refresh.len()) as u64
    }
}
