//! The routes of the HTTP API over a runtime.
//!
//! Must never wait without a deadline, nor read a body without a limit.
//! Tests: `tests/api.rs`.

mod body;
pub(crate) mod connect;
mod events;
mod flows;
mod hooks;
mod library;
mod rehearse;
mod runs;
mod served;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Router};
use flowdeck::Runtime;
use http::{HeaderValue, StatusCode, header};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::callback::Callbacks;
use crate::people::{self, Begun, Caller};
use crate::wire::{About, PROTOCOL, Problem};

pub(crate) use body::{Body, Path, Query};

/// Largest body, in bytes (40 MiB: a CSV import or a flow file as JSON text).
pub const BODY_BYTES_MAX: usize = 40 << 20;
/// Longest time for one answer but a stream of events.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// The API of one runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    runtime: RwLock<Option<Runtime>>,
    about: About,
    /// Streams of guests whose run has not stopped.
    pub(crate) streams: watch::Sender<usize>,
    closed: watch::Sender<bool>,
    pub(crate) callbacks: Option<Callbacks>,
    pub(crate) begun: Begun,
}

/// Marks a request that came from another process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromGuest;

impl Api {
    /// The API of a runtime. `data` is shown in the handshake; with `listen`, browser attempts make the process listen
    /// for their callback on loopback.
    #[must_use]
    pub fn new(runtime: Runtime, version: &str, data: &str, listen: bool) -> Self {
        let about =
            About { protocol: PROTOCOL, version: version.to_owned(), pid: std::process::id(), data: data.to_owned() };
        let callbacks = listen.then(|| Callbacks::new(runtime.clone()));
        let shared = Shared {
            runtime: RwLock::new(Some(runtime)),
            about,
            streams: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            callbacks,
            begun: Begun::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The routes, for whoever was let in. Those of people answer 401 unless [`crate::guarded`] says who asks.
    pub fn router(&self) -> Router {
        self.routes(Router::new())
    }

    /// As [`Self::router`], for the owner of this machine's account, with what nobody else may ask.
    pub(crate) fn local_router(&self) -> Router {
        let more = Router::new()
            .route("/v1/flows/{name}/token", post(served::token))
            .route("/v1/hooks", post(hooks::add))
            .route("/v1/hooks/{id}", delete(hooks::remove))
            .route("/v1/hooks/{id}/secret", post(hooks::secret));
        self.routes(more).layer(Extension(Caller::Local))
    }

    fn routes(&self, more: Router<Self>) -> Router {
        let answers = people::routes::add(more)
            .route("/v1/about", get(about))
            .route("/v1/flows", post(served::publish).get(served::list))
            .route("/v1/flows/check", post(flows::check).get(served::show_check))
            .route("/v1/flows/{name}", get(served::show))
            .route("/v1/flows/{name}/switch", post(served::switch))
            .route("/v1/flows/{name}/start", post(served::start))
            .route("/v1/preflight", post(flows::preflight))
            .route("/v1/prompts/raise", post(flows::raise))
            .route("/v1/runs", post(runs::start).get(runs::list))
            .route("/v1/runs/{id}", get(runs::show))
            .route("/v1/runs/{id}/entries", get(runs::entries))
            .route("/v1/runs/{id}/wait", get(runs::wait))
            .route("/v1/runs/{id}/cancel", post(runs::cancel))
            .route("/v1/runs/{id}/resume", post(runs::resume))
            .route("/v1/runs/{id}/retry", post(runs::retry))
            .route("/v1/runs/{id}/signal", post(runs::signal))
            .route("/v1/runs/{id}/approve", post(runs::approve))
            .route("/v1/runs/{id}/reject", post(runs::reject))
            .route("/v1/runs/{id}/settle", post(runs::settle))
            .route("/v1/prompts", get(connect::prompts))
            .route("/v1/prompts/{id}", get(connect::prompt))
            .route("/v1/prompts/{id}/use", post(connect::use_connection))
            .route("/v1/prompts/{id}/close", post(connect::close))
            .route("/v1/bindings", post(connect::bind))
            .route("/v1/attempts", post(connect::begin))
            .route("/v1/attempts/{id}", get(connect::attempt))
            .route("/v1/attempts/{id}/poll", post(connect::poll))
            .route("/v1/attempts/{id}/paste", post(connect::paste))
            .route("/v1/attempts/{id}/confirm", post(connect::confirm))
            .route("/v1/connections", get(connect::connections))
            .route("/v1/connections/{id}", get(connect::connection).delete(connect::disconnect))
            .route("/v1/connections/{id}/test", post(connect::test))
            .route("/v1/connections/{id}/rename", post(connect::rename))
            .route("/v1/connections/{id}/switch", post(connect::switch))
            .route("/v1/hooks", get(hooks::list))
            .route("/v1/audit", get(connect::audit))
            .route("/v1/apps", get(library::apps))
            .route("/v1/apps/{app}", get(library::app))
            .route("/v1/cards", get(library::cards))
            .route("/v1/cards/{family}/{name}", get(library::card))
            .route("/v1/tables", get(tables::list))
            .route("/v1/tables/op", post(tables::operate))
            .route("/v1/tables/{name}", get(tables::describe))
            .route("/v1/tables/{name}/csv", get(tables::export).post(tables::import))
            .layer(middleware::from_fn(deadline));
        Router::new()
            .route("/v1/runs/{id}/events", get(events::stream))
            .route("/v1/rehearsals", post(rehearse::stream))
            .merge(answers)
            .fallback(nowhere)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn(careful))
            .with_state(self.clone())
    }

    /// Takes the runtime away: requests are answered `runtime.stopping`, streams end.
    pub(crate) fn close(&self) {
        self.shared.runtime.write().take();
        self.shared.closed.send_replace(true);
        if let Some(callbacks) = &self.shared.callbacks {
            callbacks.close();
        }
    }

    /// After [`Self::close`]: returns when browsers under way have their page.
    pub(crate) async fn drained(&self) {
        if let Some(callbacks) = &self.shared.callbacks {
            callbacks.drained().await;
        }
    }

    pub(crate) fn runtime(&self) -> Result<Runtime, Problem> {
        self.shared.runtime.read().clone().ok_or_else(Problem::stopping)
    }

    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.shared.closed.subscribe()
    }
}

async fn about(State(api): State<Api>) -> Result<axum::Json<About>, Problem> {
    // Nobody becomes the guest of a holder that gives its folder up.
    api.runtime()?;
    Ok(axum::Json(api.shared.about.clone()))
}

async fn nowhere() -> Problem {
    Problem::not_found("such address in this API")
}

async fn no_method() -> Problem {
    Problem::no_method()
}

async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let title = format!("no answer within {} s; the work itself may go on", ANSWER_WITHIN.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "http.deadline", title).into_response()
        }
    }
}

/// Answers may hold people's data: nobody on the way keeps or guesses at them.
pub(crate) async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
