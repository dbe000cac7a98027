//! Events of apps with the real binary and the playground: a person joins, and a flow runs once.
//!
//! Must never leave loopback, nor a process behind.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support::Home;
use crate::support::machine::Machine;

use regex::Regex;
use serde_json::Value;

const JOINED: &str = "flow: joined\nslots: { directory: { app: playground } }\non: { card: playground/personJoined, slot: directory }\ncards:\n  - return: { hello: \"${event.person.name}\" }\n";
/// Registers the address in the playground; gives the secret that it makes.
const REGISTER: &str = "flow: register\nslots: { directory: { app: playground, scopes: [hooks.manage, people.write] } }\ninputs: { url: { type: text, required: true } }\ncards:\n  - id: made\n    card: playground/raw\n    slot: directory\n    with: { method: POST, path: /api/hooks, body: { url: \"${input.url}\", events: [person.joined] } }\n  - return: { whsec: \"${made.body.secret}\" }\n";
const JOIN: &str = "flow: join\nslots: { directory: { app: playground } }\ninputs: { name: { type: text, required: true } }\ncards:\n  - id: made\n    card: playground/createPerson\n    slot: directory\n    with: { name: \"${input.name}\", email: \"${input.name}@example.com\" }\n  - return: { id: \"${made.id}\" }\n";

impl Machine {
    /// Runs a command to its end; what it printed.
    fn say(&self, arguments: &[&str]) -> String {
        let (code, screen) = self.start(arguments).end();
        assert_eq!(code, 0, "{screen}");
        screen
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.say(arguments);
        let from = said.find('{').unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str(said[from..].trim()).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// What the runs of the flow gave back.
    fn greeted(&self) -> usize {
        self.say(&["runs", "list", "--flow", "joined", "--json"]).matches("\"finished\"").count()
    }

    /// Waits until the app was asked and answered.
    fn until_answered(&self) {
        for _ in 0..600 {
            let shown = self.say(&["flows", "show", "joined", "--json"]);
            if shown.contains("\"answered\"") {
                return;
            }
        }
        panic!("the app was never asked");
    }
}

#[test]
fn a_person_joins_and_the_flow_runs_once_whichever_way_it_is_told() {
    let machine = Machine::new(&[]);
    for (name, text) in [("flows/joined", JOINED), ("register", REGISTER), ("join", JOIN)] {
        std::fs::write(machine.path(&format!("{name}.flow.yaml")), text).unwrap();
    }
    let serve = ["serve", "--watch", "flows", "--listen", "127.0.0.1:0"];
    let mut serving = machine.start(&serve);
    serving.wait_for("joined  playground/personJoined");
    serving.wait_for("Runs");
    let screen = serving.text();
    let host = Regex::new(r"127\.0\.0\.1:\d+").unwrap().find(&screen).unwrap().as_str().to_owned();

    // Nobody has connected: it prompts, and says so.
    let made = machine.json(&["hooks", "add", "playground", "--json"]);
    assert_eq!((&made["app_makes_secret"], &made["secret"]), (&Value::Bool(true), &Value::Null));
    let (id, path) = (made["hook"]["id"].as_str().unwrap(), made["hook"]["path"].as_str().unwrap());
    let url = format!("url=http://{host}{path}");
    let mut register = machine.start(&["run", "register.flow.yaml", "--input", &url]);
    register.wait_for("[?] help\n>");
    register.type_line("o");
    register.wait_for("[playground]:");
    register.type_line("");
    register.wait_for("Your browser opens.");
    machine.browser.allow_as("robin");
    let (code, screen) = register.end();
    assert_eq!(code, 0, "{screen}");
    let secret = Regex::new(r"whsec_[A-Za-z0-9+/=]+").unwrap().find(&screen).unwrap().as_str().to_owned();
    std::fs::write(machine.path("secret.txt"), format!("{secret}\n")).unwrap();
    let kept = machine.say(&["hooks", "secret", id, "--secret-file", "secret.txt"]);
    assert!(kept.contains("kept") && !kept.contains(&secret), "{kept}");
    machine.until_answered();

    machine.say(&["run", "join.flow.yaml", "--input", "name=ada"]);
    serving.wait_for("joined  run_");
    serving.wait_for("finished  1 step");
    assert_eq!(machine.greeted(), 1);
    let shown = machine.say(&["flows", "show", "joined"]);
    assert!(shown.contains("came last") && shown.contains("every 30 s"), "{shown}");

    // Another process asks the app at once, which tells of the same person again.
    serving.press("\u{3}");
    let (code, screen) = serving.end();
    assert_eq!(code, 0, "{screen}");
    let serving = machine.start(&serve);
    machine.until_answered();
    machine.until_answered();
    assert_eq!(machine.greeted(), 1);
    drop(serving);
}

#[test]
fn hooks_are_made_listed_and_removed_and_a_secret_is_no_argument() {
    let home = Home::new();
    let made = home.say(&["hooks", "add", "okta"]).check(0, &[]);
    assert!(made.out.contains("This is shown once") && made.out.contains("/hooks/okta/"), "{}", made.out);
    let listed = home.say(&["hooks", "list", "--json"]).check(0, &[]).lines();
    let id = listed[0]["id"].as_str().unwrap();
    assert!(listed[0].get("secret").is_none() && listed[0]["has_secret"] == true, "{listed:?}");
    assert!(home.say(&["hooks", "list"]).check(0, &[]).out.contains("nothing came yet"));
    home.say(&["hooks", "secret", id]).check(2, &["--secret-file"]);
    home.say(&["hooks", "secret", id, "--renew"]).check(0, &[]);
    home.say(&["hooks", "secret", "nobody", "--renew"]).check(2, &["hook.unknown"]);
    home.say(&["hooks", "add", "gmail"]).check(2, &["pushes no events"]);
    home.say(&["hooks", "add", "okta", "--connection", "nobody"]).check(1, &["no connection"]);
    home.say(&["hooks", "remove", id]).check(0, &[]);
    assert!(home.say(&["hooks", "list"]).check(0, &[]).out.contains("No hooks"));
    assert!(home.say(&["apps", "show", "okta"]).check(0, &[]).out.contains("flowdeck hooks add okta"));
}
