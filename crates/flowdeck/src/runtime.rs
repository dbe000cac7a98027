//! The runtime: what a program holds. Reads flows, runs them, lets a host or the background drive them.
//!
//! Must never serve, end the process, or set up a logger.
//! Tests: `tests/runtime.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowdeck_connections::{Attempt, BeginConnect, PreflightLine, Registry};
use flowdeck_engine::ports::Space;
use flowdeck_engine::{Engine, Notice, RunView, Start, Status, WaitReason};
use flowdeck_format::{Checked, Load, Source};
use flowdeck_model::connect::PromptState;
use flowdeck_model::{AppName, Flow, FlowName, Millis, RunId};
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use crate::catalogue::Cards;
use crate::clock::HostClock;
use crate::error::RuntimeError;
use crate::events::Events;
use crate::host::Host;
use crate::people::PasswordCost;
use crate::prompts::{Answering, PromptHandler};
use crate::served::Triggers;
use crate::starter::AppStarter;
use crate::work::Work;

/// A run that waits for a time this near has not stopped, in milliseconds.
const SOON_MS: u64 = 60_000;

/// An open runtime. Cheap to clone; clones share everything. The data folder is given up when the last clone is
/// gone and [`Runtime::stop`] has returned.
///
/// ```
/// # async fn example() -> Result<(), flowdeck::RuntimeError> {
/// use flowdeck::{Runtime, Source, Start, Status, model::Fields};
///
/// let runtime = Runtime::builder().memory().open().await?;
/// let source = Source::new("hello.flow.yaml", "flow: hello\ncards:\n  - return: { text: Hello }\n");
/// let flow = runtime.flow(&source, None)?;
/// let run = runtime.run(Start::new(flow, Fields::new())).await?;
/// assert_eq!(run.status, Status::Finished);
/// runtime.stop().await
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wired: Wired,
    pub(crate) closed: AtomicBool,
    pub(crate) work: Mutex<Option<Work>>,
    pub(crate) stopping: tokio::sync::Mutex<()>,
    pub(crate) answering: Mutex<Option<Answering>>,
    pub(crate) triggers: Triggers,
    pub(crate) people: crate::people::State,
}

