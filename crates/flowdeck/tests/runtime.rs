//! A runtime from outside: runs, waits, hand-over between opens, the host's time, drain.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::time::Duration;

use flowdeck::model::connect::PromptReason;
use flowdeck::store::MemoryStore;
use flowdeck::{RuntimeError, Status};
use std::sync::Arc;
use support::*;

const SLEEPS: &str = "flow: sleeps\ncards:\n  - id: nap\n    wait: 1d\n  - return: { woke: true }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_and_actions_run_in_one_flow() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    connect(&runtime).await;
    let text = "flow: both\nslots:\n  desk: { app: desk }\ncards:\n  - id: now\n    card: date/now\n  - id: who\n    card: desk/who\n    slot: desk\n  - return: { name: \"${who.name}\", at: \"${now.date}\" }\n";
    let view = runtime.run(start(&runtime, text)).await.unwrap();
    assert_eq!(view.status, Status::Finished, "{view:?}");
    let output = view.output.unwrap();
    assert_eq!(output.get("name"), "Ada");
    assert!(output.get("at").as_str().unwrap().starts_with("20"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_authorized_while_nobody_drove_goes_on_at_the_next_open() {
    let url = desk().await;
    let store = Arc::new(MemoryStore::new());
    let first = builder(&url).store(store.clone()).open().await.unwrap();
    let waiting = first.run(start(&first, ASKS)).await.unwrap();
    assert_eq!(waiting.status, Status::Waiting);
    first.stop().await.unwrap();
    // Another process authorizes, drives nothing, and ends.
    let store = Arc::new(store.reopen());
    let second = builder(&url).store(store.clone()).open().await.unwrap();
    connect(&second).await;
    second.stop().await.unwrap();
    assert_eq!(second.run_view(waiting.id).await.unwrap().status, Status::Waiting);
    let third = builder(&url).store(Arc::new(store.reopen())).open().await.unwrap();
    third.start().unwrap();
    let view = third.wait_for(waiting.id, true, Duration::from_secs(30)).await.unwrap();
    assert_eq!((view.status, view.output.unwrap().get("name")), (Status::Finished, &serde_json::json!("Ada")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_stores_nothing_and_raise_stores_its_prompts() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    let flow = flow(&runtime, ASKS);
    let lines = runtime.preflight(&flow).await.unwrap();
    assert_eq!(lines[0].reason, Some(PromptReason::Missing));
    assert!(runtime.prompts(None, None).await.unwrap().is_empty());
    runtime.raise(&flow).await.unwrap();
    assert_eq!(runtime.prompts(None, None).await.unwrap().len(), 1);
    connect(&runtime).await;
    let ready = runtime.preflight(&flow).await.unwrap();
    assert_eq!((ready[0].reason, ready[0].connection.as_ref().unwrap().account.as_deref()), (None, Some("Ada")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_drives_what_is_due_by_its_own_time() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    let view = runtime.run(start(&runtime, SLEEPS)).await.unwrap();
    assert_eq!(view.status, Status::Waiting);
    let due = runtime.next_due().await.unwrap().unwrap();
    assert_eq!(runtime.run_due(runtime.now()).await.unwrap(), 0);
    assert_eq!(runtime.run_due(due).await.unwrap(), 1);
    assert_eq!(runtime.run_view(view.id).await.unwrap().status, Status::Finished);
    assert!(runtime.now() < due, "the host's time counts only while it drives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_runtime_takes_nothing_and_has_nothing_at_work() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    runtime.start().unwrap();
    connect(&runtime).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(runtime.start_run(start(&runtime, ASKS)).await.unwrap());
    }
    let asked = start(&runtime, ASKS);
    runtime.drain(Duration::from_secs(30)).await.unwrap();
    for run in runs {
        assert_eq!(runtime.run_view(run).await.unwrap().status, Status::Finished);
    }
    assert!(matches!(runtime.start_run(asked.clone()).await, Err(RuntimeError::Stopping)));
    assert!(matches!(runtime.run(asked).await, Err(RuntimeError::Stopping)));
    assert!(matches!(runtime.start(), Err(RuntimeError::Stopping)));
    runtime.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_flow_is_a_question_where_a_file_holds_several() {
    let runtime = builder("http://127.0.0.1:1").open().await.unwrap();
    let two = flowdeck::Source::new("two.flow.yaml", &format!("{SLEEPS}---\nflow: other\ncards: []\n"));
    let error = runtime.flow(&two, None).unwrap_err();
    assert!(error.to_string().contains("sleeps, other"), "{error}");
    assert_eq!(runtime.flow(&two, Some(&"other".parse().unwrap())).unwrap().name.as_str(), "other");
    let wrong = flowdeck::Source::new("wrong.flow.yaml", "flow: x\ncards:\n  - id: a\n    card: date/nov\n");
    let error = runtime.flow(&wrong, None).unwrap_err();
    assert_eq!((error.code(), error.diagnostics().len()), ("flow.errors", 1));
}
