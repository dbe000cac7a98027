//! Okta connected with an API token instead of OAuth.
//!
//! Must never need a browser.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people;
use flowdeck_tests::world::World;

const FLOW: &str = "suspend-inactive-users.flow.yaml";

#[test]
fn an_api_token_answers_the_prompt_and_the_run_finishes() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);
    let stopped = world.stops(&["run", FLOW]);
    let domain = format!("domain={}", world.org.proxy.url());
    let prompt = stopped.prompt_id();
    let words = ["prompts", "answer", &prompt, "--method", "api_token", "--set", &domain];
    let answered = world.command(&[&words[..], &["--secret", "api_token=api-token"]].concat()).run();
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    assert_eq!(world.org.with_status("SUSPENDED"), world.org.idle());
    assert_eq!(world.org.proxy.count("GET", "/oauth2/v1/authorize"), 0);
}

#[test]
fn a_secret_can_be_piped_in_and_is_never_an_argument() {
    let world = need!(World::new(people::usual()));
    let domain = format!("domain={}", world.org.proxy.url());
    let words = ["connect", "okta", "--method", "api_token", "--set", &domain];
    let refused = world.command(&[&words[..], &["--set", "api_token=00e2eApiToken-93ab"]].concat()).exits(2);
    assert!(!refused.to_string().replace(&refused.words, "").contains("00e2eApiToken"), "{refused}");
    let piped = [&words[..], &["--secret", "api_token=-"]].concat();
    world.command(&piped).input(flowdeck_tests::emulate::API_TOKEN).exits(0);
    assert_eq!(world.connection("okta")["state"], "active");
}

#[test]
fn a_refused_api_token_is_a_lost_connection_that_a_new_token_repairs() {
    let world = need!(World::new(people::usual()));
    let before = world.connect_by_token("prod-admin");
    world.deck.sample(FLOW);
    world.org.proxy.take_api_token(false);
    let stopped = world.stops(&["run", FLOW]);
    assert_eq!(stopped.prompt()["reason"], "lost", "{}", stopped.outcome);
    world.org.proxy.take_api_token(true);
    let prompt = stopped.prompt_id();
    let words = ["prompts", "answer", &prompt, "--method", "api_token", "--secret", "api_token=api-token"];
    let answered = world.command(&words).run();
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    assert_eq!(world.connection("prod-admin")["id"], before["id"]);
}
