//! What the parts of control cards take: conditions, numbers, times, texts, lists, and what a flow returns.
//!
//! Must never refuse what may be right when the flow runs: a text counts as anything that can be read from it.
//! Tests: `tests/control.rs`.

use flowdeck_model::duration::parse_duration;
use flowdeck_model::flow::Mappings;
use flowdeck_model::mapping::{Mapping, PathPart, Reference, TemplatePart};
use flowdeck_model::{FieldDecl, FieldType, Value};

use super::Checker;
use super::scope::Scope;
use super::values::{Taker, type_of_value};
use crate::nearest::suggestion;
use crate::tree::Node;

/// Outputs that a remedy names at most.
const NAMED_MAX: usize = 3;

/// What a part of a control card takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Whether something holds. Numbers and texts count as true or not.
    Condition,
    /// As a condition; a helper's whole answer counts too, as exports have it.
    Keep,
    /// How often.
    Rounds,
    /// A duration as text, or milliseconds.
    Span,
    /// A point in time.
    Moment,
    /// A text, or what can be written as one.
    Text,
    /// A text that is not empty.
    Name,
    /// A status of HTTP.
    Status,
    /// An object.
    Object,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Condition | Self::Keep => "a condition",
            Self::Rounds => "a number",
            Self::Span => "a duration",
            Self::Moment => "a point in time",
            Self::Text => "text",
            Self::Name => "a name",
            Self::Status => "a status from 200 to 599",
            Self::Object => "an object",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Condition | Self::Keep => {
                "write `true`, `false`, or the whole comparison in one `${…}`: `${user.Status == \"ACTIVE\"}`"
            }
            Self::Rounds => "write a number, 0 or more, or map one",
            Self::Span => "write one such as `10m`, or map a text like it or milliseconds: `${input.minutes * 60000}`",
            Self::Moment => "write a time as `2026-01-31T09:30:00Z`, or map a date",
            Self::Text => "name the part of it that is meant, or write `${json(…)}` for all of it",
            Self::Name => "write a name, or map a text",
            Self::Status => "write a number such as 404, or map one",
            Self::Object => "write `{ name: value }`, or map an object",
        }
    }

    /// Whether a value of this type may be right.
    fn fits(self, kind: &FieldType) -> bool {
        use FieldType as T;
        match self {
            Self::Condition => matches!(kind, T::Any | T::Boolean | T::Number | T::Text),
            Self::Keep => matches!(kind, T::Any | T::Boolean | T::Number | T::Text | T::Object(_)),
            Self::Rounds | Self::Span | Self::Status => matches!(kind, T::Any | T::Number | T::Text),
            Self::Moment => matches!(kind, T::Any | T::Date | T::Number | T::Text),
            Self::Text | Self::Name => !matches!(kind, T::Object(_) | T::List(_) | T::File),
            Self::Object => matches!(kind, T::Any | T::Object(_) | T::File | T::Text),
        }
    }

    /// Whether an output of this type is what one would map, so that a remedy can name it.
    fn is_for(self, kind: &FieldType) -> bool {
        use FieldType as T;
        match self {
            Self::Condition | Self::Keep => matches!(kind, T::Boolean),
            Self::Rounds | Self::Span | Self::Status => matches!(kind, T::Number),
            Self::Moment => matches!(kind, T::Date),
            Self::Text | Self::Name => matches!(kind, T::Text),
            Self::Object => matches!(kind, T::Object(_)),
        }
    }

    /// Whether a constant is right. Null is what exports have where a part is empty.
    fn takes(self, value: &Value) -> bool {
        let number = match value {
            Value::String(text) => text.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
            other => other.as_f64(),
        };
        match (self, value) {
            (Self::Name, value) => value.as_str().is_some_and(|text| !text.trim().is_empty()) || number.is_some(),
            (Self::Moment, Value::Null) => false,
            (_, Value::Null) => true,
            (Self::Condition | Self::Keep, Value::String(text)) => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            (Self::Span, Value::String(text)) if parse_duration(text).is_some() => true,
            (Self::Rounds | Self::Span, _) => number.is_some_and(|n| n >= 0.0),
            (Self::Status, _) => number.is_some_and(|n| (200.0..600.0).contains(&n)),
            (Self::Moment, Value::String(text)) => is_moment(text.trim()),
            (Self::Object, value) => value.is_object(),
            (_, value) => self.fits(&type_of_value(value)),
        }
    }

    /// What is wrong with a mapping for this part, in words.
    fn wrong(self, mapping: &Mapping, found: &FieldType) -> Option<String> {
        let text = |part: &TemplatePart| matches!(part, TemplatePart::Text(text) if !text.is_empty());
        match mapping {
            Mapping::Literal(value) if self.takes(value) => None,
            Mapping::Literal(value) => Some(shown(value)),
            Mapping::Template(parts) => match self {
                Self::Condition | Self::Keep if parts.iter().any(text) => Some("a text, which always holds".to_owned()),
                Self::Object => Some("a text made of parts".to_owned()),
                _ => None,
            },
            _ if self.fits(found) => None,
            _ => Some(one_of(found)),
        }
    }
}

