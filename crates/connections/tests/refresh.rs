//! Renewing tokens: once a generation, intent first, the answer sealed before it is read, every crash survived.
//!
//! Must never leave loopback, nor wait for real time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use flowdeck_connections::{BeginConnect, Registry};
use flowdeck_engine::ports::{Authorized, Authorizer, Decision, Loss, Scan, Space, Store};
use flowdeck_model::ConnectionId;
use flowdeck_model::app::{AuthKind, OAuthGrant, Rotation};
use flowdeck_model::connect::{ConnectionState, Need, PromptReason};
use flowdeck_playground::{Account, Faults, RevokeKind, TokenFault, TokenFaultKind};
use flowdeck_sim::StoreFault;
use parking_lot::Mutex;
use serde_json::json;
use support::provider::{Provider, Reply, Seen, account, json_reply, text_reply, token};
use support::{BROWSER, Bench, Lab, app, authorize_url, done, name, need, oauth, query_of, texts};

const HOUR: u64 = 3_600_000;

fn wanted() -> Need {
    need("m", "f", "s", &["people.read"])
}

/// A bench with a connection `m` whose tokens live an hour and whose refresh token follows `rotation`.
async fn connected(provider: &Provider, rotation: Rotation) -> (Bench, ConnectionId) {
    let bench = Bench::new().await;
    let mut kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    kind.rotation = rotation;
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let attempt = bench.registry.begin(BeginConnect::new(name("m"), BROWSER)).await.unwrap();
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    let made = done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap());
    (bench, made.id)
}

/// A server whose refresh tokens work once (with `grace`, also the one before): the strictest there is.
fn strict(provider: &Provider, grace: bool) -> Arc<Mutex<u32>> {
    let newest = Arc::new(Mutex::new(1_u32));
    let (told, dead) = (newest.clone(), Mutex::new(false));
    provider.tokens(move |seen| {
        let (mut newest, mut dead) = (newest.lock(), dead.lock());
        let sent = seen.form().get("refresh_token").cloned().unwrap_or_default();
        let fits = sent == format!("refresh-{newest}") || (grace && sent == format!("refresh-{}", *newest - 1));
        if *dead || !fits {
            *dead = true;
            return json_reply(400, &json!({ "error": "invalid_grant" }));
        }
        *newest += 1;
        token(&format!("access-{newest}"), Some(&format!("refresh-{newest}")))
    });
    told
}

async fn bearer(bench: &Bench, provider: &Provider, used: &Authorized) -> String {
    bench.get(used, &format!("{}/api", provider.base)).await.unwrap();
    provider.seen().last().unwrap().header("authorization").to_owned()
}

fn refreshes(provider: &Provider) -> usize {
    provider.token_calls().iter().filter(|s| s.form().contains_key("refresh_token")).count()
}

async fn state(registry: &Registry, id: ConnectionId) -> ConnectionState {
    registry.connection(id).await.unwrap().state
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_once_for_all_who_ask() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::SingleUse { grace_s: 0 }).await;
    strict(&provider, false);
    bench.ready(&wanted()).await;
    assert_eq!(refreshes(&provider), 0, "a fresh token is left alone");
    bench.clock.advance(HOUR - 11 * 60_000);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let registry = bench.registry.clone();
        tasks.spawn(async move { registry.authorize(&wanted()).await.unwrap() });
    }
    while let Some(decision) = tasks.join_next().await {
        let Decision::Ready(used, _) = decision.unwrap() else { panic!() };
        assert_eq!((used.connection, used.generation), (id, 2));
    }
    assert_eq!(refreshes(&provider), 1);
    let used = bench.ready(&wanted()).await;
    assert_eq!(bearer(&bench, &provider, &used).await, "Bearer access-2");
}

#[tokio::test]
async fn a_grant_that_is_found_dead_is_tried_once_for_all_who_ask() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    bench.clock.advance(HOUR);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let registry = bench.registry.clone();
        tasks.spawn(async move { registry.authorize(&wanted()).await.unwrap() });
    }
    while let Some(decision) = tasks.join_next().await {
        assert!(matches!(decision.unwrap(), Decision::Wait(hold) if hold.reason == PromptReason::Lost));
    }
    assert_eq!(refreshes(&provider), 1);
}

