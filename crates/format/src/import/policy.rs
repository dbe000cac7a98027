//! What an error of a card does: repetition, a quiet end, a handler flow.
//!
//! Must never let an error pass that the export would not.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{Mappings, Retry};
use flowdeck_model::mapping::{Mapping, PathPart, Reference};
use flowdeck_model::{Card, CardId, CardKind, Lane, Value};

use super::build::{Builder, Given, Scope};
use super::raw::text;
use super::source::Source;
use super::steering::ERROR_KEY;

/// Pause of a retry that names none.
const PAUSE_MS: u64 = 1000;
/// Longest pause of a retry.
const PAUSE_MS_MAX: u64 = 3_600_000;

impl<'v> Builder<'_, 'v, '_> {
    /// Adds a card with what its error policy asks for.
    pub(super) fn with_policy(&mut self, scope: &mut Scope<'v>, at: usize, mut card: Card, cards: &mut Vec<Card>) {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let retries =
            matches!(card.kind, CardKind::Call(_) | CardKind::CallFlow { .. } | CardKind::CallFlowAsync { .. });
        match retry(raw.policy) {
            Some(retry) if retries => card.retry = Some(retry),
            Some(_) => self.lost(card.id.as_str(), "the repetition after errors: only actions and calls are repeated"),
            None => {}
        }
        let catch = match text(raw.policy, "type") {
            "return" => Vec::new(),
            "flo" => match self.handler_card(scope, at, &card.id) {
                Some(handler) => vec![handler],
                None => return cards.push(card),
            },
            _ => return cards.push(card),
        };
        let what = if catch.is_empty() {
            "an error ends the flow quietly"
        } else {
            "an error calls a flow, then ends this one"
        };
        self.changed(&card.id, format!("{what}: written as `try` with `continue_if` behind it"));
        let inner = card.id.clone();
        let outer = self.ids.id(&format!("try {inner}"));
        let mut give = Mappings::new();
        for output in &level.cards[at].outputs {
            let Some(Source::Place(place)) = scope.sources.get(&(at, output.id)) else { continue };
            let (root, [PathPart::Key(key), ..]) = (place.root.as_str(), place.path.as_slice()) else { continue };
            if root == inner.as_str() {
                give.insert(key.clone(), Source::place(inner.as_str(), [key.as_str()]).mapping());
                let moved = Reference { root: outer.to_string(), path: place.path.clone() };
                scope.sources.insert((at, output.id), Source::Place(moved));
            }
        }
        let error = self.error_name(&catch);
        let lane = Lane { cards: vec![card], give };
        let catch = Lane { cards: catch, give: Mappings::new() };
        let tried = self.expression(&outer, &format!("!{outer}.failed"));
        let mut wrapped = self.plain("try", CardKind::Try { lane, retry: None, error, catch });
        wrapped.id = outer;
        cards.push(wrapped);
        let stop = self.plain("go on", CardKind::ContinueIf { when: tried, message: None });
        cards.push(stop);
    }

    fn error_name(&mut self, catch: &[Card]) -> CardId {
        let named = catch.iter().find_map(|card| match &card.kind {
            CardKind::CallFlow { with, .. } => match with.get(super::flows::CONTEXT) {
                Some(Mapping::Object(context)) => match context.get("error") {
                    Some(Mapping::Reference(reference)) => reference.root.parse().ok(),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
        named.unwrap_or_else(|| self.ids.id("problem"))
    }

    /// The call of the flow that handles an error.
    fn handler_card(&mut self, scope: &Scope<'v>, at: usize, id: &CardId) -> Option<Card> {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let flow = raw.policy.get("flo").and_then(Value::as_str).unwrap_or("");
        if !self.import.heads.contains_key(flow) {
            self.lost(id.as_str(), "the flow that handles its errors is not in the export; an error ends the flow");
            return None;
        }
        let mut with = Mappings::new();
        for field in raw.inputs.iter().filter(|f| f.for_error) {
            with.insert(field.key.to_owned(), self.given(scope, at, field).mapping());
        }
        let error = self.ids.id("problem");
        with.insert(ERROR_KEY.to_owned(), Source::place(error.as_str(), []).mapping());
        let (flow, with) = self.with_context(flow, id, with, None);
        let title = flow.to_string();
        Some(self.plain(&title, CardKind::CallFlow { flow, with }))
    }

    /// What an input of a table or other card holds, where something was put in.
    pub(super) fn filled(&self, scope: &Scope<'v>, at: usize, group: &str, key: &str) -> Option<Given<'v>> {
        self.input(scope, at, group, key).filter(|given| !given.is_empty())
    }
}

/// The repetition of a policy, where it has one.
fn retry(policy: &Value) -> Option<Retry> {
    let times = policy.get("retry").and_then(Value::as_u64).filter(|n| *n > 0)?.min(100);
    let delay = policy.get("delay").unwrap_or(&Value::Null);
    let first = delay.as_u64().or_else(|| delay.get(0).and_then(Value::as_u64)).unwrap_or(PAUSE_MS);
    let last = delay.get(1).and_then(Value::as_u64).unwrap_or(first);
    let pause_ms = first.clamp(1, PAUSE_MS_MAX);
    let factor = if last > first { 2.0 } else { 1.0 };
    Some(Retry {
        times: u32::try_from(times).ok()?,
        pause_ms,
        factor,
        pause_ms_max: last.clamp(pause_ms, PAUSE_MS_MAX),
    })
}
