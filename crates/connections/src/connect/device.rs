//! A code typed on another device (RFC 8628): asked for, shown, polled.
//!
//! Must never poll sooner than the provider allows.
//! Tests: `tests/connect.rs`.

use flowdeck_model::AttemptId;
use flowdeck_model::app::{AppAuth, OAuth2};
use serde_json::Value;
use url::Url;

use crate::api::Attempt;
use crate::classify::FailureClass;
use crate::error::ConnectError;
use crate::protocol::{Client, read_tokens, scrub, short};
use crate::record::{AttemptRecord, Phase};
use crate::registry::{Registry, Secrets, method_of, oauth_of, plain};

const INTERVAL_S_MAX: u64 = 300;
const LIFE_S_MAX: u64 = 3_600;

impl Registry {
    pub(super) async fn begin_device(
        &self,
        auth: &AppAuth,
        oauth: &OAuth2,
        client: &Client<'_>,
        mut attempt: AttemptRecord,
        mut kept: Secrets,
    ) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let wrong = ConnectError::Declaration { app: auth.app.clone(), why: "no device endpoint".into() };
        let template = oauth.device_url.as_deref().ok_or(wrong)?;
        let url = inner.filled(auth, template, &plain(&attempt.fields))?;
        let scope = attempt.requested.join(&oauth.scope_separator);
        let raw = match client.post(&url, &[("scope", scope.as_str())]).await {
            Ok(raw) => raw,
            Err(e) => return self.fail(attempt, "unreachable", &e.to_string()).await,
        };
        let body: Value = serde_json::from_str(raw.body.expose()).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        let page = |name: &str| text(name).filter(|t| is_page(t)).map(str::to_owned);
        let found = text("device_code")
            .zip(text("user_code"))
            .zip(page("verification_uri").or_else(|| page("verification_url")))
            .filter(|_| raw.status == 200);
        let Some(((device, user), uri)) = found else {
            let why = match body.get("error").and_then(Value::as_str) {
                Some(code) => format!("the provider answered `{}`", short(code)),
                None => format!("the provider gave no device code (status {})", raw.status),
            };
            return self.fail(attempt, "provider", &scrub(&why, &kept)).await;
        };
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        attempt.interval_s = number("interval").unwrap_or(5).clamp(1, INTERVAL_S_MAX);
        attempt.expires_at = inner.now().plus(number("expires_in").unwrap_or(600).min(LIFE_S_MAX) * 1_000);
        attempt.next_poll = inner.now().plus(attempt.interval_s * 1_000);
        attempt.device = Some((short(user), uri, page("verification_uri_complete")));
        kept.insert("attempt.device".into(), device.into());
        attempt.sealed = inner.seal("attempt", attempt.id.to_bytes(), 0, &kept);
        inner.save_attempt(&attempt).await?;
        inner.shown(attempt).await
    }

    /// Asks whether the device code was approved; sooner than the interval allows no call is made.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`], [`ConnectError::AttemptOver`].
    pub async fn poll_device(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let this = self.clone();
        let work = self.inner.errands.run(async move { Box::pin(this.poll(id)).await });
        work.await.unwrap_or(Err(ConnectError::AttemptOver { why: "the poll stopped" }))
    }

    async fn poll(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let inner = &self.inner;
        let lock = inner.flight(id.to_bytes());
        let _flight = lock.lock().await;
        let mut attempt = inner.attempt_record(id).await?;
        if !matches!(attempt.phase, Phase::Pending) {
            return inner.shown(attempt).await;
        }
        let now = inner.now();
        if attempt.expires_at <= now {
            return self.fail(attempt, "expired", "the code was not approved in time").await;
        }
        if now < attempt.next_poll {
            return inner.shown(attempt).await;
        }
        let auth = inner.auth(&attempt.app)?;
        let method = method_of(&auth, &attempt.method)?;
        let oauth = oauth_of(method).ok_or(ConnectError::UnknownAttempt)?;
        let fields = plain(&attempt.fields);
        let kept = inner.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
        let client = inner.client(&auth, oauth, &fields, &kept)?;
        let url = inner.filled(&auth, &oauth.token_url, &fields)?;
        let code = kept.get("attempt.device").cloned().ok_or(ConnectError::UnknownAttempt)?;
        let params = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())];
        let called = match client.post(&url, &params).await {
            Ok(raw) => read_tokens(&raw, oauth),
            Err(e) => Err((&e).into()),
        };
        match &called {
            Err(fault) if fault.error == "authorization_pending" => {}
            // RFC 8628 3.5: five seconds more, from now on.
            Err(fault) if fault.error == "slow_down" => {
                attempt.interval_s = (attempt.interval_s + 5).min(INTERVAL_S_MAX);
            }
            Err(fault) if fault.class == FailureClass::Transient => {
                attempt.interval_s = (attempt.interval_s * 2).min(INTERVAL_S_MAX);
            }
            _ => {
                attempt.phase = Phase::Consumed;
                attempt.sealed.clear();
                return self.tokens(attempt, kept, called).await;
            }
        }
        attempt.next_poll = now.plus(attempt.interval_s * 1_000);
        inner.save_attempt(&attempt).await?;
        inner.shown(attempt).await
    }
}

/// A person is sent there: a web page, nothing that a terminal or browser would run.
fn is_page(text: &str) -> bool {
    Url::parse(text).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.host().is_some())
        && !text.chars().any(char::is_control)
}