#[tokio::test]
async fn the_intent_is_durable_before_the_call_and_the_answer_before_it_is_read() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    bench.clock.advance(HOUR);
    let (store, intents) = (bench.store.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = intents.clone();
    provider.tokens(move |_| {
        // The server looks into the client's store while it answers.
        let store = store.clone();
        let look = async move { store.scan(Scan::prefix(Space::Grants, *b"i/", 10)).await.unwrap().len() };
        let found =
            std::thread::spawn(move || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(look));
        seen.lock().push(found.join().unwrap());
        text_reply(200, "<html>no token</html>")
    });
    let Decision::Later { .. } = bench.registry.authorize(&wanted()).await.unwrap() else { panic!() };
    assert_eq!(*intents.lock(), [1]);
    let kept = bench.everything().await.into_iter().filter(|(s, key, _)| *s == Space::Grants && key.starts_with(b"r/"));
    assert_eq!(kept.count(), 1, "even an answer that cannot be read is kept, sealed");
    provider.usual();
    bench.clock.advance(HOUR);
    assert_eq!(bench.ready(&wanted()).await.generation, 2, "and does not stand in the way of the next call");
}

/// Dies at every store operation of one refresh; each time a new process must end up with a working grant.
async fn crash_everywhere(rotation: Rotation, grace: bool, lost_allowed: bool) {
    let mut lost = 0;
    for (fault, at) in (1..40).flat_map(|n| [(StoreFault::DieBefore, n), (StoreFault::DieAfter, n)]) {
        let provider = Provider::start().await;
        let (bench, id) = connected(&provider, rotation).await;
        let newest = strict(&provider, grace);
        bench.clock.advance(HOUR - 60_000);
        bench.store.fail_at(bench.store.operations() + at, fault);
        let crashed = bench.registry.authorize(&wanted()).await.is_err();
        let bench = bench.restart().await;
        bench.clock.advance(2_000);
        // Twice: what is in doubt is tried again only when the token has ended.
        bench.registry.authorize(&wanted()).await.unwrap();
        bench.clock.advance(60_000);
        match bench.registry.authorize(&wanted()).await.unwrap() {
            Decision::Ready(used, _) => {
                assert_eq!(used.connection, id);
                let sent = bearer(&bench, &provider, &used).await;
                assert_eq!(sent, format!("Bearer access-{}", newest.lock()), "{fault:?} {at}");
            }
            Decision::Wait(hold) => {
                assert!(lost_allowed && hold.reason == PromptReason::Lost, "{fault:?} {at}: {hold:?}");
                lost += 1;
            }
            other => panic!("{fault:?} {at}: {other:?}"),
        }
        if !crashed {
            assert!(at > 5, "a refresh has more operations than this");
            assert_eq!(lost > 0, lost_allowed, "only the answer that nobody kept is lost, and then a person is asked");
            return;
        }
    }
    panic!("a refresh has fewer operations than this");
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_refresh_loses_nothing_where_the_provider_has_a_grace() {
    crash_everywhere(Rotation::SingleUse { grace_s: 60 }, true, false).await;
}

#[tokio::test]
async fn a_crash_at_any_point_without_a_grace_ends_in_a_working_grant_or_a_prompt() {
    crash_everywhere(Rotation::SingleUse { grace_s: 0 }, false, true).await;
}

#[tokio::test]
async fn an_answer_that_got_lost_on_its_way_is_fetched_again_within_the_grace() {
    let lab = Lab::new().await;
    let made = lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    lab.clock.advance(15 * 60_000);
    let fault = TokenFault { kind: TokenFaultKind::CloseAfterActing, delay_ms: 0, times: 1 };
    lab.controls().set_faults(Faults { token_endpoint: Some(fault), api: vec![] });
    let Decision::Later { retry_ms, .. } = lab.registry.authorize(&wanted).await.unwrap() else { panic!() };
    lab.clock.advance(retry_ms);
    let used = lab.ready(&wanted).await;
    assert_eq!((used.connection, lab.get(&used, &lab.people()).await.unwrap().0), (made.id, 200));
    assert_eq!(lab.controls().counts().tokens_issued["refresh_token"], 2);
}

#[tokio::test]
async fn an_answer_that_was_sealed_before_a_crash_is_used_without_another_call() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::SingleUse { grace_s: 0 }).await;
    let store = bench.store.clone();
    provider.tokens(move |_| {
        // The sealed answer is the next operation, the new generation the one after the read that checks the old one.
        store.fail_at(store.operations() + 2, StoreFault::DieBefore);
        token("access-2", Some("refresh-2"))
    });
    bench.clock.advance(HOUR);
    bench.registry.authorize(&wanted()).await.unwrap_err();
    let bench = bench.restart().await;
    let used = bench.ready(&wanted()).await;
    assert_eq!((used.generation, refreshes(&provider)), (2, 1));
    assert_eq!(bearer(&bench, &provider, &used).await, "Bearer access-2");
}

