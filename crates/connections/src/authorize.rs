//! The authorizer port: a card's need becomes a credential or a durable wait.
//!
//! Must never guess an account, and never move a slot to another connection by itself.
//! Tests: `tests/connect.rs`, `tests/refresh.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_egress::Credential;
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, Op, Space, StoreError, WaitKey};
use flowdeck_model::connect::{ConnectionState, Need, PromptReason};
use flowdeck_model::{AppName, ConnectionId, Fault, FaultCode, FlowName, PromptId, SlotName};

use crate::api::{AuditKind, AuditRecord};
use crate::error::ConnectError;
use crate::lifecycle::Happening;
use crate::protocol::{Probed, probe, scrub, union};
use crate::record::{ConnectionRecord, binding_key, encode};
use crate::refresh::{Refreshed, is_due};
use crate::registry::{Inner, Registry, Secrets, method_of, plain};

/// Shortest pause before a credential that cannot be checked is tried again, in milliseconds.
const AGAIN_MS: u64 = 10_000;

pub(crate) enum Found {
    Bound(Box<ConnectionRecord>, Option<Op>),
    None(PromptReason, &'static str),
}

impl Inner {
    /// What a slot is bound to: what a person chose, else what was matched. The connection may be gone.
    pub(crate) async fn bound(
        &self,
        app: &AppName,
        flow: &FlowName,
        slot: &SlotName,
    ) -> Result<Option<ConnectionId>, StoreError> {
        for kind in ["b", "m"] {
            if let Some(id) = self.read(Space::Bindings, &binding_key(kind, app, flow, slot)).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    pub(crate) async fn resolve(&self, need: &Need) -> Result<Found, StoreError> {
        if let Some(id) = self.bound(&need.app, &need.flow, &need.slot).await? {
            if let Some(record) = self.record(id).await? {
                return Ok(Found::Bound(Box::new(record), None));
            }
            let others = !self.records(Some(&need.app)).await?.is_empty();
            let reason = if others { PromptReason::Choose } else { PromptReason::Missing };
            return Ok(Found::None(reason, "the one it used was removed"));
        }
        let record = match &need.nickname {
            Some(nickname) => self.named(&need.app, nickname).await?,
            None => {
                let mut records = self.records(Some(&need.app)).await?;
                if records.len() > 1 {
                    return Ok(Found::None(PromptReason::Choose, "there are several"));
                }
                records.pop()
            }
        };
        Ok(match record {
            Some(record) => {
                // A match has its own key, so that a late commit of it cannot undo a person's choice.
                let key = binding_key("m", &need.app, &need.flow, &need.slot);
                let op = Op::Put { space: Space::Bindings, key, value: encode(&record.id) };
                Found::Bound(Box::new(record), Some(op))
            }
            None => Found::None(PromptReason::Missing, ""),
        })
    }

    pub(crate) fn wanting(&self, record: &ConnectionRecord, need: &Need) -> Option<PromptReason> {
        match record.state {
            ConnectionState::Unbound => Some(PromptReason::Missing),
            ConnectionState::NeedsReauth => Some(PromptReason::Lost),
            _ if record.setup && record.expires_at.is_some_and(|at| at <= self.now()) => Some(PromptReason::Setup),
            // Nothing but a person helps any more; it is tried again all the same whenever a card asks.
            _ if record.expires_at.is_some_and(|at| at <= self.now()) && record.is_worn(self.now()) => {
                Some(PromptReason::Lost)
            }
            _ => missing(record, &need.scopes).first().map(|_| PromptReason::Scope),
        }
    }

    async fn ready(
        &self,
        need: &Need,
        record: &ConnectionRecord,
        ops: Vec<Op>,
        seen: u64,
    ) -> Result<Decision, StoreError> {
        let made: Result<_, ConnectError> = async {
            let auth = self.auth(&record.app)?;
            let method = method_of(&auth, &record.method)?;
            let secrets = self.secrets(record).await?;
            self.bearer(&auth, method, record.id, &plain(&record.fields), &secrets)
        }
        .await;
        let bearer = match made {
            Ok(bearer) => bearer,
            Err(ConnectError::Store(e)) => return Err(e),
            Err(ConnectError::Sealed(e)) => {
                // Quarantined: this one asks for a new authorization, the others live.
                self.mark(record.id, record.generation, Happening::GrantDead, false, &e.to_string()).await?;
                return Ok(Decision::Wait(
                    self.hold(need, PromptReason::Lost, Some(record), &e.to_string(), seen, ops).await?,
                ));
            }
            Err(e) => return Ok(Decision::Denied(Fault::new(FaultCode::NotConnected, e.to_string()))),
        };
        let mut ops = ops;
        ops.push(self.audit_op(AuditRecord {
            at: self.now(),
            kind: AuditKind::Use,
            connection: Some(record.id),
            generation: record.generation,
            who: None,
            card: Some(need.card.clone()),
            run: need.step.as_ref().map(|(run, _)| *run),
            detail: String::new(),
        }));
        let handle: Arc<dyn Credential> = Arc::new(bearer);
        let authorized = Authorized {
            connection: record.id,
            generation: record.generation,
            subject: record.subject.clone(),
            account: record.account.clone(),
            fields: Arc::new(plain(&record.fields)),
            handle: Arc::new(handle),
        };
        Ok(Decision::Ready(authorized, ops))
    }

    fn unready(&self, record: &ConnectionRecord) -> Option<Decision> {
        (record.state == ConnectionState::Disabled).then(|| {
            let fault = Fault::new(
                FaultCode::NotConnected,
                format!("the connection \u{201c}{}\u{201d} is switched off: {}", record.nickname, record.state_reason),
            );
            Decision::Denied(fault.remedy("Ask who administers flowdeck here to switch it on."))
        })
    }

    fn forbidden(&self, record: &ConnectionRecord, detail: &str) -> Decision {
        let account = record.account.as_deref().unwrap_or("the account");
        let fault = Fault::new(
            FaultCode::Forbidden,
            format!("{} refused {account} (connection \u{201c}{}\u{201d}): {detail}", record.app, record.nickname),
        );
        Decision::Denied(fault.remedy("Give that account the role it lacks."))
    }
}

#[async_trait]
impl Authorizer for Registry {
    async fn authorize(&self, need: &Need) -> Result<Decision, StoreError> {
        let inner = &self.inner;
        let seen = inner.sequence();
        let (mut record, op) = match inner.resolve(need).await? {
            Found::Bound(record, op) => (record, op),
            Found::None(reason, detail) => {
                return Ok(Decision::Wait(inner.hold(need, reason, None, detail, seen, Vec::new()).await?));
            }
        };
        let ops: Vec<Op> = op.into_iter().collect();
        let now = inner.now();
        let works = |r: &ConnectionRecord| matches!(r.state, ConnectionState::Active | ConnectionState::Degraded);
        if works(&record)
            && is_due(record.expires_at, record.issued_at, now)
            && missing(&record, &need.scopes).is_empty()
        {
            let ended = record.expires_at.is_some_and(|at| at <= now);
            if record.renewable {
                let done = self.refresh(record.id, record.generation, false).await?;
                let person = inner.record(record.id).await?.is_some_and(|r| r.setup || r.is_worn(now));
                if let Refreshed::Later { retry_ms, message } = done
                    && ended
                    && !person
                {
                    let fault = Fault::new(
                        FaultCode::Unreachable,
                        format!(
                            "the token of connection \u{201c}{}\u{201d} cannot be renewed now: {message}",
                            record.nickname
                        ),
                    );
                    return Ok(Decision::Later { retry_ms, fault });
                }
            } else if ended {
                inner
                    .mark(
                        record.id,
                        record.generation,
                        Happening::GrantDead,
                        false,
                        "its token ended and cannot be renewed",
                    )
                    .await?;
            }
            match inner.record(record.id).await? {
                Some(fresh) => *record = fresh,
                None => {
                    return Ok(Decision::Wait(
                        inner.hold(need, PromptReason::Missing, None, "the one it used was removed", seen, ops).await?,
                    ));
                }
            }
        }
        if let Some(denied) = inner.unready(&record) {
            return Ok(denied);
        }
        match inner.wanting(&record, need) {
            Some(reason) => {
                let detail = record.why_wanted();
                Ok(Decision::Wait(inner.hold(need, reason, Some(&record), &detail, seen, ops).await?))
            }
            None => inner.ready(need, &record, ops, seen).await,
        }
    }

    async fn refused(&self, need: &Need, used: &Authorized, loss: Loss) -> Result<Decision, StoreError> {
        let inner = &self.inner;
        let seen = inner.sequence();
        let Some(record) = inner.record(used.connection).await? else { return self.authorize(need).await };
        if record.generation != used.generation
            || !matches!(record.state, ConnectionState::Active | ConnectionState::Degraded)
        {
            return self.authorize(need).await;
        }
        // The app's words may repeat the credential that it refuses.
        let secrets = inner.secrets(&record).await.unwrap_or_else(|_| Secrets::new());
        let detail = match loss {
            Loss::Scope { scopes, detail } => {
                let detail = scrub(&detail, &secrets);
                let wanted = if scopes.is_empty() { need.scopes.clone() } else { scopes };
                if missing(&record, &wanted).is_empty() {
                    return Ok(inner.forbidden(&record, &detail));
                }
                let need = Need { scopes: union([need.scopes.as_slice(), &wanted]), ..need.clone() };
                return Ok(Decision::Wait(
                    inner.hold(&need, PromptReason::Scope, Some(&record), &detail, seen, Vec::new()).await?,
                ));
            }
            Loss::Unauthorized { detail } => scrub(&detail, &secrets),
        };
        if record.renewable && record.refusals == 0 {
            let done = self.refresh(record.id, record.generation, true).await?;
            if let Some(record) = inner.record(record.id).await?.filter(|r| r.setup) {
                let why = record.state_reason.clone();
                let hold = inner.hold(need, PromptReason::Setup, Some(&record), &why, seen, Vec::new()).await?;
                return Ok(Decision::Wait(hold));
            }
            return match done {
                Refreshed::Settled => self.authorize(need).await,
                Refreshed::Later { retry_ms, message } => {
                    Ok(Decision::Later { retry_ms, fault: Fault::new(FaultCode::Unreachable, message) })
                }
            };
        }
        match inner.probe(&record).await? {
            Some(Probed::Works { .. }) => Ok(inner.forbidden(&record, &detail)),
            Some(Probed::Unclear(why)) => {
                let (id, generation) = (record.id, record.generation);
                let marked = inner.mark(id, generation, Happening::Trouble, record.setup, &why).await?;
                if let Some(worn) = marked.as_ref().filter(|r| r.is_worn(inner.now())) {
                    let detail = worn.why_wanted();
                    let hold = inner.hold(need, PromptReason::Lost, Some(worn), &detail, seen, Vec::new()).await?;
                    return Ok(Decision::Wait(hold));
                }
                let retry_at = marked.and_then(|r| r.retry_at);
                let fault = Fault::new(
                    FaultCode::Unreachable,
                    format!("the connection \u{201c}{}\u{201d} cannot be checked now: {why}", record.nickname),
                );
                let retry_ms = retry_at.map_or(AGAIN_MS, |at| at.since(inner.now()).max(AGAIN_MS));
                Ok(Decision::Later { retry_ms, fault })
            }
            Some(Probed::Refused(_)) | None => {
                inner.mark(record.id, record.generation, Happening::GrantDead, false, &detail).await?;
                self.authorize(need).await
            }
        }
    }

    fn worked(&self, used: &Authorized) {
        let now = self.inner.now();
        {
            let mut proved = self.inner.proved.lock();
            let known = proved.get(&used.connection);
            // Written once per generation, then at most every ten minutes.
            if known.is_some_and(|(generation, at)| *generation == used.generation && now.since(*at) < 600_000) {
                return;
            }
            proved.insert(used.connection, (used.generation, now));
        }
        let (inner, id, generation) = (Arc::clone(&self.inner), used.connection, used.generation);
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(self.inner.errands.run(async move {
                if let Err(cause) = inner.prove(id, generation).await {
                    tracing::warn!(connection = %id, %cause, "the proof of a credential was not written");
                }
            }));
        }
    }

    async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        self.inner.changed(on, seen).await
    }

