//! Cards in order: what each may see, and what later cards see of it.
//!
//! Must never let a name of a lane out of it.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::flow::{Call, Each, Items, Mappings, WaitUntil};
use flowdeck_model::{Card, CardKind, FieldDecl, FieldType, FlowName, Lane};

use super::Checker;
use super::control::Part;
use super::scope::{Scope, Shape};
use super::values::{RESERVED, Taker};
use crate::nearest::suggestion;
use crate::tree::Node;

impl Checker<'_, '_> {
    /// A list of cards, each seeing those before it. What they add stays in the scope until the caller takes it out.
    pub(super) fn cards(&mut self, cards: &[Card], scope: &mut Scope) {
        let mut ended: Option<&Card> = None;
        for card in cards {
            let Some(node) = self.places.cards.get(&card.id).copied() else { continue };
            if let Some(end) = ended.take() {
                let message = format!("this card can never run: `{}` always ends here", end.id);
                let remedy = "remove it, or move it before".to_string();
                self.findings.error_with("unreachable", &head_span(node, card), message, remedy);
            }
            self.look(card, scope);
            let shape = self.card(card, node, scope);
            self.name(card.id.as_str(), node.get("id").unwrap_or(node), scope);
            scope.add(card.id.as_str(), shape);
            if card.always_ends() {
                ended = Some(card);
            }
        }
    }

    /// Takes down what a card can refer to, where that is asked for.
    fn look(&mut self, card: &Card, scope: &Scope) {
        if let Some(probe) = self.probe.as_deref_mut()
            && probe.card == card.id
            && probe.flow.as_ref().is_none_or(|name| *name == self.flow.name)
        {
            probe.seen.get_or_insert_with(|| scope.seen());
        }
    }

    /// A name that is about to become visible.
    fn name(&mut self, name: &str, node: &Node, scope: &Scope) {
        if RESERVED.contains(&name) {
            let message = format!("`{name}` is a name that flowdeck itself uses in mappings");
            self.findings.error_with("reserved-name", &node.span, message, "choose another".to_string());
        } else if scope.find(name).is_some() {
            let message = format!("`{name}` already stands for something here");
            self.findings.error_with("name-taken", &node.span, message, "choose another name".to_string());
        }
    }

    /// Names of a loop or catch lane: `as`, `index`, `error`.
    fn add_name(&mut self, name: &str, key: &str, kind: FieldType, node: &Node, scope: &mut Scope) {
        self.name(name, node.get(key).unwrap_or(node), scope);
        scope.add(name, Shape::value(kind));
    }

    /// A lane: its cards see what is outside, and nothing of it stays. Answers what it gives.
    fn lane(&mut self, lane: &Lane, node: Option<&Node>, scope: &mut Scope) -> Vec<FieldDecl> {
        let mark = scope.len();
        self.cards(&lane.cards, scope);
        let given = self.mappings(&lane.give, node.and_then(|n| n.get("give")), scope);
        scope.truncate(mark);
        given
    }

    /// A lane that is a block of its own.
    fn block(&mut self, lane: &Lane, node: Option<&Node>, scope: &mut Scope) -> Vec<FieldDecl> {
        self.blocks += 1;
        let given = self.lane(lane, node, scope);
        self.blocks -= 1;
        given
    }

    fn mappings(&mut self, mappings: &Mappings, node: Option<&Node>, scope: &Scope) -> Vec<FieldDecl> {
        let fields = mappings.iter().map(|(key, mapping)| {
            let kind = self.mapping(mapping, node.and_then(|n| n.get(key)), scope);
            FieldDecl::new(key, kind)
        });
        fields.collect()
    }

    fn call(&mut self, call: &Call, node: &Node, scope: &Scope) -> Option<std::sync::Arc<flowdeck_model::CardDecl>> {
        let decl = self.declaration(&call.card, node, false, call.unbound);
        match &decl {
            Some(decl) => {
                self.slot(decl, call.slot.as_ref(), node);
                let what = format!("`{}`", call.card);
                self.fill(&Taker::card(&what), &call.with, &decl.inputs, decl.more_inputs.as_ref(), node, scope);
            }
            None => {
                self.slots_used.extend(call.slot.as_ref().map(ToString::to_string));
                self.mappings(&call.with, node.get("with"), scope);
            }
        }
        if let Some(with) = node.get("with") {
            self.no_tokens(with);
        }
        decl
    }

