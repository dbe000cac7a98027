//! Values that fill fields: references, types, choices, secrets.
//!
//! Must never call a doubtful value wrong: `FieldType::accepts` and the loose conversions of mappings decide.
//! Tests: `tests/diagnostics.rs`.

use std::ops::Range;

use flowdeck_model::flow::Mappings;
use flowdeck_model::mapping::{Mapping, PathPart, Reference};
use flowdeck_model::{FieldDecl, FieldType, Value};

use super::Checker;
use super::scope::{PathTrouble, Scope, walk};
use crate::nearest::suggestion;
use crate::tokens::{SECRET_CHARS_MIN, looks_like_token};
use crate::tree::{Kind, Node};

/// Names that are not cards.
pub(crate) const RESERVED: [&str; 4] = ["input", "run", "so_far", "env"];

/// Who takes values, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker<'t> {
    what: &'t str,
    json: JsonAsText,
}

/// Whether an object or list may fill a text, as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonAsText {
    /// Cards convert what they get.
    Fine,
    /// A reference may: exports hand on objects where Okta's form says text. It is said all the same.
    Doubtful,
    Wrong,
}

impl<'t> Taker<'t> {
    /// A card.
    pub(super) fn card(what: &'t str) -> Self {
        Self { what, json: JsonAsText::Fine }
    }

    /// A helper flow.
    pub(super) fn helper(what: &'t str) -> Self {
        Self { what, json: JsonAsText::Doubtful }
    }

    /// What a flow declares that it gives.
    pub(super) fn outputs() -> Self {
        Self { what: "`outputs`", json: JsonAsText::Wrong }
    }

    fn accepts(self, kind: &FieldType, found: &FieldType) -> bool {
        kind.accepts(found) && (self.json == JsonAsText::Fine || !is_json_as_text(kind, found))
    }
}

fn is_json_as_text(kind: &FieldType, found: &FieldType) -> bool {
    *kind == FieldType::Text && matches!(found, FieldType::Object(_) | FieldType::List(_))
}

impl Checker<'_, '_> {
    /// Checks all references of a mapping and answers its type.
    pub(super) fn mapping(&mut self, mapping: &Mapping, node: Option<&Node>, scope: &Scope) -> FieldType {
        let whole = node.map_or(0..0, |n| n.span.clone());
        for reference in mapping.references() {
            let span = self.place_of(reference, &whole);
            self.reference(reference, &span, scope);
        }
        self.type_of(mapping, &whole, scope)
    }

    /// Where a reference is written inside a value.
    fn place_of(&self, reference: &Reference, whole: &Range<usize>) -> Range<usize> {
        let written = &self.text[whole.clone()];
        let ident = |c: char| c.is_alphanumeric() || c == '_';
        let keys = reference.path.iter().find_map(|p| match p {
            PathPart::Key(key) => Some(key.as_str()),
            PathPart::Index(_) => None,
        });
        let mut best = None;
        for (at, _) in written.match_indices(&reference.root).take(1000) {
            let (before, after) = (&written[..at], &written[at + reference.root.len()..]);
            let alone = !before.ends_with(|c: char| ident(c) || c == '.') && !after.starts_with(ident);
            if !alone || !before.contains("${") {
                continue;
            }
            let span = whole.start + at..whole.start + at + reference.root.len();
            let exact = keys
                .is_none_or(|key| after.get(1..).is_some_and(|a| a.trim_start_matches(['\'', '"']).starts_with(key)));
            if exact {
                return span;
            }
            best = best.or(Some(span));
        }
        best.unwrap_or_else(|| whole.clone())
    }

    fn reference(&mut self, reference: &Reference, span: &Range<usize>, scope: &Scope) {
        let root = reference.root.as_str();
        let Some(shape) = scope.find(root) else {
            self.unknown_root(reference, span, scope);
            return;
        };
        match walk(shape, &reference.path) {
            Ok(_) => {}
            Err(PathTrouble::Output(key, known)) => {
                let what = if root == "input" {
                    "the flow has no input".to_string()
                } else {
                    format!("`{root}` has no output")
                };
                let remedy = self.findings.hint(|| suggestion(&key, known.iter().map(String::as_str)));
                self.findings.error_with("unknown-output", span, format!("{what} `{key}`"), remedy);
            }
            Err(PathTrouble::Key(key, known)) => {
                let remedy = self.findings.hint(|| suggestion(&key, known.iter().map(String::as_str)));
                let message = format!("`{root}` is not known to have `{key}` there; it would be null");
                self.findings.warning("unknown-part", span, message, remedy);
            }
            Err(PathTrouble::Parts(key, word)) => {
                let message = format!("`{key}` cannot be taken from this part of `{root}`: it is a {word}");
                let remedy = if word.starts_with("list") {
                    "go through it with `for_each`, take one item with `[0]`, or use the card list/pluck".to_string()
                } else {
                    "leave that part of the path out".to_string()
                };
                self.findings.error_with("no-parts", span, message, remedy);
            }
        }
    }

