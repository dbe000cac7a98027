//! Attacks and accidents: foreign answers, other issuers, redirects, changed or moved ciphertexts, wrong keys.
//!
//! Must never leave loopback. Requirement numbers (S2, S3, …) are those of the connection security list.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use flowdeck_connections::{
    Attempt, BeginConnect, ConnectError, MasterKey, OsRandom, Registry, RegistryOptions, RegistryParts, SealError,
    Surface,
};
use flowdeck_engine::ports::{Authorizer, Decision, Op, Space};
use flowdeck_model::app::{AuthKind, OAuthGrant, RedirectPolicy};
use flowdeck_model::connect::{ConnectionState, PromptReason};
use flowdeck_sim::FakeStore;
use serde_json::json;
use support::provider::{Provider, Reply, account, json_reply, text_reply, token};
use support::{BROWSER, Bench, app, authorize_url, done, failed, field, name, need, nick, oauth, query_of};

async fn bench(provider: &Provider, policy: RedirectPolicy, issuer: Option<&str>) -> Bench {
    let bench = Bench::new().await;
    for app_name in ["m", "n"] {
        let mut kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode, OAuthGrant::Device]);
        (kind.redirect, kind.issuer) = (policy, issuer.map(str::to_owned));
        bench.apps.put(app(app_name, &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    }
    bench
}

fn state_of(attempt: &Attempt) -> String {
    query_of(&authorize_url(attempt))["state"].clone()
}

