//! What goes wrong: If Error of an export on a 404, and limits and failures of servers that pass.
//!
//! Must never count a request that a proxy refused as done.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::{Fault, Rule, Service};
use serde_json::json;

use crate::export::{Flow, export, fixed};
use crate::newcomers::{channel, messages};
use crate::seeds::{self, MIA};

/// The status of a user, or what the error says.
fn look_up() -> String {
    let (mut flow, start) = Flow::helper(&["id"]);
    let (mut tried, inside) = flow.block(&["id"], false);
    let user = tried.card("@okta/readUser", "Read User", &[(("User", "ID or Login"), inside.out(("context", "id")))]);
    tried.returns(&[("word", user.out(("System Properties", "Status"))), ("why", fixed(""))]);
    let (mut caught, inside) = flow.block(&["id"], true);
    let why = caught.card(
        "object/get",
        "Why",
        &[(("", "object"), inside.out(("context", "error"))), (("", "path"), fixed("message"))],
    );
    let word = caught.compose("no {{{id}}}", &[("id", inside.out(("context", "id")))]);
    caught.returns(&[("word", word), ("why", why.out(("", "output")))]);
    let answer = flow.if_error(&[("id", start.out(("", "id")))], tried, caught);
    flow.returns(&[("word", answer.out(("", "word"))), ("why", answer.out(("", "why")))]);
    export(&[("f-look", "Look up", flow.data())])
}

#[test]
fn an_export_catches_what_is_not_found_and_nothing_else_happens() {
    let stage = need!(seeds::stage());
    stage.write("look.flopack", &look_up());
    stage.connect("okta", "okta", ADMIN, &[]);
    let run = |id: &str| {
        let id = format!("id={id}");
        stage.finishes(&["run", "look.flopack", "--flow", "Look up", "--input", &id])
    };
    assert_eq!(run("00ukimlately"), json!({ "word": "ACTIVE", "why": "" }));
    let missing = run("00unobody");
    assert_eq!(missing["word"], "no 00unobody");
    assert!(missing["why"].as_str().unwrap().contains("Not found"), "{missing}");
    let okta = stage.proxy(Service::Okta);
    assert_eq!(okta.count("GET", "/api/v1/users/00unobody"), 1, "a 404 is not tried again");
    let refused = okta.seen().into_iter().find(|s| s.path == "/api/v1/users/00unobody").unwrap();
    assert_eq!((refused.status, refused.acted), (Some(404), false));
}

const STUBBORN: &str = r#"
flow: stubborn
slots: { okta: okta, slack: slack }
inputs: { channel: text }
cards:
  - id: user
    card: okta/readUser
    with: { ID or Login: 00uloumaybe }
    retry: { times: 3, pause: 10ms }
  - id: group
    card: okta/createGroup
    with: { Name: Stubborn, Description: "For ${user.Login}." }
  - id: told
    card: slack/sendMessageToChannel
    with: { channelId: "${input.channel}", Text: "Made ${group.Name}" }
  - return: { group: "${group.ID}", at: "${told.Timestamp}" }
"#;

#[test]
fn busy_servers_are_asked_again_and_each_write_happens_once() {
    let stage = need!(seeds::stage());
    stage.write("stubborn.flow.yaml", &STUBBORN.replace("00uloumaybe", "00uidagone"));
    let calm = channel(&stage, "calm");
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.groups.manage"]);
    stage.connect("slack", "slack", MIA, &[]);
    let (okta, slack) = (stage.proxy(Service::Okta), stage.proxy(Service::Slack));
    let down = || Fault::Answer { status: 503, headers: vec![], body: "{}".into() };
    let busy =
        |body: &str| Fault::Answer { status: 429, headers: vec![("retry-after", "1".into())], body: body.into() };
    okta.rule(Rule::new("GET", "/api/v1/users/00uidagone", down()).nth(1));
    okta.rule(Rule::new("GET", "/api/v1/users/00uidagone", down()).nth(1));
    okta.rule(Rule::new("POST", "/api/v1/groups", Fault::too_many(1)).nth(1));
    slack.rule(Rule::new("POST", "/api/chat.postMessage", busy(r#"{"ok":false,"error":"ratelimited"}"#)).nth(1));

    let to = format!("channel={calm}");
    let output = stage.finishes(&["run", "stubborn.flow.yaml", "--input", &to]);
    assert_eq!(okta.count("GET", "/api/v1/users/00uidagone"), 3);
    assert_eq!((okta.count("POST", "/api/v1/groups"), okta.acted("POST", "/api/v1/groups").len()), (2, 1));
    assert_eq!(slack.count("POST", "/api/chat.postMessage"), 2);
    let groups = stage.suite.at(Service::Okta, "/api/v1/groups?per_page=100");
    let made: Vec<_> = groups.as_array().unwrap().iter().filter(|g| g["profile"]["name"] == "Stubborn").collect();
    assert_eq!((made.len(), &made[0]["id"]), (1, &output["group"]));
    assert_eq!(made[0]["profile"]["description"], "For ida.gone@acme.test.");
    let there = messages(&stage, &calm);
    assert_eq!((there.len(), &there[0]["text"], &there[0]["ts"]), (1, &"Made Stubborn".into(), &output["at"]));
}
