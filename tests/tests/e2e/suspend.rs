//! The main job: `flows/suspend-inactive-users.flow.yaml` stops for the missing connection, and goes on once it is there.
//!
//! Must never look for what was done anywhere but at the org itself.
//! Tests: these are they.

use flowdeck_tests::emulate::CLIENT_SECRET;
use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::world::World;

use crate::flows::{SUSPEND_ALL_PAGES, count_groups};

const FLOW: &str = "suspend-inactive-users.flow.yaml";

#[test]
fn a_flow_without_a_connection_stops_at_its_first_okta_card_and_finishes_once_connected() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);

    let stopped = world.stops(&["run", FLOW]);
    let prompt = stopped.prompt();
    assert_eq!((&prompt["app"], &prompt["reason"]), (&"okta".into(), &"missing".into()));
    assert_eq!(prompt["nickname"], "prod-admin", "the slot suggests it");
    assert!(world.org.proxy.seen().is_empty(), "nothing was asked of the org");
    assert_eq!(world.history(&stopped.run, "now"), ["step_finished"]);
    let command = &stopped.outcome.of_type("prompt")[0]["command"];
    assert!(command.as_str().unwrap().contains(&stopped.prompt_id()), "{command}");
    assert!(stopped.outcome.errors.is_empty() || stopped.outcome.errors.contains("flowdeck"), "{}", stopped.outcome);

    let answered = world.answer(&stopped.prompt_id(), ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    assert_eq!(world.org.with_status("SUSPENDED"), world.org.idle());
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1), "{:?}", world.org.suspensions());
    assert_eq!(world.history(&stopped.run, "now"), ["step_finished"], "earlier cards ran once");
    assert_eq!(world.org.proxy.count("GET", "/api/v1/users"), 1);
    assert!(world.open_prompts().is_empty());
    assert_eq!(world.connection("prod-admin")["account"], ADMIN);
}

#[test]
fn once_connected_neither_a_second_run_nor_another_flow_asks() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);
    let stopped = world.stops(&["run", FLOW]);
    world.answer(&stopped.prompt_id(), ADMIN, &[]);

    world.finishes(&["run", FLOW]);
    world.deck.write("groups.flow.yaml", &count_groups("groups", "{ app: okta }"));
    let output = world.finishes(&["run", "groups.flow.yaml"]);
    assert_eq!(output["groups"].as_f64(), Some(2.0), "{output}");
    assert_eq!(world.org.proxy.count("GET", "/oauth2/v1/authorize"), 1);
}

#[test]
fn long_lists_are_read_page_by_page_and_everybody_is_suspended_once() {
    let world = need!(World::new(people::idle(40)));
    world.deck.write("all.flow.yaml", SUSPEND_ALL_PAGES);
    let stopped = world.stops(&["run", "all.flow.yaml"]);
    let answered = world.answer(&stopped.prompt_id(), ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    assert_eq!(world.org.with_status("SUSPENDED").len(), 40);
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1));
    assert_eq!(world.org.proxy.count("GET", "/api/v1/users"), 2, "two pages of 30");
}

#[test]
fn who_says_no_in_the_browser_can_say_yes_later() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);
    let stopped = world.stops(&["run", FLOW]);
    let prompt = stopped.prompt_id();
    let form = world.form();
    let words: Vec<&str> = ["prompts", "answer", &prompt].into_iter().chain(form.iter().map(String::as_str)).collect();
    let mut command = world.command(&words).spawn();
    world.org.deny(&flowdeck_tests::world::authorize_url(&mut command));
    let denied = command.end();
    assert_ne!(denied.code, Some(0), "{denied}");
    assert_eq!(world.open_prompts().len(), 1);

    let answered = world.answer(&prompt, ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
}

#[test]
fn no_secret_is_in_the_data_folder_or_in_anything_printed() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);
    let stopped = world.stops(&["run", FLOW]);
    let answered = world.answer(&stopped.prompt_id(), ADMIN, &[]);
    let shown = world.command(&["connections", "list"]).exits(0);
    let history = world.command(&["runs", "tail", &stopped.run]).run();
    let mut everything = world.deck.bytes_on_disk();
    for outcome in [&stopped.outcome, &answered, &shown, &history] {
        everything.extend(outcome.to_string().into_bytes());
    }
    let has = |needle: &str| everything.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(has("prod-admin"), "what is looked through holds what is known to be there");
    // The emulator's access and refresh tokens begin like this.
    for secret in [CLIENT_SECRET, "r_okta_", "okta_okta", "Bearer okta_"] {
        assert!(!has(secret), "`{secret}` was found");
    }
    assert!(!world.org.proxy.tokens().iter().any(|token| has(token)), "a token was found");
}
