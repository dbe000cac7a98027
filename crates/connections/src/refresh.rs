//! Renews an access token: once per generation, durable before anyone uses it.
//!
//! Must never send a refresh token twice without knowing what became of the first time, unless the provider allows it.
//! Tests: below, `tests/refresh.rs`, `tests/fences.rs`.

use flowdeck_egress::Sent;
use flowdeck_engine::ports::{Space, StoreError};
use flowdeck_model::app::{OAuth2, Rotation};
use flowdeck_model::{ConnectionId, Millis};

use crate::api::AuditKind;
use crate::classify::FailureClass;
use crate::connect::credentials_params;
use crate::error::ConnectError;
use crate::lifecycle::{Happening, next};
use crate::protocol::{Raw, TokenFault, Tokens, read_tokens, scrub};
use crate::record::{ConnectionRecord, Intent, SealedTexts, encode, grant_key, key};
use crate::registry::{Inner, Registry, Secrets, method_of, oauth_of, plain};
use crate::secret::SecretText;
use crate::trouble::pause_ms;

/// Renewed, or why not now; the record's state tells the rest.
pub(crate) enum Refreshed {
    /// Look at the record: it was renewed, or its state changed.
    Settled,
    /// Not now.
    Later { retry_ms: u64, message: String },
}

impl Registry {
    /// Renews generation `used` unless somebody did. The work goes on when the caller goes away.
    pub(crate) async fn refresh(&self, id: ConnectionId, used: u64, refused: bool) -> Result<Refreshed, StoreError> {
        let this = self.clone();
        let work = self.inner.errands.run(async move {
            let lock = this.inner.flight(id.to_bytes());
            let _flight = lock.lock().await;
            this.inner.refresh_alone(id, used, refused).await
        });
        match work.await {
            Ok(done) => done,
            Err(cause) => Ok(Refreshed::Later { retry_ms: 5_000, message: format!("the refresh stopped: {cause}") }),
        }
    }
}

impl Inner {
    async fn refresh_alone(&self, id: ConnectionId, used: u64, refused: bool) -> Result<Refreshed, StoreError> {
        let Some(record) = self.record(id).await? else { return Ok(Refreshed::Settled) };
        if record.generation != used || next(record.state, Happening::Trouble).is_none() {
            return Ok(Refreshed::Settled);
        }
        let now = self.now();
        if let Some(at) = record.retry_at.filter(|at| *at > now) {
            return Ok(Refreshed::Later { retry_ms: at.since(now), message: record.state_reason });
        }
        match self.call(&record, refused).await {
            Ok(()) => Ok(Refreshed::Settled),
            Err(Stop::Store(e)) => Err(e),
            Err(Stop::Fault(fault)) => self.failed(record, &fault).await,
        }
    }

