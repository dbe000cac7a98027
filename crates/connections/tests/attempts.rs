//! Attempts to connect: their bounds, what goes on without their caller, and what is left of them.
//!
//! Must never leave loopback, nor wait for real time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use flowdeck_connections::{Attempt, AttemptStep, BeginConnect, BindTarget, ConnectError, Surface};
use flowdeck_engine::ports::Space;
use flowdeck_model::app::{AppAuth, AuthKind, OAuth2, OAuthGrant};
use parking_lot::Mutex;
use serde_json::{Value, json};
use support::keyed::{connect, keyed, slot};
use support::provider::{Provider, json_reply, text_reply, token};
use support::{
    BROWSER, Bench, app, authorize_url, done, failed, field, form, name, need, nick, oauth, query_of, texts,
};

async fn bench(provider: &Provider, steer: impl FnOnce(&mut OAuth2)) -> Bench {
    let bench = Bench::new().await;
    let mut kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode, OAuthGrant::Device]);
    steer(&mut kind);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    bench
}

fn answer(attempt: &Attempt) -> String {
    format!("code=canary-code&state={}", query_of(&authorize_url(attempt))["state"])
}

/// The stored records of a space, as JSON.
async fn stored(bench: &Bench, space: Space) -> Vec<Value> {
    let all = bench.everything().await.into_iter().filter(|(s, ..)| *s == space);
    all.filter_map(|(_, _, value)| serde_json::from_slice(&value).ok()).collect()
}

#[tokio::test]
async fn an_exchange_goes_on_when_its_caller_goes_away() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let called = Arc::new(tokio::sync::Notify::new());
    let calls = called.clone();
    provider.tokens(move |_| {
        calls.notify_one();
        token("a", None)
    });
    let answer = answer(&attempt);
    tokio::select! {
        ended = bench.registry.callback(&answer) => panic!("too fast: {ended:?}"),
        () = called.notified() => {}
    }
    bench.registry.at_rest().await;
    assert_eq!(done(bench.registry.attempt(attempt.id).await.unwrap()).nickname, nick("x"));
}

#[tokio::test]
async fn who_asks_while_the_code_is_exchanged_hears_how_it_ends() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    let (registry, id, asked) = (bench.registry.clone(), attempt.id, Arc::new(Mutex::new(None)));
    let asks = asked.clone();
    provider.tokens(move |_| {
        let registry = registry.clone();
        *asks.lock() = Some(tokio::spawn(async move { registry.attempt(id).await }));
        token("a", None)
    });
    done(bench.registry.callback(&answer(&attempt)).await.unwrap());
    let shown = asked.lock().take().unwrap();
    done(shown.await.unwrap().unwrap());
}

#[tokio::test]
async fn nothing_that_an_attempt_kept_sealed_outlives_it() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    let begun = bench.begin("m", "x", BROWSER, &[]).await;
    // Pointers by state are texts and hold nothing.
    let keeps = |a: &Value| a.is_object() && a["sealed"] != json!({});
    let of_records = async || stored(&bench, Space::Attempts).await.iter().filter(|a| keeps(a)).count();
    assert_eq!(of_records().await, 1);
    done(bench.registry.callback(&answer(&begun)).await.unwrap());
    assert_eq!(of_records().await, 0, "after it is done");
    for grant in stored(&bench, Space::Grants).await {
        let names: Vec<&String> = grant.as_object().unwrap().keys().collect();
        assert_eq!(names, ["oauth.access", "oauth.refresh"], "and the grant has nothing of it");
    }
    let refused = bench.begin("m", "y", BROWSER, &[]).await;
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    failed(bench.registry.callback(&answer(&refused)).await.unwrap());
    assert_eq!(of_records().await, 0, "after it failed");
    provider.script(|_| {
        let page = "https://x.example/d";
        json_reply(200, &json!({ "device_code": "d", "user_code": "u", "verification_uri": page, "interval": 300 }))
    });
    let device = bench.begin("m", "d", Surface::Device, &[]).await;
    bench.clock.advance(300_000);
    provider.tokens(|_| json_reply(400, &json!({ "error": "slow_down" })));
    let polled = bench.registry.poll_device(device.id).await.unwrap();
    assert!(matches!(polled.step, AttemptStep::Device { interval_s: 300, .. }), "the longest pace stays: {polled:?}");
    bench.clock.advance(600_000);
    assert_eq!(failed(bench.registry.poll_device(device.id).await.unwrap()).0, "expired");
    assert_eq!(of_records().await, 0, "after its time");
    let cut_off = bench.begin("m", "z", BROWSER, &[]).await;
    let store = bench.store.clone();
    provider.tokens(move |_| {
        store.kill();
        token("a", None)
    });
    bench.registry.callback(&answer(&cut_off)).await.unwrap_err();
    let bench = bench.restart().await;
    let left = stored(&bench, Space::Attempts).await.into_iter().filter(keeps);
    assert_eq!(left.count(), 0, "after the process died in it");
}

