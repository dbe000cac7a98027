//! The API in process and over a socket: every answer is the same both ways.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use flowdeck::Status;
use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck_server::session::Session;
use flowdeck_server::wire::*;
use flowdeck_server::{BODY_BYTES_MAX, client::Client};
use futures_util::StreamExt as _;
use http::Method;
use serde_json::{Value, json};
use support::*;

/// A holder, its own client, and one over its socket.
async fn both() -> (Session, [Client; 2], Desk, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let (desk, url) = desk().await;
    let options = options(root.path(), builder(&url));
    let socket = options.socket.clone();
    let session = Session::join(options).await.unwrap();
    let clients = [session.client(), Client::over_socket(&socket)];
    (session, clients, desk, root)
}

async fn events(client: &Client, run: flowdeck::model::RunId, after: u64, follow: bool) -> Vec<RunEvent> {
    let stream = client.run_events(run, after, follow).await.unwrap();
    stream.map(|event| event.unwrap()).collect().await
}

fn seqs(events: &[RunEvent]) -> Vec<u64> {
    let seq = |event: &RunEvent| match event {
        RunEvent::Entry { entry } => Some(entry.seq),
        _ => None,
    };
    events.iter().filter_map(seq).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_starts_is_followed_and_is_found_again() {
    let (session, clients, _, _root) = both().await;
    for client in &clients {
        let view: flowdeck::RunView =
            call(client, Method::POST, "/v1/runs", start(HELLO, json!({ "name": "Ada" }))).await;
        let all = events(client, view.id, 0, false).await;
        let Some(RunEvent::Stopped { run }) = all.last() else { panic!("no end: {all:?}") };
        assert_eq!(run.status, Status::Finished);
        assert_eq!(run.output.as_ref().unwrap().get("text"), &json!("Hello Ada"));
        let numbers = seqs(&all);
        assert_eq!(numbers, (1..=run.counts.entries).collect::<Vec<_>>(), "no gap, nothing twice");
        // Resumed after the first entry.
        assert_eq!(seqs(&events(client, view.id, 1, true).await), numbers[1..]);
        let shown: flowdeck::RunView = get_json(client, &format!("/v1/runs/{}", view.id)).await;
        assert_eq!(shown, **run);
        let waited: flowdeck::RunView = get_json(client, &format!("/v1/runs/{}/wait", view.id)).await;
        assert_eq!(waited, shown);
        let history: EntryList = get_json(client, &format!("/v1/runs/{}/entries?after=1", view.id)).await;
        assert_eq!(history.entries.len(), numbers.len() - 1);
    }
    let list: RunList = get_json(&clients[1], "/v1/runs?status=finished&flow=hello&limit=1").await;
    assert_eq!(list.runs.len(), 1);
    let rest: RunList = get_json(&clients[1], &format!("/v1/runs?cursor={}", list.next.unwrap())).await;
    assert_eq!(rest.runs.len(), 1);
    session.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_start_with_a_key_is_one_run() {
    let (_session, clients, _, _root) = both().await;
    let mut asked = start(HELLO, json!({ "name": "Ada" }));
    asked.idempotency_key = Some("k1".into());
    let first: flowdeck::RunView = call(&clients[0], Method::POST, "/v1/runs", &asked).await;
    let second: flowdeck::RunView = call(&clients[1], Method::POST, "/v1/runs", &asked).await;
    assert_eq!(first.id, second.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_goes_on_when_its_prompt_is_answered() {
    let (_session, clients, _, _root) = both().await;
    let client = &clients[1];
    let preflight: Preflight = call(client, Method::POST, "/v1/preflight", file(ASKS)).await;
    assert!(preflight.lines[0].reason.is_some());
    let view: flowdeck::RunView = call(client, Method::POST, "/v1/runs", start(ASKS, json!({}))).await;
    let all = events(client, view.id, 0, false).await;
    let Some(RunEvent::Stopped { run }) = all.last() else { panic!("no stop: {all:?}") };
    assert_eq!(run.status, Status::Waiting);
    let open: PromptList = get_json(client, "/v1/prompts?state=open&app=desk").await;
    let prompt = &open.prompts[0];
    let mut form = Connect {
        app: "desk".parse().unwrap(),
        method: Some("token".into()),
        nickname: None,
        fields: [("token".to_owned(), "wrong".into())].into(),
        scopes: None,
        prompt: Some(prompt.id),
        connection: None,
        surface: SurfaceName::Direct,
    };
    let attempt: Attempt = call(client, Method::POST, "/v1/attempts", &form).await;
    assert!(matches!(attempt.step, AttemptStep::Failed(_)), "{attempt:?}");
    form.fields = [("nonsense".to_owned(), "x".into())].into();
    let problem = refused(client, Method::POST, "/v1/attempts", &form).await;
    assert_eq!(problem.code, "connect.fields");
    assert!(problem.fields.contains_key("nonsense") && problem.fields.contains_key("token"), "{problem:?}");
    form.fields = [("token".to_owned(), "s3cret".into())].into();
    let attempt: Attempt = call(client, Method::POST, "/v1/attempts", &form).await;
    let AttemptStep::Done { connection, .. } = attempt.step else { panic!("not connected: {attempt:?}") };
    // The stream does not stop at a wait whose prompt is answered.
    let rest = events(client, view.id, *seqs(&all).last().unwrap(), false).await;
    let Some(RunEvent::Stopped { run }) = rest.last() else { panic!("no end: {rest:?}") };
    assert_eq!((run.status, run.output.as_ref().unwrap().get("name")), (Status::Finished, &json!("Ada")));
    let path = format!("/v1/connections/{}", connection.id);
    let tested: flowdeck::connections::Tested = call(client, Method::POST, &format!("{path}/test"), ()).await;
    assert_eq!(tested.works, Some(true));
    let renamed: flowdeck::model::connect::ConnectionView =
        call(client, Method::POST, &format!("{path}/rename"), json!({ "nickname": "front" })).await;
    assert_eq!(renamed.nickname.as_str(), "front");
    let audit: AuditList = get_json(client, "/v1/audit?limit=50").await;
    assert!(!audit.records.is_empty());
    let shown = format!("{:?}{:?}{:?}", audit, rest, get_json::<Value>(client, "/v1/connections").await);
    assert!(!shown.contains("s3cret"), "an answer holds the secret");
    let gone: flowdeck::connections::Disconnected = call(client, Method::DELETE, &path, ()).await;
    assert_eq!(gone.connection.id, connection.id);
    assert_eq!(refused(client, Method::GET, &path, ()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_cancels_and_refusals() {
    let (_session, clients, _, _root) = both().await;
    for client in &clients {
        let view: flowdeck::RunView = call(client, Method::POST, "/v1/runs", start(WAITS, json!({}))).await;
        let path = format!("/v1/runs/{}", view.id);
        let waited: flowdeck::RunView = get_json(client, &format!("{path}/wait")).await;
        assert_eq!(waited.status, Status::Waiting);
        let word = Signal { name: "go".into(), payload: json!(1) };
        call::<()>(client, Method::POST, &format!("{path}/signal"), &word).await;
        let ended: flowdeck::RunView = get_json(client, &format!("{path}/wait?past_waits=true")).await;
        assert_eq!(ended.status, Status::Finished);
        assert_eq!(refused(client, Method::POST, &format!("{path}/cancel"), ()).await.code, "run.not_now");
        assert_eq!(refused(client, Method::POST, &format!("{path}/approve"), json!({})).await.code, "run.not_now");
        assert_eq!(refused(client, Method::POST, &format!("{path}/retry"), json!({})).await.code, "run.not_now");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_take_operations_and_csv() {
    let (_session, clients, _, _root) = both().await;
    let client = &clients[1];
    let define =
        json!({ "define": { "name": "people", "columns": [{ "name": "who" }, { "name": "age", "type": "number" }] } });
    call::<Value>(client, Method::POST, "/v1/tables/op", define).await;
    let csv = Some(("text/csv", "who,age\nAda,36\nBob,41\n".to_owned()));
    let count = client.text(Method::POST, "/v1/tables/people/csv", csv).await.unwrap();
    assert!(count.contains("\"count\":2"), "{count}");
    let text = client.text(Method::GET, "/v1/tables/people/csv", None).await.unwrap();
    assert!(text.contains("Ada,36"), "{text}");
    let list: TableList = get_json(client, "/v1/tables").await;
    assert_eq!(list.tables.len(), 1);
    let shown: Value = get_json(client, "/v1/tables/people").await;
    assert_eq!(shown["columns"][1]["type"], "number");
    assert_eq!(refused(client, Method::GET, "/v1/tables/nobody", ()).await.status, 404);
    let clear = json!({ "clear": { "table": "nobody" } });
    assert_eq!(refused(client, Method::POST, "/v1/tables/op", clear).await.code, "table.refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_with_words_of_our_own() {
    let (_session, clients, _, _root) = both().await;
    let broken = "flow: x\ncards:\n  - id: a\n    card: date/nov\n";
    for client in &clients {
        let problem = refused(client, Method::POST, "/v1/runs", start(broken, json!({}))).await;
        assert_eq!((problem.status, problem.code.as_str()), (422, "flow.errors"));
        assert!(problem.diagnostics[0].to_string().contains("date/now"), "{problem:?}");
        let check: FlowCheck = call(client, Method::POST, "/v1/flows/check", file(broken)).await;
        assert!(check.has_errors);
        for (method, path, body, status, code) in [
            (Method::GET, "/v1/runs/run_nonsense", json!(null), 400, "http.path"),
            (Method::GET, "/v1/runs/run_00000000000000000000000001", json!(null), 404, "run.unknown"),
            (Method::GET, "/v1/runs?limit=many", json!(null), 400, "http.query"),
            (Method::POST, "/v1/runs", json!({ "input": "hunter2" }), 422, "http.body"),
            (Method::POST, "/v1/runs", json!(null), 415, "http.media_type"),
            (Method::PUT, "/v1/runs", json!(null), 405, "http.method"),
            (Method::GET, "/v2/runs", json!(null), 404, "http.not_found"),
            (Method::GET, "/v1/apps/nope", json!(null), 404, "http.not_found"),
        ] {
            let problem = refused(client, method.clone(), path, body).await;
            assert_eq!((problem.status, problem.code.as_str()), (status, code), "{method} {path}: {problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"));
        }
        let large = Some(("application/json", "x".repeat(BODY_BYTES_MAX + 1)));
        let Err(flowdeck_server::client::CallError::Problem(problem)) =
            client.text(Method::POST, "/v1/flows/check", large).await
        else {
            panic!("a body without end was taken");
        };
        assert_eq!(problem.code, "http.too_large");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apps_and_cards_are_listed() {
    let (_session, clients, _, _root) = both().await;
    let apps: AppList = get_json(&clients[1], "/v1/apps").await;
    assert!(apps.apps.iter().any(|a| a.app.as_str() == "desk" && a.connects));
    let desk: AppShown = get_json(&clients[1], "/v1/apps/desk").await;
    assert_eq!(desk.cards.len(), 2);
    let cards: CardList = get_json(&clients[1], "/v1/cards?family=date").await;
    assert!(cards.cards.iter().all(|c| c.name.family() == "date") && !cards.cards.is_empty());
    let card: Value = get_json(&clients[1], "/v1/cards/desk/who").await;
    assert_eq!(card["name"], "desk/who");
}
