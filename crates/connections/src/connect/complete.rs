//! From tokens or a form to a connection: account check, switch or keep, promotion.
//!
//! Must never switch accounts unasked, and never touch a working grant before the new one is proved.
//! Tests: `tests/connect.rs`.

use std::sync::Arc;

use flowdeck_engine::ports::Space;
use flowdeck_model::app::OAuthGrant;
use flowdeck_model::connect::{ConnectionState, PromptState};
use flowdeck_model::{AttemptId, ConnectionId, Nickname};

use crate::api::{Attempt, AttemptStep, AuditKind};
use crate::classify::FailureClass;
use crate::error::ConnectError;
use crate::lifecycle::{Happening, next};
use crate::prompts::free_nickname;
use crate::protocol::{Probed, TokenFault, Tokens, probe, scrub};
use crate::record::{AttemptRecord, ConnectionRecord, Phase, encode, grant_key, key};
use crate::registry::{Registry, Secrets, method_of, oauth_of, plain, view};

/// What an authorization brought.
pub(super) struct Brought {
    pub(super) secrets: Secrets,
    pub(super) granted: Option<Vec<String>>,
    pub(super) expires_in_s: Option<u64>,
    pub(super) subject: Option<String>,
    pub(super) account: Option<String>,
}

impl Brought {
    pub(super) fn form(secrets: Secrets) -> Self {
        Self { secrets, granted: None, expires_in_s: None, subject: None, account: None }
    }
}

impl Registry {
    /// Answers [`AttemptStep::ConfirmAccount`]: switch to the other account, or keep the earlier one.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`], [`ConnectError::AttemptOver`].
    pub async fn confirm(&self, id: AttemptId, accept: bool) -> Result<Attempt, ConnectError> {
        let lock = self.inner.flight(id.to_bytes());
        let _flight = lock.lock().await;
        let attempt = self.inner.attempt_record(id).await?;
        let Phase::Candidate { subject, account, granted, expires_at, .. } = attempt.phase.clone() else {
            return Err(ConnectError::AttemptOver { why: "there is nothing to confirm" });
        };
        let now = self.inner.now();
        if attempt.expires_at <= now {
            return self.fail(attempt, "expired", "the switch was not confirmed in time").await;
        }
        if !accept {
            return self.fail(attempt, "kept", "the earlier account was kept").await;
        }
        let secrets = self.inner.unseal("attempt", attempt.id.to_bytes(), 1, &attempt.sealed)?;
        let expires_in_s = expires_at.map(|at| at.since(now) / 1_000);
        self.promote(attempt, Brought { secrets, granted, expires_in_s, subject, account }, true).await
    }

    pub(super) async fn tokens(
        &self,
        attempt: AttemptRecord,
        mut secrets: Secrets,
        called: Result<Tokens, TokenFault>,
    ) -> Result<Attempt, ConnectError> {
        let tokens = match called {
            Ok(tokens) => tokens,
            Err(fault) => {
                let code = match fault.class {
                    FailureClass::AppBroken => "setup",
                    FailureClass::Transient => "unreachable",
                    _ => "refused",
                };
                return self.fail(attempt, code, &scrub(&fault.message, &secrets)).await;
            }
        };
        secrets.retain(|name, _| !name.starts_with("attempt."));
        secrets.insert("oauth.access".into(), tokens.access);
        if let Some(refresh) = tokens.refresh {
            secrets.insert("oauth.refresh".into(), refresh);
        }
        // An omitted scope means: as requested (RFC 6749 5.1).
        let granted = Some(tokens.scopes.unwrap_or_else(|| attempt.requested.clone()));
        let expires_in_s = tokens.expires_in_s;
        self.complete(attempt, Brought { secrets, granted, expires_in_s, subject: None, account: None }).await
    }

