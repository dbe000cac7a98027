//! What the proxy saw.
//!
//! Must never hold a token: only whose it was.
//! Tests: `tests/tests/e2e/harness.rs`.

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query.
    pub query: String,
    /// The account whose token came along.
    pub account: Option<String>,
    /// The body, for requests to the API.
    pub body: String,
    /// Whether the org carried it out.
    pub acted: bool,
    /// What was answered; `None` while it stands, or where the connection was dropped.
    pub status: Option<u16>,
}

impl Seen {
    /// Whether method and path fit; `*` stands for one segment of the path.
    #[must_use]
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && fits(path, &self.path)
    }
}

pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.split('/');
    let mut found = path.split('/');
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}
