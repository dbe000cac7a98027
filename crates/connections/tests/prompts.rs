//! Slots, prompts and waits: which connection a slot uses, who is asked what, and how nobody hangs.
//!
//! Must never leave loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_connections::{BeginConnect, BindTarget, PromptFilter, Surface, Waits};
use flowdeck_engine::ports::{Authorizer, Decision, Loss, Op, Space, StoreError, WaitKey};
use flowdeck_engine::wire::keys;
use flowdeck_model::RunId;
use flowdeck_model::app::{AuthKind, OAuthGrant};
use flowdeck_model::connect::{Need, PromptReason, PromptState};
use serde_json::json;
use support::keyed::{connect, keyed, slot};
use support::provider::{Provider, account, json_reply};
use support::{Bench, app, authorize_url, done, field, form, name, need, nick, oauth, of_run, query_of, texts};

fn with_nickname(slot: &str, nickname: &str) -> Need {
    Need { nickname: Some(nick(nickname)), ..need("k", "flow", slot, &[]) }
}

async fn lose(bench: &Bench, wanted: &Need) {
    let used = bench.ready(wanted).await;
    let Decision::Wait(hold) = bench.refuse(wanted, &used).await else { panic!("the probe must refuse") };
    bench.commit(hold.ops).await;
}

