//! Fields of functions, actions and events: which are written down, under which key, and what is not known here.
//!
//! Must never drop a field that holds something without a word in the report.
//! Tests: `tests/import.rs`, `tests/import_unknown.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{EVENT_ID, Mappings};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{CardDecl, CardId, CardName, CardRole, FieldDecl, FieldType, Value};

use super::bind;
use super::build::{Builder, Given, Scope};
use super::raw::{Level, RawCard, RawField};
use super::source::Source;

impl<'v> Builder<'_, 'v, '_> {
    /// What is in a field of a function or action.
    pub(super) fn put_input(
        &mut self,
        scope: &Scope<'v>,
        at: usize,
        field: &RawField<'v>,
        decl: Option<&CardDecl>,
        id: &CardId,
        with: &mut Mappings,
    ) {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let declared = decl.and_then(|d| bind::bound(&d.inputs, field));
        let given = self.given(scope, at, field);
        let kept =
            if raw.kernel { keeps_literal(&given, declared, field) } else { keeps_option(&given, declared, field) };
        if !kept {
            return;
        }
        let key = match (declared, decl) {
            (Some(declared), _) => declared.key.clone(),
            // Which event it is, and a sample of its data.
            (None, Some(decl)) if decl.role == CardRole::Event && matches!(field.key, "type" | "data") => return,
            (None, Some(decl)) if decl.more_inputs.is_none() => {
                self.unknown_field(id, &format!("what is filled in as `{}`", field.full_key()), &decl.name);
                return;
            }
            (None, decl) => bind::free_key(decl, &raw.inputs, field, true),
        };
        if let Some(declared) = declared
            && let Given::Literal(Value::String(text)) = &given
            && let Some(choice) = declared.choices.iter().find(|c| c.eq_ignore_ascii_case(text))
        {
            with.insert(key, Mapping::Literal(Value::String(choice.clone())));
            return;
        }
        if let Some(declared) = declared
            && declared.kind == FieldType::Boolean
            && let Given::Literal(Value::String(text)) = &given
            && let Some(truth) = yes_or_no(text)
        {
            with.insert(key, Mapping::Literal(Value::Bool(truth)));
            return;
        }
        if let Some(declared) = declared
            && matches!(declared.kind, FieldType::List(_))
            && let Given::Literal(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))) =
                &given
            && !given.is_empty()
        {
            // A value that was typed into a field for a list is a list of one.
            with.insert(key, Mapping::Literal(Value::Array(vec![(*value).clone()])));
            return;
        }
        with.entry(key).or_insert_with(|| given.mapping());
    }

    /// Where the outputs of a function or action are found.
    pub(super) fn bind_outputs(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId, decl: Option<&CardDecl>) {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        for output in &raw.outputs {
            let reads = level.read.contains(&(at, output.id));
            let source = self.bound_output(&raw.outputs, output, id, decl, reads);
            scope.sources.insert((at, output.id), source);
        }
    }

    /// Where an output of a function, action or event is found; `reads` says whether anything takes it.
    pub(super) fn bound_output(
        &mut self,
        side: &[RawField<'v>],
        output: &RawField<'v>,
        id: &CardId,
        decl: Option<&CardDecl>,
        reads: bool,
    ) -> Source {
        let key = match (decl.and_then(|d| bind::bound(&d.outputs, output)), decl) {
            (Some(declared), _) => declared.key.clone(),
            (None, Some(decl)) if decl.role == CardRole::Event && is_batch(output) => return Source::null(),
            (None, Some(decl)) if decl.more_outputs.is_none() => {
                if reads {
                    let what = format!("the output `{}`, so what reads it gets nothing", output.full_key());
                    self.unknown_field(id, &what, &decl.name);
                }
                return Source::null();
            }
            (None, decl) => bind::free_key(decl, side, output, false),
        };
        Source::place(id.as_str(), [key.as_str()])
    }

    /// An event hands its batch to the loop around the flow, which is not there any more; nothing else has a list.
    pub(super) fn batch_is_read(&mut self, event: &RawCard<'v>, at: usize, level: &Level<'v>) {
        let Some(batch) = event.outputs.iter().find(|output| is_batch(output)) else { return };
        let Some(decl) = self.import.decl(event.family, event.method).filter(|_| level.read.contains(&(at, batch.id)))
        else {
            return;
        };
        let Ok(id) = CardId::new(EVENT_ID) else { return };
        self.unknown_field(&id, "the list of events, so what reads it gets nothing", &decl.name);
    }

    /// A field of the export that the card of that name does not have here.
    fn unknown_field(&mut self, id: &CardId, what: &str, card: &CardName) {
        let shown: String = what.chars().take(200).collect();
        let what = format!("{shown}: `{card}` has no such field here");
        self.import.unknown.push((self.flow.to_string(), id.to_string(), what.clone()));
        self.lost(id.as_str(), what);
    }
}

/// Whether what is in a function card's field is written down: not where the card would take the same anyway.
fn keeps_literal(given: &Given<'_>, declared: Option<&FieldDecl>, field: &RawField<'_>) -> bool {
    match (given, declared) {
        (Given::Literal(Value::Null), _) => false,
        (Given::Literal(_), Some(_)) if field.custom => true,
        (Given::Literal(value), Some(declared)) => match &declared.default {
            Some(default) => {
                default != *value
                    && !(given.is_empty()
                        && !value.is_boolean()
                        && declared.choices.is_empty()
                        && is_unset(value, default))
            }
            None => !given.is_empty(),
        },
        _ => true,
    }
}

/// The events of one delivery, as an event card of an export hands them on.
fn is_batch(output: &RawField<'_>) -> bool {
    output.group.is_empty() && output.key == "collection"
}

/// What an option of two choices says.
fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// An empty text, list or object beside a default of the same sort that is not empty was never filled in.
fn is_unset(value: &Value, default: &Value) -> bool {
    matches!((value, default), (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)))
}

/// Whether what is in an app card's field is written down: empty, 0 and false are what the editor puts there itself.
fn keeps_option(given: &Given<'_>, declared: Option<&FieldDecl>, field: &RawField<'_>) -> bool {
    let default = declared.and_then(|d| d.default.as_ref());
    match given {
        Given::Literal(Value::Bool(false)) => field.group == "parameters" || default == Some(&Value::Bool(true)),
        Given::Literal(Value::Number(n)) if n.as_f64() == Some(0.0) => default.is_some_and(|d| d.as_f64() != Some(0.0)),
        given => !given.is_empty(),
    }
}
