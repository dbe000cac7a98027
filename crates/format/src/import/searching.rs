//! Loops over a helper that no single native card is: Find Custom, Sort Custom, Map of an object.
//!
//! Must never call the helper more often than Okta does.
//! Tests: `crates/cli/tests/exports_cards.rs`.

use flowdeck_model::flow::{Call, Mappings};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardId, CardKind, CardName, Lane, Value};

use super::build::{Builder, Scope};
use super::source::{Source, made};
use super::steering::{Inside, Round, lost_call};

/// The result so far inside a reduce.
const SO_FAR: &str = "so_far";

impl<'v> Builder<'_, 'v, '_> {
    /// Find Custom: the helper is asked until it says true
    /// (<https://help.okta.com/wf/en-us/content/topics/workflows/function-reference/list/list_find.htm>).
    pub(super) fn find(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let inside = self.inside();
        let Some(round) = self.round(scope, at, id, &inside) else { return lost_call() };
        let said = round.says_true();
        let call = round.call;
        self.gives_of_value(scope, at, id);
        let Inside { item, index } = &inside;
        let found = format!("{SO_FAR}.index >= 0");
        let asked = self.go_on_if("still searched", &format!("!({found})"));
        let hit = format!("({said}) ? {{'item': {item}, 'index': {index}}} : {SO_FAR}");
        let nothing = serde_json::json!({ "item": null, "index": -1 });
        let cards = std::iter::once(asked).chain(call).collect();
        self.reduce(scope, at, inside, Mapping::Literal(nothing), cards, made(&hit))
    }

    /// Map of an object: each result's `key` and `value` are set in the new object; one without a key is left out
    /// (<https://help.okta.com/wf/en-us/content/topics/workflows/function-reference/object/object_process.htm>).
    pub(super) fn new_object(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let inside = self.inside();
        let Some(Round { call: Some(call), whole, .. }) = self.round(scope, at, id, &inside) else {
            return lost_call();
        };
        self.gives(scope, at, id, &[("output", "value")]);
        let key = whole.clone().below("key").expression();
        let has_key = self.go_on_if("has a key", &format!("{key} != null"));
        // As a member, not by a path: a key may have dots.
        let member = made(&format!("{{string({key}): {}}}", whole.below("value").expression()));
        let with = Mappings::from_iter([
            ("start".to_owned(), Source::place(SO_FAR, []).mapping()),
            ("sink".to_owned(), member.mapping()),
        ]);
        let Some(with_it) = self.function("with its key", "object/merge", with) else { return lost_call() };
        let next = Source::place(with_it.id.as_str(), ["output"]);
        let start = Mapping::Literal(Value::Object(serde_json::Map::new()));
        self.reduce(scope, at, inside, start, vec![call, has_key, with_it], next)
    }

    /// Sort Custom: by what the helper says of each item
    /// (<https://help.okta.com/wf/en-us/content/topics/workflows/function-reference/list/list_sort.htm>).
    pub(super) fn sort(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let inside = self.inside();
        let Some(Round { call, single, .. }) = self.round(scope, at, id, &inside) else { return lost_call() };
        for output in &std::sync::Arc::clone(&scope.level).cards[at].outputs {
            scope.sources.insert((at, output.id), Source::place(id.as_str(), ["list"]));
        }
        let items = self.items(scope, at).mapping();
        let each = self.each(scope, at, items, &inside);
        let value = Mapping::Object(indexmap::IndexMap::from_iter([
            ("by".to_owned(), single.mapping()),
            ("item".to_owned(), Source::place(inside.item.as_str(), []).mapping()),
        ]));
        let text = |text: &str| Mapping::Literal(Value::String(text.to_owned()));
        let map =
            self.plain("sort value of each item", CardKind::Map { each, cards: call.into_iter().collect(), value });
        let with =
            [("list".to_owned(), Source::place(map.id.as_str(), ["list"]).mapping()), ("path".to_owned(), text("by"))];
        let Some(sorted) = self.function("sorted by it", "list/sortBy", Mappings::from_iter(with)) else {
            return lost_call();
        };
        let list = Source::place(sorted.id.as_str(), ["sorted list"]).mapping();
        let with = Mappings::from_iter([("list".to_owned(), list), ("key".to_owned(), text("item"))]);
        let Some(items) = self.function("the items", "list/pluck", with) else { return lost_call() };
        let give = [("list".to_owned(), Source::place(items.id.as_str(), ["values"]).mapping())];
        let then = Lane { cards: vec![map, sorted, items], give: Mappings::from_iter(give) };
        CardKind::If { when: Mapping::Literal(Value::Bool(true)), then, otherwise: Lane::default() }
    }

    fn reduce(
        &mut self,
        scope: &mut Scope<'v>,
        at: usize,
        inside: Inside,
        start: Mapping,
        cards: Vec<Card>,
        value: Source,
    ) -> CardKind {
        let items = self.items(scope, at).mapping();
        let mut each = self.each(scope, at, items, &inside);
        each.concurrency = 1;
        each.index = Some(inside.index);
        CardKind::Reduce { each, start, cards, value: value.mapping() }
    }

    /// The outputs of a card are members of one value.
    fn gives_of_value(&self, scope: &mut Scope<'v>, at: usize, id: &CardId) {
        for output in &std::sync::Arc::clone(&scope.level).cards[at].outputs {
            scope.sources.insert((at, output.id), Source::place(id.as_str(), ["value", output.key]));
        }
    }

    fn go_on_if(&mut self, title: &str, when: &str) -> Card {
        self.plain(title, CardKind::ContinueIf { when: made(when).mapping(), message: None })
    }

    fn function(&mut self, title: &str, card: &str, with: Mappings) -> Option<Card> {
        let call = Call { card: CardName::new(card).ok()?, slot: None, unbound: false, with };
        Some(self.plain(title, CardKind::Call(call)))
    }
}