/// What a call with this answer is refused with; no call to the provider may come of it.
async fn check_refused(bench: &Bench, provider: &Provider, answer: &str, code: &str) {
    let refusal = bench.registry.callback(answer).await.unwrap_err();
    assert_eq!(refusal.code(), code, "{answer}");
    assert!(provider.seen().is_empty(), "{answer}: nothing is sent");
    assert!(bench.registry.connections(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_without_the_right_state_or_at_another_apps_address_is_refused() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let state = state_of(&attempt);
    for answer in [
        "",
        "code=1",
        "code=1&state=",
        "code=1&state=guess",
        &format!("code=1&state={state}x"),
        &format!("code=1&state=guess&state={state}"),
        &format!("/oauth/callback/n?code=1&state={state}"),
        &format!("/oauth/callback/m/../n?code=1&state={state}"),
        &format!("http://127.0.0.1:8917/?code=1&state={state}"),
        &format!("not a url?code=1&state={state}"),
    ] {
        check_refused(&bench, &provider, answer, "connect.unknown_state").await;
    }
    // What stands beyond the limit of parameters is not read.
    let padded = format!("{}code=1&state={state}", "x=1&".repeat(64));
    check_refused(&bench, &provider, &padded, "connect.unknown_state").await;
    let other = bench.begin("m", "y", BROWSER, &[]).await;
    let refusal = bench.registry.paste(other.id, &format!("code=1&state={state}")).await.unwrap_err();
    assert_eq!(refusal.code(), "connect.wrong_paste", "the state of another attempt");
    let made = bench.registry.callback(&format!("http://127.0.0.1:8917/oauth/callback/m?code=1&state={state}")).await;
    assert_eq!(done(made.unwrap()).nickname.as_str(), "x");
}

#[tokio::test]
async fn an_answer_counts_once_and_a_code_is_sent_once() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let answer = format!("code=1&state={}", state_of(&attempt));
    let (one, two) = tokio::join!(bench.registry.callback(&answer), bench.registry.callback(&answer));
    assert_eq!([&one, &two].iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(provider.token_calls().len(), 1);
    for refusal in [bench.registry.callback(&answer).await, bench.registry.paste(attempt.id, "1").await] {
        assert!(matches!(refusal, Err(ConnectError::UnknownState | ConnectError::AttemptOver { .. })), "{refusal:?}");
    }
    assert_eq!(provider.token_calls().len(), 1);
    // Also when the exchange failed: the code may have been taken.
    provider.tokens(|_| text_reply(503, ""));
    let attempt = bench.begin("m", "y", BROWSER, &[]).await;
    assert_eq!(failed(bench.registry.paste(attempt.id, "2").await.unwrap()).0, "unreachable");
    assert_eq!(bench.registry.paste(attempt.id, "2").await.unwrap_err().code(), "connect.attempt_over");
    assert_eq!(provider.token_calls().len(), 2);
}

#[tokio::test]
async fn a_code_is_not_sent_again_by_the_process_after_one_that_died_while_sending_it() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let answer = format!("code=1&state={}", state_of(&attempt));
    let store = bench.store.clone();
    provider.tokens(move |_| {
        store.kill();
        token("a", None)
    });
    assert_eq!(bench.registry.callback(&answer).await.unwrap_err().code(), "connect.store");
    let bench = bench.restart().await;
    assert_eq!(bench.registry.callback(&answer).await.unwrap_err().code(), "connect.unknown_state");
    assert_eq!(bench.registry.paste(attempt.id, "1").await.unwrap_err().code(), "connect.attempt_over");
    assert_eq!(failed(bench.registry.attempt(attempt.id).await.unwrap()).0, "interrupted");
    assert_eq!(provider.token_calls().len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    bench.clock.advance(10 * 60_000);
    check_refused(&bench, &provider, &format!("code=1&state={}", state_of(&attempt)), "connect.attempt_over").await;
    assert_eq!(failed(bench.registry.attempt(attempt.id).await.unwrap()).0, "expired");
}

#[tokio::test]
async fn an_answer_of_another_issuer_ends_the_attempt_without_a_call() {
    let provider = Provider::start().await;
    for (issuer, sent, fits) in [
        (Some("https://honest.example"), "https://evil.example", false),
        (Some("https://honest.example"), "https://honest.example/", false),
        (Some("https://honest.example"), "https://honest.example", true),
        (Some("https://honest.example"), "", false),
        (None, "https://evil.example", false),
        (None, "not a url", false),
        (None, provider.base.as_str(), true),
    ] {
        let bench = bench(&provider, RedirectPolicy::Registered, issuer).await;
        let attempt = bench.begin("m", "x", BROWSER, &[]).await;
        let calls = provider.token_calls().len();
        let answer = bench.registry.callback(&format!("code=1&state={}&iss={sent}", state_of(&attempt))).await;
        if fits {
            done(answer.unwrap());
            continue;
        }
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.code(), "connect.wrong_issuer", "{issuer:?} {sent}");
        assert_eq!(provider.token_calls().len(), calls, "RFC 9207 2.4: {issuer:?} {sent}");
        let again = bench.registry.paste(attempt.id, "1").await.unwrap_err();
        assert_eq!(again.code(), "connect.attempt_over", "the attempt is spent");
        let (code, message) = failed(bench.registry.attempt(attempt.id).await.unwrap());
        assert!(code == "refused" && message.contains("names the issuer"), "{code}: {message}");
    }
}

#[tokio::test]
async fn an_error_answer_or_none_at_all_ends_the_attempt_in_words() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    for (answer, code, words) in [
        ("error=access_denied&error_description=No+thanks", "declined", "(access_denied: No thanks)"),
        ("error=server%0Aerror%1b%5B31m", "refused", "`servererror[31m`"),
        ("x=1", "provider", "no code"),
        ("code=", "provider", "no code"),
    ] {
        let attempt = bench.begin("m", "x", BROWSER, &[]).await;
        let ended = bench.registry.callback(&format!("{answer}&state={}", state_of(&attempt))).await.unwrap();
        let (got, message) = failed(ended);
        assert!(got == code && message.contains(words), "{answer}: {got} {message}");
    }
    assert!(provider.token_calls().is_empty());
}