#[tokio::test]
async fn a_renewal_without_an_answer_is_repeated_within_the_grace_and_not_beyond_while_the_token_works() {
    for (grace_s, pause_s, calls) in [(60, 2, 2), (60, 61, 1), (0, 2, 1)] {
        let provider = Provider::start().await;
        let (bench, _) = connected(&provider, Rotation::SingleUse { grace_s }).await;
        let lost = Mutex::new(false);
        provider.tokens(move |_| match std::mem::replace(&mut *lost.lock(), true) {
            false => text_reply(200, "<html>the answer went elsewhere</html>"),
            true => token("access-2", Some("refresh-2")),
        });
        bench.clock.advance(HOUR - 600_000);
        assert_eq!(bench.ready(&wanted()).await.generation, 1, "the token still works");
        bench.clock.advance(pause_s * 1_000);
        let used = bench.ready(&wanted()).await;
        assert_eq!(
            (refreshes(&provider), used.generation),
            (calls, calls as u64),
            "grace {grace_s} s, after {pause_s} s"
        );
    }
}

#[tokio::test]
async fn a_call_that_never_left_puts_nothing_in_doubt() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::SingleUse { grace_s: 0 }).await;
    strict(&provider, false);
    let mut offline = bench.auth("m");
    let AuthKind::OAuth2(kind) = &mut offline.methods[0].kind else { panic!() };
    kind.token_url = "http://127.0.0.1:1/oauth/token".into();
    offline.hosts.push("http://127.0.0.1:1".into());
    let online = bench.auth("m");
    bench.apps.put(offline.clone());
    bench.clock.advance(HOUR - 100_000);
    assert_eq!(bench.ready(&wanted()).await.generation, 1);
    bench.apps.put(online.clone());
    bench.clock.advance(10_000);
    assert_eq!(bench.ready(&wanted()).await.generation, 2, "it is renewed as soon as there is a network");
    bench.apps.put(offline);
    for _ in 0..5 {
        bench.clock.advance(2 * HOUR);
        let Decision::Later { .. } = bench.registry.authorize(&wanted()).await.unwrap() else { panic!() };
    }
    assert_eq!(state(&bench.registry, id).await, ConnectionState::Degraded);
    bench.apps.put(online);
    bench.clock.advance(HOUR);
    assert_eq!(bench.ready(&wanted()).await.generation, 3, "days without a network kill no grant");
}

