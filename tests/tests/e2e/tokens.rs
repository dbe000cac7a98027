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
use flowdeck_tests::world::{World, stop, text};

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
    world.deck.write("all.flow.yaml", &suspend_all("{ app: okta, nickname: prod-admin }", 2));
    // One suspension is carried out and never answered; the other one finds that the grant was taken away.
    let (silent, late) = (Gate::default(), Gate::default());
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldAfter(silent.clone())).nth(1));
    world.org.proxy.rule(Rule::new("POST", SUSPEND, Fault::HoldBefore(late.clone())).nth(1));
    let command = world.command(&["run", "all.flow.yaml"]).spawn();
    silent.wait_for(1);
    late.wait_for(1);
    let done = world.org.proxy.acted("POST", SUSPEND)[0].path.split('/').nth(4).unwrap().to_owned();
    world.org.proxy.revoke(ADMIN, true);
    late.open();
    let stopped = stop(command.end());
    assert_eq!(stopped.outcome.code, Some(WAITS), "{}", stopped.outcome);
    assert_eq!(stopped.prompt()["reason"], "lost", "{}", stopped.outcome);

    let seen_before = world.org.proxy.seen().len();
    let switched = world.consent(&["prompts", "answer", &stopped.prompt_id(), "--switch-account", "yes"], OTHER);
    assert_eq!(switched.code, Some(WAITS), "it asks what became of the write: {switched}");
    let view = world.run(&stopped.run);
    let waits = view["waits"].as_array().unwrap();
    assert_eq!(waits.len(), 1, "{view}");
    assert!(waits[0]["reason"]["in_doubt"].is_object(), "{view}");
    let path = text(&waits[0]["path"]);
    assert!(path.starts_with("each_user[") && path.ends_with("].suspend"), "{path}");
    let about_it = world.org.proxy.seen()[seen_before..].iter().filter(|s| s.path.contains(&done)).count();
    assert_eq!(about_it, 0, "neither repeated nor looked up as somebody else");

    let settled = world.command(&["runs", "settle", &stopped.run, &path, "happened"]).run();
    assert_eq!(settled.code, Some(0), "{settled}");
    world.assert_finished(&stopped.run);
    everybody_once(&world, 3);
    let by_other =
        world.org.proxy.acted("POST", SUSPEND).iter().filter(|s| s.account.as_deref() == Some(OTHER)).count();
    assert_eq!(by_other, 2, "the rest went on as the account that was chosen");
}
