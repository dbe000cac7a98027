//! `runs retry` follows the run that it moved, not the one that had failed.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::Home;
use support::server::Server;

#[test]
fn a_retry_shows_how_the_run_goes_on() {
    let home = Home::new();
    let server = Server::start(&[404, 404]);
    let host = &server.host;
    let flow = format!(
        "flow: fails\ncards:\n  - id: get\n    card: http/get\n    with: {{ url: \"http://{host}/x\" }}\n  - return: {{ \
         ok: \"${{get.body.ok}}\" }}\n"
    );
    let file = home.file("fails.flow.yaml", flow);
    let failed = home.say(&["--allow-http", host, "run", &file, "--json"]).check(1, &[]).run();
    let run = failed["run"].as_str().unwrap();

    let nowhere = home.say(&["--allow-http", host, "runs", "retry", run, "--from", "nope"]);
    nowhere.check(1, &["`nope` is no card at or before the failure"]);
    let again = home.say(&["--allow-http", host, "runs", "retry", run, "--json"]).check(1, &[]).run();
    assert_eq!(again["status"], "failed", "{again}");
    let done = home.say(&["--allow-http", host, "runs", "retry", run, "--json"]).check(0, &[]).run();
    assert_eq!((&done["status"], &done["output"]["ok"]), (&"finished".into(), &true.into()), "{done}");
}
