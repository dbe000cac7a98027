//! Walks every flow of the playground over HTTP, as a stranger's client would.
//!
//! Must never reach beyond loopback, nor wait for real time: the clock is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use flowdeck_playground::{Account, AutoConsent, Options, Playground, Running};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:8917/callback";
const ALL: &str = "people.read people.write groups.read groups.write hooks.manage";

struct Walk {
    folder: tempfile::TempDir,
    now_ms: Arc<AtomicI64>,
    running: Running,
    client: Client,
}

impl Walk {
    async fn start() -> Walk {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicI64::new(1_780_000_000_000));
        let running = Playground::start(options(&folder, &now_ms)).await.unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Walk { folder, now_ms, running, client }
    }

    fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.running.base_url));
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
    }

    async fn api(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let url = format!("{}{path}", self.running.base_url);
        let request = self.client.request(method, url).header("authorization", token);
        request.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap()
    }

    async fn authorize(&self, more: &[(&str, &str)]) -> Response {
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

    async fn code(&self, account: Account) -> String {
        let consent = AutoConsent { account, scopes: None };
        self.running.controls().unwrap().set_consent(Some(consent));
        back(&self.authorize(&[]).await, "code").unwrap()
    }

    async fn redeem(&self, code: &str, verifier: &str) -> (u16, Value) {
        let fields = [("grant_type", "authorization_code"), ("client_id", "flowdeck-cli"), ("redirect_uri", BACK)];
        answer(self.post("/oauth/token", &[&fields[..], &[("code", code), ("code_verifier", verifier)]].concat()).await)
            .await
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        let fields = [("grant_type", "refresh_token"), ("client_id", "flowdeck-cli"), ("refresh_token", token)];
        answer(self.post("/oauth/token", &fields).await).await
    }

    async fn tokens(&self, account: Account) -> (String, String) {
        let (status, body) = self.redeem(&self.code(account).await, VERIFIER).await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (format!("Bearer {}", text("access_token")), text("refresh_token"))
    }
}

fn options(folder: &tempfile::TempDir, now_ms: &Arc<AtomicI64>) -> Options {
    let now_ms = Arc::clone(now_ms);
    Options::new(folder.path(), Arc::new(move || now_ms.load(Ordering::SeqCst)))
}

async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}

