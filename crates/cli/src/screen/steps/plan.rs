//! The names and titles of a flow's cards, for the lines of a run.
//!
//! Must never depend on what a run does.
//! Tests: `crates/cli/src/screen/golden.rs`.

use std::collections::HashMap;

use flowdeck::Cards;
use flowdeck::model::{Card, CardId, CardKind, CardName, Catalogue, Flow, StepPath, Trigger};

use crate::screen::style::width;

/// Titles by card id.
#[derive(Debug)]
pub(crate) struct Plan {
    titles: HashMap<CardId, Title>,
    room: usize,
    cards: Cards,
}

/// Most titles that are learnt.
const TITLES_MAX: usize = 10_000;
/// Columns for names where the flow is not at hand.
const ROOM: usize = 16;

#[derive(Debug)]
struct Title {
    text: String,
    has_lanes: bool,
}

impl Plan {
    /// Of a flow and its helpers.
    pub(crate) fn of(flow: &Flow, cards: Cards) -> Self {
        let catalogue = cards.clone();
        let mut plan = Self { titles: HashMap::new(), room: 0, cards };
        if let Trigger::Event(event) = &flow.on {
            let text = catalogue.card(&event.card).map_or_else(|| event.card.to_string(), |d| d.title.clone());
            plan.room = width(event.id.as_str());
            plan.titles.insert(event.id.clone(), Title { text, has_lanes: false });
        }
        plan.room = flow.cards.iter().map(|c| width(c.id.as_str())).chain([plan.room]).max().unwrap_or(0);
        plan.read(&flow.cards, &catalogue);
        for helper in flow.helpers.values() {
            plan.read(&helper.cards, &catalogue);
        }
        plan
    }

    fn read(&mut self, cards: &[Card], catalogue: &dyn Catalogue) {
        for card in cards {
            let text = if card.title.is_empty() { title(&card.kind, catalogue) } else { card.title.clone() };
            let lanes = card.kind.lanes();
            let has_lanes = !lanes.is_empty() || matches!(card.kind, CardKind::CallFlow { .. });
            self.titles.insert(card.id.clone(), Title { text, has_lanes });
            for lane in lanes {
                self.read(lane, catalogue);
            }
        }
    }

    /// Of a flow that is not at hand.
    pub(crate) fn unknown(cards: Cards) -> Self {
        Self { titles: HashMap::new(), room: ROOM, cards }
    }

    /// Remembers what the card of a step is, where the flow did not say.
    pub(crate) fn learn(&mut self, path: &StepPath, card: &str) {
        let Some(last) = path.segments().last() else { return };
        if self.titles.contains_key(&last.card) || self.titles.len() >= TITLES_MAX {
            return;
        }
        let declared = CardName::new(card).ok().and_then(|name| self.cards.card(&name));
        let has_lanes = declared.is_none() && !matches!(card, "return" | "return_raw" | "return_error" | "wait");
        let text = declared.map_or_else(|| card.replace('_', " "), |d| d.title.clone());
        self.titles.insert(last.card.clone(), Title { text, has_lanes });
    }

    /// Columns that the longest name of the first level takes.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// The name of a step: its own path, so that a nested one shows what it is in.
    pub(crate) fn label(&self, path: &StepPath) -> String {
        path.to_string()
    }

    /// What the card of a step does.
    pub(crate) fn title(&self, path: &StepPath) -> String {
        let last = path.segments().last();
        last.and_then(|s| self.titles.get(&s.card)).map(|t| t.text.clone()).unwrap_or_default()
    }

    /// Whether the step is a card around others.
    pub(crate) fn is_around(&self, path: &StepPath) -> bool {
        let last = path.segments().last();
        last.is_none_or(|s| s.index.is_some() || self.titles.get(&s.card).is_some_and(|t| t.has_lanes))
    }
}

fn title(kind: &CardKind, catalogue: &dyn Catalogue) -> String {
    match kind {
        CardKind::Call(call) => catalogue.card(&call.card).map_or_else(|| call.card.to_string(), |d| d.title.clone()),
        CardKind::CallFlow { flow, .. } | CardKind::CallFlowAsync { flow, .. } => format!("call {flow}"),
        other => other.word().replace('_', " "),
    }
}
