//! Real exports of the corpus that need no more than the emulator answers, run as they are: what their readmes say under
//! "Testing". Ids of the org they come from are put in as a person does who imports them.
//!
//! Must never pass a sample that was not run: where there is no corpus, that is said.
//! Tests: these are they. The corpus is `FLOWDECK_CORPUS`, else `../shared/corpus` beside the checkout.

use std::collections::BTreeSet;
use std::path::PathBuf;

use flowdeck_tests::emulate::root;
use flowdeck_tests::people::{self, ADMIN};
use flowdeck_tests::proxy::Service;
use flowdeck_tests::world::World;
use flowdeck_tests::{missing, need};
use serde_json::{Value, json};

use crate::newcomers::{channel, messages};
use crate::seeds::{self, MIA};

/// The export of a template; `None`, and said so, where there is no corpus.
fn sample(name: &str) -> Option<String> {
    let beside = root().parent().map(|folder| folder.join("shared/corpus"));
    let folder = std::env::var_os("FLOWDECK_CORPUS").map(PathBuf::from).or(beside)?;
    let found = std::fs::read_to_string(folder.join("okta-templates").join(name).join("workflow.flopack")).ok();
    if found.is_none() {
        missing::did_not_run(&format!("the corpus' export {name}"));
    }
    found
}

#[test]
fn suspend_inactive_users() {
    let export = need!(sample("suspend_inactive_users"));
    let world = need!(World::new(people::usual()));
    world.deck.write("suspend.flopack", &export);
    world.connect("Okta", ADMIN, &["--scopes", "okta.users.read,okta.users.manage"]);
    let words = ["run", "suspend.flopack", "--flow", "Inactivity-based Suspension - Parent Flow"];

    // "If you have a user that has never logged in, then the flow will fail."
    let failed = world.command(&words).exits(1);
    assert_eq!(failed.last()["status"], "failed", "{failed}");
    let done = world.org.with_status("SUSPENDED");

    for login in ["lou.never@acme.test", "mia.justcame@acme.test", "testuser@okta.local"] {
        world.org.deactivate(login);
    }
    world.finishes(&words);
    let suspended = world.org.with_status("SUSPENDED");
    assert_eq!(suspended, BTreeSet::from(["gus.gone@acme.test".to_owned(), "ida.gone@acme.test".to_owned()]));
    assert!(done.is_subset(&suspended), "{done:?}");
    assert!(world.org.suspensions().iter().all(|(_, times)| *times == 1), "{:?}", world.org.suspensions());
}

#[test]
fn groups_and_errors_of_the_tutorials() {
    let export = need!(sample("workflows_tutorials"));
    let stage = need!(seeds::stage());
    stage.write("tutorials.flopack", &export);
    stage.connect("okta", "ooo", ADMIN, &["--scopes", "okta.users.read,okta.users.manage,okta.groups.manage"]);
    let run = |flow: &str, inputs: &[&str]| {
        let inputs = inputs.iter().flat_map(|input| ["--input", input]);
        let words: Vec<&str> = ["run", "tutorials.flopack", "--flow", flow].into_iter().chain(inputs).collect();
        stage.command(&words).json()["run"].as_str().unwrap().to_owned()
    };
    let group = ["Okta Group Name=Tutorial", "Okta Group Description=By a tutorial"];
    let made = run("Using the Okta connector to create an Okta group", &group);
    let answer = &stage.outputs(&made, "custom_api_action")[0];
    let there = stage.suite.at(Service::Okta, &format!("/api/v1/groups/{}", answer["Body"]["id"].as_str().unwrap()));
    assert_eq!(there["profile"], json!({ "name": "Tutorial", "description": "By a tutorial" }));

    let person = ["First Name=Tess", "Last Name=Tutor", "Email=tess.tutor@acme.test"];
    let message = |run: &str| stage.outputs(run, "if_error")[0]["Message"].as_str().unwrap().to_owned();
    let first = run("How To: Catch an error within a Workflow", &person);
    assert_eq!(message(&first), "No errors creating user Tess Tutor (tess.tutor@acme.test).");
    let again = message(&run("How To: Catch an error within a Workflow", &person));
    assert!(again.starts_with("Uh-oh") && again.contains("already exists"), "{again}");
    let tess = stage.suite.at(Service::Okta, "/api/v1/users/tess.tutor@acme.test");
    assert_eq!((&tess["status"], &tess["profile"]["lastName"]), (&"STAGED".into(), &"Tutor".into()));
    assert_eq!(stage.proxy(Service::Okta).acted("POST", "/api/v1/users").len(), 1);
}

