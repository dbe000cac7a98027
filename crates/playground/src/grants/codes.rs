//! Authorization codes: made at consent, redeemed once, with the PKCE verifier.
//!
//! Must never forget a spent code too early: its replay ends what it gave (RFC 6749 section 10.5).
//! Tests: `tests/walk/`.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{Grants, Issued, TokenRefusal};
use crate::accounts::{Account, Subject};
use crate::options::Lifetimes;
use crate::scopes::Scopes;
use crate::secret::{Digest, Secret, pkce_challenge};

/// What a person is asked to agree to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) scopes: Scopes,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    asked: Authorization,
    account: Account,
    pub(crate) expires_ms: i64,
    spent: Spent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Spent {
    No,
    ForNothing,
    ForGrant(u64),
}

impl Code {
    pub(super) fn grant(&self) -> Option<u64> {
        match self.spent {
            Spent::ForGrant(id) => Some(id),
            Spent::No | Spent::ForNothing => None,
        }
    }
}

const WRONG_CODE: TokenRefusal = TokenRefusal::InvalidGrant("the code is unknown, expired or already used");

impl Grants {
    /// The person agreed to `granted`, a part of what was asked.
    pub(crate) fn make_code(
        &mut self,
        asked: Authorization,
        account: Account,
        granted: Scopes,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> Secret {
        let code = Secret::random("fdc_");
        let expires_ms = now_ms + i64::from(lives.code_s) * 1000;
        let asked = Authorization { scopes: granted, ..asked };
        self.codes.insert(code.digest(), Code { asked, account, expires_ms, spent: Spent::No });
        code
    }

    pub(crate) fn redeem_code(
        &mut self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> Result<Issued, TokenRefusal> {
        let digest = Digest::of(code);
        let found = self.codes.get_mut(&digest).ok_or(WRONG_CODE)?;
        if let Spent::ForGrant(grant) = found.spent {
            self.end_grant(grant);
            return Err(WRONG_CODE);
        }
        if found.spent == Spent::ForNothing || found.expires_ms <= now_ms || found.asked.client_id != client_id {
            return Err(WRONG_CODE);
        }
        if found.asked.redirect_uri != redirect_uri {
            return Err(TokenRefusal::InvalidGrant("redirect_uri is not the one of the authorization request"));
        }
        let is_proved: bool = pkce_challenge(verifier).as_bytes().ct_eq(found.asked.challenge.as_bytes()).into();
        if !is_proved {
            // A wrong verifier means that somebody else holds the code: it is worth nothing from now on.
            found.spent = Spent::ForNothing;
            return Err(TokenRefusal::InvalidGrant("code_verifier does not match the code_challenge"));
        }
        let (subject, scopes) = (Subject::Account(found.account), found.asked.scopes.clone());
        let grant = self.start_grant(client_id, subject, scopes);
        if let Some(found) = self.codes.get_mut(&digest) {
            found.spent = Spent::ForGrant(grant);
        }
        Ok(self.issue_with_refresh(grant, lives, now_ms))
    }
}
