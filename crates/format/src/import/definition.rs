//! Export Flow: the definition of the flow that it names is stored with the card.
//!
//! Must never store more than a flow file can hold.
//! Tests: `tests/import.rs`.

use std::sync::Arc;

use flowdeck_model::mapping::Mapping;
use flowdeck_model::{CardId, CardKind, Value};
use serde_json::json;

use super::build::{Builder, Scope};
use super::source::constant;

/// Longest definition, as JSON text.
const BYTES_MAX: usize = 400_000;

impl<'v> Builder<'_, 'v, '_> {
    /// The card with the definition as it stands in the export, in the form of an export of that flow alone.
    pub(super) fn export_flow(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let CardKind::Call(mut call) = self.connector(scope, at, id) else {
            return CardKind::Return { with: flowdeck_model::flow::Mappings::new() };
        };
        let wanted = level.cards[at].input("", "flo").and_then(|f| f.data.as_str());
        let found = wanted.and_then(|wanted| Some((wanted, self.import.definition(wanted)?)));
        let Some((flow, definition)) = found else {
            self.lost(id.as_str(), "the flow that it writes is not in the export; the card fails when it runs");
            return CardKind::Call(call);
        };
        let name = definition.get("name").cloned().unwrap_or_default();
        let none = || Value::Object(serde_json::Map::new());
        let document = json!({"name": name, "type": "flopack",
            "data": {"flos": {flow: definition}, "configs": none(), "tables": none(), "groups": none()}});
        let stored = constant(document);
        let is_stored = stored != Mapping::default() && stored.source().to_string().len() <= BYTES_MAX;
        if is_stored {
            call.with.insert("flo".into(), stored);
            self.changed(id, "the flow that it writes is stored with the card, as it stands in the export");
        } else {
            self.lost(id.as_str(), "the flow that it writes is too large to be stored; the card fails when it runs");
        }
        CardKind::Call(call)
    }
}