#[tokio::test]
async fn there_is_one_prompt_however_many_runs_wait_and_it_counts_them() {
    let (_provider, bench) = keyed().await;
    let mut holds = Vec::new();
    for run in 0..1_000 {
        let hold = bench.held(&of_run(&slot("s"), run)).await;
        let key = keys::wait(&hold.on, hold.seen, RunId::from_bytes(run.to_be_bytes()));
        bench.commit(vec![Op::Put { space: Space::Waits, key, value: vec![] }]).await;
        holds.push(hold);
    }
    let open = bench.registry.prompts(&PromptFilter::open()).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].waiting, open[0].cards.len()), (1_000, 1));
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.prompt, asked.fields) = (Some(open[0].id), form(&[("key", "k1")]));
    let made = done(bench.registry.begin(asked).await.unwrap());
    for hold in &holds {
        assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    }
    assert!(bench.registry.next_changes().await.contains(&holds[0].on), "one change wakes them all");
    assert_eq!(bench.ready(&of_run(&slot("s"), 7)).await.connection, made.id);
    assert!(bench.registry.prompts(&PromptFilter::open()).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_who_miss_it_at_the_same_moment_share_one_prompt() {
    let (_provider, bench) = keyed().await;
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..50 {
        let registry = bench.registry.clone();
        tasks.spawn(async move { registry.authorize(&of_run(&slot("s"), run)).await.unwrap() });
    }
    let mut ids = std::collections::BTreeSet::new();
    while let Some(decision) = tasks.join_next().await {
        let Decision::Wait(hold) = decision.unwrap() else { panic!() };
        ids.insert(hold.prompt);
        bench.commit(hold.ops).await;
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn each_connection_nickname_and_reason_has_a_prompt_of_its_own() {
    let (provider, bench) = keyed().await;
    let first = bench.held(&slot("a")).await;
    assert_eq!(bench.held(&slot("b")).await.prompt, first.prompt, "the first connection of an app serves both");
    let admin = bench.held(&with_nickname("c", "admin")).await;
    assert_eq!(bench.held(&with_nickname("d", "admin")).await.prompt, admin.prompt);
    assert_ne!(admin.prompt, first.prompt);
    let made = connect(&bench, "admin").await;
    assert_eq!(bench.registry.prompt(first.prompt).await.unwrap().state, PromptState::Answered, "it is the only one");
    for wanted in [slot("a"), slot("b"), with_nickname("c", "admin"), with_nickname("d", "admin")] {
        assert_eq!(bench.ready(&wanted).await.connection, made.id);
    }
    connect(&bench, "readonly").await;
    let choose = bench.held(&slot("e")).await;
    assert_eq!(choose.reason, PromptReason::Choose);
    assert_ne!(bench.held(&slot("f")).await.prompt, choose.prompt, "each slot is its own question");
    provider.script(|_| json_reply(401, &json!({})));
    lose(&bench, &slot("a")).await;
    let lost = bench.wait(&slot("a")).await;
    assert_eq!((lost.reason, bench.wait(&slot("b")).await.prompt), (PromptReason::Lost, lost.prompt));
}

#[tokio::test]
async fn nothing_guesses_an_account() {
    let (provider, bench) = keyed().await;
    let admin = connect(&bench, "admin").await;
    assert_eq!(bench.ready(&slot("one")).await.connection, admin.id, "the app's only connection");
    let readonly = connect(&bench, "readonly").await;
    assert_eq!(bench.ready(&slot("one")).await.connection, admin.id, "a match is stored and stays");
    let choose = bench.held(&slot("two")).await;
    assert_eq!(choose.reason, PromptReason::Choose);
    let others = bench.registry.prompt(choose.prompt).await.unwrap().others;
    assert_eq!(others.len(), 2);
    provider.script(|seen| if seen.header("x-key") == "admin" { json_reply(401, &json!({})) } else { account("r") });
    lose(&bench, &slot("one")).await;
    let lost = bench.wait(&slot("one")).await;
    assert_eq!((lost.reason, lost.on.0), (PromptReason::Lost, format!("con:{}", admin.id)), "it is not moved");
    bench.registry.use_connection(BindTarget::Prompt(choose.prompt), readonly.id).await.unwrap();
    assert_eq!(bench.ready(&slot("two")).await.connection, readonly.id, "until a person chooses");
    bench.registry.disconnect(readonly.id).await.unwrap();
    assert_eq!(bench.wait(&slot("two")).await.reason, PromptReason::Choose, "nor when its connection is removed");
}

#[tokio::test]
async fn a_single_connection_matches_in_any_state_and_is_asked_to_be_repaired() {
    let (provider, bench) = keyed().await;
    let only = connect(&bench, "only").await;
    provider.script(|_| json_reply(401, &json!({})));
    lose(&bench, &slot("first")).await;
    let hold = bench.held(&slot("new")).await;
    assert_eq!((hold.reason, hold.on.0), (PromptReason::Lost, format!("con:{}", only.id)));
    provider.script(|seen| account(seen.header("x-key")));
    connect(&bench, "second").await;
    assert_eq!(bench.wait(&slot("new")).await.reason, PromptReason::Lost, "the match was stored with the wait");
}

#[tokio::test]
async fn a_saved_nickname_other_than_the_suggested_one_still_answers_the_prompt() {
    let (_provider, bench) = keyed().await;
    let hold = bench.held(&with_nickname("s", "prod-admin")).await;
    let prompt = bench.registry.prompt(hold.prompt).await.unwrap();
    assert_eq!((prompt.nickname.as_str(), prompt.reason), ("prod-admin", PromptReason::Missing));
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.prompt, asked.nickname, asked.fields) = (Some(hold.prompt), Some(nick("mine")), form(&[("key", "a")]));
    let made = done(bench.registry.begin(asked).await.unwrap());
    assert_eq!(made.nickname.as_str(), "mine");
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    assert_eq!(bench.ready(&with_nickname("s", "prod-admin")).await.connection, made.id);
}

#[tokio::test]
async fn an_authorization_between_missing_and_the_waits_commit_is_seen() {
    let (_provider, bench) = keyed().await;
    for (at, wanted) in [slot("s"), with_nickname("t", "suggested")].into_iter().enumerate() {
        let hold = bench.wait(&wanted).await;
        let mut asked = BeginConnect::new(name("k"), Surface::Direct);
        (asked.prompt, asked.nickname) = (Some(hold.prompt), Some(nick(&format!("saved-{at}"))));
        asked.fields = form(&[("key", "a")]);
        let made = done(bench.registry.begin(asked).await.unwrap());
        // Only now the engine's commit lands.
        bench.commit(hold.ops).await;
        assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap(), "it must not hang");
        assert_eq!(bench.ready(&wanted).await.connection, made.id, "nor ask a second time");
        assert_eq!(bench.registry.prompt(hold.prompt).await.unwrap().state, PromptState::Answered);
        assert!(bench.registry.prompts(&PromptFilter::open()).await.unwrap().is_empty(), "nor open the prompt again");
    }
}

#[tokio::test]
async fn a_change_is_seen_by_who_saw_an_older_version_also_after_a_restart() {
    let (_provider, bench) = keyed().await;
    let gone = connect(&bench, "gone").await;
    bench.registry.disconnect(gone.id).await.unwrap();
    let hold = bench.held(&slot("s")).await;
    assert!(!bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    connect(&bench, "a").await;
    let bench = bench.restart().await;
    assert!(bench.registry.changed(&hold.on, hold.seen).await.unwrap());
    let later = bench.ready(&slot("s")).await;
    let on = WaitKey(format!("con:{}", later.connection));
    let now = bench.held(&with_nickname("x", "nobody")).await.seen;
    assert!(!bench.registry.changed(&on, now).await.unwrap(), "and by nobody else");
}

#[tokio::test]
async fn renaming_a_connection_to_the_awaited_nickname_answers_the_prompt() {
    let (_provider, bench) = keyed().await;
    let made = connect(&bench, "old").await;
    let hold = bench.held(&with_nickname("s", "new")).await;
    bench.registry.rename(made.id, nick("new")).await.unwrap();
    assert!(bench.registry.next_changes().await.contains(&hold.on));
    assert_eq!(bench.ready(&with_nickname("s", "new")).await.connection, made.id);
}

#[tokio::test]
async fn who_joins_a_prompt_late_has_the_whole_time_to_wait() {
    let (_provider, bench) = keyed().await;
    let (day, all) = (24 * 3_600_000, bench.options.prompt_wait_ms);
    let first = bench.held(&slot("a")).await;
    bench.clock.advance(29 * day);
    let second = bench.held(&slot("b")).await;
    assert_eq!((second.prompt, second.deadline), (first.prompt, bench.now().plus(all)));
    bench.clock.advance(2 * day);
    let open = bench.registry.prompt(first.prompt).await.unwrap();
    assert_eq!((open.state, open.deadline), (PromptState::Open, second.deadline));
    bench.clock.advance(28 * day);
    assert_eq!(bench.registry.prompt(first.prompt).await.unwrap().state, PromptState::Closed);
    assert_ne!(bench.held(&slot("a")).await.prompt, first.prompt, "what is over is asked anew");
}

#[tokio::test]
async fn a_prompt_of_one_app_is_not_answered_with_another() {
    let (provider, bench) = keyed().await;
    let kind: AuthKind = serde_json::from_value(json!({ "headers": { "headers": { "X-Key": "{key}" } } })).unwrap();
    bench.apps.put(app("other", &provider.base, kind, vec![field("key", true)]));
    let foreign = done(bench.begin("other", "x", Surface::Direct, &[("key", "a")]).await);
    let hold = bench.held(&slot("s")).await;
    let mut asked = BeginConnect::new(name("other"), Surface::Direct);
    (asked.prompt, asked.fields) = (Some(hold.prompt), form(&[("key", "a")]));
    assert_eq!(bench.registry.begin(asked).await.unwrap_err().code(), "connect.wrong_prompt");
    let refusal = bench.registry.use_connection(BindTarget::Prompt(hold.prompt), foreign.id).await.unwrap_err();
    assert_eq!(refusal.code(), "connect.wrong_app");
    assert_eq!(bench.wait(&slot("s")).await.prompt, hold.prompt);
}

struct Seven;

#[async_trait]
impl Waits for Seven {
    async fn count(&self, on: &WaitKey) -> Result<u64, StoreError> {
        Ok(if on.0.starts_with("con:") { 7 } else { 0 })
    }
}

#[tokio::test]
async fn who_hosts_the_runs_may_count_them_in_another_way() {
    let (_provider, bench) = keyed().await;
    let made = connect(&bench, "a").await;
    assert_eq!(bench.registry.connection(made.id).await.unwrap().waiting, 0);
    bench.registry.count_waits_with(Arc::new(Seven));
    assert_eq!(bench.registry.connection(made.id).await.unwrap().waiting, 7);
    assert_eq!(bench.registry.connections(None).await.unwrap()[0].waiting, 7);
}

#[tokio::test]
async fn a_preflight_tells_each_slot_stores_nothing_and_asks_for_all_scopes_at_once() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let needs = [need("m", "f", "a", &["one"]), need("m", "f", "a", &["two"]), need("m", "helper", "b", &["three"])];
    let before = bench.everything().await;
    let lines = bench.registry.preflight(&needs).await.unwrap();
    assert_eq!(bench.everything().await, before);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].need.scopes, texts(&["one", "two"]));
    let all = texts(&["people.read", "one", "two", "three"]);
    for line in &lines {
        let prompt = line.prompt.as_ref().unwrap();
        assert_eq!((line.reason, &prompt.scopes), (Some(PromptReason::Missing), &all), "one consent for both slots");
        assert_eq!((prompt.slots.len(), prompt.cards.len()), (2, 2));
    }
    let raised = bench.registry.raise(&needs).await.unwrap();
    assert_eq!(raised.len(), 1);
    assert_eq!((raised[0].id, &raised[0].scopes), (lines[0].prompt.as_ref().unwrap().id, &all));
    assert_eq!(bench.registry.raise(&needs).await.unwrap(), raised, "raising again asks nothing new");
    let mut asked = BeginConnect::new(name("m"), support::BROWSER);
    asked.prompt = Some(raised[0].id);
    let attempt = bench.registry.begin(asked).await.unwrap();
    let query = query_of(&authorize_url(&attempt));
    assert_eq!(query["scope"], all.join(" "));
    let made = done(bench.registry.callback(&format!("code=1&state={}", query["state"])).await.unwrap());
    for wanted in &needs {
        assert_eq!(bench.ready(wanted).await.connection, made.id);
    }
    let lines = bench.registry.preflight(&needs).await.unwrap();
    assert!(lines.iter().all(|l| l.reason.is_none() && l.prompt.is_none() && l.connection.is_some()));
    let wider = bench.registry.preflight(&[need("m", "f", "a", &["one", "four"])]).await.unwrap();
    assert_eq!((wider[0].reason, &wider[0].missing_scopes), (Some(PromptReason::Scope), &texts(&["four"])));
    // The card that lacks something is named, with what it lacks, and not the first one of the slot.
    let titled = |title: &str, scope: &str| Need { card_title: title.into(), ..need("m", "f", "a", &[scope]) };
    let needs = [titled("Read", "one"), titled("Write", "four")];
    let wider = bench.registry.preflight(&needs).await.unwrap();
    assert_eq!((wider[0].need.card_title.as_str(), &wider[0].need.scopes), ("Write", &texts(&["one", "four"])));
    let previewed = wider[0].prompt.as_ref().unwrap().message.clone();
    assert!(previewed.starts_with("\u{201c}Write\u{201d} needs more rights"), "{previewed}");
    assert!(previewed.contains("\u{201d}: four. Grant them"), "{previewed}");
    let raised = bench.registry.raise(&needs).await.unwrap();
    assert_eq!(raised[0].message, previewed);
}

