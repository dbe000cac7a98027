//! Loops: rounds begin in order, at most so many at once, and fold away when they are over.
//!
//! Must never begin a round twice, nor keep finished rounds in the live state.
//! Tests: `tests/driver/loops.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{Each, Items, Mappings, OnLoopError};
use flowdeck_model::{CardId, CardKind, Fault, FaultCode, Fields, Mapping, Value};
use serde_json::json;

use super::context::Context;
use super::enter::one;
use super::event::Effect;
use super::program::Node;
use super::scope;
use super::state::{Container, End, FrameId, Local, LoopState, Role, Step};

/// Most rounds at once, whatever a flow says.
const CONCURRENCY_MAX: u32 = 200;
/// Most errors listed by a loop that goes on.
const ERRORS_MAX: usize = 1_000;
/// From so many items on, rounds share the list instead of copying their items out of it.
const ITEMS_SHARED_MIN: usize = 64;
/// Most pages of one loop: a provider that never ends must not keep us for ever.
const PAGES_MAX: u64 = 100_000;

fn each(kind: &CardKind) -> Option<&Each> {
    match kind {
        CardKind::ForEach(f) => Some(&f.each),
        CardKind::Map { each, .. } | CardKind::Filter { each, .. } | CardKind::Reduce { each, .. } => Some(each),
        _ => None,
    }
}

fn concurrency(kind: &CardKind) -> u32 {
    let wanted = match kind {
        CardKind::Reduce { .. } | CardKind::While { .. } => 1,
        CardKind::Times { concurrency, .. } => *concurrency,
        kind => each(kind).map_or(1, |e| e.concurrency),
    };
    wanted.clamp(1, CONCURRENCY_MAX)
}

