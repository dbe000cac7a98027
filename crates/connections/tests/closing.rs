//! When prompts close, and that nobody is left waiting at one that did.
//!
//! Must never leave loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use flowdeck_connections::{BeginConnect, BindTarget, PromptFilter, Surface};
use flowdeck_engine::ports::{Authorizer, Decision, Hold, Op, Space};
use flowdeck_engine::wire::keys;
use flowdeck_model::app::{AuthKind, OAuthGrant};
use flowdeck_model::connect::{Need, PromptReason, PromptState};
use flowdeck_model::{ConnectionId, PromptId, RunId};
use parking_lot::Mutex;
use support::keyed::{connect, keyed, slot};
use support::provider::{Provider, account, text_reply, token};
use support::{BROWSER, Bench, app, authorize_url, done, form, name, need, oauth, query_of};

fn wait_key(hold: &Hold, run: u128) -> Vec<u8> {
    keys::wait(&hold.on, hold.seen, RunId::from_bytes(run.to_be_bytes()))
}

/// A run waits, as the engine commits it.
async fn waits(bench: &Bench, need: &Need, run: u128) -> Hold {
    let hold = bench.held(need).await;
    bench.commit(vec![Op::Put { space: Space::Waits, key: wait_key(&hold, run), value: vec![] }]).await;
    hold
}

/// The run is cancelled.
async fn gone(bench: &Bench, hold: &Hold, run: u128) {
    bench.commit(vec![Op::Delete { space: Space::Waits, key: wait_key(hold, run) }]).await;
}

/// A slot is given a connection for good.
async fn uses(bench: &Bench, slot: &str, connection: ConnectionId) {
    let target = BindTarget::Slot { flow: "flow".parse().unwrap(), slot: slot.parse().unwrap() };
    bench.registry.use_connection(target, connection).await.unwrap();
}

async fn state(bench: &Bench, prompt: PromptId) -> PromptState {
    bench.registry.prompt(prompt).await.unwrap().state
}

#[tokio::test]
async fn a_prompt_that_runs_wait_at_cannot_be_closed() {
    let (_provider, bench) = keyed().await;
    let hold = waits(&bench, &slot("a"), 1).await;
    let refusal = bench.registry.close_prompt(hold.prompt).await.unwrap_err();
    assert_eq!(refusal.code(), "connect.prompt_awaited");
    assert!(refusal.to_string().contains("runs wait at it (1)"), "{refusal}");
    assert_eq!(state(&bench, hold.prompt).await, PromptState::Open);
    gone(&bench, &hold, 1).await;
    assert_eq!(bench.registry.close_prompt(hold.prompt).await.unwrap().state, PromptState::Closed);
    assert_eq!(bench.registry.close_prompt(hold.prompt).await.unwrap_err().code(), "connect.prompt_over");
}

#[tokio::test]
async fn a_wait_on_its_way_to_the_store_while_its_prompt_closes_asks_anew() {
    let (_provider, bench) = keyed().await;
    bench.registry.raise(&[slot("a")]).await.unwrap();
    let hold = bench.wait(&slot("a")).await;
    bench.registry.close_prompt(hold.prompt).await.unwrap();
    // Only now the engine's commit lands.
    bench.commit(hold.ops.clone()).await;
    bench.commit(vec![Op::Put { space: Space::Waits, key: wait_key(&hold, 1), value: vec![] }]).await;
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap(), "nobody waits at a closed prompt");
    assert!(bench.registry.next_changes().await.contains(&hold.on), "also without a restart");
    let again = bench.held(&slot("a")).await;
    assert_ne!(again.prompt, hold.prompt);
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.prompt, asked.fields) = (Some(hold.prompt), form(&[("key", "a")]));
    assert_eq!(bench.registry.begin(asked).await.unwrap_err().code(), "connect.prompt_over");
}

#[tokio::test]
async fn a_prompt_closes_when_the_last_run_that_waited_has_left() {
    let (_provider, bench) = keyed().await;
    let first = waits(&bench, &slot("a"), 1).await;
    let second = waits(&bench, &slot("b"), 2).await;
    assert_eq!(first.prompt, second.prompt);
    gone(&bench, &first, 1).await;
    bench.registry.left(first.prompt).await.unwrap();
    assert_eq!(state(&bench, first.prompt).await, PromptState::Open, "another run waits");
    gone(&bench, &second, 2).await;
    bench.registry.left(first.prompt).await.unwrap();
    assert_eq!(state(&bench, first.prompt).await, PromptState::Closed);
    assert!(bench.registry.prompts(&PromptFilter::open()).await.unwrap().is_empty());
    let third = waits(&bench, &slot("a"), 3).await;
    connect(&bench, "x").await;
    bench.registry.left(third.prompt).await.unwrap();
    assert_eq!(state(&bench, third.prompt).await, PromptState::Answered, "what was answered stays so");
}

