//! Why the registry refuses a call, in words for the person who must act.
//!
//! Must never repeat a form value: it may be a secret in the wrong field.
//! Tests: `tests/connect.rs`, `tests/hostile.rs`.

use flowdeck_engine::ports::StoreError;
use flowdeck_model::{AppName, ConnectionId, Nickname, PromptId};
use serde::{Deserialize, Serialize};

/// A form field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's key.
    pub key: String,
    /// What is wrong and what to enter; never the value.
    pub message: String,
}

/// Why the registry refused a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No such app.
    #[error("there is no app `{0}`; `flowdeck apps` lists them")]
    UnknownApp(AppName),
    /// The app has no such method.
    #[error("{app} cannot be connected with `{method}`; it offers {offered}")]
    UnknownMethod {
        /// The app.
        app: AppName,
        /// What was asked for.
        method: String,
        /// What there is.
        offered: String,
    },
    /// No such connection.
    #[error("there is no connection {0}; it may have been removed")]
    UnknownConnection(String),
    /// No such prompt.
    #[error("there is no prompt {0}; it may have been answered and cleared")]
    UnknownPrompt(PromptId),
    /// The prompt was answered or gave up.
    #[error("prompt {0} is not open any more")]
    PromptOver(PromptId),
    /// Runs wait at the prompt, so it cannot be closed.
    #[error(
        "prompt {prompt} cannot be closed: runs wait at it ({runs}); answer it (`flowdeck prompts answer {prompt}`), or cancel them and it closes by itself"
    )]
    PromptAwaited {
        /// The prompt.
        prompt: PromptId,
        /// How many wait.
        runs: u64,
    },
    /// The prompt asks for another app.
    #[error("prompt {prompt} asks for {app}; answer it with a connection of that app")]
    WrongPrompt {
        /// The prompt.
        prompt: PromptId,
        /// Its app.
        app: AppName,
    },
    /// No such attempt.
    #[error("there is no such attempt to connect; start again")]
    UnknownAttempt,
    /// The attempt was used, or its time is over.
    #[error("this attempt to connect is over ({why}); start again")]
    AttemptOver {
        /// Why.
        why: &'static str,
    },
    /// The answer of the browser belongs to no attempt, or to another one.
    #[error("this answer belongs to no attempt to connect that is under way; start again")]
    UnknownState,
    /// What was pasted is not the answer to this attempt, which goes on.
    #[error("that is not the answer to this attempt; paste the whole address that the browser ended at")]
    WrongPaste,
    /// The answer came from another authorization server than the one asked (RFC 9207).
    #[error("the answer names the issuer `{got}`, but `{expected}` was asked; nothing was sent there")]
    WrongIssuer {
        /// Who was asked.
        expected: String,
        /// Who answered.
        got: String,
    },
    /// The form has errors.
    #[error("{}", field_sentence(.0))]
    Fields(Vec<FieldError>),
    /// Another connection has the name.
    #[error("{app} has a connection `{nickname}` already; choose another nickname, or repair that one")]
    NicknameTaken {
        /// The app.
        app: AppName,
        /// The name.
        nickname: Nickname,
    },
    /// The method cannot be authorized there.
    #[error("{title} cannot be authorized that way; possible: {possible}")]
    SurfaceUnsupported {
        /// The method's name on screens.
        title: String,
        /// What is possible.
        possible: String,
    },
    /// The redirect URI may not be used.
    #[error("the redirect URI {uri} cannot be used: {why}")]
    Redirect {
        /// The URI.
        uri: String,
        /// Why.
        why: String,
    },
    /// The connection is of another app.
    #[error("connection {connection} is of {app}, not of {wanted}")]
    WrongApp {
        /// The connection.
        connection: ConnectionId,
        /// Its app.
        app: AppName,
        /// The app that is needed.
        wanted: AppName,
    },
    /// The app's declaration cannot be used with this form.
    #[error("the declaration of {app} cannot be used: {why}")]
    Declaration {
        /// The app.
        app: AppName,
        /// Why.
        why: String,
    },
    /// The state of the connection does not allow it.
    #[error("connection {connection}: {why}")]
    NotNow {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        why: String,
    },
    /// A record that was sealed cannot be read.
    #[error("{0}")]
    Sealed(#[from] crate::seal::SealError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConnectError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownApp(_) => "connect.unknown_app",
            Self::UnknownMethod { .. } => "connect.unknown_method",
            Self::UnknownConnection(_) => "connect.unknown_connection",
            Self::UnknownPrompt(_) => "connect.unknown_prompt",
            Self::PromptOver(_) => "connect.prompt_over",
            Self::PromptAwaited { .. } => "connect.prompt_awaited",
            Self::WrongPrompt { .. } => "connect.wrong_prompt",
            Self::UnknownAttempt => "connect.unknown_attempt",
            Self::AttemptOver { .. } => "connect.attempt_over",
            Self::UnknownState => "connect.unknown_state",
            Self::WrongPaste => "connect.wrong_paste",
            Self::WrongIssuer { .. } => "connect.wrong_issuer",
            Self::Fields(_) => "connect.fields",
            Self::NicknameTaken { .. } => "connect.nickname_taken",
            Self::SurfaceUnsupported { .. } => "connect.surface",
            Self::Redirect { .. } => "connect.redirect",
            Self::WrongApp { .. } => "connect.wrong_app",
            Self::Declaration { .. } => "connect.declaration",
            Self::NotNow { .. } => "connect.not_now",
            Self::Sealed(_) => "connect.sealed",
            Self::Store(_) => "connect.store",
        }
    }
}

fn field_sentence(errors: &[FieldError]) -> String {
    let lines: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.key, e.message)).collect();
    lines.join("; ")
}