    pub(super) async fn complete(
        &self,
        mut attempt: AttemptRecord,
        mut brought: Brought,
    ) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let fields = plain(&attempt.fields);
        let owner = attempt.connection.unwrap_or_else(|| ConnectionId::from_bytes(attempt.id.to_bytes()));
        let bearer = inner.bearer(&auth, method, owner, &fields, &brought.secrets)?;
        if let Some(declared) = &auth.probe {
            let url = inner.filled(&auth, &declared.url, &fields)?;
            let hosts = bearer.hosts.clone();
            let timeout_ms = inner.parts.options.call_timeout_ms;
            match probe(&inner.parts.egress, declared, &url, Arc::new(bearer), &hosts, timeout_ms).await {
                Probed::Works { subject, account } => (brought.subject, brought.account) = (subject, account),
                Probed::Refused(why) => return self.fail(attempt, "refused", &why).await,
                Probed::Unclear(why) => {
                    return self
                        .fail(attempt, "unreachable", &format!("the account could not be checked: {why}"))
                        .await;
                }
            }
        }
        let was = match attempt.connection {
            Some(id) => inner.record(id).await?,
            None => None,
        };
        if let Some(was) = was.filter(|w| is_other(w, &brought)) {
            attempt.phase = Phase::Candidate {
                was: named(was.account.as_ref(), was.subject.as_ref()),
                now: named(brought.account.as_ref(), brought.subject.as_ref()),
                subject: brought.subject,
                account: brought.account,
                granted: brought.granted,
                expires_at: brought.expires_in_s.map(|s| inner.now().plus(s.saturating_mul(1_000))),
            };
            attempt.sealed = inner.seal("attempt", attempt.id.to_bytes(), 1, &brought.secrets);
            inner.save_attempt(&attempt).await?;
            return inner.shown(attempt).await;
        }
        self.promote(attempt, brought, false).await
    }

    async fn promote(
        &self,
        mut attempt: AttemptRecord,
        brought: Brought,
        switched: bool,
    ) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let _write = inner.write.lock().await;
        let now = inner.now();
        let records = inner.records(Some(&attempt.app)).await?;
        let answer = match (attempt.prompt, attempt.connection) {
            (Some(prompt), None) => inner.answer_of(&inner.head(prompt).await?).await?,
            _ => None,
        };
        let is_twin = answer.as_ref().is_some_and(|made| is_same(made, &attempt, &brought));
        if let Some(made) = answer.as_ref().filter(|_| is_twin) {
            if !covers(&brought, made) {
                return self.use_other(attempt, made).await;
            }
            // One account of one app is one connection. Its newest grant stays: the provider may have ended the other.
            attempt.connection = Some(made.id);
        }
        let meanwhile = answer.filter(|_| !is_twin).map(|made| made.nickname);
        let was = records.iter().find(|r| Some(r.id) == attempt.connection);
        if attempt.connection.is_some() && was.is_none() {
            return Err(ConnectError::AttemptOver { why: "the connection was removed meanwhile" });
        }
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).is_some();
        let credentials = oauth_of(method).is_some_and(|o| o.grants == [OAuthGrant::ClientCredentials]);
        let taken = |name: &Nickname| records.iter().any(|r| r.nickname == *name);
        let generation = was.map_or(1, |w| w.generation + 1);
        let record = ConnectionRecord {
            v: 1,
            id: was.map_or_else(|| ConnectionId::new(now, inner.random_id()), |w| w.id),
            app: attempt.app.clone(),
            app_version: auth.version.clone(),
            nickname: was.map_or_else(|| free_nickname(attempt.nickname.as_str(), taken), |w| w.nickname.clone()),
            method: attempt.method.clone(),
            state: was
                .map_or(Some(ConnectionState::Active), |w| next(w.state, Happening::Authorized))
                .unwrap_or(ConnectionState::Disabled),
            state_reason: String::new(),
            setup: false,
            subject: brought.subject,
            account: brought.account,
            fields: attempt.fields.clone(),
            requested: attempt.requested.clone(),
            granted: brought.granted,
            generation,
            proved_at: auth.probe.is_some().then_some(now),
            issued_at: now,
            expires_at: brought.expires_in_s.map(|s| now.plus(s.saturating_mul(1_000))),
            renewable: oauth && (credentials || brought.secrets.contains_key("oauth.refresh")),
            created_at: was.map_or(now, |w| w.created_at),
            refusals: 0,
            streak: 0,
            retry_at: None,
            trouble_since: None,
        };
        let mut change = inner.change();
        inner.put_record(&mut change, &record);
        inner.put_secrets(&mut change, record.id, record.generation, &brought.secrets);
        for old in was.iter().flat_map(|w| [w.generation, w.generation.saturating_sub(1)]) {
            change.delta.delete(Space::Grants, grant_key(record.id, old));
        }
        change.delta.delete(Space::Grants, key("i", &record.id.to_bytes()));
        change.delta.delete(Space::Grants, key("r", &record.id.to_bytes()));
        if let Some(id) = attempt.prompt {
            let head = inner.head(id).await?;
            if inner.prompt_state(&head).await?.0 == PromptState::Open {
                inner.answer_prompt(&mut change, &head, &record).await?;
            }
        }
        let is_only = records.len() + usize::from(was.is_none()) == 1;
        inner.settle_prompts(&mut change, &record, attempt.prompt, is_only).await?;
        let kind = match (was, switched) {
            (_, true) => AuditKind::Switch,
            (Some(_), false) => AuditKind::Repair,
            (None, false) => AuditKind::Connect,
        };
        inner.audit(&mut change, kind, &record, record.account.as_deref().unwrap_or(""));
        inner.touch(&mut change, &record);
        attempt.phase = Phase::Done { connection: record.id, meanwhile: meanwhile.clone() };
        attempt.sealed.clear();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(&attempt));
        inner.commit(change).await?;
        Ok(Attempt { id: attempt.id, step: AttemptStep::Done { connection: Box::new(view(&record)), meanwhile } })
    }

    /// Ends the attempt with a connection that is there, untouched.
    async fn use_other(&self, mut attempt: AttemptRecord, made: &ConnectionRecord) -> Result<Attempt, ConnectError> {
        attempt.phase = Phase::Done { connection: made.id, meanwhile: None };
        attempt.sealed.clear();
        self.inner.save_attempt(&attempt).await?;
        self.inner.shown(attempt).await
    }
}

/// Whether it is surely the same account, connected in the same way.
fn is_same(made: &ConnectionRecord, attempt: &AttemptRecord, brought: &Brought) -> bool {
    let same_way = made.method == attempt.method && made.fields == attempt.fields;
    same_way && made.subject.is_some() && made.subject == brought.subject
}

/// Whether nobody loses a right where the new grant stands in for the earlier one.
fn covers(brought: &Brought, made: &ConnectionRecord) -> bool {
    let had = made.granted.as_deref().unwrap_or_default();
    brought.granted.as_ref().is_none_or(|granted| had.iter().all(|scope| granted.contains(scope)))
}

fn is_other(was: &ConnectionRecord, brought: &Brought) -> bool {
    was.subject.is_some() && was.subject != brought.subject
}

fn named(account: Option<&String>, subject: Option<&String>) -> String {
    account.or(subject).cloned().unwrap_or_else(|| "an unknown account".into())
}
