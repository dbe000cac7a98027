//! A small app on loopback and flows for it.
//!
//! Must never leave loopback.
//! Tests: used by the tests beside it.
#![allow(clippy::unwrap_used)]

pub(crate) mod bell;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use flowdeck::connections::{Attempt, AttemptStep, BeginConnect, Surface};
use flowdeck::model::{Fields, Flow};
use flowdeck::{Runtime, RuntimeBuilder, Source, Start};

/// The app file of the example.
const DESK: &str = include_str!("../../examples/desk.app.yaml");

/// A flow that needs the desk.
pub(crate) const ASKS: &str = "flow: asks\nslots:\n  desk: { app: desk }\ncards:\n  - id: who\n    card: desk/who\n    slot: desk\n  - return: { name: \"${who.name}\" }\n";

/// Starts the desk; answers its URL.
pub(crate) async fn desk() -> String {
    let who = |headers: HeaderMap| async move {
        match headers.get("authorization").is_some_and(|value| value == "Bearer s3cret") {
            true => (StatusCode::OK, axum::Json(serde_json::json!({ "id": "u1", "name": "Ada" }))),
            false => (StatusCode::UNAUTHORIZED, axum::Json(serde_json::json!({}))),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/who", get(who))).await });
    url
}

/// A runtime that knows the desk.
pub(crate) fn builder(url: &str) -> RuntimeBuilder {
    let host = url.trim_start_matches("http://");
    Runtime::builder().memory().app_file("desk.app.yaml", &DESK.replace("URL", url)).allow_http(host).key_bytes([7; 32])
}

pub(crate) fn flow(runtime: &Runtime, text: &str) -> Arc<Flow> {
    runtime.flow(&Source::new("test.flow.yaml", text), None).unwrap_or_else(|e| panic!("{e:?}"))
}

pub(crate) fn start(runtime: &Runtime, text: &str) -> Start {
    Start::new(flow(runtime, text), Fields::new())
}

/// Connects the desk.
pub(crate) async fn connect(runtime: &Runtime) {
    let mut asked = BeginConnect::new("desk".parse().unwrap(), Surface::Direct);
    asked.fields = [("token".to_owned(), "s3cret".into())].into();
    let Attempt { step, .. } = runtime.connect(asked).await.unwrap();
    assert!(matches!(step, AttemptStep::Done { .. }), "{step:?}");
}

/// A desk that answers one request for each permit.
pub(crate) async fn slow_desk() -> (String, Arc<tokio::sync::Notify>, Arc<tokio::sync::Semaphore>) {
    let (heard, answer) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Semaphore::new(0)));
    let (told, may) = (heard.clone(), answer.clone());
    let who = move || {
        let (told, may) = (told.clone(), may.clone());
        async move {
            told.notify_one();
            may.acquire().await.unwrap().forget();
            axum::Json(serde_json::json!({ "id": "u1", "name": "Ada" }))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/who", get(who))).await });
    (url, heard, answer)
}

/// The machine's clock, but pauses for disk space and what a stop allows pass at once.
#[derive(Debug, Default)]
pub(crate) struct Hasty(flowdeck::SystemClock);

#[async_trait::async_trait]
impl flowdeck::engine::ports::Clock for Hasty {
    fn now(&self) -> flowdeck::model::Millis {
        self.0.now()
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms()
    }

    async fn sleep(&self, ms: u64) {
        if ms != 1_000 && !(7_000..=8_000).contains(&ms) {
            self.0.sleep(ms).await;
        }
    }
}
