//! Follows secrets through a program's mappings until nothing new is found.
//!
//! Pure. Must never take a card's secrecy back: what is secret only grows, so the search ends.
//! Tests: `tests/driver/secrets.rs`.

use std::collections::HashMap;

use flowdeck_model::flow::{Call, Each, Items, Mappings, Trigger, WaitUntil};
use flowdeck_model::mapping::TemplatePart;
use flowdeck_model::{CardKind, FieldDecl, Flow, FlowName, Mapping, Value};

use super::{Card, Secrets, Taint, is_action};
use crate::machine::program::{Block, BlockId, Node, Program};

/// More rounds than any flow needs to settle; beyond them everything counts as secret.
const ROUNDS_MAX: usize = 1_000;

pub(super) fn secret_keys(fields: &[FieldDecl]) -> Taint {
    Taint::of(fields.iter().filter(|f| f.secret).map(|f| f.key.clone()))
}

/// Works out what is secret in a program.
#[must_use]
pub fn analyse(program: &Program) -> Secrets {
    let flows = || std::iter::once(program.flow.as_ref()).chain(program.flow.helpers.values());
    let declares = |fields: &[FieldDecl]| fields.iter().any(|f| f.secret);
    let by_flows = flows().any(|f: &Flow| declares(&f.inputs));
    let mut decls = program.blocks.iter().flat_map(|b| &b.nodes).filter_map(|n| n.decl.as_ref());
    if !by_flows && !decls.any(|d| declares(&d.inputs) || declares(&d.outputs)) {
        return Secrets { none: true, ..Secrets::default() };
    }
    let mut found = Secrets::default();
    found.inputs.insert(None, secret_keys(&program.flow.inputs));
    for (name, helper) in &program.flow.helpers {
        found.inputs.insert(Some(name.clone()), secret_keys(&helper.inputs));
    }
    if let (Trigger::Event(_), Some(event)) = (&program.flow.on, program.blocks.first().and_then(|b| b.nodes.first())) {
        found.event = event.decl.as_ref().map(|d| secret_keys(&d.outputs)).unwrap_or_default();
    }
    let parents = parents(program);
    for _ in 0..ROUNDS_MAX {
        let mut pass = Pass { program, parents: &parents, found: &mut found, changed: false };
        for block in 0..program.blocks.len() {
            pass.block(u32::try_from(block).unwrap_or(u32::MAX));
        }
        if !pass.changed {
            return found;
        }
    }
    Secrets { all: true, ..found }
}

/// The card around each block.
fn parents(program: &Program) -> HashMap<BlockId, (BlockId, u32)> {
    let mut parents = HashMap::new();
    for (block, at, node) in nodes(program) {
        for lane in &node.lanes {
            parents.insert(*lane, (block, at));
        }
    }
    parents
}

fn nodes(program: &Program) -> impl Iterator<Item = (BlockId, u32, &Node)> {
    program.blocks.iter().enumerate().flat_map(|(block, b)| {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        b.nodes.iter().enumerate().map(move |(at, node)| (number(block), number(at), node))
    })
}

/// One round over all cards; what is secret only ever grows.
struct Pass<'a> {
    program: &'a Program,
    parents: &'a HashMap<BlockId, (BlockId, u32)>,
    found: &'a mut Secrets,
    changed: bool,
}

