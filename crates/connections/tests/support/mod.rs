//! A registry on a fake clock and store, before a real OAuth server (the playground) or a scripted one.
//!
//! Must never leave loopback, nor wait for real time: the clock is moved by hand.
//! Shared by the test files beside this folder.
#![allow(clippy::unwrap_used)]

pub(crate) mod keyed;
pub(crate) mod provider;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flowdeck_connections::{
    Attempt, AttemptStep, BeginConnect, MasterKey, OsRandom, Registry, RegistryOptions, RegistryParts, SecretText,
    Surface,
};
use flowdeck_egress::{Credential, Egress, EgressError, Policy, Request};
use flowdeck_engine::ports::{Authorized, Authorizer, Clock, Decision, Delta, Hold, Loss, Op, Scan, Space, Store};
use flowdeck_model::app::{AppAuth, AppDirectory, AuthField, AuthKind, AuthMethod, OAuth2, OAuthGrant};
use flowdeck_model::connect::{ConnectionView, Need};
use flowdeck_model::{AppName, ConnectionId, Millis, Nickname, RunId, StepPath};
use flowdeck_playground::{Account, AutoConsent, Controls, Options, Playground, Running, Scopes};
use flowdeck_sim::{FakeClock, FakeStore};
use parking_lot::RwLock;
use serde_json::json;

/// The apps that a test declares.
#[derive(Default)]
pub(crate) struct Apps(RwLock<HashMap<AppName, Arc<AppAuth>>>);

impl Apps {
    pub(crate) fn put(&self, auth: AppAuth) {
        self.0.write().insert(auth.app.clone(), Arc::new(auth));
    }
}

impl AppDirectory for Apps {
    fn auth(&self, app: &AppName) -> Option<Arc<AppAuth>> {
        self.0.read().get(app).cloned()
    }

    fn auths(&self) -> Vec<Arc<AppAuth>> {
        self.0.read().values().cloned().collect()
    }
}

/// An app declaration with one method, on this server.
pub(crate) fn app(name: &str, base: &str, kind: AuthKind, fields: Vec<AuthField>) -> AppAuth {
    let mut auth: AppAuth = serde_json::from_value(json!({
        "app": name, "title": name, "version": "1", "methods": [], "hosts": [base], "private_hosts": true,
        "default_scopes": ["people.read"],
        "probe": { "url": format!("{base}/oauth/userinfo"), "subject": ["/sub"], "label": ["/name"] },
    }))
    .unwrap();
    auth.methods.push(AuthMethod { key: "main".into(), title: "Sign in".into(), fields, kind, help: String::new() });
    auth
}

/// OAuth settings against this server, with the client id in the declaration.
pub(crate) fn oauth(base: &str, grants: &[OAuthGrant]) -> OAuth2 {
    let mut oauth: OAuth2 = serde_json::from_value(json!({
        "grants": [], "authorize_url": format!("{base}/oauth/authorize"), "token_url": format!("{base}/oauth/token"),
        "device_url": format!("{base}/oauth/device_authorization"), "revoke_url": format!("{base}/oauth/revoke"),
        "client_id": "flowdeck-cli", "client_auth": "none", "redirect": "any_port",
    }))
    .unwrap();
    oauth.grants = grants.to_vec();
    oauth
}

pub(crate) fn field(key: &str, secret: bool) -> AuthField {
    serde_json::from_value(json!({ "key": key, "title": key, "secret": secret })).unwrap()
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretText> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), SecretText::from(*v))).collect()
}

pub(crate) fn nick(text: &str) -> Nickname {
    Nickname::new(text).unwrap()
}

pub(crate) fn name(text: &str) -> AppName {
    AppName::new(text).unwrap()
}

pub(crate) fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// What a card of slot `slot` in flow `flow` needs.
pub(crate) fn need(app: &str, flow: &str, slot: &str, scopes: &[&str]) -> Need {
    Need {
        app: name(app),
        flow: flow.parse().unwrap(),
        slot: slot.parse().unwrap(),
        nickname: None,
        scopes: texts(scopes),
        also: Vec::new(),
        card: format!("{app}/card").parse().unwrap(),
        card_title: format!("Card of {flow}/{slot}"),
        step: None,
    }
}

pub(crate) fn of_run(need: &Need, run: u128) -> Need {
    let path: StepPath = serde_json::from_value(json!("cards.one")).unwrap();
    Need { step: Some((RunId::from_bytes(run.to_be_bytes()), path)), ..need.clone() }
}

/// A registry and what is around it.
pub(crate) struct Bench {
    pub(crate) apps: Arc<Apps>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) egress: Egress,
    pub(crate) registry: Registry,
    pub(crate) options: RegistryOptions,
}

