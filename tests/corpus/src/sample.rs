//! What is proved of every export: it loads, it comes back from its native form, each flow runs, and its native files
//! run the same way.
//!
//! Must never count an end as right that is a defect of ours.
//! Tests: the corpus.

use std::sync::Arc;

use flowdeck_apps::AppHost;
use flowdeck_engine::Status;
use flowdeck_format::import::FlowPlace;
use flowdeck_format::{Source, print, read};
use flowdeck_model::{FaultCode, Flow, Millis};
use serde::Serialize;

use crate::begin;
use crate::host::{Answers, StandIn};
use crate::made::Mood;
use crate::native::{Native, Trace};
use crate::source::Sample;
use crate::world::{World, prepared};

/// 2024-01-15T10:30:00Z.
const NOW: Millis = Millis(1_705_314_600_000);

/// What came of one export.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) flows: usize,
    pub(crate) cards: usize,
    /// (a) What is not known, or why it does not load.
    pub(crate) unknown: Vec<String>,
    /// (b) Flows that come back differently.
    pub(crate) round_trip: Vec<String>,
    /// (c) Ends that are not right.
    pub(crate) runs: Vec<String>,
    /// (n) Flows whose native files run otherwise.
    pub(crate) native: Vec<String>,
    /// Steps that were compared for (n).
    pub(crate) steps: usize,
}

impl Verdict {
    /// Each check by its letter, with what is wrong.
    pub(crate) fn checks(&self) -> [(&'static str, &[String]); 4] {
        [("a", &self.unknown), ("b", &self.round_trip), ("c", &self.runs), ("n", &self.native)]
    }

    pub(crate) fn holds(&self) -> bool {
        self.checks().iter().all(|(_, wrong)| wrong.is_empty())
    }
}

/// Checks one export.
pub(crate) async fn check(name: &str, bytes: &[u8], cards: &flowdeck::Cards, tables: &AppHost) -> Verdict {
    let mut verdict = Verdict { name: name.to_owned(), ..Verdict::default() };
    let sample = match Sample::read(name, bytes, cards) {
        Ok(sample) => Arc::new(sample),
        Err(why) => {
            verdict.unknown.push(format!("it does not load: {why}"));
            return verdict;
        }
    };
    verdict.flows = sample.export.flows.len();
    verdict.cards = sample.export.report.cards.len();
    let mut unknown: Vec<String> =
        sample.export.report.unbound.iter().map(|u| format!("{} ({}, {})", u.name, u.flow, u.card)).collect();
    unknown.sort();
    verdict.unknown = unknown;
    match Native::new(&sample.export) {
        Ok(native) => runs(&sample, &native, cards, tables, &mut verdict).await,
        Err(why) => verdict.native.push(why),
    }
    verdict
}

/// Runs each flow, and the same flow out of the native files.
pub(crate) async fn runs(
    sample: &Arc<Sample>,
    native: &Native,
    cards: &flowdeck::Cards,
    tables: &AppHost,
    verdict: &mut Verdict,
) {
    for place in &sample.export.report.flows {
        let Some(flow) = sample.export.whole(&place.flow) else { continue };
        round_trip(&flow, cards, verdict);
        let imported = native.flow(&place.flow, cards).map(prepared);
        if let Err(why) = &imported {
            verdict.native.push(format!("{}: {why}", place.flow));
        }
        let flow = prepared(flow);
        for (mode, mood, answers) in [
            ("answers", Mood::Usual, Answers::Made(Mood::Usual)),
            ("failing", Mood::Usual, Answers::Failing),
            ("empty", Mood::Empty, Answers::Made(Mood::Empty)),
        ] {
            let stage = Stage { sample, place, cards, tables, native, mood, answers };
            let (wrong, trace) = stage.run(&flow).await;
            if let Some(why) = wrong {
                verdict.runs.push(format!("{} ({mode}): {why}", place.flow));
            }
            let Ok(imported) = &imported else { continue };
            let (_, other) = stage.run(imported).await;
            verdict.steps += trace.len();
            if let Some(why) = trace.differs(&other) {
                verdict.native.push(format!("{} ({mode}): {why}", place.flow));
            }
        }
    }
}

/// One way to run one flow of an export.
struct Stage<'a> {
    sample: &'a Arc<Sample>,
    place: &'a FlowPlace,
    cards: &'a flowdeck::Cards,
    tables: &'a AppHost,
    native: &'a Native,
    mood: Mood,
    answers: Answers,
}

