//! What is late or old changes nothing: fenced generations, intents of another time, proofs, locks of records.
//!
//! Must never leave loopback, nor wait for real time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use flowdeck_connections::{AuditKind, BeginConnect, BindTarget, Surface};
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, Op, Space};
use flowdeck_model::ConnectionId;
use flowdeck_model::app::{AppAuth, AuthKind, AuthMethod, OAuthGrant, Rotation};
use flowdeck_model::connect::{ConnectionState, Need, PromptReason};
use flowdeck_playground::{Account, Faults, TokenFault, TokenFaultKind};
use serde_json::{Value, json};
use support::keyed::{connect, keyed, slot};
use support::provider::{Provider, Reply, account, json_reply, text_reply, token};
use support::{BROWSER, Bench, Lab, app, authorize_url, done, field, form, name, need, nick, oauth, of_run, query_of};

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;

fn wanted() -> Need {
    need("m", "f", "s", &[])
}

/// A connection `m` whose tokens live an hour; it can also be connected with a key, which needs no call.
async fn connected(provider: &Provider, rotation: Rotation) -> (Bench, ConnectionId) {
    connected_where(provider, rotation, |_| ()).await
}

async fn connected_where(
    provider: &Provider,
    rotation: Rotation,
    steer: impl FnOnce(&mut AppAuth),
) -> (Bench, ConnectionId) {
    let bench = Bench::new().await;
    let mut kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    kind.rotation = rotation;
    let mut declared = app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]);
    declared.methods.push(AuthMethod {
        key: "key".into(),
        title: "Key".into(),
        fields: vec![field("key", true)],
        kind: serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap(),
        help: String::new(),
    });
    steer(&mut declared);
    bench.apps.put(declared);
    let attempt = bench.registry.begin(BeginConnect::new(name("m"), BROWSER)).await.unwrap();
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    let id = done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap()).id;
    (bench, id)
}

fn once(grace_s: u32) -> Rotation {
    Rotation::SingleUse { grace_s }
}

fn no_token() -> Reply {
    text_reply(200, "<html>the answer went elsewhere</html>")
}

fn refreshes(provider: &Provider) -> usize {
    provider.token_calls().iter().filter(|s| s.form().contains_key("refresh_token")).count()
}

/// Keys and values of grants whose keys begin so.
async fn grants(bench: &Bench, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = bench.everything().await.into_iter();
    all.filter(|(s, key, _)| *s == Space::Grants && key.starts_with(prefix)).map(|(_, k, v)| (k, v)).collect()
}

fn put((key, value): (Vec<u8>, Vec<u8>)) -> Op {
    Op::Put { space: Space::Grants, key, value }
}

async fn later(bench: &Bench) -> u64 {
    match bench.registry.authorize(&wanted()).await.unwrap() {
        Decision::Later { retry_ms, .. } => retry_ms,
        other => panic!("not later: {other:?}"),
    }
}

async fn worked(bench: &Bench, used: &Authorized) {
    bench.registry.worked(used);
    bench.registry.at_rest().await;
}

#[tokio::test]
async fn a_renewal_goes_on_when_its_caller_goes_away() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, once(0)).await;
    let called = Arc::new(tokio::sync::Notify::new());
    let calls = called.clone();
    provider.tokens(move |_| {
        calls.notify_one();
        token("access-2", Some("refresh-2"))
    });
    bench.clock.advance(HOUR);
    let wanted = wanted();
    tokio::select! {
        ended = bench.registry.authorize(&wanted) => panic!("too fast: {ended:?}"),
        () = called.notified() => {}
    }
    bench.registry.at_rest().await;
    assert_eq!((bench.ready(&wanted).await.generation, refreshes(&provider)), (2, 1));
}

