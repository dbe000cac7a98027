//! A guarded API with people in it, and a caller that sends exactly what it is told to.
//!
//! Must never leave this process.
//! Tests: used by `people.rs` and `people_guard.rs`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use flowdeck::connections::SecretText;
use flowdeck::people::{Area, NewToken, PasswordCost, People, Role};
use flowdeck::{Runtime, RuntimeBuilder};
use flowdeck_server::{Api, Site, guarded};
use flowdeck_sim::FakeClock;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const HOST: (&str, &str) = ("host", "127.0.0.1:8918");
pub(crate) const OWN: (&str, &str) = ("origin", "http://127.0.0.1:8918");
pub(crate) const MARK: (&str, &str) = ("flowdeck-request", "1");
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub(crate) struct Place {
    pub(crate) router: Router,
    pub(crate) runtime: Runtime,
    pub(crate) people: People,
    pub(crate) clock: Arc<FakeClock>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of a problem; empty where it is none.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `name=value` of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub(crate) fn is_refused_by_the_guard(&self) -> bool {
        let codes = [
            "unknown_caller",
            "bad_token",
            "forbidden",
            "scope_missing",
            "in_person",
            "header",
            "cross_site",
            "no_rule",
            "host",
        ];
        let code = self.code();
        codes.iter().any(|name| code == format!("people.{name}"))
            || self.status == 303
                && self.header("location").starts_with("/login")
                && !self.headers.contains_key("set-cookie")
    }
}

/// Nobody is there yet.
pub(crate) async fn empty(public: Option<&str>) -> Place {
    with(Runtime::builder().memory().password_cost(PasswordCost::Small), public).await
}

/// As [`empty`], with a runtime of one's own.
pub(crate) async fn with(builder: RuntimeBuilder, public: Option<&str>) -> Place {
    made(builder, public, false).await
}

/// As [`with`], on this machine alone, and it listens for what browsers bring back.
pub(crate) async fn listening(builder: RuntimeBuilder) -> Place {
    made(builder, None, true).await
}

/// A runtime that knows no app, with a key of its own.
pub(crate) fn own() -> RuntimeBuilder {
    Runtime::builder().key_bytes([7; 32])
}

/// What a browser gets at this path of a port of this machine.
pub(crate) async fn over_tcp(port: u16, target: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn made(builder: RuntimeBuilder, public: Option<&str>, listens: bool) -> Place {
    let clock = Arc::new(FakeClock::default());
    let runtime = builder.clock(clock.clone()).open().await.unwrap();
    let api = Api::new(runtime.clone(), "1", "here", listens);
    let site = Site::new("127.0.0.1:8918".parse().unwrap(), public).unwrap();
    Place { router: guarded(&api, site), people: runtime.people(), runtime, clock }
}

/// With Vera the viewer, Bo the builder, Ada the administrator.
pub(crate) async fn place() -> Place {
    let place = empty(None).await;
    for (name, role) in [("vera", Role::Viewer), ("bo", Role::Builder), ("ada", Role::Administrator)] {
        place.people.add_user(None, name.parse().unwrap(), role, &SecretText::new(PASSWORD)).await.unwrap();
    }
    place
}

impl Place {
    /// One request with these headers; `Host` is ours where none is given.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(HOST.0, HOST.1);
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != "-") {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let body = serde_json::json!({ "name": name, "password": PASSWORD }).to_string();
        let answer = self.call("POST", "/v1/login", &[JSON], &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie()
    }

    /// The header of a new token.
    pub(crate) async fn token(&self, owner: &str, role: Role, scopes: Vec<Area>) -> String {
        let asked = NewToken { name: "test".into(), owner: owner.parse().unwrap(), role, scopes, days: 1 };
        format!("Bearer {}", self.people.make_token(None, asked).await.unwrap().secret.expose())
    }
}
