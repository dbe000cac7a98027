//! `flowdeck people` and `flowdeck tokens` as their user finds them.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use support::{Home, Said};

const PASSWORD: &str = "correct horse battery";

fn add(home: &Home, name: &str, role: &str) -> Said {
    let file = home.file("pw.txt", format!("{PASSWORD}\nnot this line\n"));
    home.say(&["people", "add", name, "--role", role, "--password-file", &file])
}

#[test]
fn users_are_added_listed_changed_and_removed() {
    let home = Home::new();
    assert!(add(&home, "Ada", "administrator").check(0, &[]).out.contains("ada: administrator"));
    add(&home, "bo", "viewer").check(0, &[]);
    add(&home, "ada", "viewer").check(1, &["people.name_taken"]);
    add(&home, "a b", "viewer").check(2, &["small letters"]);
    add(&home, "eve", "owner").check(2, &["viewer, builder or administrator"]);
    let listed = home.say(&["people", "list"]).check(0, &[]).out;
    assert!(listed.contains("ada") && listed.contains("administrator") && listed.contains("never"), "{listed}");
    assert!(home.say(&["people", "role", "bo", "builder"]).check(0, &[]).out.contains("bo: builder"));
    home.say(&["people", "disable", "ada"]).check(1, &["people.last_administrator"]);
    assert!(home.say(&["people", "disable", "bo"]).check(0, &[]).out.contains("disabled"));
    let users = home.say(&["people", "list", "--json"]).check(0, &[]).lines();
    assert_eq!((users[1]["name"].as_str(), users[1]["disabled"].as_bool()), (Some("bo"), Some(true)));
    home.say(&["people", "enable", "bo"]).check(0, &[]);
    home.say(&["people", "remove", "bo"]).check(0, &[]);
    home.say(&["people", "remove", "bo"]).check(1, &["people.unknown"]);
    home.say(&["people", "reset", "ada"]).check(75, &["--password-file"]);
}

#[test]
fn a_password_comes_from_a_file_or_standard_input_and_is_never_shown() {
    let home = Home::new();
    let mut child = home
        .command(&["people", "add", "ada", "--role", "administrator", "--password-file", "-", "--verbose"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && !said.contains(PASSWORD), "{said}");
    let short = home.file("short.txt", "too-short");
    let said = home.say(&["people", "reset", "ada", "--password-file", &short]).check(1, &["people.password"]);
    assert!(!said.err.contains("too-short"));
}

#[test]
fn a_token_is_shown_once_and_revoked() {
    let home = Home::new();
    add(&home, "ada", "administrator").check(0, &[]);
    let made = home.say(&["tokens", "add", "deploy", "--role", "builder", "--scope", "runs"]).check(0, &[]).out;
    let secret = made.lines().next().unwrap().to_owned();
    assert!(secret.starts_with("fd_") && made.contains("builder of ada, runs, until"), "{made}");
    let listed = home.say(&["tokens", "list"]).check(0, &[]).out;
    assert!(listed.contains("deploy") && !listed.contains(&secret), "{listed}");
    let tokens: Vec<Value> = home.say(&["tokens", "list", "--json"]).check(0, &[]).lines();
    let id = tokens[0]["id"].as_str().unwrap().to_owned();
    home.say(&["tokens", "revoke", &id]).check(0, &[]);
    home.say(&["tokens", "revoke", &id]).check(1, &["people.unknown_token"]);
    add(&home, "bo", "viewer").check(0, &[]);
    home.say(&["tokens", "add", "x"]).check(1, &["--owner"]);
    home.say(&["tokens", "add", "x", "--owner", "bo", "--role", "builder"]).check(1, &["people.token"]);
    home.say(&["tokens", "add", "x", "--scope", "all"]).check(2, &["flows, runs, connections"]);
    home.say(&["tokens", "add", "x", "--days", "400"]).check(2, &[]);
}
