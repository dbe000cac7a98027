//! The data folder: port, state, lock.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::{Account, Playground};
use reqwest::Method;

use crate::support::*;

#[tokio::test]
async fn a_restart_keeps_port_and_tokens_and_the_file_holds_no_token() {
    let walk = Walk::start().await;
    let (token, refresh) = walk.tokens(Account::Robin).await;
    let again = Playground::start(options(&walk.folder, &walk.now_ms)).await.unwrap();
    assert_eq!((again.started, again.port), (false, walk.running.port));
    let port = walk.running.port;
    walk.running.stop().await;
    let running = Playground::start(options(&walk.folder, &walk.now_ms)).await.unwrap();
    assert_eq!((running.started, running.port), (true, port));
    let file = std::fs::read_to_string(walk.folder.path().join("playground.json")).unwrap();
    assert!(!file.contains(&token["Bearer ".len()..]) && !file.contains(&refresh));
    let walk = Walk { running, ..Walk::start().await };
    assert_eq!(walk.api(Method::GET, "/api/people", &token, None).await.status(), 200);
}

#[tokio::test]
async fn a_reserved_port_is_the_one_it_starts_on_and_stays() {
    let walk = Walk::start().await;
    let folder = tempfile::tempdir().unwrap();
    let asked = options(&folder, &walk.now_ms);
    let port = Playground::reserve(&asked).await.unwrap();
    assert_eq!(Playground::reserve(&asked).await.unwrap(), port, "asking again changes nothing");
    let running = Playground::start(asked.clone()).await.unwrap();
    assert_eq!((running.started, running.port), (true, port));
    assert_eq!(Playground::reserve(&asked).await.unwrap(), port, "also while it runs");
    running.stop().await;
    let people = std::fs::read_to_string(folder.path().join("playground.json")).unwrap();
    assert!(people.contains("Marta Lindqvist"), "the directory is filled when the port is chosen");
}

#[tokio::test]
async fn a_port_that_another_program_took_is_an_error_that_says_what_to_do() {
    let walk = Walk::start().await;
    let folder = tempfile::tempdir().unwrap();
    let asked = options(&folder, &walk.now_ms);
    let port = Playground::reserve(&asked).await.unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error = Playground::start(asked.clone()).await.unwrap_err();
    assert_eq!(error.code(), "playground_port_taken");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    drop(taken);
    Playground::start(asked).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_damaged_state_file_is_named_and_left_alone() {
    let walk = Walk::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("playground.json");
    for damaged in ["{\"format\":1,\"secret\":\"canary", "{\"format\":99}", ""] {
        std::fs::write(&file, damaged).unwrap();
        let error = Playground::reserve(&options(&folder, &walk.now_ms)).await.unwrap_err();
        assert_eq!(error.code(), "playground_state_file");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), damaged);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_state_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let walk = Walk::start().await;
    let mode = std::fs::metadata(walk.folder.path().join("playground.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
