//! Every way to authorize, against a real OAuth server and scripted ones: what is sent, and what becomes of it.
//!
//! Must never leave loopback. Repairs and accounts are in `repair.rs`, attacks in `hostile.rs`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use flowdeck_connections::{AttemptStep, BeginConnect, ConnectError, Surface};
use flowdeck_model::app::{AuthKind, ClientAuth, OAuthGrant, RedirectPolicy};
use flowdeck_model::connect::ConnectionState;
use flowdeck_playground::{Account, Scope};
use serde_json::json;
use support::provider::{Provider, account, json_reply, text_reply, token};
use support::{
    BROWSER, Bench, Lab, app, authorize_url, done, failed, field, form, name, need, nick, oauth, query_of, texts,
};

#[tokio::test]
async fn an_api_token_is_checked_kept_sealed_and_sent_as_declared() {
    let lab = Lab::new().await;
    let secret = lab.controls().api_token(Account::Robin, "bench").await.unwrap();
    let mut asked = BeginConnect::new(name("playground"), Surface::Direct);
    asked.method = Some("token".into());
    asked.fields = form(&[("api_token", "wrong")]);
    let (code, message) = failed(lab.registry.begin(asked.clone()).await.unwrap());
    assert_eq!(code, "refused", "{message}");
    assert!(lab.registry.connections(None).await.unwrap().is_empty(), "a refused token connects nothing");
    asked.fields = form(&[("api_token", &format!("  {secret}\n"))]);
    let made = done(lab.registry.begin(asked).await.unwrap());
    assert_eq!((made.subject.as_deref(), made.account.as_deref()), (Some("robin"), Some("Robin Admin")));
    assert_eq!((made.state, made.granted, made.generation), (ConnectionState::Active, None, 1));
    let used = lab.ready(&need("playground", "f", "s", &["people.write"])).await;
    assert_eq!(lab.get(&used, &lab.people()).await.unwrap().0, 200);
}

#[tokio::test]
async fn basic_and_header_and_query_credentials_are_sent_as_declared() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let basic = AuthKind::Basic { username: "{user}/token".into(), password: "{password}".into() };
    bench.apps.put(app("basic", &provider.base, basic, vec![field("user", false), field("password", true)]));
    let headers: AuthKind = serde_json::from_value(json!({ "headers": {
        "headers": { "X-Key": "{key}", "X-Team": "{team}" }, "query": { "api_key": "{key}" } } }))
    .unwrap();
    bench.apps.put(app("custom", &provider.base, headers, vec![field("team", false), field("key", true)]));
    done(bench.begin("basic", "b", Surface::Direct, &[("user", "ann@x.example"), ("password", "p:w d")]).await);
    done(bench.begin("custom", "c", Surface::Direct, &[("team", "t1"), ("key", "k&y")]).await);
    let seen = provider.seen();
    assert_eq!(seen.len(), 2, "one probe each: {seen:?}");
    assert_eq!(seen[0].header("authorization"), "Basic YW5uQHguZXhhbXBsZS90b2tlbjpwOncgZA==");
    assert_eq!((seen[1].header("x-key"), seen[1].header("x-team")), ("k&y", "t1"));
    assert_eq!(seen[1].query, "api_key=k%26y");
}

#[tokio::test]
async fn a_browser_sign_in_uses_pkce_a_fresh_state_and_any_loopback_port() {
    let lab = Lab::new().await;
    let uri = "http://127.0.0.1:40123/oauth/callback";
    let surface = Surface::Browser { redirect_uri: Some(uri.into()) };
    let attempt = lab.begin("playground", "admin", surface.clone(), &[]).await;
    let asked = query_of(&authorize_url(&attempt));
    assert_eq!((asked["redirect_uri"].as_str(), asked["code_challenge_method"].as_str()), (uri, "S256"));
    assert_eq!((asked["response_type"].as_str(), asked["scope"].as_str()), ("code", "people.read"));
    assert_eq!(asked["code_challenge"].len(), 43);
    assert_eq!(asked["state"].len(), 43, "256 bits");
    let other = query_of(&authorize_url(&lab.begin("playground", "other", surface, &[]).await));
    assert!(other["state"] != asked["state"] && other["code_challenge"] != asked["code_challenge"]);
    let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
    let made = done(lab.registry.callback(&back).await.unwrap());
    assert_eq!((made.nickname.as_str(), made.subject.as_deref()), ("admin", Some("robin")));
    assert_eq!(made.granted, Some(texts(&["people.read"])));
    assert!(made.expires_at.is_some() && made.proved_at.is_some());
    let used = lab.ready(&need("playground", "f", "s", &["people.read"])).await;
    assert_eq!((lab.get(&used, &lab.people()).await.unwrap().0, used.subject.as_deref()), (200, Some("robin")));
}