    /// The protocol: intent, call, raw answer sealed, new generation, in this order.
    async fn call(&self, record: &ConnectionRecord, refused: bool) -> Result<(), Stop> {
        let auth = self.auth(&record.app)?;
        let method = method_of(&auth, &record.method)?;
        let oauth = oauth_of(method).ok_or_else(|| TokenFault::unsent("the app no longer uses OAuth"))?;
        let secrets = self.secrets(record).await?;
        let answer_key = grant_raw_key(record.id);
        let intent_key = key("i", &record.id.to_bytes());
        if let Some(tokens) = self.kept_answer(record, oauth).await? {
            // The call was answered before we stopped: nothing is lost.
            return self.renewed(record, secrets, tokens, refused).await;
        }
        let refresh = secrets.get("oauth.refresh");
        let fingerprints = self.parts.key.fingerprints(refresh.unwrap_or(&SecretText::default()));
        let open: Option<Intent> = self.read(Space::Grants, &intent_key).await?;
        let open = open.filter(|i| i.generation == record.generation && fingerprints.contains(&i.fingerprint));
        let now = self.now();
        let repeatable = refresh.is_none()
            || match oauth.rotation {
                Rotation::Static | Rotation::OldValid => true,
                Rotation::SingleUse { grace_s } => {
                    open.as_ref().is_none_or(|i| now.since(i.started_at) < u64::from(grace_s) * 1_000)
                }
            };
        let interrupted = open.is_some() && !repeatable;
        let token_alive = record.expires_at.is_none_or(|at| at > now);
        if interrupted && token_alive && !refused {
            return Err(
                TokenFault::unsent("an earlier renewal was interrupted; the token is used until it ends").into()
            );
        }
        let was_open = open.is_some();
        // The first start counts for the grace: a repeat does not begin it anew.
        let started_at = open.map_or(now, |i| i.started_at);
        let fingerprint = fingerprints.into_iter().next().unwrap_or_default();
        let intent = Intent { generation: record.generation, started_at, fingerprint };
        let mut change = self.change();
        change.delta.put(Space::Grants, intent_key.clone(), encode(&intent));
        self.parts.store.commit(change.delta).await?;

        let client = self.client(&auth, oauth, &plain(&record.fields), &secrets)?;
        let url = self.filled(&auth, &oauth.token_url, &plain(&record.fields))?;
        let scope = record.requested.join(&oauth.scope_separator);
        let params: Vec<(&str, &str)> = match refresh {
            Some(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
            None => credentials_params(&scope),
        };
        let raw = match client.post(&url, &params).await {
            Ok(raw) => raw,
            Err(e) => {
                // What never left used up nothing, unless an earlier call is in doubt.
                if e.was_sent() == Sent::No && !was_open {
                    self.forget_call(record.id).await?;
                }
                return Err(TokenFault::from(&e).into());
            }
        };
        if raw.status == 200 {
            let body = Secrets::from([("body".to_owned(), raw.body.clone())]);
            let sealed = self.seal("answer", record.id.to_bytes(), record.generation, &body);
            let mut change = self.change();
            change.delta.put(Space::Grants, answer_key, encode(&(record.generation, sealed)));
            self.parts.store.commit(change.delta).await?;
        }
        match read_tokens(&raw, oauth) {
            Ok(tokens) => self.renewed(record, secrets, tokens, refused).await,
            Err(fault) if fault.class == FailureClass::DeadGrant && interrupted => {
                Err(dead("an interrupted renewal used up the refresh token").into())
            }
            Err(fault) => {
                // A definite refusal: the refresh token was not used up, so nothing is in doubt.
                if fault.class != FailureClass::Transient {
                    self.forget_call(record.id).await?;
                }
                Err(TokenFault { message: scrub(&fault.message, &secrets), ..fault }.into())
            }
        }
    }

    /// Tokens of a call whose answer was sealed, but whose reader stopped. An answer that is no token answer (a proxy's
    /// page, say) or cannot be opened is passed over: then the call is repeated as the provider's rotation allows.
    async fn kept_answer(&self, record: &ConnectionRecord, oauth: &OAuth2) -> Result<Option<Tokens>, StoreError> {
        let Some((generation, sealed)) =
            self.read::<(u64, SealedTexts)>(Space::Grants, &grant_raw_key(record.id)).await?
        else {
            return Ok(None);
        };
        if generation != record.generation {
            return Ok(None);
        }
        let texts = self.unseal("answer", record.id.to_bytes(), generation, &sealed).unwrap_or_default();
        let raw = texts.get("body").map(|body| Raw { status: 200, body: body.clone(), retry_after_ms: None });
        Ok(raw.and_then(|raw| read_tokens(&raw, oauth).ok()))
    }

    async fn forget_call(&self, id: ConnectionId) -> Result<(), StoreError> {
        let mut change = self.change();
        change.delta.delete(Space::Grants, key("i", &id.to_bytes())).delete(Space::Grants, grant_raw_key(id));
        self.parts.store.commit(change.delta).await
    }

    async fn renewed(
        &self,
        old: &ConnectionRecord,
        mut secrets: Secrets,
        tokens: Tokens,
        refused: bool,
    ) -> Result<(), Stop> {
        let _write = self.write.lock().await;
        let Some(mut record) = self.record(old.id).await? else { return Ok(()) };
        if record.generation != old.generation {
            return Ok(());
        }
        secrets.insert("oauth.access".into(), tokens.access);
        if let Some(refresh) = tokens.refresh {
            secrets.insert("oauth.refresh".into(), refresh);
        }
        let now = self.now();
        if let Some(scopes) = tokens.scopes {
            // A refresh never widens (RFC 6749 6): what was not granted before is not believed now.
            let before = record.granted.clone();
            record.granted =
                Some(scopes.into_iter().filter(|s| before.as_ref().is_none_or(|b| b.contains(s))).collect());
        }
        record.generation += 1;
        record.issued_at = now;
        record.expires_at = tokens.expires_in_s.map(|s| now.plus(s.saturating_mul(1_000)));
        record.refusals = u32::from(refused);
        record.setup = false;
        record.works();
        let mut change = self.change();
        self.put_secrets(&mut change, record.id, record.generation, &secrets);
        self.put_record(&mut change, &record);
        // The generation before stays until this one worked.
        if record.generation > 2 {
            change.delta.delete(Space::Grants, grant_key(record.id, record.generation - 2));
        }
        change.delta.delete(Space::Grants, key("i", &record.id.to_bytes()));
        change.delta.delete(Space::Grants, grant_raw_key(record.id));
        self.audit(&mut change, AuditKind::Refresh, &record, "");
        if old.state != record.state || old.setup {
            self.settle_repaired(&mut change, &record).await?;
            self.touch(&mut change, &record);
        }
        Ok(self.commit(change).await?)
    }

    async fn failed(&self, seen: ConnectionRecord, fault: &TokenFault) -> Result<Refreshed, StoreError> {
        let happening = match fault.class {
            FailureClass::DeadGrant | FailureClass::PersonNeeded | FailureClass::Scope => Happening::GrantDead,
            FailureClass::SecurityStop => Happening::SwitchedOff,
            FailureClass::AppBroken | FailureClass::Transient => Happening::Trouble,
        };
        tracing::info!(connection = %seen.id, class = ?fault.class, sent = ?fault.sent, "a renewal failed");
        let broken = fault.class == FailureClass::AppBroken;
        let record =
            self.mark_until(seen.id, seen.generation, happening, broken, &fault.message, fault.retry_after_ms).await?;
        let Some(at) = record.and_then(|r| r.retry_at) else { return Ok(Refreshed::Settled) };
        Ok(Refreshed::Later { retry_ms: at.since(self.now()).max(1), message: fault.message.clone() })
    }

    /// Writes what happened to a connection, unless a newer generation came meanwhile.
    pub(crate) async fn mark(
        &self,
        id: ConnectionId,
        generation: u64,
        happening: Happening,
        setup: bool,
        reason: &str,
    ) -> Result<Option<ConnectionRecord>, StoreError> {
        self.mark_until(id, generation, happening, setup, reason, None).await
    }

    /// [`Self::mark`], where the provider asked for a pause of so many milliseconds.
    async fn mark_until(
        &self,
        id: ConnectionId,
        generation: u64,
        happening: Happening,
        setup: bool,
        reason: &str,
        asked_ms: Option<u64>,
    ) -> Result<Option<ConnectionRecord>, StoreError> {
        let _write = self.write.lock().await;
        let Some(mut record) = self.record(id).await? else { return Ok(None) };
        let Some(state) = next(record.state, happening).filter(|_| record.generation == generation) else {
            return Ok(Some(record));
        };
        let before = record.state;
        record.state = state;
        record.setup = setup;
        record.state_reason = reason.to_owned();
        record.retry_at = None;
        if happening == Happening::Trouble {
            let pause = pause_ms(record.streak, self.parts.options.backoff_ms, asked_ms, &*self.parts.random);
            record.streak += 1;
            record.retry_at = Some(self.now().plus(pause));
            record.trouble_since = Some(record.trouble_since.unwrap_or(self.now()));
            // The next time it works is worth writing down, however soon it is.
            self.proved.lock().remove(&id);
        } else {
            record.streak = 0;
            record.trouble_since = None;
        }
        let mut change = self.change();
        self.put_record(&mut change, &record);
        if before != state {
            let kind = match happening {
                Happening::GrantDead => Some(AuditKind::Lost),
                Happening::SwitchedOff => Some(AuditKind::Disable),
                Happening::SwitchedOn => Some(AuditKind::Enable),
                _ => None,
            };
            if let Some(kind) = kind {
                self.audit(&mut change, kind, &record, reason);
            }
            if happening == Happening::Worked {
                self.settle_repaired(&mut change, &record).await?;
            }
            self.touch(&mut change, &record);
        }
        self.commit(change).await?;
        Ok(Some(record))
    }
}

fn grant_raw_key(id: ConnectionId) -> Vec<u8> {
    key("r", &id.to_bytes())
}

fn dead(message: &str) -> TokenFault {
    TokenFault {
        class: FailureClass::DeadGrant,
        error: "interrupted".into(),
        message: message.into(),
        sent: Sent::Maybe,
        retry_after_ms: None,
    }
}

enum Stop {
    Store(StoreError),
    Fault(TokenFault),
}

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<TokenFault> for Stop {
    fn from(fault: TokenFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ConnectError> for Stop {
    fn from(e: ConnectError) -> Self {
        match e {
            ConnectError::Store(e) => Self::Store(e),
            ConnectError::Sealed(e) => Self::Fault(dead(&e.to_string())),
            other => Self::Fault(TokenFault::unsent(other.to_string())),
        }
    }
}

/// Whether a token is so near its end that it is renewed first.
pub(crate) fn is_due(expires_at: Option<Millis>, issued_at: Millis, now: Millis) -> bool {
    let Some(end) = expires_at else { return false };
    let life = end.since(issued_at);
    // The last fifth, or the last minute of tokens that live long enough for it to be the smaller part.
    let margin = (life / 5).max(60_000.min(life / 2));
    end.since(now) < margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_in_its_last_fifth_or_its_last_minute() {
        for (life_s, at_s, due) in [
            (3_600, 2_879, false),
            (3_600, 2_881, true),
            (120, 59, false),
            (120, 61, true),
            (60, 29, false),
            (60, 31, true),
            (60, 61, true),
        ] {
            let issued = Millis(1_000_000);
            let at = issued.plus(at_s * 1_000);
            assert_eq!(is_due(Some(issued.plus(life_s * 1_000)), issued, at), due, "{life_s} s, after {at_s} s");
        }
        assert!(!is_due(None, Millis(0), Millis(i64::MAX)), "what has no end is never due");
    }
}