    async fn next_changes(&self) -> Vec<WaitKey> {
        self.inner.next_changes().await
    }

    async fn left(&self, prompt: PromptId) -> Result<(), StoreError> {
        self.inner.close_left(prompt).await
    }

    async fn account(&self, connection: ConnectionId) -> Result<Option<(u64, Option<String>)>, StoreError> {
        Ok(self.inner.record(connection).await?.map(|r| (r.generation, r.subject)))
    }
}

impl Inner {
    async fn prove(&self, id: ConnectionId, generation: u64) -> Result<(), StoreError> {
        let _write = self.write.lock().await;
        let Some(mut record) = self.record(id).await? else { return Ok(()) };
        if record.generation != generation {
            return Ok(());
        }
        record.proved_at = Some(self.now());
        record.refusals = 0;
        let mut change = self.change();
        // Trouble with renewing lasts until a renewal works; any other is over.
        let recovers = record.streak > 0 && !is_due(record.expires_at, record.issued_at, self.now());
        if recovers {
            record.works();
            self.settle_repaired(&mut change, &record).await?;
            self.touch(&mut change, &record);
        }
        self.put_record(&mut change, &record);
        if generation > 1 {
            change.delta.delete(Space::Grants, crate::record::grant_key(id, generation - 1));
        }
        self.commit(change).await
    }

