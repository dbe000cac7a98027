//! The door for Okta exports (`.flopack`, `.folder`, `.flow`): their bytes become the flows that native files give.
//!
//! Must never touch files or the network, start anything, nor panic on any bytes.
//! Tests: `tests/import.rs`, `tests/import_hostile.rs`, `crates/flowdeck/tests/exports.rs`.

mod bind;
mod build;
mod cards;
mod definition;
mod early;
mod embedded;
mod fields;
mod files;
mod flows;
mod names;
mod order;
mod policy;
mod raw;
mod report;
mod searching;
mod secrets;
mod source;
mod steering;
mod tables;
mod tree;
mod walk;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flowdeck_model::table::{Column, ColumnType, TableDecl};
use flowdeck_model::{CardKind, Catalogue, Flow, FlowName, Value};
use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Severity};
use build::{Builder, Import};
pub use files::ImportedFile;
use flows::RawFlow;
use names::Names;
use raw::{Level, members, text};
pub use report::{CardPlace, FlowPlace, Report, ReportNote, SlotPlace, TablePlace, Unbound};

/// Largest export, in bytes.
pub const EXPORT_BYTES_MAX: usize = 64 << 20;
/// Most flows of an export.
const FLOWS_MAX: usize = 1000;
/// Most cards of an export, those inside cards too.
const CARDS_MAX: usize = 50_000;
/// Most diagnostics.
const DIAGNOSTICS_MAX: usize = 100;

/// An export that was read.
#[derive(Debug, Clone)]
pub struct Export {
    /// Its flows in the order of the export, each without its helpers; see [`Export::whole`].
    pub flows: Vec<Flow>,
    /// What was done.
    pub report: Report,
}

impl Export {
    /// A flow with all helpers that it can reach, ready to run or to print.
    #[must_use]
    pub fn whole(&self, name: &str) -> Option<Flow> {
        let find = |name: &str| self.flows.iter().find(|flow| flow.name.as_str() == name);
        let mut whole = find(name)?.clone();
        let mut left = called(&whole);
        let mut seen: BTreeSet<FlowName> = BTreeSet::new();
        while let Some(next) = left.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            if let Some(helper) = find(next.as_str()) {
                left.extend(called(helper));
                let mut helper = helper.clone();
                helper.on = flowdeck_model::Trigger::Manual;
                whole.helpers.insert(next, helper);
            }
        }
        whole.helpers.sort_keys();
        Some(whole)
    }

    /// The flow that a person means: by its name, its title or its id in the export.
    #[must_use]
    pub fn named(&self, wanted: &str) -> Option<&FlowPlace> {
        let flows = &self.report.flows;
        let rules: [&dyn Fn(&&FlowPlace) -> bool; 4] =
            [&|f| f.flow == wanted, &|f| f.export_id == wanted, &|f| f.title == wanted, &|f| {
                // Titles of exports often end in a space that nobody sees.
                f.title.trim().eq_ignore_ascii_case(wanted.trim())
            }];
        rules.iter().find_map(|rule| flows.iter().find(rule))
    }
}

/// The helpers that a flow calls itself.
fn called(flow: &Flow) -> Vec<FlowName> {
    let mut found = Vec::new();
    let mut lists = vec![flow.cards.as_slice()];
    while let Some(cards) = lists.pop() {
        for card in cards {
            if let CardKind::CallFlow { flow, .. } | CardKind::CallFlowAsync { flow, .. } = &card.kind {
                found.push(flow.clone());
            }
            lists.extend(card.kind.lanes());
        }
    }
    found
}

/// Whether these bytes look like an export, whatever the file is called.
///
/// ```
/// use flowdeck_format::import::is_export;
///
/// assert!(is_export(br#"{ "type": "flopack", "data": { "flos": {} } }"#));
/// assert!(!is_export(b"flow: a"));
/// ```
#[must_use]
pub fn is_export(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.iter().find(|b| !b.is_ascii_whitespace());
    if start != Some(&b'{') {
        return false;
    }
    let holds = |word: &[u8]| bytes.windows(word.len()).take(8 << 20).any(|w| w == word);
    holds(b"\"flopack\"") || (holds(b"\"flos\"") && holds(b"\"data\""))
}

