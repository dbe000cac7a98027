//! Who may use the API on TCP: one layer over all routes, and the routes by which people come in.
//!
//! Must never let a request through for which no row of the table speaks.
//! Tests: `tests/people.rs`, `tests/people_guard.rs`.

mod attempt_html;
mod begin;
mod begun;
mod caller;
mod connect;
mod connect_form;
mod connect_html;
mod cookie;
mod doors;
mod guard;
mod help;
mod html;
mod origin;
pub(crate) mod routes;
mod site;
mod table;
mod to;

use std::sync::Arc;

use axum::Router;
use axum::middleware;

use crate::api::Api;

pub(crate) use begun::{Beginning, Begun};
pub(crate) use caller::Caller;
pub(crate) use cookie::take_out;
pub(crate) use doors::Peer;
pub(crate) use html::escaped;
pub use site::{Site, SiteError};
pub use table::{RULES, Rule};

/// What the layer and the doors need.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) api: Api,
    pub(crate) site: Arc<Site>,
}

/// The whole API for people and programs that are not this machine's user, with the pages to sign in.
pub fn guarded(api: &Api, site: Site) -> Router {
    let guard = Guard { api: api.clone(), site: Arc::new(site) };
    let routes = api.router().merge(doors::router(guard.clone())).merge(connect::router().with_state(guard.clone()));
    routes.layer(middleware::from_fn_with_state(guard, guard::guard))
}
