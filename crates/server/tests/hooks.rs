//! Hooks of apps over TCP: who is let in, what is answered, what starts.
//!
//! Must never leave loopback, nor wait for real time.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::call as caller;

use std::net::SocketAddr;

use caller::{Answer, call, raw};
use flowdeck::connections::{Attempt, AttemptStep, BeginConnect, Surface};
use flowdeck::{Runtime, Status};
use flowdeck_server::Listening;
use flowdeck_server::session::Session;
use flowdeck_server::wire::{Hook, HookList, NewHook, ServedFlow, Starts};
use http::Method;
use serde_json::{Value, json};
use support::*;

const BELL: &str = "app: bell\ntitle: Bell\nsummary: Rings.\nversion: '1'\nbase_url: 'http://127.0.0.1:1'\nevents:\n  rang:\n    title: Rang\n    summary: Somebody rang.\n    each: '${list(coalesce(body.rings, body))}'\n    when: '${item.type == \"rang\"}'\n    key: '${item.id}'\n    outputs: [{ key: id, type: text, at: /id }, { key: headers, type: any, value: '${headers}' }]\n    webhook: WEBHOOK\n";
const SHARED: &str =
    "{ shared_header: { header: authorization, challenge_header: x-challenge, answer: verification } }";
const RANG: &str =
    "flow: rang\non: { card: bell/rang }\ncards:\n  - return: { id: \"${event.id}\", headers: \"${event.headers}\" }\n";

struct Place {
    session: Session,
    runtime: Runtime,
    _listening: Listening,
    at: SocketAddr,
    _root: tempfile::TempDir,
}

