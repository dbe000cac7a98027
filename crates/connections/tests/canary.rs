//! Secrets of a whole story (connect in every way, renew, lose, repair, test, remove) appear nowhere.
//!
//! Must never leave loopback. One test, because it listens to everything that the process traces.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::io::Write;
use std::sync::Arc;

use base64::Engine as _;
use flowdeck_connections::{Attempt, AttemptStep, BeginConnect, PromptFilter, Surface};
use flowdeck_engine::ports::{Authorizer, Decision, Loss};
use flowdeck_model::app::{AuthKind, ClientAuth, OAuthGrant};
use parking_lot::Mutex;
use serde_json::json;
use support::provider::{Provider, account, json_reply, token};
use support::{BROWSER, Bench, app, authorize_url, done, field, name, need, nick, oauth, query_of};

const SECRETS: [&str; 9] = [
    "CANARY-client-secret",
    "CANARY-access-1",
    "CANARY-access-2",
    "CANARY-refresh-1",
    "CANARY-refresh-2",
    "CANARY-code",
    "CANARY-device-code",
    "CANARY-api-token",
    "CANARY/pass word",
];

/// Everything that anybody could see, gathered.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<u8>>>);

impl Write for Watch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Watch {
    fn debug(&self, value: &impl std::fmt::Debug) {
        let shown = format!("{value:?}\n{value:#?}\n");
        self.0.lock().extend_from_slice(shown.as_bytes());
    }

    fn json(&self, value: &(impl std::fmt::Debug + serde::Serialize)) {
        self.debug(value);
        self.0.lock().extend_from_slice(&serde_json::to_vec(value).unwrap());
    }

    fn error(&self, value: &(impl std::fmt::Debug + std::fmt::Display)) {
        self.debug(value);
        self.0.lock().extend_from_slice(value.to_string().as_bytes());
    }

    /// Finds a secret in any form in which it could have travelled.
    fn check_clean(what: &str, bytes: &[u8], more: &[String]) {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for secret in SECRETS.iter().map(|s| (*s).to_owned()).chain(more.iter().cloned()) {
            let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&secret);
            let bearer = base64::engine::general_purpose::STANDARD_NO_PAD.encode(format!("user:{secret}"));
            let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
            for form in [secret.clone(), url, base64, bearer, hex] {
                let found = text.find(&form.to_lowercase());
                let around = found.map(|at| text.get(at.saturating_sub(80)..at + 20).unwrap_or("…").to_owned());
                assert!(found.is_none(), "{what} shows {secret}: {around:?}");
            }
        }
    }
}

async fn begin(
    bench: &Bench,
    watch: &Watch,
    app: &str,
    nickname: &str,
    surface: Surface,
    form: &[(&str, &str)],
) -> Attempt {
    let mut asked = BeginConnect::new(name(app), surface);
    (asked.nickname, asked.fields) = (Some(nick(nickname)), support::form(form));
    watch.debug(&asked);
    let attempt = bench.registry.begin(asked).await.unwrap();
    watch.json(&attempt);
    attempt
}

fn declare(bench: &Bench, base: &str) {
    let mut kind = oauth(base, &[OAuthGrant::AuthorizationCode, OAuthGrant::Device]);
    (kind.client_id, kind.client_auth) = (None, ClientAuth::Body);
    let fields = || vec![field("client_id", false), field("client_secret", true)];
    bench.apps.put(app("m", base, AuthKind::OAuth2(Box::new(kind.clone())), fields()));
    kind.client_auth = ClientAuth::Basic;
    bench.apps.put(app("n", base, AuthKind::OAuth2(Box::new(kind)), fields()));
    let key: AuthKind = serde_json::from_value(json!({ "headers": {
        "headers": { "X-Key": "{key}" }, "query": { "key": "{key}" } } }))
    .unwrap();
    bench.apps.put(app("key", base, key, vec![field("key", true)]));
    let basic = AuthKind::Basic { username: "user".into(), password: "{password}".into() };
    bench.apps.put(app("basic", base, basic, vec![field("password", true)]));
}