#[tokio::test]
async fn a_registered_redirect_is_fixed_shown_in_the_form_and_compared_exactly() {
    let lab = Lab::new().await;
    for (at, auth) in [("client_secret_basic", ClientAuth::Basic), ("client_secret_post", ClientAuth::Body)] {
        let app_name = at.replace('_', "-");
        let ours = lab.registry.redirect_uri(&name(&app_name));
        assert_eq!(ours, format!("http://127.0.0.1:8917/oauth/callback/{app_name}"));
        let (id, secret) = lab.client(&ours, at).await;
        let mut kind = oauth(&lab.running.base_url, &[OAuthGrant::AuthorizationCode]);
        (kind.client_id, kind.client_auth, kind.redirect) = (None, auth, RedirectPolicy::Registered);
        let mut declared = app(
            &app_name,
            &lab.running.base_url,
            AuthKind::OAuth2(Box::new(kind)),
            vec![field("client_id", false), field("client_secret", true)],
        );
        declared.help = "Register {redirect_uri} with {scopes}.".into();
        lab.apps.put(declared);
        let hold = lab.held(&need(&app_name, "f", "s", &["people.write"])).await;
        let prompt = lab.registry.prompt(hold.prompt).await.unwrap();
        assert_eq!(prompt.methods[0].redirect_uri.as_deref(), Some(ours.as_str()));
        assert_eq!(prompt.methods[0].help, format!("Register {ours} with people.read people.write."));
        let attempt = lab.begin(&app_name, "x", BROWSER, &[("client_id", &id), ("client_secret", &secret)]).await;
        assert_eq!(query_of(&authorize_url(&attempt))["redirect_uri"], ours);
        let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
        assert_eq!(done(lab.registry.callback(&back).await.unwrap()).subject.as_deref(), Some("robin"));
    }
}

#[tokio::test]
async fn a_wrong_client_secret_is_the_setups_fault_and_says_so() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::ClientCredentials]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    provider.tokens(|_| json_reply(401, &json!({ "error": "invalid_client" })));
    let (code, message) = failed(bench.begin("m", "x", Surface::Direct, &[]).await);
    assert_eq!((code.as_str(), message.as_str()), ("setup", "the provider answered `invalid_client`"));
}

#[tokio::test]
async fn a_pasted_answer_works_whole_as_a_query_or_as_the_code_alone() {
    let lab = Lab::new().await;
    for (at, cut) in [("whole", 0), ("query", 1), ("code", 2), ("quoted", 3)] {
        let attempt = lab.begin("playground", at, Surface::Paste { redirect_uri: None }, &[]).await;
        let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
        let text = match cut {
            0 => format!(" {back}\n"),
            1 => back.split_once('?').unwrap().1.to_owned(),
            2 => query_of(&back)["code"].clone(),
            _ => format!("<{back}>"),
        };
        let made = done(lab.registry.paste(attempt.id, &text).await.unwrap());
        assert_eq!(made.nickname.as_str(), at);
    }
}

#[tokio::test]
async fn a_device_code_is_polled_at_the_servers_pace_until_a_person_allows_it() {
    let lab = Lab::new().await;
    let attempt = lab.begin("playground", "tv", Surface::Device, &[]).await;
    let AttemptStep::Device { user_code, verification_uri, interval_s, .. } = attempt.step.clone() else {
        panic!("{attempt:?}")
    };
    assert_eq!((verification_uri.as_str(), interval_s), (format!("{}/oauth/device", lab.running.base_url).as_str(), 5));
    let polls = || lab.controls().counts().requests.get("POST /oauth/token").copied().unwrap_or(0);
    assert_eq!(lab.registry.poll_device(attempt.id).await.unwrap(), attempt);
    assert_eq!(polls(), 0, "sooner than the interval no call is made");
    lab.clock.advance(5_000);
    lab.registry.poll_device(attempt.id).await.unwrap();
    assert_eq!(polls(), 1);
    lab.controls().answer_device(&user_code, Some((Account::Sam, None))).await.unwrap();
    lab.clock.advance(5_000);
    let made = done(lab.registry.poll_device(attempt.id).await.unwrap());
    assert_eq!((made.subject.as_deref(), made.nickname.as_str()), (Some("sam"), "tv"));
    assert_eq!(done(lab.registry.poll_device(attempt.id).await.unwrap()).id, made.id, "polling on changes nothing");
}