impl Place {
    async fn new(webhook: &str, flows: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (_, url) = desk().await;
        let builder = builder(&url).app_file("bell.app.yaml", &BELL.replace("WEBHOOK", webhook));
        let session = Session::join(options(root.path(), builder)).await.unwrap();
        let runtime = session.runtime().unwrap();
        let listening = session.listen("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let at = listening.address();
        let place = Self { session, runtime, _listening: listening, at, _root: root };
        for text in flows {
            support::publish(&place.runtime, text).await;
        }
        place
    }

    async fn add(&self, body: Value) -> NewHook {
        support::call(&self.session.client(), Method::POST, "/v1/hooks", body).await
    }

    async fn post(&self, hook: &Hook, headers: &[(&str, &str)], body: &str) -> Answer {
        call(self.at, "POST", &hook.path, headers, body).await
    }

    async fn runs(&self) -> usize {
        self.runtime.runs(&Default::default(), None, 1_000).await.unwrap().runs.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_starts_each_flow_once_and_its_secret_reaches_none() {
    let place = Place::new(SHARED, &[RANG, &RANG.replace("flow: rang", "flow: too")]).await;
    let made = place.add(json!({ "app": "bell" })).await;
    let secret = made.secret.unwrap().expose().to_owned();
    let sent = [("authorization", secret.as_str()), ("x-more", "m")];
    let rings = json!({ "rings": [{ "id": "a", "type": "rang" }, { "type": "other" }, { "id": "b", "type": "rang" }] });
    let said = place.post(&made.hook, &sent, &rings.to_string()).await;
    assert_eq!((said.status, said.json()), (200, json!({ "started": 4, "again": 0 })), "{said:?}");
    let said = place.post(&made.hook, &sent, &rings.to_string()).await;
    assert_eq!((said.status, said.json()), (200, json!({ "started": 0, "again": 4 })), "{said:?}");
    place.runtime.come_to_rest().await.unwrap();
    let runs = place.runtime.runs(&Default::default(), None, 10).await.unwrap().runs;
    assert_eq!(runs.len(), 4);
    for run in runs {
        let view = place.runtime.run_view(run.id).await.unwrap();
        assert_eq!(view.status, Status::Finished);
        let headers = view.output.unwrap().get("headers").clone();
        assert_eq!((&headers["x-more"], &headers["authorization"]), (&json!("m"), &Value::Null));
    }
    // A flow that is off hears nothing, and nobody is refused for that.
    for name in ["rang", "too"] {
        place.runtime.switch(&name.parse().unwrap(), false).await.unwrap();
    }
    let said = place.post(&made.hook, &sent, "{\"id\":\"c\",\"type\":\"rang\"}").await;
    assert_eq!((said.status, said.json()), (200, json!({ "started": 0, "again": 0 })));
    let shown: ServedFlow = get_json(&place.session.client(), "/v1/flows/rang").await;
    let Starts::Event { arrival, .. } = shown.starts else { panic!() };
    assert!(arrival.hooks[0].delivered.is_some() && arrival.poll.is_none());
    assert!(!serde_json::to_string(&arrival).unwrap().contains(&secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_prove_it_is_refused_before_anything_is_read() {
    let place = Place::new(SHARED, &[RANG]).await;
    let made = place.add(json!({ "app": "bell" })).await;
    let secret = made.secret.unwrap().expose().to_owned();
    let right = [("authorization", secret.as_str())];
    for (answer, status, code) in [
        (place.post(&made.hook, &[], "{").await, 401, "hook.unverified"),
        (place.post(&made.hook, &[("authorization", "wrong")], "{").await, 401, "hook.unverified"),
        (place.post(&made.hook, &right, "{").await, 400, "hook.json"),
        (call(place.at, "POST", "/hooks/bell/nobody", &right, "{}").await, 404, "hook.unknown"),
        (call(place.at, "POST", &made.hook.path.replace("bell", "okta"), &right, "{}").await, 404, "hook.unknown"),
        (call(place.at, "POST", "/hooks/%ff/x", &right, "{}").await, 404, "hook.unknown"),
        (call(place.at, "GET", &made.hook.path, &[], "").await, 400, "hook.challenge"),
        (call(place.at, "PUT", &made.hook.path, &right, "{}").await, 405, "http.method"),
        (place.post(&made.hook, &right, &json!(vec![json!({}); 10_001]).to_string()).await, 413, "hook.too_much"),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    }
    // One that says it is large, and one that is: neither is read where nothing was proved.
    let says = |secret: &str, bytes: usize| {
        format!(
            "POST {} HTTP/1.1\r\nhost: a\r\nauthorization: {secret}\r\ncontent-length: {bytes}\r\n\r\n",
            made.hook.path
        )
    };
    assert_eq!(raw(place.at, says(&secret, 2 << 20).as_bytes()).await.status, 413);
    assert_eq!(raw(place.at, says("wrong", 2 << 20).as_bytes()).await.status, 401);
    // Who registers the address asks first.
    let asked = call(place.at, "GET", &made.hook.path, &[("x-challenge", "abc")], "").await;
    assert_eq!((asked.status, asked.json()), (200, json!({ "verification": "abc" })));
    assert_eq!(place.runs().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_whose_secret_the_app_makes_takes_nothing_before_it_is_here_and_changes_it_with_overlap() {
    let place = Place::new("slack", &[RANG]).await;
    let made = place.add(json!({ "app": "bell" })).await;
    assert!(made.secret.is_none() && made.app_makes_secret && !made.hook.has_secret);
    let early = place.post(&made.hook, &[], "{}").await;
    assert_eq!((early.status, early.header("retry-after")), (503, Some("5")), "{early:?}");
    let client = place.session.client();
    let path = format!("/v1/hooks/{}/secret", made.hook.id);
    let refused = support::refused(&client, Method::POST, &path, json!({})).await;
    assert!(refused.title.contains("makes the secret itself"), "{refused:?}");
    let set: NewHook = support::call(&client, Method::POST, &path, json!({ "secret": "first secret" })).await;
    assert!(set.hook.has_secret && set.secret.is_none());
    let unsigned = place.post(&made.hook, &[("x-slack-request-timestamp", "1")], "{}").await;
    assert_eq!((unsigned.status, unsigned.code().as_str()), (401, "hook.unverified"));
    let hooks: HookList = get_json(&client, "/v1/hooks").await;
    assert_eq!(hooks.hooks.len(), 1);
    support::call::<Value>(&client, Method::DELETE, &format!("/v1/hooks/{}", made.hook.id), ()).await;
    assert_eq!(place.post(&made.hook, &[], "{}").await.status, 404);
    let refused = support::refused(&client, Method::DELETE, &format!("/v1/hooks/{}", made.hook.id), ()).await;
    assert_eq!(refused.code, "hook.unknown");
    // On TCP nobody makes one or sets its secret.
    for (method, path) in [("POST", "/v1/hooks"), ("DELETE", "/v1/hooks/x"), ("POST", "/v1/hooks/x/secret")] {
        let status = call(place.at, method, path, &[], "{}").await.status;
        assert!([403, 404, 405].contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_connection_is_missing_is_a_run_that_waits_at_its_event_card() {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    let events = "events:\n  came:\n    title: Came\n    summary: Somebody came.\n    each: '${list(body)}'\n    key: '${item.id}'\n    outputs: [{ key: id, type: text, at: /id }]\n    webhook: { hmac: { header: x-sign, algorithm: sha256 } }\n";
    let file = format!("{}{events}", desk_file(&url));
    let host = url.strip_prefix("http://").unwrap();
    let builder = Runtime::builder().app_file("desk.app.yaml", &file).allow_http(host).key_bytes([7; 32]);
    let session = Session::join(options(root.path(), builder)).await.unwrap();
    let runtime = session.runtime().unwrap();
    let text = "flow: came\nslots: { there: { app: desk } }\non: { card: desk/came, slot: there }\ncards:\n  - return: { id: \"${event.id}\" }\n";
    let flow = runtime.flow(&flowdeck::Source::new("t", text), None).unwrap();
    runtime.publish(&flow).await.unwrap();
    runtime.switch(&flow.name, true).await.unwrap();
    let made = runtime.add_hook(&"desk".parse().unwrap(), None, Some("0123456789".into())).await.unwrap();
    let hook = runtime.hook("desk", &made.hook.id).await.unwrap().unwrap();
    let body = b"{\"id\":\"u7\"}";
    // HMAC-SHA256 of the body with the secret.
    let sign = "96b3909104d850eff931bb65b00f82563e1473079827903ef7dd8d3236edc2a8";
    let headers = [("x-sign".to_owned(), sign.to_owned())].into();
    let told = runtime.deliver(&hook, headers, body).await.unwrap();
    let flowdeck::Delivered::Taken { runs, .. } = told else { panic!() };
    let view = runtime.wait_for(runs[0], false, std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!((view.status, view.waits.len()), (Status::Waiting, 1), "{view:?}");
    let mut asked = BeginConnect::new("desk".parse().unwrap(), Surface::Direct);
    asked.method = Some("token".into());
    asked.fields = [("token".to_owned(), "s3cret".into())].into();
    let Attempt { step, .. } = runtime.connect(asked).await.unwrap();
    assert!(matches!(step, AttemptStep::Done { .. }), "{step:?}");
    let view = runtime.wait_for(runs[0], true, std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!((view.status, view.output.unwrap().get("id").clone()), (Status::Finished, json!("u7")));
}
