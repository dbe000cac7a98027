//! Losing a connection and getting it back: same connection, same account, or an explicit switch.
//!
//! Must never leave loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use flowdeck_connections::{AttemptStep, BeginConnect, ConnectError, Revocation, Surface};
use flowdeck_engine::ports::{Authorizer, Decision, Loss, Space};
use flowdeck_model::app::{AuthKind, OAuthGrant};
use flowdeck_model::connect::{ConnectionState, PromptReason, PromptState};
use flowdeck_playground::{Account, RevokeKind};
use serde_json::json;
use support::provider::{Provider, account, text_reply, token};
use support::{BROWSER, Bench, Lab, app, authorize_url, done, failed, field, form, name, need, oauth, texts};

fn unauthorized() -> Loss {
    Loss::Unauthorized { detail: "invalid_token".into() }
}

#[tokio::test]
async fn a_lost_connection_waits_with_one_prompt_and_the_same_one_is_repaired() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let used = lab.ready(&wanted).await;
    lab.controls().revoke(Account::Robin, RevokeKind::All).await.unwrap();
    let Decision::Wait(hold) = lab.registry.refused(&wanted, &used, unauthorized()).await.unwrap() else { panic!() };
    lab.commit(hold.ops).await;
    assert_eq!((hold.reason, hold.on.0), (PromptReason::Lost, format!("con:{}", made.id)));
    let prompt = lab.registry.prompt(hold.prompt).await.unwrap();
    assert_eq!((prompt.connection, prompt.nickname.as_str()), (Some(made.id), "admin"));
    assert!(prompt.message.contains("Sign in again as Robin Admin"), "{}", prompt.message);
    assert_eq!(lab.registry.connection(made.id).await.unwrap().state, ConnectionState::NeedsReauth);
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.prompt = Some(hold.prompt);
    let repaired = done(lab.sign_in(asked, Account::Robin).await);
    assert_eq!((repaired.id, repaired.generation, repaired.state), (made.id, 2, ConnectionState::Active));
    assert_eq!(lab.registry.connections(None).await.unwrap().len(), 1, "no second connection is made");
    assert_eq!(lab.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Answered);
    let again = lab.ready(&wanted).await;
    assert_eq!((again.connection, lab.get(&again, &lab.people()).await.unwrap().0), (made.id, 200));
}

#[tokio::test]
async fn another_account_is_asked_about_and_then_kept_or_switched() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    for (accept, expected) in [(false, "robin"), (true, "sam")] {
        let attempt = lab.repair(made.id, Account::Sam).await;
        let AttemptStep::ConfirmAccount { was, now, connection } = &attempt.step else { panic!("{attempt:?}") };
        assert_eq!((was.as_str(), now.as_str(), *connection), ("Robin Admin", "Sam Staff", made.id));
        let used = lab.ready(&need("playground", "f", "s", &[])).await;
        assert_eq!(used.subject.as_deref(), Some("robin"), "nothing is switched before the answer");
        let ended = lab.registry.confirm(attempt.id, accept).await.unwrap();
        match accept {
            false => assert_eq!(failed(ended).0, "kept"),
            true => assert_eq!(done(ended).id, made.id),
        }
        let used = lab.ready(&need("playground", "f", "s", &[])).await;
        assert_eq!((used.subject.as_deref(), used.connection), (Some(expected), made.id));
        assert_eq!(lab.get(&used, &lab.people()).await.unwrap().0, 200);
        let refusal = lab.registry.confirm(attempt.id, true).await.unwrap_err();
        assert_eq!(refusal.code(), "connect.attempt_over", "an answer counts once");
    }
    let account = lab.registry.account(made.id).await.unwrap();
    assert_eq!(account, Some((2, Some("sam".into()))));
}