impl<'a> Pass<'a> {
    fn block(&mut self, id: BlockId) {
        let program = self.program;
        let Some(block) = program.blocks.get(id as usize) else { return };
        for (at, node) in block.nodes.iter().enumerate() {
            let card = self.card(id, node);
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let known = self.found.cards.entry((id, at)).or_default();
            let joined = Card { takes: known.takes || card.takes, gives: known.gives.clone().join(card.gives) };
            if *known != joined {
                *known = joined;
                self.changed = true;
            }
        }
        // The end of the list, where what it gives is worked out.
        let end = u32::try_from(block.nodes.len()).unwrap_or(u32::MAX);
        let around = self.parents.get(&id).and_then(|(parent, at)| program.node(*parent, *at));
        let worked_out = match around.map(|node| &node.card.kind) {
            Some(CardKind::Map { value, .. } | CardKind::Reduce { value, .. }) => self.is(id, value),
            Some(CardKind::Filter { keep, .. }) => self.is(id, keep),
            _ => self.any(id, &block.give),
        };
        if worked_out && !self.found.takes(id, end) {
            self.found.cards.entry((id, end)).or_default().takes = true;
            self.changed = true;
        }
        if !self.parents.contains_key(&id)
            && let Some(last) = block.nodes.len().checked_sub(1)
        {
            // Without Return a list gives what its last card gave.
            let last = self.found.outputs(id, u32::try_from(last).unwrap_or(u32::MAX));
            self.result(block, last);
        }
    }

    fn result(&mut self, block: &Block, taint: Taint) {
        grow(self.found.results.entry(block.helper.clone()).or_default(), taint, &mut self.changed);
    }

    fn local(&mut self, block: BlockId, name: &str, tainted: bool) {
        let known = self.found.locals.entry(block).or_default().entry(name.to_owned()).or_default();
        if tainted && !*known {
            *known = true;
            self.changed = true;
        }
    }

    fn card(&mut self, id: BlockId, node: &'a Node) -> Card {
        let program = self.program;
        let Some(block) = program.blocks.get(id as usize) else { return Card::default() };
        match &node.card.kind {
            CardKind::Call(call) => self.call(id, node, call),
            CardKind::If { when, .. } => Card { takes: self.is(id, when), gives: self.gives(&node.lanes) },
            CardKind::ElseIf { branches, .. } => {
                let takes = branches.iter().any(|b| self.is(id, &b.when));
                Card { takes, gives: self.gives(&node.lanes).join(self.returns(&node.lanes)) }
            }
            CardKind::AssignIf { when, then, otherwise } => {
                let takes = [when, then, otherwise].into_iter().any(|m| self.is(id, m));
                Card { takes, gives: Taint::when(takes) }
            }
            CardKind::Lookup { key, options, otherwise } => {
                let takes = self.is(id, key) || self.is(id, otherwise) || self.any(id, options);
                Card { takes, gives: Taint::when(takes) }
            }
            CardKind::ContinueIf { when, message } => {
                let tells = message.as_ref().is_some_and(|m| self.is(id, m));
                self.result(block, Taint::key("message", tells));
                Card { takes: tells || self.is(id, when), gives: Taint::None }
            }
            CardKind::ForEach(f) => {
                let takes = self.items(id, node, &f.each);
                let errors = Taint::key("errors", self.takes_below(&node.lanes));
                Card { takes, gives: self.gives(&node.lanes).join(errors) }
            }
            CardKind::Map { each, value, .. } => {
                let takes = self.items(id, node, each);
                Card { takes, gives: Taint::key("list", node.lanes.iter().any(|lane| self.is(*lane, value))) }
            }
            CardKind::Filter { each, .. } => {
                let takes = self.items(id, node, each);
                Card { takes, gives: Taint::key("list", takes) }
            }
            CardKind::Reduce { each, start, value, .. } => {
                let takes = self.items(id, node, each) || self.is(id, start);
                let carried = self.is(id, start) || node.lanes.iter().any(|lane| self.is(*lane, value));
                node.lanes.iter().for_each(|lane| self.local(*lane, "so_far", carried));
                Card { takes, gives: Taint::key("value", carried) }
            }
            CardKind::Times { count, .. } => {
                let errors = Taint::key("errors", self.takes_below(&node.lanes));
                Card { takes: self.is(id, count), gives: self.gives(&node.lanes).join(errors) }
            }
            CardKind::While { start, name, when, .. } => {
                let carried = self.any(id, start) || self.gives(&node.lanes).is_some();
                node.lanes.iter().for_each(|lane| self.local(*lane, name.as_str(), carried));
                let takes = carried || self.is(id, when);
                Card { takes, gives: Taint::when(carried) }
            }
            CardKind::Try { error, .. } => {
                let (lane, catch) = node.lanes.split_at(node.lanes.len().min(1));
                let told = self.takes_below(lane);
                catch.iter().for_each(|block| self.local(*block, error.as_str(), told));
                Card { takes: told, gives: self.gives(&node.lanes).join(self.returns(&node.lanes)) }
            }
            CardKind::Parallel { lanes } => {
                let names = lanes.keys().zip(&node.lanes);
                let secret = names.filter(|(_, lane)| self.gives(&[**lane]).is_some());
                Card { takes: false, gives: Taint::of(secret.map(|(name, _)| name.as_str().to_owned())) }
            }
            CardKind::CallFlow { flow, with } => {
                let takes = self.helper(id, flow, with);
                Card { takes, gives: self.found.results(Some(flow)) }
            }
            CardKind::CallFlowAsync { flow, with } => Card { takes: self.helper(id, flow, with), gives: Taint::None },
            CardKind::Return { with } => {
                let keys = Taint::of(with.iter().filter(|(_, m)| self.is(id, m)).map(|(k, _)| k.clone()));
                let takes = keys.is_some();
                self.result(block, keys);
                Card { takes, gives: Taint::None }
            }
            CardKind::ReturnRaw { status, headers, body, .. } => {
                let takes = [status, headers, body].into_iter().any(|m| self.is(id, m));
                self.result(block, Taint::when(takes));
                Card { takes, gives: Taint::None }
            }
            CardKind::ReturnError { message, status, with, when } => {
                let some = status.iter().chain(when).any(|m| self.is(id, m));
                Card { takes: some || self.is(id, message) || self.any(id, with), gives: Taint::None }
            }
            CardKind::Wait(wait) => {
                let (WaitUntil::Duration(m)
                | WaitUntil::Time(m)
                | WaitUntil::Signal { name: m }
                | WaitUntil::Approval { message: m }) = &wait.until;
                Card { takes: self.is(id, m), gives: Taint::None }
            }
        }
    }

