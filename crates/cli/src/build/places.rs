//! Where a card can go in a flow, as a list to choose from and as options say it.
//!
//! Must never name a place that the edit does not know.
//! Tests: below.

use flowdeck::format::edit::{Place, Spot};
use flowdeck::model::flow::Card;
use flowdeck::model::{CardId, CardKind, CardName, Flow};

/// A place to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// How deep in lanes.
    pub(crate) depth: usize,
    /// What is chosen.
    pub(crate) label: String,
    /// The card that is there.
    pub(crate) about: String,
    pub(crate) place: Place,
}

/// Every place of a flow, the usual one first.
pub(crate) fn rows(flow: &Flow) -> Vec<Row> {
    let at = |spot, label: &str, about: &str| Row {
        depth: 0,
        label: label.into(),
        about: about.into(),
        place: Place { flow: Some(flow.name.clone()), lane: None, spot },
    };
    let ends = flow.cards.last().is_some_and(Card::always_ends);
    let mut rows = vec![at(Spot::End, "at the end", if ends { "before the return" } else { "" })];
    if !flow.cards.is_empty() {
        rows.push(at(Spot::First, "at the beginning", ""));
    }
    below(flow, &flow.cards, 0, &mut rows);
    rows
}

fn below(flow: &Flow, cards: &[Card], depth: usize, rows: &mut Vec<Row>) {
    for card in cards {
        let place = |lane, spot| Place { flow: Some(flow.name.clone()), lane, spot };
        for (lane, cards) in lane_names(&card.kind).into_iter().zip(card.kind.lanes()) {
            rows.push(Row {
                depth: depth + 1,
                label: format!("in {}.{lane}", card.id),
                about: if cards.is_empty() { "empty".into() } else { "at its end".into() },
                place: place(Some((card.id.clone(), lane)), Spot::End),
            });
            below(flow, cards, depth + 1, rows);
        }
        if !card.always_ends() {
            rows.push(Row {
                depth,
                label: format!("after {}", card.id),
                about: word(card),
                place: place(None, Spot::After(card.id.clone())),
            });
        }
    }
}

fn word(card: &Card) -> String {
    match &card.kind {
        CardKind::Call(call) => CardName::to_string(&call.card),
        kind => kind.word().into(),
    }
}

/// The names of a card's lanes, in the order of [`CardKind::lanes`].
pub(crate) fn lane_names(kind: &CardKind) -> Vec<String> {
    let fixed = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    match kind {
        CardKind::If { .. } => fixed(&["then", "else"]),
        CardKind::ElseIf { branches, .. } => {
            (1..=branches.len()).map(|n| n.to_string()).chain(["else".to_owned()]).collect()
        }
        CardKind::Try { .. } => fixed(&["try", "catch"]),
        CardKind::Parallel { lanes } => lanes.keys().map(ToString::to_string).collect(),
        kind => fixed(&["cards"]).into_iter().take(kind.lanes().len()).collect(),
    }
}

/// `CARD.LANE` of an option; a card with one lane needs only its id.
pub(crate) fn lane_of(flow: &Flow, text: &str) -> Result<(CardId, String), String> {
    let (card, lane) = text.split_once('.').map_or((text, None), |(card, lane)| (card, Some(lane.to_owned())));
    let id = CardId::new(card).map_err(|e| e.to_string())?;
    let lane = match lane {
        Some(lane) => lane,
        None => {
            let names = find(&flow.cards, &id).map(|card| lane_names(&card.kind)).unwrap_or_default();
            match names.as_slice() {
                [only] => only.clone(),
                [] => return Err(format!("`{card}` has no lane to put a card in")),
                several => {
                    let all: Vec<String> = several.iter().map(|lane| format!("{card}.{lane}")).collect();
                    return Err(format!("`{card}` has several lanes: {}", all.join(", ")));
                }
            }
        }
    };
    Ok((id, lane))
}

/// A card of a flow, wherever it is.
pub(crate) fn find<'a>(cards: &'a [Card], id: &CardId) -> Option<&'a Card> {
    cards.iter().find_map(|card| {
        if card.id == *id { Some(card) } else { card.kind.lanes().into_iter().find_map(|lane| find(lane, id)) }
    })
}

/// The cards around each card: its own id last.
pub(crate) fn trails(cards: &[Card]) -> Vec<Vec<CardId>> {
    let mut all = Vec::new();
    for card in cards {
        all.push(vec![card.id.clone()]);
        for mut inner in card.kind.lanes().into_iter().flat_map(trails) {
            inner.insert(0, card.id.clone());
            all.push(inner);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use flowdeck::{Source, read};

    use super::*;

    const FLOW: &str = "\
flow: a
cards:
  - id: x
    if: true
    then:
      - id: y
        card: date/now
  - id: loop
    for_each: [1]
  - id: end
    return: {}
";

    fn flow() -> Flow {
        read(&Source::new("a.yaml", FLOW), None).flows.remove(0)
    }

    #[test]
    fn every_place_is_offered_and_none_behind_a_return() {
        let flow = flow();
        let shown: Vec<String> = rows(&flow).iter().map(|r| format!("{}{}", "-".repeat(r.depth), r.label)).collect();
        let wanted = "at the end|at the beginning|-in x.then|-after y|-in x.else|after x|-in loop.cards|after loop";
        assert_eq!(shown.join("|"), wanted);
        let now = serde_json::json!({ "card": "date/now" }).as_object().unwrap().clone();
        for row in rows(&flow) {
            let source = Source::new("a.yaml", FLOW);
            let id = CardId::new("new").unwrap();
            let edited = flowdeck::format::edit::insert_card(&source, &row.place, &id, &now, None);
            assert!(edited.is_ok(), "{row:?}: {edited:?}");
        }
    }

    #[test]
    fn a_lane_is_named_by_its_card_where_there_is_one() {
        let flow = flow();
        let lane = |text| lane_of(&flow, text).map(|(card, lane)| format!("{card}.{lane}"));
        assert_eq!(lane("loop").as_deref(), Ok("loop.cards"));
        assert_eq!(lane("x.else").as_deref(), Ok("x.else"));
        assert_eq!(lane("x").unwrap_err(), "`x` has several lanes: x.then, x.else");
        assert_eq!(lane("y").unwrap_err(), "`y` has no lane to put a card in");
        let trails: Vec<String> =
            trails(&flow.cards).iter().map(|t| t.iter().map(CardId::as_str).collect::<Vec<_>>().join(".")).collect();
        assert_eq!(trails, ["x", "x.y", "loop", "end"]);
    }
}