#[tokio::test]
async fn an_account_that_the_app_does_not_name_is_taken_for_another_one() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &provider.base, kind, vec![field("key", true)]));
    let made = done(bench.begin("k", "x", Surface::Direct, &[("key", "secret-1")]).await);
    provider.script(|_| support::provider::json_reply(200, &json!({})));
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.connection, asked.fields) = (Some(made.id), form(&[("key", "secret-2")]));
    let attempt = bench.registry.begin(asked).await.unwrap();
    assert!(matches!(attempt.step, AttemptStep::ConfirmAccount { .. }), "{attempt:?}");
    assert_eq!(bench.registry.account(made.id).await.unwrap(), Some((1, Some("sub-1".into()))));
    // Two people answer at once: one answer counts.
    let answers = tokio::join!(bench.registry.confirm(attempt.id, true), bench.registry.confirm(attempt.id, true));
    let taken = [answers.0, answers.1].into_iter().filter(Result::is_ok).count();
    assert_eq!((taken, bench.registry.connection(made.id).await.unwrap().generation), (1, 2));
    let kept = bench.everything().await.into_iter().filter(|(space, ..)| *space == Space::Attempts);
    for (_, _, value) in kept {
        let attempt: serde_json::Value = serde_json::from_slice(&value).unwrap();
        assert_eq!(attempt["sealed"], json!({}), "nothing sealed outlives the answer");
    }
}

#[tokio::test]
async fn a_repair_of_a_connection_that_was_removed_meanwhile_makes_no_other_one() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.connection = Some(made.id);
    let attempt = lab.registry.begin(asked.clone()).await.unwrap();
    let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
    lab.registry.disconnect(made.id).await.unwrap();
    assert_eq!(lab.registry.callback(&back).await.unwrap_err().code(), "connect.attempt_over");
    assert!(lab.registry.connections(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repair_leaves_nothing_of_the_grant_before() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let sign_in = async |connection| {
        let asked = BeginConnect { connection, ..BeginConnect::new(name("m"), BROWSER) };
        let attempt = bench.registry.begin(asked).await.unwrap();
        let state = support::query_of(&authorize_url(&attempt))["state"].clone();
        done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap())
    };
    let made = sign_in(None).await;
    bench.clock.advance(3_600_000);
    bench.ready(&need("m", "f", "s", &[])).await;
    bench.clock.advance(3_600_000);
    // Leaves an intent and a sealed answer behind.
    provider.tokens(|_| text_reply(200, "<html>no token</html>"));
    bench.registry.authorize(&need("m", "f", "s", &[])).await.unwrap();
    let kept = async || {
        let all = bench.everything().await.into_iter();
        let grants = all.filter_map(|(space, key, _)| (space == Space::Grants).then_some(key));
        grants.map(|key| (key[0], key.last().copied().filter(|_| key[0] == b'g'))).collect::<Vec<_>>()
    };
    assert_eq!(kept().await, [(b'g', Some(1)), (b'g', Some(2)), (b'i', None), (b'r', None)]);
    provider.usual();
    assert_eq!(sign_in(Some(made.id)).await.generation, 3);
    assert_eq!(kept().await, [(b'g', Some(3))]);
    provider.tokens(|_| text_reply(200, "<html>no token</html>"));
    bench.clock.advance(3_600_000);
    bench.registry.authorize(&need("m", "f", "s", &[])).await.unwrap();
    bench.registry.disconnect(made.id).await.unwrap();
    assert_eq!(kept().await, [], "also not when it is removed");
    let revoked = provider.seen().into_iter().find(|seen| seen.path == "/oauth/revoke").unwrap();
    assert_eq!(revoked.form()["token"], "refresh-1", "the refresh token takes the access tokens along");
}

#[tokio::test]
async fn a_connection_of_another_app_is_not_repaired() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    for app_name in ["k", "other"] {
        let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
        bench.apps.put(app(app_name, &provider.base, kind, vec![field("key", true)]));
    }
    let made = done(bench.begin("k", "x", Surface::Direct, &[("key", "secret-1")]).await);
    let mut asked = BeginConnect::new(name("other"), Surface::Direct);
    (asked.connection, asked.fields) = (Some(made.id), form(&[("key", "secret-2")]));
    assert_eq!(bench.registry.begin(asked).await.unwrap_err().code(), "connect.wrong_app");
}

