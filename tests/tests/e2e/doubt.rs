//! Writes without an answer: in doubt, never repeated by themselves; a person, or a look at the app, decides.
//!
//! Must never let the org forget what it did: the count there is the proof.
//! Tests: these are they.

use flowdeck_tests::deck::WAITS;
use flowdeck_tests::gate::Gate;
use flowdeck_tests::need;
use flowdeck_tests::org::SUSPEND;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::proxy::{Fault, Rule};
use flowdeck_tests::world::{Stop, World, stop};

use crate::flows::{MAKE_GROUP, suspend_all};

const GROUPS: &str = "/api/v1/groups";
const FLOW: &str = "make-group.flow.yaml";

fn connected(people: usize) -> Option<World> {
    let world = World::new(people::idle(people))?;
    world.connect(
        "okta",
        ADMIN,
        &["--scopes", "okta.users.read,okta.users.manage,okta.groups.read,okta.groups.manage"],
    );
    world.deck.write(FLOW, MAKE_GROUP);
    Some(world)
}

#[track_caller]
fn assert_in_doubt(world: &World, stopped: &Stop, path: &str) {
    assert_eq!(stopped.outcome.code, Some(WAITS), "{}", stopped.outcome);
    let waits = stopped.last["waits"].as_array().unwrap();
    assert_eq!((waits.len(), &waits[0]["path"]), (1, &path.into()), "{}", stopped.last);
    assert!(waits[0].to_string().contains("in_doubt"), "{}", stopped.last);
    assert_eq!(world.run(&stopped.run)["status"], "in_doubt");
}

#[track_caller]
fn settle(world: &World, stopped: &Stop, how: &str, code: i32) {
    let settled = world.command(&["runs", "settle", &stopped.run, "make", how]).run();
    assert_eq!(settled.code, Some(code), "{settled}");
}

#[test]
fn a_write_that_the_server_carries_out_and_never_answers_is_in_doubt_and_never_repeated() {
    let world = need!(connected(0));
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::HoldAfter(Gate::default())));
    let stopped = world.stops(&["run", FLOW]);
    assert_in_doubt(&world, &stopped, "make");
    assert_eq!(world.org.groups().iter().filter(|g| *g == "Night shift").count(), 1);
    // Neither another start of the runtime nor a request to go on repeats it.
    let resumed = world.command(&["runs", "resume", &stopped.run]).run();
    assert_eq!(resumed.code, Some(WAITS), "{resumed}");
    assert_eq!(world.org.proxy.count("POST", GROUPS), 1);

    settle(&world, &stopped, "happened", 0);
    world.assert_finished(&stopped.run);
    assert_eq!(world.org.proxy.count("POST", GROUPS), 1);
}

#[test]
fn a_connection_that_breaks_after_the_write_was_sent_leaves_it_in_doubt() {
    let world = need!(connected(0));
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::DropAfter));
    let stopped = world.stops(&["run", FLOW]);
    assert_in_doubt(&world, &stopped, "make");
    settle(&world, &stopped, "give-up", 1);
    assert_eq!(world.run(&stopped.run)["status"], "failed");
    assert_eq!(world.org.proxy.count("POST", GROUPS), 1);
}

#[test]
fn an_answer_after_the_timeout_changes_nothing() {
    let world = need!(connected(0));
    let late = Gate::default();
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::HoldAfter(late.clone())));
    let busy = Gate::default();
    world.org.proxy.rule(Rule::new("GET", "/api/v1/users/00uadaadmin", Fault::HoldBefore(busy.clone())));
    // The other lane keeps the runtime alive until the late answer has come.
    let flow = r#"
flow: two-lanes
slots:
  okta: { app: okta }
cards:
  - id: both
    parallel:
      slow:
        - id: make
          card: okta/createGroup
          with: { Name: Night shift }
          timeout: 2s
          in_doubt: ask
      other:
        - id: look
          card: okta/readUser
          with: { ID or Login: 00uadaadmin }
