//! Several accounts of one app: nothing guesses, nothing moves by itself, and rights are asked for together.
//!
//! Must never tell accounts apart by anything but what the org says of the token.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::org::SUSPEND;
use flowdeck_tests::people::{self, ADMIN, OTHER};
use flowdeck_tests::world::{World, authorize_url, scopes_of};

use crate::flows::{count_groups, suspend_all};

const GROUPS: &str = "/api/v1/groups";

/// `admin` may do all, `readonly` may look.
fn two_accounts() -> Option<World> {
    let world = World::new(people::idle(2))?;
    world.connect("admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage,okta.groups.read"]);
    world.connect("readonly", OTHER, &["--scopes", "okta.users.read,okta.groups.read"]);
    world.deck.write("groups.flow.yaml", &count_groups("groups", "{ app: okta }"));
    Some(world)
}

fn accounts(world: &World, path: &str) -> Vec<String> {
    let seen = world.org.proxy.seen();
    seen.iter().filter(|s| s.path == path).filter_map(|s| s.account.clone()).collect()
}

#[test]
fn with_two_connections_the_card_asks_which_and_keeps_the_answer() {
    let world = need!(two_accounts());
    let stopped = world.stops(&["run", "groups.flow.yaml"]);
    let prompt = stopped.prompt();
    assert_eq!(prompt["reason"], "choose", "{prompt}");
    let mut offered: Vec<_> = prompt["others"].as_array().unwrap().iter().map(|c| c["nickname"].clone()).collect();
    offered.sort_by_key(ToString::to_string);
    assert_eq!(offered, ["admin", "readonly"]);

    let answered = world.command(&["prompts", "answer", &stopped.prompt_id(), "--use", "readonly"]).run();
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    world.finishes(&["run", "groups.flow.yaml"]);
    assert_eq!(accounts(&world, GROUPS), [OTHER, OTHER]);
}

#[test]
fn a_lost_connection_does_not_move_its_slot_to_another() {
    let world = need!(two_accounts());
    let stopped = world.stops(&["run", "groups.flow.yaml"]);
    world.command(&["prompts", "answer", &stopped.prompt_id(), "--use", "admin"]).exits(0);
    world.org.proxy.revoke(ADMIN, true);

    let lost = world.stops(&["run", "groups.flow.yaml"]);
    assert_eq!((&lost.prompt()["reason"], &lost.prompt()["nickname"]), (&"lost".into(), &"admin".into()));
    assert_eq!(accounts(&world, GROUPS), [ADMIN], "nobody else was asked instead");
    // Another start does not move it either.
    let again = world.stops(&["run", "groups.flow.yaml"]);
    assert_eq!(again.prompt_id(), lost.prompt_id(), "one prompt for both runs");

    let answered = world.consent(&["prompts", "answer", &lost.prompt_id()], ADMIN);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&lost.run);
    world.assert_finished(&again.run);
    assert_eq!(accounts(&world, GROUPS), [ADMIN, ADMIN, ADMIN]);
}

#[test]
fn a_missing_scope_waits_and_the_consent_asks_for_the_union() {
    let world = need!(two_accounts());
    world.deck.write("all.flow.yaml", &suspend_all("{ app: okta, nickname: readonly }", 1));
    let stopped = world.stops(&["run", "all.flow.yaml"]);
    let prompt = stopped.prompt();
    assert_eq!((&prompt["reason"], &prompt["nickname"]), (&"scope".into(), &"readonly".into()), "{prompt}");
    assert_eq!(world.org.proxy.count("POST", SUSPEND), 0, "it was not tried without");

    let mut command = world.command(&["prompts", "answer", &stopped.prompt_id()]).spawn();
    let url = authorize_url(&mut command);
    let asked = scopes_of(&url);
    for scope in ["okta.users.read", "okta.groups.read", "okta.users.manage"] {
        assert!(asked.iter().any(|s| s == scope), "{scope} is not in {asked:?}");
    }
    world.org.consent(&url, OTHER);
    let ended = command.end();
    assert_eq!(ended.code, Some(0), "{ended}");
    world.assert_finished(&stopped.run);
    assert_eq!(world.org.suspensions().len(), 2);
    assert!(world.org.proxy.acted("POST", SUSPEND).iter().all(|s| s.account.as_deref() == Some(OTHER)));
}

#[test]
fn a_scope_that_was_unticked_leaves_the_run_waiting_for_it() {
    let world = need!(two_accounts());
    world.deck.write("all.flow.yaml", &suspend_all("{ app: okta, nickname: readonly }", 1));
    let stopped = world.stops(&["run", "all.flow.yaml"]);
    let mut command = world.command(&["prompts", "answer", &stopped.prompt_id()]).spawn();
    let url = authorize_url(&mut command);
    let kept = ["openid", "profile", "offline_access", "okta.users.read", "okta.groups.read"];
    world.org.consent_to(&url, OTHER, &kept);
    let ended = command.end();
    assert_ne!(ended.code, Some(0), "{ended}");
    assert_eq!(world.run(&stopped.run)["status"], "waiting");
    assert_eq!(world.open_prompts().len(), 1);
    assert_eq!(world.org.proxy.count("POST", SUSPEND), 0);
}
