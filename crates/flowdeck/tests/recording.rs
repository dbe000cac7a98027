//! Recordings: what a real run heard from apps and people replays offline to the same end, and holds no secret.
//!
//! Must never leave loopback.
//! Tests: these.
#![allow(clippy::unwrap_used)]

use axum::extract::Query;
use axum::routing::{get, post};
use flowdeck::engine::{Entry, EntryKind, RunView};
use flowdeck::format::test_file;
use flowdeck::model::Fields;
use flowdeck::testing::{self, Recorded};
use flowdeck::{Offline, Runtime, Source, Start, Status};
use serde_json::{Value, json};

const DESK: &str = "app: desk\ntitle: Desk\nsummary: S.\nversion: \"1\"\nbase_url: \"URL\"\nactions:\n  \
list:\n    title: List\n    summary: Lists.\n    effect: observe\n    request: { method: GET, path: /people }\n    \
pagination: { output: people, next: { cursor: { value: \"${response.body.next}\", parameter: page } } }\n    outputs:\n      \
- { field: { key: people, type: { list: { object: [] } } } }\n  \
send:\n    title: Send\n    summary: Sends.\n    effect: write\n    inputs:\n      - { key: to, type: any }\n      \
- { key: pin, type: text, secret: true }\n    request: { method: POST, path: /mails, json: { to: \"${input.to}\", pin: \"${input.pin}\" } }\n    \
outputs:\n      - { field: { key: echo, type: any }, value: \"${response.body}\" }\n      \
- { field: { key: key, type: text, secret: true }, value: \"${response.body.key}\" }\n";

/// A desk with three pages of people; what is sent comes back, with a key of its own. To nobody it says no.
async fn desk() -> Runtime {
    let people = |Query(query): Query<std::collections::HashMap<String, String>>| async move {
        let page: u32 = query.get("page").and_then(|p| p.parse().ok()).unwrap_or(0);
        let people = json!([{"id": page * 2}, {"id": page * 2 + 1}]);
        axum::Json(json!({"people": people, "next": (page < 2).then(|| (page + 1).to_string())}))
    };
    let send = |axum::Json(mut mail): axum::Json<Value>| async move {
        if mail["to"] == "nobody" {
            return (axum::http::StatusCode::NOT_FOUND, axum::Json(json!({"message": "no such person"})));
        }
        mail["key"] = json!("canary-made-key");
        mail["access_token"] = json!("canary-token");
        (axum::http::StatusCode::OK, axum::Json(mail))
    };
    let router = axum::Router::new().route("/people", get(people)).route("/mails", post(send));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let file = DESK.replace("URL", &format!("http://{host}"));
    Runtime::builder().memory().app_file("desk.app.yaml", &file).allow_http(&host).open().await.unwrap()
}

async fn entries(runtime: &Runtime, run: &RunView) -> Vec<Entry> {
    runtime.engine().entries(run.id, 0, 10_000).await.unwrap()
}

/// Runs a flow with somebody who says yes (or no) to whatever asks, records it, and replays the recording.
async fn recorded(text: &str, input: Fields, yes: bool) -> (RunView, Recorded, testing::Tested) {
    let runtime = desk().await;
    let flow = runtime.flow(&Source::new("a.flow.yaml", text), None).unwrap_or_else(|e| panic!("{e:?}"));
    let start = Start::new(flow.clone(), input);
    let mut run = runtime.run(start.clone()).await.unwrap();
    while run.status == Status::Waiting {
        let engine = runtime.engine();
        match run.waits[0].reason.clone() {
            flowdeck::engine::WaitReason::Signal { name } => {
                engine.signal(run.id, &name, json!({"sum": 12})).await.unwrap();
            }
            _ if yes => engine.approve(run.id, None, "eve", "").await.unwrap(),
            _ => engine.reject(run.id, None, "eve", "").await.unwrap(),
        }
        engine.drive_until_stopped(run.id).await.unwrap();
        run = engine.run(run.id).await.unwrap().unwrap();
    }
    let mut histories = vec![entries(&runtime, &run).await];
    for entry in histories[0].clone() {
        if let EntryKind::ChildStarted { run } = entry.what {
            runtime.engine().drive_until_stopped(run).await.unwrap();
            let child = runtime.engine().run(run).await.unwrap().unwrap();
            histories.push(entries(&runtime, &child).await);
        }
    }
    let recorded = testing::recorded(&run, &histories, runtime.cards(), &start);
    // As the file that is written, and read again.
    let printed = test_file::print(&recorded.test);
    let read = test_file::read(&Source::new("a.test.yaml", &printed));
    assert!(!read.has_errors(), "{printed}\n{:?}", read.diagnostics);
    let offline = Offline::new(runtime.cards().clone());
    let replayed = testing::test(&offline, &read.tests[0], &flow).await.unwrap();
    assert!(replayed.missing.is_empty(), "{printed}\n{:?}", replayed.missing);
    assert!(!printed.contains("canary"), "{printed}");
    (run, recorded, replayed)
}

