//! Data folders in which something is broken: what that is stands on the screen, and everything else works.
//!
//! Must never show a panic where there is an error.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use flowdeck::engine::ports::{Delta, Scan, Space, Store};
use flowdeck::store::{Options, SledStore};
use support::Home;

const FLOW: &str = "flow: asks\ncards:\n  - id: ask\n    wait: { approval: \"Go on?\" }\n  - return: { ok: true }\n";
const STAFF: &str = "flow: staff\nslots:\n  directory: { app: playground }\ncards:\n  - id: all\n    card: \
                     playground/listPeople\n    slot: directory\n";

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    let home = Home::new();
    let flow = home.file("asks.flow.yaml", FLOW);
    home.say(&["run", &flow]).check(75, &["runs approve"]);
    std::fs::write(home.path("data/store/sled/db"), vec![0xA5; 100_000]).unwrap();
    let said = home.say(&["runs", "list"]);
    assert!(!said.err.contains("panicked at"), "{}", said.err);
    // And all that could bring sled's file back.
    for entry in std::fs::read_dir(home.path("data/store/log")).unwrap() {
        std::fs::write(entry.unwrap().path(), vec![0xA5; 10_000]).unwrap();
    }
    for arguments in [&["runs", "list"][..], &["run", &flow], &["doctor"]] {
        let said = home.say(arguments);
        let all = said.out.clone() + &said.err;
        assert_eq!(said.code, 1, "{all}");
        assert!(all.contains("damaged") && !all.contains("panicked at"), "{arguments:?}: {all}");
    }
}

#[test]
fn a_broken_playground_keeps_only_its_own_flows_from_running() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("data/playground")).unwrap();
    std::fs::write(home.path("data/playground/playground.json"), "garbage").unwrap();
    let flow = home.file("asks.flow.yaml", FLOW);
    home.say(&["run", &flow]).check(75, &["runs approve"]);
    let staff = home.file("staff.flow.yaml", STAFF);
    home.say(&["run", &staff]).check(1, &["playground.json", "move it away"]);
}

#[test]
fn a_run_that_is_set_aside_is_told_of_and_can_be_cancelled() {
    let home = Home::new();
    let flow = home.file("asks.flow.yaml", FLOW);
    let run = home.say(&["run", &flow, "--json"]).check(75, &[]).run()["run"].as_str().unwrap().to_owned();
    let executor = tokio::runtime::Runtime::new().unwrap();
    executor.block_on(async {
        let store = SledStore::open(home.path("data/store"), Options::default()).unwrap();
        let mut delta = Delta::new(store.epoch());
        for (key, _) in store.scan(Scan::prefix(Space::Flows, Vec::new(), 100)).await.unwrap() {
            delta.delete(Space::Flows, key);
        }
        store.commit(delta).await.unwrap();
    });
    home.say(&["runs", "approve", &run]).check(1, &["Set aside", "flowdeck explain set-aside"]);
    let shown = home.say(&["runs", "show", &run]).check(0, &[]);
    assert!(shown.out.contains("asks"), "{}", shown.out);
    let ended = home.say(&["runs", "cancel", &run]).check(0, &[]);
    assert!(ended.out.contains("is cancelled"), "{}", ended.out);
    let listed = home.say(&["runs", "list"]).check(0, &[]);
    assert!(listed.out.contains("cancelled"), "{}", listed.out);
}
