//! `flowdeck fmt`: the same file in canonical key order and layout, comments kept.
//!
//! Must never change what a file means: the result is read again and compared before it is given out.
//! Tests: `tests/fmt.rs`.

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::order;
use crate::tree::{self, Kind, Node};
use crate::{Source, comments, emit};

/// What a map is, for the order of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    Flow,
    Helpers,
    Slots,
    On,
    Fields,
    Cards,
    Card,
    Lane,
    Lanes,
    Branches,
    Other(&'static [&'static str]),
}

/// Formats a flow file. Comments survive, formatting twice changes nothing, ids are never added.
///
/// # Errors
/// The diagnostics of a file that is not well formed.
///
/// ```
/// use flowdeck_format::{Source, format_text};
///
/// let text = "cards: []   # none yet\nflow:   a\n";
/// assert_eq!(format_text(&Source::new("a.yaml", text)).unwrap(), "flow: a\ncards: [] # none yet\n");
/// ```
pub fn format_text(source: &Source) -> Result<String, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let mut documents = tree::parse_documents(source, &mut findings);
    if findings.has_errors() {
        let roots: Vec<_> = documents.into_iter().map(|d| d.root).collect();
        return Err(findings.into_diagnostics(&source.text, &roots));
    }
    let json = tree::is_json(source);
    let mut out = String::new();
    for (i, document) in documents.iter_mut().enumerate() {
        if !json {
            comments::attach(&source.text, document.range.clone(), &mut document.root);
        }
        arrange(&mut document.root, Place::File);
        if i > 0 {
            out.push_str("---\n");
        }
        out.push_str(&if json { format!("{:#}\n", document.root.to_value()) } else { emit::yaml(&document.root) });
    }
    if same_meaning(source, &out, &documents) {
        return Ok(out);
    }
    let message = "this file cannot be formatted without changing it; it was left as it is";
    findings.error_with("cannot-format", &(0..0), message, "write unusual texts in double quotes".to_string());
    Err(findings.into_diagnostics(&source.text, &[]))
}

fn same_meaning(source: &Source, out: &str, documents: &[tree::Document]) -> bool {
    let mut findings = Findings::default();
    let again = tree::parse(&Source::new(&source.name, out), &mut findings);
    !findings.has_errors()
        && again.len() == documents.len()
        && again.iter().zip(documents).all(|(a, b)| a.to_value() == b.root.to_value())
}

/// Puts keys in order, all the way down.
fn arrange(node: &mut Node, place: Place) {
    match &mut node.kind {
        Kind::List(items) => {
            let inner = match place {
                Place::Cards | Place::Lane => Place::Card,
                Place::Branches => Place::Other(order::BRANCH),
                Place::File => Place::Flow,
                _ => Place::Other(&[]),
            };
            items.iter_mut().for_each(|n| arrange(n, inner));
        }
        Kind::Map(entries) => {
            let place =
                if place == Place::File && !entries.iter().any(|e| e.key == "flows") { Place::Flow } else { place };
            let keys: &[&str] = match place {
                Place::Flow => order::FLOW,
                Place::Card => order::CARD,
                Place::Lane => order::LANE,
                Place::On => order::ON,
                Place::Other(keys) => keys,
                _ => &[],
            };
            if !keys.is_empty() {
                entries.sort_by_key(|e| keys.iter().position(|k| *k == e.key).unwrap_or(usize::MAX));
            }
            let values =
                place == Place::Card && entries.iter().any(|e| matches!(e.key.as_str(), "assign_if" | "lookup"));
            for entry in entries {
                let inner = if values { Place::Other(&[]) } else { below(place, &entry.key, &entry.value) };
                arrange(&mut entry.value, inner);
            }
        }
        _ => {}
    }
}

/// What the value of a key is.
fn below(place: Place, key: &str, value: &Node) -> Place {
    match (place, key) {
        (Place::File, "flows") => Place::File,
        (Place::Flow, "helpers") => Place::Helpers,
        (Place::Helpers, _) => Place::Flow,
        (Place::Flow, "slots") => Place::Slots,
        (Place::Slots, _) => Place::Other(order::SLOT),
        (Place::Flow, "on") => Place::On,
        (Place::On, "schedule") => Place::Other(order::SCHEDULE),
        (Place::On, "endpoint") => Place::Other(order::ENDPOINT),
        (Place::Flow, "inputs" | "outputs") => Place::Fields,
        (Place::Fields, _) => Place::Other(order::FIELD),
        (Place::Flow | Place::Card | Place::Lane, "cards") => Place::Cards,
        (Place::Other(keys), "cards") if std::ptr::eq(keys, order::BRANCH) || keys == order::BRANCH => Place::Cards,
        (Place::Card, "then" | "else" | "try" | "catch") if lane_like(value) => Place::Lane,
        (Place::Card, "else_if") => Place::Branches,
        (Place::Card, "parallel") => Place::Lanes,
        (Place::Lanes, _) => Place::Lane,
        (Place::Card, "retry") => Place::Other(order::RETRY),
        (Place::Card, "return_raw") => Place::Other(order::RETURN_RAW),
        (Place::Card, "return_error") => Place::Other(order::RETURN_ERROR),
        _ => Place::Other(&[]),
    }
}

/// `then` and `else` are lanes in an `if` and values in an `assign_if`: a lane is a list of maps or has `cards`.
fn lane_like(value: &Node) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().all(|n| n.entries().is_some()),
        Kind::Map(entries) => entries.iter().any(|e| e.key == "cards" || e.key == "give"),
        _ => false,
    }
}