#[tokio::test]
async fn only_the_redirect_uris_of_the_policy_are_used() {
    let provider = Provider::start().await;
    let ours = "http://127.0.0.1:8917/oauth/callback/m";
    let table = [
        (RedirectPolicy::Registered, ours, true),
        (RedirectPolicy::Registered, "http://127.0.0.1:8918/oauth/callback/m", false),
        (RedirectPolicy::Registered, "http://127.0.0.1:8917/oauth/callback/n", false),
        (RedirectPolicy::AnyPort, ours, true),
        (RedirectPolicy::AnyPort, "http://127.0.0.1:40001/callback", true),
        (RedirectPolicy::AnyPort, "http://[::1]:40001/callback", true),
        (RedirectPolicy::AnyPort, "http://localhost:40001/callback", true),
        (RedirectPolicy::AnyPort, "https://127.0.0.1:40001/callback", false),
        (RedirectPolicy::AnyPort, "http://192.168.1.2:40001/callback", false),
        (RedirectPolicy::AnyPort, "http://127.0.0.1@evil.example/callback", false),
        (RedirectPolicy::AnyPort, "http://me@127.0.0.1:40001/callback", false),
        (RedirectPolicy::AnyPort, "http://127.0.0.1.evil.example/callback", false),
        (RedirectPolicy::AnyPort, "http://localhost.evil.example/callback", false),
        (RedirectPolicy::AnyPort, "http://:pw@127.0.0.1:40001/callback", false),
        (RedirectPolicy::AnyPort, "http://127.0.0.1:40001/callback#x", false),
        (RedirectPolicy::AnyPort, "http://127.0.0.1:40001/callback?x=1", false),
        (RedirectPolicy::AnyPort, "myapp:/callback", false),
        (RedirectPolicy::AnyPort, "nonsense", false),
    ];
    for (policy, uri, allowed) in table {
        let bench = bench(&provider, policy, None).await;
        let asked = BeginConnect::new(name("m"), Surface::Browser { redirect_uri: Some(uri.into()) });
        match bench.registry.begin(asked).await {
            Ok(attempt) => {
                assert!(allowed, "{uri}");
                assert_eq!(query_of(&authorize_url(&attempt))["redirect_uri"], uri);
            }
            Err(refusal) => assert!(!allowed && refusal.code() == "connect.redirect", "{uri}: {refusal}"),
        }
    }
}

