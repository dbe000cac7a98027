//! The other way to run an export: through the files that an import writes, and through the report beside them.
//!
//! Must never look at the imported flows themselves: only at the texts, as somebody would who has nothing else.
//! Tests: below over `made/`, and every sample.

use std::collections::{BTreeMap, HashMap};

use flowdeck_format::import::Export;
use flowdeck_format::{Severity, Source, read_with};
use flowdeck_model::{Catalogue, Fields, Flow, Value};
use serde_json::json;

use crate::host::Called;
use crate::lenient::short;
use crate::world::Ran;

/// The files of an import, and the id map of its report.
pub(crate) struct Native {
    files: BTreeMap<String, String>,
    /// Flow and card id of the export by flow and card id here.
    ids: HashMap<(String, String), String>,
}

impl Native {
    pub(crate) fn new(export: &Export) -> Result<Self, String> {
        let files = export.files().into_iter().map(|file| (file.name, file.text)).collect();
        // As the report is written beside the files.
        let text = serde_json::to_string(&export.report).map_err(|e| e.to_string())?;
        let report: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let mut ids = HashMap::new();
        for card in report["cards"].as_array().into_iter().flatten() {
            let part = |key: &str| card[key].as_str().unwrap_or_default().to_owned();
            let there = format!("{} {}", part("export_flow"), part("export_card"));
            ids.entry((part("flow"), part("card"))).or_insert(there);
        }
        Ok(Self { files, ids })
    }

    /// A flow as its file and the files that it names give it.
    pub(crate) fn flow(&self, name: &str, catalogue: &dyn Catalogue) -> Result<Flow, String> {
        let load = |path: &str| {
            let text = self.files.get(path).ok_or_else(|| "there is no such file".to_owned())?;
            Ok(Source::new(path, text))
        };
        let file = format!("{name}.flow.yaml");
        let checked = read_with(&load(&file)?, Some(catalogue), &load);
        if let Some(error) = checked.diagnostics.iter().find(|d| d.severity == Severity::Error) {
            return Err(format!("{file}: {}: {} ({})", error.path, error.message, error.code));
        }
        checked.flows.into_iter().next().ok_or_else(|| format!("{file}: nothing is read"))
    }

    /// A step by the ids of the export; cards that the import added keep their own.
    fn id(&self, flow: &str, card: &str) -> String {
        let own = (flow.to_owned(), card.to_owned());
        self.ids.get(&own).cloned().unwrap_or_else(|| format!("{flow} {card}"))
    }
}

/// All that a run did: what two ways of running one flow are compared by.
#[derive(Debug, PartialEq)]
pub(crate) struct Trace {
    end: Value,
    steps: Vec<(String, Value)>,
    calls: Vec<(String, Value)>,
    tables: Value,
}

impl Trace {
    /// Steps in the order of their places: what runs side by side may end in any order.
    pub(crate) fn new(native: &Native, ran: &Result<Ran, String>, called: &[Called], tables: Value) -> Self {
        let mut steps = Vec::new();
        let mut ends = json!(null);
        match ran {
            Err(why) => ends = json!(why),
            Ok(ran) => {
                let view = &ran.view;
                let fault = view.fault.as_ref().map(|f| (f.code.as_str(), f.message.clone(), f.status));
                ends = json!({"status": view.status.word(), "stopped": view.stopped, "fault": fault,
                    "output": view.output.as_ref().map(Fields::to_value), "raw": view.raw,
                    "failed_at": view.failed_at.as_ref().map(ToString::to_string)});
                for step in &ran.steps {
                    let id = native.id(&step.flow, &step.card);
                    steps.push((format!("{id} at {} of run {}", step.path, step.run), step.outputs.to_value()));
                }
                for (path, fault) in &ran.faults {
                    steps.push((format!("a fault at {path}"), json!([fault.code.as_str(), fault.message])));
                }
            }
        }
        let mut calls: Vec<_> = called
            .iter()
            .map(|call| (format!("{} {} at {}", call.card, call.place.uuid, call.path), call.inputs.to_value()))
            .collect();
        let text = |(key, value): &(String, Value)| (key.clone(), value.to_string());
        steps.sort_by_key(text);
        calls.sort_by_key(text);
        Self { end: ends, steps, calls, tables }
    }

    /// How many steps ended well or failed.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// What is not the same, if anything.
    pub(crate) fn differs(&self, other: &Self) -> Option<String> {
        if self.end != other.end {
            return Some(format!("it ends otherwise: {} and {}", short(&self.end), short(&other.end)));
        }
        first(&self.steps, &other.steps, "step")
            .or_else(|| first(&self.calls, &other.calls, "call"))
            .or_else(|| (self.tables != other.tables).then(|| "the tables hold other rows".to_owned()))
    }
}

fn first(here: &[(String, Value)], there: &[(String, Value)], what: &str) -> Option<String> {
    let differs = here.iter().zip(there).find(|(a, b)| a != b);
    match differs {
        Some(((a, x), (b, y))) if a == b => Some(format!("{what} {a}: {} and {}", short(x), short(y))),
        Some(((a, _), (b, _))) => Some(format!("{what} {a} is {b} in the other")),
        None if here.len() != there.len() => Some(format!("{} {what}s, {} in the other", here.len(), there.len())),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use flowdeck::egress::{Egress, Policy};
    use flowdeck_apps::AppHost;
    use indexmap::IndexMap;

    use super::*;
    use crate::sample::{self, Verdict};
    use crate::source::Sample;

    /// Exports written for this, after the specification: one sort of card after the other.
    const MADE: [&str; 5] = ["apps", "lanes", "lists", "starts", "tables"];

    fn bytes(name: &str) -> Vec<u8> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("made").join(format!("{name}.flopack"));
        std::fs::read(file).unwrap()
    }

    fn cards() -> (flowdeck::Cards, AppHost) {
        let cards = flowdeck::Cards::with_files(&IndexMap::new(), &[]).unwrap();
        let tables = AppHost::new(cards.apps().clone(), Egress::new(Policy::default()).unwrap());
        (cards, tables)
    }

    #[tokio::test]
    async fn native_files_run_as_their_export_does() {
        let (cards, tables) = cards();
        for name in MADE {
            let verdict = sample::check(name, &bytes(name), &cards, &tables).await;
            assert!(verdict.holds(), "{verdict:#?}");
            assert!(verdict.steps >= verdict.flows, "{name}: {} steps", verdict.steps);
        }
    }

    #[tokio::test]
    async fn another_constant_or_a_card_less_is_noticed() {
        let (cards, tables) = cards();
        let sample = Arc::new(Sample::read("lanes", &bytes("lanes"), &cards).unwrap());
        let check = async |from: &str, to: &str| {
            let mut native = Native::new(&sample.export).unwrap();
            let text = native.files.get_mut("lanes-blocks-and-errors.flow.yaml").unwrap();
            assert!(text.contains(from), "{text}");
            *text = text.replace(from, to);
            let mut verdict = Verdict::default();
            sample::runs(&sample, &native, &cards, &tables, &mut verdict).await;
            verdict.native.join("; ")
        };
        assert_eq!(check("Hello", "Hello").await, "");
        assert!(check("Hello", "Good day").await.contains("Good day"));
        let less = check("  - id: lookup", "  - id: lookup\n    disabled: true").await;
        assert!(!less.is_empty());
    }
}
