//! References: a name and a path below it, as in `user['Last Login']` or `active.Users[0].id`.
//!
//! Must never fail on a missing key: it answers null.
//! Tests: below.

/// A plain path from a root name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The card id, loop name, `input`, `event`, `run` or `error`.
    pub root: String,
    /// Keys and indexes below it.
    pub path: Vec<PathPart>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// A key of an object.
    Key(String),
    /// An index of a list, from 0.
    Index(usize),
}