    fn unknown_root(&mut self, reference: &Reference, span: &Range<usize>, scope: &Scope) {
        let root = reference.root.as_str();
        let Some(node) = self.places.cards.get(root) else {
            let remedy = self.findings.hint(|| suggestion(root, scope.names()));
            let message = format!("nothing here is called `{root}`");
            self.findings.error_with("unknown-reference", span, message, remedy);
            return;
        };
        if node.covers(span.start) {
            let remedy = "refer to an earlier card, or to what its lane gives once it has ended".to_string();
            self.findings.error_with(
                "reference-self",
                span,
                format!("`{root}` has not ended here: this is a part of it"),
                remedy,
            );
        } else if node.span.start > span.start {
            let message = format!("`{root}` runs after this card, so it has no outputs yet");
            self.findings.error_with("reference-later", span, message, format!("move `{root}` before this card"));
        } else {
            let key = reference.path.iter().find_map(|p| match p {
                PathPart::Key(key) => Some(key.as_str()),
                PathPart::Index(_) => None,
            });
            let key = key.unwrap_or("value");
            let lane =
                self.places.cards.iter().filter(|(_, n)| n.span.start < node.span.start && node.span.end <= n.span.end);
            let owner = lane.filter(|(_, n)| !n.covers(span.start)).min_by_key(|(_, n)| n.span.start);
            let owner = owner.map_or("the lane's card", |(id, _)| id.as_str());
            let message = format!("`{root}` is inside a lane of `{owner}`; cards outside see only what the lane gives");
            let remedy = format!(
                "add `give: {{ {key}: \"${{{root}.{key}}}\" }}` to that lane and use `${{{owner}.{key}}}` here"
            );
            self.findings.error_with("reference-in-lane", span, message, remedy);
        }
    }

    fn type_of(&mut self, mapping: &Mapping, span: &Range<usize>, scope: &Scope) -> FieldType {
        match mapping {
            Mapping::Literal(value) => type_of_value(value),
            Mapping::Reference(reference) => scope.type_of(reference),
            Mapping::Template(_) => FieldType::Text,
            Mapping::Expression(expression) => {
                expression.result_type(&|reference| scope.type_of(reference)).unwrap_or_else(|error| {
                    self.findings.error("wrong-expression", span, error.message);
                    FieldType::Any
                })
            }
            Mapping::List(items) => {
                let mut kinds = items.iter().map(|m| self.type_of(m, span, scope));
                let first = kinds.next().unwrap_or_default();
                if kinds.all(|k| k == first) { first.list() } else { FieldType::Any.list() }
            }
            Mapping::Object(map) => FieldType::Object(
                map.iter().map(|(key, m)| FieldDecl::new(key, self.type_of(m, span, scope))).collect(),
            ),
        }
    }

    /// Checks what fills the fields of a card or flow.
    pub(super) fn fill(
        &mut self,
        taker: &Taker<'_>,
        with: &Mappings,
        declared: &[FieldDecl],
        more: Option<&FieldType>,
        node: &Node,
        scope: &Scope,
    ) {
        let what = taker.what;
        let with_node = node.get("with");
        for (key, mapping) in with {
            let entry = with_node.and_then(|n| n.entry(key));
            let found = self.mapping(mapping, entry.map(|e| &e.value), scope);
            let (key_span, span) = entry.map_or((0..0, 0..0), |e| (e.key_span.clone(), e.value.span.clone()));
            match declared.iter().find(|f| f.key == *key) {
                Some(field) => self.field(taker, field, mapping, &found, &span),
                None if more.is_some() => {
                    let field = FieldDecl::new(key, more.cloned().unwrap_or_default());
                    self.field(taker, &field, mapping, &found, &span);
                }
                None => {
                    let remedy = self.findings.hint(|| suggestion(key, declared.iter().map(|f| f.key.as_str())));
                    self.findings.error_with(
                        "unknown-field",
                        &key_span,
                        format!("{what} has no input `{key}`"),
                        remedy,
                    );
                }
            }
        }
        for field in declared.iter().filter(|f| f.required && f.default.is_none()) {
            let empty = with.get(&field.key).is_none_or(|m| matches!(m, Mapping::Literal(Value::Null)));
            if empty {
                let span = node
                    .get("card")
                    .or(node.get("call_flow"))
                    .or(node.get("call_flow_async"))
                    .unwrap_or(node)
                    .span
                    .clone();
                let message = format!("{what} needs `{}` ({})", field.key, field.kind.word());
                self.findings.error_with(
                    "missing-field",
                    &span,
                    message,
                    format!("add `{}: …` to its `with`", field.key),
                );
            }
        }
    }

