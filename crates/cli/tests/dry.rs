//! `run --dry` reads and writes nothing; `run --record` keeps answers that `flowdeck test` replays.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::Home;
use support::server::Server;

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
fn a_recording_is_a_test_that_passes_without_the_server() {
    let home = Home::new();
    let server = Server::start(&[]);
    let file = home.file("tells.flow.yaml", flow(&server.host));
    let into = format!("--record={}", home.path("").display());
    home.say(&["--allow-http", &server.host, "run", &file, &into]).check(0, &[]);
    let asked = server.asked();
    assert_eq!(asked, ["GET /read", "POST /write"]);
    let replayed = home.say(&["test", &home.path("").display().to_string(), "--json"]).check(0, &[]).lines();
    assert_eq!(replayed.last().unwrap()["passed"], 1, "{replayed:?}");
    assert_eq!(server.asked(), asked, "the replay asked the server");
}
