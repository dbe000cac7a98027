//! What is offered on TCP: health, the endpoints of flows, hooks of apps, and behind the guard the API with its pages.
//!
//! Must never offer anything that was not let in by name: what is not listed is not there.
//! Tests: `tests/edge.rs`.

mod answer;
mod endpoint;
mod health;
mod hook;
mod listen;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get};
use tokio::sync::Semaphore;

use crate::api::{Api, careful};
use crate::people::{Site, guarded, take_out};
use crate::wire::Problem;

pub(crate) use listen::listen;
pub use listen::{Listening, NotListening};

/// Most calls of endpoints and hooks at once; health answers beside them.
const CALLS_MAX: usize = 512;

/// What handlers need.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    api: Api,
    calls: Arc<Semaphore>,
}

/// The routes on TCP.
pub(crate) fn router(api: &Api, site: Site) -> Router {
    let edge = Edge { api: api.clone(), calls: Arc::new(Semaphore::new(CALLS_MAX)) };
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/in/{flow}", any(endpoint::call).layer(middleware::from_fn_with_state(site.clone(), without_session)))
        .route(
            "/hooks/{app}/{id}",
            any(hook::call).layer(middleware::from_fn_with_state(site.clone(), without_session)),
        )
        .method_not_allowed_fallback(no_method)
        .fallback_service(guarded(api, site))
        .layer(middleware::from_fn(careful))
        .with_state(edge)
}

/// Flows are by many hands: none gets what a person signs in with.
async fn without_session(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    take_out(request.headers_mut(), &site);
    next.run(request).await
}

async fn no_method() -> Problem {
    Problem::no_method()
}