#[tokio::test]
async fn two_cards_need_and_a_nickname_of_the_flow_is_told() {
    let (_provider, bench) = keyed().await;
    let titled = |slot: &str, title: &str| Need { card_title: title.into(), ..with_nickname(slot, "admin") };
    let needs = [titled("a", "One"), titled("b", "Two"), titled("c", "Three")];
    let raised = bench.registry.raise(&needs).await.unwrap();
    assert_eq!(
        raised[0].message,
        "\u{201c}One\u{201d} and 2 more cards need a connection to k, \u{201c}admin\u{201d} in the flow. Connect one to go on."
    );
}

#[tokio::test]
async fn the_prompts_sentence_says_who_needs_what_and_why() {
    let (provider, bench) = keyed().await;
    let hold = bench.held(&slot("s")).await;
    let message = bench.registry.prompt(hold.prompt).await.unwrap().message;
    assert_eq!(message, "\u{201c}Card of flow/s\u{201d} needs a connection to k. Connect one to go on.");
    connect(&bench, "admin").await;
    let used = bench.ready(&slot("s")).await;
    provider.script(|_| json_reply(401, &json!({})));
    let loss = Loss::Unauthorized { detail: "token expired".into() };
    let Decision::Wait(hold) = bench.registry.refused(&slot("s"), &used, loss).await.unwrap() else { panic!() };
    bench.commit(hold.ops).await;
    let message = bench.registry.prompt(hold.prompt).await.unwrap().message;
    let expected = "\u{201c}Card of flow/s\u{201d} lost the k connection \u{201c}admin\u{201d} (token expired). \
                    Sign in again as Person admin to go on.";
    assert_eq!(message, expected);
}

