//! `runs retry` follows the run that it moved, not the one that had failed.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use support::Home;

/// A server whose first answers are these statuses, then 200; `{"ok":true}` is every body.
fn server(statuses: &'static [u16]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let status = statuses.next().unwrap_or(&200);
            let body = r#"{"ok":true}"#;
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
            write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    port
}

#[test]
fn a_retry_shows_how_the_run_goes_on() {
    let home = Home::new();
    let port = server(&[404, 404]);
    let host = format!("localhost:{port}");
    let flow = format!(
        "flow: fails\ncards:\n  - id: get\n    card: http/get\n    with: {{ url: \"http://{host}/x\" }}\n  - return: {{ \
         ok: \"${{get.body.ok}}\" }}\n"
    );
    let file = home.file("fails.flow.yaml", flow);
    let failed = home.say(&["--allow-http", &host, "run", &file, "--json"]).check(1, &[]).run();
    let run = failed["run"].as_str().unwrap();

    let nowhere = home.say(&["--allow-http", &host, "runs", "retry", run, "--from", "nope"]);
    nowhere.check(1, &["`nope` is no card at or before the failure"]);
    let again = home.say(&["--allow-http", &host, "runs", "retry", run, "--json"]).check(1, &[]).run();
    assert_eq!(again["status"], "failed", "{again}");
    let done = home.say(&["--allow-http", &host, "runs", "retry", run, "--json"]).check(0, &[]).run();
    assert_eq!((&done["status"], &done["output"]["ok"]), (&"finished".into(), &true.into()), "{done}");
}
