//! Trouble that may pass becomes a person's matter after a stated number of failures and a stated time, and not before.
//!
//! Must never leave loopback, nor wait for real time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use flowdeck_connections::{BeginConnect, Surface};
use flowdeck_engine::ports::{Authorizer, Decision, Hold};
use flowdeck_model::ConnectionId;
use flowdeck_model::app::{AuthKind, OAuthGrant};
use flowdeck_model::connect::{ConnectionState, Need, PromptReason, PromptState};
use serde_json::json;
use support::provider::{Provider, Reply, account, json_reply, text_reply};
use support::{BROWSER, Bench, app, authorize_url, done, field, name, need, oauth, query_of};

const MINUTE: u64 = 60_000;
/// What the documentation promises.
const FAILURES: usize = 11;
const LASTED: u64 = 30 * MINUTE;

fn wanted() -> Need {
    need("m", "f", "s", &[])
}

/// A connection `m` whose tokens live an hour.
async fn connected(provider: &Provider) -> (Bench, ConnectionId) {
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let attempt = bench.registry.begin(BeginConnect::new(name("m"), BROWSER)).await.unwrap();
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    let id = done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap()).id;
    (bench, id)
}

/// Asks again and again, each time when it is told to; the wait, and after how many failures and what time it came.
async fn until_asked(bench: &Bench) -> (Hold, usize, u64) {
    let began = bench.now();
    for failures in 1..100 {
        match bench.registry.authorize(&wanted()).await.unwrap() {
            Decision::Later { retry_ms, .. } => bench.clock.advance(retry_ms),
            Decision::Wait(hold) => return (hold, failures, bench.now().since(began)),
            other => panic!("neither later nor a wait: {other:?}"),
        }
    }
    panic!("nobody is ever asked");
}

#[tokio::test]
async fn a_renewal_that_fails_long_enough_asks_a_person_and_recovers_by_itself() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider).await;
    provider.tokens(|_| text_reply(503, "down"));
    bench.clock.advance(50 * MINUTE);
    bench.ready(&wanted()).await;
    bench.clock.advance(10 * MINUTE);
    let (hold, failures, lasted) = until_asked(&bench).await;
    assert!(failures >= FAILURES && lasted + 10 * MINUTE >= LASTED, "{failures} failures in {lasted} ms");
    assert!(lasted <= 2 * LASTED, "and not for ever: {lasted} ms");
    assert_eq!(hold.reason, PromptReason::Lost);
    bench.commit(hold.ops).await;
    let prompt = bench.registry.prompt(hold.prompt).await.unwrap();
    assert!(prompt.message.contains("could be neither renewed nor checked since 2026-"), "{}", prompt.message);
    let shown = bench.registry.connection(id).await.unwrap();
    assert_eq!(shown.state, ConnectionState::Degraded, "the grant is not dead");
    assert!(shown.state_reason.contains("503"), "{}", shown.state_reason);
    provider.usual();
    bench.clock.advance(10 * MINUTE);
    bench.ready(&wanted()).await;
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap(), "who waits goes on without a person");
    assert_eq!(bench.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Answered);
    assert_eq!(bench.registry.connection(id).await.unwrap().state, ConnectionState::Active);
}

#[tokio::test]
async fn trouble_while_the_token_works_asks_nobody() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider).await;
    provider.tokens(|_| text_reply(503, "down"));
    bench.clock.advance(49 * MINUTE);
    for _ in 0..10 {
        bench.ready(&wanted()).await;
        bench.clock.advance(MINUTE);
    }
    bench.ready(&wanted()).await;
}

