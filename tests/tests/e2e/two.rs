//! Two commands in one data folder: one holds it, the other is its guest, and both runs finish however the holder ends.
//!
//! Must never know which protocol they speak: only that both come to their end.
//! Tests: these are they.

use flowdeck_tests::gate::Gate;
use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::proxy::{Fault, Rule};
use flowdeck_tests::running::Running;
use flowdeck_tests::world::{World, text};

use crate::flows::count_groups;

const GROUPS: &str = "/api/v1/groups";

/// Two runs, each held at its own gate: the first one's command holds the data folder.
fn two(world: &World) -> (Running, Gate, Running, Gate) {
    world.connect("okta", ADMIN, &["--scopes", "okta.users.read,okta.groups.read"]);
    world.deck.write("one.flow.yaml", &count_groups("one", "{ app: okta }"));
    world.deck.write("two.flow.yaml", &count_groups("two", "{ app: okta }"));
    let (first, second) = (Gate::default(), Gate::default());
    world.org.proxy.rule(Rule::new("GET", GROUPS, Fault::HoldBefore(first.clone())).nth(1));
    world.org.proxy.rule(Rule::new("GET", GROUPS, Fault::HoldBefore(second.clone())).nth(1));
    let holder = world.command(&["run", "one.flow.yaml"]).spawn();
    first.wait_for(1);
    let guest = world.command(&["run", "two.flow.yaml"]).spawn();
    second.wait_for(1);
    (holder, first, guest, second)
}

#[track_caller]
fn finished(command: Running) -> String {
    let outcome = command.end();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let last = outcome.last();
    assert_eq!(last["status"], "finished", "{outcome}");
    text(&last["run"])
}

#[test]
fn the_holder_finishes_first_and_stays_until_its_guest_is_done() {
    let world = need!(World::new(people::usual()));
    let (mut holder, first, guest, second) = two(&world);
    first.open();
    let one = text(&holder.line("the run's end", |line| line["type"] == "run")["run"]);
    second.open();
    let two = finished(guest);
    let outcome = holder.end();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    world.assert_finished(&one);
    world.assert_finished(&two);
    assert_eq!(world.org.proxy.count("GET", GROUPS), 2, "nothing was asked twice");
}

#[test]
fn the_holder_is_killed_first_and_its_guest_finishes_both_runs() {
    let world = need!(World::new(people::usual()));
    let (holder, first, guest, second) = two(&world);
    assert!(holder.kill_9().code.is_none());
    first.open();
    second.open();
    let two = finished(guest);
    world.assert_finished(&two);
    let runs = world.command(&["runs", "list"]).exits(0).lines.join("\n");
    let one = runs.split('"').find(|word| word.starts_with("run_") && *word != two).expect("the other run").to_owned();
    world.command(&["runs", "resume", &one]).run();
    world.assert_finished(&one);
}

#[test]
fn ctrl_c_on_the_holder_leaves_its_guest_to_finish() {
    let world = need!(World::new(people::usual()));
    let (holder, first, guest, second) = two(&world);
    holder.interrupt();
    first.open();
    second.open();
    finished(guest);
    let outcome = holder.end();
    assert!([Some(0), Some(130)].contains(&outcome.code), "{outcome}");
}
