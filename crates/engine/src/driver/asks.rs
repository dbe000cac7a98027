//! Asks for authorization without keeping the run from anything else meanwhile.
//!
//! Must never cut a question short: a refresh that is under way must come to its end.
//! Tests: `tests/driver/connect.rs`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use flowdeck_model::connect::Need;
use flowdeck_model::flow::WhenNotConnected;
use flowdeck_model::{Fault, FaultCode, Fields};

use super::api::EngineError;
use super::live::{Answer, Live, Returned};
use crate::machine::event::StepEvent;
use crate::machine::state::{FrameId, Held, Step};
use crate::ports::{Authorized, Decision, Hold, Loss, StoreError};
use crate::wire::entry::Intent;

/// What a credential is wanted for.
pub(super) enum Purpose {
    Send(Fields),
    LookUp(Fields),
    /// The one that was used is refused.
    Again,
}

/// A question that took its time, answered.
pub(super) struct Asked {
    need: Need,
    purpose: Purpose,
    decision: Result<Decision, StoreError>,
}

type Question = Pin<Box<dyn Future<Output = Result<Decision, StoreError>> + Send>>;

impl Live {
    pub(super) async fn authorize(&mut self, frame: FrameId, need: Need, purpose: Purpose) -> Result<(), EngineError> {
        let authorizer = self.inner.parts.authorizer.clone();
        let asks = need.clone();
        self.question(frame, need, purpose, Box::pin(async move { authorizer.authorize(&asks).await })).await
    }

    pub(super) async fn refused(
        &mut self,
        frame: FrameId,
        used: Option<(Need, Authorized)>,
        loss: Loss,
        purpose: Purpose,
    ) -> Result<(), EngineError> {
        let Some((need, used)) = used else {
            let detail = match loss {
                Loss::Unauthorized { detail } | Loss::Scope { detail, .. } => detail,
            };
            let fault = Fault::new(FaultCode::Forbidden, detail);
            let event = self.definite(frame, fault);
            self.feed_step(frame, event);
            return Ok(());
        };
        tracing::debug!(run = %self.view.id, "the app refused a credential");
        let authorizer = self.inner.parts.authorizer.clone();
        let asks = need.clone();
        let question = Box::pin(async move { authorizer.refused(&asks, &used, loss).await });
        self.question(frame, need, purpose, question).await
    }

    /// Takes an answer that is there at once; else the run goes on with its other lanes until it comes.
    async fn question(
        &mut self,
        frame: FrameId,
        need: Need,
        purpose: Purpose,
        mut question: Question,
    ) -> Result<(), EngineError> {
        let first = std::future::poll_fn(|cx| Poll::Ready(question.as_mut().poll(cx))).await;
        if let Poll::Ready(decision) = first {
            return self.asked(frame, Asked { need, purpose, decision }).await;
        }
        // A task of its own: the run may be cancelled or stopped, the question may not.
        let asking = tokio::spawn(question);
        self.flying.spawn(async move {
            let decision =
                asking.await.unwrap_or_else(|_| Ok(Decision::Denied(super::effects::panicked("authorization"))));
            let answer = Answer::Asked(Box::new(Asked { need, purpose, decision }));
            Returned { frame, writes: false, used: None, answer }
        });
        Ok(())
    }

    /// Goes on with the answer.
    pub(super) async fn asked(&mut self, frame: FrameId, asked: Asked) -> Result<(), EngineError> {
        let Asked { need, purpose, decision } = asked;
        let begins = !matches!(purpose, Purpose::Again);
        if begins && self.inner.stopping.load(Ordering::Acquire) {
            // Nothing begins any more; the next start asks again.
            return Ok(());
        }
        let Some(authorized) = self.decide(frame, &need, decision?) else { return Ok(()) };
        match purpose {
            Purpose::Send(inputs) => self.send(frame, inputs, Some((need, authorized))),
            Purpose::LookUp(inputs) => self.look(frame, inputs, Some((need, authorized))),
            Purpose::Again => {
                self.feed_step(frame, StepEvent::Renewed);
                Ok(())
            }
        }
    }

    /// Goes on with a credential, or tells the machine why there is none.
    fn decide(&mut self, frame: FrameId, need: &Need, decision: Decision) -> Option<Authorized> {
        let event = match decision {
            Decision::Ready(authorized, ops) => {
                self.ops.extend(ops);
                return Some(authorized);
            }
            Decision::Wait(hold) => self.hold_event(frame, need, hold),
            Decision::Later { retry_ms, fault } => StepEvent::Later { fault, retry_ms },
            Decision::Denied(fault) => self.definite(frame, or_another_account(fault, need)),
        };
        self.feed_step(frame, event);
        None
    }

    /// A credential that cannot be had fails a step; where an earlier write is in doubt it only means that nobody can look.
    fn definite(&self, frame: FrameId, fault: Fault) -> StepEvent {
        match self.state.frames.get(&frame).map(|f| &f.step) {
            Some(Step::Looking { .. }) => StepEvent::LookedUp(None),
            _ => StepEvent::Failed { fault, transient: false, retry_after_ms: None },
        }
    }

    fn hold_event(&mut self, frame: FrameId, need: &Need, hold: Hold) -> StepEvent {
        if self.program.main_flow().when_not_connected == WhenNotConnected::Fail {
            let fault = Fault::new(
                FaultCode::NotConnected,
                format!("`{}` needs a connection to {} that is not there", need.card_title, need.app),
            )
            .remedy("connect the app and retry, or let the flow wait (`when_not_connected: wait`)");
            return self.definite(frame, fault);
        }
        self.ops.extend(hold.ops);
        self.fresh_holds.push((hold.on.clone(), hold.seen));
        StepEvent::Held(Held {
            on: hold.on.0,
            seen: hold.seen,
            reason: hold.reason,
            prompt: hold.prompt,
            deadline: hold.deadline,
        })
    }
}

/// Whether a write in doubt was sent with another account than this.
pub(super) fn is_other(intent: &Intent, authorized: Option<&Authorized>, subject: Option<&str>) -> bool {
    let Some(now) = authorized else { return intent.connection.is_some() };
    match (&intent.subject, subject) {
        (Some(then), Some(now)) => then != now,
        (None, None) => intent.connection != Some(now.connection),
        _ => true,
    }
}

/// What else helps where an account may not do something: the flow can use another one.
pub(super) fn or_another_account(fault: Fault, need: &Need) -> Fault {
    if !matches!(fault.code, FaultCode::Forbidden | FaultCode::NotConnected) {
        return fault;
    }
    let (app, flow, slot) = (&need.app, &need.flow, &need.slot);
    let another =
        format!("To let it use another account of {app}: `flowdeck connections use CONNECTION {flow}/{slot}`");
    let remedy = match fault.remedy.trim_end_matches('.') {
        "" => another,
        first => format!("{first}. {another}"),
    };
    fault.remedy(remedy)
}
