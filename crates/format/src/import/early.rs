//! An answer that a flow gives its caller before it is done (*Close*).
//!
//! Must never end the flow: what comes behind it runs.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::mapping::Mapping;
use flowdeck_model::{CardId, CardKind, Value};

use super::build::{Builder, Given, Scope};

impl<'v> Builder<'_, 'v, '_> {
    /// The answer, as a *Return Raw* that goes on.
    pub(super) fn early_answer(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let mut status = Mapping::Literal(200.into());
        let mut headers = Mapping::Literal(Value::Object(serde_json::Map::new()));
        let mut body = Mapping::default();
        for field in level.cards[at].inputs.iter().filter(|f| !f.for_error) {
            let part = match field.key.to_lowercase().replace(' ', "").as_str() {
                "statuscode" | "status" => &mut status,
                "headers" => &mut headers,
                "body" => &mut body,
                _ => continue,
            };
            let given: Given<'v> = self.given(scope, at, field);
            if !given.is_empty() {
                *part = given.mapping();
            }
        }
        self.gives(scope, at, id, &[]);
        CardKind::ReturnRaw { status, headers, body, go_on: true }
    }
}
