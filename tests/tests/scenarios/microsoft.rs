//! Microsoft: two accounts of one app in one flow, and what it does not know.
//!
//! Must never let one slot act as the other's account.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::Service;

use crate::seeds::{self, MAX, MIA};

const TWINS: &str = r#"
flow: twins
slots:
  mine: { app: office365admin, nickname: Mia }
  his: { app: office365admin, nickname: Max }
  okta: okta
cards:
  - id: mia
    card: office365admin/customAPIAction
    slot: mine
    with: { Relative URL: /me }
  - id: max
    card: office365admin/customAPIAction
    slot: his
    with: { Relative URL: /me }
  - id: read
    card: office365admin/readUser
    slot: mine
    with: { ID or Email: "${max.Body.id}" }
  - id: unknown
    try:
      cards:
        - id: nobody
          card: office365admin/readUser
          slot: his
          with: { ID or Email: 00000000-0000-0000-0000-000000000000 }
      give: { name: "${nobody.displayName}" }
    error: problem
    catch:
      give: { name: "nobody (${problem.statusCode})" }
  - id: group
    card: okta/createGroup
    with: { Name: "${mia.Body.displayName} and ${read.displayName}", Description: "${unknown.name}" }
  - return: { group: "${group.ID}", unknown: "${unknown.name}" }
"#;

#[test]
fn two_accounts_of_one_app_act_each_in_its_slot() {
    let stage = need!(seeds::stage());
    stage.write("twins.flow.yaml", TWINS);
    stage.connect("office365admin", "Mia", MIA, &["--scopes", "User.Read.All"]);
    stage.connect("office365admin", "Max", MAX, &["--scopes", "User.Read.All"]);
    stage.connect("okta", "okta", ADMIN, &["--scopes", "okta.users.read,okta.groups.manage"]);
    assert_eq!((&stage.connection("Mia")["account"], &stage.connection("Max")["account"]), (&MIA.into(), &MAX.into()));
    let microsoft = stage.proxy(Service::Microsoft);
    let from = microsoft.seen().len();

    let output = stage.finishes(&["run", "twins.flow.yaml"]);
    let calls: Vec<_> = microsoft.seen().split_off(from);
    let of = |path: &str| -> Vec<_> {
        calls.iter().filter(|c| c.is("GET", path)).map(|c| (c.account.clone().unwrap(), c.status.unwrap())).collect()
    };
    assert_eq!(of("/v1.0/me"), [(MIA.to_owned(), 200), (MAX.to_owned(), 200)]);
    assert_eq!(of("/v1.0/users/*"), [(MIA.to_owned(), 200), (MAX.to_owned(), 404)]);
    assert_eq!(output["unknown"], "nobody (404)");
    let group = stage.suite.at(Service::Okta, &format!("/api/v1/groups/{}", output["group"].as_str().unwrap()));
    assert_eq!(group["profile"]["name"], "Mia Mill and Max Moor");
    assert_eq!(group["profile"]["description"], "nobody (404)");
}