"#;
    world.deck.write("two.flow.yaml", flow);
    let mut command = world.command(&["run", "two.flow.yaml"]).spawn();
    command.line("a step in doubt", |line| line["what"] == "in_doubt");
    late.open();
    world.org.proxy.wait_answered("POST", GROUPS);
    busy.open();
    let stopped = stop(command.end());
    assert_in_doubt(&world, &stopped, "both.slow.make");
    assert_eq!(world.org.proxy.count("POST", GROUPS), 1);
    world.command(&["runs", "settle", &stopped.run, "both.slow.make", "happened"]).exits(0);
    world.assert_finished(&stopped.run);
}

#[test]
fn killed_between_the_write_and_its_answer_the_step_is_in_doubt_after_the_start() {
    let world = need!(connected(0));
    let gate = Gate::default();
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::HoldAfter(gate.clone())));
    let command = world.command(&["run", FLOW]).spawn();
    gate.wait_for(1);
    assert!(command.kill_9().code.is_none());
    let run = the_run(&world);
    let stopped = stop(world.command(&["runs", "resume", &run]).run());
    assert_in_doubt(&world, &stopped, "make");
    settle(&world, &stopped, "happened", 0);
    world.assert_finished(&run);
    assert_eq!(world.org.proxy.count("POST", GROUPS), 1);
}

#[test]
fn a_write_that_did_not_happen_is_sent_again_when_a_person_says_so() {
    let world = need!(connected(0));
    let gate = Gate::default();
    // It stands before the org, which never sees it.
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::HoldBefore(gate.clone())).nth(1));
    let command = world.command(&["run", FLOW]).spawn();
    gate.wait_for(1);
    assert!(command.kill_9().code.is_none());
    let stopped = stop(world.command(&["runs", "resume", &the_run(&world)]).run());
    assert_in_doubt(&world, &stopped, "make");
    assert!(!world.org.groups().iter().any(|g| g == "Night shift"));
    settle(&world, &stopped, "did-not", 0);
    world.assert_finished(&stopped.run);
    assert_eq!((world.org.proxy.count("POST", GROUPS), world.org.proxy.acted("POST", GROUPS).len()), (2, 1));
}

#[test]
fn a_write_that_the_app_can_be_asked_about_is_looked_up_and_not_repeated() {
    let world = need!(connected(3));
    world.deck.write("all.flow.yaml", &suspend_all("{ app: okta }", 1));
    // One was carried out without an answer, one was not carried out and nobody answered.
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::DropAfter).nth(1));
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::DropBefore).nth(1));
    world.finishes(&["run", "all.flow.yaml"]);
    assert_eq!(world.org.with_status("SUSPENDED").len(), 3);
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1), "{:?}", world.org.suspensions());
    assert_eq!(world.org.proxy.count("GET", "/api/v1/users/00uidleperson0000"), 1);
    assert_eq!(world.org.proxy.count("POST", "/api/v1/users/00uidleperson0000/lifecycle/suspend"), 1);
}

#[test]
fn a_plain_refusal_is_the_apps_answer_and_not_a_lost_connection() {
    let world = need!(connected(0));
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::forbidden()));
    let failed = world.command(&["run", FLOW]).exits(1);
    let said = failed.to_string();
    assert!(said.contains(ADMIN), "the account is named: {said}");
    assert!(world.open_prompts().is_empty());
    assert_eq!(world.connection("okta")["state"], "active");
}

#[test]
fn a_server_that_is_busy_is_asked_again_when_it_says_so() {
    let world = need!(connected(0));
    world.org.proxy.rule(Rule::new("POST", GROUPS, Fault::too_many(1)).nth(1));
    world.finishes(&["run", FLOW]);
    assert_eq!((world.org.proxy.count("POST", GROUPS), world.org.proxy.acted("POST", GROUPS).len()), (2, 1));
}

/// The only run there is.
fn the_run(world: &World) -> String {
    let outcome = world.command(&["runs", "list"]).exits(0);
    let text = outcome.lines.join("\n");
    let at = text.find("\"run_").unwrap_or_else(|| panic!("no run\n{outcome}"));
    text[at + 1..].split('"').next().unwrap().to_owned()
}