    fn call(&self, id: BlockId, node: &Node, call: &Call) -> Card {
        let fills = |key: &str| call.with.get(key).is_some_and(|m| *m != Mapping::Literal(Value::Null));
        let own = node.decl.iter().flat_map(|d| &d.inputs).any(|f| f.secret && fills(&f.key));
        let takes = own || self.any(id, &call.with);
        let declared = node.decl.as_ref().map(|d| secret_keys(&d.outputs)).unwrap_or_default();
        let gives = if is_action(node) { declared } else { Taint::when(takes).join(declared) };
        Card { takes, gives }
    }

    /// Whether a loop's items are secret; gives its lanes the item's name.
    fn items(&mut self, id: BlockId, node: &Node, each: &Each) -> bool {
        let (takes, secret) = match &each.items {
            Items::List(list) => {
                let secret = self.is(id, list);
                (secret, secret)
            }
            Items::Pages(call) => {
                let card = self.call(id, node, call);
                (card.takes, card.gives.is_some())
            }
        };
        node.lanes.iter().for_each(|lane| self.local(*lane, each.name.as_str(), secret));
        takes || secret
    }

    /// Tells a helper what it gets.
    fn helper(&mut self, id: BlockId, flow: &FlowName, with: &Mappings) -> bool {
        let keys = Taint::of(with.iter().filter(|(_, m)| self.is(id, m)).map(|(k, _)| k.clone()));
        let takes = keys.is_some();
        grow(self.found.inputs.entry(Some(flow.clone())).or_default(), keys, &mut self.changed);
        takes
    }

