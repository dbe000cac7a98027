//! Flows inside cards: their cards become a lane, and what they capture are plain references.
//!
//! Must never nest without a limit, nor register an embedded flow by its id.
//! Tests: `tests/import.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::{Card, CardId, Value};

use super::build::{Builder, EMBEDDED_DEPTH_MAX, Scope};
use super::order::{Order, order};
use super::raw::Level;
use super::source::Source;

/// What an embedded flow is given, by group and key.
pub(super) type Values<'v> = Vec<((&'v str, &'v str), Source)>;

impl<'v> Builder<'_, 'v, '_> {
    /// The cards of a flow inside a card.
    pub(super) fn embedded(&mut self, data: &'v Value, values: &Values<'v>, id: &CardId) -> Vec<Card> {
        if !data.is_object() || self.depth >= EMBEDDED_DEPTH_MAX {
            self.lost(id.as_str(), "a flow inside this card: it is missing or nested too deep");
            return Vec::new();
        }
        let level = Arc::new(Level::read(data, &mut self.import.cards_left));
        let order = match order(&level) {
            Ok(order) => order,
            Err(why) => {
                self.lost(id.as_str(), format!("a flow inside this card: {why}"));
                return Vec::new();
            }
        };
        let mut scope = Scope { level: Arc::clone(&level), sources: HashMap::new() };
        self.seed(&mut scope, order.event, values);
        self.depth += 1;
        let cards = self.places(&mut scope, &order.places);
        self.depth -= 1;
        self.unreached(&scope, &order);
        cards
    }

    /// Gives the outputs of a level's event card their values.
    pub(super) fn seed(&mut self, scope: &mut Scope<'v>, event: usize, values: &Values<'v>) {
        let level = Arc::clone(&scope.level);
        for output in &level.cards[event].outputs {
            let found = values.iter().find(|((group, key), _)| *group == output.group && *key == output.key);
            let source = match (found, output.group, output.key) {
                (Some((_, source)), _, _) => source.clone(),
                (None, "context", "execution_id") => Source::place("run", ["id"]),
                (None, "context", "execution_time") => Source::place("run", ["started"]),
                _ => Source::null(),
            };
            scope.sources.insert((event, output.id), source);
        }
    }

    /// Says which cards no way leads to, and which pins lead nowhere.
    pub(super) fn unreached(&mut self, scope: &Scope<'v>, order: &Order) {
        for at in &order.unreached {
            let raw = &scope.level.cards[*at];
            let name = raw.name();
            self.lost("", format!("the card `{}` ({name}): no way leads to it", raw.title));
        }
        match scope.level.dangling {
            0 => {}
            1 => self.lost("", "a pin that leads to nothing"),
            n => self.lost("", format!("{n} pins that lead to nothing")),
        }
        match scope.level.nameless {
            0 => {}
            1 => self.lost("", "a card that has no id, or that of another"),
            n => self.lost("", format!("{n} cards that have no id, or that of another")),
        }
    }
}
