//! Several sessions with one data folder: one holds it, the others go on when it is gone.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flowdeck::{RunView, Status};
use flowdeck_server::client::CallError;
use flowdeck_server::session::{Role, Session, SessionError, SessionOptions};
use flowdeck_server::wire::RunEvent;
use futures_util::StreamExt as _;
use http::Method;
use serde_json::json;
use support::*;

const SLOW: &str = "flow: slow\nslots:\n  there: { app: desk }\ncards:\n  - id: knock\n    card: desk/slow\n    slot: there\n  - return: { open: \"${knock.open}\" }\n";

/// Two sessions in one folder; the desk is connected.
async fn two() -> (Session, Session, Desk, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let (desk, url) = desk().await;
    let first = Session::join(options(root.path(), builder(&url))).await.unwrap();
    let second = Session::join(options(root.path(), builder(&url))).await.unwrap();
    let form = json!({ "app": "desk", "method": "token", "fields": { "token": "s3cret" }, "surface": "direct" });
    call::<serde_json::Value>(&second.client(), Method::POST, "/v1/attempts", form).await;
    (first, second, desk, root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_holds_and_the_second_is_its_guest() {
    let (first, second, _, root) = two().await;
    assert_eq!((first.role(), second.role()), (Role::Holder, Role::Guest));
    assert!(second.runtime().is_none(), "a guest has no store");
    assert_eq!(about(&first).await, about(&second).await);
    assert_eq!(about(&second).await.version, "1.2.3");
    let socket = root.path().join("run/s.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
    first.end().await.unwrap();
    assert!(!socket.exists());
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_stays_until_its_guests_run_has_stopped() {
    let (first, second, desk, _root) = two().await;
    let client = second.client();
    let run: RunView = call(&client, Method::POST, "/v1/runs", start(SLOW, json!({}))).await;
    let mut stream = client.run_events(run.id, 0, false).await.unwrap();
    desk.called.notified().await;
    let ending = tokio::spawn(first.end());
    // It waits for the run, and still answers.
    assert_eq!(about(&second).await.version, "1.2.3");
    assert!(!ending.is_finished());
    desk.door.notify_one();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event.unwrap());
    }
    assert!(matches!(last, Some(RunEvent::Stopped { run }) if run.status == Status::Finished));
    ending.await.unwrap().unwrap();
    assert!(matches!(client.call::<_, RunView>(Method::GET, "/v1/runs", &()).await, Err(CallError::Gone(_))));
}

/// The run that was at work when its holder went on at the guest, and the guest's repeated start is the same run.
async fn goes_on(kill: bool) {
    let (first, mut second, desk, _root) = two().await;
    let mut asked = start(SLOW, json!({}));
    asked.idempotency_key = Some("once".into());
    let run: RunView = call(&second.client(), Method::POST, "/v1/runs", &asked).await;
    let mut stream = second.client().run_events(run.id, 0, false).await.unwrap();
    desk.called.notified().await;
    if kill {
        drop(first);
    } else {
        // Ctrl-C: steps under way get their time, guests do not hold it up.
        desk.door.notify_one();
        first.end_now().await.unwrap();
    }
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(CallError::Gone(_))) | None => break,
            Some(Err(error)) => panic!("{error}"),
        }
    }
    second.rejoin().await.unwrap();
    assert_eq!(second.role(), Role::Holder);
    let again: RunView = call(&second.client(), Method::POST, "/v1/runs", &asked).await;
    assert_eq!(again.id, run.id);
    if kill {
        desk.called.notified().await;
        desk.door.notify_one();
    }
    let path = format!("/v1/runs/{}/wait", run.id);
    let ended: RunView = get_json(&second.client(), &path).await;
    assert_eq!(ended.status, Status::Finished, "{ended:?}");
    second.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_takes_over_from_a_holder_that_was_killed() {
    goes_on(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_takes_over_from_a_holder_that_was_interrupted() {
    goes_on(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_of_another_protocol_is_named_and_one_that_is_silent_too() {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    let mut asked = options(root.path(), builder(&url));
    asked.join_within_ms = 200;
    let lock = flowdeck::store::try_lock(&root.path().join(".flowdeck/store")).unwrap();
    let Err(SessionError::Silent { pid, .. }) = Session::join(asked.clone()).await else { panic!("joined nobody") };
    assert_eq!(pid, std::process::id().to_string());
    // Somebody else's program answers there.
    std::fs::create_dir_all(asked.socket.parent().unwrap()).unwrap();
    let listener = tokio::net::UnixListener::bind(&asked.socket).unwrap();
    let theirs = json!({ "protocol": 99, "version": "9.9", "pid": 7, "data": "d" });
    let router = axum::Router::new().route("/v1/about", axum::routing::get(|| async { axum::Json(theirs) }));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let Err(error @ SessionError::Version { .. }) = Session::join(asked).await else { panic!("joined them") };
    assert!(error.to_string().contains("protocol 99"), "{error}");
    serving.abort();
    drop(lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_socket_of_a_dead_holder_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let (_, url) = desk().await;
    let asked = options(root.path(), builder(&url));
    std::fs::create_dir_all(asked.socket.parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&asked.socket).unwrap());
    let session = Session::join(asked).await.unwrap();
    assert_eq!(session.role(), Role::Holder);
    let within = Duration::from_secs(30);
    tokio::time::timeout(within, session.end()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_looks_drives_nothing_serves_nobody_and_is_the_guest_of_a_holder() {
    let root = tempfile::tempdir().unwrap();
    let (desk, url) = desk().await;
    let joins = options(root.path(), builder(&url));
    let looks = SessionOptions { looks: true, ..joins.clone() };
    let holder = Session::join(joins.clone()).await.unwrap();
    let guest = Session::join(looks.clone()).await.unwrap();
    assert_eq!((holder.role(), guest.role()), (Role::Holder, Role::Guest));
    let form = json!({ "app": "desk", "method": "token", "fields": { "token": "s3cret" }, "surface": "direct" });
    call::<serde_json::Value>(&guest.client(), Method::POST, "/v1/attempts", form).await;
    let run: RunView = call(&guest.client(), Method::POST, "/v1/runs", start(SLOW, json!({}))).await;
    desk.called.notified().await;
    let asked = desk.calls.load(Ordering::SeqCst);
    // The holder is gone, as after a kill; its run could go on.
    drop((guest, holder));
    let looking = async {
        loop {
            match Session::join(SessionOptions { join_within_ms: 100, ..looks.clone() }).await {
                Ok(looker) if looker.role() == Role::Looker => return looker,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let looker = tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap();
    assert!(tokio::net::UnixStream::connect(&looks.socket).await.is_err(), "nobody is served");
    let seen: RunView = get_json(&looker.client(), &format!("/v1/runs/{}", run.id)).await;
    assert_eq!(seen.status, Status::Running);
    assert_eq!(
        refused(&looker.client(), Method::POST, "/v1/runs", start(SLOW, json!({}))).await.code,
        "runtime.stopping"
    );
    looker.end().await.unwrap();
    assert_eq!(desk.calls.load(Ordering::SeqCst), asked, "nothing was asked");
    // Who works goes on with it.
    desk.door.notify_one();
    let holder = Session::join(joins).await.unwrap();
    let path = format!("/v1/runs/{}/wait", run.id);
    desk.door.notify_one();
    let ended: RunView = get_json(&holder.client(), &path).await;
    assert_eq!((holder.role(), ended.status), (Role::Holder, Status::Finished));
    holder.end().await.unwrap();
}
