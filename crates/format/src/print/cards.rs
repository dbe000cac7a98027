//! Cards and lanes as values, keys in canonical order.
//!
//! Must never print what the reader would refuse.
//! Tests: `tests/round_trip.rs`.

use flowdeck_model::flow::{Call, Each, Items, Mappings, Retry, WaitUntil};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardKind, Lane, Value};
use serde_json::json;

use super::{Object, word};
use crate::order;
use crate::read::words::{IN_DOUBT, ON_ERROR, RETRY_FACTOR, RETRY_PAUSE_MAX_MS, ROUNDS_MAX};
use flowdeck_model::duration::duration_text;

/// A list of cards.
pub(super) fn list(cards: &[Card]) -> Value {
    Value::Array(cards.iter().map(card).collect())
}

/// Mappings under a key, unless there are none.
pub(super) fn put_mappings(out: &mut Object, key: &str, mappings: &Mappings) {
    if !mappings.is_empty() {
        out.insert(key.into(), mappings_value(mappings));
    }
}

fn mappings_value(mappings: &Mappings) -> Value {
    Value::Object(mappings.iter().map(|(key, mapping)| (key.clone(), mapping.source())).collect())
}

fn card(card: &Card) -> Value {
    let mut out = Object::new();
    out.insert("id".into(), card.id.as_str().into());
    for (key, text) in [("title", &card.title), ("note", &card.note)] {
        if !text.is_empty() {
            out.insert(key.into(), text.as_str().into());
        }
    }
    if card.disabled {
        out.insert("disabled".into(), true.into());
    }
    if let Some(ms) = card.timeout_ms {
        out.insert("timeout".into(), duration_text(ms).into());
    }
    if let Some(retry) = &card.retry {
        out.insert("retry".into(), retry_value(retry));
    }
    if let Some(in_doubt) = card.in_doubt {
        out.insert("in_doubt".into(), word(IN_DOUBT, in_doubt));
    }
    kind(&mut out, &card.kind);
    let mut entries: Vec<_> = out.into_iter().collect();
    entries.sort_by_key(|(key, _)| rank(key));
    Value::Object(entries.into_iter().collect())
}

fn rank(key: &str) -> usize {
    order::CARD.iter().position(|k| *k == key).unwrap_or(usize::MAX)
}

fn retry_value(retry: &Retry) -> Value {
    let mut out = Object::new();
    out.insert("times".into(), retry.times.into());
    out.insert("pause".into(), duration_text(retry.pause_ms).into());
    if retry.factor.to_bits() != RETRY_FACTOR.to_bits() {
        out.insert("factor".into(), retry.factor.into());
    }
    if retry.pause_ms_max != RETRY_PAUSE_MAX_MS {
        out.insert("max".into(), duration_text(retry.pause_ms_max).into());
    }
    Value::Object(out)
}

fn lane(lane: &Lane) -> Value {
    if lane.give.is_empty() {
        return list(&lane.cards);
    }
    let mut out = Object::new();
    put_lane(&mut out, lane);
    Value::Object(out)
}

fn put_lane(out: &mut Object, lane: &Lane) {
    put_cards(out, &lane.cards);
    put_mappings(out, "give", &lane.give);
}

fn put_cards(out: &mut Object, cards: &[Card]) {
    if !cards.is_empty() {
        out.insert("cards".into(), list(cards));
    }
}

fn put_other(out: &mut Object, key: &str, other: &Lane) {
    if *other != Lane::default() {
        out.insert(key.into(), lane(other));
    }
}

fn put_else(out: &mut Object, otherwise: &Mapping) {
    if *otherwise != Mapping::default() {
        out.insert("else".into(), otherwise.source());
    }
}

fn call(out: &mut Object, call: &Call) {
    out.insert("card".into(), call.card.as_str().into());
    if let Some(slot) = &call.slot {
        out.insert("slot".into(), slot.as_str().into());
    }
    if call.unbound {
        out.insert("unbound".into(), true.into());
    }
    put_mappings(out, "with", &call.with);
}

fn each(out: &mut Object, kind: &str, each: &Each) {
    let items = match &each.items {
        Items::List(mapping) => mapping.source(),
        Items::Pages(pages) => {
            let mut inner = Object::new();
            call(&mut inner, pages);
            json!({ "pages": inner })
        }
    };
    out.insert(kind.into(), items);
    out.insert("as".into(), each.name.as_str().into());
    if let Some(index) = &each.index {
        out.insert("index".into(), index.as_str().into());
    }
    if each.concurrency != 1 && kind != "reduce" {
        out.insert("concurrency".into(), each.concurrency.into());
    }
}

