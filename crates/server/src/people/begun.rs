//! Which person began which attempt to connect: only they go on with it in a browser.
//!
//! Must never grow without bound, nor be kept on disk: whoever was interrupted begins again.
//! Tests: `tests/connect_pages.rs`, `tests/connect_ends.rs`.

use std::collections::VecDeque;

use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck::model::{AttemptId, PromptId};
use flowdeck::people::PersonName;
use parking_lot::Mutex;

/// Most attempts that are remembered; the oldest gives way. The registry itself ends one after ten minutes.
const BEGUN_MAX: usize = 256;

/// Who began an attempt, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    pub(crate) by: PersonName,
    /// The app's name on screens.
    pub(crate) app: String,
    pub(crate) prompt: Option<PromptId>,
    /// The `Host` under which their browser knows this server, where the app sends it back to another one of its names.
    pub(crate) host: Option<String>,
}

#[derive(Debug, Clone)]
struct One {
    attempt: AttemptId,
    beginning: Beginning,
    /// What the browser brings back, and where it comes back to.
    expects: Option<(String, String)>,
}

/// The attempts of people.
#[derive(Debug, Default)]
pub(crate) struct Begun(Mutex<VecDeque<One>>);

impl Begun {
    pub(crate) fn add(&self, attempt: &Attempt, beginning: Beginning) {
        let expects = match &attempt.step {
            AttemptStep::Browser { redirect_uri, state, .. } => {
                let path = url::Url::parse(redirect_uri).map(|url| url.path().to_owned()).unwrap_or_default();
                Some((state.clone(), path))
            }
            _ => None,
        };
        let mut all = self.0.lock();
        all.truncate(BEGUN_MAX - 1);
        all.push_front(One { attempt: attempt.id, beginning, expects });
    }

    /// How it began, where this person began it.
    pub(crate) fn of(&self, attempt: AttemptId, by: &PersonName) -> Option<Beginning> {
        let all = self.0.lock();
        all.iter().find(|one| one.attempt == attempt && one.beginning.by == *by).map(|one| one.beginning.clone())
    }

    /// The attempt of this person that waits for this answer at this path, or did.
    pub(crate) fn expecting(&self, state: &str, path: &str, by: &PersonName) -> Option<AttemptId> {
        let all = self.0.lock();
        all.iter().find(|one| one.beginning.by == *by && one.expects(state, path)).map(|one| one.attempt)
    }

    /// The name of this server under which the browser that brings this answer has its session.
    pub(crate) fn host(&self, state: &str, path: &str) -> Option<String> {
        let all = self.0.lock();
        all.iter().find(|one| one.expects(state, path)).and_then(|one| one.beginning.host.clone())
    }
}

impl One {
    fn expects(&self, state: &str, path: &str) -> bool {
        self.expects.as_ref().is_some_and(|(own, at)| own == state && at == path)
    }
}