#[tokio::test]
async fn no_secret_is_seen_anywhere_in_a_whole_story() {
    let watch = Watch::default();
    let traced = watch.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || traced.clone())
        .init();
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    declare(&bench, &provider.base);
    let client = [("client_id", "id"), ("client_secret", "CANARY-client-secret")];
    provider.script(|seen| match seen.path.as_str() {
        "/oauth/token" => token("CANARY-access-1", Some("CANARY-refresh-1")),
        "/oauth/device_authorization" => json_reply(
            200,
            &json!({ "device_code": "CANARY-device-code", "user_code": "ABCD", "verification_uri": "https://x.example" }),
        ),
        _ => account("sub-1"),
    });

    // Connected in every way.
    let mut verifiers = Vec::new();
    for app_name in ["m", "n"] {
        let attempt = begin(&bench, &watch, app_name, "browser", BROWSER, &client).await;
        let state = query_of(&authorize_url(&attempt))["state"].clone();
        let made = bench.registry.callback(&format!("code=CANARY-code&state={state}")).await.unwrap();
        watch.json(&made);
        done(made);
        verifiers.extend(provider.token_calls().last().unwrap().form().get("code_verifier").cloned());
    }
    assert_eq!(verifiers.len(), 2);
    let device = begin(&bench, &watch, "m", "device", Surface::Device, &client).await;
    bench.clock.advance(5_000);
    watch.json(&bench.registry.poll_device(device.id).await.unwrap());
    begin(&bench, &watch, "key", "key", Surface::Direct, &[("key", "CANARY-api-token")]).await;
    begin(&bench, &watch, "basic", "basic", Surface::Direct, &[("password", "CANARY/pass word")]).await;

    // Used and renewed.
    let wanted =
        flowdeck_model::connect::Need { nickname: Some(nick("browser")), ..need("m", "f", "s", &["people.read"]) };
    let used = bench.ready(&wanted).await;
    watch.debug(&used);
    bench.get(&used, &format!("{}/api", provider.base)).await.unwrap();
    bench.clock.advance(3_600_000);
    provider.tokens(|_| token("CANARY-access-2", Some("CANARY-refresh-2")));
    let used = bench.ready(&wanted).await;
    assert_eq!(used.generation, 2);

    // The other side repeats what it was sent, in every place where words of it are kept.
    bench.clock.advance(3_600_000);
    provider.tokens(|seen| {
        json_reply(400, &json!({ "error": format!("bad {}", seen.body), "error_description": seen.body }))
    });
    watch.debug(&bench.registry.authorize(&wanted).await.unwrap());
    provider.tokens(|seen| json_reply(400, &json!({ "error": seen.form().get("refresh_token") })));
    bench.clock.advance(3_600_000);
    watch.debug(&bench.registry.authorize(&wanted).await.unwrap());
    let attempt = begin(&bench, &watch, "m", "echo", BROWSER, &client).await;
    provider.tokens(|seen| json_reply(400, &json!({ "error": seen.form().get("code") })));
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    watch.json(&bench.registry.callback(&format!("code=CANARY-code&state={state}")).await.unwrap());
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    bench.clock.advance(3_600_000);
    let used = match bench.registry.authorize(&wanted).await.unwrap() {
        Decision::Wait(hold) => {
            watch.debug(&hold);
            bench.commit(hold.ops).await;
            used
        }
        other => panic!("{other:?}"),
    };

    // Lost by the app's word, shown, repaired.
    let key_need = need("key", "f", "k", &[]);
    let key_used = bench.ready(&key_need).await;
    provider.script(|_| json_reply(401, &json!({ "error": "no" })));
    let loss = Loss::Unauthorized { detail: "the token CANARY-api-token is not known".into() };
    watch.debug(&loss_free(bench.registry.refused(&key_need, &key_used, loss).await.unwrap(), &bench).await);
    for prompt in bench.registry.prompts(&PromptFilter::default()).await.unwrap() {
        watch.json(&prompt);
    }
    provider.usual();
    let id = used.connection;
    let again = BeginConnect { connection: Some(id), ..BeginConnect::new(name("m"), BROWSER) };
    let attempt = bench.registry.begin(again).await.unwrap();
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    watch.json(&bench.registry.callback(&format!("code=CANARY-code&state={state}")).await.unwrap());
    watch.json(&bench.registry.test(id).await.unwrap());

    // Errors, views, audit.
    for refusal in [
        bench.registry.callback("code=CANARY-code&state=CANARY-code").await.map(|_| ()).unwrap_err(),
        bench.registry.paste(attempt.id, "CANARY-code").await.map(|_| ()).unwrap_err(),
        bench.registry.begin(wrong_form()).await.map(|_| ()).unwrap_err(),
    ] {
        watch.error(&refusal);
    }
    for connection in bench.registry.connections(None).await.unwrap() {
        watch.json(&connection);
    }
    watch.json(&bench.registry.preflight(&[wanted.clone(), key_need]).await.unwrap());
    watch.debug(&bench.registry);
    watch.json(&bench.registry.disconnect(id).await.unwrap());
    let audit = bench.registry.audit(1_000, None).await.unwrap();
    assert!(audit.len() > 8, "the story left its traces: {audit:?}");
    watch.json(&audit);

    let seen = watch.0.lock().clone();
    assert!(seen.len() > 10_000, "something was watched");
    Watch::check_clean("an answer, an error or the trace", &seen, &verifiers);
    for (space, key, value) in bench.everything().await {
        Watch::check_clean(&format!("the key of a record in {space:?}"), &key, &verifiers);
        Watch::check_clean(&format!("a record in {space:?}"), &value, &verifiers);
    }
}

fn wrong_form() -> BeginConnect {
    let fields = support::form(&[("password", ""), ("CANARY", "CANARY-api-token"), ("user", "CANARY/pass word")]);
    BeginConnect { fields, ..BeginConnect::new(name("basic"), Surface::Direct) }
}

/// The decision after its commit.
async fn loss_free(decision: Decision, bench: &Bench) -> Decision {
    if let Decision::Wait(hold) = &decision {
        bench.commit(hold.ops.clone()).await;
    }
    decision
}

/// The watch itself finds what it should.
#[test]
fn a_shown_secret_would_be_found() {
    let attempt =
        AttemptStep::Browser { authorize_url: "x?code=CANARY-code".into(), redirect_uri: "".into(), state: "".into() };
    let shown = format!("{attempt:?}");
    assert!(std::panic::catch_unwind(|| Watch::check_clean("it", shown.as_bytes(), &[])).is_err());
}
