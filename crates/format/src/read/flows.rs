//! A flow's own keys: slots, what starts it, inputs, limits, helpers.
//!
//! Must never invent a value that the printer would not leave out again.
//! Tests: `tests/diagnostics.rs`, `tests/round_trip.rs`.

use std::collections::HashMap;

use flowdeck_model::flow::{EVENT_ID, Endpoint, EventCard, Slot, WhenNotConnected};
use flowdeck_model::schedule::{Missed, Overlap, Schedule};
use flowdeck_model::{CardId, Flow, FlowName, SlotName, Trigger};
use indexmap::IndexMap;

use super::{Draft, Keys, Places, Reader};
use crate::link::Link;
use crate::order;
use crate::tree::{Kind, Node};

/// Methods an endpoint may allow.
pub(crate) const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Who may call an endpoint.
pub(crate) const ACCESS: &[(&str, &str)] = &[("public", "public"), ("token", "token"), ("oauth", "oauth")];
/// Words of a schedule's `missed`.
pub(crate) const MISSED: &[(&str, Missed)] = &[("last", Missed::Last), ("skip", Missed::Skip), ("all", Missed::All)];
/// Words of a schedule's `overlap`.
pub(crate) const OVERLAP: &[(&str, Overlap)] =
    &[("parallel", Overlap::Parallel), ("skip", Overlap::Skip), ("queue", Overlap::Queue)];
/// Words of `when_not_connected`.
pub(crate) const WHEN_NOT_CONNECTED: &[(&str, WhenNotConnected)] =
    &[("wait", WhenNotConnected::Wait), ("fail", WhenNotConnected::Fail)];

