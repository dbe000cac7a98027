//! What is offered on TCP: health, and endpoints of flows, to callers of every kind.
//!
//! Must never leave loopback, nor wait for real time.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::call as caller;

use std::net::SocketAddr;

use caller::{Answer, call, raw};
use flowdeck::connections::{Attempt, AttemptStep, BeginConnect, Surface};
use flowdeck::model::FlowName;
use flowdeck::{Runtime, Status};
use flowdeck_server::Listening;
use flowdeck_server::session::Session;
use serde_json::json;
use support::*;

const JSON: (&str, &str) = ("content-type", "application/json");
/// Says hello to a name in the body.
const GREET: &str = "flow: greet\non: { endpoint: { access: public, methods: [POST], body: { name: { type: text, required: true } } } }\ncards:\n  - return: { text: \"Hello ${event.body.name}\" }\n";
const TOKEN: &str =
    "flow: guarded\non: { endpoint: { access: token } }\ncards:\n  - return: { raw: \"${event.raw}\" }\n";

struct Place {
    session: Session,
    runtime: Runtime,
    listening: Listening,
    at: SocketAddr,
    desk: Desk,
    _root: tempfile::TempDir,
}

impl Place {
    /// Serves these flows, switched on.
    async fn new(flows: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (desk, url) = desk().await;
        let session = Session::join(options(root.path(), builder(&url))).await.unwrap();
        let runtime = session.runtime().unwrap();
        let listening = session.listen("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let at = listening.address();
        let place = Self { session, runtime, listening, at, desk, _root: root };
        for text in flows {
            support::publish(&place.runtime, text).await;
        }
        place
    }

    async fn greet(&self, headers: &[(&str, &str)], name: &str) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
        call(self.at, "POST", "/in/greet", &headers, &json!({ "name": name }).to_string()).await
    }

    async fn runs(&self) -> usize {
        self.runtime.runs(&Default::default(), None, 100).await.unwrap().runs.len()
    }

