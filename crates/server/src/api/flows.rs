//! Flow files: check, preflight, raise.
//!
//! Must never read a file: texts come with the request.
//! Tests: `tests/api.rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use flowdeck::model::Flow;
use flowdeck::{Diagnostic, Runtime, Source};

use super::{Api, Body};
use crate::wire::{FlowCheck, FlowFile, Preflight, Problem};

/// The flow that a request means.
pub(crate) fn flow_of(runtime: &Runtime, file: &FlowFile) -> Result<Arc<Flow>, Problem> {
    Ok(runtime.flow_with(&Source::new(&file.name, &file.text), file.flow.as_ref(), &|path| linked(file, path))?)
}

fn linked(file: &FlowFile, path: &str) -> Result<Source, String> {
    let text = file.files.get(path).ok_or("it was not sent along")?;
    Ok(Source::new(path, text))
}

pub(crate) async fn check(State(api): State<Api>, Body(file): Body<FlowFile>) -> Result<Json<FlowCheck>, Problem> {
    let checked = api.runtime()?.read_with(&Source::new(&file.name, &file.text), &|path| linked(&file, path));
    Ok(Json(FlowCheck {
        has_errors: checked.has_errors(),
        flows: checked.flows.iter().map(|flow| flow.name.clone()).collect(),
        diagnostics: checked.diagnostics.iter().map(Diagnostic::to_json).collect(),
    }))
}

pub(crate) async fn preflight(State(api): State<Api>, Body(file): Body<FlowFile>) -> Result<Json<Preflight>, Problem> {
    let runtime = api.runtime()?;
    let flow = flow_of(&runtime, &file)?;
    Ok(Json(Preflight { flow: flow.name.clone(), lines: runtime.preflight(&flow).await? }))
}

pub(crate) async fn raise(State(api): State<Api>, Body(file): Body<FlowFile>) -> Result<Json<Preflight>, Problem> {
    let runtime = api.runtime()?;
    let flow = flow_of(&runtime, &file)?;
    Ok(Json(Preflight { flow: flow.name.clone(), lines: runtime.raise(&flow).await? }))
}