#[tokio::test]
async fn what_nobody_could_tell_is_seen_at_the_next_start_and_what_was_raised_stays() {
    let (_provider, bench) = keyed().await;
    let left = waits(&bench, &Need { nickname: Some(support::nick("n")), ..slot("a") }, 1).await;
    gone(&bench, &left, 1).await;
    let awaited = waits(&bench, &slot("b"), 2).await;
    let raised = bench.registry.raise(&[Need { nickname: Some(support::nick("m")), ..slot("c") }]).await.unwrap();
    let bench = bench.restart().await;
    assert_eq!(state(&bench, left.prompt).await, PromptState::Closed);
    assert_eq!(state(&bench, awaited.prompt).await, PromptState::Open);
    assert_eq!(state(&bench, raised[0].id).await, PromptState::Open);
    let bench = bench.restart().await;
    assert_eq!(state(&bench, left.prompt).await, PromptState::Closed, "it can still be read");
}

#[tokio::test]
async fn a_removal_that_leaves_one_connection_wakes_who_would_get_it_as_a_new_run() {
    let (_provider, bench) = keyed().await;
    let (a, b) = (connect(&bench, "a").await, connect(&bench, "b").await);
    // `old` used b; it is never given another one unasked.
    uses(&bench, "old", b.id).await;
    let fresh = waits(&bench, &slot("fresh"), 1).await;
    assert_eq!(fresh.reason, PromptReason::Choose);
    bench.registry.next_changes().await;
    bench.registry.disconnect(b.id).await.unwrap();
    assert!(bench.registry.next_changes().await.contains(&fresh.on), "it is told without a restart");
    assert!(bench.registry.changed(&fresh.on, fresh.seen).await.unwrap());
    assert_eq!(state(&bench, fresh.prompt).await, PromptState::Answered);
    assert_eq!(bench.ready(&slot("fresh")).await.connection, a.id);
    let old = waits(&bench, &slot("old"), 2).await;
    assert_eq!(old.reason, PromptReason::Choose);
    let c = connect(&bench, "c").await;
    bench.registry.next_changes().await;
    bench.registry.disconnect(c.id).await.unwrap();
    assert!(!bench.registry.next_changes().await.contains(&old.on), "who was bound is asked, as a new run is");
    assert_eq!(bench.wait(&slot("old")).await.prompt, old.prompt);
}

#[tokio::test]
async fn a_removal_that_leaves_none_lets_the_choosers_ask_for_the_first_one() {
    let (_provider, bench) = keyed().await;
    let (a, b) = (connect(&bench, "a").await, connect(&bench, "b").await);
    uses(&bench, "old", b.id).await;
    bench.registry.disconnect(b.id).await.unwrap();
    let old = waits(&bench, &slot("old"), 1).await;
    bench.registry.next_changes().await;
    bench.registry.disconnect(a.id).await.unwrap();
    assert!(bench.registry.next_changes().await.contains(&old.on));
    let again = bench.held(&slot("old")).await;
    assert_eq!((again.reason, again.prompt != old.prompt), (PromptReason::Missing, true));
}

#[tokio::test]
async fn a_connection_that_is_removed_while_it_is_renewed_leaves_no_grant_behind() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let mut kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    kind.revoke_url = None;
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let attempt = bench.registry.begin(BeginConnect::new(name("m"), BROWSER)).await.unwrap();
    let state = query_of(&authorize_url(&attempt))["state"].clone();
    let id = done(bench.registry.callback(&format!("code=1&state={state}")).await.unwrap()).id;
    bench.clock.advance(3_600_000);
    let (registry, removed) = (bench.registry.clone(), Arc::new(Mutex::new(None)));
    let kept = removed.clone();
    provider.tokens(move |_| {
        let registry = registry.clone();
        *kept.lock() = Some(tokio::spawn(async move { registry.disconnect(id).await }));
        token("late", Some("later"))
    });
    bench.registry.authorize(&need("m", "f", "s", &[])).await.unwrap();
    let removing = removed.lock().take().unwrap();
    removing.await.unwrap().unwrap();
    let left: Vec<_> = bench.everything().await.into_iter().filter(|(space, ..)| *space == Space::Grants).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Signs in to the connection again.