#[tokio::test]
async fn a_credential_goes_to_the_declared_hosts_and_nowhere_else() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &honest.base, kind, vec![field("key", true)]));
    done(bench.begin("k", "x", Surface::Direct, &[("key", "canary-key")]).await);
    let used = bench.ready(&need("k", "f", "s", &[])).await;
    assert_eq!(bench.get(&used, &format!("{}/api", honest.base)).await.unwrap().0, 200);
    for url in [format!("{}/api", evil.base), honest.base.replace("127.0.0.1", "localhost")] {
        let refusal = bench.get(&used, &url).await.unwrap_err();
        assert!(!refusal.to_string().contains("canary"), "{refusal}");
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn a_token_endpoint_that_redirects_gets_no_secret_sent_on() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    for status in [301, 302, 303, 307, 308] {
        let bench = Bench::new().await;
        let mut kind = oauth(&honest.base, &[OAuthGrant::ClientCredentials]);
        kind.client_id = None;
        kind.client_auth = flowdeck_model::app::ClientAuth::Body;
        let fields = vec![field("client_id", false), field("client_secret", true)];
        bench.apps.put(app("m", &honest.base, AuthKind::OAuth2(Box::new(kind)), fields));
        let to = format!("{}/oauth/token", evil.base);
        honest.tokens(move |_| Reply(status, vec![("location", to.clone())], String::new()));
        let form = [("client_id", "id"), ("client_secret", "canary")];
        assert_eq!(failed(bench.begin("m", "x", Surface::Direct, &form).await).0, "refused", "{status}");
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn a_probe_that_redirects_names_no_account_and_is_sent_no_secret_elsewhere() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &honest.base, kind, vec![field("key", true)]));
    evil.script(|_| account("evil"));
    for to in [format!("{}/me", evil.base), "/elsewhere".to_owned()] {
        honest.script(move |seen| match seen.path.as_str() {
            "/elsewhere" => account("evil"),
            _ => Reply(302, vec![("location", to.clone())], String::new()),
        });
        assert_eq!(failed(bench.begin("k", "x", Surface::Direct, &[("key", "canary")]).await).0, "unreachable");
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_is_waited_for_as_long_as_the_options_say() {
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with(RegistryOptions { call_timeout_ms: 50, ..RegistryOptions::default() }).await;
    let key: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &base, key, vec![field("key", true)]));
    let kind = oauth(&base, &[OAuthGrant::ClientCredentials]);
    bench.apps.put(app("m", &base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let way_out = std::time::Duration::from_secs(20);
    for (app_name, form) in [("k", &[("key", "canary")][..]), ("m", &[])] {
        let ended = tokio::time::timeout(way_out, bench.begin(app_name, "x", Surface::Direct, form)).await;
        assert_eq!(failed(ended.expect("no time limit ended it")).0, "unreachable", "{app_name}");
    }
}

#[tokio::test]
async fn answers_of_any_size_and_shape_end_in_words() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::ClientCredentials, OAuthGrant::Device]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let deep = "[".repeat(30_000);
    let long = json!({ "access_token": "a", "padding": "x".repeat(70_000) }).to_string();
    for body in [long, deep, "{\"access_token\":".to_owned(), "\u{0}\u{ffff}".to_owned()] {
        provider.tokens(move |_| text_reply(200, &body));
        assert_eq!(failed(bench.begin("m", "x", Surface::Direct, &[]).await).0, "unreachable");
    }
    for uri in ["javascript:alert(1)", "file:///etc/passwd", "", "https://x.example/\u{1b}[31m"] {
        provider.script(move |_| {
            json_reply(200, &json!({ "device_code": "d", "user_code": "u", "verification_uri": uri }))
        });
        assert_eq!(failed(bench.begin("m", "x", Surface::Device, &[]).await).0, "provider", "{uri}");
    }
}

async fn two_connections(provider: &Provider) -> Bench {
    let bench = bench(provider, RedirectPolicy::Registered, None).await;
    for nickname in ["one", "two"] {
        let attempt = bench.begin("m", nickname, BROWSER, &[]).await;
        done(bench.registry.callback(&format!("code=1&state={}", state_of(&attempt))).await.unwrap());
    }
    bench
}

