//! Which person began which attempt to connect: only they go on with it in a browser.
//!
//! Must never grow without bound, nor be kept on disk: whoever was interrupted begins again.
//! Tests: `tests/connect_pages.rs`.

use std::collections::VecDeque;

use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck::model::AttemptId;
use flowdeck::people::PersonName;
use parking_lot::Mutex;

/// Most attempts that are remembered; the oldest gives way. The registry itself ends one after ten minutes.
const BEGUN_MAX: usize = 256;

#[derive(Debug, Clone)]
struct One {
    attempt: AttemptId,
    by: PersonName,
    /// What the browser brings back, and where it comes back to.
    expects: Option<(String, String)>,
}

/// The attempts of people.
#[derive(Debug, Default)]
pub(crate) struct Begun(Mutex<VecDeque<One>>);

impl Begun {
    pub(crate) fn add(&self, attempt: &Attempt, by: &PersonName) {
        let expects = match &attempt.step {
            AttemptStep::Browser { redirect_uri, state, .. } => {
                let path = url::Url::parse(redirect_uri).map(|url| url.path().to_owned()).unwrap_or_default();
                Some((state.clone(), path))
            }
            _ => None,
        };
        let mut all = self.0.lock();
        all.truncate(BEGUN_MAX - 1);
        all.push_front(One { attempt: attempt.id, by: by.clone(), expects });
    }

    /// Whether this person began it.
    pub(crate) fn is_of(&self, attempt: AttemptId, by: &PersonName) -> bool {
        self.0.lock().iter().any(|one| one.attempt == attempt && one.by == *by)
    }

    /// The attempt of this person that waits for this answer at this path.
    pub(crate) fn expecting(&self, state: &str, path: &str, by: &PersonName) -> Option<AttemptId> {
        let all = self.0.lock();
        let fits =
            |one: &&One| one.by == *by && one.expects.as_ref().is_some_and(|(own, at)| own == state && at == path);
        all.iter().find(fits).map(|one| one.attempt)
    }
}
