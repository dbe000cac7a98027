//! A client of the HTTP API: over the local socket of a data folder, or straight into a router of this process.
//!
//! Must never retry a request by itself: whether it may be repeated is the caller's knowledge.
//! Tests: `tests/api.rs`.

use futures_util::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::{Problem, RunEvent};

/// Why a call got no answer of the API.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API refused.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The holder is gone: somebody must take its place.
    #[error("the process that held the data folder has ended: {0}")]
    Gone(String),
    /// The answer is not of this protocol.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {}

impl Client {
    /// Calls `method path` with a JSON body (`&()` for none) and reads a JSON answer (`()` for none).
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: http::Method,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        let _ = (method, path, serde_json::to_value(body));
        Err(CallError::Gone("not built yet".into()))
    }

    /// Events of a run after entry number `after`, until it stops; with `follow`, also past its waits until it ends.
    ///
    /// # Errors
    /// [`CallError`]; also as the last item of the stream.
    pub async fn run_events(
        &self,
        run: flowdeck_model::RunId,
        after: u64,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<RunEvent, CallError>>, CallError> {
        let _ = (run, after, follow);
        Err(CallError::Gone("not built yet".into()))
    }
}