#[tokio::test]
async fn an_app_without_pkce_is_sent_neither_half_of_it() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |kind| kind.no_pkce = true).await;
    let attempt = bench.begin("m", "x", BROWSER, &[]).await;
    assert!(!authorize_url(&attempt).contains("code_challenge"));
    done(bench.registry.callback(&answer(&attempt)).await.unwrap());
    assert!(!provider.token_calls()[0].form().contains_key("code_verifier"));
}

#[tokio::test]
async fn what_a_device_endpoint_says_is_kept_within_bounds() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    let usual =
        json!({ "device_code": "dev", "user_code": "AB\u{1b}[31mCD", "verification_uri": "https://x.example/d" });
    let with = |more: Value| {
        let mut body = usual.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (at, (more, interval, life_s)) in [
        (json!({}), 5, 600),
        (json!({ "interval": 0, "expires_in": 60 }), 1, 60),
        (json!({ "interval": u64::MAX, "expires_in": u64::MAX }), 300, 3_600),
        (json!({ "interval": "7", "expires_in": null }), 5, 600),
    ]
    .into_iter()
    .enumerate()
    {
        let body = with(more);
        provider.script(move |_| json_reply(200, &body));
        let attempt = bench.begin("m", &format!("n{at}"), Surface::Device, &[]).await;
        let AttemptStep::Device { user_code, interval_s, expires_at, .. } = attempt.step else { panic!("{attempt:?}") };
        assert_eq!((user_code.as_str(), interval_s), ("AB[31mCD", interval));
        assert_eq!(expires_at.since(bench.now()), life_s * 1_000);
    }
    let body = usual.clone();
    provider.script(move |_| json_reply(400, &body));
    assert_eq!(failed(bench.begin("m", "bad", Surface::Device, &[]).await).0, "provider", "codes of a refusal");
    bench.apps.put({
        let mut kind = oauth(&provider.base, &[OAuthGrant::Device]);
        (kind.client_id, kind.client_auth) = (None, flowdeck_model::app::ClientAuth::Body);
        let fields = vec![field("client_id", false), field("client_secret", true)];
        app("secret", &provider.base, AuthKind::OAuth2(Box::new(kind)), fields)
    });
    provider.script(|seen| json_reply(400, &json!({ "error": seen.form().get("client_secret") })));
    let fields = [("client_id", "id"), ("client_secret", "canary-secret")];
    let (_, message) = failed(bench.begin("secret", "bad", Surface::Device, &fields).await);
    assert!(!message.contains("canary"), "{message}");
}

#[tokio::test]
async fn the_pace_of_a_device_grows_with_trouble_up_to_five_minutes_and_one_poll_is_one_call() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    for (at, (error, status, paces)) in
        [("slow_down", 400, [10, 15, 300]), ("", 503, [10, 20, 300])].into_iter().enumerate()
    {
        provider.script(move |seen| match seen.path.as_str() {
            "/oauth/token" => json_reply(status, &json!({ "error": error })),
            _ => json_reply(
                200,
                &json!({ "device_code": "d", "user_code": "u", "verification_uri": "https://x.example/d", "expires_in": 1e9 as u64 }),
            ),
        });
        let attempt = bench.begin("m", &format!("n{at}"), Surface::Device, &[]).await;
        let mut seen = Vec::new();
        bench.clock.advance(5_000);
        for _ in 0..70 {
            let calls = provider.token_calls().len();
            let (one, two) =
                tokio::join!(bench.registry.poll_device(attempt.id), bench.registry.poll_device(attempt.id));
            let AttemptStep::Device { interval_s, .. } = one.unwrap().step else { break };
            two.unwrap();
            assert_eq!(provider.token_calls().len(), calls + 1, "two who poll at once make one call");
            seen.push(interval_s);
            // The code lives an hour; only the pace counts here.
            if interval_s >= 300 {
                break;
            }
            bench.clock.advance(interval_s * 1_000);
        }
        assert_eq!(seen[..2], paces[..2], "{error}{status}");
        assert!(seen.iter().all(|pace| *pace <= paces[2]), "{error}{status}: {seen:?}");
        if status == 503 {
            assert_eq!(seen.last(), Some(&300));
        }
    }
}