/// Reads an export. Never panics and never fails: what is wrong is among the diagnostics; without an export there is
/// at least one error. `name` is the file's name, for messages.
#[must_use]
pub fn read(name: &str, bytes: &[u8], catalogue: &dyn Catalogue) -> (Option<Export>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    if bytes.len() > EXPORT_BYTES_MAX {
        let message = format!("the export is larger than {} MiB", EXPORT_BYTES_MAX >> 20);
        return (None, vec![problem("export-too-large", message, "export fewer flows at once", String::new())]);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (tree, twice) = match tree::read(bytes) {
        Ok(read) => read,
        Err(error) => {
            let what = if error.is_eof() { "the export is cut off" } else { "the export is not well-formed JSON" };
            let mut found = problem("export-json", format!("{what}: {error}"), "export it again", String::new());
            (found.line, found.column) = (error.line().max(1), error.column().max(1));
            return (None, vec![found]);
        }
    };
    let Some(data) = tree.get("data").filter(|data| data.get("flos").is_some_and(Value::is_object)) else {
        let message = "this is not an Okta export: it has no `data.flos`".to_string();
        return (
            None,
            vec![problem("not-an-export", message, "give a .flopack, .folder or .flow file", String::new())],
        );
    };
    let export = import(name, bytes, data, catalogue, &mut diagnostics);
    for place in twice.places() {
        let message = "a key stands twice in one object, the last one counts".to_owned();
        let remedy = "remove one of them if the file was changed by hand";
        diagnostics.push(warning("export-key-twice", message, remedy, place));
    }
    diagnostics.truncate(DIAGNOSTICS_MAX);
    (Some(export), diagnostics)
}

fn problem(code: &'static str, message: String, remedy: &str, path: String) -> Diagnostic {
    let remedy = Some(remedy.to_owned()).filter(|r| !r.is_empty());
    Diagnostic { severity: Severity::Error, code, message, remedy, span: 0..0, line: 1, column: 1, path }
}

/// As [`problem`], where the export can be used all the same.
fn warning(code: &'static str, message: String, remedy: &str, path: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..problem(code, message, remedy, path) }
}

/// `data` is what [`tree::read`] kept of the bytes.
fn import(
    name: &str,
    bytes: &[u8],
    data: &Value,
    catalogue: &dyn Catalogue,
    diagnostics: &mut Vec<Diagnostic>,
) -> Export {
    let mut state = Import {
        catalogue,
        decls: HashMap::new(),
        heads: HashMap::new(),
        tables: HashMap::new(),
        defaults: HashMap::new(),
        configs: members(data, "configs").map(|(id, config)| (id, text(config, "name"))).collect(),
        slots: IndexMap::new(),
        slot_names: Names::default(),
        results_read: BTreeSet::new(),
        cards_left: CARDS_MAX,
        unknown: Vec::new(),
        report: Report { export: name.to_owned(), ..Report::default() },
        bytes,
        whole: None,
    };
    read_tables(data, &mut state);
    let raws = read_flows(data, &mut state, diagnostics);
    let mut built = Vec::new();
    for raw in &raws {
        let Some(head) = state.heads.get(raw.id) else { continue };
        let flow = head.name.clone();
        let mut builder = Builder {
            import: &mut state,
            flow_id: raw.id,
            flow,
            ids: Names::of_cards(),
            slots: BTreeSet::new(),
            tables: IndexMap::new(),
            depth: 0,
        };
        built.push((raw, builder.flow(raw)));
    }
    if state.cards_left == 0 {
        let message = format!("the export has more than {CARDS_MAX} cards; those beyond are left out");
        diagnostics.insert(0, problem("too-many-cards", message, "export fewer flows at once", String::new()));
    }
    let mut flows = Vec::new();
    for (raw, mut one) in built {
        if let Some(implicit) = one.implicit.filter(|_| state.results_read.contains(&one.flow.name)) {
            let what = "it has no Return, so what its last card gives is returned: a card for it was added";
            state.report.changed(one.flow.name.as_str(), implicit.id.as_str(), what);
            one.flow.cards.push(implicit);
            one.flow.outputs = flows::returned(&one.flow.cards);
        }
        state.report.flows.push(FlowPlace {
            export_id: raw.id.to_owned(),
            title: state.heads.get(raw.id).map(|h| h.title.clone()).unwrap_or_default(),
            flow: one.flow.name.to_string(),
            start: one.start,
            enabled: false,
        });
        flows.push(one.flow);
    }
    secrets::take_out(&mut flows, catalogue, &mut state.report);
    for unbound in state.report.unbound.iter().take(DIAGNOSTICS_MAX) {
        let message = format!("{}: the flow runs as far as this card", unbound.why);
        diagnostics.push(warning(
            "unbound-card",
            message,
            &unbound.remedy,
            format!("{}.{}", unbound.flow, unbound.card),
        ));
    }
    for (flow, card, what) in state.unknown.drain(..).take(DIAGNOSTICS_MAX) {
        let remedy = "look at the card before the flow is used";
        diagnostics.push(warning("export-field", format!("not kept: {what}"), remedy, format!("{flow}.{card}")));
    }
    Export { flows, report: state.report }
}

fn read_flows<'v>(data: &'v Value, state: &mut Import<'v, '_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<RawFlow<'v>> {
    let mut raws = Vec::new();
    let mut names = Names::default();
    for (at, (id, flow)) in members(data, "flos").enumerate() {
        if at == FLOWS_MAX {
            let message = format!("the export has more than {FLOWS_MAX} flows; those beyond are left out");
            diagnostics.insert(0, problem("too-many-flows", message, "export fewer flows at once", String::new()));
            break;
        }
        let title = text(flow, "name");
        let shown: String = title.chars().take(80).collect();
        let Some(body) = flow.get("data").filter(|body| body.get("methods").is_some_and(Value::is_array)) else {
            let message = format!("the flow `{shown}` has no cards");
            diagnostics.push(problem("export-flow", message, "it is left out; export it again", id.to_owned()));
            continue;
        };
        let level = Arc::new(Level::read(body, &mut state.cards_left));
        match order::order(&level) {
            Ok(order) => {
                let raw = RawFlow { id, title, description: text(flow, "description"), data: body, level, order };
                state.heads.insert(id, flows::head(&raw, names.flow(title)));
                raws.push(raw);
            }
            Err(why) => {
                let message = format!("the flow `{shown}` cannot be read: {why}");
                diagnostics.push(problem("export-flow", message, "it is left out; export it again", id.to_owned()));
            }
        }
    }
    if raws.is_empty() && diagnostics.is_empty() {
        let message = "there is no flow in this export".to_string();
        diagnostics.push(problem("no-flow", message, "", String::new()));
    }
    raws
}

