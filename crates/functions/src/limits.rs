//! The limits of every size that a function card can reach.
//!
//! Must never be passed by silently: a card that reaches one answers a fault that names the limit.
//! Tests: below.

use flowdeck_model::{Fault, FaultCode};

/// Longest text a card makes, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest list a card makes.
pub(crate) const LIST_ITEMS_MAX: usize = 1_000_000;
/// Longest pattern, in bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Largest compiled pattern, in bytes.
pub(crate) const PATTERN_COMPILED_MAX: usize = 1024 * 1024;
/// Longest formula, in bytes.
pub(crate) const FORMULA_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting of formulas and XML.
pub(crate) const DEPTH_MAX: usize = 64;
/// Largest index of a list that `object/set` or dotted keys of `object/construct` may make.
pub(crate) const MADE_INDEX_MAX: usize = 9_999;
/// Most segments of a path.
pub(crate) const PATH_SEGMENTS_MAX: usize = 64;

/// Whether a text of this many bytes may be made.
///
/// # Errors
/// `limit-reached` above [`TEXT_BYTES_MAX`].
pub(crate) fn text(bytes: usize) -> Result<(), Fault> {
    if bytes <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(Fault::new(FaultCode::LimitReached, format!("the text would be longer than {} MiB", TEXT_BYTES_MAX >> 20))
        .remedy("work on smaller pieces, for example in a loop"))
}

/// Whether a list of this many items may be made.
///
/// # Errors
/// `limit-reached` above [`LIST_ITEMS_MAX`].
pub(crate) fn items(count: usize) -> Result<(), Fault> {
    if count <= LIST_ITEMS_MAX {
        return Ok(());
    }
    Err(Fault::new(FaultCode::LimitReached, format!("the list would have more than {LIST_ITEMS_MAX} items"))
        .remedy("work on smaller pieces, for example in a loop"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_above_a_limit_is_a_fault() {
        assert!(text(TEXT_BYTES_MAX).is_ok() && text(TEXT_BYTES_MAX + 1).is_err());
        assert!(items(LIST_ITEMS_MAX).is_ok() && items(LIST_ITEMS_MAX + 1).is_err());
    }
}
