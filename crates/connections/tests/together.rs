//! Two people at one prompt, and what is said of what became of it.
//!
//! Must never leave loopback, nor wait for real time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use flowdeck_connections::{Attempt, AttemptStep, BeginConnect, Surface};
use flowdeck_engine::ports::Decision;
use flowdeck_model::PromptId;
use flowdeck_model::connect::{PromptState, PromptView};
use flowdeck_playground::Account;
use serde_json::json;
use support::keyed::{keyed, slot};
use support::provider::json_reply;
use support::{BROWSER, Lab, authorize_url, done, failed, form, name, need};

/// Two consents of one prompt, both begun before either is answered.
async fn both(lab: &Lab, prompt: PromptId, of: [Account; 2]) -> [Attempt; 2] {
    let begin = async || {
        let mut asked = BeginConnect::new(name("playground"), BROWSER);
        asked.prompt = Some(prompt);
        lab.registry.begin(asked).await.unwrap()
    };
    let begun = [begin().await, begin().await];
    let mut ended = Vec::new();
    for (attempt, account) in begun.iter().zip(of) {
        let back = lab.allow(&authorize_url(attempt), account, None).await;
        ended.push(lab.registry.callback(&back).await.unwrap());
    }
    ended.try_into().unwrap()
}

#[tokio::test]
async fn one_account_is_one_connection_also_where_two_consent_at_once() {
    let lab = Lab::new().await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let hold = lab.held(&wanted).await;
    let [first, second] = both(&lab, hold.prompt, [Account::Robin, Account::Robin]).await;
    let AttemptStep::Done { connection, meanwhile } = second.step else { panic!("{second:?}") };
    assert_eq!((connection.id, meanwhile), (done(first).id, None));
    assert_eq!(lab.registry.connections(None).await.unwrap().len(), 1);
    let used = lab.ready(&wanted).await;
    assert_eq!((used.connection, lab.get(&used, &lab.people()).await.unwrap().0), (connection.id, 200));
    // A flow that comes later has nothing to choose.
    assert_eq!(lab.ready(&need("playground", "g", "s", &[])).await.connection, connection.id);
}

#[tokio::test]
async fn a_narrower_consent_of_the_same_account_takes_nothing_from_the_connection() {
    let lab = Lab::new().await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let hold = lab.held(&wanted).await;
    let begin = async || {
        let mut asked = BeginConnect::new(name("playground"), BROWSER);
        asked.prompt = Some(hold.prompt);
        lab.registry.begin(asked).await.unwrap()
    };
    let (wide, narrow) = (begin().await, begin().await);
    let back = lab.allow(&authorize_url(&wide), Account::Robin, None).await;
    let made = done(lab.registry.callback(&back).await.unwrap());
    let back = lab.allow(&authorize_url(&narrow), Account::Robin, Some(Default::default())).await;
    let second = done(lab.registry.callback(&back).await.unwrap());
    assert_eq!((second.id, &second.granted), (made.id, &made.granted));
    assert_eq!(lab.registry.connections(None).await.unwrap().len(), 1);
    lab.ready(&wanted).await;
}

#[tokio::test]
async fn who_comes_second_with_another_account_hears_what_answered() {
    let lab = Lab::new().await;
    let wanted = need("playground", "f", "s", &["people.read"]);
    let hold = lab.held(&wanted).await;
    assert_eq!(lab.registry.prompt_answer(hold.prompt).await.unwrap(), None, "it is open");
    let [first, second] = both(&lab, hold.prompt, [Account::Robin, Account::Sam]).await;
    let first = done(first);
    let AttemptStep::Done { connection, meanwhile } = &second.step else { panic!("{second:?}") };
    assert_eq!((connection.account.as_deref(), meanwhile), (Some("Sam Staff"), &Some(first.nickname.clone())));
    assert_eq!(lab.registry.attempt(second.id).await.unwrap(), second, "also later");
    assert_eq!(lab.ready(&wanted).await.connection, first.id);
    let answer = lab.registry.prompt_answer(hold.prompt).await.unwrap().unwrap();
    assert_eq!(answer.nickname, first.nickname);
}

