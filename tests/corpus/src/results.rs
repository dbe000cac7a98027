//! What a flow leaves behind: the result of its last card, the answer to its caller, what Return and Continue If gave.
//!
//! Must never take a result for right that was not looked at.
//! Tests: below, and the scenario files.

use flowdeck_engine::Status;
use flowdeck_engine::machine::secrets::REDACTED;
use flowdeck_model::{Card, CardKind, Catalogue, Fields, Value};
use serde_json::json;

use crate::judge::{Found, value_of};
use crate::lenient::{differs, is_empty};
use crate::scenario::called_card;
use crate::source::card_of;
use crate::world::Ran;

impl Found<'_> {
    /// The result of a flow without Return: the outputs of the card that ran last, by their keys in the export.
    pub(crate) fn implicit(&mut self, expected: &Value, ran: &Ran) {
        let last = ran.steps.iter().rev().find(|step| step.main && !step.path.contains('.'));
        let kind = last.and_then(|step| Some(card_of(self.flow_of(&step.flow)?, &step.card)?.kind.clone()));
        for (key, wanted) in expected.as_object().into_iter().flatten() {
            let output =
                ran.view.output.as_ref().filter(|output| output.has(key)).map(|output| output.get(key).clone());
            let actual = match (output, last, &kind) {
                (Some(output), ..) => output,
                (None, Some(step), Some(kind)) => self.of_last(&step.outputs, kind, key),
                _ => Value::Null,
            };
            if let Some(what) = differs(wanted, &actual, &format!("the last card's {key}"), self.opaque) {
                self.wrong(what);
            }
        }
    }

    /// An output by its key alone: its group in the export is not told.
    fn of_last(&self, outputs: &Fields, kind: &CardKind, key: &str) -> Value {
        let decl = called_card(kind).and_then(|card| self.cards.card(card));
        let decls = decl.as_ref().map_or(&[][..], |d| d.outputs.as_slice());
        let grouped = decls.iter().filter_map(|d| d.export_key.as_deref()?.strip_suffix(key)?.strip_suffix('.'));
        let values = std::iter::once("").chain(grouped).map(|group| value_of(outputs, kind, decls, group, key));
        values.into_iter().find(|value| !value.is_null()).unwrap_or_default()
    }

    /// What the caller of an endpoint gets. Marks `response:` say that nobody documents it.
    pub(crate) fn answer(&mut self, expected: &Value, ran: &Ran) {
        let Value::Object(wanted) = &expected["response"] else { return };
        if self.outcome.marks.iter().any(|mark| mark.starts_with("response:")) {
            return;
        }
        let view = &ran.view;
        let (status, headers, body) = match (&view.raw, view.status) {
            (Some(raw), _) => (raw.status, json!(raw.headers), raw.body.clone()),
            (None, Status::Finished) => {
                (200, json!({}), view.output.as_ref().map(Fields::to_value).unwrap_or_else(|| json!({})))
            }
            (None, _) => (view.fault.as_ref().and_then(|f| f.status).unwrap_or(500), json!({}), json!({})),
        };
        let code = wanted.get("statusCode").or_else(|| wanted.get("status")).and_then(Value::as_u64).unwrap_or(200);
        if code != u64::from(status) {
            self.wrong(format!("answer: expected the status {code}, got {status}"));
        }
        for (name, wanted) in wanted.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let found = headers.as_object().into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let actual = found.map_or(&Value::Null, |(_, value)| value);
            if let Some(what) = differs(wanted, actual, &format!("answer, header {name}"), self.opaque) {
                self.wrong(what);
            }
        }
        let wanted = wanted.get("body").cloned().unwrap_or_default();
        if view.fault.is_none()
            // What is shown hides what derives from a secret; the caller gets it.
            && body != REDACTED
            && !(is_empty(&wanted) && is_empty(&body))
            && let Some(what) = differs(&wanted, &body, "answer, body", self.opaque)
        {
            self.wrong(what);
        }
    }
}

/// What a Return, or a Continue If that was false, gave to what is around it: history has no outputs of them.
pub(crate) fn left_behind(found: &Found<'_>, ran: &Ran, flow: &str, id: &str) -> Option<Fields> {
    let own = found.flow_of(flow)?;
    let last = |flow: &str, card: &str| {
        let step = ran.steps.iter().rev().find(|s| s.flow == flow && s.card == card);
        step.map(|s| s.outputs.clone())
    };
    for card in around(&own.cards, id)?.iter().rev() {
        match card.kind {
            CardKind::Try { .. } | CardKind::ElseIf { .. } => return last(flow, card.id.as_str()),
            _ => {}
        }
    }
    if own.name == found.flow.name {
        return ran.view.output.clone();
    }
    let calls = ran.steps.iter().rev().find(|step| {
        let caller = found.flow_of(&step.flow).and_then(|f| card_of(f, &step.card));
        caller.is_some_and(|c| matches!(&c.kind, CardKind::CallFlow { flow: called, .. } if called.as_str() == flow))
    });
    calls.map(|step| step.outputs.clone())
}

/// The cards around a card, the outermost first.
fn around<'f>(cards: &'f [Card], id: &str) -> Option<Vec<&'f Card>> {
    for card in cards {
        if card.id.as_str() == id {
            return Some(Vec::new());
        }
        for lane in card.kind.lanes() {
            if let Some(mut inside) = around(lane, id) {
                inside.insert(0, card);
                return Some(inside);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cards_around_a_card_are_found() {
        let text = "flow: a\ncards:\n  - id: t\n    try:\n      - id: i\n        if: ${true}\n        then:\n          - id: r\n            return: { a: 1 }\n    catch: []\n";
        let checked = flowdeck_format::read(&flowdeck_format::Source::new("a.yaml", text), None);
        let flow = checked.flows.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let ids: Vec<_> = around(&flow.cards, "r").unwrap().iter().map(|c| c.id.to_string()).collect();
        assert_eq!(ids, ["t", "i"]);
        assert!(around(&flow.cards, "none").is_none());
    }
}
