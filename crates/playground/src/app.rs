//! What every handler shares, and the routes.
//!
//! Must never hold rules: those are in `directory` and `grants`.
//! Tests: `tests/walk/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::faults::Steering;
use crate::grants::Authorization;
use crate::keeper::{Keeper, SaveError};
use crate::limits;
use crate::options::Options;
use crate::secret::{Digest, Secret};
use crate::state::State;
use crate::{api, guard, oauth, pages, steer};

#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) base_url: String,
    pub(crate) keeper: Keeper,
    pub(crate) steering: Mutex<Steering>,
    pub(crate) rates: Mutex<BTreeMap<Digest, (i64, u32)>>,
    tickets: Mutex<BTreeMap<Digest, (i64, Ticket)>>,
    deliveries: mpsc::Sender<Delivery>,
}

/// What a page that was served may be answered with, once.
#[derive(Debug, Clone)]
pub(crate) enum Ticket {
    Authorize { asked: Authorization, state: Option<String> },
    Device { user_code: String },
    AccountPage,
}

impl std::ops::Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(options: Options, base_url: String, keeper: Keeper, deliveries: mpsc::Sender<Delivery>) -> App {
        App(Arc::new(Shared {
            options,
            base_url,
            keeper,
            steering: Mutex::default(),
            rates: Mutex::default(),
            tickets: Mutex::default(),
            deliveries,
        }))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.options.clock)()
    }

    pub(crate) fn make_ticket(&self, ticket: Ticket) -> Secret {
        let secret = Secret::random("");
        let now_ms = self.now_ms();
        let mut tickets = self.tickets.lock();
        tickets.retain(|_, (made_ms, _)| now_ms - *made_ms < limits::TICKET_AGE_MAX_MS);
        while tickets.len() >= limits::TICKETS_MAX {
            let oldest = tickets.iter().min_by_key(|(_, (made_ms, _))| *made_ms).map(|(key, _)| key.clone());
            oldest.and_then(|key| tickets.remove(&key));
        }
        tickets.insert(secret.digest(), (now_ms, ticket));
        secret
    }

    pub(crate) fn take_ticket(&self, secret: &str) -> Option<Ticket> {
        let (made_ms, ticket) = self.tickets.lock().remove(&Digest::of(secret))?;
        (self.now_ms() - made_ms < limits::TICKET_AGE_MAX_MS).then_some(ticket)
    }

    /// Changes the directory, and once that is on disk tells the hooks what happened.
    pub(crate) async fn change_directory<R>(
        &self,
        change: impl FnOnce(&mut Directory, i64) -> R,
    ) -> Result<R, SaveError> {
        let now_ms = self.now_ms();
        let (result, deliveries) = self
            .keeper
            .change(|state: &mut State| {
                let first = state.directory.next_event();
                let result = change(&mut state.directory, now_ms);
                let deliveries = Delivery::of(&state.directory, first);
                (result, deliveries)
            })
            .await?;
        for delivery in deliveries {
            if self.deliveries.try_send(delivery).is_err() {
                tracing::warn!("the queue of hook deliveries is full: one was dropped; GET /api/events still has it");
            }
        }
        Ok(result)
    }
}

pub(crate) fn router(app: &App) -> Router {
    let mut routes = Router::new().merge(oauth::routes()).merge(pages::routes()).merge(api::routes(app));
    if app.options.test_controls {
        routes = routes.merge(steer::routes());
    }
    routes
        .layer(middleware::from_fn_with_state(app.clone(), guard::count))
        .layer(middleware::from_fn_with_state(app.clone(), guard::check_origin))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))
        .with_state(app.clone())
}
