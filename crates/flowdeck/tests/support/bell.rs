//! An app that tells who rang: pushed, or asked for; and a store that counts commits and can lose an answer.
//!
//! Must never leave loopback, nor look at the real time.
//! Tests: `hooks.rs` and `polls.rs` use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flowdeck::connections::{Attempt, AttemptStep, BeginConnect, Surface};
use flowdeck::engine::ports::store::KeyValue;
use flowdeck::engine::ports::{Delta, Scan, Space, Store, StoreError};
use flowdeck::model::{Fields, FlowName};
use flowdeck::store::MemoryStore;
use flowdeck::{Runtime, Status};
use flowdeck_sim::clock::FakeClock;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::flow;

/// The app file; WAY is how its one event arrives.
const BELL: &str = r#"
app: bell
title: Bell
summary: Tells who rang.
version: "1"
base_url: "URL"
auth:
  methods:
    - key: token
      title: Token
      fields: [{ key: token, title: Token, secret: true, help: Look at the bell. }]
      kind: { headers: { headers: { Authorization: "Bearer {token}" } } }
  hosts: ["URL"]
  private_hosts: true
  probe: { url: "URL/me", subject: [/id], label: [/id] }
  help: Look at the bell.
events:
  rang:
    title: Rang
    summary: Somebody rang.
    inputs: [{ key: door, type: text, help: Which door. }]
    each: "${list(coalesce(body.rings, body))}"
    when: "${item.kind == 'rang' && (input.door == null || item.door == input.door)}"
    key: "${item.id}"
    outputs: [{ key: id, type: text, at: /id }]
    WAY
"#;
pub(crate) const PUSHED: &str = "webhook: { shared_header: { header: authorization } }";
/// Asked for from the newest on.
pub(crate) const ASKED: &str = "poll: { request: { method: GET, path: /rings, query: { after: '${cursor}' } }, cursor: '${response.body.next}', from: latest, every_s: 30 }";
pub(crate) const RANG: &str = "flow: rang\nslots: { bell: { app: bell } }\non: { card: bell/rang, slot: bell }\ncards:\n  - return: { id: \"${event.id}\" }\n";

