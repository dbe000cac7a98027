//! The cards of a run as they go: one line each, and a line that moves for what is under way.
//!
//! Must never print: it answers lines; nor grow with the length of a loop.
//! Tests: `crates/cli/src/screen/golden.rs`.

use std::collections::HashMap;

use flowdeck::Cards;
use flowdeck::engine::{Entry, EntryKind, RunView, WaitReason};
use flowdeck::model::{CardId, Fault, Flow, Millis, StepPath, Value};

use super::style::{Style, beside, count, duration, pad, shorten, width};
use crate::screen::steps::plan::Plan;
use crate::screen::steps::rounds::Rounds;

pub(crate) mod plan;
pub(crate) mod rounds;

/// Most steps whose start is remembered.
const STARTS_MAX: usize = 4_096;

/// What to do with the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Stays.
    Keep(String),
    /// Takes the place of the last moving line.
    Moving(String),
}

/// Turns history into lines.
#[derive(Debug)]
pub(crate) struct Timeline {
    plan: Plan,
    style: Style,
    starts: HashMap<StepPath, Millis>,
    /// When the latest step ended or went on: the next card of a sequence began there.
    latest: Option<Millis>,
    rounds: Rounds,
    /// What is going on in loops that are under way.
    inside: HashMap<CardId, Inside>,
}

/// A loop that is under way.
#[derive(Debug, Clone, Copy, Default)]
struct Inside {
    /// Steps that ended.
    done: u64,
    /// The furthest round that was seen, from 1: several may be under way at once.
    round: u64,
}

impl Timeline {
    /// A timeline of a run of this flow.
    pub(crate) fn new(flow: &Flow, cards: Cards, style: Style) -> Self {
        Self { rounds: Rounds::of(flow), ..Self::with(Plan::of(flow, cards), style) }
    }

    /// A timeline of a run whose flow is not at hand: titles are learnt as its cards come up.
    pub(crate) fn of_run(run: &RunView, cards: Cards, style: Style) -> Self {
        let mut timeline = Self::with(Plan::unknown(cards), style);
        timeline.latest = run.waits.is_empty().then_some(run.started_at);
        timeline
    }

    fn with(plan: Plan, style: Style) -> Self {
        Self { plan, style, starts: HashMap::new(), latest: None, rounds: Rounds::default(), inside: HashMap::new() }
    }

    /// What an entry adds to the screen.
    pub(crate) fn entry(&mut self, entry: &Entry) -> Vec<Line> {
        let style = self.style;
        let path = &entry.path;
        match &entry.what {
            EntryKind::RunStarted { .. } => {
                self.latest = Some(entry.at);
                Vec::new()
            }
            EntryKind::StepStarted { card, .. } => {
                self.plan.learn(path, card.as_str());
                if self.starts.len() < STARTS_MAX {
                    self.starts.entry(path.clone()).or_insert(entry.at);
                }
                self.moving(path)
            }
            EntryKind::StepFinished { outputs, card } => {
                self.plan.learn(path, card);
                if let (Some(last), Some(outputs)) = (path.segments().last(), outputs) {
                    self.rounds.learn(&last.card, outputs);
                }
                let amount = outputs.as_ref().map(|o| amount(card, &o.to_value())).unwrap_or_default();
                self.finished(path, entry.at, &amount)
            }
            EntryKind::StepFailed { fault, again_at, card } => {
                self.plan.learn(path, card);
                self.failed(path, entry.at, fault, *again_at)
            }
            EntryKind::Waiting(reason) => self.waits(path, reason),
            EntryKind::Resumed => {
                self.starts.remove(path);
                self.latest = Some(entry.at);
                vec![Line::Keep(self.line(path, &style.key(style.sign("▸", ">")), "goes on"))]
            }
            EntryKind::InDoubt { fault, ask } => {
                let text = format!("it is not known whether this happened: {}", fault.message);
                let text = if *ask { text } else { format!("{text}; looking it up") };
                vec![Line::Keep(self.line(path, &style.waiting("?"), &text))]
            }
            EntryKind::Settled { how, by } => {
                let text = format!("settled by {}: {}", by.replace('_', " "), how.replace('_', " "));
                vec![Line::Keep(self.line(path, &style.key(style.sign("▸", ">")), &text))]
            }
            EntryKind::ChildStarted { run } => {
                vec![Line::Keep(self.line(path, &style.key(style.sign("↳", ">")), &format!("started {run}")))]
            }
            EntryKind::PageCame { .. }
            | EntryKind::Asked { .. }
            | EntryKind::Intent(_)
            | EntryKind::RunEnded { .. } => Vec::new(),
        }
    }

