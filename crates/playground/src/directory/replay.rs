//! What was answered to a request with an `Idempotency-Key`: the same key gets the same answer.
//!
//! Must never mix two callers' keys: the key is kept with who used it.
//! Tests: `tests/walk/`.

use serde::{Deserialize, Serialize};

use super::{Directory, DirectoryRefusal, Person};
use crate::limits;
use crate::secret::Digest;

#[derive(Serialize, Deserialize)]
pub(crate) struct Replay {
    caller: String,
    key: String,
    body: Digest,
    answer: Person,
    at_ms: i64,
}

/// What is known about a key.
pub(crate) enum Replayed {
    New,
    Answered(Person),
}

impl Directory {
    pub(crate) fn replayed(
        &self,
        caller: &str,
        key: &str,
        body: &Digest,
        now_ms: i64,
    ) -> Result<Replayed, DirectoryRefusal> {
        let found = self.replays.iter().find(|replay| replay.caller == caller && replay.key == key);
        match found.filter(|replay| now_ms - replay.at_ms < limits::IDEMPOTENCY_KEY_AGE_MAX_MS) {
            None => Ok(Replayed::New),
            Some(replay) if replay.body == *body => Ok(Replayed::Answered(replay.answer.clone())),
            Some(_) => Err(DirectoryRefusal::KeyReused),
        }
    }

    pub(crate) fn note_answer(&mut self, caller: &str, key: &str, body: Digest, answer: Person, now_ms: i64) {
        self.replays.retain(|replay| !(replay.caller == caller && replay.key == key));
        let (caller, key) = (caller.to_owned(), key.to_owned());
        self.replays.push(Replay { caller, key, body, answer, at_ms: now_ms });
        let excess = self.replays.len().saturating_sub(limits::IDEMPOTENCY_KEYS_MAX);
        self.replays.drain(..excess);
    }
}