#[tokio::test]
async fn a_switch_that_nobody_confirmed_in_time_changes_nothing() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let attempt = lab.repair(made.id, Account::Sam).await;
    lab.clock.advance(10 * 60_000);
    assert_eq!(failed(lab.registry.confirm(attempt.id, true).await.unwrap()).0, "expired");
    assert_eq!(lab.registry.connection(made.id).await.unwrap().subject.as_deref(), Some("robin"));
}

#[tokio::test]
async fn a_repair_that_is_begun_refused_or_broken_never_harms_the_working_grant() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let back = async |query: &str, connection| {
        let mut asked = BeginConnect::new(name("m"), BROWSER);
        asked.connection = connection;
        let attempt = bench.registry.begin(asked).await.unwrap();
        let state = support::query_of(&authorize_url(&attempt))["state"].clone();
        bench.registry.callback(&format!("{query}&state={state}")).await.unwrap()
    };
    let made = done(back("code=1", None).await);
    let before = bench.everything().await;
    let begin = BeginConnect { connection: Some(made.id), ..BeginConnect::new(name("m"), BROWSER) };
    bench.registry.begin(begin).await.unwrap();
    assert_eq!(failed(back("error=access_denied", Some(made.id)).await).0, "declined");
    for status in [400, 500, 302] {
        provider.tokens(move |_| text_reply(status, "no"));
        back("code=2", Some(made.id)).await;
    }
    for status in [401, 403, 503] {
        provider
            .script(move |seen| if seen.path == "/oauth/token" { token("x", None) } else { text_reply(status, "") });
        let (code, _) = failed(back("code=3", Some(made.id)).await);
        assert_eq!(code, if status == 503 { "unreachable" } else { "refused" });
    }
    let kept = |all: Vec<(Space, Vec<u8>, Vec<u8>)>| -> Vec<_> {
        all.into_iter().filter(|(space, ..)| *space != Space::Attempts).collect()
    };
    assert_eq!(kept(bench.everything().await), kept(before), "only attempts were written");
    provider.script(|_| account("sub-1"));
    let used = bench.ready(&need("m", "f", "s", &[])).await;
    bench.get(&used, &format!("{}/api", provider.base)).await.unwrap();
    assert_eq!(provider.seen().last().unwrap().header("authorization"), "Bearer access-1");
}

#[tokio::test]
async fn a_repair_asks_for_all_that_was_granted_and_all_that_waits() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let first = lab.held(&need("playground", "a", "s", &["people.write"])).await;
    let second = lab.held(&need("playground", "b", "s", &["groups.write"])).await;
    assert_eq!((first.prompt, first.reason), (second.prompt, PromptReason::Scope));
    lab.ready(&need("playground", "c", "s", &["people.read"])).await;
    let all = texts(&["people.read", "people.write", "groups.write"]);
    assert_eq!(lab.registry.prompt(first.prompt).await.unwrap().scopes, all);
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    // Also for a person who wants to ask for nothing else: no right that is in use gets lost.
    (asked.prompt, asked.scopes) = (Some(first.prompt), Some(Vec::new()));
    let widened = done(lab.sign_in(asked, Account::Robin).await);
    assert_eq!((widened.id, widened.granted), (made.id, Some(all)));
    lab.ready(&need("playground", "a", "s", &["people.write"])).await;
    lab.ready(&need("playground", "b", "s", &["groups.write"])).await;
}

