//! Somebody else's scheduler owns the time: tokio-cron-scheduler starts runs and drives what is due. The flow needs a
//! connection that is not there yet; the connect prompt is answered in code, and the run goes on at that very card.
//!
//! Must never reach beyond loopback, and ends by itself. `cargo run -p flowdeck --example scheduler`
//! Tests: `tests/example.rs` runs it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowdeck::model::Fields;
use flowdeck::model::connect::PromptView;
use flowdeck::{PromptAnswer, PromptHandler, Runtime, RuntimeEvent, Source, Start, Status};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The app: a desk on loopback that wants a token.
const DESK: &str = include_str!("desk.app.yaml");

/// The flow: greets whoever the connection belongs to.
const GREETING: &str = r#"
flow: greeting
slots:
  desk: { app: desk }
cards:
  - id: who
    card: desk/who
    slot: desk
  - return: { text: "Good morning, ${who.name}." }
"#;

/// Answers every connect prompt with the token that this program keeps.
struct Keeper;

#[async_trait]
impl PromptHandler for Keeper {
    async fn prompt(&self, prompt: PromptView) -> PromptAnswer {
        println!("asked to connect: {}", prompt.message);
        PromptAnswer::form(&prompt, "token", None, [("token", "s3cret")])
    }
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> Result<(), Failed> {
    for line in scheduled(2).await? {
        println!("{line}");
    }
    Ok(())
}

/// Runs the flow on a schedule until it has finished so many times; answers what the runs returned.
pub(crate) async fn scheduled(times: usize) -> Result<Vec<String>, Failed> {
    let url = desk().await?;
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::builder()
        .data(folder.path().join(".flowdeck"))
        .key_file(folder.path().join("key"))
        .app_file("desk.app.yaml", &DESK.replace("URL", &url))
        .allow_http(url.trim_start_matches("http://"))
        .prompt_handler(Arc::new(Keeper))
        .open()
        .await?;
    let flow = runtime.flow(&Source::new("greeting.flow.yaml", GREETING), None)?;

    // What happens arrives here, also while nobody drives.
    let mut events = runtime.events();
    let (ended, mut endings) = mpsc::channel(16);
    let watching = runtime.clone();
    let watcher = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let note = match event {
                RuntimeEvent::PromptAnswered { prompt } => {
                    println!("connected: {}", prompt.app_title);
                    // Runs became ready: a host without a background drives them.
                    watching.run_until_idle().await.err().map(|error| Err(error.to_string()))
                }
                RuntimeEvent::RunEnded { run, status } => Some(Ok((run, status))),
                _ => None,
            };
            if let Some(note) = note
                && ended.send(note).await.is_err()
            {
                break;
            }
        }
    });

    // The schedule: every second a run, and whatever else is due.
    let mut scheduler = JobScheduler::new().await?;
    let tick = runtime.clone();
    let job = Job::new_async("* * * * * *", move |_, _| {
        let (runtime, flow) = (tick.clone(), flow.clone());
        Box::pin(async move {
            let driven = async {
                runtime.run(Start::new(flow, Fields::new())).await?;
                runtime.run_due(runtime.now()).await?;
                runtime.run_until_idle().await
            };
            if let Err(error) = driven.await {
                eprintln!("{error}");
            }
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;

    let mut said = Vec::new();
    while said.len() < times {
        let ending = tokio::time::timeout(Duration::from_secs(60), endings.recv()).await?;
        let (run, status) = ending.ok_or("the runtime is gone")??;
        let view = runtime.run_view(run).await?;
        if status != Status::Finished {
            return Err(format!("run {run} is {status:?}: {:?}", view.fault).into());
        }
        said.extend(view.output.map(|output| output.get("text").as_str().unwrap_or_default().to_owned()));
    }

    // First nobody starts anything any more, then what is at work comes to rest.
    scheduler.shutdown().await?;
    runtime.drain(Duration::from_secs(10)).await?;
    watcher.abort();
    Ok(said)
}

/// The other side: an API on loopback that knows one token.
async fn desk() -> Result<String, Failed> {
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::get;
    let who = |headers: HeaderMap| async move {
        match headers.get("authorization").is_some_and(|value| value == "Bearer s3cret") {
            true => (StatusCode::OK, r#"{"id":"u1","name":"Ada"}"#),
            false => (StatusCode::UNAUTHORIZED, "{}"),
        }
    };
    let router = axum::Router::new().route("/who", get(who)).layer(axum::middleware::map_response(
        |mut response: axum::response::Response| async move {
            let json = axum::http::HeaderValue::from_static("application/json");
            response.headers_mut().insert("content-type", json);
            response
        },
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