#[tokio::test]
async fn old_prompts_and_attempts_are_cleared_away() {
    let (_provider, bench) = keyed().await;
    connect(&bench, "a").await;
    let hold = bench.held(&with_nickname("s", "b")).await;
    bench.registry.close_prompt(hold.prompt).await.unwrap();
    bench.clock.advance(2 * bench.options.prompt_wait_ms + 1);
    let bench = bench.restart().await;
    assert_eq!(bench.registry.prompt(hold.prompt).await.unwrap_err().code(), "connect.unknown_prompt");
    connect(&bench, "c").await;
    let attempts = bench.everything().await.into_iter().filter(|(space, ..)| *space == Space::Attempts).count();
    assert_eq!(attempts, 1, "the one of a month ago is gone");
}

#[tokio::test]
async fn clearing_an_old_prompt_away_leaves_the_newer_one_of_its_kind() {
    let (_provider, bench) = keyed().await;
    let (day, all) = (24 * 3_600_000, bench.options.prompt_wait_ms);
    let old = bench.held(&with_nickname("s", "b")).await;
    bench.registry.close_prompt(old.prompt).await.unwrap();
    bench.clock.advance(all + day);
    let new = bench.registry.raise(&[with_nickname("s", "b")]).await.unwrap().remove(0).id;
    bench.clock.advance(all - day / 2);
    let bench = bench.restart().await;
    assert_eq!(bench.registry.prompt(old.prompt).await.unwrap_err().code(), "connect.unknown_prompt");
    assert_eq!(bench.wait(&with_nickname("s", "b")).await.prompt, new);
}