#[tokio::test]
async fn a_consent_that_is_still_too_narrow_keeps_the_prompt_open_for_who_still_waits() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let hold = lab.held(&need("playground", "a", "s", &["people.write"])).await;
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.connection = Some(made.id);
    let attempt = lab.registry.begin(asked).await.unwrap();
    let back = lab.allow(&authorize_url(&attempt), Account::Robin, Some(Default::default())).await;
    let narrow = done(lab.registry.callback(&back).await.unwrap());
    assert_eq!(narrow.granted, Some(texts(&[])));
    assert_eq!(lab.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Open);
    assert_eq!(lab.wait(&need("playground", "a", "s", &["people.write"])).await.prompt, hold.prompt);
}

#[tokio::test]
async fn a_kept_secret_is_not_sent_to_another_address() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let bench = Bench::new().await;
    let kind = AuthKind::Basic { username: "u".into(), password: "{password}".into() };
    let mut url = field("url", false);
    url.shape = flowdeck_model::app::FieldShape::Url;
    let mut declared = app("b", "{url}", kind, vec![url, field("password", true)]);
    declared.probe.as_mut().unwrap().url = "{url}/me".into();
    bench.apps.put(declared);
    for provider in [&honest, &evil] {
        provider.script(|_| account("sub-1"));
    }
    let made = done(bench.begin("b", "x", Surface::Direct, &[("url", &honest.base), ("password", "p4ssw0rd")]).await);
    let mut asked = BeginConnect::new(name("b"), Surface::Direct);
    asked.connection = Some(made.id);
    asked.fields = form(&[("url", &evil.base)]);
    let refusal = bench.registry.begin(asked.clone()).await.unwrap_err();
    let ConnectError::Fields(errors) = refusal else { panic!("{refusal}") };
    assert_eq!(errors.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["password"]);
    assert!(evil.seen().is_empty(), "nothing was sent there");
    asked.fields = form(&[]);
    assert_eq!(done(bench.registry.begin(asked).await.unwrap()).generation, 2, "at the same address it is kept");
}

#[tokio::test]
async fn a_plain_403_names_the_account_and_costs_the_connection_nothing() {
    let lab = Lab::new().await;
    let made = lab.connect("staff", Account::Sam).await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let used = lab.ready(&wanted).await;
    let loss = Loss::Scope { scopes: texts(&["people.read"]), detail: "only an admin may".into() };
    let Decision::Denied(fault) = lab.registry.refused(&wanted, &used, loss).await.unwrap() else { panic!() };
    assert!(fault.message.contains("Sam Staff") && fault.message.contains("only an admin may"), "{}", fault.message);
    assert_eq!(lab.registry.connection(made.id).await.unwrap().state, ConnectionState::Active);
}

#[tokio::test]
async fn a_missing_scope_that_the_app_names_is_waited_for() {
    let lab = Lab::new().await;
    lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &[]);
    let used = lab.ready(&wanted).await;
    let loss = Loss::Scope { scopes: texts(&["hooks.manage"]), detail: String::new() };
    let Decision::Wait(hold) = lab.registry.refused(&wanted, &used, loss).await.unwrap() else { panic!() };
    lab.commit(hold.ops).await;
    let prompt = lab.registry.prompt(hold.prompt).await.unwrap();
    assert_eq!((prompt.reason, prompt.scopes), (PromptReason::Scope, texts(&["people.read", "hooks.manage"])));
}

