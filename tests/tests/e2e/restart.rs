//! Crashes while a run waits for its connection: the same card goes on, whatever the clock says by then.
//!
//! Must never ask the runtime politely: it is killed.
//! Tests: these are they.

use flowdeck_tests::clock::Clock;
use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::world::{World, authorize_url, text};

const FLOW: &str = "suspend-inactive-users.flow.yaml";

/// Killed when it has said what it waits for, killed again in the middle of an attempt to connect, then connected.
fn killed_twice_then_connected(world: &World, clock: Option<&Clock>) {
    world.deck.sample(FLOW);
    let mut first = world.command(&["run", FLOW]).spawn();
    let line = first.of_type("prompt");
    let prompt = text(&line["prompt"]["id"]);
    assert_ne!(first.kill_9().code, Some(0));

    let form = world.form();
    let words: Vec<&str> = ["prompts", "answer", &prompt].into_iter().chain(form.iter().map(String::as_str)).collect();
    let answer = || {
        let call = world.command(&words);
        match clock {
            Some(clock) => call.clock(clock).spawn(),
            None => call.spawn(),
        }
    };
    let mut begun = answer();
    let url = authorize_url(&mut begun);
    assert!(begun.kill_9().code.is_none());
    assert!(world.org.with_status("SUSPENDED").is_empty());

    let mut again = answer();
    let fresh = authorize_url(&mut again);
    assert_ne!(url, fresh, "an attempt of its own");
    world.org.consent(&fresh, ADMIN);
    let ended = again.end();
    assert_eq!(ended.code, Some(0), "{ended}");

    let runs = world.command(&["runs", "list"]).exits(0);
    let run = runs.lines.join("\n");
    assert_eq!(run.matches("\"finished\"").count(), 1, "{runs}");
    assert_eq!(world.org.with_status("SUSPENDED"), world.org.idle());
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1));
    assert_eq!(world.org.proxy.count("GET", "/api/v1/users"), 1, "the card went on where it stood");
}

#[test]
fn killed_while_it_waits_the_same_card_goes_on_after_connecting() {
    let world = need!(World::new(people::usual()));
    killed_twice_then_connected(&world, None);
}

#[test]
fn killed_while_it_waits_the_same_card_goes_on_a_week_later() {
    let clock = need!(Clock::days(7));
    let world = need!(World::new(people::usual()));
    killed_twice_then_connected(&world, Some(&clock));
}

#[test]
fn killed_while_it_waits_the_same_card_goes_on_with_the_clock_set_back() {
    let clock = need!(Clock::days(-2));
    let world = need!(World::new(people::usual()));
    killed_twice_then_connected(&world, Some(&clock));
}

#[test]
fn ctrl_c_while_a_person_consents_leaves_a_run_that_can_be_answered() {
    let world = need!(World::new(people::usual()));
    world.deck.sample(FLOW);
    let stopped = world.stops(&["run", FLOW]);
    let form = world.form();
    let prompt = stopped.prompt_id();
    let words: Vec<&str> = ["prompts", "answer", &prompt].into_iter().chain(form.iter().map(String::as_str)).collect();
    let mut begun = world.command(&words).spawn();
    authorize_url(&mut begun);
    begun.interrupt();
    assert_eq!(begun.end().code, Some(130));
    let answered = world.answer(&prompt, ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
}

#[test]
fn ctrl_c_in_the_middle_leaves_a_run_that_goes_on_where_it_stood() {
    use flowdeck_tests::gate::Gate;
    use flowdeck_tests::org::SUSPEND;
    use flowdeck_tests::proxy::{Fault, Rule};
    let world = need!(World::new(people::idle(6)));
    world.connect("prod-admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    world.deck.sample(FLOW);
    let gate = Gate::default();
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldBefore(gate.clone())).nth(3));
    let command = world.command(&["run", FLOW]).spawn();
    gate.wait_for(1);
    command.interrupt();
    gate.open();
    let ended = command.end();
    assert_eq!(ended.code, Some(130), "{ended}");
    let runs = world.command(&["runs", "list"]).exits(0).lines.join("\n");
    let run = runs.split('"').find(|word| word.starts_with("run_")).expect("the run").to_owned();
    let resumed = world.command(&["runs", "resume", &run]).run();
    assert_eq!(resumed.code, Some(0), "{resumed}");
    assert_eq!(world.org.with_status("SUSPENDED").len(), 6);
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1), "{:?}", world.org.suspensions());
}