    /// Asks the app whether a connection's credential works; `None` without a probe.
    pub(crate) async fn probe(&self, record: &ConnectionRecord) -> Result<Option<Probed>, StoreError> {
        let asked: Result<Option<Probed>, ConnectError> = async {
            let auth = self.auth(&record.app)?;
            let Some(declared) = &auth.probe else { return Ok(None) };
            let method = method_of(&auth, &record.method)?;
            let fields = plain(&record.fields);
            let secrets = self.secrets(record).await?;
            let bearer = self.bearer(&auth, method, record.id, &fields, &secrets)?;
            let url = self.filled(&auth, &declared.url, &fields)?;
            let hosts = bearer.hosts.clone();
            let timeout_ms = self.parts.options.call_timeout_ms;
            Ok(Some(probe(&self.parts.egress, declared, &url, Arc::new(bearer), &hosts, timeout_ms).await))
        }
        .await;
        match asked {
            Ok(probed) => Ok(probed),
            Err(ConnectError::Store(e)) => Err(e),
            Err(e) => Ok(Some(Probed::Unclear(e.to_string()))),
        }
    }
}

pub(crate) fn missing(record: &ConnectionRecord, needed: &[String]) -> Vec<String> {
    let Some(granted) = &record.granted else { return Vec::new() };
    needed.iter().filter(|s| !granted.contains(s)).cloned().collect()
}