#[tokio::test]
async fn a_refused_credential_that_cannot_be_checked_asks_a_person_in_the_end() {
    let provider = Provider::start().await;
    provider.script(|_| account("sub-1"));
    let bench = Bench::new().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("m", &provider.base, kind, vec![field("key", true)]));
    let id = done(bench.begin("m", "m", Surface::Direct, &[("key", "a")]).await).id;
    provider.script(|_| json_reply(503, &json!({})));
    let began = bench.now();
    let mut asked = None;
    for _ in 0..100 {
        let used = bench.ready(&wanted()).await;
        match bench.refuse(&wanted(), &used).await {
            Decision::Later { retry_ms, .. } => bench.clock.advance(retry_ms),
            Decision::Wait(hold) => {
                asked = Some(hold);
                break;
            }
            other => panic!("neither later nor a wait: {other:?}"),
        }
    }
    assert_eq!(asked.unwrap().reason, PromptReason::Lost);
    let lasted = bench.now().since(began);
    assert!((LASTED..2 * LASTED).contains(&lasted), "{lasted} ms");
    let used = bench.ready(&wanted()).await;
    bench.registry.worked(&used);
    let registry = bench.registry.clone();
    bench.until(async || registry.connection(id).await.unwrap().state == ConnectionState::Active).await;
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_back_is_left_alone_until_then_and_for_an_hour_at_most() {
    // The answer, its headers, and the shortest and longest pause that may follow, in milliseconds.
    let date = "Mon, 21 Sep 2026 14:13:20 GMT";
    type Row = (u16, Vec<(&'static str, &'static str)>, [u64; 2]);
    let table: [Row; 6] = [
        (429, vec![("retry-after", "120")], [120_000, 150_000]),
        (503, vec![("retry-after", "Mon, 21 Sep 2026 14:15:20 GMT"), ("date", date)], [120_000, 150_000]),
        (503, vec![("retry-after", "999999999")], [60 * MINUTE, 60 * MINUTE + 75_000]),
        (429, vec![("retry-after", "soon")], [1_000, 1_250]),
        (429, vec![("retry-after", "0")], [1_000, 1_250]),
        (503, vec![], [1_000, 1_250]),
    ];
    for (status, headers, [shortest, longest]) in table {
        let provider = Provider::start().await;
        let (bench, _) = connected(&provider).await;
        let owned: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        provider.tokens(move |_| Reply(status, owned.clone(), "busy".into()));
        bench.clock.advance(60 * MINUTE);
        let Decision::Later { retry_ms, .. } = bench.registry.authorize(&wanted()).await.unwrap() else { panic!() };
        assert!((shortest..=longest).contains(&retry_ms), "{status} {headers:?}: {retry_ms}");
        let calls = provider.token_calls().len();
        provider.usual();
        // Also another process, which only has what is on disk, waits.
        let bench = bench.restart().await;
        bench.clock.advance(retry_ms - 1);
        assert!(matches!(bench.registry.authorize(&wanted()).await.unwrap(), Decision::Later { retry_ms: 1, .. }));
        assert_eq!(provider.token_calls().len(), calls, "{status} {headers:?}: called too soon");
        bench.clock.advance(1);
        bench.ready(&wanted()).await;
    }
}

#[tokio::test]
async fn a_test_that_works_lets_who_waits_go_on() {
    let provider = Provider::start().await;
    let (bench, id) = connected(&provider).await;
    provider.tokens(|_| text_reply(503, "down"));
    bench.clock.advance(60 * MINUTE);
    let (hold, ..) = until_asked(&bench).await;
    bench.commit(hold.ops).await;
    assert_eq!(bench.registry.test(id).await.unwrap().works, Some(true));
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    assert_eq!(bench.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Answered);
    assert_eq!(bench.registry.connection(id).await.unwrap().state, ConnectionState::Active);
}

#[tokio::test]
async fn what_recovers_by_itself_answers_its_own_prompt_and_no_other() {
    let provider = Provider::start().await;
    let (bench, _) = connected(&provider).await;
    bench.ready(&wanted()).await;
    let scope = bench.held(&need("m", "f", "scope", &["more"])).await;
    let attempt = bench.begin("m", "two", BROWSER, &[]).await;
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap());
    let second = Need { nickname: Some(support::nick("two")), ..need("m", "f", "two", &[]) };
    let used = bench.ready(&second).await;
    provider.tokens(|_| json_reply(400, &json!({ "error": "invalid_grant" })));
    let Decision::Wait(other) = bench.refuse(&second, &used).await else { panic!() };
    bench.commit(other.ops).await;
    provider.tokens(|_| text_reply(503, "down"));
    bench.clock.advance(60 * MINUTE);
    let (own, ..) = until_asked(&bench).await;
    bench.commit(own.ops).await;
    provider.usual();
    bench.clock.advance(10 * MINUTE);
    bench.ready(&wanted()).await;
    for (prompt, expected) in
        [(own.prompt, PromptState::Answered), (other.prompt, PromptState::Open), (scope.prompt, PromptState::Open)]
    {
        let shown = bench.registry.prompt(prompt).await.unwrap();
        assert_eq!(shown.state, expected, "{}", shown.message);
    }
}
