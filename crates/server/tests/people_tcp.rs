//! The guarded API over TCP, beside the endpoints of flows.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::call as caller;

use caller::call;
use flowdeck::people::{PasswordCost, Role};
use flowdeck_server::session::Session;
use serde_json::json;
use support::{HELLO, builder, desk, get_json, options, refused, start};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_there_for_who_signs_in_and_the_rest_as_before() {
    let root = tempfile::tempdir().unwrap();
    let (_desk, url) = desk().await;
    let builder = builder(&url).password_cost(PasswordCost::Small);
    let session = Session::join(options(root.path(), builder)).await.unwrap();
    let listening = session.listen("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let at = listening.address();
    let runtime = session.runtime().unwrap();
    runtime.people().add_user(None, "ada".parse().unwrap(), Role::Builder, &PASSWORD.into()).await.unwrap();

    assert_eq!(call(at, "GET", "/health/live", &[], "").await.status, 200);
    assert_eq!(call(at, "GET", "/in/nothing", &[("host", "any.example")], "").await.code(), "endpoint.unknown");
    assert_eq!(call(at, "GET", "/nowhere", &[], "").await.code(), "http.not_found");
    let nobody = call(at, "GET", "/v1/runs", &[], "").await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer realm=\"flowdeck\"")));

    let json = ("content-type", "application/json");
    let sent_along = [("cookie", "flowdeck-1=other"), json];
    assert_eq!(call(at, "GET", "/v1/me", &sent_along, "").await.status, 401);
    let body = json!({ "name": "ada", "password": PASSWORD }).to_string();
    let signed = call(at, "POST", "/v1/login", &[json], &body).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let cookie = signed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with(&format!("flowdeck-{}=", at.port())));
    let cookie = ("cookie", cookie.as_str());
    let start = serde_json::to_string(&start(HELLO, json!({ "name": "Ada" }))).unwrap();
    let bare = call(at, "POST", "/v1/runs", &[json, cookie], &start).await;
    assert_eq!(bare.code(), "people.header");
    let begun = call(at, "POST", "/v1/runs", &[json, cookie, ("flowdeck-request", "1")], &start).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let run = begun.json()["id"].as_str().unwrap().to_owned();
    let events = call(at, "GET", &format!("/v1/runs/{run}/events"), &[cookie], "").await;
    assert!(
        events.body.contains("\"type\":\"stopped\"") && events.header("content-security-policy").is_some(),
        "{events:?}"
    );
    assert_eq!(call(at, "GET", "/v1/users", &[cookie], "").await.code(), "people.forbidden");
    assert_eq!(call(at, "POST", "/v1/flows/hello/token", &[json, cookie], "{}").await.status, 404, "only locally");

    // A flow that asks for cookies gets those of others, and no session.
    let nosy = "flow: nosy\non: { endpoint: { methods: [GET], access: public, headers: { Cookie: text } } }\ncards:\n  - return: { got: \"${event.headers}\" }\n";
    let flow = runtime.flow(&flowdeck::Source::new("nosy.flow.yaml", nosy), None).unwrap();
    runtime.publish(&flow).await.unwrap();
    runtime.switch(&flow.name, true).await.unwrap();
    let both = format!("theirs=1; {}", cookie.1);
    let got = call(at, "GET", "/in/nosy", &[("cookie", &both)], "").await;
    assert!(got.status == 200 && got.body.contains("theirs=1") && !got.body.contains("flowdeck-"), "{got:?}");

    // The address of the connection is what the throttle counts.
    for n in 0..20 {
        let body = json!({ "name": format!("n{n}"), "password": "wrong" }).to_string();
        assert_eq!(call(at, "POST", "/v1/login", &[json, ("x-forwarded-for", "192.0.2.1")], &body).await.status, 401);
    }
    assert_eq!(call(at, "POST", "/v1/login", &[json], &body).await.code(), "people.throttled");

    // On the local socket its owner is the administrator.
    let users: flowdeck_server::wire::UserList = get_json(&session.client(), "/v1/users").await;
    assert_eq!(users.users.len(), 1);
    let me: flowdeck_server::wire::Me = get_json(&session.client(), "/v1/me").await;
    assert_eq!((me.name, me.role, me.by.as_str()), (None, Role::Administrator, "local"));
    assert_eq!(refused(&session.client(), http::Method::POST, "/v1/login", ()).await.status, 404);
    listening.end().await;
    session.end_now().await.unwrap();
}
