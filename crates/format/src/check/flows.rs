//! A flow's own parts: slots, what starts it, limits, helpers that call each other.
//!
//! Must never follow a cycle without end.
//! Tests: `tests/diagnostics.rs`.

use flowdeck_model::{AppName, CardDecl, CardKind, CardName, CardRole, FieldDecl, FieldType, Flow, SlotName, Trigger};

use super::scope::{Scope, Shape};
use super::values::Taker;
use super::{Checker, cron, lists};
use crate::findings::Findings;
use crate::nearest::suggestion;
use crate::read::Draft;
use crate::tree::Node;
use crate::unbound;

impl Checker<'_, '_> {
    /// The whole flow.
    pub(super) fn flow(&mut self) {
        let node = self.places.flow;
        let errors = self.findings.errors();
        if !self.places.slots_inherited {
            self.slots(node);
        }
        let mut scope = Scope::default();
        scope.add("input", Shape::card(self.flow.inputs.clone(), false));
        scope.add("run", Shape::value(FieldType::object()));
        self.secret_defaults(node);
        self.trigger(node, &mut scope);
        self.limits(node);
        self.cards(&self.flow.cards, &mut scope);
        // A wrong card or slot may be the one that was to use it.
        if self.places.slots_inherited || self.findings.errors() > errors {
            return;
        }
        for name in self.flow.slots.keys().filter(|name| !self.slots_used.contains(name.as_str())) {
            let span = node.get("slots").and_then(|n| n.entry(name.as_str())).map_or(0..0, |e| e.key_span.clone());
            let message = format!("no card uses the slot `{name}`");
            self.findings.warning("unused-slot", &span, message, "remove it".to_string());
        }
    }

    fn slots(&mut self, node: &Node) {
        for (name, slot) in &self.flow.slots {
            if !self.catalogue.has_app(&slot.app) && !lists::is_unbound(self.flow, name) {
                let entry = node.get("slots").and_then(|n| n.get(name.as_str()));
                let span = entry.map_or(0..0, |n| n.get("app").unwrap_or(n).span.clone());
                let apps = self.catalogue.apps();
                let remedy = self.findings.hint(|| suggestion(slot.app.as_str(), apps.iter().map(AppName::as_str)));
                self.findings.error_with("unknown-app", &span, format!("there is no app `{}`", slot.app), remedy);
            }
        }
    }

    fn secret_defaults(&mut self, node: &Node) {
        for field in self.flow.inputs.iter().filter(|f| f.secret) {
            let default = node.get("inputs").and_then(|n| n.get(&field.key)).and_then(|n| n.get("default"));
            if let (Some(default), Some(true)) = (default, field.default.as_ref().map(|d| !d.is_null())) {
                let message = format!("the secret input `{}` has its value in the file", field.key);
                let remedy = "remove the default; the value is given when the flow is started".to_string();
                self.findings.error_with("secret-in-file", &default.span, message, remedy);
            }
        }
    }

