//! An attempt's record: read, kept, shown, and cleared away when it is old.
//!
//! Must never show what an attempt keeps sealed, but the URL for the browser.
//! Tests: `tests/connect.rs`.

use flowdeck_engine::ports::{Scan, Space};
use flowdeck_model::AttemptId;

use crate::api::{Attempt, AttemptFault, AttemptStep};
use crate::error::ConnectError;
use crate::record::{AttemptRecord, Phase, encode, key};
use crate::registry::{Inner, Registry, view};

const KEPT_MS: u64 = 24 * 3_600_000;
const SWEPT_AT_ONCE: usize = 20;

impl Registry {
    /// Where an attempt stands.
    ///
    /// # Errors
    /// [`ConnectError::UnknownAttempt`].
    pub async fn attempt(&self, id: AttemptId) -> Result<Attempt, ConnectError> {
        let mut attempt = self.inner.attempt_record(id).await?;
        if matches!(attempt.phase, Phase::Consumed) {
            // Its answer may be exchanged for tokens just now: only when that is over is it known how it ended.
            let flight = self.inner.flight(id.to_bytes());
            let _over = flight.lock().await;
            attempt = self.inner.attempt_record(id).await?;
        }
        self.inner.shown(attempt).await
    }

    pub(super) async fn fail(
        &self,
        mut attempt: AttemptRecord,
        code: &str,
        message: &str,
    ) -> Result<Attempt, ConnectError> {
        let remedy = match code {
            "setup" => "Check the client id and client secret in the form, and the redirect URI at the provider.",
            "unreachable" => "Check the address in the form and the network, then try again.",
            "kept" => "Nothing was changed.",
            "declined" => "Nothing was changed. To connect after all, try again and agree.",
            _ => "Start again; check what you entered and which account you are signed in with.",
        };
        let fault = AttemptFault { code: code.into(), message: message.into(), remedy: remedy.into() };
        attempt.phase = Phase::Failed(fault);
        attempt.sealed.clear();
        self.inner.save_attempt(&attempt).await?;
        self.inner.shown(attempt).await
    }
}

impl Inner {
    pub(super) async fn attempt_record(&self, id: AttemptId) -> Result<AttemptRecord, ConnectError> {
        self.read(Space::Attempts, &key("a", &id.to_bytes())).await?.ok_or(ConnectError::UnknownAttempt)
    }

    pub(super) async fn save_attempt(&self, attempt: &AttemptRecord) -> Result<(), ConnectError> {
        let mut change = self.change();
        change.delta.put(Space::Attempts, key("a", &attempt.id.to_bytes()), encode(attempt));
        Ok(self.parts.store.commit(change.delta).await?)
    }

    pub(super) fn still_pending(&self, attempt: &AttemptRecord) -> Result<(), ConnectError> {
        match attempt.phase {
            Phase::Pending if attempt.expires_at > self.now() => Ok(()),
            Phase::Pending => Err(ConnectError::AttemptOver { why: "its time is over" }),
            _ => Err(ConnectError::AttemptOver { why: "it was answered before" }),
        }
    }

    pub(super) async fn shown(&self, attempt: AttemptRecord) -> Result<Attempt, ConnectError> {
        let over = |code: &str, message: &str| {
            AttemptStep::Failed(AttemptFault {
                code: code.into(),
                message: message.into(),
                remedy: "Start again.".into(),
            })
        };
        let step = match attempt.phase {
            Phase::Done { connection, meanwhile } => {
                AttemptStep::Done { connection: Box::new(view(&self.known(connection).await?)), meanwhile }
            }
            Phase::Failed(fault) => AttemptStep::Failed(fault),
            Phase::Consumed => over("interrupted", "the authorization was interrupted"),
            Phase::Pending if attempt.expires_at <= self.now() => over("expired", "the time for it is over"),
            Phase::Candidate { was, now, .. } => match attempt.connection {
                Some(connection) => AttemptStep::ConfirmAccount { was, now, connection },
                None => over("interrupted", "the connection is unknown"),
            },
            Phase::Pending => match attempt.device {
                Some((user_code, verification_uri, verification_uri_complete)) => AttemptStep::Device {
                    user_code,
                    verification_uri,
                    verification_uri_complete,
                    interval_s: attempt.interval_s,
                    expires_at: attempt.expires_at,
                },
                None => {
                    let kept = self.unseal("attempt", attempt.id.to_bytes(), 0, &attempt.sealed)?;
                    let text = |name: &str| kept.get(name).map(|s| s.expose().to_owned()).unwrap_or_default();
                    AttemptStep::Browser {
                        authorize_url: text("attempt.url"),
                        redirect_uri: attempt.redirect_uri.unwrap_or_default(),
                        state: text("attempt.state"),
                    }
                }
            },
        };
        Ok(Attempt { id: attempt.id, step })
    }

    /// Clears away attempts that ended a day ago; their ids begin with the time, so the oldest come first.
    pub(super) async fn sweep_attempts(&self) -> Result<(), ConnectError> {
        let oldest = self.parts.store.scan(Scan::prefix(Space::Attempts, *b"a/", SWEPT_AT_ONCE)).await?;
        let mut change = self.change();
        for (key_bytes, value) in oldest {
            let record = serde_json::from_slice::<AttemptRecord>(&value).ok();
            if record.as_ref().is_some_and(|r| r.expires_at.plus(KEPT_MS) > self.now()) {
                continue;
            }
            change.delta.delete(Space::Attempts, key_bytes);
            if let Some(hash) = record.and_then(|r| r.state_hash) {
                change.delta.delete(Space::Attempts, key("s", hash.as_bytes()));
            }
        }
        if !change.delta.is_empty() {
            self.parts.store.commit(change.delta).await?;
        }
        Ok(())
    }
}
