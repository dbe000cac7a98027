//! One scenario: seeds tables, runs the flow with scripted apps, holds everything against what is expected.
//!
//! Must never pass a scenario whose export or flow is not there.
//! Tests: the scenario files.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowdeck::testing::begin;
use flowdeck_apps::AppHost;
use flowdeck_format::test_file::Test;
use flowdeck_model::table::TableOp;
use flowdeck_model::{CardKind, Fields, Flow, Millis, TableName};
use serde::Serialize;

use crate::coverage::folded;
use crate::host::{Answers, StandIn};
use crate::judge;
use crate::lenient::Opaque;
use crate::source::Sample;
use crate::world::{Ran, World, prepared};

/// Whether a scenario is advice only: what it holds depends on behaviour that nobody documents.
fn is_advice(scenario: &Test) -> bool {
    scenario.unknowns_touched.iter().any(|name| !name.starts_with("order:") && !name.starts_with("response:"))
}

/// What came of one.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) export: String,
    /// Marks of doubt that make it advice.
    pub(crate) doubts: Vec<String>,
    /// All marks, those that leave it firm too.
    #[serde(skip)]
    pub(crate) marks: Vec<String>,
    /// What is not as expected.
    pub(crate) wrong: Vec<String>,
    /// `family/method` of cards whose outputs were compared.
    pub(crate) compared: Vec<String>,
    /// `family/method` of all cards that ran.
    #[serde(skip)]
    pub(crate) ran: BTreeSet<String>,
}

/// The export of a scenario, or why it cannot be read.
pub(crate) type Loaded = Result<Arc<Sample>, String>;

/// Runs one scenario over its export. Without the results of `mute`, a card's name in exports, it must fail where that
/// card matters to it.
pub(crate) async fn run(
    scenario: &Test,
    loaded: &Loaded,
    cards: &flowdeck::Cards,
    tables: &AppHost,
    mute: Option<&str>,
) -> Outcome {
    let mut outcome = Outcome {
        id: scenario.id.clone(),
        export: scenario.file.clone().unwrap_or_default(),
        doubts: if is_advice(scenario) { scenario.unknowns_touched.clone() } else { Vec::new() },
        marks: scenario.unknowns_touched.clone(),
        wrong: Vec::new(),
        compared: Vec::new(),
        ran: BTreeSet::new(),
    };
    let played = match loaded {
        Ok(sample) => play(scenario, sample, (cards, tables, mute), &mut outcome).await,
        Err(why) => Err(why.clone()),
    };
    if let Err(why) = played {
        outcome.wrong.push(why);
    }
    outcome
}

async fn play(
    scenario: &Test,
    sample: &Arc<Sample>,
    (cards, tables, mute): (&flowdeck::Cards, &AppHost, Option<&str>),
    outcome: &mut Outcome,
) -> Result<(), String> {
    let title = scenario.flow.as_deref().ok_or("it names no `flow`")?;
    let name = sample.export.named(title).map(|f| f.flow.clone());
    let name = name.ok_or_else(|| format!("there is no flow `{title}`"))?;
    let flow = sample.export.whole(&name).ok_or("the flow cannot be put together")?;
    let flow = prepared(flow);
    let clock = scenario.clock.as_deref().unwrap_or("2024-01-15T10:30:00.000Z");
    let now: jiff::Timestamp = clock.parse().map_err(|e| format!("clock: {e}"))?;
    let answers = Answers::Script(scenario.answers.clone());
    let host = StandIn::new(cards.clone(), tables.clone(), sample.clone(), flow.clone(), answers);
    let host = Arc::new(host.muted(mute));
    let world = Arc::new(World::new(host.clone(), &flow, Millis(now.as_millisecond())));
    let mut opaque = Opaque::default();
    opaque.named_only = scenario.expected["named_only"] == true;
    seed(scenario, sample, &flow, &world, &mut opaque).await?;
    let mut last = None;
    let event = sample.events.get(flow.name.as_str());
    for mut start in begin::starts(&flow, scenario, clock, cards) {
        if event.is_some_and(|event| mute == Some(event.as_str())) {
            start.event = Some(Fields::new());
        }
        last = Some(world.run(start).await?);
    }
    let ran = last.ok_or("it starts nothing")?;
    outcome.ran = cards_run(sample, &flow, &ran, &host);
    let mut found = judge::Found { outcome, opaque: &mut opaque, sample, flow: &flow, cards };
    found.tables(&scenario.expected, &scenario.tables, &world).await;
    found.end(&scenario.expected, &ran);
    found.calls(&scenario.expected, &host.called.lock(), &host);
    found.outputs(&scenario.expected, &ran);
    Ok(())
}

/// The cards of the export that ran, by name.
fn cards_run(sample: &Sample, flow: &Flow, ran: &Ran, host: &StandIn) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = host.called.lock().iter().map(|call| call.place.name.clone()).collect();
    names.extend(sample.events.get(flow.name.as_str()).cloned());
    let mut flows = BTreeSet::from([flow.name.to_string()]);
    let ended = ran.steps.iter().map(|step| (&step.flow, &step.card)).chain(ran.failed.iter().map(|(f, c)| (f, c)));
    for (flow, card) in ended {
        flows.insert(flow.clone());
        names.extend(sample.places_of(flow, card).iter().map(|place| place.name.clone()));
    }
    if ran.view.stopped {
        names.insert("control/continueIf".to_owned());
    }
    if ran.view.raw.is_some() {
        names.insert("control/returnRaw".to_owned());
    }
    for flow in flows {
        names.extend(sample.names.get(&flow).into_iter().flat_map(folded).cloned());
    }
    names.remove("");
    names
}

async fn seed(scenario: &Test, sample: &Sample, flow: &Flow, world: &World, opaque: &mut Opaque) -> Result<(), String> {
    let decls = || flow.tables.iter().chain(flow.helpers.values().flat_map(|h| &h.tables));
    for decl in decls() {
        world.table(&TableOp::Define(decl.clone())).await.map_err(|e| e.to_string())?;
    }
    for (name, rows) in &scenario.tables {
        let table = sample.tables.get(name).ok_or_else(|| format!("there is no table `{name}`"))?;
        if decls().all(|d| d.name.as_str() != table) {
            continue;
        }
        let table: TableName = table.parse().map_err(|_| format!("`{table}` is no table name"))?;
        for (at, row) in rows.as_array().into_iter().flatten().enumerate() {
            // As a card would have made it: what a scenario leaves out holds the column's default.
            let mut values = sample.defaults.get(table.as_str()).cloned().unwrap_or_default();
            values.extend(row.as_object().cloned().unwrap_or_default());
            values.remove("Row ID");
            let op = TableOp::Create { table: table.clone(), values };
            let made = world.table(&op).await.map_err(|e| format!("table `{name}`: {e}"))?;
            opaque.seeded(at + 1, made.get("Row ID").as_str().unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether a card of ours is a function or action of the catalogue.
pub(crate) fn called_card(kind: &CardKind) -> Option<&flowdeck_model::CardName> {
    match kind {
        CardKind::Call(call) => Some(&call.card),
        CardKind::ForEach(each) => match &each.each.items {
            flowdeck_model::flow::Items::Pages(call) => Some(&call.card),
            flowdeck_model::flow::Items::List(_) => None,
        },
        _ => None,
    }
}
