//! The authorization server's endpoints.
//!
//! Must never hold rules about tokens: `grants` does.
//! Tests: `tests/walk/`.

mod authorize;
mod clients;
mod device;
mod form;
mod inspect;
mod metadata;
mod token;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub(crate) use form::Form;
pub(crate) use metadata::instance_proof;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/_playground", get(metadata::prove))
        .route("/oauth/authorize", get(authorize::ask).post(authorize::decide))
        .route("/oauth/token", post(token::token))
        .route("/oauth/device_authorization", post(device::start))
        .route("/oauth/device", get(device::ask).post(device::decide))
        .route("/oauth/revoke", post(inspect::revoke))
        .route("/oauth/introspect", post(inspect::introspect))
        .route("/oauth/userinfo", get(inspect::userinfo).post(inspect::userinfo))
        .route("/oauth/register", post(clients::register))
}
