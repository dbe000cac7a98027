//! Why a runtime could not be opened, or could not do what was asked.
//!
//! Must never hold a secret. Each error says what happened and what to do next, and has a stable code.
//! Tests: `tests/open.rs`.

use flowdeck_connections::{ConnectError, SealError};
use flowdeck_egress::EgressError;
use flowdeck_engine::EngineError;
use flowdeck_engine::ports::StoreError;
use flowdeck_format::Diagnostic;
use flowdeck_model::{AppName, Fault, FlowName};

use crate::people::PeopleError;

/// Why the runtime refused. `code()` is stable, the text is for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// Another process holds the data folder.
    #[error("the data folder {folder} is held by process {pid}; let that process do the work, or end it first")]
    Held {
        /// The folder of the store.
        folder: String,
        /// Process id of the holder, `?` where it is not known.
        pid: String,
    },
    /// The files of the store are damaged. Nothing was deleted.
    #[error("the store in {folder} is damaged: {what}; {remedy}")]
    Damaged {
        /// The folder of the store.
        folder: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The key is missing, in the wrong place, or not the one that the secrets were sealed with.
    #[error("{what}")]
    Key {
        /// What is wrong and what to do.
        what: String,
    },
    /// An app file that a user added cannot be used.
    #[error("app file {file}: {what}")]
    AppFile {
        /// The file.
        file: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A setting of the builder cannot be used.
    #[error("{0}")]
    Setting(String),
    /// A flow file has errors.
    #[error("{file} has {} error(s); first: {}", .diagnostics.len(), .diagnostics.first().map_or("", |d| &d.message))]
    FlowFile {
        /// Its name.
        file: String,
        /// What is wrong, in file order.
        diagnostics: Vec<Diagnostic>,
    },
    /// Which flow of the file is not clear.
    #[error("{file} holds {}; name one of them", names(.found))]
    WhichFlow {
        /// Its name.
        file: String,
        /// The flows in it.
        found: Vec<FlowName>,
    },
    /// An app's own server, which is started on demand, did not start.
    #[error("{app} could not be started: {why}")]
    AppStart {
        /// The app.
        app: AppName,
        /// Why.
        why: String,
    },
    /// An operation on a table was refused.
    #[error("{0}")]
    Table(Fault),
    /// The runtime takes no more work.
    #[error("the runtime is stopping; start it again and repeat the call")]
    Stopping,
    /// The background that drives runs ended by itself; runs go on when the cause is gone and it is started again.
    #[error("{what}")]
    Broken {
        /// The code of the cause.
        code: &'static str,
        /// The cause.
        what: String,
    },
    /// A deadline passed before the work came to rest.
    #[error("{what} after {after_ms} ms; runs under way go on when the runtime is opened again")]
    Deadline {
        /// What was not done.
        what: &'static str,
        /// The deadline, in milliseconds.
        after_ms: u64,
    },
    /// The engine refused.
    #[error(transparent)]
    Engine(EngineError),
    /// The connection registry refused.
    #[error(transparent)]
    Connect(ConnectError),
    /// Something about people was refused.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The way out could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The store refused.
    #[error(transparent)]
    Store(StoreError),
}

fn names(found: &[FlowName]) -> String {
    if found.is_empty() {
        return "no flow of that name".into();
    }
    let found: Vec<&str> = found.iter().map(FlowName::as_str).collect();
    format!("the flows {}", found.join(", "))
}

impl RuntimeError {
    /// The stable code, for programs and for `flowdeck explain CODE`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "store.held",
            Self::Damaged { .. } => "store.damaged",
            Self::Key { .. } => "key.unusable",
            Self::AppFile { .. } => "app.file",
            Self::Setting(_) => "runtime.setting",
            Self::FlowFile { .. } => "flow.errors",
            Self::WhichFlow { .. } => "flow.which",
            Self::AppStart { .. } => "app.start",
            Self::Table(_) => "table.refused",
            Self::Stopping => "runtime.stopping",
            Self::Broken { code, .. } => code,
            Self::Deadline { .. } => "runtime.deadline",
            Self::Engine(error) => match error {
                EngineError::Store(error) => store_code(error),
                EngineError::Wire(_) => "store.unreadable",
                EngineError::Flow(_) => "flow.not_runnable",
                EngineError::Input(_) => "run.input",
                EngineError::NoRun(_) => "run.unknown",
                EngineError::NotNow { .. } => "run.not_now",
                EngineError::Busy { .. } => "run.busy",
                EngineError::Stopping => "runtime.stopping",
                _ => "internal",
            },
            Self::Connect(error) => error.code(),
            Self::People(error) => error.code(),
            Self::Egress(_) => "egress.setup",
            Self::Store(error) => store_code(error),
        }
    }

    /// What is wrong with a flow file, where that is the error.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::FlowFile { diagnostics, .. } => diagnostics,
            _ => &[],
        }
    }
}

fn store_code(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict => "store.conflict",
        StoreError::Fenced { .. } => "store.fenced",
        StoreError::TooLarge { .. } => "store.too_large",
        StoreError::Full { .. } => "store.full",
        StoreError::Held { .. } => "store.held",
        StoreError::Damaged { .. } => "store.damaged",
        StoreError::Poisoned { .. } => "store.poisoned",
        _ => "store.io",
    }
}

impl From<StoreError> for RuntimeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Held { folder, holder } => Self::Held { folder, pid: holder },
            StoreError::Damaged { folder, what, remedy } => Self::Damaged { folder, what, remedy },
            other => Self::Store(other),
        }
    }
}

impl From<EngineError> for RuntimeError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Stopping => Self::Stopping,
            EngineError::Table(fault) => Self::Table(fault),
            other => Self::Engine(other),
        }
    }
}

impl From<ConnectError> for RuntimeError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Store(error) => error.into(),
            other => Self::Connect(other),
        }
    }
}

impl From<SealError> for RuntimeError {
    fn from(error: SealError) -> Self {
        Self::Key { what: error.to_string() }
    }
}