impl<'a> Reader<'a, '_> {
    /// A flow with its helpers; `None` where it has no name or is not a map.
    pub(super) fn flow(&mut self, node: &'a Node) -> Option<Draft<'a>> {
        let mut keys = self.keys(node, "a flow");
        let name = keys.need("flow", "a flow", self).and_then(|n| self.name(n, "a flow's name"));
        let (mut flow, places) = self.body(node, &mut keys, name.clone(), None)?;
        let (mut helpers, mut links) = (HashMap::new(), Vec::new());
        if let Some(list) = keys.take("helpers") {
            for entry in self.keys(list, "`helpers`").entries() {
                let Some(name) = self.parse_name::<FlowName>(&entry.key, &entry.key_span, "a flow's name") else {
                    continue;
                };
                if entry.value.entry("file").is_some() {
                    links.extend(self.link(name, &entry.value));
                    continue;
                }
                let mut helper_keys = self.keys(&entry.value, &format!("the helper flow `{name}`"));
                let helper = self.body(&entry.value, &mut helper_keys, Some(name.clone()), Some(&flow.slots));
                helper_keys.finish(order::HELPER, self);
                if let Some((helper, places)) = helper {
                    flow.helpers.insert(name, helper);
                    helpers.insert(entry.key.clone(), places);
                }
            }
        }
        keys.finish(order::FLOW, self);
        name.map(|_| Draft { flow, places, helpers, links })
    }

    /// `{ file: …, flow: … }`: a helper in a file of its own.
    fn link(&mut self, helper: FlowName, node: &'a Node) -> Option<Link> {
        let mut keys = self.keys(node, &format!("the helper flow `{helper}`"));
        let file = keys.take("file")?;
        let path = self.text(file, "`file`");
        let flow = keys.take("flow").map(|n| self.name(n, "a flow's name"));
        keys.finish(order::LINKED_HELPER, self);
        let flow = match flow {
            Some(flow) => Some(flow?),
            None => None,
        };
        Some(Link { helper, path: path?, flow, span: file.span.clone() })
    }

    /// What flows and helpers have in common. `outer` are the slots a helper has unless it names its own.
    fn body(
        &mut self,
        node: &'a Node,
        keys: &mut Keys<'a>,
        name: Option<FlowName>,
        outer: Option<&IndexMap<SlotName, Slot>>,
    ) -> Option<(Flow, Places<'a>)> {
        node.entries()?;
        self.begin_ids(node);
        let description = keys.take("description").and_then(|n| self.text(n, "a description")).unwrap_or_default();
        let slots_node = keys.take("slots");
        let slots_inherited = slots_node.is_none() && outer.is_some();
        let slots = match (slots_node, outer) {
            (Some(slots), _) => self.slots(slots),
            (None, Some(outer)) => outer.clone(),
            (None, None) => IndexMap::new(),
        };
        let on = match (outer, keys.node.get("on")) {
            (None, Some(_)) => keys.take("on").and_then(|n| self.trigger(n, &slots)).unwrap_or_default(),
            _ => Trigger::Manual,
        };
        let inputs = keys.take("inputs").map(|n| self.fields(n, "`inputs`")).unwrap_or_default();
        let outputs = keys.take("outputs").map(|n| self.fields(n, "`outputs`")).unwrap_or_default();
        let mut limits = IndexMap::new();
        if let Some(list) = keys.take("limits") {
            for entry in self.keys(list, "`limits`").entries() {
                let card = self.parse_name(&entry.key, &entry.key_span, "a card's name");
                let most = self.whole(&entry.value, "a limit", 0, 1_000_000_000_000);
                limits.extend(card.zip(most));
            }
        }
        let timeout_ms = keys.take("timeout").and_then(|n| self.duration(n, "`timeout`"));
        let wait_ms = keys.take("wait").and_then(|n| self.duration(n, "`wait`"));
        let when_not_connected = keys
            .take("when_not_connected")
            .and_then(|n| self.word(n, "`when_not_connected`", WHEN_NOT_CONNECTED))
            .unwrap_or_default();
        let keep_data = keys.take("keep_data").and_then(|n| self.boolean(n, "`keep_data`")).unwrap_or(true);
        let tables = keys.take("tables").map(|n| self.tables(n)).unwrap_or_default();
        let cards = keys.need("cards", "a flow", self).map(|n| self.cards(n, &slots)).unwrap_or_default();
        let flow = Flow {
            name: name.or_else(|| FlowName::new("unnamed").ok())?,
            description,
            slots,
            on,
            inputs,
            outputs,
            limits,
            timeout_ms,
            wait_ms,
            when_not_connected,
            keep_data,
            tables,
            cards,
            helpers: IndexMap::new(),
        };
        let cards = std::mem::take(&mut self.places);
        Some((flow, Places { flow: node, cards, slots_inherited }))
    }

    fn slots(&mut self, node: &'a Node) -> IndexMap<SlotName, Slot> {
        if matches!(node.kind, Kind::Null) {
            return IndexMap::new();
        }
        let mut slots = IndexMap::new();
        for entry in self.keys(node, "`slots`").entries() {
            let name = self.parse_name(&entry.key, &entry.key_span, "a slot's name");
            let slot = match entry.value.text() {
                Some(_) => {
                    self.name(&entry.value, "an app's name").map(|app| Slot { app, nickname: None, scopes: Vec::new() })
                }
                None => self.slot(&entry.value),
            };
            slots.extend(name.zip(slot));
        }
        slots
    }

    fn slot(&mut self, node: &'a Node) -> Option<Slot> {
        let mut keys = self.keys(node, "a slot");
        let app = keys.need("app", "a slot", self).and_then(|n| self.name(n, "an app's name"));
        let nickname = keys.take("nickname").and_then(|n| self.name(n, "a connection's nickname"));
        let mut scopes = Vec::new();
        if let Some(list) = keys.take("scopes") {
            match list.items() {
                Some(items) => scopes.extend(items.iter().filter_map(|n| self.text(n, "a scope"))),
                None => self.expected(list, "`scopes` to be a list of texts", "write `[one, two]`"),
            }
        }
        keys.finish(order::SLOT, self);
        Some(Slot { app: app?, nickname, scopes })
    }

    fn trigger(&mut self, node: &'a Node, slots: &IndexMap<SlotName, Slot>) -> Option<Trigger> {
        if let Some(word) = node.text() {
            if word == "manual" {
                return Some(Trigger::Manual);
            }
            return self.word(node, "`on`", &[("manual", false), ("delegated", true)]).map(|_| Trigger::Delegated);
        }
        let mut keys = self.keys(node, "`on`");
        let ways: Vec<_> = ["schedule", "endpoint", "card"].into_iter().filter(|k| node.entry(k).is_some()).collect();
        match ways.as_slice() {
            ["schedule"] => {
                let schedule = keys.take("schedule").and_then(|n| self.schedule(n));
                keys.finish(&["schedule"], self);
                schedule.map(Trigger::Schedule)
            }
            ["endpoint"] => {
                let endpoint = keys.take("endpoint").and_then(|n| self.endpoint(n));
                keys.finish(&["endpoint"], self);
                endpoint.map(Trigger::Endpoint)
            }
            [_] => {
                let event = self.event(&mut keys, slots);
                keys.finish(order::EVENT, self);
                event.map(Trigger::Event)
            }
            [] => {
                let remedy = "use one of `card`, `schedule`, `endpoint`, or leave `on` out for a flow started by hand";
                self.findings.error_with(
                    "no-trigger",
                    &node.span,
                    "`on` does not say what starts the flow",
                    remedy.to_string(),
                );
                None
            }
            [first, second, ..] => {
                let message = format!("a flow has one start, but `on` has both `{first}` and `{second}`");
                let remedy = "make two flows; both may call the same helper flow".to_string();
                self.findings.error_with("two-triggers", &node.span, message, remedy);
                None
            }
        }
    }

    fn schedule(&mut self, node: &'a Node) -> Option<Schedule> {
        let mut keys = self.keys(node, "`schedule`");
        let cron = keys.need("cron", "`schedule`", self).and_then(|n| self.text(n, "`cron`"));
        let timezone = keys.take("timezone").map_or(Some("UTC".to_string()), |n| self.text(n, "`timezone`"));
        let mut schedule = Schedule::new(&cron?, &timezone?);
        if let Some(missed) = keys.take("missed").and_then(|n| self.word(n, "`missed`", MISSED)) {
            schedule.missed = missed;
        }
        if let Some(within_ms) = keys.take("within").and_then(|n| self.duration(n, "`within`")) {
            schedule.within_ms = within_ms;
        }
        if let Some(overlap) = keys.take("overlap").and_then(|n| self.word(n, "`overlap`", OVERLAP)) {
            schedule.overlap = overlap;
        }
        keys.finish(order::SCHEDULE, self);
        Some(schedule)
    }

    fn endpoint(&mut self, node: &'a Node) -> Option<Endpoint> {
        let mut keys = self.keys(node, "`endpoint`");
        let mut methods = vec!["POST".to_string()];
        if let Some(list) = keys.take("methods") {
            let Some(items) = list.items() else {
                self.expected(list, "`methods` to be a list", "write `[GET, POST]`");
                return None;
            };
            let words: Vec<_> = METHODS.iter().map(|m| (*m, *m)).collect();
            methods = items.iter().filter_map(|n| self.word(n, "`methods`", &words)).map(String::from).collect();
        }
        let access = keys.take("access").map_or(Some("token"), |n| self.word(n, "`access`", ACCESS));
        let [body, query, headers] = ["body", "query", "headers"]
            .map(|key| keys.take(key).map(|n| self.fields(n, &format!("`{key}`"))).unwrap_or_default());
        keys.finish(order::ENDPOINT, self);
        Some(Endpoint { methods, access: access?.to_string(), body, query, headers })
    }

    fn event(&mut self, keys: &mut Keys<'a>, slots: &IndexMap<SlotName, Slot>) -> Option<EventCard> {
        let id = keys.take("id").map_or_else(|| CardId::new(EVENT_ID).ok(), |n| self.name(n, "a card's id"));
        let card = keys.take("card").and_then(|n| self.name(n, "a card's name"));
        let slot = keys.take("slot").map(|n| self.name(n, "a slot's name"));
        let unbound = keys.take("unbound").and_then(|n| self.boolean(n, "`unbound`")).unwrap_or_default();
        let with = keys.take("with").map_or(Some(IndexMap::new()), |n| self.mappings(n, "`with`"));
        let (id, card) = (id?, card?);
        self.place(&id, keys.node);
        let slot = match slot {
            Some(slot) => Some(slot?),
            None => self.only_slot(&card, slots),
        };
        Some(EventCard { id, card, slot, unbound, with: with? })
    }
}
