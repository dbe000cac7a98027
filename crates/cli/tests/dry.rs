//! `run --dry` makes reads, shows writes and leaves nothing; alone, beside another command, and with limits.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;
use support::Home;
use support::server::Server;

/// A deadline for what another process does.
const LONG: Duration = Duration::from_secs(120);

fn flow(host: &str) -> String {
    format!(
        "flow: tells\ncards:\n  - id: get\n    card: http/get\n    with: {{ url: \"http://{host}/read\" }}\n  - id: send\n    \
         card: http/post\n    with: {{ url: \"http://{host}/write\", body: {{ seen: \"${{get.body.ok}}\" }} }}\n  - return: \
         {{ ok: \"${{get.body.ok}}\" }}\n"
    )
}

#[test]
fn a_dry_run_makes_reads_shows_writes_and_leaves_no_run() {
    let home = Home::new();
    let server = Server::start(&[]);
    let file = home.file("tells.flow.yaml", flow(&server.host));
    let shown = home.say(&["--allow-http", &server.host, "run", &file, "--dry"]).check(0, &[]);
    for word in ["POST", "/write", "\"seen\": true"] {
        assert!(
            format!("{}{}", shown.out, shown.err).contains(word),
            "`{word}` is missing:\n{}{}",
            shown.out,
            shown.err
        );
    }
    let lines = home.say(&["--allow-http", &server.host, "run", &file, "--dry", "--json"]).check(0, &[]).lines();
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["output"]["ok"]), (&json!("dry_run"), &json!(true)), "{last}");
    assert_eq!(last["writes"]["http/post"], 1, "{last}");
    assert_eq!(server.asked(), ["GET /read", "GET /read"], "a write was sent");
    assert!(home.say(&["runs", "list", "--json"]).check(0, &[]).lines().is_empty(), "a run was left");
}

#[test]
fn limits_at_which_a_real_run_would_ask_are_told() {
    let home = Home::new();
    let server = Server::start(&[]);
    let flow = format!(
        "flow: many\nlimits: {{ http/post: 2, http/put: 1 }}\ncards:\n  - id: each\n    for_each: [1, 2, 3]\n    as: n\n    cards:\n      \
         - card: http/post\n        id: send\n        with: {{ url: \"http://{host}/write\" }}\n  - card: http/put\n    id: put\n    \
         with: {{ url: \"http://{host}/write\" }}\n",
        host = server.host
    );
    let file = home.file("many.flow.yaml", flow);
    let said = home.say(&["--allow-http", &server.host, "run", &file, "--dry"]).check(0, &[]);
    assert!(said.out.contains("Its limit for http/post is 2: it would ask before number 3 of 3."), "{}", said.out);
    assert!(!said.out.contains("limit for http/put"), "{}", said.out);
    let lines = home.say(&["--allow-http", &server.host, "run", &file, "--dry", "--json"]).check(0, &[]).lines();
    let last = lines.last().unwrap();
    assert_eq!((&last["limits"], &last["writes"]["http/post"]), (&json!({"http/post": 2}), &json!(3)), "{last}");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn a_dry_run_beside_a_run_in_the_same_folder() {
    let home = Home::new();
    let (heard, hears) = mpsc::channel();
    let (lets, let_go) = mpsc::channel::<()>();
    let server = Server::start(&[]);
    let slow = Server::answering(move |_| {
        heard.send(()).unwrap();
        let_go.recv_timeout(LONG).unwrap();
        (200, "{}".to_owned())
    });
    let text = format!(
        "flow: slow\ncards:\n  - id: get\n    card: http/get\n    with: {{ url: \"http://{}/\" }}\n  - return: {{ done: true }}\n",
        slow.host
    );
    let file = home.file("slow.flow.yaml", text);
    let hosts = format!("{},{}", server.host, slow.host);
    let mut holder = home.command(&["--allow-http", &hosts, "run", &file, "--json"]);
    let holder = holder.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    hears.recv_timeout(LONG).unwrap();

    // The first command holds the folder; this one is its guest.
    let file = home.file("tells.flow.yaml", flow(&server.host));
    let lines = home.say(&["--allow-http", &hosts, "run", &file, "--dry", "--json"]).check(0, &[]).lines();
    let last = lines.last().unwrap();
    assert_eq!((&last["output"]["ok"], &last["writes"]["http/post"]), (&json!(true), &json!(1)), "{last}");
    assert_eq!(server.asked(), ["GET /read"], "a write was sent");
    lets.send(()).unwrap();
    let out = holder.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(home.say(&["runs", "list", "--json"]).check(0, &[]).lines().len(), 1, "only the real run is there");
}