fn kind(out: &mut Object, kind: &CardKind) {
    let word = kind.word();
    match kind {
        CardKind::Call(c) => call(out, c),
        CardKind::If { when, then, otherwise } => {
            out.insert(word.into(), when.source());
            out.insert("then".into(), lane(then));
            put_other(out, "else", otherwise);
        }
        CardKind::ElseIf { branches, otherwise } => {
            let branches = branches.iter().map(|branch| {
                let mut inner = Object::new();
                inner.insert("when".into(), branch.when.source());
                put_lane(&mut inner, &branch.lane);
                Value::Object(inner)
            });
            out.insert(word.into(), Value::Array(branches.collect()));
            put_other(out, "else", otherwise);
        }
        CardKind::AssignIf { when, then, otherwise } => {
            out.insert(word.into(), when.source());
            out.insert("then".into(), then.source());
            put_else(out, otherwise);
        }
        CardKind::Lookup { key, options, otherwise } => {
            out.insert(word.into(), key.source());
            out.insert("options".into(), mappings_value(options));
            put_else(out, otherwise);
        }
        CardKind::ContinueIf { when, message } => {
            out.insert(word.into(), when.source());
            if let Some(message) = message {
                out.insert("message".into(), message.source());
            }
        }
        CardKind::Wait(wait) => {
            out.insert(word.into(), wait_value(&wait.until));
            if let Some(ms) = wait.deadline_ms {
                out.insert("deadline".into(), duration_text(ms).into());
            }
        }
        CardKind::CallFlow { flow, with } | CardKind::CallFlowAsync { flow, with } => {
            out.insert(word.into(), flow.as_str().into());
            put_mappings(out, "with", with);
        }
        CardKind::Return { with } => {
            out.insert(word.into(), mappings_value(with));
        }
        CardKind::ReturnRaw { status, headers, body, go_on } => {
            let mut answer = json!({"status": status.source(), "headers": headers.source(), "body": body.source()});
            if *go_on {
                answer["go_on"] = true.into();
            }
            out.insert(word.into(), answer);
        }
        CardKind::ReturnError { message, status, with, when } => {
            out.insert(word.into(), return_error(message, status.as_ref(), with, when.as_ref()));
        }
        _ => lists(out, kind),
    }
}

/// The kinds with lanes that run more than once or side by side.
fn lists(out: &mut Object, kind: &CardKind) {
    let word_of_kind = kind.word();
    match kind {
        CardKind::ForEach(for_each) => {
            each(out, word_of_kind, &for_each.each);
            if for_each.on_error != flowdeck_model::flow::OnLoopError::Stop {
                out.insert("on_error".into(), word(ON_ERROR, for_each.on_error));
            }
            put_lane(out, &for_each.lane);
        }
        CardKind::Map { each: e, cards, value } => {
            each(out, word_of_kind, e);
            put_cards(out, cards);
            out.insert("value".into(), value.source());
        }
        CardKind::Filter { each: e, cards, keep } => {
            each(out, word_of_kind, e);
            put_cards(out, cards);
            out.insert("keep".into(), keep.source());
        }
        CardKind::Reduce { each: e, start, cards, value } => {
            each(out, word_of_kind, e);
            out.insert("start".into(), start.source());
            put_cards(out, cards);
            out.insert("value".into(), value.source());
        }
        CardKind::Times { count, name, concurrency, lane } => {
            out.insert(word_of_kind.into(), count.source());
            out.insert("as".into(), name.as_str().into());
            if *concurrency != 1 {
                out.insert("concurrency".into(), (*concurrency).into());
            }
            put_lane(out, lane);
        }
        CardKind::While { start, name, when, times_max, lane } => {
            out.insert(word_of_kind.into(), when.source());
            out.insert("as".into(), name.as_str().into());
            put_mappings(out, "start", start);
            if *times_max != ROUNDS_MAX {
                out.insert("times_max".into(), (*times_max).into());
            }
            put_lane(out, lane);
        }
        CardKind::Try { lane: inner, retry, error, catch } => {
            out.insert(word_of_kind.into(), lane(inner));
            if let Some(retry) = retry {
                out.insert("retry".into(), retry_value(retry));
            }
            if error.as_str() != "error" {
                out.insert("error".into(), error.as_str().into());
            }
            put_other(out, "catch", catch);
        }
        CardKind::Parallel { lanes } => {
            let lanes = lanes.iter().map(|(name, inner)| (name.to_string(), lane(inner)));
            out.insert(word_of_kind.into(), Value::Object(lanes.collect()));
        }
        _ => {}
    }
}

fn return_error(message: &Mapping, status: Option<&Mapping>, with: &Mappings, when: Option<&Mapping>) -> Value {
    let source = message.source();
    if source.is_string() && status.is_none() && with.is_empty() && when.is_none() {
        return source;
    }
    let mut out = Object::new();
    out.insert("message".into(), source);
    if let Some(status) = status {
        out.insert("status".into(), status.source());
    }
    put_mappings(&mut out, "with", with);
    if let Some(when) = when {
        out.insert("when".into(), when.source());
    }
    Value::Object(out)
}

fn wait_value(until: &WaitUntil) -> Value {
    match until {
        WaitUntil::Duration(Mapping::Literal(ms)) => ms.as_u64().map_or(ms.clone(), |ms| duration_text(ms).into()),
        WaitUntil::Duration(mapping) => mapping.source(),
        WaitUntil::Time(mapping) => json!({"until": mapping.source()}),
        WaitUntil::Signal { name } => json!({"signal": name.source()}),
        WaitUntil::Approval { message } => json!({"approval": message.source()}),
    }
}