#[tokio::test]
async fn the_end_of_a_renewal_changes_nothing_of_a_newer_generation() {
    type Row = (&'static str, fn() -> Reply);
    let rows: [Row; 4] = [
        ("renewed", || token("late", Some("later"))),
        ("dead", || json_reply(400, &json!({ "error": "invalid_grant" }))),
        ("redirected", || text_reply(307, "")),
        ("trouble", || text_reply(503, "")),
    ];
    for (row, reply) in rows {
        let provider = Provider::start().await;
        let (bench, id) = connected_where(&provider, Rotation::Static, |declared| declared.probe = None).await;
        bench.clock.advance(HOUR);
        let mut asked = BeginConnect::new(name("m"), Surface::Direct);
        (asked.connection, asked.method, asked.fields) = (Some(id), Some("key".into()), form(&[("key", "new-key")]));
        let registry = bench.registry.clone();
        provider.tokens(move |_| {
            // While the provider answers, a person connects it anew.
            let (registry, asked) = (registry.clone(), asked.clone());
            let repair = async move { registry.begin(asked).await.map(done).unwrap() };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            std::thread::spawn(move || runtime.block_on(repair)).join().unwrap();
            reply()
        });
        bench.registry.authorize(&wanted()).await.unwrap();
        let shown = bench.registry.connection(id).await.unwrap();
        assert_eq!(
            (shown.generation, shown.state, shown.method.as_str()),
            (2, ConnectionState::Active, "key"),
            "{row}"
        );
        let used = bench.ready(&wanted()).await;
        bench.get(&used, &format!("{}/api", provider.base)).await.unwrap();
        assert_eq!(provider.seen().last().unwrap().header("x-key"), "new-key", "{row}");
    }
}

#[tokio::test]
async fn an_answer_or_an_intent_of_another_grant_counts_for_nothing() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, once(0)).await;
    bench.clock.advance(HOUR - 5 * MINUTE);
    provider.tokens(|_| no_token());
    bench.ready(&wanted()).await;
    let intent = grants(&bench, b"i/").await.remove(0);
    for (field, other) in [("generation", json!(99)), ("fingerprint", json!("00"))] {
        let mut changed: Value = serde_json::from_slice(&intent.1).unwrap();
        changed[field] = other;
        bench.commit(vec![put((intent.0.clone(), serde_json::to_vec(&changed).unwrap()))]).await;
        bench.clock.advance(20_000);
        let calls = refreshes(&provider);
        bench.ready(&wanted()).await;
        assert_eq!(refreshes(&provider), calls + 1, "an intent with another {field} puts nothing in doubt");
    }
    bench.clock.advance(20_000);
    let calls = refreshes(&provider);
    bench.ready(&wanted()).await;
    assert_eq!(refreshes(&provider), calls, "its own does");

    // An answer that was sealed for the generation before.
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    bench.clock.advance(HOUR);
    let store = bench.store.clone();
    provider.tokens(move |_| {
        store.fail_at_commit(store.commits() + 2);
        token("old-answer", None)
    });
    bench.registry.authorize(&wanted()).await.unwrap_err();
    let bench = bench.restart().await;
    let kept = grants(&bench, b"r/").await.remove(0);
    provider.tokens(|_| token("access", None));
    assert_eq!(bench.ready(&wanted()).await.generation, 2);
    let calls = refreshes(&provider);
    bench.commit(vec![put(kept)]).await;
    bench.clock.advance(HOUR);
    assert_eq!((bench.ready(&wanted()).await.generation, refreshes(&provider)), (3, calls + 1));
}

#[tokio::test]
async fn a_renewal_in_doubt_is_tried_at_once_where_the_app_refuses_the_token() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, once(0)).await;
    provider.tokens(|_| no_token());
    bench.clock.advance(HOUR - 5 * MINUTE);
    let used = bench.ready(&wanted()).await;
    provider.tokens(|_| token("access-2", Some("refresh-2")));
    bench.clock.advance(10_000);
    let Decision::Ready(renewed, _) = bench.refuse(&wanted(), &used).await else { panic!() };
    assert_eq!((renewed.generation, refreshes(&provider)), (2, 2));
}