#[tokio::test]
async fn a_card_that_waits_asks_for_what_the_others_of_its_slot_need_but_does_not_wait_for_it() {
    let provider = Provider::start().await;
    let bench = Bench::new().await;
    let kind = oauth(&provider.base, &[OAuthGrant::AuthorizationCode]);
    bench.apps.put(app("m", &provider.base, AuthKind::OAuth2(Box::new(kind)), vec![]));
    let first = Need { also: texts(&["one", "two"]), ..need("m", "f", "a", &["one"]) };
    let hold = bench.held(&first).await;
    let prompt = bench.registry.prompt(hold.prompt).await.unwrap();
    assert_eq!(prompt.scopes, texts(&["people.read", "one", "two"]));
    // Whoever consents grants less.
    provider.tokens(|_| {
        let granted =
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 3600, "scope": "people.read one" });
        support::provider::json_reply(200, &granted)
    });
    let asked = BeginConnect { prompt: Some(hold.prompt), ..BeginConnect::new(name("m"), support::BROWSER) };
    let attempt = bench.registry.begin(asked).await.unwrap();
    let query = query_of(&authorize_url(&attempt));
    let made = done(bench.registry.callback(&format!("code=1&state={}", query["state"])).await.unwrap());
    assert_eq!(bench.ready(&first).await.connection, made.id, "its own scopes are enough");
}
