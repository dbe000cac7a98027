//! A thousand runs that wait for one connection: one prompt, and one consent finishes all.
//!
//! Must never start a thousand programs: one flow starts the runs.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::world::World;

const RUNS: usize = 1_000;

#[test]
fn a_thousand_runs_wait_behind_one_prompt_and_one_consent_finishes_all() {
    let world = need!(World::new(people::usual()));
    let flow = format!(
        r#"
flow: thousand
slots:
  okta: {{ app: okta }}
cards:
  - id: all
    times: {RUNS}
    as: number
    cards:
      - call_flow_async: one
        with: {{ number: "${{number}}" }}
helpers:
  one:
    inputs: {{ number: {{ type: number, required: true }} }}
    cards:
      - id: put
        card: okta/addNewUserToGroup
        with: {{ Group id: 00gnew, User id: 00ufayfresh }}
"#
    );
    world.deck.write("thousand.flow.yaml", &flow);
    world.command(&["run", "thousand.flow.yaml"]).exits(0);
    let open = world.open_prompts();
    assert_eq!(open.len(), 1, "one prompt for all: {open:?}");
    assert_eq!(open[0]["waiting"].as_u64(), Some(RUNS as u64));

    let answered = world.answer(open[0]["id"].as_str().unwrap(), ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    assert!(world.open_prompts().is_empty());
    let acted = world.org.proxy.acted("PUT", "/api/v1/groups/00gnew/users/00ufayfresh").len();
    assert_eq!(acted, RUNS, "each run did its one thing once");
    let waiting = world.command(&["runs", "list", "--status", "waiting"]).exits(0);
    assert!(!waiting.lines.join("").contains("\"run_"), "{waiting}");
}
