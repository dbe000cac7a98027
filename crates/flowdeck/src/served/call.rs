//! A call of a flow's endpoint: one durable run, and what its caller is told.
//!
//! Must never answer for a run that is not durable, nor let a run go because its caller did.
//! Tests: `tests/endpoints.rs`.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_engine::{Notice, RawAnswer, RunView, Start};
use flowdeck_model::{Fault, Fields, RunId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::door::Door;
use super::request::{EndpointRequest, WrongRequest};
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// What a caller is told.
#[derive(Debug)]
pub enum Answered {
    /// The run has ended.
    Ended(Box<RunView>),
    /// The flow answers, and goes on.
    Early(RunId, RawAnswer),
    /// The run goes on: it waits for somebody, or takes longer than callers wait.
    Later(RunId),
}

/// Why a call starts nothing.
#[derive(Debug)]
pub enum CallRefusal {
    /// The body is of a kind that the flow cannot read.
    Kind,
    /// The body is not JSON.
    NotJson,
    /// A declared field is missing or of a wrong type.
    Field(Fault),
    /// The idempotency key was used for another request.
    KeyReused,
    /// The runtime could not.
    Runtime(RuntimeError),
}

impl From<RuntimeError> for CallRefusal {
    fn from(error: RuntimeError) -> Self {
        Self::Runtime(error)
    }
}

impl From<WrongRequest> for CallRefusal {
    fn from(wrong: WrongRequest) -> Self {
        match wrong {
            WrongRequest::Kind => Self::Kind,
            WrongRequest::NotJson => Self::NotJson,
            WrongRequest::Field(fault) => Self::Field(fault),
        }
    }
}

impl Runtime {
    /// Starts the run of a request that was let in, and waits for what its caller is told, for at most `within`. A second
    /// request with the same key is the first one's run. Needs [`Runtime::start`].
    ///
    /// # Errors
    /// [`CallRefusal`]; then no run is left behind that the caller would not learn of.
    pub async fn call(
        &self,
        door: &Door,
        request: &EndpointRequest,
        key: Option<&str>,
        within: Duration,
    ) -> Result<Answered, CallRefusal> {
        self.open()?;
        let endpoint = door.endpoint().ok_or_else(|| RuntimeError::Setting("the flow has no endpoint".into()))?;
        let event = request.event(endpoint)?;
        let id = RunId::new(self.now(), rand::random());
        let start = Start {
            event: Some(event.clone()),
            idempotency_key: key.map(|key| format!("http:{key}")),
            id: Some(id),
            ..Start::new(Arc::clone(door.flow()), Fields::new())
        };
        let until = tokio::time::Instant::now() + within;
        let early = door.answers_early().then(|| self.notices());
        let runtime = self.clone();
        // The run goes on when its caller is gone.
        let mut driving = tokio::spawn(async move { runtime.run(start).await });
        let driven = tokio::select! {
            biased;
            driven = &mut driving => driven,
            Some(raw) = self.early_answer(id, early) => return Ok(Answered::Early(id, raw)),
            () = tokio::time::sleep_until(until) => return self.as_stored(id, None).await,
        };
        let view = match driven {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return self.as_stored(id, Some(error)).await,
            Err(broke) => {
                let error = flowdeck_engine::EngineError::Internal(format!("a call broke: {broke}"));
                return self.as_stored(id, Some(error.into())).await;
            }
        };
        if view.id != id && view.event.as_ref().is_some_and(|first| !is_same(first, &event)) {
            return Err(CallRefusal::KeyReused);
        }
        self.until_told(view, until).await
    }

    /// Waits for what the caller is told of a run that has stopped for now.
    async fn until_told(&self, view: RunView, until: tokio::time::Instant) -> Result<Answered, CallRefusal> {
        let mut notices = None;
        let mut view = view;
        loop {
            if view.status.is_ended() {
                return Ok(Answered::Ended(Box::new(view)));
            }
            if let Some(raw) = view.raw {
                return Ok(Answered::Early(view.id, raw));
            }
            let id = view.id;
            if tokio::time::Instant::now() >= until || self.is_stopped(&view).await? {
                return Ok(Answered::Later(id));
            }
            match &mut notices {
                // What happened before this one listened shows in the record that is read next.
                None => notices = Some(self.notices()),
                Some(notices) => drop(tokio::time::timeout_at(until, lasting(notices, id)).await),
            }
            view = self.run_view(id).await?;
        }
    }

    /// The answer that a flow gives before its end; never, where it gives none.
    async fn early_answer(&self, run: RunId, notices: Option<broadcast::Receiver<Notice>>) -> Option<RawAnswer> {
        let Some(mut notices) = notices else { return std::future::pending().await };
        while lasting(&mut notices, run).await {
            if let Ok(Some(view)) = self.engine().run(run).await
                && let Some(raw) = view.raw.filter(|_| !view.status.is_ended())
            {
                return Some(raw);
            }
        }
        std::future::pending().await
    }

    /// What is durable of a run decides what its caller learns of it.
    async fn as_stored(&self, run: RunId, error: Option<RuntimeError>) -> Result<Answered, CallRefusal> {
        match (self.engine().run(run).await, error) {
            (Ok(Some(view)), _) if view.status.is_ended() => Ok(Answered::Ended(Box::new(view))),
            (Ok(Some(_)), _) => Ok(Answered::Later(run)),
            (_, Some(error)) => Err(error.into()),
            (Err(error), None) => Err(RuntimeError::from(error).into()),
            (Ok(None), None) => {
                let error = RuntimeError::Deadline { what: "the run was not accepted", after_ms: 0 };
                Err(error.into())
            }
        }
    }
}

/// Returns at the next thing that stays of a run, or that may be of it; false when nothing comes any more.
async fn lasting(notices: &mut broadcast::Receiver<Notice>, run: RunId) -> bool {
    loop {
        match notices.recv().await {
            Ok(notice) if notice.run == run && notice.is_lasting() => return true,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

/// Whether two requests ask the same: headers may differ.
fn is_same(a: &Fields, b: &Fields) -> bool {
    let asks = |event: &Fields| {
        let raw = event.get("raw");
        (event.get("method").clone(), raw["query"].clone(), raw["body"].clone())
    };
    asks(a) == asks(b)
}
