//! How an app's event gets to its flow, for people: hooks, polls, what stands in the way.
//!
//! Must never show a secret. Tests: `tests/hooks.rs`, `tests/polls.rs`.

use flowdeck_model::{CardName, Flow, Millis, PromptId, Trigger};

use super::hooks::HookView;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// How an event arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrives {
    /// The event card.
    pub card: CardName,
    /// Whether an app here offers it.
    pub is_known: bool,
    /// How the app proves that it sends, where it can push.
    pub pushed: Option<String>,
    /// Addresses that it may push to.
    pub hooks: Vec<HookView>,
    /// How the app is asked, where it can be.
    pub poll: Option<PollView>,
}

/// How an app is asked for events of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollView {
    /// How often, in seconds.
    pub every_s: u32,
    /// When next; `None` while the flow is off, and before the first time.
    pub next: Option<Millis>,
    /// When the app answered last.
    pub answered: Option<Millis>,
    /// What went wrong since.
    pub error: Option<String>,
    /// The prompt that must be answered first.
    pub waits: Option<PromptId>,
}

impl Runtime {
    /// How the event that starts a flow arrives.
    pub(in crate::served) async fn arrives(&self, flow: &Flow, on: bool) -> Result<Option<Arrives>, RuntimeError> {
        let Trigger::Event(event) = &flow.on else { return Ok(None) };
        let app = self.cards().apps().app(event.card.family());
        let Some(declared) = app.and_then(|app| app.file.events.get(event.card.operation())) else {
            let (card, hooks) = (event.card.clone(), Vec::new());
            return Ok(Some(Arrives { card, is_known: false, pushed: None, hooks, poll: None }));
        };
        let hooks = match &declared.webhook {
            Some(_) => {
                self.hooks().await?.into_iter().filter(|hook| hook.app.as_str() == event.card.family()).collect()
            }
            None => Vec::new(),
        };
        let poll = match &declared.poll {
            Some(poll) => {
                let status = self.known_status(&flow.name).await?;
                let next = (on && status.next > Millis(0)).then_some(status.next);
                let (answered, error, waits) = (status.answered, status.error, status.waits.filter(|_| on));
                Some(PollView { every_s: poll.every_s, next, answered, error, waits })
            }
            None => None,
        };
        let pushed = declared.webhook.as_ref().map(|proof| proof.words());
        Ok(Some(Arrives { card: event.card.clone(), is_known: true, pushed, hooks, poll }))
    }
}