/// A type in a sentence: `an object`, `a list of texts`.
fn one_of(kind: &FieldType) -> String {
    match kind {
        FieldType::Text | FieldType::Boolean | FieldType::Any => kind.word(),
        FieldType::Object(_) => "an object".to_owned(),
        kind => format!("a {}", kind.word()),
    }
}

/// As a wait reads it.
fn is_moment(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("the text `{}`", text.chars().take(40).collect::<String>()),
        Value::Number(number) => format!("the number {number}"),
        other => one_of(&type_of_value(other)),
    }
}

impl Checker<'_, '_> {
    /// Checks what fills a part of a control card.
    pub(super) fn part(
        &mut self,
        what: &str,
        part: Part,
        mapping: &Mapping,
        (node, card): (Option<&Node>, &Node),
        scope: &Scope,
    ) {
        let found = self.mapping(mapping, node, scope);
        if let Some(wrong) = part.wrong(mapping, &found) {
            let remedy = outputs_of(mapping, scope, &|kind| part.is_for(kind)).unwrap_or_else(|| match found {
                FieldType::List(_) if part == Part::Condition => "ask for its length: `${size(…) > 0}`".to_owned(),
                _ => part.remedy().to_owned(),
            });
            let message = format!("`{what}` takes {}, but this is {wrong}", part.word());
            self.findings.error_with("wrong-type", &node.unwrap_or(card).span, message, remedy);
        }
    }

    /// The list that a loop goes through; answers the type of its items.
    pub(super) fn items(&mut self, what: &str, mapping: &Mapping, head: &Node, scope: &Scope) -> FieldType {
        let found = self.mapping(mapping, Some(head), scope);
        match found {
            FieldType::List(item) => return *item,
            // Null is what exports have where nothing is mapped.
            FieldType::Any => return FieldType::Any,
            _ => {}
        }
        let is_list = |kind: &FieldType| matches!(kind, FieldType::List(_));
        let remedy = outputs_of(mapping, scope, &is_list).unwrap_or_else(|| "map a list".to_owned());
        let message = format!("`{what}` goes through a list, but this is {}", one_of(&found));
        self.findings.error_with("not-a-list", &head.span, message, remedy);
        FieldType::Any
    }

    /// What a flow gives its caller, against what it declares.
    pub(super) fn returned(&mut self, with: &Mappings, head: Option<&Node>, card: &Node, scope: &Scope) {
        let flow = self.flow;
        // In a block it is the block that returns, and blocks declare nothing.
        let declared: &[FieldDecl] = if self.blocks == 0 { &flow.outputs } else { &[] };
        for (key, mapping) in with {
            let entry = head.and_then(|n| n.entry(key));
            let found = self.mapping(mapping, entry.map(|e| &e.value), scope);
            let (key_span, span) = entry.map_or((0..0, 0..0), |e| (e.key_span.clone(), e.value.span.clone()));
            match declared.iter().find(|field| field.key == *key) {
                Some(field) => self.field(&Taker::outputs(), field, mapping, &found, &span),
                None if declared.is_empty() => {}
                None => {
                    let remedy = self.findings.hint(|| suggestion(key, declared.iter().map(|f| f.key.as_str())));
                    let message = format!("`outputs` of this flow does not declare `{key}`");
                    self.findings.error_with("unknown-output", &key_span, message, remedy);
                }
            }
        }
        for field in declared.iter().filter(|f| f.required && !with.contains_key(&f.key)) {
            let message = format!("`outputs` of this flow promises `{}` ({})", field.key, field.kind.word());
            let remedy = format!("add `{}: …` to this `return`", field.key);
            self.findings.error_with("missing-field", &head.unwrap_or(card).span, message, remedy);
        }
    }
}

/// Where all outputs of a card stand in the place of one: those that would fit.
fn outputs_of(mapping: &Mapping, scope: &Scope, fits: &dyn Fn(&FieldType) -> bool) -> Option<String> {
    let Mapping::Reference(reference) = mapping else { return None };
    let shape = scope.find(&reference.root).filter(|shape| shape.card && reference.path.is_empty())?;
    let FieldType::Object(fields) = &shape.kind else { return None };
    let fitting = fields.iter().filter(|field| fits(&field.kind)).take(NAMED_MAX);
    let one = |field: &FieldDecl| {
        let output = Reference { root: reference.root.clone(), path: vec![PathPart::Key(field.key.clone())] };
        format!("`${{{output}}}`")
    };
    let named: Vec<String> = fitting.map(one).collect();
    (!named.is_empty()).then(|| format!("name one of its outputs: {}", named.join(", ")))
}
