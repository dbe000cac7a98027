//! Apps, cards and tables as they travel.
//!
//! Must never hold a secret.
//! Tests: `tests/api.rs`.

use std::sync::Arc;

use flowdeck::model::app::AppAuth;
use flowdeck::model::table::TableDecl;
use flowdeck::model::{AppName, CardDecl};
use serde::{Deserialize, Serialize};

/// `GET /v1/apps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppList {
    /// The apps.
    pub apps: Vec<AppSummary>,
}

/// One app in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppSummary {
    /// Its name.
    pub app: AppName,
    /// Its name on screens.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// How many cards it has.
    pub cards: usize,
    /// Whether its cards need a connection.
    pub connects: bool,
}

/// `GET /v1/apps/{app}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppShown {
    /// The app.
    pub app: AppSummary,
    /// How it authorizes; `None` where it needs no connection.
    pub auth: Option<Arc<AppAuth>>,
    /// The redirect URI to register, where it authorizes in a browser.
    pub redirect_uri: String,
    /// Its cards.
    pub cards: Vec<Arc<CardDecl>>,
}

/// `GET /v1/cards?family=`. One card's declaration: `GET /v1/cards/{family}/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardList {
    /// The cards.
    pub cards: Vec<Arc<CardDecl>>,
}

/// `GET /v1/tables`. One table's columns: `GET /v1/tables/{name}` (a `TableDecl`).
///
/// `POST /v1/tables/op` carries out a `TableOp` and answers its outputs. `GET /v1/tables/{name}/csv` answers all rows
/// as CSV; `POST /v1/tables/{name}/csv?replace=` takes CSV text with a header line and answers `{count}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableList {
    /// The tables.
    pub tables: Vec<TableDecl>,
}