#[tokio::test]
async fn a_prompt_for_rights_keeps_its_words_when_they_are_granted() {
    let lab = Lab::new().await;
    lab.connect("admin", Account::Robin).await;
    let hold = lab.held(&need("playground", "f", "s", &["groups.write"])).await;
    let before = lab.registry.prompt(hold.prompt).await.unwrap().message;
    let mut asked = BeginConnect::new(name("playground"), BROWSER);
    asked.prompt = Some(hold.prompt);
    let made = done(lab.sign_in(asked, Account::Robin).await);
    let after = lab.registry.prompt(hold.prompt).await.unwrap();
    assert_eq!((after.state, after.message), (PromptState::Answered, before.clone()));
    assert!(before.contains(": groups.write. Grant"), "{before}");
    assert_eq!(lab.registry.prompt_answer(hold.prompt).await.unwrap().unwrap().id, made.id);
}

#[tokio::test]
async fn what_is_pasted_wrongly_leaves_the_attempt_and_a_refusal_by_its_person_says_so() {
    let lab = Lab::new().await;
    let attempt = lab.begin("playground", "admin", BROWSER, &[]).await;
    let other = lab.begin("playground", "other", BROWSER, &[]).await;
    let wrong = lab.allow(&authorize_url(&other), Account::Robin, None).await;
    for text in [wrong.as_str(), "http://127.0.0.1/oauth/callback/elsewhere?code=c"] {
        let refusal = lab.registry.paste(attempt.id, text).await.unwrap_err();
        assert_eq!(refusal.code(), "connect.wrong_paste", "{text}");
        assert!(!refusal.to_string().contains("start again"), "{refusal}");
    }
    assert!(matches!(lab.registry.attempt(attempt.id).await.unwrap().step, AttemptStep::Browser { .. }));
    let back = lab.allow(&authorize_url(&attempt), Account::Robin, None).await;
    done(lab.registry.paste(attempt.id, &back).await.unwrap());
    assert_eq!(lab.registry.paste(attempt.id, &back).await.unwrap_err().code(), "connect.attempt_over");
    let AttemptStep::Browser { state, .. } = &other.step else { panic!("{other:?}") };
    let ended = lab.registry.callback(&format!("error=access_denied&state={state}")).await.unwrap();
    let AttemptStep::Failed(fault) = &ended.step else { panic!("{ended:?}") };
    assert!(fault.message.contains("declined") && fault.remedy.contains("Nothing was changed"), "{fault:?}");
    assert!(!fault.remedy.contains("check"), "{fault:?}");
    assert_eq!(failed(ended).0, "declined");
}

#[tokio::test]
async fn a_lost_connection_is_repaired_in_the_way_it_was_made_first() {
    let (provider, bench) = keyed().await;
    let mut declared = bench.auth("k");
    let mut other = declared.methods[0].clone();
    other.key = "other".into();
    declared.methods.insert(0, other);
    bench.apps.put(declared);
    let first = |view: PromptView| view.methods[0].key.clone();
    let hold = bench.held(&slot("s")).await;
    assert_eq!(first(bench.registry.prompt(hold.prompt).await.unwrap()), "other");
    let mut asked = BeginConnect::new(name("k"), Surface::Direct);
    (asked.method, asked.fields) = (Some("main".into()), form(&[("key", "admin")]));
    done(bench.registry.begin(asked).await.unwrap());
    let used = bench.ready(&slot("s")).await;
    provider.script(|_| json_reply(401, &json!({})));
    let Decision::Wait(hold) = bench.refuse(&slot("s"), &used).await else { panic!() };
    bench.commit(hold.ops).await;
    assert_eq!(first(bench.registry.prompt(hold.prompt).await.unwrap()), "main");
}
