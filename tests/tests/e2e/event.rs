//! Event cards: a flow whose event app is not connected prompts at the event card itself.
//!
//! Must never need a real event: `run --event` brings one.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::world::World;

#[test]
fn a_flow_whose_event_app_is_unauthorized_prompts_at_the_event_card() {
    let world = need!(World::new(people::usual()));
    world.deck.sample("new-user-welcome.flow.yaml");
    world.deck.write("user-created.json", r#"{ "ID": "00ufayfresh", "Login": "fay.fresh@acme.test" }"#);
    let words = ["run", "new-user-welcome.flow.yaml", "--event", "user-created.json", "--input", "group=00gnew"];

    let stopped = world.stops(&words);
    assert!(world.org.proxy.seen().is_empty());
    let prompt = stopped.prompt();
    assert_eq!((&prompt["app"], &prompt["reason"]), (&"okta".into(), &"missing".into()));
    let waits = stopped.last["waits"].as_array().unwrap();
    assert_eq!(waits.len(), 1, "{}", stopped.last);
    assert_eq!(waits[0]["path"], "event", "it waits at the event card: {}", stopped.last);

    let answered = world.answer(&stopped.prompt_id(), ADMIN, &[]);
    assert_eq!(answered.code, Some(0), "{answered}");
    let run = world.run(&stopped.run);
    assert_eq!(run["status"], "finished", "{run}");
    assert_eq!(run["output"]["login"], "fay.fresh@acme.test", "{run}");
    assert_eq!(world.org.proxy.acted("PUT", "/api/v1/groups/00gnew/users/00ufayfresh").len(), 1);
}