#[test]
fn the_groups_of_a_user_are_streamed() {
    let export = need!(sample("retrieve_a_user_groups_using_streaming"));
    let stage = need!(seeds::stage());
    stage.write("groups.flopack", &export.replace("00u2lvedsacRBIIRr1d7", "00uidagone"));
    stage.connect("okta", "Okta - jbcarrigan", ADMIN, &["--scopes", "okta.users.read,okta.groups.read"]);
    let words = ["run", "groups.flopack", "--flow", "Get User Groups Streaming PARENT"];
    let last = stage.command(&words).json();
    assert_eq!(last["status"], "finished", "{last}");
    let there = stage.suite.at(Service::Okta, "/api/v1/users/00uidagone/groups");
    let expected: Vec<String> = there
        .as_array()
        .unwrap()
        .iter()
        .map(|g| {
            format!("Group Info\nID: {}\nName: {}", g["id"].as_str().unwrap(), g["profile"]["name"].as_str().unwrap())
        })
        .collect();
    let shown = stage.command(&["runs", "show", last["run"].as_str().unwrap()]).json().to_string();
    assert!(!expected.is_empty());
    for text in expected {
        assert!(shown.contains(&Value::from(text.clone()).to_string()), "{text}\n{shown}");
    }
}

#[test]
fn delegated_remedies_act_on_the_user_they_are_given() {
    let [add, suspend] =
        ["okta_add_user_to_a_group_ispm_remediation_flow", "suspend_okta_account_ispm_remediation_flow"];
    let (add, suspend) = (need!(sample(add)), need!(sample(suspend)));
    let stage = need!(seeds::stage());
    stage.write("add.flopack", &add.replace("INSERT THE GROUP ID HERE", "00gsample"));
    stage.write("suspend.flopack", &suspend);
    stage.connect("okta", "Okta", ADMIN, &["--scopes", "okta.users.manage,okta.groups.manage"]);
    for file in ["add.flopack", "suspend.flopack"] {
        let user = ["--input", "entityIdInService=00ukimlately", "--input", "entityDisplayName=kim.lately@acme.test"];
        stage.finishes(&[&["run", file][..], &user].concat());
    }
    let members = stage.suite.at(Service::Okta, "/api/v1/groups/00gsample/users");
    assert_eq!((members.as_array().unwrap().len(), &members[0]["id"]), (1, &"00ukimlately".into()));
    assert_eq!(stage.suite.at(Service::Okta, "/api/v1/users/00ukimlately")["status"], "SUSPENDED");
    let rows = stage.command(&["tables", "rows", "ISPM Events"]).exits(0).to_string();
    assert!(rows.contains("kim.lately@acme.test"), "{rows}");
}

#[test]
fn a_message_with_blocks_is_sent() {
    let export = need!(sample("send_a_slack_message_with_blocks"));
    let stage = need!(seeds::stage());
    let blocks = channel(&stage, "blocks");
    stage.write("blocks.flopack", &export.replace("C01TAMTPW8J", &blocks));
    stage.connect("slack", "SEMS Workflows", MIA, &[]);
    stage.finishes(&["run", "blocks.flopack"]);
    let there = messages(&stage, &blocks);
    assert_eq!((there.len(), &there[0]["text"]), (1, &"Mick Johnson".into()), "{there:?}");
    let kinds: Vec<&Value> = there[0]["blocks"].as_array().unwrap().iter().map(|b| &b["type"]).collect();
    assert_eq!(kinds, ["section", "section"]);
    assert_eq!(there[0]["blocks"][1]["fields"].as_array().unwrap().len(), 4);
}

