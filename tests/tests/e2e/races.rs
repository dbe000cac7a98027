//! Things that happen at the same time, or before they are waited for: no run hangs.
//!
//! Must never rest on one order of events: what is asked is that all orders end well.
//! Tests: these are they.

use flowdeck_tests::deck::WAITS;
use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::world::{World, stop};

use crate::flows::count_groups;

const SUGGESTS: &str = "{ app: okta, nickname: prod-admin }";

#[test]
fn a_connection_saved_under_another_name_than_suggested_answers_the_prompt() {
    let world = need!(World::new(people::usual()));
    world.deck.write("groups.flow.yaml", &count_groups("groups", SUGGESTS));
    let stopped = world.stops(&["run", "groups.flow.yaml"]);
    assert_eq!(stopped.prompt()["nickname"], "prod-admin");
    let answered = world.answer(&stopped.prompt_id(), ADMIN, &["--as", "my own name"]);
    assert_eq!(answered.code, Some(0), "{answered}");
    world.assert_finished(&stopped.run);
    // The slot is bound to it: the name only found it.
    world.finishes(&["run", "groups.flow.yaml"]);
    assert!(world.open_prompts().is_empty());
}

#[test]
fn a_connection_made_by_hand_under_another_name_is_offered_and_can_be_used() {
    let world = need!(World::new(people::usual()));
    world.deck.write("groups.flow.yaml", &count_groups("groups", SUGGESTS));
    let stopped = world.stops(&["run", "groups.flow.yaml"]);
    let domain = format!("domain={}", world.org.proxy.url());
    let words = ["connect", "okta", "--as", "elsewhere", "--method", "api_token", "--set", &domain];
    // Connected; but the run goes on waiting, and the command says so.
    world.command(&[&words[..], &["--secret", "api_token=api-token"]].concat()).exits(WAITS);
    let open = world.open_prompts();
    assert_eq!(open.len(), 1, "nothing guesses that it is the one");
    assert_eq!(open[0]["others"][0]["nickname"], "elsewhere");
    world.command(&["prompts", "answer", &stopped.prompt_id(), "--use", "elsewhere"]).exits(0);
    world.assert_finished(&stopped.run);
}

#[test]
fn authorizing_while_runs_come_to_their_waits_leaves_none_of_them_waiting() {
    for round in 0..4 {
        let world = need!(World::new(people::usual()));
        world.deck.write("groups.flow.yaml", &count_groups("groups", "{ app: okta }"));
        let domain = format!("domain={}", world.org.proxy.url());
        let connect = ["connect", "okta", "--method", "api_token", "--set", &domain, "--secret", "api_token=api-token"];
        let start = || world.command(&["run", "groups.flow.yaml"]).spawn();
        // The connection is begun first, in the middle, or last.
        let mut runs = Vec::new();
        let mut connecting = None;
        for place in 0..4 {
            if place == round {
                connecting = Some(world.command(&connect).spawn());
            }
            runs.push(start());
        }
        let connected = connecting.unwrap().end();
        assert_eq!(connected.code, Some(0), "{connected}");
        for run in runs {
            let outcome = run.end();
            let ended = stop(outcome.clone());
            assert!([Some(0), Some(WAITS)].contains(&outcome.code), "{outcome}");
            // Whoever left it waiting left it to whoever comes next.
            world.command(&["runs", "resume", &ended.run]).run();
            world.assert_finished(&ended.run);
        }
        assert!(world.open_prompts().is_empty(), "round {round}");
    }
}

#[test]
fn a_signal_that_comes_before_its_wait_is_not_lost() {
    let world = need!(World::new(people::usual()));
    let flow = r#"
flow: signalled
slots:
  okta: { app: okta }
cards:
  - id: found
    card: okta/searchGroups
  - id: go
    wait: { signal: go }
  - return: { word: "${go.payload.word}" }
"#;
    world.deck.write("signalled.flow.yaml", flow);
    let stopped = world.stops(&["run", "signalled.flow.yaml"]);
    let signalled = world.command(&["runs", "signal", &stopped.run, "go", "--payload", r#"{"word":"early"}"#]).run();
    assert!([Some(0), Some(WAITS)].contains(&signalled.code), "{signalled}");
    let answered = world.answer(&stopped.prompt_id(), ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    let run = world.run(&stopped.run);
    assert_eq!((&run["status"], &run["output"]["word"]), (&"finished".into(), &"early".into()), "{run}");
}