pub(crate) const KEY: [u8; 32] = [42; 32];

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(RegistryOptions::default()).await
    }

    pub(crate) async fn with(options: RegistryOptions) -> Self {
        let (apps, clock) = (Arc::<Apps>::default(), Arc::<FakeClock>::default());
        Self::on(apps, clock, Arc::default(), options).await
    }

    async fn on(apps: Arc<Apps>, clock: Arc<FakeClock>, store: Arc<FakeStore>, options: RegistryOptions) -> Self {
        let egress = Egress::new(Policy::default()).unwrap();
        // Whoever reads and then writes without a lock loses what others wrote meanwhile.
        store.take_turns();
        let registry = Registry::open(parts(&apps, &clock, store.clone(), &egress, &options)).await.unwrap();
        Self { apps, clock, store, egress, registry, options }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// An app's declaration as it is now.
    pub(crate) fn auth(&self, app: &str) -> AppAuth {
        self.apps.auth(&name(app)).unwrap().as_ref().clone()
    }

    /// The same data folder, opened again by another process.
    pub(crate) async fn restart(&self) -> Self {
        let store = Arc::new(self.store.reopen());
        Self::on(self.apps.clone(), self.clock.clone(), store, self.options.clone()).await
    }

    pub(crate) async fn commit(&self, ops: Vec<Op>) {
        let delta = Delta { ops, ..Delta::new(self.store.epoch()) };
        self.store.commit(delta).await.unwrap();
    }

    /// The credential for a need; its operations are committed, as the engine does.
    pub(crate) async fn ready(&self, need: &Need) -> Authorized {
        match self.registry.authorize(need).await.unwrap() {
            Decision::Ready(authorized, ops) => {
                self.commit(ops).await;
                authorized
            }
            other => panic!("not ready: {other:?}"),
        }
    }

    /// The wait for a need; its operations are committed, as the engine does.
    pub(crate) async fn held(&self, need: &Need) -> Hold {
        let hold = self.wait(need).await;
        self.commit(hold.ops.clone()).await;
        hold
    }

    /// The wait for a need, not committed.
    pub(crate) async fn wait(&self, need: &Need) -> Hold {
        match self.registry.authorize(need).await.unwrap() {
            Decision::Wait(hold) => hold,
            other => panic!("no wait: {other:?}"),
        }
    }

    /// Tells the registry that the app refused the credential.
    pub(crate) async fn refuse(&self, need: &Need, used: &Authorized) -> Decision {
        self.registry.refused(need, used, Loss::Unauthorized { detail: "no".into() }).await.unwrap()
    }

    /// Sends a GET with the credential.
    pub(crate) async fn get(&self, used: &Authorized, url: &str) -> Result<(u16, String), EgressError> {
        let mut request = Request::new(http::Method::GET, url.parse().unwrap());
        let handle = used.handle.downcast_ref::<Arc<dyn Credential>>().unwrap().clone();
        request.credential = Some(handle);
        let url: url::Url = url.parse().unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        request.app_hosts = [target.parse().unwrap()].into_iter().collect();
        let response = self.egress.send(request).await?;
        Ok((response.status.as_u16(), String::from_utf8_lossy(&response.body).into_owned()))
    }

    pub(crate) async fn begin(&self, app: &str, nickname: &str, surface: Surface, fields: &[(&str, &str)]) -> Attempt {
        let mut asked = BeginConnect::new(name(app), surface);
        asked.nickname = Some(nick(nickname));
        asked.fields = form(fields);
        self.registry.begin(asked).await.unwrap()
    }

    /// Every key and value of the store.
    pub(crate) async fn everything(&self) -> Vec<(Space, Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for space in Space::ALL {
            let found = self.store.scan(Scan::prefix(space, Vec::new(), usize::MAX)).await.unwrap();
            all.extend(found.into_iter().map(|(key, value)| (space, key, value)));
        }
        all
    }

    /// Lets tasks that were started go on until `done`; they need no time, only turns.
    pub(crate) async fn until(&self, mut done: impl AsyncFnMut() -> bool) {
        for _ in 0..10_000 {
            if done().await {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it did not come to be");
    }
}

pub(crate) fn parts(
    apps: &Arc<Apps>,
    clock: &Arc<FakeClock>,
    store: Arc<FakeStore>,
    egress: &Egress,
    options: &RegistryOptions,
) -> RegistryParts {
    RegistryParts {
        store,
        clock: clock.clone(),
        egress: egress.clone(),
        apps: apps.clone(),
        key: MasterKey::from_bytes(KEY),
        options: options.clone(),
        random: Arc::new(OsRandom),
    }
}

pub(crate) fn done(attempt: Attempt) -> ConnectionView {
    match attempt.step {
        AttemptStep::Done { connection, .. } => *connection,
        other => panic!("not done: {other:?}"),
    }
}

/// Code and message of an attempt that ended without a connection.
pub(crate) fn failed(attempt: Attempt) -> (String, String) {
    match attempt.step {
        AttemptStep::Failed(fault) => (fault.code, fault.message),
        other => panic!("not failed: {other:?}"),
    }
}

pub(crate) fn authorize_url(attempt: &Attempt) -> String {
    match &attempt.step {
        AttemptStep::Browser { authorize_url, .. } => authorize_url.clone(),
        other => panic!("no browser: {other:?}"),
    }
}

pub(crate) fn query_of(url: &str) -> BTreeMap<String, String> {
    let url: url::Url = url.parse().unwrap();
    url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

pub(crate) const BROWSER: Surface = Surface::Browser { redirect_uri: None };

/// A bench with a running playground, whose clock is the bench's.
pub(crate) struct Lab {
    pub(crate) bench: Bench,
    pub(crate) running: Running,
    pub(crate) http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Lab {
    type Target = Bench;
    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(steer: impl FnOnce(&mut Options)) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let bench = Bench::new().await;
        let folder = tempfile::tempdir().unwrap();
        let clock = bench.clock.clone();
        let mut options = Options::new(folder.path(), Arc::new(move || clock.now().0));
        steer(&mut options);
        let running = Playground::start(options).await.unwrap();
        let base = running.base_url.clone();
        let mut kind = oauth(&base, &[OAuthGrant::AuthorizationCode, OAuthGrant::Device]);
        kind.rotation = serde_json::from_value(json!({ "single_use": { "grace_s": 5 } })).unwrap();
        kind.issuer = Some(base.clone());
        let mut auth = app("playground", &base, AuthKind::OAuth2(Box::new(kind)), vec![]);
        auth.methods.push(AuthMethod {
            key: "token".into(),
            title: "API token".into(),
            fields: vec![field("api_token", true)],
            kind: serde_json::from_value(
                json!({ "headers": { "headers": { "Authorization": "PlayToken {api_token}" } } }),
            )
            .unwrap(),
            help: String::new(),
        });
        bench.apps.put(auth);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { bench, running, http, _folder: folder }
    }

    pub(crate) fn controls(&self) -> Controls {
        self.running.controls().unwrap()
    }

    pub(crate) fn people(&self) -> String {
        format!("{}/api/people", self.running.base_url)
    }

    /// Opens the URL as a browser whose person presses Allow at once; the URL it is sent back to.
    pub(crate) async fn allow(&self, url: &str, account: Account, scopes: Option<Scopes>) -> String {
        self.controls().set_consent(Some(AutoConsent { account, scopes }));
        self.visit(url).await
    }

    pub(crate) async fn visit(&self, url: &str) -> String {
        let response = self.http.get(url).send().await.unwrap();
        let location = response.headers().get("location").map(|l| l.to_str().unwrap().to_owned());
        match location {
            Some(location) => location,
            None => panic!("the server sent nobody back: {}", response.text().await.unwrap()),
        }
    }

    /// Begins in the browser and comes back from it as `account`.
    pub(crate) async fn sign_in(&self, asked: BeginConnect, account: Account) -> Attempt {
        let attempt = self.registry.begin(asked).await.unwrap();
        let back = self.allow(&authorize_url(&attempt), account, None).await;
        self.registry.callback(&back).await.unwrap()
    }

    /// A connection to the playground by OAuth.
    pub(crate) async fn connect(&self, nickname: &str, account: Account) -> ConnectionView {
        let mut asked = BeginConnect::new(name("playground"), BROWSER);
        asked.nickname = Some(nick(nickname));
        done(self.sign_in(asked, account).await)
    }

    /// Signs in again to the same connection.
    pub(crate) async fn repair(&self, id: ConnectionId, account: Account) -> Attempt {
        let mut asked = BeginConnect::new(name("playground"), BROWSER);
        asked.connection = Some(id);
        self.sign_in(asked, account).await
    }

    /// Registers a confidential client for this redirect URI.
    pub(crate) async fn client(&self, redirect_uri: &str, auth: &str) -> (String, String) {
        let body = json!({
            "client_name": "bench", "redirect_uris": [redirect_uri], "token_endpoint_auth_method": auth,
            "scope": "people.read people.write groups.read groups.write hooks.manage",
        });
        let url = format!("{}/oauth/register", self.running.base_url);
        let request = self.http.post(url).header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("client_id"), text("client_secret"))
    }
}