#[tokio::test]
async fn disconnecting_revokes_there_forgets_here_and_leaves_its_slots_with_a_question() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let used = lab.ready(&wanted).await;
    let hold = lab.held(&need("playground", "g", "s", &["people.write"])).await;
    let seen = hold.seen;
    lab.connect("other", Account::Sam).await;
    let gone = lab.registry.disconnect(made.id).await.unwrap();
    assert_eq!(gone.revocation, Revocation::Done);
    assert_eq!(
        gone.slots,
        [("f".parse().unwrap(), "s".parse().unwrap()), ("g".parse().unwrap(), "s".parse().unwrap())]
    );
    assert_eq!(gone.prompts, [hold.prompt]);
    assert_eq!(lab.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Closed);
    assert_eq!(lab.get(&used, &lab.people()).await.unwrap().0, 401, "the grant is gone at the provider");
    assert!(lab.registry.changed(&hold.on, seen).await.unwrap(), "who waited for it asks again");
    assert_eq!(lab.wait(&wanted).await.reason, PromptReason::Choose, "the other account is not taken unasked");
    let id = made.id.to_bytes();
    let left = lab
        .everything()
        .await
        .into_iter()
        .filter(|(space, key, _)| *space == Space::Grants && key.windows(16).any(|w| w == id));
    assert_eq!(left.count(), 0, "no sealed secret is left");
}

#[tokio::test]
async fn a_test_of_a_connection_tells_works_refused_and_unknown_apart() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("k", &provider.base, kind, vec![field("key", true)]));
    let made = done(bench.begin("k", "x", Surface::Direct, &[("key", "secret-1")]).await);
    for (status, works, state) in [
        (200, Some(true), ConnectionState::Active),
        (503, None, ConnectionState::Active),
        (401, Some(false), ConnectionState::NeedsReauth),
    ] {
        provider.script(move |_| if status == 200 { account("sub-1") } else { text_reply(status, "") });
        let tested = bench.registry.test(made.id).await.unwrap();
        assert_eq!((tested.works, tested.connection.state), (works, state), "{status}: {}", tested.message);
    }
}

#[tokio::test]
async fn a_connection_that_is_switched_off_denies_and_stays_off_whatever_happens() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &[]);
    lab.registry.switch(made.id, false, "audit").await.unwrap();
    let Decision::Denied(fault) = lab.registry.authorize(&wanted).await.unwrap() else { panic!() };
    assert!(fault.message.contains("switched off: audit"), "{}", fault.message);
    assert_eq!(done(lab.repair(made.id, Account::Robin).await).state, ConnectionState::Disabled);
    lab.registry.switch(made.id, true, "").await.unwrap();
    assert_eq!(lab.ready(&wanted).await.generation, 2);
}

#[tokio::test]
async fn a_test_renews_a_token_that_only_grew_old() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let attempt = bench.registry.begin(BeginConnect::new(name("m"), BROWSER)).await.unwrap();
    let state = support::query_of(&authorize_url(&attempt))["state"].clone();
    let made = done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap());
    provider.script(|seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/oauth/token", _) => token("new", None),
        (_, "Bearer new") => account("sub-1"),
        _ => text_reply(401, ""),
    });
    let tested = bench.registry.test(made.id).await.unwrap();
    assert_eq!((tested.works, tested.connection.generation), (Some(true), 2), "{}", tested.message);
    provider.script(|_| text_reply(503, ""));
    let gone = bench.registry.disconnect(made.id).await.unwrap();
    assert!(matches!(gone.revocation, Revocation::Failed { .. }), "{:?}", gone.revocation);
    assert!(bench.registry.connections(None).await.unwrap().is_empty(), "here it is gone all the same");
}

#[tokio::test]
async fn a_secret_of_one_way_to_sign_in_is_not_taken_for_another_way() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    let mut declared = app("k", &provider.base, kind, vec![field("key", true)]);
    let basic = AuthKind::Basic { username: "u".into(), password: "{key}".into() };
    let other = app("k", &provider.base, basic, vec![field("key", true)]).methods.remove(0);
    declared.methods.push(flowdeck_model::app::AuthMethod { key: "other".into(), ..other });
    bench.apps.put(declared);
    let made = done(bench.begin("k", "x", Surface::Direct, &[("key", "secret-1")]).await);
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.connection, asked.method) = (Some(made.id), Some("other".into()));
    let refusal = bench.registry.begin(asked).await.unwrap_err();
    assert!(matches!(&refusal, ConnectError::Fields(errors) if errors[0].key == "key"), "{refusal}");
}
