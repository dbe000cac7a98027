//! The directory's JSON API.
//!
//! Must never act before the caller is known and allowed.
//! Tests: `tests/walk/`.

mod caller;
mod groups;
mod hooks;
mod paging;
mod people;
mod refusal;
mod trouble;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::app::App;

pub(crate) use refusal::Refusal;

pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/api/people", get(people::list).post(people::add))
        .route("/api/people/{id}", get(people::one).patch(people::change).delete(people::remove))
        .route("/api/people/{id}/suspend", post(people::suspend))
        .route("/api/people/{id}/unsuspend", post(people::unsuspend))
        .route("/api/groups", get(groups::list).post(groups::add))
        .route("/api/groups/{id}/people", get(groups::members))
        .route("/api/groups/{id}/people/{person}", put(groups::join).delete(groups::leave))
        .route("/api/hooks", get(hooks::list).post(hooks::add))
        .route("/api/hooks/{id}", delete(hooks::remove))
        .route("/api/events", get(hooks::events))
        .route_layer(from_fn_with_state(app.clone(), trouble::limit_rate))
        .route_layer(from_fn_with_state(app.clone(), trouble::inject))
}