impl Context<'_> {
    pub(super) fn begin_loop(&mut self, id: FrameId, node: &Node) -> Result<(), Fault> {
        let mut state = LoopState { complete: true, ..LoopState::default() };
        match &node.card.kind {
            CardKind::Times { count, .. } => state.end = self.count(id, count)?,
            CardKind::While { start, .. } => {
                state.carry = self.fields(id, start)?;
                state.complete = false;
            }
            kind => {
                if let CardKind::Reduce { start, .. } = kind {
                    state.carry = one("value", self.value(id, start)?);
                }
                match each(kind).map(|e| &e.items) {
                    Some(Items::List(items)) => {
                        state.items = self.value(id, items)?;
                        state.end = list_len(&state.items)?;
                    }
                    _ => state.complete = false,
                }
            }
        }
        if let Some(frame) = self.frame_mut(id) {
            frame.container = Some(Container::Loop(Box::new(state)));
            frame.step = Step::Nested;
        }
        self.pump(id)
    }

    fn count(&self, id: FrameId, count: &Mapping) -> Result<u64, Fault> {
        let value = self.value(id, count)?;
        let number = match value.as_ref() {
            Value::Null => Some(0.0),
            Value::String(text) => text.trim().parse::<f64>().ok(),
            other => other.as_f64(),
        };
        let number = number
            .filter(|n| n.is_finite())
            .ok_or_else(|| Fault::bad_input(format!("the number of rounds must be a number, but it is {value}")))?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(number.clamp(0.0, 9e15) as u64)
    }

    /// Begins as many rounds as may run, asks for the next page, or ends the loop.
    pub(super) fn pump(&mut self, id: FrameId) -> Result<(), Fault> {
        let Some(node) = self.node(id) else { return Ok(()) };
        let Some(frame) = self.state.frames.get_mut(&id) else { return Ok(()) };
        let block = node.lanes.first().copied().unwrap_or_default();
        let most = concurrency(&node.card.kind);
        let Some(l) = frame.looping() else { return Ok(()) };
        if let CardKind::While { when, name, times_max, .. } = &node.card.kind {
            if l.live > 0 {
                return Ok(());
            }
            return self.next_round(id, block, when, name, *times_max);
        }
        let mut begin = Vec::new();
        while l.live < most && l.next < l.end {
            begin.push(l.next);
            l.next += 1;
            l.live += 1;
        }
        let is_over = l.live == 0 && l.next >= l.end;
        let asks = is_over && !l.complete;
        for index in begin {
            self.begin_round(id, node, block, index)?;
        }
        if asks {
            return self.begin_call(id);
        }
        if is_over {
            self.end_loop(id, node);
        }
        Ok(())
    }

    fn next_round(&mut self, id: FrameId, block: u32, when: &Mapping, name: &CardId, most: u64) -> Result<(), Fault> {
        let Some(Container::Loop(l)) = self.frame(id).and_then(|f| f.container.as_ref()) else { return Ok(()) };
        let goes_on = scope::value(&self.scope(id, Some((name, &l.carry))), when)?;
        if !Mapping::is_true(&goes_on) {
            if let Some(node) = self.node(id) {
                self.end_loop(id, node);
            }
            return Ok(());
        }
        let (index, carry) = (l.next, l.carry.clone());
        if index >= most {
            return Err(Fault::new(FaultCode::LimitReached, format!("the loop did not end within {most} rounds"))
                .remedy("raise its limit, or correct its condition"));
        }
        if let Some(l) = self.frame_mut(id).and_then(super::state::Frame::looping) {
            l.next += 1;
            l.live += 1;
        }
        let child = self.push(id, block, Role::Iteration(index))?;
        if let Some(frame) = self.frame_mut(child) {
            frame.locals.push((name.clone(), Local::Fields(carry)));
        }
        Ok(())
    }

    fn begin_round(&mut self, id: FrameId, node: &Node, block: u32, index: u64) -> Result<(), Fault> {
        let Some(l) = self.frame_mut(id).and_then(super::state::Frame::looping) else { return Ok(()) };
        let mut locals = Vec::new();
        if let CardKind::Times { name, .. } = &node.card.kind {
            locals.push((name.clone(), Local::Value(Arc::new(Value::from(index)))));
        }
        if let Some(each) = each(&node.card.kind) {
            let place = usize::try_from(index - l.base).unwrap_or(usize::MAX);
            // In a stored state a long list stands once; a short one would stand there again for each round.
            let item = match l.items.as_array().map_or(0, Vec::len) {
                0..ITEMS_SHARED_MIN => Local::Value(Arc::new(l.items.get(place).cloned().unwrap_or(Value::Null))),
                _ => Local::Item(Arc::clone(&l.items), place),
            };
            locals.push((each.name.clone(), item));
            if let Some(name) = &each.index {
                locals.push((name.clone(), Local::Value(Arc::new(Value::from(index)))));
            }
        }
        if matches!(node.card.kind, CardKind::Reduce { .. })
            && let Some(so_far) = l.carry.shared("value").cloned()
            && let Ok(name) = CardId::new("so_far")
        {
            locals.push((name, Local::Value(so_far)));
        }
        let child = self.push(id, block, Role::Iteration(index))?;
        if let Some(frame) = self.frame_mut(child) {
            frame.locals = locals;
        }
        Ok(())
    }

    /// What a round whose cards are through gives.
    pub(super) fn round_gives(&self, id: FrameId) -> Result<Fields, Fault> {
        let Some(frame) = self.frame(id) else { return Ok(Fields::new()) };
        let parent = frame.parent.and_then(|p| self.node(p));
        let give =
            |mappings: &Mappings| if mappings.is_empty() { Ok(Fields::new()) } else { self.fields(id, mappings) };
        match parent.map(|n| &n.card.kind) {
            Some(CardKind::Map { value, .. } | CardKind::Reduce { value, .. }) => {
                Ok(one("value", self.value(id, value)?))
            }
            Some(CardKind::Filter { keep, .. }) => Ok(Fields::one("keep", self.truth(id, keep)?)),
            _ => self.program.blocks.get(frame.block as usize).map_or_else(|| Ok(Fields::new()), |b| give(&b.give)),
        }
    }

    /// A round is over; its frame is gone.
    pub(super) fn round_ended(&mut self, id: FrameId, index: u64, end: End) {
        let Some(node) = self.node(id) else { return };
        let Some(l) = self.frame_mut(id).and_then(super::state::Frame::looping) else { return };
        l.live = l.live.saturating_sub(1);
        if !l.done.add(index) {
            return;
        }
        #[expect(clippy::collapsible_match, reason = "a filter's refusal must not fall to an arm below")]
        match (&node.card.kind, end) {
            (_, End::Error { fault, .. }) => {
                if l.errors.len() < ERRORS_MAX {
                    l.errors.push((index, fault));
                }
            }
            (CardKind::While { .. } | CardKind::Reduce { .. }, End::Through(gave)) => {
                for (key, value) in gave {
                    l.carry.share(key, value);
                }
            }
            (CardKind::Filter { .. }, End::Through(gave)) => {
                if gave.get("keep") == &Value::Bool(true) {
                    let place = usize::try_from(index - l.base).unwrap_or(usize::MAX);
                    let item = l.items.get(place).cloned().unwrap_or(Value::Null);
                    l.results.push((index, Fields::one("item", item)));
                }
            }
            (_, End::Through(gave)) if !gave.is_empty() => l.results.push((index, gave)),
            // Continue If ends a round without a result: its place stays null.
            _ => {}
        }
        if let Err(fault) = self.pump(id) {
            self.fail(id, fault);
        }
    }

    /// A page came.
    pub(super) fn page_arrived(&mut self, id: FrameId, outputs: &Fields, next: Option<Value>) -> Result<(), Fault> {
        let Some(node) = self.node(id) else { return Ok(()) };
        let list = node.decl.as_ref().and_then(|d| d.pages.clone());
        let items = match &list {
            Some(key) => outputs.shared(key).cloned().unwrap_or_default(),
            None => {
                // Not declared as paged: its only list is the only page.
                let mut lists = outputs.iter().filter(|(_, v)| v.is_array());
                lists.next().map(|(_, v)| v.clone()).unwrap_or_default()
            }
        };
        let len = list_len(&items)?;
        let Some(frame) = self.frame_mut(id) else { return Ok(()) };
        frame.step = Step::Nested;
        frame.put_off = 0;
        let Some(l) = frame.looping() else { return Ok(()) };
        l.base = l.end;
        l.end += len;
        l.items = items;
        l.pages += 1;
        let repeats = next.is_some() && next == l.cursor;
        l.complete = next.is_none();
        l.cursor = next;
        if repeats {
            return Err(Fault::new(FaultCode::BadAnswer, "the app gave the same next page twice"));
        }
        if l.pages >= PAGES_MAX {
            return Err(Fault::new(FaultCode::LimitReached, format!("more than {PAGES_MAX} pages")));
        }
        self.pump(id)
    }

    fn end_loop(&mut self, id: FrameId, node: &Node) {
        let Some(l) = self.frame_mut(id).and_then(super::state::Frame::looping) else { return };
        let mut l = std::mem::take(l);
        if l.chunks > 0 {
            self.out.effects.push(Effect::Forget { frame: id, chunks: l.chunks });
        }
        l.results.sort_by_key(|(index, _)| *index);
        let rounds = l.done.count();
        let outputs = match &node.card.kind {
            CardKind::Map { .. } => Fields::one("list", column(&l, "value", l.end)),
            CardKind::Filter { .. } => {
                let kept = l.results.iter_mut().map(|(_, f)| f.take("item")).collect::<Vec<_>>();
                Fields::one("list", kept)
            }
            CardKind::Reduce { .. } => l.carry,
            CardKind::While { .. } => {
                let mut outputs = l.carry;
                outputs.set("count", rounds);
                outputs
            }
            kind => {
                let give = node.lanes.first().and_then(|b| self.program.blocks.get(*b as usize)).map(|b| &b.give);
                let mut outputs: Fields =
                    give.into_iter().flat_map(Mappings::keys).map(|k| (k.clone(), column(&l, k, l.end))).collect();
                outputs.set("count", rounds);
                let go_on = matches!(kind, CardKind::ForEach(f) if f.on_error == OnLoopError::GoOn);
                l.errors.sort_by_key(|(index, _)| *index);
                let errors = l.errors.iter().map(|(index, fault)| {
                    let mut error = super::ends::error_value(fault);
                    if let Some(map) = error.as_object_mut() {
                        map.insert("index".into(), json!(index));
                    }
                    error
                });
                outputs.set("errors", if go_on { errors.collect::<Vec<_>>() } else { Vec::new() });
                outputs
            }
        };
        self.done(id, outputs);
    }
}

/// One output of all rounds, in order of rounds; null where a round has none.
fn column(l: &LoopState, key: &str, len: u64) -> Value {
    let mut list = vec![Value::Null; usize::try_from(len).unwrap_or(0)];
    for (index, fields) in &l.results {
        if let Some(slot) = usize::try_from(*index).ok().and_then(|i| list.get_mut(i)) {
            *slot = fields.get(key).clone();
        }
    }
    Value::Array(list)
}

fn list_len(items: &Value) -> Result<u64, Fault> {
    match items {
        Value::Null => Ok(0),
        Value::Array(list) => Ok(list.len() as u64),
        other => {
            let found = match other {
                Value::Object(_) => "an object".to_owned(),
                other => other.to_string().chars().take(40).collect(),
            };
            Err(Fault::bad_input(format!("the items of a loop must be a list, but they are {found}")))
        }
    }
}