#[tokio::test]
async fn an_answer_pasted_for_a_device_code_is_refused_and_spends_nothing() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    provider.script(|_| {
        json_reply(200, &json!({ "device_code": "d", "user_code": "u", "verification_uri": "https://x.example/d" }))
    });
    let attempt = bench.begin("m", "x", Surface::Device, &[]).await;
    assert_eq!(bench.registry.paste(attempt.id, "code").await.unwrap_err().code(), "connect.unknown_state");
    assert_eq!(bench.registry.attempt(attempt.id).await.unwrap(), attempt);
    assert!(provider.token_calls().is_empty());
}

#[tokio::test]
async fn a_prompt_that_was_answered_meanwhile_is_not_answered_again() {
    let (_provider, bench) = keyed().await;
    let (a, b) = (connect(&bench, "a").await, connect(&bench, "b").await);
    let hold = bench.held(&slot("s")).await;
    let kind = oauth("http://127.0.0.1:1", &[OAuthGrant::AuthorizationCode]);
    let provider = Provider::start().await;
    let mut declared = bench.auth("k");
    let mut signed = app("k", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]).methods.remove(0);
    (signed.key, declared.probe) = ("oauth".into(), None);
    if let AuthKind::OAuth2(kind) = &mut signed.kind {
        kind.token_url = format!("{}/oauth/token", provider.base);
    }
    declared.methods.push(signed);
    declared.hosts.push(provider.base.clone());
    bench.apps.put(declared);
    let mut asked = BeginConnect::new(name("k"), BROWSER);
    (asked.prompt, asked.method, asked.nickname) = (Some(hold.prompt), Some("oauth".into()), Some(nick("c")));
    let attempt = bench.registry.begin(asked).await.unwrap();
    bench.registry.use_connection(BindTarget::Prompt(hold.prompt), b.id).await.unwrap();
    let again = bench.registry.use_connection(BindTarget::Prompt(hold.prompt), a.id).await.unwrap_err();
    assert_eq!(again.code(), "connect.prompt_over");
    done(bench.registry.callback(&answer(&attempt)).await.unwrap());
    assert_eq!(bench.ready(&slot("s")).await.connection, b.id, "the slot stays where a person put it");
}

#[tokio::test]
async fn two_that_end_at_once_have_two_nicknames() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    let attempts = [bench.begin("m", "x", BROWSER, &[]).await, bench.begin("m", "x", BROWSER, &[]).await];
    let answers = attempts.each_ref().map(answer);
    let (one, two) = tokio::join!(bench.registry.callback(&answers[0]), bench.registry.callback(&answers[1]));
    let mut names = [one, two].map(|made| done(made.unwrap()).nickname);
    names.sort();
    assert_eq!(names, [nick("x"), nick("x-2")]);
}

#[tokio::test]
async fn a_consent_asks_for_what_app_and_probe_always_need_and_for_nobody_elses_rights() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |kind| kind.always_scopes = texts(&["offline"])).await;
    let mut declared = bench.auth("m");
    declared.probe.as_mut().unwrap().scopes = texts(&["openid"]);
    bench.apps.put(declared);
    let scopes = async |asked: BeginConnect| {
        let attempt = bench.registry.begin(asked).await.unwrap();
        (query_of(&authorize_url(&attempt))["scope"].clone(), attempt)
    };
    let with =
        |nickname: &str| BeginConnect { nickname: Some(nick(nickname)), ..BeginConnect::new(name("m"), BROWSER) };
    let narrow = BeginConnect { scopes: Some(texts(&["one"])), ..with("a") };
    let (asked, first) = scopes(narrow).await;
    assert_eq!(asked, "one offline openid");
    let a = done(bench.registry.callback(&answer(&first)).await.unwrap());
    let (asked, second) = scopes(with("b")).await;
    assert_eq!(asked, "people.read offline openid", "the usual ones of the app");
    let b = done(bench.registry.callback(&answer(&second)).await.unwrap());
    let waits = flowdeck_model::connect::Need { nickname: Some(nick("a")), ..need("m", "f", "s", &["two"]) };
    bench.held(&waits).await;
    let again = |id| BeginConnect { connection: Some(id), ..BeginConnect::new(name("m"), BROWSER) };
    assert_eq!(scopes(again(a.id)).await.0, "one offline openid two", "those it had, and what waits for it");
    assert_eq!(scopes(again(b.id)).await.0, "people.read offline openid", "and nothing that waits for another one");
}

