//! The order of cards: edges of an export to nested lists.
//!
//! Must never loop or recurse without bound: each card is met once, lanes nest at most [`DEPTH_MAX`] deep.
//! Tests: below, `tests/import_hostile.rs`.

use std::collections::{BTreeMap, HashSet};

use super::raw::Level;

/// Deepest nesting of lanes.
pub(super) const DEPTH_MAX: usize = 40;

/// One place in the order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A plain card.
    Card(usize),
    /// An if card with its lanes (true and false) and its join, where it has one.
    If { card: usize, join: Option<usize>, then: Vec<Place>, otherwise: Vec<Place> },
}

/// The event card and what follows it.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) event: usize,
    pub(super) places: Vec<Place>,
    /// Cards that no way leads to, where they do anything.
    pub(super) unreached: Vec<usize>,
}

struct Walker<'l, 'v> {
    level: &'l Level<'v>,
    out: BTreeMap<usize, Vec<usize>>,
    seen: HashSet<usize>,
    trouble: Option<String>,
}

/// The order of a level's cards, or why there is none.
pub(super) fn order(level: &Level<'_>) -> Result<Order, String> {
    let hidden = |at: usize| level.cards[at].is_hidden_expand();
    let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut entered = HashSet::new();
    for &(from, to) in level.edges.iter().filter(|(from, to)| !hidden(*from) && !hidden(*to)) {
        out.entry(from).or_default().push(to);
        entered.insert(to);
    }
    let heads: HashSet<usize> = level
        .cards
        .iter()
        .flat_map(|card| card.branches.iter().filter_map(|(uuid, _)| level.index.get(uuid).copied()))
        .collect();
    let mut starts =
        (0..level.cards.len()).filter(|at| !entered.contains(at) && !heads.contains(at) && !hidden(*at)).peekable();
    let all: Vec<usize> = starts.by_ref().collect();
    let is_event = |at: &&usize| {
        let card = &level.cards[**at];
        card.is("control", "callable") || card.is("http", "accept") || card.is("http", "delegated")
    };
    let event = match all.as_slice() {
        [] => return Err("no card comes first: the order of its cards is a circle, or there are none".into()),
        [event] => *event,
        many => *many.iter().find(is_event).unwrap_or(&many[0]),
    };
    let mut walker = Walker { level, out, seen: HashSet::new(), trouble: None };
    walker.seen.insert(event);
    let first = walker.next(event, &[]);
    let places = walker.walk(first, &mut Vec::new());
    if let Some(trouble) = walker.trouble {
        return Err(trouble);
    }
    let unreached = (0..level.cards.len())
        .filter(|at| !walker.seen.contains(at) && !hidden(*at))
        .filter(|at| !level.cards[*at].is("control", "comment"))
        .collect();
    Ok(Order { event, places, unreached })
}

impl Walker<'_, '_> {
    /// The card after this one, not counting joins that are waited for outside.
    fn next(&self, at: usize, stop: &[usize]) -> Option<usize> {
        let targets = self.out.get(&at)?;
        targets.iter().copied().find(|to| !stop.contains(to))
    }

    fn is_join(&self, at: usize) -> bool {
        self.level.cards[at].is("control", "join")
    }

    fn walk(&mut self, first: Option<usize>, stop: &mut Vec<usize>) -> Vec<Place> {
        let mut places = Vec::new();
        let mut at = first;
        while let Some(card) = at {
            if self.trouble.is_some() || stop.contains(&card) {
                break;
            }
            if !self.seen.insert(card) {
                self.trouble = Some(format!("the order of its cards leads back to `{}`", self.level.cards[card].title));
                break;
            }
            if self.level.cards[card].branches.is_empty() {
                places.push(Place::Card(card));
                at = self.next(card, stop);
                continue;
            }
            if stop.len() >= DEPTH_MAX {
                self.trouble = Some(format!("its lanes are nested more than {DEPTH_MAX} deep"));
                break;
            }
            let (place, join) = self.branch(card, stop);
            places.push(place);
            at = match join {
                Some(join) => self.next(join, stop),
                None => self.next(card, stop),
            };
        }
        places
    }

    fn branch(&mut self, card: usize, stop: &mut Vec<usize>) -> (Place, Option<usize>) {
        let heads: Vec<(usize, bool)> = self.level.cards[card]
            .branches
            .iter()
            .filter_map(|(uuid, truth)| self.level.index.get(uuid).map(|head| (*head, *truth)))
            .collect();
        let joins = heads.iter().flat_map(|(head, _)| self.out.get(head).into_iter().flatten().copied());
        let join = joins.filter(|to| self.is_join(*to) && !stop.contains(to)).min();
        if let Some(join) = join {
            self.seen.insert(join);
            stop.push(join);
        }
        let (mut then, mut otherwise) = (Vec::new(), Vec::new());
        for (head, truth) in heads {
            if !self.seen.insert(head) {
                self.trouble = Some("two lanes have the same beginning".into());
                break;
            }
            let first = self.next(head, stop);
            let lane = self.walk(first, stop);
            if truth { then = lane } else { otherwise = lane }
        }
        if join.is_some() {
            stop.pop();
        }
        (Place::If { card, join, then, otherwise }, join)
    }
}