#[tokio::test]
async fn each_failure_of_a_renewal_has_its_consequence() {
    use ConnectionState as S;
    type Row = (&'static str, fn(&Seen) -> Reply, S, &'static str, bool);
    let table: [Row; 13] = [
        ("dead", |_| json_reply(400, &json!({ "error": "invalid_grant" })), S::NeedsReauth, "lost", false),
        ("dead at 200", |_| json_reply(200, &json!({ "error": "bad_refresh_token" })), S::NeedsReauth, "lost", false),
        ("app", |_| json_reply(401, &json!({ "error": "invalid_client" })), S::Degraded, "setup", true),
        (
            "app unauthorized",
            |_| json_reply(400, &json!({ "error": "unauthorized_client" })),
            S::Degraded,
            "setup",
            true,
        ),
        ("scope", |_| json_reply(400, &json!({ "error": "invalid_scope" })), S::NeedsReauth, "lost", false),
        ("person", |_| json_reply(400, &json!({ "error": "interaction_required" })), S::NeedsReauth, "lost", false),
        (
            "redirect",
            |_| Reply(307, vec![("location", "https://evil.example/".into())], String::new()),
            S::Disabled,
            "denied",
            false,
        ),
        ("5xx", |_| text_reply(503, "down"), S::Degraded, "later", true),
        ("5xx that says dead", |_| json_reply(500, &json!({ "error": "invalid_grant" })), S::Degraded, "later", true),
        ("too many", |_| json_reply(429, &json!({ "error": "slow_down" })), S::Degraded, "later", true),
        ("html", |_| text_reply(200, "<html>hotel network</html>"), S::Degraded, "later", true),
        (
            "unknown error",
            |_| json_reply(400, &json!({ "error": "temporarily_unavailable" })),
            S::Degraded,
            "later",
            true,
        ),
        ("bare 401", |_| text_reply(401, ""), S::Degraded, "later", true),
    ];
    for (row, reply, expected_state, expected, recovers) in table {
        let provider = Provider::start().await;
        let (bench, id) = connected(&provider, Rotation::Static).await;
        provider.tokens(reply);
        bench.clock.advance(HOUR);
        let decide = async || match bench.registry.authorize(&wanted()).await.unwrap() {
            Decision::Ready(..) => "ready",
            Decision::Later { .. } => "later",
            Decision::Denied(_) => "denied",
            Decision::Wait(hold) if hold.reason == PromptReason::Lost => "lost",
            Decision::Wait(hold) if hold.reason == PromptReason::Setup => "setup",
            Decision::Wait(_) => "wait",
        };
        assert_eq!(decide().await, expected, "{row}");
        assert_eq!(state(&bench.registry, id).await, expected_state, "{row}");
        let calls = refreshes(&provider);
        for _ in 0..3 {
            assert_eq!(decide().await, expected, "{row}: asked again at once");
        }
        assert_eq!(refreshes(&provider), calls, "{row}: not called again at once");
        provider.usual();
        bench.clock.advance(HOUR);
        assert_eq!(decide().await == "ready", recovers, "{row}: when the provider is well again");
        assert_eq!(refreshes(&provider) > calls, recovers, "{row}: a dead grant is not tried again");
    }
}

#[tokio::test]
async fn a_token_that_still_works_is_used_while_its_renewal_fails() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    provider.tokens(|_| text_reply(503, ""));
    bench.clock.advance(HOUR - 60_000);
    assert_eq!(bench.ready(&wanted()).await.generation, 1);
    assert_eq!(state(&bench.registry, id).await, ConnectionState::Degraded);
}

#[tokio::test]
async fn a_revoked_access_token_is_replaced_without_a_prompt() {
    let lab = Lab::new().await;
    lab.connect("admin", Account::Robin).await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let used = lab.ready(&wanted).await;
    lab.controls().revoke(Account::Robin, RevokeKind::Access).await.unwrap();
    assert_eq!(lab.get(&used, &lab.people()).await.unwrap().0, 401);
    let loss = Loss::Unauthorized { detail: "invalid_token".into() };
    let Decision::Ready(again, _) = lab.registry.refused(&wanted, &used, loss).await.unwrap() else { panic!() };
    assert_eq!((again.generation, lab.get(&again, &lab.people()).await.unwrap().0), (2, 200));
}

#[tokio::test]
async fn a_report_about_an_older_generation_harms_nothing() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    let old = bench.ready(&wanted()).await;
    bench.clock.advance(HOUR);
    let new = bench.ready(&wanted()).await;
    assert_eq!((old.generation, new.generation), (1, 2));
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    let calls = provider.seen().len();
    for _ in 0..3 {
        let loss = Loss::Unauthorized { detail: "old".into() };
        let Decision::Ready(now, _) = bench.registry.refused(&wanted(), &old, loss).await.unwrap() else { panic!() };
        assert_eq!(now.generation, 2);
    }
    assert_eq!(provider.seen().len(), calls, "and costs no call");
    assert_eq!(state(&bench.registry, id).await, ConnectionState::Active);
}

