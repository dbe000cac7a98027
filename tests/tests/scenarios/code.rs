//! GitHub: an export over Okta and GitHub with two lanes, and a token that is revoked in the middle of a run.
//!
//! Must never look for a pull request or an issue anywhere but at GitHub.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::{Fault, Rule, Service};
use serde_json::json;

use crate::export::{Flow, export, fixed};
use crate::newcomers::{channel, messages};
use crate::seeds::{self, MIA, MIA_MILL};

const PULLS: &str = "/repos/mia-mill/handbook/pulls";

/// A page about a user goes to the handbook by a pull request, if the user is active.
fn handbook() -> String {
    let (mut flow, start) = Flow::helper(&["id"]);
    let user = flow.card("@okta/readUser", "Read User", &[(("User", "ID or Login"), start.out(("", "id")))]);
    let login = user.out(("Profile Properties", "login"));
    let repository = [(("parameters", "org"), fixed(MIA_MILL)), (("parameters", "repo"), fixed("handbook"))];
    let number = flow.if_else(
        (user.out(("System Properties", "Status")), "==", fixed("ACTIVE")),
        |flow| {
            let of = |more: &[(crate::export::Key<'static>, crate::export::From)]| [&repository[..], more].concat();
            let main = flow.card("@github/searchBranches", "Find main", &of(&[(("Branch", "Name"), fixed("main"))]));
            let branch = flow.compose("people/{{{id}}}", &[("id", start.out(("", "id")))]);
            flow.card(
                "@github/createBranch",
                "Create Branch",
                &of(&[
                    (("Branch", "Branch Name"), branch.clone()),
                    // The connector writes this key's first letter in Cyrillic.
                    (("Branch", "\u{421}ommit SHA"), main.out(("Result", "Commit SHA"))),
                ]),
            );
            let page = flow.compose("# {{{login}}}\n", &[("login", login.clone())]);
            flow.card(
                "@github/createFileContent",
                "Write page",
                &of(&[
                    (("File", "Path"), fixed("people/new.md")),
                    (("File", "File Content"), page),
                    (("File", "Message"), fixed("A new page")),
                    (("File", "Branch Name"), branch.clone()),
                ]),
            );
            let title = flow.compose("Add {{{login}}}", &[("login", login.clone())]);
            let pull = flow.card(
                "@github/createPullRequest",
                "Ask for review",
                &of(&[
                    (("Pull Request", "Title"), title),
                    (("Pull Request", "Description"), fixed("Made by a flow")),
                    (("Pull Request", "BASE Branch"), fixed("main")),
                    (("Pull Request", "HEAD Branch"), branch),
                ]),
            );
            pull.out(("Pull Request", "Pull Request Number"))
        },
        |_| fixed("none"),
    );
    flow.returns(&[("number", number)]);
    export(&[("f-page", "Handbook page", flow.data())])
}

#[test]
fn an_export_reads_okta_and_writes_a_pull_request() {
    let stage = need!(seeds::stage());
    stage.write("handbook.flopack", &handbook());
    stage.connect("okta", "okta", ADMIN, &[]);
    stage.connect("github", "github", MIA_MILL, &[]);
    let run = |id: &str| stage.finishes(&["run", "handbook.flopack", "--input", &format!("id={id}")]);
    let output = run("00umiajustcame");
    let pulls = stage.suite.at(Service::Github, PULLS);
    let pull = &pulls.as_array().unwrap()[0];
    assert_eq!((&pull["title"], &pull["state"]), (&"Add mia.justcame@acme.test".into(), &"open".into()), "{pulls}");
    assert_eq!(output["number"], pull["number"].to_string(), "{output}");
    assert_eq!((&pull["head"]["ref"], &pull["base"]["ref"]), (&"people/00umiajustcame".into(), &"main".into()));
    let place = "/repos/mia-mill/handbook/contents/people/new.md?ref=people/00umiajustcame";
    assert_eq!(
        stage.suite.at(Service::Github, place)["content"].as_str().unwrap().trim(),
        "IyBtaWEuanVzdGNhbWVAYWNtZS50ZXN0Cg=="
    );

    // Who is not active goes the other lane, and GitHub hears nothing of it.
    let away =
        stage.suite.ask(Service::Okta, http::Method::POST, "/api/v1/users/00uhalgone/lifecycle/suspend", &json!({}));
    assert!(away.status.is_success());
    let before = stage.proxy(Service::Github).seen().len();
    assert_eq!(run("00uhalgone"), json!({ "number": "none" }));
    assert_eq!(stage.proxy(Service::Github).seen().len(), before);
    assert_eq!(stage.suite.at(Service::Github, PULLS).as_array().unwrap().len(), 1);
}

const ISSUE: &str = r#"
flow: report
slots: { github: github, slack: slack }
inputs: { channel: text }
cards:
  - id: main
    card: github/searchBranches
    with: { org: mia-mill, repo: tracker, Name: main }
  - id: issue
    card: github/createIssue
    with: { org: mia-mill, repo: tracker, Title: Build broke, Body: "At ${main['Commit SHA']}" }
  - id: told
    card: slack/sendMessageToChannel
    with: { channelId: "${input.channel}", Text: "Build broke: #${issue['Issue Number']}" }
  - return: { number: "${issue['Issue Number']}" }
"#;

#[test]
fn a_token_revoked_in_the_run_is_asked_for_again_and_the_write_happens_once() {
    let stage = need!(seeds::stage());
    stage.write("report.flow.yaml", ISSUE);
    let builds = channel(&stage, "builds");
    let connection = stage.connect("github", "github", MIA_MILL, &[]);
    stage.connect("slack", "slack", MIA, &[]);
    let github = stage.proxy(Service::Github);
    // GitHub gives no refresh token: whoever revokes the token ends the connection.
    github.rule(Rule::new("POST", "/repos/mia-mill/tracker/issues", Fault::Revoke { refresh: true }).nth(1));

    let stopped = stage.stops(&["run", "report.flow.yaml", "--input", &format!("channel={builds}")]);
    assert_eq!((&stopped.prompt()["app"], &stopped.prompt()["reason"]), (&"github".into(), &"lost".into()));
    assert_eq!(stopped.last["waits"][0]["path"], "issue", "{}", stopped.last);
    assert_eq!(stage.suite.at(Service::Github, "/repos/mia-mill/tracker/issues"), json!([]));

    let answered = stage.consent(&["connect", "github", "--as", "github"], MIA_MILL);
    assert_eq!(answered.code, Some(0), "{answered}");
    assert_eq!(stage.connection("github")["id"], connection["id"], "the same connection, repaired");
    stage.assert_finished(&stopped.run);
    let issues = stage.suite.at(Service::Github, "/repos/mia-mill/tracker/issues");
    let issues = issues.as_array().unwrap();
    assert_eq!((issues.len(), &issues[0]["title"]), (1, &"Build broke".into()), "{issues:?}");
    assert_eq!(github.count("GET", "/repos/mia-mill/tracker/branches/main"), 1, "earlier cards ran once");
    let there = messages(&stage, &builds);
    assert_eq!((there.len(), &there[0]["text"]), (1, &format!("Build broke: #{}", issues[0]["number"]).into()));
}