    fn each(&mut self, each: &Each, kind: &str, node: &Node, scope: &mut Scope) {
        let head = node.get(kind);
        let item = match &each.items {
            Items::List(mapping) => self.items(kind, mapping, head.unwrap_or(node), scope),
            Items::Pages(call) => {
                let pages = head.and_then(|n| n.get("pages")).unwrap_or(node);
                let decl = self.call(call, pages, scope);
                let item =
                    decl.as_ref().map(|d| d.pages.as_ref().and_then(|key| d.output(key)).map(|f| f.kind.clone()));
                match item {
                    Some(None) => {
                        let message = format!("`{}` does not answer in pages", call.card);
                        let remedy = "use it as a card of its own and go through its list".to_string();
                        let span = pages.get("card").map_or(pages.span.clone(), |n| n.span.clone());
                        self.findings.error_with("no-pages", &span, message, remedy);
                        FieldType::Any
                    }
                    Some(Some(FieldType::List(item))) => *item,
                    _ => FieldType::Any,
                }
            }
        };
        self.add_name(each.name.as_str(), "as", item, node, scope);
        if let Some(index) = &each.index {
            self.add_name(index.as_str(), "index", FieldType::Number, node, scope);
        }
    }

    /// Checks a card in its scope and answers what later cards see of it.
    fn card(&mut self, card: &Card, node: &Node, scope: &mut Scope) -> Shape {
        let mark = scope.len();
        let shape = self.kind(&card.kind, node, scope);
        scope.truncate(mark);
        shape
    }