/// What the app remembers and answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell {
    pub(crate) rings: Arc<Mutex<Vec<Value>>>,
    /// Tokens and whose they are.
    pub(crate) accounts: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    /// Answers of the log before anything else is looked at: status and `Retry-After`.
    pub(crate) refuses: Arc<Mutex<Vec<(u16, &'static str)>>>,
    /// Questions for rings so far.
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Bell {
    pub(crate) fn ring(&self, id: &str) {
        self.rings.lock().push(json!({ "id": id, "kind": "rang", "door": "front" }));
    }

    fn account(&self, headers: &HeaderMap) -> Option<&'static str> {
        let sent = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
        self.accounts.lock().iter().find(|(token, _)| *token == sent).map(|(_, who)| *who)
    }

    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/me", get(me)).route("/rings", get(rings)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn me(State(bell): State<Bell>, headers: HeaderMap) -> Response {
    match bell.account(&headers) {
        Some(who) => axum::Json(json!({ "id": who })).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

#[derive(Debug, serde::Deserialize)]
struct After {
    after: Option<String>,
}

/// Two at a time, after the one named.
async fn rings(State(bell): State<Bell>, headers: HeaderMap, Query(asked): Query<After>) -> Response {
    bell.asked.fetch_add(1, Ordering::SeqCst);
    if let Some((status, again)) = bell.refuses.lock().pop() {
        return (StatusCode::from_u16(status).unwrap(), [("retry-after", again)], "{}").into_response();
    }
    if bell.account(&headers).is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let all = bell.rings.lock().clone();
    let start = match asked.after.as_deref() {
        None => 0,
        Some("latest") => all.len(),
        Some(at) => at.parse().unwrap(),
    };
    let found: Vec<Value> = all.into_iter().skip(start).take(2).collect();
    axum::Json(json!({ "next": (start + found.len()).to_string(), "rings": found })).into_response()
}

/// Counts commits; loses the answer of one where told to, as a kill right behind it does.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    inner: MemoryStore,
    pub(crate) commits: AtomicUsize,
    pub(crate) loses: AtomicBool,
    dead: AtomicBool,
}

#[async_trait]
impl Store for Counted {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let killed = Err(StoreError::Poisoned { folder: "memory".into(), what: "killed".into() });
        if self.dead.load(Ordering::SeqCst) {
            return killed;
        }
        self.inner.commit(delta).await?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.dead.store(self.loses.load(Ordering::SeqCst), Ordering::SeqCst);
        if self.dead.load(Ordering::SeqCst) { killed } else { Ok(()) }
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(space, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        self.inner.scan(scan).await
    }
}

/// The app, a clock that stands still, a store, and the runtime of the current process.
pub(crate) struct Place {
    pub(crate) bell: Bell,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<Counted>,
    pub(crate) runtime: Runtime,
    file: String,
    host: String,
}

impl Place {
    /// With these flows published and on.
    pub(crate) async fn new(way: &str, flows: &[&str]) -> Self {
        let bell = Bell::default();
        bell.accounts.lock().push(("s3cret", "alice"));
        let url = bell.serve().await;
        let file = BELL.replace("URL", &url).replace("WAY", way);
        let host = url.trim_start_matches("http://").to_owned();
        let (clock, store) = (Arc::new(FakeClock::default()), Arc::new(Counted::default()));
        let runtime = open(&file, &host, &clock, &store).await;
        let place = Self { bell, clock, store, runtime, file, host };
        for text in flows {
            place.publish(text).await;
        }
        place
    }

    pub(crate) async fn publish(&self, text: &str) {
        let flow = flow(&self.runtime, text);
        self.runtime.publish(&flow).await.unwrap();
        self.runtime.switch(&flow.name, true).await.unwrap().unwrap();
    }

    pub(crate) async fn switch(&self, on: bool) {
        self.runtime.switch(&name("rang"), on).await.unwrap().unwrap();
    }

    /// Another process on the same store.
    pub(crate) async fn restart(&mut self) {
        self.runtime.stop().await.ok();
        self.store.loses.store(false, Ordering::SeqCst);
        self.store.dead.store(false, Ordering::SeqCst);
        self.runtime = open(&self.file, &self.host, &self.clock, &self.store).await;
    }

    /// Connects, or authorizes the connection anew.
    pub(crate) async fn connect(&self, token: &str) {
        let app = "bell".parse().unwrap();
        let known = self.runtime.connections().connections(Some(&app)).await.unwrap();
        let mut asked = BeginConnect::new(app, Surface::Direct);
        asked.connection = known.first().map(|known| known.id);
        asked.fields = [("token".to_owned(), token.into())].into();
        let Attempt { step, .. } = self.runtime.connect(asked).await.unwrap();
        assert!(matches!(step, AttemptStep::Done { .. }), "{step:?}");
    }

    /// Drives everything; what the runs that ended told of, in order.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.runtime.run_until_idle().await.unwrap();
        let mut found = Vec::new();
        for run in self.runtime.runs(&Default::default(), None, 1_000).await.unwrap().runs {
            if run.status == Status::Finished {
                let output: Fields = self.runtime.run_view(run.id).await.unwrap().output.unwrap();
                found.push(output.get("id").as_str().unwrap().to_owned());
            }
        }
        found.sort();
        found
    }
}

pub(crate) fn name(text: &str) -> FlowName {
    text.parse().unwrap()
}

async fn open(file: &str, host: &str, clock: &Arc<FakeClock>, store: &Arc<Counted>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    let builder = Runtime::builder().store(store).clock(clock.clone()).key_bytes([7; 32]);
    builder.app_file("bell.app.yaml", file).allow_http(host).open().await.unwrap()
}
