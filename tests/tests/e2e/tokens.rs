//! Tokens that die in the middle of the work: renewed where that works, asked for where it does not, nobody twice.
//!
//! Must never count at the client what can be counted at the org.
//! Tests: these are they.

use flowdeck_tests::deck::WAITS;
use flowdeck_tests::gate::Gate;
use flowdeck_tests::need;
use flowdeck_tests::org::SUSPEND;
use flowdeck_tests::people::{self, ADMIN, OTHER};
use flowdeck_tests::proxy::{Fault, Rule};
use flowdeck_tests::world::World;

use crate::flows::suspend_all;

const FLOW: &str = "suspend-inactive-users.flow.yaml";

fn everybody_once(world: &World, people: usize) {
    let suspensions = world.org.suspensions();
    assert_eq!(suspensions.len(), people, "{suspensions:?}");
    assert!(suspensions.iter().all(|(_, times)| *times == 1), "{suspensions:?}");
}

#[test]
fn an_access_token_revoked_in_the_loop_is_renewed_without_a_prompt() {
    let world = need!(World::new(people::idle(12)));
    world.connect("prod-admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    world.deck.sample(FLOW);
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::Revoke { refresh: false }).nth(5));
    world.finishes(&["run", FLOW]);
    everybody_once(&world, 12);
    assert_eq!(world.org.proxy.count("POST", "/oauth2/v1/token"), 2, "the code, and one renewal for all four lanes");
}

#[test]
fn with_access_and_refresh_token_revoked_the_run_waits_and_finishes_after_reconnecting() {
    let world = need!(World::new(people::idle(12)));
    world.connect("prod-admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    world.deck.sample(FLOW);
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::Revoke { refresh: true }).nth(5));
    let stopped = world.stops(&["run", FLOW]);
    assert_eq!(stopped.prompt()["reason"], "lost", "{}", stopped.outcome);
    assert!(world.org.suspensions().len() < 12);
    let before = world.connection("prod-admin");
    assert_eq!(before["state"], "needs_reauth", "{before}");

    let answered = world.consent(&["prompts", "answer", &stopped.prompt_id()], ADMIN);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    everybody_once(&world, 12);
    let after = world.connection("prod-admin");
    assert_eq!((&after["id"], &after["state"]), (&before["id"], &"active".into()), "the same connection, repaired");
    assert_eq!(world.org.proxy.count("GET", "/api/v1/users"), 1, "the list was not read again");
}

#[test]
fn another_account_is_taken_only_where_the_person_says_so() {
    let world = need!(World::new(people::idle(3)));
    world.connect("prod-admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    world.deck.sample(FLOW);
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::Revoke { refresh: true }).nth(2));
    let stopped = world.stops(&["run", FLOW]);

    let refused = world.consent(&["prompts", "answer", &stopped.prompt_id()], OTHER);
    assert_eq!(refused.code, Some(WAITS), "{refused}");
    assert_eq!(world.connection("prod-admin")["account"], ADMIN);
    assert!(!world.org.proxy.acted("POST", SUSPEND).iter().any(|s| s.account.as_deref() == Some(OTHER)));

    let switched = world.consent(&["prompts", "answer", &stopped.prompt_id(), "--switch-account", "yes"], OTHER);
    assert_eq!(switched.code, Some(0), "{switched}");
    assert_eq!(world.connection("prod-admin")["account"], OTHER);
    world.assert_finished(&stopped.run);
    everybody_once(&world, 3);
}

#[test]
fn reconnected_as_another_account_nothing_is_repeated_or_looked_up_in_the_wrong_place() {
    let world = need!(World::new(people::idle(3)));
    world.connect("prod-admin", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    world.deck.write("all.flow.yaml", &suspend_all("{ app: okta, nickname: prod-admin }"));
    // The second suspension is carried out and never answered; meanwhile the grant is taken away.
    let gate = Gate::default();
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldAfter(gate.clone())).nth(2));
    let command = world.command(&["run", "all.flow.yaml"]).spawn();
    gate.wait_for(1);
    world.org.proxy.revoke(ADMIN, true);
    let stopped = flowdeck_tests::world::stop(command.end());
    assert_eq!(stopped.outcome.code, Some(WAITS), "{}", stopped.outcome);
    assert_eq!(stopped.prompt()["reason"], "lost", "{}", stopped.outcome);

    let seen_before = world.org.proxy.seen().len();
    let switched = world.consent(&["prompts", "answer", &stopped.prompt_id(), "--switch-account", "yes"], OTHER);
    assert_eq!(switched.code, Some(WAITS), "it asks what became of the write: {switched}");
    let view = world.run(&stopped.run);
    assert_eq!(view["waits"][0]["path"], "each_user[1].suspend", "{view}");
    assert!(view["waits"][0].to_string().contains("in_doubt"), "{view}");
    let about_it = world.org.proxy.seen()[seen_before..].iter().filter(|s| s.path.contains("idleperson0001")).count();
    assert_eq!(about_it, 0, "neither repeated nor looked up as somebody else");

    world.command(&["runs", "settle", &stopped.run, "each_user[1].suspend", "happened"]).exits(0);
    world.assert_finished(&stopped.run);
    everybody_once(&world, 3);
}