    async fn token(&self, renew: bool) -> String {
        let name: FlowName = "guarded".parse().unwrap();
        self.runtime.client_token(&name, renew).await.unwrap().unwrap().expose().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_a_run_and_its_answer_and_nothing_else_is_there() {
    let place = Place::new(&[GREET]).await;
    let said = place.greet(&[], "Ada").await;
    assert_eq!((said.status, said.json()), (200, json!({ "text": "Hello Ada" })));
    let run = said.header("flowdeck-run").unwrap().parse().unwrap();
    assert_eq!(place.runtime.run_view(run).await.unwrap().status, Status::Finished);
    assert_eq!(said.header("content-security-policy"), Some("sandbox"));
    assert_eq!(said.header("x-content-type-options"), Some("nosniff"));
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(call(place.at, "GET", path, &[], "").await.status, 200);
    }
    for path in ["/v1/about", "/v1/runs"] {
        assert_eq!(call(place.at, "GET", path, &[], "").await.status, 401, "{path}");
    }
    for path in ["/v1/flows/greet/token", "/in", "/in/greet/more"] {
        assert_eq!(call(place.at, "GET", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(call(place.at, "DELETE", "/health/live", &[], "").await.status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_starts_nothing() {
    let place = Place::new(&[GREET]).await;
    let at = place.at;
    let post = |path: &'static str, kind: &'static str, body: &'static str| async move {
        call(at, "POST", path, &[("content-type", kind)], body).await
    };
    for (answer, status, code) in [
        (post("/in/nobody", "text/plain", "{}").await, 404, "endpoint.unknown"),
        (post("/in/%ff", "text/plain", "{}").await, 404, "endpoint.unknown"),
        (post("/in/%20", "text/plain", "{}").await, 404, "endpoint.unknown"),
        (post("/in/greet", "application/json", "{").await, 400, "endpoint.json"),
        (post("/in/greet", "text/csv", "a,b").await, 415, "endpoint.media_type"),
        (post("/in/greet", "application/json", "{}").await, 422, "endpoint.field"),
        (place.greet(&[("idempotency-key", "")], "Ada").await, 400, "endpoint.key"),
        (place.greet(&[("idempotency-key", &"k".repeat(300))], "Ada").await, 400, "endpoint.key"),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let got = call(place.at, "GET", "/in/greet", &[], "").await;
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    // One that only says it is large, and one that is.
    let says = format!("POST /in/greet HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 2 << 20);
    assert_eq!(raw(place.at, says.as_bytes()).await.status, 413);
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, "x".repeat(64 << 10));
    let large = format!(
        "POST /in/greet HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(17)
    );
    assert_eq!(raw(place.at, large.as_bytes()).await.status, 413);
    let heads: String = (0..200).map(|n| format!("x-{n}: a\r\n")).collect();
    let many = format!("GET /health/live HTTP/1.1\r\nhost: a\r\n{heads}\r\n");
    assert_eq!(raw(place.at, many.as_bytes()).await.status, 431);
    assert_eq!(place.runs().await, 0);
    place.runtime.switch(&"greet".parse().unwrap(), false).await.unwrap();
    assert_eq!(place.greet(&[], "Ada").await.status, 404, "it is off");
    assert_eq!(place.runs().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_token_opens_and_it_is_in_no_run() {
    let place = Place::new(&[TOKEN]).await;
    let token = place.token(false).await;
    assert_eq!(place.token(false).await, token, "it stays the same");
    let at = place.at;
    let with = |header: String, query: String| async move {
        let headers: Vec<(&str, &str)> =
            if header.is_empty() { vec![] } else { vec![("x-api-client-token", header.as_str())] };
        call(at, "POST", &format!("/in/guarded{query}"), &headers, "not json").await
    };
    for (header, query) in [("", ""), ("wrong", ""), ("", "?clientToken=wrong"), ("", "?clientToken="), ("x", "?a=b")] {
        let answer = with(header.to_owned(), query.to_owned()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "endpoint.token"), "{header} {query}");
    }
    // The header counts where both are there.
    assert_eq!(with("wrong".into(), format!("?clientToken={token}")).await.status, 401);
    assert_eq!(place.runs().await, 0, "nothing was read, nothing was started");
    let answer = with(token.clone(), "?page=2".into()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["raw"]["query"], json!({ "page": "2" }));
    let answer = with(String::new(), format!("?clientToken={token}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.body.contains(&token));
    for run in place.runtime.runs(&Default::default(), None, 100).await.unwrap().runs {
        let view = serde_json::to_string(&place.runtime.run_view(run.id).await.unwrap()).unwrap();
        assert!(!view.contains(&token), "{view}");
    }
    let fresh = place.token(true).await;
    assert_eq!(with(token, String::new()).await.status, 401, "the one before is worth nothing");
    assert_eq!(with(fresh, String::new()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_the_same_run_and_the_same_answer() {
    let place = Place::new(&[GREET]).await;
    let key = [("idempotency-key", "order-7")];
    let first = place.greet(&key, "Ada").await;
    let again = place.greet(&key, "Ada").await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(first.header("flowdeck-run"), again.header("flowdeck-run"));
    assert_eq!(place.runs().await, 1);
    let other = place.greet(&key, "Grace").await;
    assert_eq!((other.status, other.code().as_str()), (422, "endpoint.key_reused"));
    // Many at once.
    let same = (0..16).map(|_| place.greet(&[("idempotency-key", "order-8")], "Ada"));
    let answers = futures_util::future::join_all(same).await;
    let one = answers[0].header("flowdeck-run");
    assert!(answers.iter().all(|a| a.status == 200 && a.header("flowdeck-run") == one), "{answers:#?}");
    assert_eq!(place.runs().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_sets_status_headers_and_body_and_says_what_is_wrong() {
    let answers = "flow: greet\non: { endpoint: { access: public, methods: [POST] } }\ncards:\n";
    let place = Place::new(&[]).await;
    for (cards, status, body) in [
        (
            "  - return_raw: { status: 201, headers: { X-Id: \"7\", Set-Cookie: a=b }, body: { made: true } }\n",
            201,
            "{\"made\":true}",
        ),
        ("  - return_raw: { status: 204, headers: {}, body: \"\" }\n", 204, ""),
        ("  - return_error: { message: No such user, status: 404 }\n", 404, "\"title\":\"No such user\""),
        (
            "  - id: a\n    card: json/parse\n    with: { string: no-json-s3cret }\n  - return: { a: \"${a}\" }\n",
            500,
            "endpoint.failed",
        ),
    ] {
        support::publish(&place.runtime, &format!("{answers}{cards}")).await;
        let said = place.greet(&[], "Ada").await;
        assert_eq!(said.status, status, "{said:?}");
        assert!(said.body.contains(body), "{said:?}");
        assert_eq!(said.header("set-cookie"), None);
        assert!(!said.body.contains("s3cret"), "strangers learn nothing of a failure: {said:?}");
        assert!(said.header("flowdeck-run").is_some());
        if status == 201 {
            assert_eq!(said.header("x-id"), Some("7"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_comes_to_wait_is_accepted_with_its_link_and_goes_on() {
    let asks = "flow: greet\non: { endpoint: { access: public } }\nslots:\n  there: { app: desk }\ncards:\n  - id: who\n    card: desk/who\n    slot: there\n  - return: { name: \"${who.name}\" }\n";
    let place = Place::new(&[asks]).await;
    let said = place.greet(&[("idempotency-key", "k")], "x").await;
    assert_eq!(said.status, 202, "{said:?}");
    let run = said.header("flowdeck-run").unwrap().to_owned();
    assert_eq!(said.json()["link"], format!("/v1/runs/{run}"));
    assert_eq!(said.header("location"), Some(format!("/v1/runs/{run}").as_str()));
    let mut asked = BeginConnect::new("desk".parse().unwrap(), Surface::Direct);
    asked.fields = [("token".to_owned(), "s3cret".into())].into();
    let Attempt { step, .. } = place.runtime.connect(asked).await.unwrap();
    assert!(matches!(step, AttemptStep::Done { .. }), "{step:?}");
    // The same request again waits for what it now comes to.
    let again = place.greet(&[("idempotency-key", "k")], "x").await;
    assert_eq!((again.status, again.json()), (200, json!({ "name": "Ada" })));
    assert_eq!(again.header("flowdeck-run"), Some(run.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_comes_while_the_flow_still_works() {
    let early = "flow: greet\non: { endpoint: { access: public } }\nslots:\n  there: { app: desk }\ncards:\n  - return_raw: { status: 202, headers: {}, body: taken, go_on: true }\n  - id: slow\n    card: desk/slow\n    slot: there\n  - return: { done: true }\n";
    let place = Place::new(&[early]).await;
    let mut asked = BeginConnect::new("desk".parse().unwrap(), Surface::Direct);
    asked.fields = [("token".to_owned(), "s3cret".into())].into();
    place.runtime.connect(asked).await.unwrap();
    let said = place.greet(&[], "x").await;
    assert_eq!((said.status, said.body.as_str()), (202, "taken"));
    let run = said.header("flowdeck-run").unwrap().parse().unwrap();
    assert!(!place.runtime.run_view(run).await.unwrap().status.is_ended());
    place.desk.door.notify_one();
    let ended = place.runtime.wait_for(run, true, std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(ended.status, Status::Finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_refuses_with_a_time_to_come_again() {
    let place = Place::new(&[GREET]).await;
    place.runtime.stop().await.unwrap();
    let said = place.greet(&[], "Ada").await;
    assert_eq!((said.status, said.header("retry-after")), (503, Some("5")), "{said:?}");
    assert_eq!(call(place.at, "GET", "/health/ready", &[], "").await.status, 503);
    assert_eq!(call(place.at, "GET", "/health/live", &[], "").await.status, 200);
    place.listening.end().await;
    place.session.end_now().await.unwrap();
    assert!(tokio::net::TcpStream::connect(place.at).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_others_reach_is_refused() {
    let place = Place::new(&[]).await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let refused = place.session.listen(address.parse().unwrap(), None).await.unwrap_err();
        assert_eq!(refused.code(), Some("serve.public"), "{refused}");
    }
    let taken = place.session.listen(place.at, None).await.unwrap_err();
    assert_eq!(taken.code(), Some("serve.address"), "{taken}");
}