    pub(super) fn field(
        &mut self,
        taker: &Taker<'_>,
        field: &FieldDecl,
        mapping: &Mapping,
        found: &FieldType,
        span: &Range<usize>,
    ) {
        let (key, what) = (&field.key, taker.what);
        if let Mapping::Literal(value) = mapping {
            self.literal(taker, field, value, span);
        } else if !taker.accepts(&field.kind, found) {
            let message = format!("{what} wants `{key}` as {}, but this is {}", field.kind.word(), found.word());
            let remedy = match (&field.kind, found) {
                (FieldType::List(item), other) if item.accepts(other) => {
                    "put it in brackets to make a list of one".to_string()
                }
                (FieldType::Text, FieldType::Object(_)) => {
                    "name the part of it that is meant, or write `${json(…)}` for all of it".to_string()
                }
                (_, FieldType::List(_)) => {
                    "take one item with `[0]`, or go through the list with `for_each`".to_string()
                }
                _ => "convert it with a function card first, or map another value".to_string(),
            };
            let is_doubtful = taker.json == JsonAsText::Doubtful && matches!(mapping, Mapping::Reference(_));
            if is_doubtful && is_json_as_text(&field.kind, found) {
                self.findings.warning("wrong-type", span, format!("{message}; it gets JSON"), remedy);
            } else {
                self.findings.error_with("wrong-type", span, message, remedy);
            }
        }
    }

    fn literal(&mut self, taker: &Taker<'_>, field: &FieldDecl, value: &Value, span: &Range<usize>) {
        let (key, what) = (&field.key, taker.what);
        if value.is_null() {
            return;
        }
        if let Value::String(text) = value {
            if (field.secret && text.len() >= SECRET_CHARS_MIN) || looks_like_token(text) {
                let message = format!("`{key}` holds what looks like a secret; secrets do not belong in flow files");
                let remedy = "revoke it, then keep it in a connection, or take it as an input with `secret: true`";
                self.findings.error_with("secret-in-file", span, message, remedy.to_string());
                return;
            }
            if !field.choices.is_empty() && !field.choices.contains(text) {
                let remedy = self.findings.hint(|| suggestion(text, field.choices.iter().map(String::as_str)));
                let shown: String = text.chars().take(60).collect();
                self.findings.error_with(
                    "unknown-choice",
                    span,
                    format!("`{shown}` is not a choice of `{key}`"),
                    remedy,
                );
                return;
            }
        }
        let found = type_of_value(value);
        let text_fits = value.as_str().is_none_or(|text| match &field.kind {
            FieldType::Number => text.trim().parse::<f64>().is_ok(),
            FieldType::Boolean => matches!(text.to_ascii_lowercase().as_str(), "true" | "false"),
            FieldType::Date => is_date(text),
            FieldType::Object(_) => text.trim_start().starts_with('{'),
            _ => true,
        });
        if !taker.accepts(&field.kind, &found) || !text_fits {
            let message = format!("{what} wants `{key}` as {}, but this is {}", field.kind.word(), found.word());
            let remedy = match &field.kind {
                FieldType::Date => "write a date as `2026-01-31` or `2026-01-31T09:30:00Z`",
                FieldType::Boolean => "write `true` or `false`",
                FieldType::List(_) => "write a list: `[one, two]`",
                FieldType::Number => "write a number without quotes",
                _ => "map a value of that type",
            };
            self.findings.error_with("wrong-type", span, message, remedy.to_string());
        }
    }

    /// Refuses what looks like a token anywhere in a value.
    pub(super) fn no_tokens(&mut self, node: &Node) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            if let Kind::Text(text) = &node.kind
                && text.split(|c: char| c.is_whitespace() || c == '"').any(looks_like_token)
            {
                let remedy = "revoke it, then keep it in a connection, or take it as an input with `secret: true`";
                let message = "this looks like a secret; secrets do not belong in flow files";
                self.findings.error_with("secret-in-file", &node.span, message, remedy.to_string());
            }
            nodes.extend(node.items().into_iter().flatten());
            nodes.extend(node.entries().into_iter().flatten().map(|e| &e.value));
        }
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
        || jiff::fmt::rfc2822::parse(text).is_ok()
}

/// The type of a constant.
pub(super) fn type_of_value(value: &Value) -> FieldType {
    match value {
        Value::Null => FieldType::Any,
        Value::Bool(_) => FieldType::Boolean,
        Value::Number(_) => FieldType::Number,
        Value::String(_) => FieldType::Text,
        Value::Array(items) => {
            let mut kinds = items.iter().map(type_of_value);
            let first = kinds.next().unwrap_or_default();
            if kinds.all(|k| k == first) { first.list() } else { FieldType::Any.list() }
        }
        Value::Object(map) => {
            FieldType::Object(map.iter().map(|(key, v)| FieldDecl::new(key, type_of_value(v))).collect())
        }
    }
}