#[tokio::test]
async fn a_device_code_that_is_denied_slowed_or_too_old_ends_as_it_should() {
    let lab = Lab::new().await;
    let denied = lab.begin("playground", "a", Surface::Device, &[]).await;
    let AttemptStep::Device { user_code, .. } = &denied.step else { panic!("{denied:?}") };
    lab.controls().answer_device(user_code, None).await.unwrap();
    lab.clock.advance(5_000);
    assert_eq!(failed(lab.registry.poll_device(denied.id).await.unwrap()).0, "refused");
    let old = lab.begin("playground", "b", Surface::Device, &[]).await;
    lab.clock.advance(601_000);
    assert_eq!(failed(lab.registry.poll_device(old.id).await.unwrap()).0, "expired");

    let provider = Provider::start().await;
    let kind = oauth(&provider.base, &[OAuthGrant::Device]);
    lab.apps.put(app("d", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    provider.script(|seen| match seen.path.as_str() {
        "/oauth/token" => json_reply(400, &json!({ "error": "slow_down" })),
        _ => json_reply(
            200,
            &json!({ "device_code": "dev", "user_code": "ABCD", "verification_uri": "https://x.example/d" }),
        ),
    });
    let slow = lab.begin("d", "c", Surface::Device, &[]).await;
    lab.clock.advance(5_000);
    let AttemptStep::Device { interval_s, .. } = lab.registry.poll_device(slow.id).await.unwrap().step else {
        panic!()
    };
    assert_eq!(interval_s, 10, "RFC 8628 3.5: five seconds more");
    lab.clock.advance(5_000);
    lab.registry.poll_device(slow.id).await.unwrap();
    assert_eq!(provider.token_calls().len(), 1, "the longer pace is kept");
}

#[tokio::test]
async fn client_credentials_need_no_person_and_are_fetched_again_when_they_end() {
    let lab = Lab::new().await;
    let (id, secret) = lab.client("http://127.0.0.1:1/unused", "client_secret_basic").await;
    let mut kind = oauth(&lab.running.base_url, &[OAuthGrant::ClientCredentials]);
    (kind.client_id, kind.client_auth) = (None, ClientAuth::Basic);
    let fields = vec![field("client_id", false), field("client_secret", true)];
    let mut declared = app("m2m", &lab.running.base_url, AuthKind::OAuth2(Box::new(kind)), fields);
    declared.probe = None;
    lab.apps.put(declared);
    let made = done(lab.begin("m2m", "robot", BROWSER, &[("client_id", &id), ("client_secret", &secret)]).await);
    let wanted = need("m2m", "f", "s", &["people.read"]);
    let first = lab.ready(&wanted).await;
    assert_eq!(lab.get(&first, &lab.people()).await.unwrap().0, 200);
    lab.clock.advance(16 * 60_000);
    assert_eq!(lab.get(&first, &lab.people()).await.unwrap().0, 401, "the first token ended");
    let second = lab.ready(&wanted).await;
    assert_eq!((second.connection, second.generation), (made.id, 2));
    assert_eq!(lab.get(&second, &lab.people()).await.unwrap().0, 200);
}

#[tokio::test]
async fn what_is_granted_is_what_the_answer_says_or_else_what_was_asked() {
    let lab = Lab::new().await;
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.scopes = Some(texts(&["people.read", "people.write", "groups.read"]));
    let attempt = lab.registry.begin(asked).await.unwrap();
    let ticked = [Scope::PeopleRead, Scope::GroupsRead].into_iter().collect();
    let back = lab.allow(&authorize_url(&attempt), Account::Robin, Some(ticked)).await;
    let made = done(lab.registry.callback(&back).await.unwrap());
    assert_eq!(made.granted, Some(texts(&["people.read", "groups.read"])), "a narrower answer counts");
    assert_eq!(made.requested, texts(&["people.read", "people.write", "groups.read"]));

    let provider = Provider::start().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    lab.apps.put(app("quiet", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let attempt = lab.begin("quiet", "q", BROWSER, &[]).await;
    let state = &query_of(&authorize_url(&attempt))["state"];
    let made = done(lab.registry.callback(&format!("code=c&state={state}")).await.unwrap());
    assert_eq!(made.granted, Some(texts(&["people.read"])), "RFC 6749 5.1: an omitted scope is the requested one");
}

#[tokio::test]
async fn a_nickname_is_unique_in_an_app() {
    let lab = Lab::new().await;
    let first = lab.begin("playground", "admin", BROWSER, &[]).await;
    let second = lab.begin("playground", "admin", BROWSER, &[]).await;
    for (attempt, expected) in [(first, "admin"), (second, "admin-2")] {
        let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
        assert_eq!(done(lab.registry.callback(&back).await.unwrap()).nickname.as_str(), expected);
    }
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.nickname = Some(nick("admin"));
    let refusal = lab.registry.begin(asked).await.unwrap_err();
    assert!(matches!(refusal, ConnectError::NicknameTaken { .. }), "{refusal}");
    let found = lab.registry.find(&name("playground"), &nick("admin-2")).await.unwrap().unwrap();
    let refusal = lab.registry.rename(found.id, nick("admin")).await.unwrap_err();
    assert_eq!(refusal.code(), "connect.nickname_taken");
    assert_eq!(lab.registry.rename(found.id, nick("spare")).await.unwrap().nickname, nick("spare"));
    assert!(lab.registry.find(&name("playground"), &nick("admin-2")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_form_names_every_field_that_is_wrong_and_never_repeats_a_value() {
    let bench = Bench::new().await;
    let basic = AuthKind::Basic { username: "{team}".into(), password: "{password}".into() };
    let mut declared =
        app("b", "https://{team}.example.com", basic, vec![field("team", false), field("password", true)]);
    declared.probe = None;
    declared.private_hosts = false;
    bench.apps.put(declared);
    let mut asked = BeginConnect::new(name("b"), Surface::Direct);
    asked.fields = form(&[("team", "evil.example/canary"), ("colour", "canary")]);
    let refusal = bench.registry.begin(asked).await.unwrap_err();
    let ConnectError::Fields(errors) = &refusal else { panic!("{refusal}") };
    let keys: Vec<&str> = errors.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["colour", "team", "password"]);
    assert!(!refusal.to_string().contains("canary"), "{refusal}");
}

#[tokio::test]
async fn token_answers_of_odd_providers_are_read() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let mut kind = oauth(&provider.base, &[OAuthGrant::ClientCredentials]);
    kind.scope_separator = ",".into();
    bench.apps.put(app("odd", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let table = [
        (json!({ "access_token": "a" }).to_string(), Ok((None, texts(&["people.read"])))),
        (
            json!({ "access_token": "a", "expires_in": "60", "scope": "x,y z" }).to_string(),
            Ok((Some(60), texts(&["x", "y", "z"]))),
        ),
        (json!({ "access_token": "a", "refresh_token": null, "scope": "" }).to_string(), Ok((None, texts(&[])))),
        ("access_token=a&expires_in=60&scope=x".to_owned(), Ok((Some(60), texts(&["x"])))),
        (json!({ "ok": false, "error": "invalid_auth" }).to_string(), Err("unreachable")),
        ("<html>sign in to the hotel's network</html>".to_owned(), Err("unreachable")),
        ("[]".to_owned(), Err("unreachable")),
        (String::new(), Err("unreachable")),
        (json!({ "token": "a" }).to_string(), Err("unreachable")),
    ];
    for (at, (body, expected)) in table.into_iter().enumerate() {
        let sent = body.clone();
        provider.tokens(move |_| text_reply(200, &sent));
        let attempt = bench.begin("odd", &format!("n{at}"), Surface::Direct, &[]).await;
        match expected {
            Ok((life_s, scopes)) => {
                let made = done(attempt);
                let life = made.expires_at.map(|end| end.since(made.created_at) / 1_000);
                assert_eq!((life, made.granted), (life_s, Some(scopes)), "{body}");
            }
            Err(code) => assert_eq!(failed(attempt).0, code, "{body}"),
        }
    }
    provider.script(|seen| if seen.path == "/oauth/token" { token("a", None) } else { text_reply(503, "") });
    assert_eq!(failed(bench.begin("odd", "p", Surface::Direct, &[]).await).0, "unreachable", "an unchecked account");
    provider.script(|seen| if seen.path == "/oauth/token" { text_reply(302, "") } else { account("x") });
    assert_eq!(failed(bench.begin("odd", "r", Surface::Direct, &[]).await).0, "refused", "no redirect is followed");
}
