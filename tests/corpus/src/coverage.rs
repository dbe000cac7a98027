//! Which cards are proved: for each, the exports it is in, the scenarios that run it, and those that check its result.
//!
//! Must never count a card as checked only because a scenario with it passes: without its result the scenario must fail.
//! Tests: below.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck::functions::reference::{Home, KERNEL};
use flowdeck_apps::AppHost;
use flowdeck_format::test_file::Test;
use flowdeck_model::CardName;
use serde_json::json;

use crate::scenario::{self, Loaded, Outcome};

/// Cards of the kernel that are no step of their own here: their work is in the mappings and lanes of others.
const FOLDED: &[&str] =
    &["control/callable", "control/comment", "control/join", "control/noop", "control/return", "object/expand"];

/// What is known of a card.
#[derive(Debug, Default)]
struct Tally {
    exports: BTreeSet<String>,
    ran: BTreeSet<String>,
    checked: BTreeSet<String>,
    examples: usize,
}

/// Of all cards.
#[derive(Debug)]
pub(crate) struct Coverage {
    cards: BTreeMap<String, Tally>,
}

impl Coverage {
    /// All cards of the kernel, with the examples of their function cards.
    pub(crate) fn new(cards: &flowdeck::Cards) -> Self {
        let mut all: BTreeMap<String, Tally> = BTreeMap::new();
        for kernel in KERNEL {
            let function = CardName::new(kernel.card).ok().and_then(|name| cards.functions().function(&name));
            let examples = function.map_or(0, |function| function.examples().len());
            all.insert(kernel.card.to_owned(), Tally { examples, ..Tally::default() });
        }
        Self { cards: all }
    }

    /// An export holds these cards.
    pub(crate) fn export(&mut self, name: &str, cards: &BTreeSet<String>) {
        for card in cards {
            self.cards.entry(card.clone()).or_default().exports.insert(name.to_owned());
        }
    }

    /// A scenario that passed: which cards it ran, and which it fails without.
    pub(crate) async fn scenario(
        &mut self,
        (scenario, loaded): (&Test, &Loaded),
        outcome: &Outcome,
        cards: &flowdeck::Cards,
        tables: &AppHost,
    ) {
        for card in &outcome.ran {
            let checked = match steers(card) {
                // What runs next is its result, and the scenario expects a certain end.
                true => true,
                false => {
                    outcome.compared.contains(card)
                        || !scenario::run(scenario, loaded, cards, tables, Some(card)).await.wrong.is_empty()
                }
            };
            let tally = self.cards.entry(card.clone()).or_default();
            tally.ran.insert(outcome.id.clone());
            if checked {
                tally.checked.insert(outcome.id.clone());
            }
        }
    }

    /// Prints one line a card, and what is not proved.
    pub(crate) fn close(&self, as_json: bool) {
        if !as_json {
            println!("{:52} {:>7} {:>5} {:>7} {:>8}", "card", "exports", "ran", "checked", "examples");
        }
        for (card, tally) in &self.cards {
            let (exports, ran, checked) = (tally.exports.len(), tally.ran.len(), tally.checked.len());
            let steers = if steers(card) { "  steers" } else { "" };
            if as_json {
                let examples = tally.examples;
                println!(
                    "{}",
                    json!({"type": "card", "card": card, "exports": exports, "ran": ran, "checked": checked, "examples": examples})
                );
            } else {
                println!("{card:52} {exports:>7} {ran:>5} {checked:>7} {:>8}{steers}", tally.examples);
            }
        }
        if as_json {
            return;
        }
        let kernel = |card: &str| KERNEL.iter().any(|k| k.card == card);
        for (what, is_kernel) in [("kernel cards", true), ("cards of apps", false)] {
            let own: Vec<_> = self.cards.iter().filter(|(card, _)| kernel(card) == is_kernel).collect();
            let used: Vec<_> = own.iter().filter(|(_, tally)| !tally.exports.is_empty()).collect();
            let checked = used.iter().filter(|(_, tally)| !tally.checked.is_empty()).count();
            println!("{what}: {}, {} in the exports, {checked} of these checked by scenarios", own.len(), used.len());
            let none = used.iter().filter(|(_, tally)| tally.checked.is_empty()).map(|(card, _)| card.as_str());
            list("    in exports, and no scenario checks it:", none);
            let bare = own.iter().filter(|(_, tally)| tally.checked.is_empty() && tally.examples == 0);
            list("    neither scenario nor example:", bare.map(|(card, _)| card.as_str()));
        }
    }
}

fn list<'n>(title: &str, names: impl Iterator<Item = &'n str>) {
    let names: Vec<_> = names.collect();
    if !names.is_empty() {
        println!("{title} {}", names.join(", "));
    }
}

/// Whether a card decides what runs next, and gives nothing that could be taken away.
fn steers(card: &str) -> bool {
    FOLDED.contains(&card) || KERNEL.iter().any(|k| k.card == card && matches!(k.home, Home::Flow(_)))
}

/// Those of a flow's cards that are no steps: they ran where the flow did.
pub(crate) fn folded(cards: &BTreeSet<String>) -> impl Iterator<Item = &String> {
    cards.iter().filter(|card| FOLDED.contains(&card.as_str()) || starts(card))
}

fn starts(card: &str) -> bool {
    ["http/accept", "http/delegated"].contains(&card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cards_that_steer_count_without_their_results() {
        assert!(steers("control/if") && steers("control/callable") && steers("object/expand"));
        assert!(!steers("string/compose") && !steers("control/let") && !steers("okta/readUser"));
    }

    #[test]
    fn every_folded_card_is_of_the_kernel() {
        assert!(FOLDED.iter().all(|card| KERNEL.iter().any(|k| k.card == *card)));
    }
}