async fn repair(bench: &Bench, id: ConnectionId) {
    let asked = BeginConnect { connection: Some(id), ..BeginConnect::new(name("k"), Surface::Direct) };
    done(bench.registry.begin(asked).await.unwrap());
}

#[tokio::test]
async fn who_waited_for_a_lost_connection_goes_on_with_the_one_that_was_chosen() {
    let (provider, bench) = keyed().await;
    connect(&bench, "a").await;
    bench.ready(&slot("s")).await;
    let b = connect(&bench, "b").await;
    provider.script(|seen| match seen.header("x-key") {
        "a" => text_reply(401, ""),
        key => account(key),
    });
    let used = bench.ready(&slot("s")).await;
    let Decision::Wait(lost) = bench.refuse(&slot("s"), &used).await else { panic!() };
    bench.commit(lost.ops.clone()).await;
    bench.registry.use_connection(BindTarget::Prompt(lost.prompt), b.id).await.unwrap();
    assert!(bench.registry.changed(&lost.on, lost.seen).await.unwrap());
    assert_eq!(bench.ready(&slot("s")).await.connection, b.id);
    let again = bench.registry.use_connection(BindTarget::Prompt(lost.prompt), b.id).await.unwrap_err();
    assert_eq!(again.code(), "connect.prompt_over");
}

#[tokio::test]
async fn who_waits_is_told_when_its_slot_is_given_a_connection() {
    let (_provider, bench) = keyed().await;
    let (_, b) = (connect(&bench, "a").await, connect(&bench, "b").await);
    let hold = waits(&bench, &slot("s"), 1).await;
    uses(&bench, "s", b.id).await;
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
}

#[tokio::test]
async fn what_answers_another_question_leaves_a_prompt_open() {
    let (_provider, bench) = keyed().await;
    let named = waits(&bench, &Need { nickname: Some(support::nick("c")), ..slot("a") }, 1).await;
    let b = connect(&bench, "b").await;
    assert_eq!(state(&bench, named.prompt).await, PromptState::Open, "another nickname is connected");
    bench.registry.rename(b.id, support::nick("d")).await.unwrap();
    assert_eq!(state(&bench, named.prompt).await, PromptState::Open, "one is renamed to another nickname");
    let e = connect(&bench, "e").await;
    let choose = waits(&bench, &slot("x"), 2).await;
    let f = connect(&bench, "f").await;
    assert_eq!(state(&bench, choose.prompt).await, PromptState::Open, "there are more to choose from");
    bench.registry.disconnect(f.id).await.unwrap();
    assert_eq!(state(&bench, choose.prompt).await, PromptState::Open, "two are left");
    bench.registry.disconnect(e.id).await.unwrap();
    assert_eq!(state(&bench, choose.prompt).await, PromptState::Answered);
    assert_eq!(state(&bench, named.prompt).await, PromptState::Open, "who named one waits for that one");
}

#[tokio::test]
async fn a_slot_that_had_a_connection_is_asked_also_when_the_only_one_is_repaired() {
    let (_provider, bench) = keyed().await;
    let b = connect(&bench, "b").await;
    bench.ready(&slot("matched")).await;
    let a = connect(&bench, "a").await;
    uses(&bench, "chosen", b.id).await;
    bench.registry.disconnect(b.id).await.unwrap();
    for (run, name) in ["matched", "chosen"].into_iter().enumerate() {
        let hold = waits(&bench, &slot(name), run as u128).await;
        assert_eq!(hold.reason, PromptReason::Choose);
        repair(&bench, a.id).await;
        assert_eq!(state(&bench, hold.prompt).await, PromptState::Open, "{name}");
    }
}

#[tokio::test]
async fn also_who_is_not_remembered_before_its_commit_is_told() {
    let (_provider, bench) = keyed().await;
    let mut holds = Vec::new();
    // One more than are remembered for one prompt.
    for n in 0..1_001 {
        holds.push(bench.wait(&slot(&format!("s{n}"))).await);
    }
    bench.registry.close_prompt(holds[0].prompt).await.unwrap();
    for hold in [&holds[0], &holds[1_000]] {
        assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap(), "{:?}", hold.on);
    }
}