fn back(response: &Response, name: &str) -> Option<String> {
    let url = Url::parse(response.headers().get("location")?.to_str().ok()?).ok()?;
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_person_who_unticks_a_scope_grants_less_and_the_browser_goes_back_with_state_and_iss() {
    let walk = Walk::start().await;
    let html = walk.authorize(&[]).await.text().await.unwrap();
    let ticket = html.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [("ticket", ticket), ("account", "robin"), ("scope", "groups.read"), ("decision", "allow")];
    let response = walk.post("/oauth/authorize", &form).await;
    assert_eq!(back(&response, "state").as_deref(), Some("s-1"));
    assert_eq!(back(&response, "iss").as_deref(), Some(walk.running.base_url.as_str()));
    let (_, body) = walk.redeem(&back(&response, "code").unwrap(), VERIFIER).await;
    assert_eq!(body["scope"], "people.read groups.read");
    assert_eq!(walk.post("/oauth/authorize", &form).await.status(), 400, "a ticket is good once");
}

#[tokio::test]
async fn a_wrong_redirect_is_never_followed_and_missing_pkce_is_sent_back() {
    let walk = Walk::start().await;
    let wrong = walk.authorize(&[("redirect_uri", "http://127.0.0.1:8917/elsewhere")]).await;
    assert_eq!((wrong.status().as_u16(), wrong.headers().get("location")), (400, None));
    let plain = walk.authorize(&[("code_challenge_method", "plain")]).await;
    assert_eq!(back(&plain, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_wrong_verifier_burns_the_code_and_a_replayed_code_ends_what_it_gave() {
    let walk = Walk::start().await;
    let code = walk.code(Account::Robin).await;
    assert_eq!(walk.redeem(&code, &"x".repeat(43)).await.1["error"], "invalid_grant");
    assert_eq!(walk.redeem(&code, VERIFIER).await.0, 400);
    let code = walk.code(Account::Robin).await;
    let (_, body) = walk.redeem(&code, VERIFIER).await;
    let token = format!("Bearer {}", body["access_token"].as_str().unwrap());
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
    assert_eq!(walk.redeem(&code, VERIFIER).await.0, 400);
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 401);
}

#[tokio::test]
async fn a_rotated_refresh_token_works_in_its_grace_and_ends_the_grant_after() {
    let walk = Walk::start().await;
    let (_, first) = walk.tokens(Account::Robin).await;
    let (_, body) = walk.refresh(&first).await;
    let second = body["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(walk.refresh(&first).await.0, 200);
    walk.pass(6);
    assert_eq!(walk.refresh(&first).await.1["error"], "invalid_grant");
    assert_eq!(walk.refresh(&second).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_device_waits_is_slowed_down_and_gets_its_tokens_once() {
    let walk = Walk::start().await;
    let (_, start) = answer(walk.post("/oauth/device_authorization", &[("client_id", "flowdeck-cli")]).await).await;
    let code = start["device_code"].as_str().unwrap();
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "flowdeck-cli"),
        ("device_code", code),
    ];
    for (wait_s, expected) in [(0, "authorization_pending"), (1, "slow_down"), (10, "authorization_pending")] {
        walk.pass(wait_s);
        assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.1["error"], expected);
    }
    let controls = walk.running.controls().unwrap();
    controls.answer_device(start["user_code"].as_str().unwrap(), Some((Account::Sam, None))).await.unwrap();
    walk.pass(10);
    assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.0, 200);
    walk.pass(10);
    assert_eq!(answer(walk.post("/oauth/token", &fields).await).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_token_along_and_introspection_says_so() {
    let walk = Walk::start().await;
    let (access, refresh) = walk.tokens(Account::Robin).await;
    let fields = [("client_id", "flowdeck-cli"), ("token", &access["Bearer ".len()..])];
    assert_eq!(answer(walk.post("/oauth/introspect", &fields).await).await.1["sub"], "robin");
    assert_eq!(walk.post("/oauth/revoke", &[("client_id", "flowdeck-cli"), ("token", &refresh)]).await.status(), 200);
    assert_eq!(answer(walk.post("/oauth/introspect", &fields).await).await.1, json!({ "active": false }));
}

#[tokio::test]
async fn staff_may_look_and_not_change() {
    let walk = Walk::start().await;
    let (sam, _) = walk.tokens(Account::Sam).await;
    assert_eq!(walk.api(Method::GET, "/api/people", &sam, None).await.status(), 200);
    let refused = walk.api(Method::POST, "/api/people/per_0002/suspend", &sam, None).await;
    assert!(refused.headers().get("www-authenticate").is_none());
    assert_eq!(answer(refused).await.1["error"], "forbidden");
}

#[tokio::test]
async fn pages_lead_through_everybody_once() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let (mut path, mut seen) = ("/api/people?limit=10".to_owned(), Vec::new());
    for _ in 0..3 {
        let (_, body) = answer(walk.api(Method::GET, &path, &token, None).await).await;
        seen.extend(body["people"].as_array().unwrap().iter().map(|person| person["id"].to_string()));
        path = format!("/api/people?limit=10&cursor={}", body["next"].as_str().unwrap_or_default());
    }
    seen.dedup();
    assert_eq!(seen.len(), 24);
}

#[tokio::test]
async fn the_same_idempotency_key_adds_one_person() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    let post = async |body: &'static str| {
        let request = walk.client.post(format!("{}/api/people", walk.running.base_url));
        let request = request.header("authorization", &token).header("idempotency-key", "k-1").body(body);
        answer(request.send().await.unwrap()).await
    };
    let first = post(r#"{"name":"Ada New","email":"ada@example.com"}"#).await;
    assert_eq!((first.0, post(r#"{"name":"Ada New","email":"ada@example.com"}"#).await), (201, first.clone()));
    assert_eq!(post(r#"{"name":"Eve New","email":"eve@example.com"}"#).await.1["error"], "idempotency_key_reused");
}

#[tokio::test]
async fn a_restart_keeps_port_and_tokens_and_the_file_holds_no_token() {
    let walk = Walk::start().await;
    let (token, refresh) = walk.tokens(Account::Robin).await;
    let again = Playground::start(options(&walk.folder, &walk.now_ms)).await.unwrap();
    assert_eq!((again.started, again.port), (false, walk.running.port));
    let port = walk.running.port;
    walk.running.stop().await;
    let running = Playground::start(options(&walk.folder, &walk.now_ms)).await.unwrap();
    assert_eq!((running.started, running.port), (true, port));
    let file = std::fs::read_to_string(walk.folder.path().join("playground.json")).unwrap();
    assert!(!file.contains(&token["Bearer ".len()..]) && !file.contains(&refresh));
    let walk = Walk { running, ..Walk::start().await };
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
}
