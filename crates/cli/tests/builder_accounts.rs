//! `add` where an app has several connections: which one a slot gets is said, never guessed.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::server::Server;
use support::{Home, Said};

const APP: &str = r#"app: tickets
title: Tickets
summary: The tickets of our help desk.
version: "1"
base_url: "http://HOST/api"
auth:
  methods:
    - key: api_token
      title: API token
      fields:
        - { key: api_token, title: API token, secret: true, help: "In the help desk." }
      kind: { headers: { headers: { Authorization: "Bearer {api_token}" } } }
  hosts: ["http://HOST"]
  private_hosts: true
  probe: { url: "http://HOST/api/me", subject: [/id], label: [/name] }
  help: Paste a token.
actions:
  count:
    title: Count tickets
    summary: Counts tickets.
    effect: observe
    request: { method: GET, path: /count }
    outputs:
      - { field: { key: who, type: text, help: Whose they are. }, value: "${response.body.name}" }
"#;
const FLOW: &str = "flow: count\ncards: []\n";

/// A help desk that tells people apart by their tokens.
fn desk() -> Server {
    Server::answering(|request| {
        let who = if request.contains("Bearer token-two") { "Bo" } else { "Ada" };
        (200, format!(r#"{{"id":"{who}","name":"{who}"}}"#))
    })
}

struct Desk {
    home: Home,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        let (home, server) = (Home::new(), desk());
        std::fs::create_dir_all(home.path("data/apps")).unwrap();
        home.file("data/apps/tickets.app.yaml", APP.replace("HOST", &server.host));
        Self { home, server }
    }

    fn say(&self, arguments: &[&str]) -> Said {
        self.home.say(&[&["--allow-http", &self.server.host], arguments].concat())
    }

    fn connect(&self, name: &str) {
        let token = self.home.file("token.txt", format!("token-{name}"));
        let secret = format!("api_token={token}");
        self.say(&["connect", "tickets", "--as", name, "--secret", &secret]).check(0, &[]);
    }

    /// Adds the card to a new flow; what it said, and the file.
    fn add(&self, arguments: &[&str]) -> (Said, String) {
        let file = self.home.file("count.flow.yaml", FLOW);
        let said = self.say(&[&["add", &file, "tickets/count"], arguments].concat());
        (said, std::fs::read_to_string(file).unwrap())
    }
}

const PLAIN: &str = "slots:\n  tickets: { app: tickets }\n";

#[test]
fn of_several_accounts_the_one_that_is_named_is_used() {
    let desk = Desk::new();
    desk.connect("one");
    let (said, text) = desk.add(&[]);
    said.check(0, &["Added"]);
    assert!(text.contains(PLAIN), "an only connection needs no name: {text}");

    desk.connect("two");
    let (said, text) = desk.add(&["--use", "two", "--slot", "second", "--json"]);
    let line = said.check(0, &[]).lines().remove(0);
    assert!(text.contains("slots:\n  second: { app: tickets, nickname: two }\n"), "{text}");
    assert_eq!((&line["slot"], &line["connection"]["nickname"]), (&"second".into(), &"two".into()), "{line}");
    let file = desk.home.path("count.flow.yaml").display().to_string();
    std::fs::write(&file, format!("{text}  - return: {{ who: \"${{count.who}}\" }}\n")).unwrap();
    let run = desk.say(&["run", &file, "--json"]).check(0, &[]).run();
    assert_eq!(run["output"]["who"], "Bo", "{run}");

    let (said, text) = desk.add(&["--use", "three"]);
    said.check(2, &["there is no connection `three` of tickets; there are one, two"]);
    assert_eq!(text, FLOW);
}

#[test]
fn of_several_accounts_none_is_guessed() {
    let desk = Desk::new();
    desk.connect("one");
    desk.connect("two");
    let (said, text) = desk.add(&["--slot", "which"]);
    let said = said.check(75, &["Added count", "flowdeck prompts answer prm_"]);
    assert!(text.contains("  which: { app: tickets }\n"), "{text}");
    let prompt = said.err.split("prompts answer ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    desk.say(&["prompts", "answer", &prompt, "--use", "one"]).check(0, &[]);
    let file = desk.home.path("count.flow.yaml").display().to_string();
    std::fs::write(&file, format!("{text}  - return: {{ who: \"${{count.who}}\" }}\n")).unwrap();
    let run = desk.say(&["run", &file, "--json"]).check(0, &[]).run();
    assert_eq!(run["output"]["who"], "Ada", "{run}");
}