#[tokio::test]
async fn a_second_refusal_after_a_renewal_asks_the_probe_and_only_its_refusal_ends_the_grant() {
    for (probe_status, expected) in
        [(200, ConnectionState::Active), (503, ConnectionState::Degraded), (401, ConnectionState::NeedsReauth)]
    {
        let provider = Provider::start().await;
        let (bench, id) = connected(&provider, Rotation::Static).await;
        let loss = || Loss::Unauthorized { detail: "no".into() };
        let first = bench.ready(&wanted()).await;
        let Decision::Ready(second, _) = bench.registry.refused(&wanted(), &first, loss()).await.unwrap() else {
            panic!()
        };
        provider.script(move |_| if probe_status == 200 { account("sub-1") } else { text_reply(probe_status, "") });
        let calls = provider.token_calls().len();
        let decision = bench.registry.refused(&wanted(), &second, loss()).await.unwrap();
        match probe_status {
            200 => assert!(matches!(decision, Decision::Denied(_)), "{decision:?}"),
            503 => assert!(matches!(decision, Decision::Later { .. }), "{decision:?}"),
            _ => assert!(matches!(&decision, Decision::Wait(h) if h.reason == PromptReason::Lost), "{decision:?}"),
        }
        assert_eq!((state(&bench.registry, id).await, provider.token_calls().len()), (expected, calls));
    }
}

#[tokio::test]
async fn a_credential_that_worked_may_be_renewed_again_after_the_next_refusal() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    let loss = || Loss::Unauthorized { detail: "no".into() };
    let mut used = bench.ready(&wanted()).await;
    for generation in 2..5 {
        let Decision::Ready(next, _) = bench.registry.refused(&wanted(), &used, loss()).await.unwrap() else {
            panic!()
        };
        assert_eq!(next.generation, generation);
        bench.clock.advance(1);
        bench.registry.worked(&next);
        let proved = bench.now();
        bench.until(async || bench.registry.connection(id).await.unwrap().proved_at == Some(proved)).await;
        used = next;
    }
}

#[tokio::test]
async fn an_omitted_refresh_token_is_kept_and_a_refresh_never_widens() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    provider.tokens(|seen| {
        assert_eq!(seen.form()["refresh_token"], "refresh-1");
        json_reply(200, &json!({ "access_token": "a", "expires_in": 60, "scope": "people.read admin.all" }))
    });
    for generation in 2..4 {
        bench.clock.advance(HOUR);
        assert_eq!(bench.ready(&wanted()).await.generation, generation);
    }
    assert_eq!(bench.registry.connection(id).await.unwrap().granted, Some(texts(&["people.read"])));
}

#[tokio::test]
async fn a_refresh_that_narrows_makes_who_needs_more_wait_for_the_scope() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider, Rotation::Static).await;
    provider.tokens(|_| json_reply(200, &json!({ "access_token": "a", "expires_in": 3600, "scope": "" })));
    bench.clock.advance(HOUR);
    assert_eq!(bench.wait(&wanted()).await.reason, PromptReason::Scope);
    bench.ready(&need("m", "f", "s", &[])).await;
}

#[tokio::test]
async fn a_token_without_refresh_ends_in_a_prompt_when_its_time_is_over() {
    let provider = Provider::start().await;
    provider.tokens(|_| token("only", None));
    let (bench, id) = connected(&provider, Rotation::Static).await;
    bench.clock.advance(HOUR - 1);
    bench.ready(&wanted()).await;
    bench.clock.advance(1);
    assert_eq!(bench.wait(&wanted()).await.reason, PromptReason::Lost);
    assert_eq!(state(&bench.registry, id).await, ConnectionState::NeedsReauth);
    assert_eq!(provider.token_calls().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_or_forward_costs_at_most_a_call() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider, Rotation::Static).await;
    bench.clock.jump(-7 * 24 * i64::try_from(HOUR).unwrap());
    bench.ready(&wanted()).await;
    bench.clock.jump(30 * 24 * i64::try_from(HOUR).unwrap());
    assert_eq!(bench.ready(&wanted()).await.generation, 2);
    assert_eq!(state(&bench.registry, id).await, ConnectionState::Active);
}