    fn trigger(&mut self, node: &Node, scope: &mut Scope) {
        let on = node.get("on");
        match &self.flow.on {
            Trigger::Manual => {}
            Trigger::Delegated => {
                scope.add("event", Shape::card(vec![FieldDecl::new("user_id", FieldType::Text)], true));
            }
            Trigger::Endpoint(endpoint) => {
                let field = |key: &str, kind| FieldDecl::new(key, kind);
                let raw = vec![
                    field("headers", FieldType::object()),
                    field("query", FieldType::object()),
                    field("body", FieldType::Text),
                ];
                let body =
                    if endpoint.body.is_empty() { FieldType::Any } else { FieldType::Object(endpoint.body.clone()) };
                let fields = [
                    field("method", FieldType::Text),
                    field("path", FieldType::Text),
                    field("raw", FieldType::Object(raw)),
                    field("body", body),
                    field("query", FieldType::Object(endpoint.query.clone())),
                    field("headers", FieldType::Object(endpoint.headers.clone())),
                ];
                scope.add("event", Shape::card(fields.into(), true));
            }
            Trigger::Schedule(schedule) => {
                let part =
                    |key| on.and_then(|n| n.get("schedule")).and_then(|n| n.get(key)).map_or(0..0, |n| n.span.clone());
                if let Some(wrong) = cron::wrong(schedule) {
                    let remedy = "an example: `0 9 * * MON-FRI`, at nine on working days".to_string();
                    self.findings.error_with("bad-cron", &part("cron"), wrong, remedy);
                }
                if jiff::tz::TimeZone::get(&schedule.timezone).is_err() {
                    let names: Vec<_> = jiff::tz::db().available().map(|n| n.as_str().to_string()).collect();
                    let near = crate::nearest::nearest(&schedule.timezone, names.iter().map(String::as_str));
                    let remedy = near.map_or("an example: `Europe/Berlin`".into(), |n| format!("did you mean `{n}`?"));
                    let shown: String = schedule.timezone.chars().take(60).collect();
                    let message = format!("there is no time zone `{shown}`");
                    self.findings.error_with("unknown-timezone", &part("timezone"), message, remedy);
                }
                scope.add("event", Shape::card(vec![FieldDecl::new("scheduled_at", FieldType::Date)], true));
            }
            Trigger::Event(event) => {
                let Some(on) = on else { return };
                if let Some(decl) = self.declaration(&event.card, on, true, event.unbound) {
                    self.slot(&decl, event.slot.as_ref(), on);
                    let what = format!("`{}`", event.card);
                    self.fill(&Taker::card(&what), &event.with, &decl.inputs, decl.more_inputs.as_ref(), on, scope);
                    scope.add(event.id.as_str(), Shape::card(decl.outputs.clone(), decl.more_outputs.is_some()));
                } else {
                    self.slots_used.extend(event.slot.as_ref().map(ToString::to_string));
                    scope.add(event.id.as_str(), Shape::card(Vec::new(), true));
                }
            }
        }
    }

    fn limits(&mut self, node: &Node) {
        for card in self.flow.limits.keys() {
            let span = node.get("limits").and_then(|n| n.entry(card.as_str())).map_or(0..0, |e| e.key_span.clone());
            if self.catalogue.card(card).is_none() {
                self.unknown_card(card, &span, None);
            } else if !lists::uses(self.outer, card) {
                let message = format!("no card of this flow is a `{card}`, so this limit does nothing");
                self.findings.warning("unused-limit", &span, message, "remove it".to_string());
            }
        }
    }

    /// The declaration of a card, reported where it is missing or of the wrong role.
    pub(super) fn declaration(
        &mut self,
        card: &CardName,
        node: &Node,
        event: bool,
        unbound: bool,
    ) -> Option<std::sync::Arc<CardDecl>> {
        let span = node.get("card").map_or(&node.span, |n| &n.span);
        let Some(decl) = self.catalogue.card(card) else {
            if unbound {
                let what =
                    if event { "nothing starts this flow by itself" } else { "the run fails where it comes to it" };
                let (why, remedy) = unbound::words(self.catalogue, card, event || node.get("slot").is_some());
                self.findings.warning("unbound-card", span, format!("{why}: {what}"), remedy);
            } else {
                self.unknown_card(card, span, Some(event));
            }
            return None;
        };
        if unbound {
            let message = format!("`{card}` is there by now, so it is not unbound");
            self.findings.warning("needless-unbound", span, message, "remove `unbound`".to_string());
        }
        if event && decl.role != CardRole::Event {
            let remedy = "put it under `cards:`; `on` takes an event card".to_string();
            self.findings.error_with("wrong-role", span, format!("`{card}` does not start a flow"), remedy);
        } else if !event && decl.role == CardRole::Event {
            let message = format!("`{card}` starts a flow and cannot be a card inside it");
            self.findings.error_with("wrong-role", span, message, format!("write `on: {{ card: {card} }}`"));
        }
        Some(decl)
    }

    fn unknown_card(&mut self, card: &CardName, span: &std::ops::Range<usize>, event: Option<bool>) {
        let cards = self.catalogue.cards();
        let fits = |decl: &CardDecl| event.is_none_or(|event| event == (decl.role == CardRole::Event));
        let names: Vec<_> = cards.iter().filter(|d| fits(d)).map(|d| d.name.as_str()).collect();
        let remedy = self.findings.hint(|| suggestion(card.as_str(), names.iter().copied()));
        self.findings.error_with("unknown-card", span, format!("there is no card `{card}`"), remedy);
    }