#[tokio::test]
async fn the_grace_of_a_renewal_in_doubt_runs_from_its_first_call_and_survives_a_lost_network() {
    for offline in [false, true] {
        let provider = Provider::start().await;
        let (bench, _) = connected(&provider, once(60)).await;
        provider.tokens(|_| no_token());
        bench.clock.advance(HOUR - 10 * MINUTE);
        bench.ready(&wanted()).await;
        bench.clock.advance(40_000);
        let online = bench.auth("m");
        if offline {
            let mut cut = bench.auth("m");
            let AuthKind::OAuth2(kind) = &mut cut.methods[0].kind else { panic!() };
            kind.token_url = "http://127.0.0.1:1/oauth/token".into();
            cut.hosts.push("http://127.0.0.1:1".into());
            bench.apps.put(cut);
        }
        bench.ready(&wanted()).await;
        bench.apps.put(online);
        let calls = refreshes(&provider);
        assert_eq!(calls, if offline { 1 } else { 2 }, "within the grace it is repeated");
        provider.tokens(|_| token("access-2", None));
        bench.clock.advance(40_000);
        assert_eq!((bench.ready(&wanted()).await.generation, refreshes(&provider)), (1, calls), "offline {offline}");
    }
}

#[tokio::test]
async fn a_call_whose_answer_got_lost_is_not_repeated_without_a_grace_while_the_token_works() {
    let lab = Lab::new().await;
    let mut declared = lab.auth("playground");
    let AuthKind::OAuth2(kind) = &mut declared.methods[0].kind else { panic!() };
    kind.rotation = once(0);
    lab.apps.put(declared);
    lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &[]);
    lab.clock.advance(13 * MINUTE);
    let fault = TokenFault { kind: TokenFaultKind::CloseAfterActing, delay_ms: 0, times: 1 };
    lab.controls().set_faults(Faults { token_endpoint: Some(fault), api: vec![] });
    let calls = || lab.controls().counts().requests.get("POST /oauth/token").copied().unwrap_or(0);
    let before = calls();
    assert_eq!(lab.ready(&wanted).await.generation, 1);
    lab.clock.advance(10_000);
    assert_eq!((lab.ready(&wanted).await.generation, calls()), (1, before + 1));
}

#[tokio::test]
async fn a_refusal_after_an_interrupted_renewal_says_so_and_one_of_the_setup_puts_nothing_in_doubt() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, once(0)).await;
    provider.tokens(|_| no_token());
    bench.clock.advance(HOUR - 5 * MINUTE);
    bench.ready(&wanted()).await;
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    bench.clock.advance(5 * MINUTE);
    let hold = bench.held(&wanted()).await;
    assert_eq!(hold.reason, PromptReason::Lost);
    let why = bench.registry.connection(id).await.unwrap().state_reason;
    assert!(why.contains("interrupted renewal used up"), "{why}");

    provider.usual();
    let (bench, _) = connected(&provider, once(0)).await;
    provider.tokens(|_| json_reply(401, &json!({ "error": "invalid_client" })));
    bench.clock.advance(HOUR - 5 * MINUTE);
    assert_eq!(bench.ready(&wanted()).await.generation, 1, "a wrong setup is nobody's matter while the token works");
    assert!(grants(&bench, b"i/").await.is_empty(), "the refresh token was not used up");
    provider.usual();
    bench.clock.advance(10_000);
    assert_eq!(bench.ready(&wanted()).await.generation, 2);
}

#[tokio::test]
async fn a_401_while_the_setup_is_wrong_asks_to_correct_it() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    let used = bench.ready(&wanted()).await;
    provider.tokens(|_| json_reply(401, &json!({ "error": "invalid_client" })));
    let Decision::Wait(hold) = bench.refuse(&wanted(), &used).await else { panic!() };
    assert_eq!(hold.reason, PromptReason::Setup);
}

