//! Expressions: CEL under limits.
//!
//! Must never loop, read files, or know a clock.
//! Tests: below.

/// A compiled expression; cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}
