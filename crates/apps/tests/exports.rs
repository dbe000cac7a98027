//! Every app card of real exports, and every field of it, has a place in the catalogue.
//!
//! Must never need the network, nor pass silently where the exports are missing.
//! Tests: this is the test. The exports are looked for in `FLOWDECK_CORPUS`, else in `shared/corpus` beside the checkout.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use flowdeck_apps::Apps;
use flowdeck_model::export::key_base;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue, FieldDecl, FieldType, Value};
use flowdeck_sim::did_not_run;
use indexmap::IndexMap;

/// Cards that are not of an app: the importer makes them of our tables and control cards, or they are function cards.
const NOT_APPS: [&str; 3] = ["stash/", "httpfunctions/close", "filefunctions/info"];

struct All(Apps);

impl Catalogue for All {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.0.card(name)
    }
    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.0.cards()
    }
    fn has_app(&self, name: &AppName) -> bool {
        self.0.app(name.as_str()).is_some()
    }
    fn apps(&self) -> Vec<AppName> {
        self.0.apps().map(|a| a.file.app.clone()).collect()
    }
}

fn corpus() -> Option<Vec<PathBuf>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("FLOWDECK_CORPUS").map_or(beside, PathBuf::from).join("okta-templates");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        did_not_run("every_card_and_field_of_real_exports_binds: there is no folder of exports (FLOWDECK_CORPUS)");
        return None;
    };
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path().join("workflow.flopack")).collect();
    files.retain(|f| f.is_file());
    files.sort();
    Some(files)
}

/// Every card of an export, those of flows inside cards too.
fn cards<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            if members.get("address").is_some_and(Value::is_string) && members.contains_key("node") {
                out.push(value);
            }
            members.values().for_each(|v| cards(v, out));
        }
        Value::Array(items) => items.iter().for_each(|v| cards(v, out)),
        _ => {}
    }
}

fn loose(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The importer's rule: by export key, then by key, then without case and spaces.
fn bound<'d>(fields: &'d [FieldDecl], group: &str, key: &str) -> Option<&'d FieldDecl> {
    [key, key_base(key)].iter().find_map(|key| {
        let full = if group.is_empty() { (*key).to_owned() } else { format!("{group}.{key}") };
        let by = |rule: &dyn Fn(&FieldDecl) -> bool| fields.iter().find(|f| rule(f));
        by(&|f| f.export_key.as_deref() == Some(&full))
            .or_else(|| by(&|f| f.export_key.is_none() && f.key == *key))
            .or_else(|| by(&|f| f.export_key.is_none() && loose(&f.key) == loose(key)))
    })
}

/// Members that the export knows and the declaration does not, in objects whose fields are declared.
fn members(place: &str, declared: &FieldType, exported: &Value, problems: &mut BTreeSet<String>) {
    let declared = match declared {
        FieldType::List(item) => item.as_ref(),
        other => other,
    };
    let (FieldType::Object(fields), Value::Object(members_of)) = (declared, exported) else { return };
    if fields.is_empty() {
        return;
    }
    for (name, member) in members_of.iter().filter(|(name, _)| !name.is_empty()) {
        match fields.iter().find(|f| f.key == *name) {
            Some(field) => members(&format!("{place}.{name}"), &field.kind, &member["type"], problems),
            None => {
                problems.insert(format!("{place} has no member `{name}`"));
            }
        }
    }
}

fn check_side(decl: &CardDecl, side: &str, card: &Value, problems: &mut BTreeSet<String>) {
    let model = &card["node"]["model"];
    let is_event = model["webhook"] == true || card["node"]["model"]["monitor"] == true;
    let (fields, more) = match side {
        "inputs" => (&decl.inputs, decl.more_inputs.is_some()),
        _ => (&decl.outputs, decl.more_outputs.is_some()),
    };
    for field in model[side]["data"].as_object().into_iter().flat_map(|m| m.values()) {
        let group = field["group"].as_str().unwrap_or("");
        let key = field["key"].as_str().unwrap_or("");
        let place = format!("{}: {side} {group}.{key}", decl.name);
        let custom = field["metadata"]["custom"] == true;
        // The importer's: streaming, arguments of error handlers, the frame of events, what a user typed in.
        let importers = group == "Streaming" && key != "Record Limit"
            || key == "Records Streamed"
            || field["value"]["error"] == true
            || custom && side == "inputs" && group.is_empty()
            || group == "context"
            || is_event && side == "inputs" && group.is_empty();
        if is_event && key == "collection" {
            let outputs = field["value"]["type"]["Output"]["type"].as_object().cloned().unwrap_or_default();
            for (key, member) in &outputs {
                match bound(fields, "Output", key) {
                    Some(field) => members(&format!("{place} {key}"), &field.kind, &member["type"], problems),
                    None => {
                        problems.insert(format!("{place}: no output `{key}`"));
                    }
                }
            }
            continue;
        }
        match bound(fields, group, key) {
            Some(declared) if side == "outputs" => {
                members(&place, &declared.kind, &field["value"]["type"], problems);
            }
            Some(_) => {}
            None if importers || more => {}
            None => {
                problems.insert(format!("{place} has no place"));
            }
        }
    }
}

#[test]
fn every_card_and_field_of_real_exports_binds() {
    let Some(files) = corpus() else { return };
    let variables = IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let all = All(Apps::built_in(&variables).unwrap());
    let mut problems = BTreeSet::new();
    let mut known: BTreeMap<String, Option<Arc<CardDecl>>> = BTreeMap::new();
    let mut count = 0;
    for file in &files {
        let export: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let mut found = Vec::new();
        cards(&export, &mut found);
        for card in found {
            let address: Vec<&str> = card["address"].as_str().unwrap().split(':').collect();
            let ["root", "channels", _, connector, _, method] = address[..] else { continue };
            let name = format!("{connector}/{method}");
            if NOT_APPS.iter().any(|other| name.starts_with(other)) {
                continue;
            }
            count += 1;
            let decl = known.entry(name.clone()).or_insert_with(|| all.by_export(connector, method));
            let Some(decl) = decl else {
                problems.insert(format!("{name} is no card"));
                continue;
            };
            check_side(decl, "inputs", card, &mut problems);
            check_side(decl, "outputs", card, &mut problems);
        }
    }
    println!("{} exports, {count} cards of apps, {} kinds of them", files.len(), known.len());
    let list: Vec<&str> = problems.iter().map(String::as_str).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", list.len(), list.join("\n"));
}