    /// What lanes give at their ends.
    fn gives(&self, lanes: &[BlockId]) -> Taint {
        let mut all = Taint::None;
        for lane in lanes {
            let Some(block) = self.program.blocks.get(*lane as usize) else { continue };
            all = all.join(Taint::of(block.give.iter().filter(|(_, m)| self.is(*lane, m)).map(|(k, _)| k.clone())));
        }
        all
    }

    /// What Return and Continue If give, anywhere below lanes that they leave.
    fn returns(&self, lanes: &[BlockId]) -> Taint {
        let mut tells = false;
        self.below(lanes, &mut |block, at, node| {
            let leaves = matches!(node.card.kind, CardKind::Return { .. } | CardKind::ContinueIf { .. });
            tells |= leaves && self.found.takes(block, at);
        });
        Taint::when(tells)
    }

    /// Whether any card below takes something secret, so that a fault may tell it.
    fn takes_below(&self, lanes: &[BlockId]) -> bool {
        let mut takes = false;
        self.below(lanes, &mut |block, at, node| {
            takes |= self.found.takes(block, at);
            // The helper's own cards are elsewhere.
            takes |= matches!(node.card.kind, CardKind::CallFlow { .. }) && self.helper_takes();
        });
        takes
    }

    /// Whether a card of any helper takes something secret: which helper a fault comes from is not followed.
    fn helper_takes(&self) -> bool {
        let mut all = nodes(self.program);
        let in_helper = |block: BlockId| self.program.blocks.get(block as usize).is_some_and(|b| b.helper.is_some());
        all.any(|(block, at, _)| in_helper(block) && self.found.takes(block, at))
    }

    fn below(&self, lanes: &[BlockId], visit: &mut dyn FnMut(BlockId, u32, &Node)) {
        for lane in lanes {
            let Some(block) = self.program.blocks.get(*lane as usize) else { continue };
            for (at, node) in block.nodes.iter().enumerate() {
                visit(*lane, u32::try_from(at).unwrap_or(u32::MAX), node);
                self.below(&node.lanes, visit);
            }
        }
    }

    fn any(&self, block: BlockId, mappings: &Mappings) -> bool {
        mappings.values().any(|m| self.is(block, m))
    }

    /// Whether a mapping's value is secret.
    fn is(&self, block: BlockId, mapping: &Mapping) -> bool {
        match mapping {
            Mapping::Literal(_) => false,
            Mapping::Reference(reference) => self.name(block, &reference.root).covers(reference),
            Mapping::Expression(e) => e.references().into_iter().any(|r| self.name(block, &r.root).covers(r)),
            Mapping::Template(parts) => parts.iter().any(|part| match part {
                TemplatePart::Text(_) => false,
                TemplatePart::Reference(r) => self.name(block, &r.root).covers(r),
                TemplatePart::Expression(e) => e.references().into_iter().any(|r| self.name(block, &r.root).covers(r)),
            }),
            Mapping::List(list) => list.iter().any(|m| self.is(block, m)),
            Mapping::Object(map) => map.values().any(|m| self.is(block, m)),
        }
    }

    /// What a name means at a place, as `scope` finds it.
    fn name(&self, block: BlockId, name: &str) -> Taint {
        let mut at = Some(block);
        while let Some(id) = at {
            if let Some(local) = self.found.locals.get(&id).and_then(|names| names.get(name)) {
                return Taint::when(*local);
            }
            let Some(block) = self.program.blocks.get(id as usize) else { break };
            if let Some(place) = block.index.get(name) {
                return self.found.outputs(id, u32::try_from(*place).unwrap_or(u32::MAX));
            }
            at = self.parents.get(&id).map(|(parent, _)| *parent);
            if at.is_none() && name == "input" {
                return self.found.inputs(block.helper.as_ref());
            }
        }
        if name == "event" { self.found.event() } else { Taint::None }
    }
}

fn grow(known: &mut Taint, more: Taint, changed: &mut bool) {
    let joined = known.clone().join(more);
    if *known != joined {
        *known = joined;
        *changed = true;
    }
}
