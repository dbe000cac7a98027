//! Cards and lanes.
//!
//! Must never let a card mean two things: exactly one word says what it is.
//! Tests: `tests/diagnostics.rs`, `tests/round_trip.rs`.

use flowdeck_model::flow::{Branch, Call, Each, ForEach, Items, Mappings, OnLoopError, Slot, Wait, WaitUntil};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardId, CardKind, CardName, InDoubt, Lane, SlotName, Value};
use indexmap::IndexMap;

use super::{Keys, Reader, kinds_of};
use crate::limits::CONCURRENCY_MAX;
use crate::nearest::nearest;
use crate::order;
use crate::tree::{Kind, Node};
use flowdeck_model::duration::parse_duration;

/// Words of `in_doubt`.
pub(crate) const IN_DOUBT: &[(&str, InDoubt)] =
    &[("retry", InDoubt::Retry), ("check", InDoubt::Check), ("ask", InDoubt::Ask)];
/// Words of `on_error`.
pub(crate) const ON_ERROR: &[(&str, OnLoopError)] = &[("stop", OnLoopError::Stop), ("go_on", OnLoopError::GoOn)];
/// Most rounds of a `while` unless it says otherwise.
pub(crate) const ROUNDS_MAX: u64 = 1000;

type Slots = IndexMap<SlotName, Slot>;