#[test]
fn a_temporary_member_is_noted_when_the_event_comes() {
    let export = need!(sample("assign_temporary_group_memberships"));
    let stage = need!(seeds::stage());
    stage.write("temporary.flopack", &export);
    stage.connect("okta", "okta stark", ADMIN, &["--scopes", "okta.logs.read,okta.groups.manage"]);
    let entry = |group: &str| {
        json!({
            "uuid": "e-7", "eventType": "group.user_membership.add", "published": "2026-02-03T04:05:06.000Z",
            "target": [
                { "id": "00ugusgone", "type": "User", "displayName": "Gus" },
                { "id": "00gtemp", "type": "UserGroup", "displayName": group },
            ],
        })
    };
    let run = |group: &str| {
        stage.write("added.json", &json!({ "data": { "events": [entry(group)] } }).to_string());
        stage
            .command(&[
                "run",
                "temporary.flopack",
                "--flow",
                "Determine if user added to temporary group",
                "--event",
                "added.json",
            ])
            .json()
    };
    let rows = || stage.command(&["tables", "rows", "Users Added to Temporary Groups"]).run().to_string();
    assert_eq!(run("Temporary")["status"], "finished", "a group that is not in the table is none of its business");
    stage.command(&["tables", "set", "Temporary Groups", "Group Name=Temporary", "Duration=0"]).exits(0);
    assert_eq!(run("Temporary")["status"], "finished");
    assert!(rows().contains("00gtemp"), "{}", rows());

    // The scheduled flow takes everybody out whose time is over.
    let scanned = stage.command(&["run", "temporary.flopack", "--flow", "Scan users for removal"]).json();
    assert_eq!(scanned["status"], "finished", "{scanned}");
    let removed = stage.proxy(Service::Okta).acted("DELETE", "/api/v1/groups/00gtemp/users/00ugusgone");
    assert_eq!(removed.len(), 1, "{}", rows());
    let members = stage.suite.at(Service::Okta, "/api/v1/groups/00gtemp/users");
    assert!(members.as_array().unwrap().iter().all(|m| m["id"] != "00ugusgone"));
}

#[test]
fn ten_active_users_are_told_of_by_flows_that_run_beside() {
    let export = need!(sample("intro_to_lists_and_helper_flows"));
    let stage = need!(seeds::stage());
    let lists = channel(&stage, "lists");
    stage.write("lists.flopack", &export.replace("C013NND62GZ", &lists));
    stage.connect("okta", "aclarke preview", ADMIN, &[]);
    stage.connect("slack", "demo slack", MIA, &[]);
    let parent = stage.command(&["run", "lists.flopack", "--flow", "[Parent] List example"]).json();
    assert_eq!(parent["status"], "finished", "{parent}");
    let run = parent["run"].as_str().unwrap();
    assert_eq!(stage.outputs(run, "reduce")[0]["value"], 10);
    stage.proxy(Service::Slack).wait_for("POST", "/api/chat.postMessage", 10);
    let there = messages(&stage, &lists);
    let texts: BTreeSet<&str> = there.iter().filter_map(|m| m["text"].as_str()).collect();
    assert_eq!((there.len(), texts.len()), (10, 10), "{texts:?}");
    assert!(texts.iter().all(|t| t.ends_with(" is ACTIVE")), "{texts:?}");
    let sent = stage.proxy(Service::Slack).seen();
    assert!(
        sent.iter().filter(|s| s.path.ends_with("postMessage")).all(|s| s.body.contains(r#""username":"Workflows""#))
    );
}

#[test]
fn a_name_is_cleaned_when_its_user_is_created() {
    let export = need!(sample("special_character_validation_and_substitution"));
    let stage = need!(seeds::stage());
    stage.write("special.flopack", &export);
    stage.connect("okta", "Okta", ADMIN, &["--scopes", "okta.logs.read,okta.users.read,okta.users.manage"]);
    let profile =
        json!({ "firstName": "\u{c0}n~ita", "lastName": "Sonder", "email": "sp@acme.test", "login": "sp@acme.test" });
    let made =
        stage.suite.ask(Service::Okta, http::Method::POST, "/api/v1/users", &json!({ "profile": profile })).json();
    let target = json!([{ "id": made["id"], "type": "User", "alternateId": "sp@acme.test" }]);
    let entry = json!({ "uuid": "e-9", "eventType": "user.lifecycle.create", "target": target });
    stage.write("created.json", &json!({ "data": { "events": [entry] } }).to_string());
    let words = ["run", "special.flopack", "--flow", "Special Character Validation", "--event", "created.json"];
    assert_eq!(stage.command(&words).json()["status"], "finished");
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let [update] = &stage.proxy(Service::Okta).acted("POST", &path)[..] else { panic!("one update") };
    let sent: Value = update.body.parse().unwrap();
    assert_eq!(sent, json!({ "profile": { "ValidatedName": "Anita" } }));
}
