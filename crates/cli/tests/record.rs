//! `run --record` keeps what apps answered; `flowdeck test` replays it without them, and nothing secret is in it.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::Home;
use support::server::Server;

/// A help desk with three pages of tickets. Who made a ticket gets a token and the whole request back.
fn desk() -> Server {
    Server::answering(|request| {
        let line = request.lines().next().unwrap();
        let page = line.split("cursor=").nth(1).and_then(|rest| rest.chars().next()?.to_digit(10)).unwrap_or(0);
        if request.starts_with("POST") {
            let echo = serde_json::to_string(request).unwrap();
            return (200, format!(r#"{{"id":"t9","token":"canary-answer","echo":{echo}}}"#));
        }
        if line.contains("/me") {
            return (200, r#"{"id":"u1","name":"Ada"}"#.to_owned());
        }
        let next = if page < 2 { format!(r#","next":"{}""#, page + 1) } else { String::new() };
        (200, format!(r#"{{"tickets":[{{"id":"a{page}"}},{{"id":"b{page}"}}]{next}}}"#))
    })
}

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
  list:
    title: List tickets
    summary: Lists tickets.
    effect: observe
    request: { method: GET, path: /tickets }
    pagination: { output: tickets, next: { cursor: { value: "${response.body.next}", parameter: cursor } } }
    outputs:
      - { field: { key: tickets, type: { list: { object: [] } }, help: The tickets. } }
  create:
    title: Create ticket
    summary: Makes a ticket.
    effect: write
    inputs:
      - { key: subject, type: text, required: true, help: What it is about. }
      - { key: pin, type: text, secret: true, help: A secret. }
    request: { method: POST, path: /tickets, json: { subject: "${input.subject}", pin: "${input.pin}" } }
    outputs:
      - { field: { key: id, type: text, help: Its number. }, value: "${response.body.id}" }
      - { field: { key: answer, type: any, help: All of it. }, value: "${response.body}" }
"#;

const FLOW: &str = "flow: pages
slots:
  t: { app: tickets }
inputs:
  pin: { type: text, secret: true }
cards:
  - id: each
    for_each: { pages: { card: tickets/list, slot: t } }
    as: ticket
    cards: []
    give: { id: \"${ticket.id}\" }
  - id: made
    card: tickets/create
    slot: t
    with: { subject: \"${each.count} tickets\", pin: \"${input.pin}\" }
  - return: { ids: \"${each.id}\", made: \"${made.id}\" }
";

#[test]
fn a_run_over_pages_is_replayed_without_the_app_and_holds_no_secret() {
    let home = Home::new();
    let server = desk();
    std::fs::create_dir_all(home.path("data/apps")).unwrap();
    home.file("data/apps/tickets.app.yaml", APP.replace("HOST", &server.host));
    let token = home.file("token.txt", "canary-connection");
    let pin = home.file("pin.txt", "canary-pin");
    let secret = format!("api_token={token}");
    home.say(&["--allow-http", &server.host, "connect", "tickets", "--secret", &secret]).check(0, &[]);
    let file = home.file("pages.flow.yaml", FLOW);
    let (into, pin) = (format!("--record={}", home.path("recorded").display()), format!("pin={pin}"));
    let said = home.say(&["--allow-http", &server.host, "run", &file, &into, "--secret", &pin]).check(0, &[]);
    let asked = server.asked().len();

    let recorded: Vec<_> = std::fs::read_dir(home.path("recorded")).unwrap().map(|e| e.unwrap().path()).collect();
    let text = std::fs::read_to_string(&recorded[0]).unwrap();
    assert!(text.contains("records:") && text.contains("b2"), "the pages are there:\n{text}");
    for shown in [&text, &said.out, &said.err] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let replayed = home.say(&["test", &home.path("recorded").display().to_string(), "--json"]).check(0, &[]).lines();
    assert_eq!(replayed.last().unwrap()["passed"], 1, "{replayed:?}");
    assert!(text.contains("ids: [a0, b0, a1, b1, a2, b2]"), "{text}");
    assert_eq!(server.asked().len(), asked, "the replay asked the app");
}

#[test]
fn a_recording_is_a_test_that_passes_without_the_server() {
    let home = Home::new();
    let server = Server::start(&[]);
    let flow = format!(
        "flow: tells\ncards:\n  - id: get\n    card: http/get\n    with: {{ url: \"http://{host}/read\" }}\n  - id: send\n    \
         card: http/post\n    with: {{ url: \"http://{host}/write\", body: {{ seen: \"${{get.body.ok}}\" }} }}\n  - return: \
         {{ ok: \"${{get.body.ok}}\" }}\n",
        host = server.host
    );
    let file = home.file("tells.flow.yaml", flow);
    let into = format!("--record={}", home.path("").display());
    home.say(&["--allow-http", &server.host, "run", &file, &into]).check(0, &[]);
    let asked = server.asked();
    assert_eq!(asked, ["GET /read", "POST /write"]);
    let replayed = home.say(&["test", &home.path("").display().to_string(), "--json"]).check(0, &[]).lines();
    assert_eq!(replayed.last().unwrap()["passed"], 1, "{replayed:?}");
    assert_eq!(server.asked(), asked, "the replay asked the server");
}