    fn kind(&mut self, kind: &CardKind, node: &Node, scope: &mut Scope) -> Shape {
        let word = kind.word();
        let head = node.get(word);
        let one = |key: &str, kind: FieldType| Shape::card(vec![FieldDecl::new(key, kind)], false);
        match kind {
            CardKind::Call(call) => match self.call(call, node, scope) {
                Some(decl) => Shape::card(decl.outputs.clone(), decl.more_outputs.is_some()),
                None => Shape::card(Vec::new(), true),
            },
            CardKind::If { when, then, otherwise } => {
                self.part(word, Part::Condition, when, (head, node), scope);
                let mut given = self.lane(then, node.get("then"), scope);
                given.extend(self.lane(otherwise, node.get("else"), scope));
                Shape::card(merged(given), false)
            }
            CardKind::ElseIf { branches, otherwise } => {
                let mut given = Vec::new();
                for (i, branch) in branches.iter().enumerate() {
                    let item = head.and_then(Node::items).and_then(|items| items.get(i));
                    let place = (item.and_then(|n| n.get("when")), node);
                    self.part("when", Part::Condition, &branch.when, place, scope);
                    given.extend(self.block(&branch.lane, item, scope));
                }
                given.extend(self.block(otherwise, node.get("else"), scope));
                // What a block returns is an output too, and a return can stand anywhere in it.
                Shape::card(merged(given), true)
            }
            CardKind::AssignIf { when, then, otherwise } => {
                self.part(word, Part::Condition, when, (head, node), scope);
                let then = self.mapping(then, node.get("then"), scope);
                let other = self.mapping(otherwise, node.get("else"), scope);
                one("value", if then == other { then } else { FieldType::Any })
            }
            CardKind::Lookup { key, options, otherwise } => {
                self.part(word, Part::Text, key, (head, node), scope);
                self.mappings(options, node.get("options"), scope);
                self.mapping(otherwise, node.get("else"), scope);
                one("value", FieldType::Any)
            }
            CardKind::ContinueIf { when, message } => {
                self.part(word, Part::Condition, when, (head, node), scope);
                if let Some(message) = message {
                    self.mapping(message, node.get("message"), scope);
                }
                Shape::card(Vec::new(), false)
            }
            CardKind::CallFlow { flow, with } => Shape::card(self.helper(flow, with, node, scope), true),
            CardKind::CallFlowAsync { flow, with } => {
                self.helper(flow, with, node, scope);
                one("run", FieldType::Text)
            }
            CardKind::Return { with } => {
                self.returned(with, head, node, scope);
                Shape::card(Vec::new(), true)
            }
            CardKind::ReturnRaw { status, headers, body, go_on } => {
                for (key, part, mapping) in [("status", Part::Status, status), ("headers", Part::Object, headers)] {
                    self.part(key, part, mapping, (head.and_then(|n| n.get(key)), node), scope);
                }
                self.mapping(body, head.and_then(|n| n.get("body")), scope);
                Shape::card(Vec::new(), !go_on)
            }
            CardKind::ReturnError { message, status, with, when } => {
                let place = (head.map(|n| n.get("message").unwrap_or(n)), node);
                self.part("message", Part::Text, message, place, scope);
                for (key, part, mapping) in [("status", Part::Status, status), ("when", Part::Condition, when)] {
                    if let Some(mapping) = mapping {
                        self.part(key, part, mapping, (head.and_then(|n| n.get(key)), node), scope);
                    }
                }
                self.mappings(with, head.and_then(|n| n.get("with")), scope);
                Shape::card(Vec::new(), true)
            }
            CardKind::Wait(wait) => {
                let (key, part, mapping) = match &wait.until {
                    WaitUntil::Duration(mapping) => ("for", Part::Span, mapping),
                    WaitUntil::Time(mapping) => ("until", Part::Moment, mapping),
                    WaitUntil::Signal { name } => ("signal", Part::Name, name),
                    WaitUntil::Approval { message } => ("approval", Part::Text, message),
                };
                self.part(key, part, mapping, (head.map(|n| n.get(key).unwrap_or(n)), node), scope);
                match wait.until {
                    WaitUntil::Signal { .. } => one("payload", FieldType::Any),
                    WaitUntil::Approval { .. } => Shape::card(
                        vec![
                            FieldDecl::new("approved", FieldType::Boolean),
                            FieldDecl::new("by", FieldType::Text),
                            FieldDecl::new("comment", FieldType::Text),
                        ],
                        false,
                    ),
                    _ => Shape::card(Vec::new(), false),
                }
            }
            _ => self.repeated(kind, node, scope),
        }
    }

