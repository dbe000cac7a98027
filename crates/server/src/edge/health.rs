//! Whether the process lives, and whether it can take work.
//!
//! Must never tell more than that. Tests: `tests/edge.rs`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Edge;
use crate::wire::Problem;

pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

pub(super) async fn ready(State(edge): State<Edge>) -> Result<Json<Value>, Problem> {
    let runtime = edge.api.runtime()?;
    if runtime.is_closed() {
        return Err(Problem::stopping());
    }
    if let Some(error) = runtime.broken() {
        tracing::warn!(%error, "not ready");
        return Err(Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "http.not_ready", "no work can be taken now"));
    }
    Ok(Json(json!({ "status": "ready" })))
}