    /// What is under way, before it is committed.
    pub(crate) fn under_way(&mut self, path: &StepPath) -> Vec<Line> {
        self.moving(path)
    }

    fn finished(&mut self, path: &StepPath, at: Millis, amount: &str) -> Vec<Line> {
        if let Some((card, _)) = repeated(path) {
            self.inside.entry(card).or_default().done += 1;
            self.starts.remove(path);
            return self.moving(path);
        }
        let began = self.starts.remove(path).or(self.latest);
        let took = began.map(|began| duration(at.since(began))).unwrap_or_default();
        self.latest = Some(at);
        if let Some(last) = path.segments().last() {
            self.inside.remove(&last.card);
        }
        let sign = self.style.good(self.style.sign("✓", "+"));
        vec![Line::Keep(self.done(path, &sign, amount, &took))]
    }

    fn failed(&mut self, path: &StepPath, at: Millis, fault: &Fault, again_at: Option<Millis>) -> Vec<Line> {
        let style = self.style;
        if let Some(again) = again_at {
            let text = format!("again in {}: {}", duration(again.since(at)), fault.message);
            return vec![Line::Keep(self.line(path, &style.waiting(style.sign("↻", "~")), &text))];
        }
        self.starts.remove(path);
        self.latest = Some(at);
        // A fault passes through every card around it; it is told once, where it happened.
        if self.plan.is_around(path) {
            return Vec::new();
        }
        let text = format!("{} [{}]", fault.message, fault.code.as_str());
        vec![Line::Keep(self.line(path, &style.bad(style.sign("✗", "x")), &text))]
    }

    fn waits(&self, path: &StepPath, reason: &WaitReason) -> Vec<Line> {
        let style = self.style;
        let text = match reason {
            WaitReason::Connection { .. } => "waits for a connection".to_owned(),
            WaitReason::Approval { message } => format!("waits for approval: {message}"),
            WaitReason::Signal { name } => format!("waits for the signal `{name}`"),
            WaitReason::Time { until } => format!("waits until {}", until.to_iso()),
            WaitReason::Retry { .. } => return Vec::new(),
            WaitReason::InDoubt { message, .. } => format!("waits for a decision: {message}"),
        };
        vec![Line::Keep(self.line(path, &style.waiting(style.sign("‖", "|")), &text))]
    }

    fn moving(&mut self, path: &StepPath) -> Vec<Line> {
        let (card, title) = match repeated(path) {
            Some((card, index)) => {
                let inside = self.inside.entry(card.clone()).or_default();
                inside.round = inside.round.max(index + 1);
                let Inside { done, round } = *inside;
                let at = match self.rounds.of_loop(&card) {
                    Some(all) if all >= round => format!("{round} of {all}"),
                    _ => format!("number {round}"),
                };
                let steps = if done == 0 { String::new() } else { format!("  {} done", count(done, "step")) };
                (card.to_string(), format!("{at}{steps}"))
            }
            None => (self.plan.label(path), self.plan.title(path)),
        };
        let text = format!("  {} {}  {}", self.style.sign("…", "."), card, title.trim());
        vec![Line::Moving(self.style.dim(&shorten(text.trim_end(), self.style.width.saturating_sub(1))))]
    }

