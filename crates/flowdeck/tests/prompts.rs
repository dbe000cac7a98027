//! Prompts answered in code, and what subscribers hear.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flowdeck::model::AppName;
use flowdeck::model::connect::PromptView;
use flowdeck::{AppStarter, PromptAnswer, PromptHandler, RuntimeError, RuntimeEvent, Status};
use parking_lot::Mutex;
use support::*;
use tokio::sync::Notify;

#[derive(Default)]
struct Answers {
    asked: AtomicUsize,
    refused: Mutex<Vec<String>>,
    told: Notify,
    token: &'static str,
}

#[async_trait]
impl PromptHandler for Answers {
    async fn prompt(&self, prompt: PromptView) -> PromptAnswer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(self.token != "panic", "as asked");
        PromptAnswer::form(&prompt, "token", None, [("token", self.token)])
    }

    async fn refused(&self, _prompt: &PromptView, error: &RuntimeError) {
        self.refused.lock().push(error.to_string());
        self.told.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_ask_once_and_all_go_on() {
    let url = desk().await;
    let answers = Arc::new(Answers { token: "s3cret", ..Answers::default() });
    let runtime = builder(&url).prompt_handler(answers.clone()).open().await.unwrap();
    runtime.start().unwrap();
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(runtime.start_run(start(&runtime, ASKS)).await.unwrap());
    }
    for run in runs {
        let view = runtime.wait_for(run, true, Duration::from_secs(30)).await.unwrap();
        assert_eq!(view.status, Status::Finished, "{view:?}");
    }
    assert_eq!(answers.asked.load(Ordering::SeqCst), 1);
    runtime.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_is_told_and_the_prompt_stays_open() {
    let url = desk().await;
    let answers = Arc::new(Answers { token: "panic", ..Answers::default() });
    let runtime = builder(&url).prompt_handler(answers.clone()).open().await.unwrap();
    runtime.run(start(&runtime, ASKS)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), answers.told.notified()).await.unwrap();
    assert!(answers.refused.lock()[0].contains("panicked"));
    assert_eq!(runtime.prompts(Some(flowdeck::model::connect::PromptState::Open), None).await.unwrap().len(), 1);
    let (first, second) = tokio::join!(runtime.stop(), runtime.stop());
    first.and(second).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_is_told_and_the_prompt_stays_open() {
    let url = desk().await;
    let answers = Arc::new(Answers { token: "wrong", ..Answers::default() });
    let runtime = builder(&url).prompt_handler(answers.clone()).open().await.unwrap();
    let view = runtime.run(start(&runtime, ASKS)).await.unwrap();
    assert_eq!(view.status, Status::Waiting);
    tokio::time::timeout(Duration::from_secs(30), answers.told.notified()).await.unwrap();
    assert_eq!(answers.refused.lock().len(), 1);
    assert_eq!(runtime.prompts(Some(flowdeck::model::connect::PromptState::Open), None).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_hear_runs_and_prompts_in_order() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    let mut events = runtime.events();
    runtime.run(start(&runtime, ASKS)).await.unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|e| !matches!(e, RuntimeEvent::PromptOpened { .. })) {
        heard.push(events.next().await.unwrap());
    }
    connect(&runtime).await;
    runtime.run_until_idle().await.unwrap();
    // Runs and prompts come in their own order each; after the opening there are two more.
    for _ in 0..2 {
        heard.push(events.next().await.unwrap());
    }
    let names: Vec<&str> = heard
        .iter()
        .map(|event| match event {
            RuntimeEvent::RunStarted { .. } => "started",
            RuntimeEvent::RunWaiting { .. } => "waiting",
            RuntimeEvent::PromptOpened { .. } => "opened",
            RuntimeEvent::PromptAnswered { .. } => "answered",
            RuntimeEvent::RunEnded { status: Status::Finished, .. } => "finished",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names[..3], ["started", "waiting", "opened"]);
    assert!(names.contains(&"answered") && names.contains(&"finished"), "{names:?}");
}

#[derive(Default)]
struct Starter(Mutex<Vec<String>>);

#[async_trait]
impl AppStarter for Starter {
    async fn ensure(&self, app: &AppName) -> Result<(), String> {
        self.0.lock().push(app.to_string());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_started_by_who_touches_it_and_by_nobody_else() {
    let url = desk().await;
    let starter = Arc::new(Starter::default());
    let store = Arc::new(flowdeck::store::MemoryStore::new());
    let runtime = builder(&url).store(store.clone()).app_starter(starter.clone()).open().await.unwrap();
    runtime.run(start(&runtime, "flow: x\ncards:\n  - return: {}\n")).await.unwrap();
    assert!(starter.0.lock().is_empty());
    runtime.preflight(&flow(&runtime, ASKS)).await.unwrap();
    assert_eq!(std::mem::take(&mut *starter.0.lock()), ["desk"]);
    runtime.run(start(&runtime, ASKS)).await.unwrap();
    assert_eq!(std::mem::take(&mut *starter.0.lock()), ["desk"]);
    runtime.stop().await.unwrap();
    // A run waits for it.
    builder(&url).store(Arc::new(store.reopen())).app_starter(starter.clone()).open().await.unwrap();
    assert_eq!(*starter.0.lock(), ["desk"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_whose_last_run_is_cancelled_closes_and_is_told() {
    let url = desk().await;
    let runtime = builder(&url).open().await.unwrap();
    let flow = start(&runtime, ASKS);
    runtime.raise(&flow.flow).await.unwrap();
    let (first, second) = (runtime.run(flow.clone()).await.unwrap(), runtime.run(flow).await.unwrap());
    let mut events = runtime.events();
    runtime.start().unwrap();
    // Only of prompts that were told is told that they closed.
    let opened = async {
        while let Some(event) = events.next().await {
            if matches!(event, RuntimeEvent::PromptOpened { .. }) {
                return;
            }
        }
        panic!("no event");
    };
    tokio::time::timeout(Duration::from_secs(30), opened).await.unwrap();
    let open = async || runtime.prompts(Some(flowdeck::model::connect::PromptState::Open), None).await.unwrap();
    let [prompt] = open().await.try_into().unwrap();
    assert_eq!(prompt.waiting, 2);
    runtime.cancel(first.id).await.unwrap();
    runtime.wait_for(first.id, true, Duration::from_secs(30)).await.unwrap();
    assert_eq!(open().await[0].waiting, 1, "another run waits");
    runtime.cancel(second.id).await.unwrap();
    let told = async {
        while let Some(event) = events.next().await {
            if let RuntimeEvent::PromptClosed { prompt } = event {
                return prompt.id;
            }
        }
        panic!("no event");
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), told).await.unwrap(), prompt.id);
    assert_eq!(open().await.len(), 0);
    runtime.stop().await.unwrap();
}