    /// The kinds whose lanes run more than once, side by side, or under a catch.
    fn repeated(&mut self, kind: &CardKind, node: &Node, scope: &mut Scope) -> Shape {
        let word = kind.word();
        let head = node.get(word);
        let one = |key: &str, kind: FieldType| Shape::card(vec![FieldDecl::new(key, kind)], false);
        match kind {
            CardKind::ForEach(for_each) => {
                self.each(&for_each.each, word, node, scope);
                loop_outputs(self.lane(&for_each.lane, Some(node), scope))
            }
            CardKind::Map { each, cards, value } => {
                self.each(each, word, node, scope);
                self.cards(cards, scope);
                one("list", self.mapping(value, node.get("value"), scope).list())
            }
            CardKind::Filter { each, cards, keep } => {
                self.each(each, word, node, scope);
                let item = scope.find(each.name.as_str()).map_or(FieldType::Any, |shape| shape.kind.clone());
                self.cards(cards, scope);
                self.part("keep", Part::Keep, keep, (node.get("keep"), node), scope);
                one("list", item.list())
            }
            CardKind::Reduce { each, start, cards, value } => {
                self.mapping(start, node.get("start"), scope);
                self.each(each, word, node, scope);
                scope.add("so_far", Shape::value(FieldType::Any));
                self.cards(cards, scope);
                one("value", self.mapping(value, node.get("value"), scope))
            }
            CardKind::Times { count, name, lane, .. } => {
                self.part(word, Part::Rounds, count, (head, node), scope);
                self.add_name(name.as_str(), "as", FieldType::Number, node, scope);
                loop_outputs(self.lane(lane, Some(node), scope))
            }
            CardKind::While { start, name, when, lane, .. } => {
                let carried = self.mappings(start, node.get("start"), scope);
                // Later rounds carry what the lane gives, so the types of the start prove nothing.
                let keys = carried.iter().map(|f| f.key.as_str()).chain(lane.give.keys().map(String::as_str));
                let fields = merged(keys.map(|key| FieldDecl::new(key, FieldType::Any)).collect());
                self.name(name.as_str(), node.get("as").unwrap_or(node), scope);
                scope.add(name.as_str(), Shape::card(fields.clone(), false));
                self.part(word, Part::Condition, when, (head, node), scope);
                self.lane(lane, Some(node), scope);
                let count = FieldDecl::new("count", FieldType::Number);
                Shape::card(merged(fields.into_iter().chain([count]).collect()), false)
            }
            CardKind::Try { lane, error, catch, .. } => {
                let mut given = self.block(lane, head, scope);
                let mark = scope.len();
                self.add_name(error.as_str(), "error", FieldType::Any, node, scope);
                given.extend(self.block(catch, node.get("catch"), scope));
                scope.truncate(mark);
                given.push(FieldDecl::new("failed", FieldType::Boolean));
                Shape::card(merged(given), true)
            }
            CardKind::Parallel { lanes } => {
                let fields = lanes.iter().map(|(name, lane)| {
                    let given = self.lane(lane, head.and_then(|n| n.get(name.as_str())), scope);
                    FieldDecl::new(name.as_str(), FieldType::Object(given))
                });
                Shape::card(fields.collect(), false)
            }
            _ => Shape::card(Vec::new(), true),
        }
    }

    /// A call of a helper flow; answers its declared outputs.
    fn helper(&mut self, name: &FlowName, with: &Mappings, node: &Node, scope: &Scope) -> Vec<FieldDecl> {
        let helper = self.outer.helpers.get(name);
        let helper = helper.or_else(|| self.file.iter().map(|d| &d.flow).find(|f| f.name == *name));
        let Some(helper) = helper else {
            let span = node.get("call_flow").or(node.get("call_flow_async")).unwrap_or(node).span.clone();
            let known: Vec<_> =
                self.outer.helpers.keys().chain(self.file.iter().map(|d| &d.flow.name)).map(FlowName::as_str).collect();
            let remedy = self.findings.hint(|| suggestion(name.as_str(), known.iter().copied()));
            self.findings.error_with(
                "unknown-helper",
                &span,
                format!("there is no helper flow `{name}` in this file"),
                remedy,
            );
            self.mappings(with, node.get("with"), scope);
            return Vec::new();
        };
        let what = format!("the helper flow `{name}`");
        self.fill(&Taker::helper(&what), with, &helper.inputs, None, node, scope);
        helper.outputs.clone()
    }
}

/// Each key once; where types differ, any.
fn merged(fields: Vec<FieldDecl>) -> Vec<FieldDecl> {
    let mut out: Vec<FieldDecl> = Vec::new();
    for field in fields {
        match out.iter_mut().find(|f| f.key == field.key) {
            Some(known) if known.kind != field.kind => known.kind = FieldType::Any,
            Some(_) => {}
            None => out.push(field),
        }
    }
    out
}

/// Outputs of a loop: each given key as a list, and the counts.
fn loop_outputs(given: Vec<FieldDecl>) -> Shape {
    let mut fields: Vec<_> = given.into_iter().map(|f| FieldDecl::new(&f.key, f.kind.list())).collect();
    fields.push(FieldDecl::new("count", FieldType::Number));
    fields.push(FieldDecl::new("errors", FieldType::object().list()));
    Shape::card(merged(fields), false)
}

fn head_span(node: &Node, card: &Card) -> std::ops::Range<usize> {
    node.get("id").or(node.entry(card.kind.word()).map(|e| &e.value)).unwrap_or(node).span.clone()
}
