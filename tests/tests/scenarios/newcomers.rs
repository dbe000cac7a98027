//! Somebody new: an export over two apps whose second is connected in the middle, and an export that an event starts.
//!
//! Must never look for what was done anywhere but at the services themselves.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::Service;
use flowdeck_tests::stage::Stage;
use serde_json::{Value, json};

use crate::export::{Flow, export, fixed};
use crate::seeds::{self, MIA};

const MANAGE: [&str; 2] = ["--scopes", "okta.users.manage,okta.users.read,okta.groups.manage"];

/// The id of a channel.
pub(crate) fn channel(stage: &Stage<'_>, name: &str) -> String {
    let all = stage.suite.slack("conversations.list", &json!({}));
    let found = all["channels"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

/// Texts of a channel's messages, the newest first.
pub(crate) fn messages(stage: &Stage<'_>, channel: &str) -> Vec<Value> {
    let history = stage.suite.slack("conversations.history", &json!({ "channel": channel }));
    history["messages"].as_array().unwrap().clone()
}

/// Makes a person, puts them into a group, and tells a channel.
fn welcome() -> String {
    let (mut flow, start) = Flow::helper(&["login", "first", "group", "channel"]);
    let created = flow.card(
        "@okta/createUser",
        "Create User",
        &[
            (("Profile", "login"), start.out(("", "login"))),
            (("Profile", "email"), start.out(("", "login"))),
            (("Profile", "firstName"), start.out(("", "first"))),
            (("Profile", "lastName"), fixed("Newman")),
            (("Activate", "Activate"), fixed(true)),
        ],
    );
    flow.card(
        "@okta/addNewUserToGroup",
        "Add User to Group",
        &[(("Group", "id"), start.out(("", "group"))), (("User", "id"), created.out(("Results", "ID")))],
    );
    let text = flow.compose("Welcome {{{who}}}!", &[("who", start.out(("", "first")))]);
    let sent = flow.card(
        "@slack/sendMessageToChannel2",
        "Tell the channel",
        &[
            (("parameters", "channel"), start.out(("", "channel"))),
            (("parameters", "messageType"), fixed("Plain Text")),
            (("Message", "Text"), text),
        ],
    );
    flow.returns(&[("user", created.out(("Results", "ID"))), ("at", sent.out(("Message", "Timestamp")))]);
    export(&[("f-welcome", "Welcome a newcomer", flow.data())])
}

#[test]
fn an_export_goes_on_at_the_card_of_its_second_app_once_that_is_connected() {
    let stage = need!(seeds::stage());
    stage.write("welcome.flopack", &welcome());
    let welcome = channel(&stage, "welcome");
    stage.connect("okta", "okta", ADMIN, &MANAGE);
    let words = ["run", "welcome.flopack", "--flow", "Welcome a newcomer", "--input", "login=nina.newman@acme.test"];
    let to = format!("channel={welcome}");
    let words = [&words[..], &["--input", "first=Nina", "--input", "group=00gnew", "--input", &to]].concat();

    let stopped = stage.stops(&words);
    assert_eq!((&stopped.prompt()["app"], &stopped.prompt()["reason"]), (&"slack".into(), &"missing".into()));
    let waits = stopped.last["waits"].as_array().unwrap();
    assert_eq!((waits.len(), &waits[0]["path"]), (1, &"tell_the_channel".into()), "{}", stopped.last);
    let okta = stage.proxy(Service::Okta);
    let made = stage.suite.at(Service::Okta, "/api/v1/users/nina.newman@acme.test");
    assert_eq!(made["profile"]["firstName"], "Nina");
    assert!(stage.proxy(Service::Slack).seen().is_empty());
    assert!(messages(&stage, &welcome).is_empty());

    let answered = stage.answer(&stopped.prompt_id(), "slack", MIA);
    assert_eq!(answered.code, Some(0), "{answered}");
    stage.assert_finished(&stopped.run);
    assert_eq!(okta.acted("POST", "/api/v1/users").len(), 1, "nothing is done again");
    assert_eq!(okta.acted("PUT", "/api/v1/groups/00gnew/users/*").len(), 1);
    let members = stage.suite.at(Service::Okta, "/api/v1/groups/00gnew/users");
    assert!(members.as_array().unwrap().iter().any(|m| m["id"] == made["id"]), "{members}");
    let there = messages(&stage, &welcome);
    assert_eq!((there.len(), &there[0]["text"]), (1, &"Welcome Nina!".into()), "{there:?}");
    assert_eq!(stage.proxy(Service::Slack).acted("POST", "/api/chat.postMessage").len(), 1);
    let output = stage.run(&stopped.run)["output"].clone();
    assert_eq!((&output["user"], &output["at"]), (&made["id"], &there[0]["ts"]), "{output}");
    assert_eq!(stage.outputs(&stopped.run, "tell_the_channel")[0]["Channel ID"], welcome);
}

/// Writes to everybody who is created, in a direct message.
fn greet() -> String {
    let (mut flow, event) = Flow::on_event(&["Okta User", "Event Type"]);
    let id = flow.card(
        "object/get",
        "Who",
        &[(("", "object"), event.out(("Output", "Okta User"))), (("", "path"), fixed("ID"))],
    );
    let user = flow.card("@okta/readUser", "Read User", &[(("User", "ID or Login"), id.out(("", "output")))]);
    let found = flow.card(
        "@slack/readUser2",
        "Find in Slack",
        &[
            (("parameters", "fieldType"), fixed("Email")),
            (("User", "Email"), user.out(("Profile Properties", "email"))),
        ],
    );
    let parts = [("name", found.out(("User", "Full Name"))), ("why", event.out(("Output", "Event Type")))];
    let text = flow.compose("Hello {{{name}}} ({{{why}}})", &parts);
    flow.card(
        "@slack/sendDirectMessage2",
        "Write",
        &[
            (("parameters", "fieldType"), fixed("User ID")),
            (("User", "User ID"), found.out(("User", "User ID"))),
            (("Message", "Text"), text),
        ],
    );
    export(&[("f-greet", "Greet", flow.started_by("okta/userCreated"))])
}

#[test]
fn an_event_of_a_hook_or_of_the_log_starts_an_export_with_its_own_fields() {
    let stage = need!(seeds::stage());
    stage.write("greet.flopack", &greet());
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.logs.read"]);
    stage.connect("slack", "slack", MIA, &["--scopes", "chat:write,im:write,users:read,users:read.email"]);
    let entry = json!({
        "uuid": "e-1", "eventType": "user.lifecycle.create", "published": "2026-02-03T04:05:06.000Z",
        "actor": { "id": "00uadaadmin", "type": "User" },
        "target": [{ "id": "00ufayfresh", "type": "User", "alternateId": "fay.fresh@acme.test", "displayName": "Fay" }],
    });
    let hook = json!({ "eventType": "com.okta.event_hook", "eventId": "d-1", "data": { "events": [entry] } });
    for (name, told) in [("hook.json", &hook), ("log.json", &entry)] {
        stage.write(name, &told.to_string());
        stage.finishes(&["run", "greet.flopack", "--event", name]);
    }
    let slack = stage.proxy(Service::Slack);
    let sent: Vec<Value> =
        slack.acted("POST", "/api/chat.postMessage").iter().map(|s| s.body.parse().unwrap()).collect();
    let fay = stage.suite.slack("users.list", &json!({}))["members"].as_array().unwrap().clone();
    let fay = fay.iter().find(|m| m["name"] == "fay").unwrap().clone();
    for message in &sent {
        assert_eq!(
            (&message["channel"], &message["text"]),
            (&fay["id"], &"Hello Fay Fresh (user.lifecycle.create)".into())
        );
    }
    assert_eq!(sent.len(), 2);
    assert_eq!(stage.proxy(Service::Okta).acted("GET", "/api/v1/users/00ufayfresh").len(), 2);
}
