//! Rehearsals: reads are made, writes are shown and not sent, nothing durable stays.
//!
//! Must never leave loopback.
//! Tests: these.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::routing::{get, post};
use flowdeck::engine::ports::{CardOutcome, Scan, Space};
use flowdeck::model::table::TableOp;
use flowdeck::model::{Fields, Millis};
use flowdeck::{Asked, RehearsalOptions, Runtime, Source, StandIn, Start, Status};
use serde_json::{Value, json};

const DESK: &str = "app: desk\ntitle: Desk\nsummary: S.\nversion: \"1\"\nbase_url: \"URL\"\nactions:\n  \
look:\n    title: Look\n    summary: Looks.\n    effect: observe\n    request: { method: GET, path: /people }\n    outputs:\n      \
- { field: { key: names, type: { list: text } }, value: \"${response.body.names}\" }\n  \
send:\n    title: Send\n    summary: Sends.\n    effect: write\n    inputs:\n      - { key: to, type: text }\n      - { key: pin, type: text, secret: true }\n    \
request: { method: POST, path: \"/people/${input.to}\", body: { pin: \"${input.pin}\", note: \"for ${input.to}\" } }\n    outputs:\n      \
- { field: { key: id, type: text }, value: \"${response.body.id}\" }\n      - { field: { key: size, type: number }, value: \"${response.body.size}\" }\n";

const FLOW: &str = "flow: all\ninputs:\n  token: { type: text, secret: true }\nlimits: { desk/send: 1 }\n\
tables:\n  seen: { who: text }\ncards:\n  - id: people\n    card: desk/look\n  - id: nap\n    wait: 3d\n  - id: each\n    \
for_each: ${people.names}\n    as: name\n    cards:\n      - id: mail\n        card: desk/send\n        with: { to: \"${name}\", pin: \"${input.token}\" }\n    \
give: { id: \"${mail.id}\" }\n  - return: { ids: \"${each.id}\" }\n";

async fn desk() -> (Runtime, Arc<AtomicU32>) {
    let sent = Arc::new(AtomicU32::new(0));
    let counted = sent.clone();
    let send = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { axum::Json(json!({"id": "real", "size": 1})) }
    };
    let people = || async { axum::Json(json!({"names": ["ada", "bob"]})) };
    let router = axum::Router::new().route("/people", get(people)).route("/people/{to}", post(send));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let file = DESK.replace("URL", &format!("http://{host}"));
    let runtime = Runtime::builder().memory().app_file("desk.app.yaml", &file).allow_http(&host).open().await.unwrap();
    (runtime, sent)
}

fn start(runtime: &Runtime) -> Start {
    let flow = runtime.flow(&Source::new("all.flow.yaml", FLOW), None).unwrap_or_else(|e| panic!("{e:?}"));
    Start::new(flow, Fields::one("token", "hunter22"))
}

/// Everything that is in the store.
async fn kept(runtime: &Runtime) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for space in Space::ALL {
        all.extend(runtime.engine().store().scan(Scan::prefix(space, Vec::new(), 1_000)).await.unwrap());
    }
    all
}

#[tokio::test]
async fn reads_are_made_and_writes_are_shown() {
    let (runtime, sent) = desk().await;
    let before = kept(&runtime).await;
    let rehearsal = runtime.rehearse(start(&runtime), RehearsalOptions::dry()).await.unwrap();
    assert_eq!(rehearsal.run.status, Status::Finished, "{:?}", rehearsal.run);
    assert_eq!(sent.load(Ordering::SeqCst), 0, "nothing was sent");
    assert_eq!(rehearsal.run.output.unwrap().to_value(), json!({"ids": ["placeholder-id", "placeholder-id"]}));
    assert_eq!(rehearsal.passed.len(), 1, "three days are passed at once");
    let writes: Vec<_> = rehearsal.calls.iter().filter(|call| !call.reads).collect();
    assert_eq!(writes.len(), 2);
    let request = &writes[1].requests[0];
    assert_eq!((request.method.as_str(), request.url.ends_with("/people/bob")), ("POST", true), "{request:?}");
    assert_eq!(request.body, json!({"pin": "[redacted]", "note": "for bob"}));
    assert!(!serde_json::to_string(&rehearsal.calls).unwrap().contains("hunter22"));
    assert_eq!(kept(&runtime).await, before, "nothing stays in the store");
}

struct Scripted;

#[async_trait]
impl StandIn for Scripted {
    async fn answer(&self, asked: &Asked<'_>) -> Option<CardOutcome> {
        let names = Value::from(vec!["eve"]);
        let outputs = if asked.reads { Fields::one("names", names) } else { Fields::one("id", "7") };
        (asked.call.card.as_str() != "desk/none").then_some(CardOutcome::Done { outputs, next_page: None })
    }
}

#[tokio::test]
async fn offline_only_the_stand_in_answers() {
    let (runtime, sent) = desk().await;
    let options = RehearsalOptions {
        stand_in: Arc::new(Scripted),
        offline: true,
        clock: Some(Millis(1_000_000)),
        limits: true,
        ..RehearsalOptions::dry()
    };
    let rehearsal = runtime.rehearse(start(&runtime), options.clone()).await.unwrap();
    assert_eq!(rehearsal.run.output.unwrap().to_value(), json!({"ids": ["7"]}));
    assert_eq!(rehearsal.run.started_at, Millis(1_000_000));
    assert_eq!(sent.load(Ordering::SeqCst), 0);
    let silent = RehearsalOptions { stand_in: Arc::new(flowdeck::DryRun), ..options };
    let rehearsal = runtime.rehearse(start(&runtime), silent).await.unwrap();
    assert_eq!(rehearsal.run.failed_at.unwrap().to_string(), "people");
    assert!(rehearsal.run.fault.unwrap().message.contains("no answer here"));
}

#[tokio::test]
async fn tables_are_seen_and_not_changed() {
    let (runtime, _) = desk().await;
    let text = "flow: rows\ntables:\n  seen: { who: text }\ncards:\n  - id: add\n    card: tables/create\n    with: { table: seen, values: { who: bob } }\n";
    let flow = runtime.flow(&Source::new("rows.flow.yaml", text), None).unwrap_or_else(|e| panic!("{e:?}"));
    let run = runtime.run(Start::new(flow.clone(), Fields::new())).await.unwrap();
    assert_eq!(run.status, Status::Finished, "{run:?}");
    let rehearsal = runtime.rehearse(Start::new(flow, Fields::new()), RehearsalOptions::dry()).await.unwrap();
    assert_eq!(rehearsal.run.status, Status::Finished, "{:?}", rehearsal.run);
    let search = TableOp::rows("seen".parse().unwrap(), 10);
    let found = runtime.engine().table_op(&search).await.unwrap();
    assert_eq!(found.get("rows").as_array().map(Vec::len), Some(1), "{found:?}");
}