/// The parts of a runtime, wired.
pub(crate) struct Wired {
    pub(crate) engine: Engine,
    pub(crate) authorizer: Arc<dyn flowdeck_engine::ports::Authorizer>,
    pub(crate) registry: Registry,
    pub(crate) cards: Cards,
    pub(crate) clock: Arc<HostClock>,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) starter: Option<Arc<dyn AppStarter>>,
    pub(crate) handler: Option<Arc<dyn PromptHandler>>,
    pub(crate) host: Arc<Host>,
    pub(crate) vault: Arc<dyn flowdeck_engine::ports::Vault>,
    /// The same keys, for secrets that are no values of runs.
    pub(crate) keys: Arc<flowdeck_connections::KeyVault>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("engine", &self.inner.wired.engine).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Describes a runtime to open.
    #[must_use]
    pub fn builder() -> crate::RuntimeBuilder {
        crate::RuntimeBuilder::default()
    }

    pub(crate) async fn wire(wired: Wired, cost: PasswordCost) -> Result<Self, RuntimeError> {
        let inner = Arc::new(Inner {
            wired,
            closed: AtomicBool::new(false),
            work: Mutex::default(),
            stopping: tokio::sync::Mutex::default(),
            answering: Mutex::default(),
            triggers: Triggers::default(),
            people: crate::people::State::new(cost),
        });
        let runtime = Self { inner };
        // Runs wait for these apps: a browser that comes back, or a refresh, must find them.
        let open = runtime.connections().prompts(&flowdeck_connections::PromptFilter::open()).await?;
        let mut apps: Vec<_> = open.into_iter().map(|prompt| prompt.app).collect();
        apps.dedup();
        for app in apps {
            if let Err(error) = runtime.ensure_app(&app).await {
                tracing::warn!(%error, "a run waits for an app that does not start");
            }
        }
        if let Some(handler) = runtime.inner.wired.handler.clone() {
            let answering = Answering::begin(runtime.events(), Arc::downgrade(&runtime.inner), handler);
            *runtime.inner.answering.lock() = Some(answering);
        }
        Ok(runtime)
    }

    /// Reads a flow file and checks it against the cards of this runtime; `load` gives the texts of helpers in files of
    /// their own ([`crate::alone`] where there are none). Never fails: see the diagnostics.
    #[must_use]
    pub fn read_with(&self, source: &Source, load: &Load<'_>) -> Checked {
        flowdeck_format::read_with(source, Some(self.cards()), load)
    }

    /// One flow of a flow file, ready to start; the file's only one where no name is given.
    ///
    /// # Errors
    /// [`RuntimeError::FlowFile`] with all diagnostics; [`RuntimeError::WhichFlow`].
    pub fn flow(&self, source: &Source, name: Option<&FlowName>) -> Result<Arc<Flow>, RuntimeError> {
        self.flow_with(source, name, &flowdeck_format::alone)
    }

    /// As [`Runtime::flow`], with helpers in files of their own.
    ///
    /// # Errors
    /// As [`Runtime::flow`].
    pub fn flow_with(
        &self,
        source: &Source,
        name: Option<&FlowName>,
        load: &Load<'_>,
    ) -> Result<Arc<Flow>, RuntimeError> {
        let checked = self.read_with(source, load);
        if checked.has_errors() {
            return Err(RuntimeError::FlowFile { file: source.name.clone(), diagnostics: checked.diagnostics });
        }
        let mut flows = checked.flows;
        let found = match name {
            Some(name) => flows.iter().position(|flow| flow.name == *name),
            None => (flows.len() == 1).then_some(0),
        };
        match found {
            Some(index) => Ok(Arc::new(flows.swap_remove(index))),
            None => Err(RuntimeError::WhichFlow {
                file: source.name.clone(),
                found: flows.into_iter().map(|flow| flow.name).collect(),
            }),
        }
    }

    /// All cards.
    #[must_use]
    pub fn cards(&self) -> &Cards {
        &self.inner.wired.cards
    }

    /// The connection registry: connections, prompts, attempts, bindings, audit. To begin an attempt use
    /// [`Runtime::connect`], which starts what the app needs first.
    #[must_use]
    pub fn connections(&self) -> &Registry {
        &self.inner.wired.registry
    }

    /// The engine, for what this type does not pass on.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.wired.engine
    }

    /// The time as the runtime sees it.
    #[must_use]
    pub fn now(&self) -> Millis {
        flowdeck_engine::ports::Clock::now(self.inner.wired.clock.as_ref())
    }

    /// Events from now on; open prompts come first.
    #[must_use]
    pub fn events(&self) -> Events {
        let wired = &self.inner.wired;
        Events::new(wired.engine.subscribe(), wired.changes.subscribe(), wired.registry.clone())
    }

    /// Notices of every step, also of what is not committed yet. A slow subscriber loses the oldest.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.engine().subscribe()
    }

    /// Starts what an app needs on this machine, where a hook was given for that.
    ///
    /// # Errors
    /// [`RuntimeError::AppStart`].
    pub async fn ensure_app(&self, app: &AppName) -> Result<(), RuntimeError> {
        let Some(starter) = &self.inner.wired.starter else { return Ok(()) };
        starter.ensure(app).await.map_err(|why| RuntimeError::AppStart { app: app.clone(), why })
    }

    /// What a run of the flow would need before its first card: one line for each slot. Stores nothing.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`], [`RuntimeError::Connect`], [`RuntimeError::AppStart`].
    pub async fn preflight(&self, flow: &Flow) -> Result<Vec<PreflightLine>, RuntimeError> {
        let needs = self.engine().needs(flow)?;
        for need in &needs {
            self.ensure_app(&need.app).await?;
        }
        Ok(self.connections().preflight(&needs).await?)
    }

    /// As [`Runtime::preflight`], and stores the prompts of what is missing, so that they can be answered before
    /// the run begins.
    ///
    /// # Errors
    /// As [`Runtime::preflight`].
    pub async fn raise(&self, flow: &Flow) -> Result<Vec<PreflightLine>, RuntimeError> {
        let needs = self.engine().needs(flow)?;
        self.connections().raise(&needs).await?;
        let lines = self.preflight(flow).await?;
        self.prompts_changed();
        Ok(lines)
    }

    /// Begins to connect an app, or to repair or widen a connection.
    ///
    /// # Errors
    /// [`RuntimeError::Connect`], with what is wrong in which field; [`RuntimeError::AppStart`].
    pub async fn connect(&self, asked: BeginConnect) -> Result<Attempt, RuntimeError> {
        self.ensure_app(&asked.app).await?;
        let attempt = self.connections().begin(asked).await?;
        self.prompts_changed();
        Ok(attempt)
    }

    /// Accepts a run; it is durable when this returns. The background, or the host's next
    /// [`Runtime::run_until_idle`], drives it.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] where an input is missing or of a wrong type; [`RuntimeError::Stopping`].
    pub async fn start_run(&self, start: Start) -> Result<RunId, RuntimeError> {
        self.open()?;
        Ok(self.engine().start(start).await?)
    }

    /// Accepts a run and drives it here until it ends or waits. A run that waits goes on by itself later.
    ///
    /// # Errors
    /// As [`Runtime::start_run`].
    pub async fn run(&self, start: Start) -> Result<RunView, RuntimeError> {
        self.open()?;
        Ok(self.engine().start_and_wait(start).await?)
    }

    /// Drives a run until it ends or waits, or waits for whoever drives it already.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub async fn drive(&self, run: RunId) -> Result<RunView, RuntimeError> {
        Ok(self.engine().drive_until_stopped(run).await?)
    }

    /// Waits until a run, driven by the background, has ended, or only waits (`past_waits`: until it has ended). A run
    /// that is set aside (`RunView::set_aside`) is answered at once: nothing drives it any more.
    /// Answers where it is after at most `within`.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] for an unknown run.
    pub async fn wait_for(&self, run: RunId, past_waits: bool, within: Duration) -> Result<RunView, RuntimeError> {
        let mut notices = self.notices();
        let looking = async {
            loop {
                let view = self.run_view(run).await?;
                let set_aside = view.set_aside.is_some();
                if view.status.is_ended() || set_aside || !past_waits && self.is_stopped(&view).await? {
                    return Ok(view);
                }
                loop {
                    match notices.recv().await {
                        Ok(notice) if notice.run == run && notice.is_lasting() => break,
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => return Err(RuntimeError::Stopping),
                    }
                }
            }
        };
        match tokio::time::timeout(within, looking).await {
            Ok(view) => view,
            Err(_) => self.run_view(run).await,
        }
    }

    /// Whether only a person, another program or a far time moves the run: it has ended, it is set aside, or it waits and
    /// nothing has come yet that lets it go on.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn is_stopped(&self, view: &RunView) -> Result<bool, RuntimeError> {
        if view.status.is_ended() || view.set_aside.is_some() {
            return Ok(true);
        }
        let ready = self.engine().store().get(Space::Ready, &flowdeck_engine::wire::keys::run(view.id)).await?;
        if view.status == Status::Running || ready.is_some() {
            return Ok(false);
        }
        let now = self.now();
        for wait in &view.waits {
            let moves = match &wait.reason {
                // Answered (or closed, which asks anew): the run has only not been driven yet.
                WaitReason::Connection { prompt, .. } => match self.connections().prompt(*prompt).await {
                    Ok(prompt) => prompt.state != PromptState::Open && prompt.deadline > now,
                    Err(_) => false,
                },
                WaitReason::Time { until } | WaitReason::Retry { until } => until.since(now) <= SOON_MS,
                _ => false,
            };
            if moves {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drives every run that can go on, until none can. For hosts that own the schedule.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn run_until_idle(&self) -> Result<(), RuntimeError> {
        Ok(self.engine().run_until_idle().await?)
    }

    /// Starts what schedules of served flows have due at `now`, asks apps for events, and drives the runs that are due
    /// (their time may be ahead of the clock, not behind it); answers how many.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn run_due(&self, now: Millis) -> Result<usize, RuntimeError> {
        let _held = self.inner.wired.clock.hold(now);
        self.start_scheduled().await?;
        self.poll_apps().await?;
        Ok(self.engine().run_due().await?)
    }

    /// When the next run is due: a wait for time, a retry, a deadline, the schedule of a served flow, a question to an app
    /// for events. `None`: nothing waits for time.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn next_due(&self) -> Result<Option<Millis>, RuntimeError> {
        let (run, schedule) = (self.engine().next_due().await?, self.next_scheduled().await?);
        Ok(run.into_iter().chain(schedule).chain(self.next_poll().await?).min())
    }

    /// Tells subscribers and the prompt handler to look at the prompts again.
    pub fn prompts_changed(&self) {
        self.inner.wired.changes.send_modify(|n| *n += 1);
    }

    /// Prompts in a state, of an app or of all.
    ///
    /// # Errors
    /// [`RuntimeError::Connect`].
    pub async fn prompts(
        &self,
        state: Option<PromptState>,
        app: Option<AppName>,
    ) -> Result<Vec<flowdeck_model::connect::PromptView>, RuntimeError> {
        Ok(self.connections().prompts(&flowdeck_connections::PromptFilter { app, state }).await?)
    }

    /// Whether it takes no more work: it drains, has stopped, or only looks.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    pub(crate) fn open(&self) -> Result<(), RuntimeError> {
        if self.inner.closed.load(Ordering::Acquire) { Err(RuntimeError::Stopping) } else { Ok(()) }
    }
}