#[tokio::test]
async fn a_grant_that_cannot_be_opened_is_lost_and_not_tried_for_ever() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    let (key, _) = grants(&bench, b"g/").await.remove(0);
    bench.commit(vec![Op::Delete { space: Space::Grants, key }]).await;
    bench.clock.advance(HOUR);
    assert_eq!(bench.wait(&wanted()).await.reason, PromptReason::Lost);
    assert_eq!(refreshes(&provider), 0);

    // Put in the place of a newer generation, an old grant opens no more.
    let (bench, _) = connected(&provider, Rotation::Static).await;
    bench.clock.advance(HOUR);
    assert_eq!(bench.ready(&wanted()).await.generation, 2);
    let mut kept = grants(&bench, b"g/").await;
    let ((_, old), (newest, _)) = (kept.remove(0), kept.remove(0));
    bench.commit(vec![put((newest, old))]).await;
    assert_eq!(bench.wait(&wanted()).await.reason, PromptReason::Lost);
}

#[tokio::test]
async fn who_waits_for_a_connection_is_told_when_it_is_switched_off() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    let hold = bench.held(&need("m", "f", "s", &["more"])).await;
    bench.registry.switch(id, false, "audit").await.unwrap();
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    assert!(matches!(bench.registry.authorize(&need("m", "f", "s", &["more"])).await.unwrap(), Decision::Denied(_)));
}

#[tokio::test]
async fn no_more_grants_are_kept_than_may_be_needed() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    provider.tokens(|_| token("access", None));
    let kept =
        async || grants(&bench, b"").await.iter().map(|(key, _)| (key[0], key[key.len() - 1])).collect::<Vec<_>>();
    for _ in 0..3 {
        bench.clock.advance(HOUR);
        bench.ready(&wanted()).await;
    }
    assert_eq!(kept().await, [(b'g', 3), (b'g', 4)], "the one before stays until the new one worked");
    let used = bench.ready(&wanted()).await;
    worked(&bench, &used).await;
    assert_eq!(kept().await, [(b'g', 4)]);
}

#[tokio::test]
async fn a_proof_is_of_its_generation_is_written_now_and_then_and_does_not_hide_failing_renewals() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    let proved = async || bench.registry.connection(id).await.unwrap().proved_at;
    let old = bench.ready(&wanted()).await;
    worked(&bench, &old).await;
    let first = bench.now();
    bench.clock.advance(10 * MINUTE - 1);
    worked(&bench, &old).await;
    assert_eq!(proved().await, Some(first), "not with each use");
    bench.clock.advance(1);
    worked(&bench, &old).await;
    assert_eq!(proved().await, Some(bench.now()));
    let Decision::Ready(new, _) = bench.refuse(&wanted(), &old).await else { panic!() };
    bench.clock.advance(20 * MINUTE);
    worked(&bench, &old).await;
    assert!(proved().await < Some(bench.now()), "an old token proves nothing of the new one");
    let calls = refreshes(&provider);
    assert!(matches!(bench.refuse(&wanted(), &new).await, Decision::Denied(_)), "the probe says that it works");
    assert_eq!(refreshes(&provider), calls, "refused twice in a row, it is not renewed again");
    // A token that still works says nothing about renewing.
    provider.tokens(|_| text_reply(503, ""));
    bench.clock.advance(35 * MINUTE);
    let used = bench.ready(&wanted()).await;
    worked(&bench, &used).await;
    assert_eq!(bench.registry.connection(id).await.unwrap().state, ConnectionState::Degraded);
}

#[tokio::test]
async fn what_works_after_trouble_is_written_at_once_and_the_count_begins_anew() {
    let (provider, bench) = keyed().await;
    let id = connect(&bench, "a").await.id;
    let used = bench.ready(&slot("s")).await;
    worked(&bench, &used).await;
    provider.script(|_| text_reply(503, ""));
    assert!(matches!(bench.refuse(&slot("s"), &used).await, Decision::Later { .. }));
    assert_eq!(bench.registry.connection(id).await.unwrap().state, ConnectionState::Degraded);
    worked(&bench, &used).await;
    assert_eq!(bench.registry.connection(id).await.unwrap().state, ConnectionState::Active);

    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    provider.tokens(|_| text_reply(503, ""));
    bench.clock.advance(HOUR);
    for longest in [1_250, 2_500, 5_000] {
        let pause = later(&bench).await;
        assert!(pause <= longest && pause * 2 >= longest, "{pause}");
        bench.clock.advance(pause);
    }
    assert_eq!(bench.registry.test(id).await.unwrap().works, Some(true));
    assert!(later(&bench).await <= 1_250);
}

