//! Why the directory refuses a call.
//!
//! Must never know status codes: `api/refusal.rs` chooses them.
//! Tests: `tests/walk/`.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectoryRefusal {
    #[error("there is no {what} \"{id}\"; list them to see which there are")]
    NotFound { what: &'static str, id: String },
    #[error("the field \"{field}\" {problem}")]
    Invalid { field: String, problem: String },
    #[error("another person already has the e-mail address {0}")]
    EmailTaken(String),
    #[error("another group is already called \"{0}\"")]
    NameTaken(String),
    #[error("the playground holds at most {max} {what}; remove some first")]
    Full { what: &'static str, max: usize },
    #[error("events up to this one are no longer kept; start again without \"after\", or with after=latest")]
    CursorExpired,
    #[error("this Idempotency-Key was used before with another body; use a new key for a new request")]
    KeyReused,
}

impl DirectoryRefusal {
    pub(super) fn not_found(what: &'static str, id: &str) -> DirectoryRefusal {
        DirectoryRefusal::NotFound { what, id: id.chars().take(60).collect() }
    }

    pub(crate) fn invalid(field: &str, problem: impl Into<String>) -> DirectoryRefusal {
        DirectoryRefusal::Invalid { field: field.chars().take(60).collect(), problem: problem.into() }
    }
}