    /// The slot of a card: there, of its app, and needed at all.
    pub(super) fn slot(&mut self, decl: &CardDecl, slot: Option<&SlotName>, node: &Node) {
        let span = node.get("slot").or(node.get("card")).map_or(node.span.clone(), |n| n.span.clone());
        let fitting = |app: &AppName| {
            self.flow.slots.iter().filter(|(_, s)| s.app == *app).map(|(n, _)| n.as_str()).collect::<Vec<_>>()
        };
        match (slot, &decl.app) {
            (None, None) => {}
            (Some(name), None) => {
                self.slots_used.insert(name.to_string());
                let message = format!("`{}` needs no connection, so it has no slot", decl.name);
                self.findings.warning("needless-slot", &span, message, "remove `slot`".to_string());
            }
            (None, Some(app)) => {
                let fitting = fitting(app);
                let remedy = if fitting.is_empty() {
                    format!("add `slots: {{ {app}: {{ app: {app} }} }}` to the flow")
                } else {
                    format!("add `slot:` with one of {}", fitting.join(", "))
                };
                self.findings.error_with(
                    "no-slot",
                    &span,
                    format!("`{}` needs a slot of the app `{app}`", decl.name),
                    remedy,
                );
            }
            (Some(name), Some(app)) => {
                self.slots_used.insert(name.to_string());
                match self.flow.slots.get(name) {
                    None => {
                        let slots = &self.flow.slots;
                        let near = || suggestion(name.as_str(), slots.keys().map(SlotName::as_str));
                        let remedy = self
                            .findings
                            .hint(near)
                            .unwrap_or(format!("add `slots: {{ {name}: {{ app: {app} }} }}` to the flow"));
                        self.findings.error_with(
                            "unknown-slot",
                            &span,
                            format!("the flow has no slot `{name}`"),
                            remedy,
                        );
                    }
                    Some(slot) if slot.app != *app => {
                        let message = format!(
                            "`{}` belongs to the app `{app}`, but the slot `{name}` is one of `{}`",
                            decl.name, slot.app
                        );
                        let fitting = fitting(app);
                        let remedy = match fitting.first() {
                            Some(fit) => format!("use the slot `{fit}`"),
                            None => format!("add a slot with `app: {app}`"),
                        };
                        self.findings.error_with("wrong-slot", &span, message, remedy);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

/// Reports helpers that call themselves, over others or directly.
pub(super) fn cycles(draft: &Draft<'_>, findings: &mut Findings) {
    let callees = |flow: &Flow| {
        let mut names = Vec::new();
        lists::walk(&flow.cards, &mut |card| {
            if let CardKind::CallFlow { flow, .. } | CardKind::CallFlowAsync { flow, .. } = &card.kind {
                names.push((flow.clone(), card.id.clone()));
            }
        });
        names
    };
    let graph: std::collections::HashMap<_, _> =
        draft.flow.helpers.iter().map(|(n, f)| (n.clone(), callees(f))).collect();
    for (start, calls) in &graph {
        for (callee, card) in calls {
            let mut seen = std::collections::HashSet::new();
            let mut open = vec![callee.clone()];
            while let Some(name) = open.pop() {
                if seen.insert(name.clone()) {
                    open.extend(graph.get(&name).into_iter().flatten().map(|(n, _)| n.clone()));
                }
            }
            if seen.contains(start) {
                let node = draft.helpers.get(start.as_str()).and_then(|places| places.cards.get(card));
                let span =
                    node.map_or(0..0, |n| n.get("call_flow").or(n.get("call_flow_async")).unwrap_or(n).span.clone());
                let message = if callee == start {
                    format!("the helper flow `{start}` calls itself")
                } else {
                    format!("the helper flow `{start}` calls `{callee}`, which leads back to `{start}`")
                };
                findings.error_with(
                    "helper-cycle",
                    &span,
                    message,
                    "use `while` or `for_each` to repeat something".to_string(),
                );
            }
        }
    }
}
