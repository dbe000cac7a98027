//! Readable, stable names: ids of cards from their titles, names of flows, slots and tables.
//!
//! Must never give one name twice, nor one that mappings could not refer to.
//! Tests: below.

use std::collections::HashSet;

use flowdeck_model::mapping::EXPRESSION_WORDS;
use flowdeck_model::{CardId, FlowName, SlotName, TableName};

/// Longest id made from a title; numbers come behind it.
const ID_CHARS_MAX: usize = 40;
/// Names that mean something else in mappings, besides the words of expressions.
const TAKEN: &[&str] = &[
    "input",
    "event",
    "run",
    "error",
    "so_far",
    "item",
    "record",
    "index",
    "size",
    "contains",
    "lower",
    "upper",
    "trim",
    "string",
    "number",
    "int",
    "double",
    "coalesce",
    "compare",
    "parse",
    "json",
    "list",
    "pairs",
    "has",
    "matches",
    "timestamp",
    "duration",
    "bool",
    "uint",
    "bytes",
    "type",
    "dyn",
    "max",
    "min",
    "map",
    "filter",
    "all",
    "exists",
];

/// Names given so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Names of cards of one flow.
    pub(super) fn of_cards() -> Self {
        Self::default()
    }

    /// Keeps a name from being given.
    pub(super) fn take(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// The first free one of `base`, `base_2`, `base_3`, …
    fn free(&mut self, base: &str, between: &str) -> String {
        // Words that mean something else are never bare: `return_1`.
        let word = between == "_" && (TAKEN.contains(&base) || EXPRESSION_WORDS.contains(&base));
        let mut name = if word { format!("{base}_1") } else { base.to_owned() };
        let mut number = 1usize;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{base}{between}{number}");
        }
        name
    }

    /// An id from a title.
    pub(super) fn id(&mut self, title: &str) -> CardId {
        let base = match snake(title, ID_CHARS_MAX) {
            base if base.is_empty() => "card".to_owned(),
            base if base.starts_with(|c: char| c.is_ascii_digit()) => format!("card_{base}"),
            base => base,
        };
        loop {
            let name = self.free(&base, "_");
            if let Ok(id) = CardId::new(&name) {
                return id;
            }
        }
    }

    /// The name of a slot.
    pub(super) fn slot(&mut self, connector: &str) -> SlotName {
        let base = match snake(connector, ID_CHARS_MAX) {
            base if base.is_empty() || base.starts_with(|c: char| c.is_ascii_digit()) => format!("app_{base}"),
            base => base,
        };
        loop {
            let name = self.free(&base, "_");
            if let Ok(slot) = SlotName::new(&name) {
                return slot;
            }
        }
    }

    /// The name of a flow from its title.
    pub(super) fn flow(&mut self, title: &str) -> FlowName {
        let base = match snake(title, 80).replace('_', "-") {
            base if base.is_empty() => "flow".to_owned(),
            base => base,
        };
        loop {
            let name = self.free(&base, "-");
            if let Ok(flow) = FlowName::new(&name) {
                return flow;
            }
        }
    }

    /// The name of a table.
    pub(super) fn table(&mut self, title: &str) -> TableName {
        let plain: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
        let base = match plain.trim() {
            "" => "Table",
            plain => plain,
        };
        loop {
            let name = self.free(base, " ");
            if let Ok(table) = TableName::new(&name) {
                return table;
            }
        }
    }

    /// A key of a map, once.
    pub(super) fn key(&mut self, key: &str) -> String {
        let short: String = key.chars().take(60).collect();
        self.free(if short.is_empty() { "value" } else { &short }, "_")
    }
}

/// Whether an id says all that a title says.
pub(super) fn says(title: &str, id: &str) -> bool {
    let base =
        id.rsplit_once('_').filter(|(_, end)| end.bytes().all(|b| b.is_ascii_digit())).map_or(id, |(base, _)| base);
    snake(title, ID_CHARS_MAX) == base && title.len() <= ID_CHARS_MAX && title.is_ascii()
}

/// A text as lower-case words joined by `_`.
fn snake(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut lower_before = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower_before {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
            lower_before = c.is_ascii_lowercase();
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
            lower_before = false;
        }
        if out.len() >= chars_max {
            break;
        }
    }
    out.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable_and_given_once() {
        let mut names = Names::of_cards();
        let cases = [
            ("Read User", "read_user"),
            ("Read User", "read_user_2"),
            ("If/Else", "if_else"),
            ("Return", "return_1"),
            ("2nd try", "card_2nd_try"),
            ("été", "t"),
            ("日本", "card"),
            ("createRow", "create_row"),
            ("List", "list_1"),
            ("List", "list_2"),
        ];
        for (title, id) in cases {
            assert_eq!(names.id(title).as_str(), id, "{title}");
        }
        assert_eq!(Names::default().flow("[helper] Say hi!").as_str(), "helper-say-hi");
        assert_eq!(Names::default().table(" a\nb ").as_str(), "a b");
    }
}
