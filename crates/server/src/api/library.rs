//! Apps and cards.
//!
//! Must never show anything of a connection.
//! Tests: `tests/api.rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use flowdeck::App;
use flowdeck::model::{AppName, CardDecl, CardName, Catalogue};
use serde::Deserialize;

use super::{Api, Path, Query};
use crate::wire::{AppList, AppShown, AppSummary, CardList, Problem};

fn summary(app: &App) -> AppSummary {
    AppSummary {
        app: app.file.app.clone(),
        title: app.file.title.clone(),
        summary: app.file.summary.clone(),
        cards: app.cards.len(),
        connects: app.auth.is_some(),
    }
}

pub(crate) async fn apps(State(api): State<Api>) -> Result<Json<AppList>, Problem> {
    let runtime = api.runtime()?;
    Ok(Json(AppList { apps: runtime.cards().apps().apps().map(|app| summary(app)).collect() }))
}

pub(crate) async fn app(State(api): State<Api>, Path(name): Path<AppName>) -> Result<Json<AppShown>, Problem> {
    let runtime = api.runtime()?;
    let app = runtime.cards().apps().app(name.as_str()).ok_or_else(|| Problem::not_found(&format!("app `{name}`")))?;
    Ok(Json(AppShown {
        app: summary(app),
        auth: app.auth.clone(),
        redirect_uri: runtime.connections().redirect_uri(&name),
        cards: app.cards.clone(),
    }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct OfFamily {
    family: Option<String>,
}

pub(crate) async fn cards(State(api): State<Api>, Query(of): Query<OfFamily>) -> Result<Json<CardList>, Problem> {
    let mut cards = api.runtime()?.cards().cards();
    cards.retain(|card| of.family.as_ref().is_none_or(|family| card.name.family() == family));
    Ok(Json(CardList { cards }))
}

pub(crate) async fn card(
    State(api): State<Api>,
    Path((family, name)): Path<(String, String)>,
) -> Result<Json<Arc<CardDecl>>, Problem> {
    let name = CardName::new(&format!("{family}/{name}")).map_err(|_| Problem::not_found("such card"))?;
    let found = api.runtime()?.cards().card(&name);
    found.map(Json).ok_or_else(|| Problem::not_found(&format!("card `{name}`")))
}
