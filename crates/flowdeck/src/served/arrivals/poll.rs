//! Asks an app for the events of one flow, and takes them together with the new cursor.
//!
//! Must never move a cursor without the runs of what it passed, nor ask without a connection where one is needed.
//! Tests: `tests/polls.rs`.

use std::sync::Arc;

use flowdeck_apps::{Occurrence, PollCall, Polled};
use flowdeck_engine::ports::{Authorized, Decision, Delta, Loss, Op};
use flowdeck_model::connect::{Need, PromptState};
use flowdeck_model::{Fault, FaultCode, FlowHash, PromptId, RunId, Value};

use super::listeners::Listener;
use super::status::{Cursor, PollStatus, put_cursor};
use super::take::Arrival;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Most answers of one poll; the next one goes on.
const PAGES_MAX: usize = 100;
/// Longest pause after errors, in milliseconds, unless the app asks for more.
const PAUSE_MS_MAX: u64 = 3_600_000;
/// How often it is looked whether a prompt is still open, in milliseconds; a change of connections is seen at once.
const LOOK_MS: u64 = 300_000;
/// Longest error that is kept.
const ERROR_CHARS_MAX: usize = 500;

/// How a poll ended.
enum Ended {
    Answered(Vec<RunId>),
    Waits(Option<PromptId>),
    Failed(Fault, Option<u64>),
}

/// A credential, or why there is none.
enum Admitted {
    With(Option<Authorized>, Vec<Op>),
    Not(Ended),
}

impl Runtime {
    /// Asks once; answers the runs that it started, and how it went.
    pub(super) async fn poll_flow(
        &self,
        listener: &Arc<Listener>,
        every_ms: u64,
        before: &PollStatus,
    ) -> Result<(Vec<RunId>, PollStatus), RuntimeError> {
        let ended = match self.ensure_app_of(listener).await {
            Ok(()) => self.ask(listener, before.waits).await?,
            Err(fault) => Ended::Failed(fault, None),
        };
        let now = self.now();
        Ok(match ended {
            Ended::Answered(runs) => {
                let next = now.plus(every_ms);
                (runs, PollStatus { next, answered: Some(now), ..PollStatus::default() })
            }
            Ended::Waits(waits) => {
                let status =
                    PollStatus { next: now.plus(LOOK_MS), answered: before.answered, waits, ..PollStatus::default() };
                (Vec::new(), status)
            }
            Ended::Failed(fault, retry_ms) => {
                let failures = before.failures.saturating_add(1);
                let doubled = every_ms.saturating_mul(1 << failures.min(20)).min(PAUSE_MS_MAX.max(every_ms));
                let next = now.plus(doubled.max(retry_ms.unwrap_or(0)));
                let error = Some(fault.to_string().chars().take(ERROR_CHARS_MAX).collect());
                tracing::warn!(flow = %listener.name(), card = %listener.card, %fault, "an app could not be asked for events");
                (Vec::new(), PollStatus { next, answered: before.answered, error, failures, waits: None })
            }
        })
    }

    async fn ensure_app_of(&self, listener: &Arc<Listener>) -> Result<(), Fault> {
        let Some(need) = &listener.need else { return Ok(()) };
        let started = self.ensure_app(&need.app).await;
        started.map_err(|error| Fault::new(FaultCode::Unreachable, error.to_string()))
    }

