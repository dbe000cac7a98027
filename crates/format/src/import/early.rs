//! An answer that an endpoint gives before its flow is done: it is kept, and given at the end.
//!
//! Must never answer twice.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::flow::{Call, Mappings};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::{Card, CardId, CardKind, CardName, Value};

use super::build::{Builder, Given, Scope};
use super::source::Source;

impl<'v> Builder<'_, 'v, '_> {
    /// Keeps the answer under the card's own name.
    pub(super) fn early_answer(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let Ok(card) = CardName::new("control/let") else { return self.connector(scope, at, id) };
        let mut with = Mappings::from_iter([
            ("statusCode".to_owned(), Mapping::Literal(200.into())),
            ("headers".to_owned(), Mapping::Literal(Value::Object(serde_json::Map::new()))),
            ("body".to_owned(), Mapping::default()),
        ]);
        for field in level.cards[at].inputs.iter().filter(|f| !f.for_error) {
            let key = match field.key.to_lowercase().replace(' ', "").as_str() {
                "statuscode" | "status" => "statusCode",
                "headers" => "headers",
                "body" => "body",
                _ => continue,
            };
            let given: Given<'v> = self.given(scope, at, field);
            if !given.is_empty() {
                with.insert(key.to_owned(), given.mapping());
            }
        }
        if self.lanes == 0 && self.early.is_none() {
            self.early = Some(id.clone());
            self.changed(id, "answers its caller early in Okta; here the answer is given when the flow ends");
        } else {
            self.lost(id.as_str(), "an answer to the caller before the flow ends, in a lane or after another answer");
        }
        self.gives(scope, at, id, &[]);
        CardKind::Call(Call { card, slot: None, with })
    }

    /// Adds the answer that was kept, where the flow does not end with one.
    pub(super) fn answer_at_the_end(&mut self, cards: &mut Vec<Card>) {
        let Some(kept) = self.early.take() else { return };
        if cards.last().is_some_and(Card::always_ends) {
            return;
        }
        let part = |key: &str| Source::place(kept.as_str(), [key]).mapping();
        let kind = CardKind::ReturnRaw { status: part("statusCode"), headers: part("headers"), body: part("body") };
        let answer = self.plain("answer", kind);
        cards.push(answer);
    }
}