#[tokio::test]
async fn pages_and_what_people_said_are_replayed() {
    let flow = "flow: a\nlimits: { desk/send: 4 }\ncards:\n  - id: ask\n    wait: { approval: \"Go on?\" }\n  - id: paid\n    wait: { signal: paid }\n  \
- id: each\n    for_each: { pages: { card: desk/list } }\n    as: person\n    cards:\n      - id: mail\n        card: desk/send\n        \
with: { to: \"${person.id}\" }\n    give: { to: \"${mail.echo.to}\" }\n  - id: none\n    try:\n      - card: desk/send\n        id: lost\n        \
with: { to: nobody }\n    catch: []\n  - return: { ids: \"${each.to}\", ok: \"${ask.approved}\", sum: \"${paid.payload.sum}\", failed: \"${none.failed}\" }\n";
    let (run, recorded, replayed) = recorded(flow, Fields::new(), true).await;
    assert_eq!(run.status, Status::Finished, "{run:?}");
    let output = run.output.unwrap().to_value();
    assert_eq!(output, json!({"ids": [0, 1, 2, 3, 4, 5], "ok": true, "sum": 12, "failed": true}));
    assert_eq!((replayed.status, &replayed.came["output"]), ("finished", &output), "{recorded:?}");
    assert_eq!(recorded.test.answers["each"].len(), 3, "a page each");
    assert_eq!(recorded.notes, Vec::<String>::new());
}

#[tokio::test]
async fn a_no_is_replayed_as_a_no() {
    let flow = "flow: a\nlimits: { desk/send: 0 }\ncards:\n  - id: ask\n    wait: { approval: \"Go on?\" }\n  - if: ${ask.approved}\n    then: []\n    \
else:\n      - id: mail\n        card: desk/send\n        with: { to: eve }\n  - return: { ok: \"${ask.approved}\" }\n";
    let (run, recorded, replayed) = recorded(flow, Fields::new(), false).await;
    assert_eq!((run.status, replayed.status), (Status::Cancelled, "failed"), "{recorded:?}");
    assert!(recorded.test.decisions.values().all(|said| said == "reject"), "{recorded:?}");
}

#[tokio::test]
async fn helpers_on_their_own_are_replayed_in_order() {
    let flow = "flow: a\ncards:\n  - id: first\n    call_flow_async: tell\n    with: { to: ada }\n  - id: second\n    call_flow_async: tell\n    \
with: { to: bob }\nhelpers:\n  tell:\n    inputs: { to: text }\n    cards:\n      - id: mail\n        card: desk/send\n        with: { to: \"${input.to}\" }\n";
    let (_, recorded, _) = recorded(flow, Fields::new(), true).await;
    let told: Vec<&Value> = recorded.test.answers["mail"].iter().map(|a| &a["outputs"]["echo"]["to"]).collect();
    assert_eq!(told, ["ada", "bob"]);
}

#[tokio::test]
async fn nothing_secret_is_in_a_recording() {
    let flow = "flow: a\ninputs:\n  pin: { type: text, secret: true }\ncards:\n  - id: mail\n    card: desk/send\n    with: { to: eve, pin: \"${input.pin}\" }\n  \
- id: again\n    card: desk/send\n    with: { to: [\"Bearer ${input.pin}\"] }\n  - return: { echo: \"${mail.echo}\" }\n";
    let (run, recorded, replayed) = recorded(flow, Fields::one("pin", "canary-pin"), true).await;
    assert_eq!((run.status, replayed.status), (Status::Finished, "finished"));
    let echo = &recorded.test.answers["mail"][0]["outputs"]["echo"];
    assert_eq!(
        echo,
        &json!({"to": "eve", "pin": "[redacted]", "key": "redacted: it derives from a secret", "access_token": "[redacted]"})
    );
}

#[tokio::test]
async fn a_flow_that_keeps_no_data_says_what_is_missing() {
    let flow = "flow: a\nkeep_data: false\ncards:\n  - id: each\n    for_each: { pages: { card: desk/list } }\n    as: person\n    cards: []\n";
    let (_, recorded, _) = recorded(flow, Fields::new(), true).await;
    assert_eq!(recorded.test.answers["each"][0], json!({"records": []}));
    assert!(recorded.notes[0].contains("fill them in"), "{:?}", recorded.notes);
}