impl<'a> Reader<'a, '_> {
    /// A list of cards.
    pub(super) fn cards(&mut self, node: &'a Node, slots: &Slots) -> Vec<Card> {
        match &node.kind {
            Kind::Null => Vec::new(),
            Kind::List(items) => items.iter().filter_map(|n| self.card(n, slots)).collect(),
            _ => {
                self.expected(node, "a list of cards", "start each card with `- `");
                Vec::new()
            }
        }
    }

    /// A lane: a list of cards, or `{cards, give}`.
    fn lane(&mut self, node: &'a Node, slots: &Slots) -> Option<Lane> {
        if node.entries().is_none() {
            return Some(Lane { cards: self.cards(node, slots), give: Mappings::new() });
        }
        let mut keys = self.keys(node, "a lane");
        let lane = self.lane_of(&mut keys, slots);
        keys.finish(order::LANE, self);
        lane
    }

    /// The `cards` and `give` of a map that is a lane besides other things.
    fn lane_of(&mut self, keys: &mut Keys<'a>, slots: &Slots) -> Option<Lane> {
        let cards = keys.take("cards").map(|n| self.cards(n, slots)).unwrap_or_default();
        let give = self.taken_mappings(keys, "give");
        Some(Lane { cards, give: give? })
    }

    fn taken_mappings(&mut self, keys: &mut Keys<'a>, key: &'static str) -> Option<Mappings> {
        keys.take(key).map_or(Some(Mappings::new()), |n| self.mappings(n, &format!("`{key}`")))
    }

    fn taken_lane(&mut self, keys: &mut Keys<'a>, key: &'static str, slots: &Slots) -> Option<Lane> {
        keys.take(key).map_or(Some(Lane::default()), |n| self.lane(n, slots))
    }

    /// The only slot of a card's app, for cards that name none.
    pub(super) fn only_slot(&mut self, card: &CardName, slots: &Slots) -> Option<SlotName> {
        let app = match self.catalogue.and_then(|c| c.card(card)) {
            Some(decl) => decl.app.as_ref()?.as_str().to_string(),
            None => card.family().to_string(),
        };
        let mut fitting = slots.iter().filter(|(_, slot)| slot.app.as_str() == app);
        match (fitting.next(), fitting.next()) {
            (Some((name, _)), None) => Some(name.clone()),
            _ => None,
        }
    }

    fn card(&mut self, node: &'a Node, slots: &Slots) -> Option<Card> {
        self.count_card(node)?;
        let mut keys = self.keys(node, "a card");
        node.entries()?;
        let word = self.kind_word(node)?;
        let id = match keys.take("id") {
            Some(n) => self.name(n, "a card's id"),
            None => {
                let operation = match (word, node.get("card").and_then(Node::text)) {
                    ("card", Some(card)) => card.rsplit('/').next().unwrap_or(card),
                    _ => word,
                };
                self.make_id(operation)
            }
        };
        if let Some(id) = &id {
            self.place(id, node);
        }
        let title = keys.take("title").and_then(|n| self.text(n, "a title")).unwrap_or_default();
        let note = keys.take("note").and_then(|n| self.text(n, "a note")).unwrap_or_default();
        let disabled = keys.take("disabled").and_then(|n| self.boolean(n, "`disabled`")).unwrap_or_default();
        let timeout_ms = keys.take("timeout").and_then(|n| self.duration(n, "`timeout`"));
        let mut retry = None;
        if matches!(word, "card" | "call_flow" | "call_flow_async") {
            retry = keys.take("retry").and_then(|n| self.retry(n));
        }
        let mut in_doubt = None;
        if word == "card" {
            in_doubt = keys.take("in_doubt").and_then(|n| self.word(n, "`in_doubt`", IN_DOUBT));
        }
        let kind = self.kind(word, &mut keys, slots);
        let own = order::KINDS.iter().find(|(w, _)| *w == word).map_or(&[][..], |(_, keys)| keys);
        let known: Vec<&str> = order::COMMON.iter().chain(own).copied().collect();
        keys.finish(&known, self);
        Some(Card { id: id?, title, note, disabled, retry, timeout_ms, in_doubt, kind: kind? })
    }

    /// The one word that says what a card is.
    fn kind_word(&mut self, node: &'a Node) -> Option<&'static str> {
        let words = kinds_of(node);
        match words.as_slice() {
            [word] => Some(*word),
            [] => {
                let known = order::KINDS.iter().map(|(w, _)| *w);
                let near = node.entries().unwrap_or(&[]).iter().filter(|e| !order::CARD.contains(&e.key.as_str()));
                let near = near.filter_map(|e| nearest(&e.key, known.clone()).map(|word| (e, word))).next();
                let (span, remedy) = match near {
                    Some((entry, word)) => (&entry.key_span, format!("did you mean `{word}`?")),
                    None => (
                        &node.span,
                        "add `card: family/name` or a control word such as `if`, `for_each`, `return`".into(),
                    ),
                };
                self.findings.error_with("no-kind", span, "this card does not say what it does", remedy);
                None
            }
            [first, second, ..] => {
                let span = node.entry(second).map_or(&node.span, |e| &e.key_span);
                let message = format!("a card does one thing, but this one has both `{first}` and `{second}`");
                self.findings.error_with("two-kinds", span, message, "make two cards".to_string());
                None
            }
        }
    }

    fn kind(&mut self, word: &'static str, keys: &mut Keys<'a>, slots: &Slots) -> Option<CardKind> {
        let head = keys.take(word)?;
        Some(match word {
            "card" => CardKind::Call(self.call(head, keys, slots)?),
            "if" => {
                let when = self.mapping(head);
                let then = keys.need("then", "an `if`", self).and_then(|n| self.lane(n, slots));
                let otherwise = self.taken_lane(keys, "else", slots);
                CardKind::If { when: when?, then: then?, otherwise: otherwise? }
            }
            "else_if" => {
                let branches = self.branches(head, slots);
                let otherwise = self.taken_lane(keys, "else", slots);
                CardKind::ElseIf { branches: branches?, otherwise: otherwise? }
            }
            "assign_if" => {
                let when = self.mapping(head);
                let then = keys.need("then", "an `assign_if`", self).and_then(|n| self.mapping(n));
                let otherwise = keys.take("else").map_or(Some(Mapping::default()), |n| self.mapping(n));
                CardKind::AssignIf { when: when?, then: then?, otherwise: otherwise? }
            }
            "lookup" => {
                let key = self.mapping(head);
                let options = keys.need("options", "a `lookup`", self).and_then(|n| self.mappings(n, "`options`"));
                let otherwise = keys.take("else").map_or(Some(Mapping::default()), |n| self.mapping(n));
                CardKind::Lookup { key: key?, options: options?, otherwise: otherwise? }
            }
            "continue_if" => {
                let when = self.mapping(head);
                let message = keys.take("message").map(|n| self.mapping(n));
                CardKind::ContinueIf { when: when?, message: transpose(message)? }
            }
            "for_each" => {
                let each = self.each(head, keys, slots, true);
                let on_error = keys.take("on_error").map(|n| self.word(n, "`on_error`", ON_ERROR));
                let lane = self.lane_of(keys, slots);
                CardKind::ForEach(ForEach {
                    each: each?,
                    on_error: transpose(on_error)?.unwrap_or_default(),
                    lane: lane?,
                })
            }
            "map" | "filter" | "reduce" => self.list_kind(word, head, keys, slots)?,
            "times" => {
                let count = self.mapping(head);
                let name = self.loop_name(keys, "as", "round");
                let concurrency = self.concurrency(keys);
                let lane = self.lane_of(keys, slots);
                CardKind::Times { count: count?, name: name?, concurrency: concurrency?, lane: lane? }
            }
            "while" => {
                let when = self.mapping(head);
                let name = self.loop_name(keys, "as", "state");
                let start = self.taken_mappings(keys, "start");
                let rounds =
                    keys.take("times_max").map_or(Some(ROUNDS_MAX), |n| self.whole(n, "`times_max`", 1, 1_000_000));
                let lane = self.lane_of(keys, slots);
                CardKind::While { start: start?, name: name?, when: when?, times_max: rounds?, lane: lane? }
            }
            "try" => {
                let lane = self.lane(head, slots);
                let retry = keys.take("retry").map(|n| self.retry(n));
                let error = self.loop_name(keys, "error", "error");
                let catch = self.taken_lane(keys, "catch", slots);
                CardKind::Try { lane: lane?, retry: transpose(retry)?, error: error?, catch: catch? }
            }
            "parallel" => {
                let mut lanes = IndexMap::new();
                for entry in self.keys(head, "`parallel`").entries() {
                    let name = self.parse_name::<CardId>(&entry.key, &entry.key_span, "a lane's name");
                    let lane = self.lane(&entry.value, slots);
                    lanes.extend(name.zip(lane));
                }
                CardKind::Parallel { lanes }
            }
            "call_flow" | "call_flow_async" => {
                let flow = self.name(head, "a flow's name");
                let with = self.taken_mappings(keys, "with");
                let (flow, with) = (flow?, with?);
                if word == "call_flow" {
                    CardKind::CallFlow { flow, with }
                } else {
                    CardKind::CallFlowAsync { flow, with }
                }
            }
            "return" => CardKind::Return { with: self.mappings(head, "`return`")? },
            "return_raw" => self.return_raw(head)?,
            "return_error" => self.return_error(head)?,
            _ => {
                let until = self.wait_until(head);
                let deadline_ms = keys.take("deadline").map(|n| self.duration(n, "`deadline`"));
                CardKind::Wait(Wait { until: until?, deadline_ms: transpose(deadline_ms)? })
            }
        })
    }

    fn call(&mut self, card: &'a Node, keys: &mut Keys<'a>, slots: &Slots) -> Option<Call> {
        let card: Option<CardName> = self.name(card, "a card's name");
        let slot = keys.take("slot").map(|n| self.name(n, "a slot's name"));
        let unbound = keys.take("unbound").and_then(|n| self.boolean(n, "`unbound`")).unwrap_or_default();
        let with = self.taken_mappings(keys, "with");
        let card = card?;
        let slot = match slot {
            Some(slot) => Some(slot?),
            None => self.only_slot(&card, slots),
        };
        Some(Call { card, slot, unbound, with: with? })
    }

    fn branches(&mut self, node: &'a Node, slots: &Slots) -> Option<Vec<Branch>> {
        let Some(items) = node.items() else {
            self.expected(node, "a list of branches", "write `- when: ${…}` and `cards:` below it");
            return None;
        };
        let mut branches = Vec::new();
        for item in items {
            let mut keys = self.keys(item, "a branch");
            let when = keys.need("when", "a branch", self).and_then(|n| self.mapping(n));
            let lane = self.lane_of(&mut keys, slots);
            keys.finish(order::BRANCH, self);
            branches.extend(when.zip(lane).map(|(when, lane)| Branch { when, lane }));
        }
        Some(branches)
    }

    fn loop_name(&mut self, keys: &mut Keys<'a>, key: &'static str, default: &str) -> Option<CardId> {
        keys.take(key).map_or_else(|| CardId::new(default).ok(), |n| self.name(n, &format!("the name in `{key}`")))
    }

    fn concurrency(&mut self, keys: &mut Keys<'a>) -> Option<u32> {
        let number = keys.take("concurrency").map_or(Some(1), |n| self.whole(n, "`concurrency`", 1, CONCURRENCY_MAX));
        number.and_then(|n| u32::try_from(n).ok())
    }

    fn each(&mut self, head: &'a Node, keys: &mut Keys<'a>, slots: &Slots, at_once: bool) -> Option<Each> {
        let items = match head.get("pages") {
            Some(pages) => {
                self.keys(head, "`pages`").finish_pages(self);
                let mut inner = self.keys(pages, "`pages`");
                let call = inner.need("card", "`pages`", self).and_then(|n| self.call(n, &mut inner, slots));
                inner.finish(order::PAGES, self);
                call.map(Items::Pages)
            }
            None => self.mapping(head).map(Items::List),
        };
        let name = self.loop_name(keys, "as", "item");
        let index = keys.take("index").map(|n| self.name(n, "the name in `index`"));
        let concurrency = if at_once { self.concurrency(keys) } else { Some(1) };
        Some(Each { items: items?, name: name?, index: transpose(index)?, concurrency: concurrency? })
    }

    fn list_kind(&mut self, word: &str, head: &'a Node, keys: &mut Keys<'a>, slots: &Slots) -> Option<CardKind> {
        let each = self.each(head, keys, slots, word != "reduce");
        let cards = keys.take("cards").map(|n| self.cards(n, slots)).unwrap_or_default();
        if word == "filter" {
            let keep = keys.need("keep", "a `filter`", self).and_then(|n| self.mapping(n));
            return Some(CardKind::Filter { each: each?, cards, keep: keep? });
        }
        let value = keys.need("value", &format!("a `{word}`"), self).and_then(|n| self.mapping(n));
        if word == "map" {
            return Some(CardKind::Map { each: each?, cards, value: value? });
        }
        let start = keys.need("start", "a `reduce`", self).and_then(|n| self.mapping(n));
        Some(CardKind::Reduce { each: each?, start: start?, cards, value: value? })
    }

    fn return_raw(&mut self, node: &'a Node) -> Option<CardKind> {
        let mut keys = self.keys(node, "`return_raw`");
        let status = keys.take("status").map_or(Some(Mapping::Literal(200.into())), |n| self.mapping(n));
        let empty = || Some(Mapping::Literal(Value::Object(serde_json::Map::new())));
        let headers = keys.take("headers").map_or_else(empty, |n| self.mapping(n));
        let body = keys.take("body").map_or(Some(Mapping::default()), |n| self.mapping(n));
        let go_on = keys.take("go_on").map_or(Some(false), |n| self.boolean(n, "`go_on`"));
        keys.finish(order::RETURN_RAW, self);
        Some(CardKind::ReturnRaw { status: status?, headers: headers?, body: body?, go_on: go_on? })
    }

    fn return_error(&mut self, node: &'a Node) -> Option<CardKind> {
        if node.entries().is_none() {
            let message = self.mapping(node)?;
            return Some(CardKind::ReturnError { message, status: None, with: Mappings::new(), when: None });
        }
        let mut keys = self.keys(node, "`return_error`");
        let message = keys.need("message", "`return_error`", self).and_then(|n| self.mapping(n));
        let status = keys.take("status").map(|n| self.mapping(n));
        let with = self.taken_mappings(&mut keys, "with");
        let when = keys.take("when").map(|n| self.mapping(n));
        keys.finish(order::RETURN_ERROR, self);
        Some(CardKind::ReturnError {
            message: message?,
            status: transpose(status)?,
            with: with?,
            when: transpose(when)?,
        })
    }

    fn wait_until(&mut self, node: &'a Node) -> Option<WaitUntil> {
        if node.entries().is_none() {
            return self.wait_for(node);
        }
        let mut keys = self.keys(node, "`wait`");
        let given: Vec<_> = order::WAIT.iter().filter(|k| node.entry(k).is_some()).collect();
        let [key] = given.as_slice() else {
            let remedy = "use one of `for`, `until`, `signal`, `approval`".to_string();
            self.findings.error_with("wrong-form", &node.span, "`wait` waits for exactly one thing", remedy);
            return None;
        };
        let value = keys.take(key)?;
        let until = match **key {
            "for" => self.wait_for(value),
            "until" => self.mapping(value).map(WaitUntil::Time),
            "signal" => self.mapping(value).map(|name| WaitUntil::Signal { name }),
            _ => self.mapping(value).map(|message| WaitUntil::Approval { message }),
        };
        keys.finish(order::WAIT, self);
        until
    }

    /// A duration text, or a mapping that gives one or milliseconds.
    fn wait_for(&mut self, node: &'a Node) -> Option<WaitUntil> {
        match node.text() {
            Some(text) if text.contains("${") => self.mapping(node).map(WaitUntil::Duration),
            Some(text) if parse_duration(text).is_some() => {
                parse_duration(text).map(|ms| WaitUntil::Duration(Mapping::Literal(ms.into())))
            }
            _ => {
                self.duration(node, "`wait`");
                None
            }
        }
    }
}

impl<'a> Keys<'a> {
    /// `pages` stands alone.
    fn finish_pages(mut self, reader: &mut Reader<'a, '_>) {
        self.take("pages");
        self.finish(&["pages"], reader);
    }
}

/// `None` where something was given but could not be read; it has been reported.
#[allow(clippy::option_option, reason = "given or not, readable or not: both matter here")]
fn transpose<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