    async fn ask(&self, listener: &Arc<Listener>, waits: Option<PromptId>) -> Result<Ended, RuntimeError> {
        let (mut authorized, mut ops) = match self.admitted(listener, waits).await? {
            Admitted::With(authorized, ops) => (authorized, ops),
            Admitted::Not(ended) => return Ok(ended),
        };
        let connection = authorized.as_ref().map(|authorized| authorized.connection);
        let apps = &self.inner.wired.host.apps;
        let call = |cursor: &Value, authorized: &Option<Authorized>| PollCall {
            card: listener.card.clone(),
            inputs: listener.inputs.clone(),
            cursor: cursor.clone(),
            authorized: authorized.clone(),
            now: self.now(),
        };
        let kept = self.cursor(listener.name(), connection).await?;
        let kept = kept.filter(|kept| kept.fits(listener, authorized.as_ref()));
        let mut is_new = kept.is_none();
        let mut at = match kept {
            Some(kept) => kept,
            None => match apps.poll_from(&call(&Value::Null, &authorized)) {
                Ok(from) => Cursor::new(listener, authorized.as_ref(), from),
                Err(fault) => return Ok(Ended::Failed(fault, None)),
            },
        };
        let (mut runs, mut refused) = (Vec::new(), false);
        for _ in 0..PAGES_MAX {
            let (delivery, cursor) = match apps.poll(&call(&at.cursor, &authorized)).await {
                Polled::Came { delivery, cursor } => (delivery, cursor),
                Polled::Refused(loss) if !refused => {
                    refused = true;
                    match self.refused(listener, authorized.as_ref(), loss).await? {
                        Admitted::With(again, more) => {
                            authorized = again;
                            ops.extend(more);
                            continue;
                        }
                        Admitted::Not(ended) => return Ok(ended),
                    }
                }
                Polled::Refused(loss) => return Ok(Ended::Failed(denied(&loss), None)),
                // The app does not remember that far back: it goes on from now, and a person is told.
                Polled::Failed { fault, .. } if fault.status == Some(410) && !is_new => {
                    self.forget_cursor(listener.name(), connection).await?;
                    let what = format!(
                        "{}; what happened before cannot be had any more, the next poll begins anew",
                        fault.message
                    );
                    return Ok(Ended::Failed(Fault { message: what, ..fault }, None));
                }
                Polled::Failed { fault, retry_after_ms } => return Ok(Ended::Failed(fault, retry_after_ms)),
            };
            if let Some(used) = &authorized {
                self.inner.wired.authorizer.worked(used);
            }
            let ends = cursor == at.cursor || delivery.events.is_empty() && delivery.others == 0;
            let (quiet, moves) = (at.quiet, cursor != at.cursor);
            (at.cursor, at.quiet) = (cursor, quiet && !ends);
            let arrivals: Vec<Arrival> = delivery.events.into_iter().map(|event| arrival(listener, event)).collect();
            if is_new || moves || quiet || !arrivals.is_empty() {
                let mut own = Delta::default();
                put_cursor(&mut own, listener.name(), connection, &at)?;
                own.ops.extend(std::mem::take(&mut ops));
                let with = |delta: &mut Delta| delta.ops.extend(own.ops.iter().cloned());
                runs.extend(self.take(&arrivals, quiet, with).await?);
                is_new = false;
            }
            if ends {
                break;
            }
        }
        Ok(Ended::Answered(runs))
    }

    /// The connection of the event card.
    async fn admitted(&self, listener: &Arc<Listener>, waits: Option<PromptId>) -> Result<Admitted, RuntimeError> {
        let Some(need) = &listener.need else { return Ok(Admitted::With(None, Vec::new())) };
        let decision = self.inner.wired.authorizer.authorize(need).await?;
        self.decided(listener, need, decision, waits).await
    }

    /// After the app refused the one that was used.
    async fn refused(
        &self,
        listener: &Arc<Listener>,
        used: Option<&Authorized>,
        loss: Loss,
    ) -> Result<Admitted, RuntimeError> {
        let (Some(need), Some(used)) = (&listener.need, used) else {
            return Ok(Admitted::Not(Ended::Failed(denied(&loss), None)));
        };
        let decision = self.inner.wired.authorizer.refused(need, used, loss).await?;
        self.decided(listener, need, decision, None).await
    }

    async fn decided(
        &self,
        listener: &Arc<Listener>,
        need: &Need,
        decision: Decision,
        waits: Option<PromptId>,
    ) -> Result<Admitted, RuntimeError> {
        Ok(match decision {
            Decision::Ready(authorized, ops) => Admitted::With(Some(authorized), ops),
            Decision::Later { retry_ms, fault } => Admitted::Not(Ended::Failed(fault, Some(retry_ms))),
            Decision::Denied(fault) => Admitted::Not(Ended::Failed(fault, None)),
            Decision::Wait(_) => Admitted::Not(Ended::Waits(self.prompted(listener, need, waits).await?)),
        })
    }

    /// The prompt that asks for the connection: the one that is open already, or a new one for all that the flow needs
    /// of this slot.
    async fn prompted(
        &self,
        listener: &Arc<Listener>,
        need: &Need,
        waits: Option<PromptId>,
    ) -> Result<Option<PromptId>, RuntimeError> {
        if let Some(id) = waits
            && self.connections().prompt(id).await.is_ok_and(|prompt| prompt.state == PromptState::Open)
        {
            return Ok(waits);
        }
        let all = self.engine().needs(&listener.flow)?;
        let of_slot: Vec<Need> =
            all.into_iter().filter(|all| (&all.flow, &all.slot) == (&need.flow, &need.slot)).collect();
        let raised = self.connections().raise(&of_slot).await?;
        self.prompts_changed();
        Ok(raised.first().map(|prompt| prompt.id))
    }
}

fn arrival(listener: &Arc<Listener>, event: Occurrence) -> Arrival {
    let key = match event.key.is_empty() {
        // What the app gives no name is known by what it says.
        true => FlowHash::of(event.fields.to_value().to_string().as_bytes()).to_string(),
        false => event.key,
    };
    Arrival { listener: listener.clone(), key, fields: event.fields }
}

fn denied(loss: &Loss) -> Fault {
    let (Loss::Unauthorized { detail } | Loss::Scope { detail, .. }) = loss;
    Fault::new(FaultCode::Forbidden, detail.clone())
}