#[tokio::test]
async fn a_moved_or_changed_ciphertext_is_refused_and_only_that_connection_asks_again() {
    let provider = Provider::start().await;
    type Damage = fn(&mut Vec<(Vec<u8>, Vec<u8>)>);
    let swap: Damage = |grants| {
        let (first, second) = (grants[0].1.clone(), grants[1].1.clone());
        (grants[0].1, grants[1].1) = (second, first);
    };
    let change: Damage = |grants| {
        let text = String::from_utf8(grants[0].1.clone()).unwrap();
        let mut fields: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        let access = fields.get_mut("oauth.access").unwrap();
        let last = if access.pop() == Some('0') { '1' } else { '0' };
        access.push(last);
        grants[0].1 = serde_json::to_vec(&fields).unwrap();
    };
    let rename: Damage = |grants| {
        let mut fields: std::collections::BTreeMap<String, String> = serde_json::from_slice(&grants[0].1).unwrap();
        let (access, refresh) = (fields["oauth.access"].clone(), fields["oauth.refresh"].clone());
        fields.insert("oauth.access".into(), refresh);
        fields.insert("oauth.refresh".into(), access);
        grants[0].1 = serde_json::to_vec(&fields).unwrap();
    };
    for (damage, harmed) in [(swap, 2), (change, 1), (rename, 1)] {
        let bench = two_connections(&provider).await;
        let mut grants: Vec<_> = bench
            .everything()
            .await
            .into_iter()
            .filter_map(|(space, key, value)| (space == Space::Grants).then_some((key, value)))
            .collect();
        damage(&mut grants);
        let put = |(key, value)| Op::Put { space: Space::Grants, key, value };
        bench.commit(grants.into_iter().map(put).collect()).await;
        let mut asked_again = 0;
        for nickname in ["one", "two"] {
            let wanted =
                flowdeck_model::connect::Need { nickname: Some(nick(nickname)), ..need("m", "f", nickname, &[]) };
            match bench.registry.authorize(&wanted).await.unwrap() {
                Decision::Wait(hold) => {
                    assert_eq!(hold.reason, PromptReason::Lost);
                    asked_again += 1;
                }
                Decision::Ready(..) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(asked_again, harmed);
        let states = bench.registry.connections(None).await.unwrap();
        assert_eq!(states.iter().filter(|c| c.state == ConnectionState::NeedsReauth).count(), harmed);
    }
}

#[tokio::test]
async fn another_key_file_does_not_open_the_registry_and_says_which_key_is_missing() {
    let provider = Provider::start().await;
    let bench = two_connections(&provider).await;
    let reopened = |key: MasterKey, store: Arc<FakeStore>| {
        let (apps, clock, egress) = (bench.apps.clone(), bench.clock.clone(), bench.egress.clone());
        let options = RegistryOptions::default();
        Registry::open(RegistryParts { store, clock, egress, apps, key, options, random: Arc::new(OsRandom) })
    };
    let store = Arc::new(bench.store.reopen());
    let refusal = reopened(MasterKey::from_bytes([7; 32]), store).await.unwrap_err();
    let ConnectError::Sealed(SealError::WrongKey { wanted, .. }) = &refusal else { panic!("{refusal}") };
    assert_eq!(*wanted, MasterKey::from_bytes(support::KEY).ids()[0]);
    let store = Arc::new(bench.store.reopen());
    reopened(MasterKey::from_bytes(support::KEY), store).await.unwrap();
}

#[tokio::test]
async fn a_rotated_key_opens_what_the_older_one_sealed_and_seals_what_comes_next() {
    let provider = Provider::start().await;
    let bench = two_connections(&provider).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let line = format!("flowdeck-key-1 {}\n", support::KEY.iter().map(|b| format!("{b:02x}")).collect::<String>());
    std::fs::write(&path, line).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let key = MasterKey::rotate(&path, &OsRandom).unwrap();
    let store = Arc::new(bench.store.reopen());
    let mut parts = support::parts(&bench.apps, &bench.clock, store.clone(), &bench.egress, &bench.options);
    parts.key = key.clone();
    let registry = Registry::open(parts).await.unwrap();
    bench.clock.advance(3_600_000);
    let wanted = flowdeck_model::connect::Need { nickname: Some(nick("one")), ..need("m", "f", "s", &[]) };
    assert!(matches!(registry.authorize(&wanted).await.unwrap(), Decision::Ready(used, _) if used.generation == 2));
    let only_new = std::fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned() + "\n";
    std::fs::write(&path, only_new).unwrap();
    assert_eq!(MasterKey::load_or_create(&path, &OsRandom).unwrap().ids(), key.ids()[..1]);
}

#[tokio::test]
async fn an_attempt_of_one_registry_is_found_by_the_next_process() {
    let provider = Provider::start().await;
    let bench = bench(&provider, RedirectPolicy::Registered, None).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let bench = bench.restart().await;
    assert_eq!(bench.registry.attempt(attempt.id).await.unwrap(), attempt);
    let made = bench.registry.callback(&format!("code=1&state={}", state_of(&attempt))).await.unwrap();
    assert_eq!(done(made).nickname.as_str(), "x");
    provider.script(|seen| if seen.path == "/oauth/token" { token("a", None) } else { account("sub-1") });
}
