//! A small app on loopback, flows for it, and clients of an API over it.
//!
//! Must never reach beyond loopback.
//! Tests: used by the tests beside it.
#![allow(clippy::unwrap_used)]

pub(crate) mod call;
pub(crate) mod people;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use flowdeck::{Runtime, RuntimeBuilder};
use flowdeck_server::client::{CallError, Client};
use flowdeck_server::session::{Session, SessionOptions};
use flowdeck_server::wire::{About, FlowFile, Problem, StartRun};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

/// A flow that ends by itself.
pub(crate) const HELLO: &str =
    "flow: hello\ninputs:\n  name: { type: text }\ncards:\n  - return: { text: \"Hello ${input.name}\" }\n";
/// A flow that needs a connection.
pub(crate) const ASKS: &str = "flow: asks\nslots:\n  there: { app: desk }\ncards:\n  - id: who\n    card: desk/who\n    slot: there\n  - return: { name: \"${who.name}\" }\n";
/// A flow that waits for a signal.
pub(crate) const WAITS: &str =
    "flow: waits\ncards:\n  - id: word\n    wait: { signal: go }\n  - return: { done: true }\n";

/// The app file of the desk at this address.
pub(crate) fn desk_file(url: &str) -> String {
    include_str!("desk.app.yaml").replace("{url}", url)
}

/// The desk: an API with a token, and a door that opens when told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk {
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) called: Arc<Notify>,
    pub(crate) door: Arc<Notify>,
}

/// Starts the desk; answers its URL.
pub(crate) async fn desk() -> (Desk, String) {
    let desk = Desk::default();
    let router = Router::new()
        .route("/who", get(who))
        .route("/slow", get(slow))
        .route("/token", post(token))
        .with_state(desk.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (desk, url)
}

fn allowed(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|v| v == "Bearer s3cret")
}

async fn who(State(desk): State<Desk>, headers: HeaderMap) -> (StatusCode, axum::Json<serde_json::Value>) {
    desk.calls.fetch_add(1, Ordering::SeqCst);
    match allowed(&headers) {
        true => (StatusCode::OK, axum::Json(serde_json::json!({ "id": "u1", "name": "Ada" }))),
        false => (StatusCode::UNAUTHORIZED, axum::Json(serde_json::json!({}))),
    }
}

async fn slow(State(desk): State<Desk>) -> axum::Json<serde_json::Value> {
    desk.calls.fetch_add(1, Ordering::SeqCst);
    desk.called.notify_one();
    desk.door.notified().await;
    axum::Json(serde_json::json!({ "open": true }))
}

async fn token() -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({ "access_token": "s3cret", "token_type": "Bearer", "expires_in": 3600 }))
}

/// A runtime that knows the desk.
pub(crate) fn builder(url: &str) -> RuntimeBuilder {
    let host = url.strip_prefix("http://").unwrap();
    Runtime::builder().app_file("desk.app.yaml", &desk_file(url)).allow_http(host).key_bytes([7; 32])
}

/// How a command would join this folder.
pub(crate) fn options(root: &Path, builder: RuntimeBuilder) -> SessionOptions {
    let mut options = SessionOptions::new(root.join(".flowdeck"), root.join("run/s.sock"), "1.2.3", builder);
    options.listen_for_callbacks = true;
    options
}

pub(crate) async fn call<A: DeserializeOwned>(
    client: &Client,
    method: Method,
    path: &str,
    body: impl Serialize + Sync,
) -> A {
    client.call(method, path, &body).await.unwrap()
}

pub(crate) async fn get_json<A: DeserializeOwned>(client: &Client, path: &str) -> A {
    call(client, Method::GET, path, ()).await
}

/// The problem of a call that must be refused.
pub(crate) async fn refused(client: &Client, method: Method, path: &str, body: impl Serialize + Sync) -> Problem {
    match client.call::<_, serde_json::Value>(method, path, &body).await {
        Err(CallError::Problem(problem)) => problem,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn file(text: &str) -> FlowFile {
    FlowFile { name: "test.flow.yaml".into(), text: text.into(), flow: None, files: Default::default() }
}

pub(crate) fn start(text: &str, input: serde_json::Value) -> StartRun {
    StartRun { file: file(text), input: serde_json::from_value(input).unwrap(), event: None, idempotency_key: None }
}

pub(crate) async fn about(session: &Session) -> About {
    get_json(&session.client(), "/v1/about").await
}

/// Publishes a flow and switches it on.
pub(crate) async fn publish(runtime: &flowdeck::Runtime, text: &str) {
    let source = flowdeck::Source::new("test.flow.yaml", text);
    let flow = runtime.flow(&source, None).unwrap_or_else(|e| panic!("{:?}", e.diagnostics()));
    runtime.publish(&flow).await.unwrap();
    runtime.switch(&flow.name, true).await.unwrap();
}
