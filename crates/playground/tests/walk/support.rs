//! What every walk needs: a playground with a clock moved by hand, and a stranger's HTTP client.
//!
//! Must never reach beyond loopback.
//! Tests: used by all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use flowdeck_playground::{Account, AutoConsent, Options, Playground, Running};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const BACK: &str = "http://127.0.0.1:8917/callback";
pub(crate) const ALL: &str = "people.read people.write groups.read groups.write hooks.manage";

pub(crate) struct Walk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) now_ms: Arc<AtomicI64>,
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl Walk {
    pub(crate) async fn start() -> Walk {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicI64::new(1_780_000_000_000));
        let running = Playground::start(options(&folder, &now_ms)).await.unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Walk { folder, now_ms, running, client }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) async fn try_post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Response, reqwest::Error> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.running.base_url));
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.try_post(path, fields).await.unwrap()
    }

    pub(crate) async fn api(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let url = format!("{}{path}", self.running.base_url);
        let request = self.client.request(method, url).header("authorization", token);
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        request.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap()
    }

    pub(crate) async fn authorize(&self, more: &[(&str, &str)]) -> Response {
        let mut url = Url::parse(&format!("{}/oauth/authorize", self.running.base_url)).unwrap();
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", "flowdeck-cli"),
            ("redirect_uri", BACK),
            ("scope", ALL),
            ("state", "s-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        url.query_pairs_mut().extend_pairs(fields).extend_pairs(more);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn code(&self, account: Account) -> String {
        let consent = AutoConsent { account, scopes: None };
        self.running.controls().unwrap().set_consent(Some(consent));
        back(&self.authorize(&[]).await, "code").unwrap()
    }

    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> (u16, Value) {
        let fields = [("grant_type", "authorization_code"), ("client_id", "flowdeck-cli"), ("redirect_uri", BACK)];
        answer(self.post("/oauth/token", &[&fields[..], &[("code", code), ("code_verifier", verifier)]].concat()).await)
            .await
    }

    pub(crate) async fn refresh(&self, token: &str) -> (u16, Value) {
        let fields = [("grant_type", "refresh_token"), ("client_id", "flowdeck-cli"), ("refresh_token", token)];
        answer(self.post("/oauth/token", &fields).await).await
    }

    pub(crate) async fn tokens(&self, account: Account) -> (String, String) {
        let (status, body) = self.redeem(&self.code(account).await, VERIFIER).await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (format!("Bearer {}", text("access_token")), text("refresh_token"))
    }
}

pub(crate) fn options(folder: &tempfile::TempDir, now_ms: &Arc<AtomicI64>) -> Options {
    let now_ms = Arc::clone(now_ms);
    Options::new(folder.path(), Arc::new(move || now_ms.load(Ordering::SeqCst)))
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

pub(crate) fn back(response: &Response, name: &str) -> Option<String> {
    let url = Url::parse(response.headers().get("location")?.to_str().ok()?).ok()?;
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// The ticket of a page's first form.
pub(crate) fn ticket(html: &str) -> String {
    html.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}
