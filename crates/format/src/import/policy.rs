//! What an error of a card does: repetition, values of its own, a handler flow. The flow fails in each case.
//!
//! Must never let an error pass that the export would not.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{Mappings, Retry};
use flowdeck_model::mapping::{PathPart, Reference};
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
        let (catch, error) = match text(raw.policy, "type") {
            "return" if raw.inputs.iter().any(|f| f.for_error) => self.with_fields(scope, at),
            "flo" => match self.handler_card(scope, at, &card.id) {
                Some(handler) => handler,
                None => return cards.push(card),
            },
            _ => return cards.push(card),
        };
        let what = match text(raw.policy, "type") {
            "flo" => {
                "an error calls a flow, then this one fails: written as `try`, whose `catch` raises the error again"
            }
            _ => "an error ends the flow with values of its own: written as `try`, whose `catch` raises it with them",
        };
        self.changed(&card.id, what);
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
        let lane = Lane { cards: vec![card], give };
        let catch = Lane { cards: catch, give: Mappings::new() };
        let mut wrapped = self.plain("try", CardKind::Try { lane, retry: None, error, catch });
        wrapped.id = outer;
        cards.push(wrapped);
    }

    /// Raises the error of a catch lane again, with these fields besides its own.
    fn raised_again(&mut self, error: &CardId, mut with: Mappings) -> Card {
        let part = |key: &str| Source::place(error.as_str(), [key]).mapping();
        let message = with.shift_remove("message").unwrap_or_else(|| part("message"));
        let status = Some(with.shift_remove("statusCode").unwrap_or_else(|| part("statusCode")));
        for key in ["body", "errorSummary"] {
            with.entry(key.to_owned()).or_insert_with(|| part(key));
        }
        self.plain("fail", CardKind::ReturnError { message, status, with, when: None })
    }

    /// The catch lane of a card whose error returns values.
    fn with_fields(&mut self, scope: &Scope<'v>, at: usize) -> (Vec<Card>, CardId) {
        let level = Arc::clone(&scope.level);
        let error = self.ids.id("problem");
        let mut with = Mappings::new();
        for field in level.cards[at].inputs.iter().filter(|f| f.for_error) {
            let given = self.given(scope, at, field);
            if !given.is_empty() {
                with.insert(field.key.to_owned(), given.mapping());
            }
        }
        let fail = self.raised_again(&error, with);
        (vec![fail], error)
    }

    /// The call of the flow that handles an error.
    fn handler_card(&mut self, scope: &Scope<'v>, at: usize, id: &CardId) -> Option<(Vec<Card>, CardId)> {
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
        let call = self.plain(&title, CardKind::CallFlow { flow, with });
        let fail = self.raised_again(&error, Mappings::new());
        Some((vec![call, fail], error))
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
