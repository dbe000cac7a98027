//! Many at once: pages streamed into a helper, a loop over a helper with a limited rate, a limit that a person lifts.
//!
//! Must never take a number from the program where the org can be asked.
//! Tests: these are they.

use std::collections::BTreeMap;

use flowdeck_tests::need;
use flowdeck_tests::org::SUSPEND;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::{Fault, Rule, Service};
use flowdeck_tests::stage::Stage;
use serde_json::json;

use crate::export::{Flow, From, export, fixed};
use crate::seeds::{self, STREAM};

fn status(stage: &Stage<'_>, id: &str) -> String {
    stage.suite.at(Service::Okta, &format!("/api/v1/users/{id}"))["status"].as_str().unwrap().to_owned()
}

/// How often each person was suspended.
fn suspended(stage: &Stage<'_>) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for seen in stage.proxy(Service::Okta).acted("POST", SUSPEND) {
        *all.entry(seen.path.split('/').nth(4).unwrap().to_owned()).or_default() += 1;
    }
    all
}

/// Suspends everybody whom a search streams, and says why in a state of the stream.
fn stream() -> String {
    let (mut helper, start) = Flow::helper(&["Record", "State"]);
    let get = |flow: &mut Flow, title: &str, from: &str, path: &str| {
        let object = start.out(("", from));
        flow.card("object/get", title, &[(("", "object"), object), (("", "path"), fixed(path))]).out(("", "output"))
    };
    let id = get(&mut helper, "Who", "Record", "ID");
    let why = get(&mut helper, "Why", "State", "reason");
    let login = get(&mut helper, "Login", "Record", "Login");
    helper.compose("{{{login}}}: {{{why}}}", &[("login", login), ("why", why)]);
    helper.card("@okta/suspendUser", "Suspend User", &[(("User", "id"), id)]);
    let (mut main, _) = Flow::helper(&[]);
    main.card(
        "@okta/listUsersWithSearch",
        "Find them",
        &[
            (("Inputs", "Custom Search Criteria"), fixed("stream.person")),
            (("parameters", "resultSet"), fixed("Stream Matching Records")),
            (("Streaming", "Flow"), fixed("f-one")),
            (("Streaming", "reason"), fixed("idle")),
        ],
    );
    main.returns(&[("done", fixed("yes"))]);
    export(&[("f-all", "Suspend all", main.data()), ("f-one", "Suspend one", helper.data())])
}

#[test]
fn an_export_streams_pages_into_its_helper() {
    let stage = need!(seeds::stage());
    stage.write("stream.flopack", &stream());
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    let output = stage.finishes(&["run", "stream.flopack", "--flow", "Suspend all"]);
    assert_eq!(output, json!({ "done": "yes" }));
    let all = suspended(&stage);
    assert_eq!((all.len(), all.values().sum::<usize>()), (STREAM, STREAM), "everybody once");
    assert_eq!(stage.proxy(Service::Okta).count("GET", "/api/v1/users"), 2, "two pages of 30");
    assert!((0..STREAM).all(|i| status(&stage, &format!("00ustream{i:03}")) == "SUSPENDED"));
}

/// Makes a group for each name by one helper, and has another describe what was done.
fn groups() -> String {
    let (mut one, start) = Flow::helper(&["name", "index"]);
    let group = one.card(
        "@okta/createGroup",
        "Create Group",
        &[(("Group", "Name"), start.out(("", "name"))), (("Group", "Description"), fixed("Made by a flow"))],
    );
    one.retry(&group, 3, 10);
    one.returns(&[("id", group.out(("Properties", "ID")))]);
    let (mut words, start) = Flow::helper(&["count"]);
    let text = words.compose("{{{n}}} groups", &[("n", start.out_as(("", "count"), "toString"))]);
    words.returns(&[("text", text)]);
    let (mut main, start) = Flow::helper(&["names"]);
    let made = main.card(
        "list/map",
        "Make each",
        &[
            (("", "list"), start.out(("", "names"))),
            (("", "flo"), fixed("f-one")),
            (("", "concurrency"), fixed(1)),
            (("", "name"), From::Item("")),
        ],
    );
    let count = main.card("list/length", "Count", &[(("", "list"), made.out(("", "new list")))]);
    let said = main.card(
        "control/spawn",
        "Describe",
        &[(("", "flo"), fixed("f-words")), (("", "count"), count.out(("", "length")))],
    );
    main.returns(&[("text", said.out(("", "text"))), ("made", made.out(("", "new list")))]);
    export(&[
        ("f-all", "Make groups", main.data()),
        ("f-one", "Make one", one.data()),
        ("f-words", "Describe", words.data()),
    ])
}

#[test]
fn an_export_maps_over_a_helper_and_waits_where_the_rate_is_limited() {
    let stage = need!(seeds::stage());
    stage.write("groups.flopack", &groups());
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.groups.manage"]);
    let okta = stage.proxy(Service::Okta);
    okta.rule(Rule::new("POST", "/api/v1/groups", Fault::too_many(1)).nth(2));
    let names = r#"names=["Red","Green","Blue"]"#;
    let output = stage.finishes(&["run", "groups.flopack", "--flow", "Make groups", "--input", names]);
    assert_eq!(output["text"], "3 groups", "{output}");
    assert_eq!((okta.count("POST", "/api/v1/groups"), okta.acted("POST", "/api/v1/groups").len()), (4, 3));
    let made = output["made"].as_array().unwrap();
    let there = stage.suite.at(Service::Okta, "/api/v1/groups?per_page=100");
    for (name, made) in ["Red", "Green", "Blue"].iter().zip(made) {
        let found: Vec<_> = there.as_array().unwrap().iter().filter(|g| g["profile"]["name"] == *name).collect();
        assert_eq!((found.len(), &found[0]["id"]), (1, made), "{name}: {output}");
    }
}

const LIMITED: &str = r#"
flow: limited
slots: { okta: okta }
limits: { okta/suspendUser: 2 }
cards:
  - id: each
    for_each: [00ulimit0, 00ulimit1, 00ulimit2, 00ulimit3]
    as: id
    cards:
      - id: suspend
        card: okta/suspendUser
        with: { id: "${id}" }
  - return: { count: "${each.count}" }
"#;

#[test]
fn a_run_asks_before_it_goes_beyond_its_limit() {
    let stage = need!(seeds::stage());
    stage.write("limited.flow.yaml", LIMITED);
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    let stopped = stage.stops(&["run", "limited.flow.yaml"]);
    assert!(stopped.prompts.is_empty(), "it is no connection that is missing: {}", stopped.outcome);
    let asked = stopped.last["waits"].to_string();
    assert!(asked.contains("okta/suspendUser") || asked.contains("Suspend user"), "{asked}");
    assert_eq!(suspended(&stage).len(), 2);
    assert_eq!((status(&stage, "00ulimit1"), status(&stage, "00ulimit2")), ("SUSPENDED".into(), "ACTIVE".into()));

    let approved = stage.command(&["runs", "approve", &stopped.run]).run();
    assert_eq!(approved.code, Some(0), "{approved}");
    stage.assert_finished(&stopped.run);
    let all = suspended(&stage);
    assert_eq!((all.len(), all.values().all(|n| *n == 1)), (4, true), "{all:?}");
    assert_eq!(stage.run(&stopped.run)["output"]["count"], 4);
}