#[tokio::test]
async fn a_late_match_does_not_undo_what_a_person_chose() {
    let (_provider, bench) = keyed().await;
    connect(&bench, "a").await;
    let Decision::Ready(_, matched) = bench.registry.authorize(&slot("s")).await.unwrap() else { panic!() };
    let b = connect(&bench, "b").await;
    let target = BindTarget::Slot { flow: "flow".parse().unwrap(), slot: "s".parse().unwrap() };
    bench.registry.use_connection(target, b.id).await.unwrap();
    // Only now the engine's commit lands.
    bench.commit(matched).await;
    assert_eq!(bench.ready(&slot("s")).await.connection, b.id);
}

#[tokio::test]
async fn each_use_is_audited_with_run_and_card_and_a_refusal_of_what_is_off_costs_no_call() {
    let (provider, bench) = keyed().await;
    let made = connect(&bench, "a").await;
    let wanted = of_run(&slot("s"), 7);
    let used = bench.ready(&wanted).await;
    let audit = bench.registry.audit(10, None).await.unwrap();
    let uses: Vec<_> = audit.iter().filter(|a| a.kind == AuditKind::Use).collect();
    assert_eq!((uses.len(), uses[0].connection, uses[0].generation), (1, Some(made.id), 1));
    assert_eq!((uses[0].run, uses[0].card.as_ref()), (wanted.step.as_ref().map(|s| s.0), Some(&wanted.card)));
    bench.registry.switch(made.id, false, "audit").await.unwrap();
    let calls = provider.seen().len();
    let Decision::Denied(fault) = bench.refuse(&wanted, &used).await else { panic!() };
    assert!(fault.message.contains("switched off"), "{}", fault.message);
    assert_eq!(provider.seen().len(), calls);
}

#[tokio::test]
async fn the_apps_words_about_a_missing_right_do_not_repeat_the_secret() {
    let (_provider, bench) = keyed().await;
    connect(&bench, "canary-key").await;
    let used = bench.ready(&slot("s")).await;
    let loss = Loss::Scope { scopes: vec![], detail: "the key canary-key lacks a role".into() };
    let Decision::Denied(fault) = bench.registry.refused(&slot("s"), &used, loss).await.unwrap() else { panic!() };
    assert!(fault.message.contains("the key \u{2026} lacks a role"), "{}", fault.message);
}

#[tokio::test]
async fn a_scope_is_another_ones_name_in_whole_or_not_at_all() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    bench.ready(&need("m", "f", "a", &["people.read"])).await;
    for scope in ["people.read.all", "people", "people.rea", "PEOPLE.READ"] {
        assert_eq!(bench.wait(&need("m", "f", "a", &[scope])).await.reason, PromptReason::Scope, "{scope}");
    }
}

#[tokio::test]
async fn two_changes_of_one_connection_at_once_both_count() {
    let (provider, bench) = keyed().await;
    let made = connect(&bench, "a").await;
    let (registry, id) = (&bench.registry, made.id);
    let (renamed, off) = tokio::join!(registry.rename(id, nick("b")), registry.switch(id, false, "audit"));
    renamed.unwrap();
    off.unwrap();
    let shown = registry.connection(id).await.unwrap();
    assert_eq!((shown.nickname, shown.state), (nick("b"), ConnectionState::Disabled));
    registry.switch(id, true, "").await.unwrap();
    let used = bench.ready(&slot("s")).await;
    bench.clock.advance(1);
    registry.worked(&used);
    let ((), renamed) = tokio::join!(registry.at_rest(), registry.rename(id, nick("c")));
    renamed.unwrap();
    let shown = registry.connection(id).await.unwrap();
    assert_eq!((shown.nickname, shown.proved_at), (nick("c"), Some(bench.now())));
    provider.script(|_| account("x"));
}
