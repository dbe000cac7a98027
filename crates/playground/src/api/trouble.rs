//! Rate limits and ordered faults, in front of every API call.
//!
//! Must never act unless the options or a test asked for it.
//! Tests: `tests/walk/`.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::caller::credential;
use super::refusal::Refusal;
use crate::app::App;
use crate::faults::ApiFaultKind;
use crate::guard::close_connection;
use crate::limits;
use crate::secret::Digest;

pub(super) async fn inject(State(app): State<App>, request: Request, next: Next) -> Response {
    let fault = app.steering.lock().next_api_fault();
    match fault.as_ref().map(|fault| fault.kind) {
        None => next.run(request).await,
        Some(ApiFaultKind::Unauthorized) => Refusal::invalid_token().into_response(),
        Some(ApiFaultKind::TooManyRequests) => {
            Refusal::rate_limited(fault.map_or(0, |fault| fault.retry_after_s)).into_response()
        }
        Some(ApiFaultKind::ServerError) => Refusal::server_error().into_response(),
        Some(ApiFaultKind::Close) => close_connection(),
        Some(ApiFaultKind::CloseAfterActing) => {
            next.run(request).await;
            close_connection()
        }
    }
}

/// A fixed window per credential.
pub(super) async fn limit_rate(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(limit) = app.options.rate_limit else { return next.run(request).await };
    let key = Digest::of(credential(request.headers()).map_or("", |(_, token)| token));
    let now_ms = app.now_ms();
    let window_ms = i64::from(limit.window_s.max(1)) * 1000;
    let wait_ms = {
        let mut rates = app.rates.lock();
        rates.retain(|_, (start_ms, _)| now_ms - *start_ms < window_ms);
        if rates.len() >= limits::RATE_KEYS_MAX && !rates.contains_key(&key) {
            rates.pop_first();
        }
        let (start_ms, requests) = rates.entry(key).or_insert((now_ms, 0));
        *requests = requests.saturating_add(1);
        (*requests > limit.requests).then_some(*start_ms + window_ms - now_ms)
    };
    match wait_ms {
        Some(wait_ms) => Refusal::rate_limited(u32::try_from((wait_ms + 999) / 1000).unwrap_or(1)).into_response(),
        None => next.run(request).await,
    }
}
