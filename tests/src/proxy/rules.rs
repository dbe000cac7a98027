//! Trouble on demand: which requests, and what happens to them.
//!
//! Must never apply to a request that does not match, nor oftener than said.
//! Tests: `tests/tests/e2e/harness.rs`.

use crate::gate::Gate;

use super::seen::fits;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is answered so, and the org never sees it.
    Answer {
        /// The status.
        status: u16,
        /// More headers.
        headers: Vec<(&'static str, String)>,
        /// The body, JSON.
        body: String,
    },
    /// The connection is closed; the org never sees the request.
    DropBefore,
    /// The org acts; the connection is closed without an answer.
    DropAfter,
    /// The request stands at the gate before the org sees it.
    HoldBefore(Gate),
    /// The org acts; the answer stands at the gate. A gate that never opens is a server that hangs.
    HoldAfter(Gate),
    /// Before the request is looked at, everybody's access tokens are revoked; with `refresh` the refresh tokens too.
    Revoke {
        /// Refresh tokens too.
        refresh: bool,
    },
}

impl Fault {
    /// `401`, as Okta answers to a token that is not valid.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::refusal(401, "E0000011", "Invalid token provided")
    }

    /// `403`, as Okta answers where the administrator's role does not allow it.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::refusal(403, "E0000006", "You do not have permission to perform the requested action")
    }

    /// `429` with `Retry-After`, in seconds.
    #[must_use]
    pub fn too_many(retry_after_s: u32) -> Self {
        let body = error_body("E0000047", "API call exceeded rate limit due to too many requests.");
        Self::Answer { status: 429, headers: vec![("retry-after", retry_after_s.to_string())], body }
    }

    fn refusal(status: u16, code: &str, summary: &str) -> Self {
        Self::Answer { status, headers: vec![], body: error_body(code, summary) }
    }
}

/// An error as Okta words it.
pub(super) fn error_body(code: &str, summary: &str) -> String {
    serde_json::json!({ "errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae-test", "errorCauses": [] })
        .to_string()
}

/// Which requests a fault meets.
#[derive(Debug, Clone)]
pub struct Rule {
    method: &'static str,
    path: String,
    first: usize,
    times: usize,
    fault: Fault,
}

impl Rule {
    /// Every request of this method whose path fits; `*` stands for one segment.
    #[must_use]
    pub fn new(method: &'static str, path: &str, fault: Fault) -> Self {
        Self { method, path: path.to_owned(), first: 1, times: usize::MAX, fault }
    }

    /// Only the `nth` such request, counted from when the rule is set.
    #[must_use]
    pub fn nth(self, nth: usize) -> Self {
        Self { first: nth, times: 1, ..self }
    }
}

/// A rule at work.
#[derive(Debug)]
pub(super) struct Active {
    rule: Rule,
    met: usize,
}

impl Active {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, met: 0 }
    }

    /// Counts the request, and answers what happens to it.
    pub(super) fn meet(&mut self, method: &str, path: &str) -> Option<Fault> {
        let rule = &self.rule;
        if rule.method != method || !fits(&rule.path, path) {
            return None;
        }
        self.met += 1;
        (self.met >= rule.first && self.met - rule.first < rule.times).then(|| rule.fault.clone())
    }
}
