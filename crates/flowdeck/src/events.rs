//! What a program that embeds the runtime may want to know at once: runs and prompts.
//!
//! Must never show what is not committed, nor block whoever it listens to.
//! Tests: `tests/prompts.rs`.

use std::collections::{BTreeSet, VecDeque};

use flowdeck_connections::{PromptFilter, Registry};
use flowdeck_engine::WaitReason;
use flowdeck_engine::{Notice, NoticeKind, Status};
use flowdeck_model::connect::{PromptState, PromptView};
use flowdeck_model::{Fault, PromptId, RunId, StepPath};
use futures_util::Stream;
use tokio::sync::{broadcast, watch};

/// Most prompts that one subscriber remembers; the oldest are forgotten first.
const WATCHED_MAX: usize = 10_000;
/// Notices heard in a row before changed prompts are looked at, so that neither holds the other up.
const HEARD_MAX: u32 = 64;

/// Something happened, durably.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RuntimeEvent {
    /// A run was accepted.
    RunStarted {
        /// The run.
        run: RunId,
    },
    /// A step of a run waits: for time, a signal, a person, a connection.
    RunWaiting {
        /// The run.
        run: RunId,
        /// The step.
        path: StepPath,
        /// For what.
        reason: WaitReason,
    },
    /// A write is in doubt and a person must decide.
    RunInDoubt {
        /// The run.
        run: RunId,
        /// The step.
        path: StepPath,
    },
    /// A run finished, failed, was cancelled, or expired.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        status: Status,
    },
    /// This process cannot drive a run any further; it is found again at the next start.
    RunSetAside {
        /// The run.
        run: RunId,
        /// Why, and what a person can do.
        fault: Fault,
    },
    /// A connect prompt is open: somebody must answer. Told once for each prompt.
    PromptOpened {
        /// The prompt.
        prompt: Box<PromptView>,
    },
    /// A prompt that was told was answered; what waited goes on.
    PromptAnswered {
        /// The prompt.
        prompt: Box<PromptView>,
    },
    /// A prompt that was told gave up or was closed.
    PromptClosed {
        /// The prompt.
        prompt: Box<PromptView>,
    },
    /// The subscriber was too slow and lost this many notices; ask for the state of what matters.
    Missed {
        /// How many.
        count: u64,
    },
}

/// A subscription, from [`crate::Runtime::events`]. Events of runs come in their order, and so do those of prompts;
/// between the two only this is promised: a run is told to wait before its prompt is told. It keeps the store open
/// until it is dropped.
pub struct Events {
    notices: broadcast::Receiver<Notice>,
    changes: watch::Receiver<u64>,
    registry: Registry,
    /// Open prompts that were told.
    told: BTreeSet<PromptId>,
    /// Prompts that were told, open or not.
    known: BTreeSet<PromptId>,
    heard: u32,
    /// A look at the prompts was begun; where it was let go half-way, it is begun again.
    looking: bool,
    waiting: VecDeque<RuntimeEvent>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("told", &self.told.len()).finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(
        notices: broadcast::Receiver<Notice>,
        mut changes: watch::Receiver<u64>,
        registry: Registry,
    ) -> Self {
        // What is open already is told first.
        changes.mark_changed();
        Self {
            notices,
            changes,
            registry,
            told: BTreeSet::new(),
            known: BTreeSet::new(),
            heard: 0,
            looking: false,
            waiting: VecDeque::new(),
        }
    }

    /// The next event; `None` when the runtime is gone. Prompts that are open already come first. May be let go at any
    /// time, as in a `select!`: no event is lost.
    pub async fn next(&mut self) -> Option<RuntimeEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.looking || self.heard >= HEARD_MAX && self.changes.has_changed().unwrap_or(false) {
                self.look_at_prompts().await;
                continue;
            }
            // What runs say comes first: a prompt is told after the run that waits for it.
            tokio::select! {
                biased;
                notice = self.notices.recv() => match notice {
                    Ok(notice) => self.heard(notice).await,
                    Err(broadcast::error::RecvError::Lagged(count)) => {
                        self.waiting.push_back(RuntimeEvent::Missed { count });
                        self.look_at_prompts().await;
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                changed = self.changes.changed() => {
                    changed.ok()?;
                    self.look_at_prompts().await;
                }
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = RuntimeEvent> + Send {
        futures_util::stream::unfold(self, |mut events| async move {
            let event = events.next().await?;
            Some((event, events))
        })
    }

    async fn heard(&mut self, notice: Notice) {
        self.heard += 1;
        if !notice.is_lasting() {
            return;
        }
        let run = notice.run;
        let event = match notice.what {
            NoticeKind::RunStarted { .. } => RuntimeEvent::RunStarted { run },
            NoticeKind::RunEnded { status } => RuntimeEvent::RunEnded { run, status },
            NoticeKind::SetAside { fault } => RuntimeEvent::RunSetAside { run, fault },
            NoticeKind::InDoubt { path } => RuntimeEvent::RunInDoubt { run, path },
            NoticeKind::Waiting { path, reason, prompt } => {
                self.waiting.push_back(RuntimeEvent::RunWaiting { run, path, reason });
                if let Some(id) = prompt.filter(|id| !self.known.contains(id)) {
                    self.looking = true;
                    let found = self.registry.prompt(id).await;
                    self.looking = false;
                    match found {
                        Ok(prompt) => self.tell(prompt),
                        Err(error) => tracing::warn!(%error, "a prompt that a run waits for cannot be read"),
                    }
                }
                return;
            }
            _ => return,
        };
        self.waiting.push_back(event);
    }

    fn tell(&mut self, prompt: PromptView) {
        for set in [&mut self.told, &mut self.known] {
            set.insert(prompt.id);
            if set.len() > WATCHED_MAX {
                set.pop_first();
            }
        }
        let over = prompt.state != PromptState::Open;
        self.waiting.push_back(RuntimeEvent::PromptOpened { prompt: Box::new(prompt.clone()) });
        if over {
            self.ended(prompt);
        }
    }

    fn ended(&mut self, prompt: PromptView) {
        self.told.remove(&prompt.id);
        let prompt = Box::new(prompt);
        self.waiting.push_back(match prompt.state {
            PromptState::Answered => RuntimeEvent::PromptAnswered { prompt },
            _ => RuntimeEvent::PromptClosed { prompt },
        });
    }

    /// Tells prompts that opened or ended since the last look.
    async fn look_at_prompts(&mut self) {
        self.looking = true;
        self.changes.mark_unchanged();
        self.heard = 0;
        for id in self.told.clone() {
            match self.registry.prompt(id).await {
                Ok(prompt) if prompt.state != PromptState::Open => self.ended(prompt),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a prompt is gone");
                    self.told.remove(&id);
                }
            }
        }
        match self.registry.prompts(&PromptFilter::open()).await {
            Ok(open) => {
                for prompt in open {
                    if !self.known.contains(&prompt.id) {
                        self.tell(prompt);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "prompts cannot be listed"),
        }
        self.looking = false;
    }
}