fn read_tables<'v>(data: &'v Value, state: &mut Import<'v, '_>) {
    let mut names = Names::default();
    for (id, table) in members(data, "tables").take(1000) {
        let name = names.table(text(table, "name"));
        let mut columns: Vec<Column> = Vec::new();
        let mut defaults = Vec::new();
        let structure = table.get("data").and_then(|d| d.get("structure")).and_then(Value::as_array);
        for column in structure.into_iter().flatten().take(1000) {
            let kind = match text(column, "type") {
                "dte" => ColumnType::Date,
                "dec" | "ctr" => ColumnType::Number,
                "bln" => ColumnType::Boolean,
                _ => ColumnType::Text,
            };
            let name = raw::key(text(column, "name"));
            if name != "_" && columns.iter().all(|c| c.name != name) {
                columns.push(Column { name: name.to_owned(), kind });
            }
            if let Some(default) = column.get("default").and_then(|default| tables::default(kind, default)) {
                if default != "" {
                    let what =
                        "the default of a column: cards that make rows fill it in, other ways to make rows do not";
                    state.report.changed("", &format!("table {}, column {name}", text(table, "name")), what);
                }
                defaults.push((name.to_owned(), default));
            }
        }
        state.report.tables.push(TablePlace { export_id: id.to_owned(), table: name.to_string() });
        state.tables.insert(id, TableDecl { name, columns });
        state.defaults.insert(id, defaults);
    }
}