#[tokio::test]
async fn an_attempt_that_nobody_answered_is_cleared_away_with_its_state() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |_| ()).await;
    for at in 0..2 {
        bench.begin("m", &format!("n{at}"), BROWSER, &[]).await;
        assert_eq!(stored(&bench, Space::Attempts).await.len(), 2, "the attempt and the pointer to it");
        bench.clock.advance(25 * 3_600_000);
    }
}

#[tokio::test]
async fn a_way_that_the_app_does_not_know_is_refused_before_any_call() {
    let provider = Provider::start().await;
    let bench = bench(&provider, |kind| kind.grants = vec![OAuthGrant::Device]).await;
    for surface in [BROWSER, Surface::Direct] {
        let refusal = bench.registry.begin(BeginConnect::new(name("m"), surface)).await.unwrap_err();
        assert_eq!(refusal.code(), "connect.surface");
    }
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn a_plain_field_cannot_steer_any_address_it_stands_in() {
    const AT: &str = "https://{team}.example.com/x";
    type Put = fn(&mut AppAuth, &mut OAuth2);
    let places: [(&str, Put); 7] = [
        ("host", |auth, _| auth.hosts.push("{team}.example.com".into())),
        ("probe", |auth, _| auth.probe.as_mut().unwrap().url = AT.into()),
        ("token", |_, kind| kind.token_url = AT.into()),
        ("authorize", |_, kind| kind.authorize_url = Some(AT.into())),
        ("device", |_, kind| kind.device_url = Some(AT.into())),
        ("revoke", |_, kind| kind.revoke_url = Some(AT.into())),
        ("issuer", |_, kind| kind.issuer = Some(AT.into())),
    ];
    let bench = Bench::new().await;
    for (place, put) in places {
        let mut kind = oauth("https://id.example.com", &[OAuthGrant::AuthorizationCode]);
        let mut declared = app("b", "https://id.example.com", AuthKind::None, vec![field("team", false)]);
        put(&mut declared, &mut kind);
        declared.methods[0].kind = AuthKind::OAuth2(Box::new(kind));
        bench.apps.put(declared);
        for value in ["evil.example/", "evil.example#", "evil.example?x", "a@evil", "a\\b", "a:1", "a%2eb", "a b"] {
            let asked = BeginConnect { fields: form(&[("team", value)]), ..BeginConnect::new(name("b"), BROWSER) };
            let refusal = bench.registry.begin(asked).await.unwrap_err();
            let ConnectError::Fields(errors) = &refusal else { panic!("{place} {value}: {refusal}") };
            assert_eq!(errors[0].key, "team");
        }
        let asked = BeginConnect { fields: form(&[("team", "acme")]), ..BeginConnect::new(name("b"), BROWSER) };
        bench.registry.begin(asked).await.unwrap();
    }
}

#[tokio::test]
async fn a_probe_is_believed_only_as_far_as_it_goes() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    let mut declared = app("k", &provider.base, kind, vec![field("key", true)]);
    declared.probe.as_mut().unwrap().ok = Some("/ok".into());
    bench.apps.put(declared);
    let large = json!({ "ok": true, "sub": "s", "padding": "x".repeat(1 << 20) }).to_string();
    let long = json!({ "ok": true, "sub": "s", "name": "n\u{1b}".repeat(500) }).to_string();
    for (body, expected) in [
        (json!({ "ok": false }).to_string(), Err("refused")),
        (json!({ "ok": "true" }).to_string(), Err("refused")),
        ("<html>".to_owned(), Err("refused")),
        (large, Err("unreachable")),
        (long, Ok(200)),
    ] {
        provider.script(move |_| text_reply(200, &body));
        let attempt = bench.begin("k", "x", Surface::Direct, &[("key", "secret-1")]).await;
        match expected {
            Err(code) => assert_eq!(failed(attempt).0, code),
            Ok(length) => {
                let account = done(attempt).account.unwrap();
                assert!(account.len() == length && !account.contains(char::is_control), "{account}");
            }
        }
    }
}