    /// `✓ staff  List people  24 people  41 ms`.
    fn done(&self, path: &StepPath, sign: &str, amount: &str, took: &str) -> String {
        let style = self.style;
        let (label, room) = self.label(path);
        let title = self.plan.title(path);
        if style.is_narrow() {
            let used = 4 + width(&label) + 2 + width(took);
            let gap = style.width.saturating_sub(used + 1).max(1);
            return format!("  {sign} {label}{}{}", " ".repeat(gap), style.dim(took));
        }
        let words = if amount.is_empty() { title } else { format!("{title}, {amount}") };
        let end = style.text_width().saturating_sub(room + 4 + 10);
        let words = shorten(&words, end);
        format!("  {sign} {}{}{}", pad(&label, room), pad(&words, end + 1), style.dim(&format!("{took:>8}")))
            .trim_end()
            .to_owned()
    }

    /// `‖ staff  text`, the text broken beside the name.
    fn line(&self, path: &StepPath, sign: &str, text: &str) -> String {
        let style = self.style;
        let (label, room) = self.label(path);
        let column = if style.is_narrow() { 6 } else { room + 4 };
        let taken = if style.is_narrow() { column } else { 4 + width(&label) };
        beside(&format!("  {sign} {label}"), taken, column, text, style.text_width()).trim_end().to_owned()
    }

    fn label(&self, path: &StepPath) -> (String, usize) {
        let room = self.plan.room().min(self.style.width / 3).max(8);
        (shorten(&self.plan.label(path), (self.style.width / 2).max(8)), room + 2)
    }
}

/// The outermost loop around a step and the number of its turn.
fn repeated(path: &StepPath) -> Option<(CardId, u64)> {
    let around = path.segments().iter().find(|s| s.index.is_some())?;
    Some((around.card.clone(), around.index.unwrap_or(0)))
}

/// `24 people`, `3 times, 1 error`: the size of the one list that a step gave, or the turns of a loop.
fn amount(card: &str, outputs: &Value) -> String {
    let errors = outputs.get("errors").and_then(Value::as_array).map_or(0, Vec::len);
    let mut words = Vec::new();
    let lists: Vec<_> = outputs
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_array()?.len())))
        .filter(|(key, _)| *key != "errors")
        .collect();
    match (outputs.get("count").and_then(Value::as_f64), lists.as_slice()) {
        (_, [("list", n)]) if card == "filter" => words.push(format!("{n} left")),
        (_, [("list", n)]) => words.push(count(*n as u64, "item")),
        (_, [(key, n)]) => words.push(format!("{n} {}", if *n == 1 { singular(key) } else { (*key).to_owned() })),
        (Some(1.0), _) => words.push("once".to_owned()),
        (Some(n), _) if n >= 0.0 => words.push(format!("{n:.0} times")),
        _ => {}
    }
    if errors > 0 {
        words.push(count(errors as u64, "error"));
    }
    words.join(", ")
}

/// One of what a list's name says many of.
fn singular(many: &str) -> String {
    match many {
        "people" | "People" => many.replace("eople", "erson"),
        "entries" => "entry".to_owned(),
        _ => many.strip_suffix('s').unwrap_or(many).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::amount;
    use serde_json::json;

    #[test]
    fn amounts_are_said_as_people_say_them() {
        for (card, outputs, words) in [
            ("playground/listPeople", json!({ "people": [1, 2] }), "2 people"),
            ("playground/listPeople", json!({ "people": [1] }), "1 person"),
            ("playground/listGroups", json!({ "groups": [1] }), "1 group"),
            ("playground/listGroups", json!({ "groups": [] }), "0 groups"),
            ("filter", json!({ "list": [1] }), "1 left"),
            ("map", json!({ "list": [1] }), "1 item"),
            ("for_each", json!({ "count": 3.0, "errors": [] }), "3 times"),
            ("for_each", json!({ "count": 1.0, "errors": [{}] }), "once, 1 error"),
            ("date/now", json!({ "date": "x" }), ""),
        ] {
            assert_eq!(amount(card, &outputs), words, "{card} {outputs}");
        }
    }
}
