//! A scripted provider: answers each request as the test says, and remembers what it was sent.
//!
//! Must never leave loopback.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply(pub u16, pub Vec<(&'static str, String)>, pub String);

pub(crate) fn json_reply(status: u16, body: &Value) -> Reply {
    Reply(status, vec![("content-type", "application/json".into())], body.to_string())
}

pub(crate) fn text_reply(status: u16, body: &str) -> Reply {
    Reply(status, vec![], body.to_owned())
}

/// A usual token answer.
pub(crate) fn token(access: &str, refresh: Option<&str>) -> Reply {
    let mut body = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600 });
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    json_reply(200, &body)
}

/// The answer of the usual probe.
pub(crate) fn account(sub: &str) -> Reply {
    json_reply(200, &json!({ "sub": sub, "name": format!("Person {sub}") }))
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

pub(crate) struct Provider {
    pub(crate) base: String,
    script: Arc<Mutex<Arc<Script>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Provider {
    /// Answers tokens `access-1`, `access-2`… and the account `sub-1` until told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(|_: &Seen| text_reply(500, "unscripted"))));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answers, memory) = (script.clone(), seen.clone());
        let service = move |request: Request| {
            let (answers, memory) = (answers.clone(), memory.clone());
            async move { answer(request, &answers, &memory).await }
        };
        let router = Router::new().fallback(service);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let provider = Self { base, script, seen };
        provider.usual();
        provider
    }

    pub(crate) fn script(&self, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.script.lock() = Arc::new(script);
    }

    /// Only the token endpoint answers like this; the probe says `sub-1`.
    pub(crate) fn tokens(&self, reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.script(move |seen| if seen.path == "/oauth/token" { reply(seen) } else { account("sub-1") });
    }

    pub(crate) fn usual(&self) {
        let count = Mutex::new(0);
        self.tokens(move |_| {
            let mut count = count.lock();
            *count += 1;
            token(&format!("access-{count}"), Some(&format!("refresh-{count}")))
        });
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// Calls of the token endpoint so far.
    pub(crate) fn token_calls(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.path == "/oauth/token").collect()
    }
}

async fn answer(request: Request, script: &Mutex<Arc<Script>>, memory: &Mutex<Vec<Seen>>) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |(k, v): (&http::HeaderName, &http::HeaderValue)| {
        (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())
    };
    let seen = Seen {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    memory.lock().push(seen.clone());
    let now = script.lock().clone();
    let Reply(status, headers, body) = now(&seen);
    let mut response = (http::StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
