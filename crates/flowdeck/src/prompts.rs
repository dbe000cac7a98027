//! Prompts answered by the program that embeds the runtime.
//!
//! Must never ask twice about one prompt, nor let a slow answer hold up another prompt before [`ASKED_MAX`] are pending.
//! Tests: `tests/prompts.rs`.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use flowdeck_connections::{Attempt, AttemptStep, BeginConnect, BindTarget, SecretText, Surface};
use flowdeck_model::connect::PromptView;
use flowdeck_model::{ConnectionId, Nickname};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::RuntimeError;
use crate::events::{Events, RuntimeEvent};
use crate::runtime::{Inner, Runtime};

/// Most prompts that a handler is asked about at once; the next waits for one of these answers.
const ASKED_MAX: usize = 4096;
/// Most turns of one attempt: pastes, polls, confirmations.
const TURNS_MAX: u32 = 1_000;
/// How long a stop waits for a handler to let go.
const END_MS: Duration = Duration::from_secs(1);

/// Answers connect prompts in code. Asked once for each prompt that opens, also for those open at the start.
#[async_trait]
pub trait PromptHandler: Send + Sync {
    /// What to do about a prompt. May take as long as it likes: the runs that wait hold nothing.
    async fn prompt(&self, prompt: PromptView) -> PromptAnswer;

    /// An attempt that the answer began needs a person: a browser, a device code, a word about another account.
    async fn attempt(&self, prompt: &PromptView, attempt: &Attempt) -> AttemptAnswer {
        let _ = (prompt, attempt);
        AttemptAnswer::Later
    }

    /// The answer was refused, or the attempt failed; the prompt stays open for other ways to answer it.
    async fn refused(&self, prompt: &PromptView, error: &RuntimeError) {
        tracing::warn!(prompt = %prompt.id, %error, "the answer to a connect prompt was refused");
    }
}

/// What to do about a prompt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PromptAnswer {
    /// Use a connection that is there.
    Use(ConnectionId),
    /// Connect with this form.
    Connect(Box<BeginConnect>),
    /// Leave it open; somebody else may answer.
    Later,
}

impl PromptAnswer {
    /// Connects with a form: key of the auth method, nickname (the suggested one where `None`), field values.
    ///
    /// ```
    /// # fn example(prompt: &flowdeck::model::connect::PromptView) -> flowdeck::PromptAnswer {
    /// flowdeck::PromptAnswer::form(prompt, "token", None, [("token", "s3cret")])
    /// # }
    /// ```
    pub fn form<'a>(
        prompt: &PromptView,
        method: &str,
        nickname: Option<Nickname>,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let fields: BTreeMap<String, SecretText> =
            fields.into_iter().map(|(key, value)| (key.to_owned(), SecretText::from(value))).collect();
        let mut asked = BeginConnect::new(prompt.app.clone(), Surface::Direct);
        asked.method = Some(method.to_owned());
        asked.nickname = nickname;
        asked.fields = fields;
        asked.connection = prompt.connection;
        Self::Connect(Box::new(asked))
    }
}

/// How an attempt goes on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AttemptAnswer {
    /// The browser's last URL, or its query.
    Answer(SecretText),
    /// A device code was shown: ask the provider after its interval, then again.
    Poll,
    /// Whether the connection may speak for another account from now on.
    Confirm(bool),
    /// Nothing now; the attempt may go on in other ways until it expires.
    Later,
}

/// The task that asks the handler; aborted when dropped.
pub(crate) struct Answering {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answering {
    pub(crate) fn begin(events: Events, runtime: Weak<Inner>, handler: Arc<dyn PromptHandler>) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(answer_all(events, runtime, handler, stopped)) }
    }

    /// Lets go of everything that the handler was asked, so that nothing of it holds the store any more.
    pub(crate) async fn end(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(END_MS, &mut self.task).await.is_err() {
            tracing::warn!("a prompt handler blocks its thread; what it holds is let go when it returns");
        }
    }
}

/// Asks the handler about every prompt that opens, until the runtime stops or is gone.
async fn answer_all(
    mut events: Events,
    runtime: Weak<Inner>,
    handler: Arc<dyn PromptHandler>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut asked = JoinSet::new();
    tokio::select! {
        () = ask_all(&mut events, &runtime, &handler, &mut asked) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    asked.shutdown().await;
}

async fn ask_all(
    events: &mut Events,
    runtime: &Weak<Inner>,
    handler: &Arc<dyn PromptHandler>,
    asked: &mut JoinSet<()>,
) {
    while let Some(event) = events.next().await {
        let RuntimeEvent::PromptOpened { prompt } = event else { continue };
        while asked.try_join_next().is_some() {}
        if asked.len() >= ASKED_MAX {
            asked.join_next().await;
        }
        let (runtime, handler) = (runtime.clone(), handler.clone());
        asked.spawn(async move {
            // A handler that panics must not leave its host without a word.
            let answer = AssertUnwindSafe(handler.prompt((*prompt).clone())).catch_unwind().await;
            let Some(inner) = runtime.upgrade() else { return };
            let runtime = Runtime { inner };
            let Ok(answer) = answer else {
                let error =
                    RuntimeError::Setting("the prompt handler panicked; answer the prompt in another way".into());
                return handler.refused(&prompt, &error).await;
            };
            if let Err(error) = Box::pin(answered(&runtime, handler.as_ref(), &prompt, answer)).await {
                handler.refused(&prompt, &error).await;
            }
            runtime.prompts_changed();
        });
    }
}

async fn answered(
    runtime: &Runtime,
    handler: &dyn PromptHandler,
    prompt: &PromptView,
    answer: PromptAnswer,
) -> Result<(), RuntimeError> {
    let asked = match answer {
        PromptAnswer::Later => return Ok(()),
        PromptAnswer::Use(connection) => {
            runtime.connections().use_connection(BindTarget::Prompt(prompt.id), connection).await?;
            return Ok(());
        }
        PromptAnswer::Connect(asked) => asked,
    };
    let mut attempt = runtime.connect(BeginConnect { prompt: Some(prompt.id), ..*asked }).await?;
    for _ in 0..TURNS_MAX {
        match &attempt.step {
            AttemptStep::Done { .. } => return Ok(()),
            AttemptStep::Failed(fault) => {
                return Err(RuntimeError::Setting(format!("{} {}", fault.message, fault.remedy)));
            }
            _ => {}
        }
        let registry = runtime.connections();
        attempt = match handler.attempt(prompt, &attempt).await {
            AttemptAnswer::Later => return Ok(()),
            AttemptAnswer::Answer(text) => registry.paste(attempt.id, text.expose()).await?,
            AttemptAnswer::Confirm(accept) => registry.confirm(attempt.id, accept).await?,
            AttemptAnswer::Poll => {
                let pause_s = match &attempt.step {
                    AttemptStep::Device { interval_s, .. } => *interval_s,
                    _ => 1,
                };
                tokio::time::sleep(Duration::from_secs(pause_s.clamp(1, 60))).await;
                registry.poll_device(attempt.id).await?
            }
        };
    }
    Ok(())
}