impl Stage<'_> {
    /// Why its end is not right, and all that it did.
    async fn run(&self, flow: &Arc<Flow>) -> (Option<String>, Trace) {
        let (cards, sample) = (self.cards.clone(), self.sample.clone());
        let host = Arc::new(StandIn::new(cards, self.tables.clone(), sample, flow.clone(), self.answers.clone()));
        let world = Arc::new(World::new(host.clone(), flow, NOW));
        let ran = world.run(begin::made(flow, &self.place.export_id, self.sample, self.mood, self.cards)).await;
        let wrong = match &ran {
            Err(why) => Some(why.clone()),
            Ok(ran) => wrong_end(ran),
        };
        let tables = world.all_rows(flow).await;
        let trace = Trace::new(self.native, &ran, &host.called.lock(), tables);
        (wrong, trace)
    }
}

fn round_trip(flow: &flowdeck_model::Flow, cards: &flowdeck::Cards, verdict: &mut Verdict) {
    let text = print(flow);
    let checked = read(&Source::new("flow.yaml", &text), Some(cards));
    let name = &flow.name;
    match checked.flows.first() {
        Some(back) if back == flow && !checked.has_errors() => {}
        back => {
            let first = checked.diagnostics.iter().find(|d| d.severity == flowdeck_format::Severity::Error);
            let why = match (first, back) {
                (Some(error), _) => format!("{}: {} ({})", error.path, error.message, error.code),
                (None, None) => "nothing is read back".into(),
                (None, Some(back)) => difference(flow, back),
            };
            verdict.round_trip.push(format!("{name}: {why}"));
        }
    }
}

fn difference(a: &flowdeck_model::Flow, b: &flowdeck_model::Flow) -> String {
    let (a, b) = (serde_json::to_value(a).unwrap_or_default(), serde_json::to_value(b).unwrap_or_default());
    let mut at = String::new();
    let (mut a, mut b) = (&a, &b);
    loop {
        use serde_json::Value as V;
        let next = match (a, b) {
            (V::Object(x), V::Object(y)) => {
                x.iter().find(|(k, v)| y.get(*k) != Some(v)).map(|(k, v)| (format!(".{k}"), v, y.get(k)))
            }
            (V::Array(x), V::Array(y)) => {
                x.iter().enumerate().find(|(i, v)| y.get(*i) != Some(v)).map(|(i, v)| (format!("[{i}]"), v, y.get(i)))
            }
            _ => None,
        };
        match next {
            Some((key, inner, Some(other))) => {
                at.push_str(&key);
                (a, b) = (inner, other);
            }
            Some((key, inner, None)) => return format!("{at}{key}: {} is lost", crate::lenient::short(inner)),
            None => return crate::lenient::said(a, b, &at),
        }
    }
}

/// Why an end is not right, if it is not.
fn wrong_end(ran: &crate::world::Ran) -> Option<String> {
    let bad = |code: FaultCode| {
        use FaultCode as F;
        matches!(code, F::UnknownCard | F::BadType | F::BadMapping | F::CardPanicked | F::SetAside | F::NotConnected)
    };
    if let Some((path, fault)) = ran.faults.iter().find(|(_, fault)| bad(fault.code)) {
        return Some(format!("{path}: {fault}"));
    }
    if let Some(aside) = &ran.view.set_aside {
        return Some(aside.to_string());
    }
    match ran.view.status {
        Status::Finished | Status::Failed | Status::Expired | Status::Waiting => None,
        other => Some(format!("it ends {}", other.word())),
    }
}
