//! What an import did: what became of what, what was changed, what could not be kept.
//!
//! Must never hold a value of the export, only names and ids.
//! Tests: `tests/import.rs`.

use std::fmt::Write as _;

use serde::Serialize;

use super::raw::RawCard;

/// Most notes of one kind; more are only counted.
const NOTES_MAX: usize = 2000;

/// The report of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The export's name.
    pub export: String,
    /// Flows in the order of the export. All arrive switched off: importing starts nothing.
    pub flows: Vec<FlowPlace>,
    /// What each card became.
    pub cards: Vec<CardPlace>,
    /// Connections that the flows want.
    pub slots: Vec<SlotPlace>,
    /// Tables, without rows: exports hold none.
    pub tables: Vec<TablePlace>,
    /// What was written in another way.
    pub changed: Vec<ReportNote>,
    /// What could not be kept, and why.
    pub lost: Vec<ReportNote>,
    /// Cards that no app or function serves yet.
    pub unbound: Vec<Unbound>,
    /// Notes left out because there were too many.
    pub notes_left_out: usize,
}

/// A flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowPlace {
    /// Its id in the export.
    pub export_id: String,
    /// Its name in the export.
    pub title: String,
    /// Its name now.
    pub flow: String,
    /// What starts it: `helper`, `schedule`, `event`, `endpoint`, `delegated`, `manual`.
    pub start: &'static str,
    /// Whether it starts by itself; never right after an import.
    pub enabled: bool,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardPlace {
    /// The flow's id in the export.
    pub export_flow: String,
    /// The card's id in the export; unique in its flow.
    pub export_card: String,
    /// `family/method` in the export.
    pub export_name: String,
    /// Its flow now.
    pub flow: String,
    /// Its card id now.
    pub card: String,
}

/// A slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotPlace {
    /// Its name in the flows.
    pub slot: String,
    /// The app.
    pub app: String,
    /// The connector of the export.
    pub connector: String,
    /// The connection's name in the export, where it had one.
    pub nickname: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TablePlace {
    /// Its id in the export.
    pub export_id: String,
    /// Its name.
    pub table: String,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportNote {
    /// The flow.
    pub flow: String,
    /// The card; empty for the flow as a whole.
    pub card: String,
    /// What, in a sentence.
    pub what: String,
}

/// A card without an implementation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unbound {
    /// The flow.
    pub flow: String,
    /// The card's id.
    pub card: String,
    /// The operation that is not there: `family/method`.
    pub name: String,
    /// The app of the export; empty for a function card.
    pub app: String,
    /// Why it is not there.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

impl Report {
    pub(super) fn changed(&mut self, flow: &str, card: &str, what: impl Into<String>) {
        let note = ReportNote { flow: flow.into(), card: card.into(), what: what.into() };
        push(&mut self.changed, note, &mut self.notes_left_out);
    }

    pub(super) fn lost(&mut self, flow: &str, card: &str, what: impl Into<String>) {
        let note = ReportNote { flow: flow.into(), card: card.into(), what: what.into() };
        push(&mut self.lost, note, &mut self.notes_left_out);
    }

    pub(super) fn unbound(&mut self, flow: &str, card: &str, raw: &RawCard<'_>, why: String, remedy: String) {
        let app = if raw.kernel { "" } else { raw.family };
        let unbound = Unbound { flow: flow.into(), card: card.into(), name: raw.name(), app: app.into(), why, remedy };
        push(&mut self.unbound, unbound, &mut self.notes_left_out);
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let (flows, cards) = (counted(self.flows.len(), "flow"), counted(self.cards.len(), "card"));
        let _ = writeln!(out, "{}: {flows}, {cards}", self.export);
        for flow in &self.flows {
            let _ = writeln!(out, "  {}  ({}, off)  {}", flow.flow, flow.start, flow.title);
        }
        let part = |out: &mut String, title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                let _ = writeln!(out, "\n{title}");
                for line in lines {
                    let _ = writeln!(out, "  {line}");
                }
            }
        };
        let slot = |s: &SlotPlace| match s.nickname.as_str() {
            "" => format!("{}: a connection to {}", s.slot, s.app),
            nickname => format!("{}: a connection to {}, called `{nickname}` in the export", s.slot, s.app),
        };
        part(&mut out, "Connections wanted", self.slots.iter().map(slot).collect());
        part(&mut out, "Tables (empty)", self.tables.iter().map(|t| t.table.clone()).collect());
        let note = |n: &ReportNote| match (n.flow.as_str(), n.card.as_str()) {
            (place, "") | ("", place) => format!("{place}: {}", n.what),
            (flow, card) => format!("{flow}, {card}: {}", n.what),
        };
        part(&mut out, "Changed", self.changed.iter().map(note).collect());
        part(&mut out, "Not kept", self.lost.iter().map(note).collect());
        let unbound = |u: &Unbound| format!("{}, {}: {}; {}", u.flow, u.card, u.why, u.remedy);
        part(&mut out, "Not bound yet", self.unbound.iter().map(unbound).collect());
        if self.notes_left_out > 0 {
            let _ = writeln!(out, "\n{} more notes are not listed.", self.notes_left_out);
        }
        out
    }
}

/// A number of things in words.
fn counted(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

fn push<T>(list: &mut Vec<T>, item: T, left_out: &mut usize) {
    if list.len() < NOTES_MAX { list.push(item) } else { *left_out += 1 }
}
