//! An import as files: one native file a flow, helpers named by file, and the tables in a file of their own.
//!
//! Must never write anything: it only says what the files are.
//! Tests: `tests/import.rs`.

use std::collections::BTreeSet;

use flowdeck_model::{FlowName, Value};
use serde_json::{Map, json};

use super::{Export, called};
use crate::print;

/// A file of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// Its name, without folders.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Export {
    /// The files of an import. A helper that calls itself, in however many steps, is written into the files that use
    /// it, because files cannot name each other in a circle.
    #[must_use]
    pub fn files(&self) -> Vec<ImportedFile> {
        let mut files = Vec::new();
        for flow in &self.flows {
            let whole = self.whole(flow.name.as_str());
            let circular = whole.as_ref().is_some_and(|w| w.helpers.keys().any(|h| self.reaches_itself(h)))
                || self.reaches_itself(&flow.name)
                || whole.as_ref().is_some_and(|w| w.helpers.len() > 40);
            let text = match whole.filter(|_| circular) {
                Some(whole) => print(&whole),
                None => {
                    let links: BTreeSet<FlowName> = called(flow).into_iter().collect();
                    let links = links.into_iter().filter(|l| self.flows.iter().any(|f| f.name == *l));
                    let links: Map<String, Value> =
                        links.map(|l| (l.to_string(), json!({ "flow": l.as_str(), "file": file_name(&l) }))).collect();
                    crate::print::print_linked(flow, links)
                }
            };
            files.push(ImportedFile { name: file_name(&flow.name), text });
        }
        files
    }

    fn reaches_itself(&self, name: &FlowName) -> bool {
        let find = |name: &FlowName| self.flows.iter().find(|flow| flow.name == *name);
        let mut left = find(name).map(called).unwrap_or_default();
        let mut seen = BTreeSet::new();
        while let Some(next) = left.pop() {
            if next == *name {
                return true;
            }
            if seen.insert(next.clone()) {
                left.extend(find(&next).map(called).unwrap_or_default());
            }
        }
        false
    }
}

fn file_name(flow: &FlowName) -> String {
    format!("{flow}.flow.yaml")
}
