//! Readable ids that nothing else in a flow has.
//!
//! Must never make an id that mappings could take for something else.
//! Tests: below.

use flowdeck_model::CardId;
use flowdeck_model::mapping::EXPRESSION_WORDS;

use crate::check::RESERVED;
use crate::read::snake_case;

/// Names that flows have by themselves, besides the reserved ones.
const OTHERS: [&str; 2] = ["event", "error"];
/// Most numbers that are tried; a flow has fewer cards.
const TRIES_MAX: usize = 100_000;

/// The name's operation as an id, `list_users_with_filter`, with a number where that is taken.
#[must_use]
pub fn free_id(operation: &str, is_taken: &dyn Fn(&str) -> bool) -> Option<CardId> {
    let base = snake_case(operation.rsplit('/').next().unwrap_or(operation));
    let is_word = |id: &str| RESERVED.contains(&id) || OTHERS.contains(&id) || EXPRESSION_WORDS.contains(&id);
    let free = |id: &String| !is_taken(id) && !is_word(id);
    let numbered = (2..TRIES_MAX).map(|n| format!("{base}_{n}"));
    std::iter::once(base.clone()).chain(numbered).find(free).and_then(|id| CardId::new(&id).ok())
}

#[cfg(test)]
mod tests {
    use super::free_id;

    #[test]
    fn ids_are_readable_and_taken_by_nobody() {
        let cases = [
            ("okta/listUsersWithFilter", &[][..], "list_users_with_filter"),
            ("date/now", &["now"], "now_2"),
            ("date/now", &["now", "now_2"], "now_3"),
            ("run", &[], "run_2"),
            ("return", &[], "return_2"),
            ("x/99", &[], "card_99"),
        ];
        for (operation, taken, expected) in cases {
            let id = free_id(operation, &|id| taken.contains(&id)).unwrap();
            assert_eq!(id.as_str(), expected, "{operation}");
        }
    }
}
