//! Tables: list, describe, operations as JSON, CSV in and out.
//!
//! Must never change rows but by one operation of the engine.
//! Tests: `tests/api.rs`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use flowdeck::model::table::{TableDecl, TableOp};
use flowdeck::model::{Fields, TableName, Value};
use http::header;
use serde::Deserialize;

use super::{Api, Body, Path, Query};
use crate::wire::{Problem, TableList};

pub(crate) async fn list(State(api): State<Api>) -> Result<Json<TableList>, Problem> {
    Ok(Json(TableList { tables: api.runtime()?.tables().await? }))
}

pub(crate) async fn describe(State(api): State<Api>, Path(name): Path<TableName>) -> Result<Json<TableDecl>, Problem> {
    let found = api.runtime()?.table(&name).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(&format!("table `{name}`")))
}

pub(crate) async fn operate(State(api): State<Api>, Body(op): Body<TableOp>) -> Result<Json<Fields>, Problem> {
    Ok(Json(api.runtime()?.table_op(&op).await?))
}

pub(crate) async fn export(State(api): State<Api>, Path(table): Path<TableName>) -> Result<Response, Problem> {
    let outputs = api.runtime()?.table_op(&TableOp::ExportCsv { table, how: Default::default() }).await?;
    let text = match outputs.get("csv") {
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct How {
    #[serde(default)]
    replace: bool,
}

pub(crate) async fn import(
    State(api): State<Api>,
    Path(table): Path<TableName>,
    Query(how): Query<How>,
    csv: String,
) -> Result<Json<Fields>, Problem> {
    Ok(Json(api.runtime()?.table_op(&TableOp::ImportCsv { table, csv, replace: how.replace }).await?))
}
