//! What is offered on TCP: health, and the endpoints of flows. The API is merged in here once people can sign in.
//!
//! Must never offer anything that was not let in by name: what is not listed is not there.
//! Tests: `tests/edge.rs`.

mod answer;
mod endpoint;
mod health;
mod listen;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get};
use tokio::sync::Semaphore;

use crate::api::{Api, careful};
use crate::wire::Problem;

pub(crate) use listen::listen;
pub use listen::{Listening, NotListening};

/// Most calls of endpoints at once; health answers beside them.
const CALLS_MAX: usize = 512;

/// What handlers need.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    api: Api,
    calls: Arc<Semaphore>,
}

/// The routes on TCP.
pub(crate) fn router(api: &Api) -> Router {
    let edge = Edge { api: api.clone(), calls: Arc::new(Semaphore::new(CALLS_MAX)) };
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/in/{flow}", any(endpoint::call))
        .method_not_allowed_fallback(no_method)
        .fallback(nowhere)
        .layer(middleware::from_fn(careful))
        .with_state(edge)
}

async fn nowhere() -> Problem {
    Problem::not_found("such address here")
}

async fn no_method() -> Problem {
    Problem::no_method()
}
