//! Secrets that stand as constants in an export: they become inputs of the flow that are given when it starts.
//!
//! Must never keep, print or report such a constant; only the name of its field is told.
//! Tests: below, `tests/import.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use flowdeck_model::mapping::{Expression, Mapping, PathPart, Reference, TemplatePart};
use flowdeck_model::{CardKind, CardName, Catalogue, FieldDecl, FieldType, Flow, FlowName, Trigger, Value};

use super::names::Names;
use super::report::Report;
use super::walk::{self, Place};
use crate::tokens::{SECRET_CHARS_MIN, split};

/// Stands in notes where a secret stood.
const TAKEN_OUT: &str = "(a secret, taken out)";

/// What is known while the flows are gone through.
struct Search<'c> {
    catalogue: &'c dyn Catalogue,
    names: Names,
    /// Names of inputs by the secret that they stand for.
    inputs: HashMap<String, String>,
    /// The field at hand holds the definition of a flow.
    stored: bool,
    /// Names that the card at hand got.
    here: Vec<String>,
}

/// Takes all secrets out of the flows.
pub(super) fn take_out(flows: &mut [Flow], catalogue: &dyn Catalogue, report: &mut Report) {
    let mut search =
        Search { catalogue, names: Names::default(), inputs: HashMap::new(), stored: false, here: Vec::new() };
    for field in flows.iter().flat_map(|flow| &flow.inputs) {
        search.names.take(&field.key);
    }
    let mut needs = BTreeMap::new();
    search.pass(flows, &mut needs, report);
    if !search.inputs.is_empty() {
        // A stored definition may repeat what a card, met only later, names as a secret.
        search.pass(flows, &mut needs, report);
    }
    spread(flows, &mut needs);
    hand_on(flows, &needs);
}

/// The secret inputs that each flow needs.
type Needs = BTreeMap<FlowName, BTreeSet<String>>;

impl Search<'_> {
    fn pass(&mut self, flows: &mut [Flow], needs: &mut Needs, report: &mut Report) {
        for flow in flows {
            let name = flow.name.clone();
            let mut note = |report: &mut Report, card: &str, search: &mut Search<'_>| {
                for input in search.here.drain(..) {
                    let what = format!(
                        "a secret stood here as a constant: it is the input `{input}` now, given when the flow starts; \
                         revoke the one in the export"
                    );
                    report.changed(name.as_str(), card, what);
                    needs.entry(name.clone()).or_default().insert(input);
                }
            };
            self.text(&mut flow.description);
            if let Trigger::Event(event) = &mut flow.on {
                walk::filled(&event.card, &mut event.with).for_each(|place| self.place(place));
                note(report, event.id.as_str(), self);
            }
            walk::every(&mut flow.cards, &mut |card| {
                walk::mappings(&mut card.kind).into_iter().for_each(|place| self.place(place));
                self.text(&mut card.title);
                self.text(&mut card.note);
                note(report, card.id.as_str(), self);
            });
        }
    }

    fn place(&mut self, (card, key, mapping): Place<'_>) {
        self.stored = card.as_ref().is_some_and(|card| card.as_str() == "utility/exportFlo");
        let secret = card.is_some_and(|card| self.is_secret(&card, &key));
        if let Some(new) = self.without(mapping, &key, secret) {
            *mapping = Mapping::parse(&new.source()).unwrap_or(new);
        }
    }

    fn is_secret(&self, card: &CardName, key: &str) -> bool {
        self.catalogue.card(card).is_some_and(|decl| decl.input(key).is_some_and(|field| field.secret))
    }

    /// The mapping without its secrets; nothing where it holds none.
    fn without(&mut self, mapping: &Mapping, key: &str, secret: bool) -> Option<Mapping> {
        match mapping {
            Mapping::Literal(value) => self.value(value, key, secret),
            Mapping::Reference(_) => None,
            Mapping::Expression(expression) => {
                let source = self.expression(expression.source(), key)?;
                Some(Expression::parse(&source).map(Mapping::Expression).unwrap_or_default())
            }
            Mapping::Template(parts) => {
                let mut changed = false;
                let mut new = Vec::new();
                for part in parts {
                    let made = match part {
                        TemplatePart::Text(text) => self.parts(text, key),
                        TemplatePart::Expression(expression) => {
                            let source = self.expression(expression.source(), key);
                            source.and_then(|s| Expression::parse(&s).ok()).map(|e| vec![TemplatePart::Expression(e)])
                        }
                        TemplatePart::Reference(_) => None,
                    };
                    changed |= made.is_some();
                    new.extend(made.unwrap_or_else(|| vec![part.clone()]));
                }
                changed.then_some(Mapping::Template(new))
            }
            Mapping::List(items) => {
                let new: Vec<_> = items.iter().map(|item| self.without(item, key, false)).collect();
                let kept = |(new, old): (Option<Mapping>, &Mapping)| new.unwrap_or_else(|| old.clone());
                new.iter().any(Option::is_some).then(|| Mapping::List(new.into_iter().zip(items).map(kept).collect()))
            }
            Mapping::Object(members) => {
                let new: Vec<_> = members.iter().map(|(key, member)| self.without(member, key, false)).collect();
                let kept = |(new, (key, old)): (Option<Mapping>, (&String, &Mapping))| {
                    (key.clone(), new.unwrap_or_else(|| old.clone()))
                };
                new.iter()
                    .any(Option::is_some)
                    .then(|| Mapping::Object(new.into_iter().zip(members).map(kept).collect()))
            }
        }
    }

    fn value(&mut self, value: &Value, key: &str, secret: bool) -> Option<Mapping> {
        match value {
            Value::String(text) if (secret && text.len() >= SECRET_CHARS_MIN) || self.is_known(text) => {
                Some(Mapping::Reference(self.input(text, key)))
            }
            Value::String(text) => self.parts(text, key).map(Mapping::Template),
            Value::Array(items) if self.holds(value) => {
                let one = |item: &Value| Mapping::Literal(item.clone());
                Some(Mapping::List(items.iter().map(|i| self.value(i, key, false).unwrap_or(one(i))).collect()))
            }
            Value::Object(members) if self.holds(value) => {
                let one = |item: &Value| Mapping::Literal(item.clone());
                let new = members
                    .iter()
                    .map(|(key, member)| (key.clone(), self.value(member, key, false).unwrap_or_else(|| one(member))));
                Some(Mapping::Object(new.collect()))
            }
            _ => None,
        }
    }

    /// Whether a stored definition repeats a secret that was found.
    fn is_known(&self, text: &str) -> bool {
        self.stored && self.inputs.contains_key(text)
    }

    /// Whether a secret is in it: a token, or one that was found in a field for secrets.
    fn holds(&self, value: &Value) -> bool {
        let mut left = vec![value];
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) if self.is_known(text) || !split(text).0.is_empty() => return true,
                Value::Array(items) => left.extend(items),
                Value::Object(members) => left.extend(members.values()),
                _ => {}
            }
        }
        false
    }

    fn parts(&mut self, text: &str, key: &str) -> Option<Vec<TemplatePart>> {
        let (found, rest) = split(text);
        if found.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        for (before, token) in found {
            parts.push(TemplatePart::Text(before.to_owned()));
            parts.push(TemplatePart::Reference(self.input(token, key)));
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, TemplatePart::Text(text) if text.is_empty()));
        Some(parts)
    }

    /// Constants of an import's expressions stand in single quotes, so a token in one can be cut out of it.
    fn expression(&mut self, source: &str, key: &str) -> Option<String> {
        let (found, rest) = split(source);
        if found.is_empty() {
            return None;
        }
        let mut new = String::new();
        for (before, token) in found {
            new.push_str(before);
            new.push_str(&format!("' + {} + '", self.input(token, key)));
        }
        new.push_str(rest);
        Some(new)
    }

    fn text(&mut self, text: &mut String) {
        let (found, rest) = split(text);
        if !found.is_empty() {
            *text = found.iter().map(|(before, _)| format!("{before}{TAKEN_OUT}")).collect::<String>() + rest;
        }
    }

    /// The input that stands for a secret; one for the same secret everywhere.
    fn input(&mut self, secret: &str, key: &str) -> Reference {
        let name = match self.inputs.get(secret) {
            Some(name) => name.clone(),
            None => {
                let name = self.names.id(if key.trim_matches('_') == "text" { "secret" } else { key }).to_string();
                self.inputs.insert(secret.to_owned(), name.clone());
                name
            }
        };
        if !self.here.contains(&name) {
            self.here.push(name.clone());
        }
        Reference { root: "input".into(), path: vec![PathPart::Key(name)] }
    }
}

fn called(kind: &CardKind) -> Option<&FlowName> {
    match kind {
        CardKind::CallFlow { flow, .. } | CardKind::CallFlowAsync { flow, .. } => Some(flow),
        _ => None,
    }
}

/// Who calls a flow that needs a secret needs it too.
fn spread(flows: &mut [Flow], needs: &mut Needs) {
    if needs.is_empty() {
        return;
    }
    let calls: Vec<(FlowName, Vec<FlowName>)> =
        flows.iter().map(|flow| (flow.name.clone(), super::called(flow))).collect();
    // Each round reaches at least one flow more.
    for _ in 0..=flows.len() {
        let mut grown = false;
        for (flow, called) in &calls {
            let more: BTreeSet<String> = called.iter().filter_map(|c| needs.get(c)).flatten().cloned().collect();
            if !more.is_empty() {
                let own = needs.entry(flow.clone()).or_default();
                let before = own.len();
                own.extend(more);
                grown |= own.len() > before;
            }
        }
        if !grown {
            break;
        }
    }
}

/// Declares the inputs and passes them to the helpers that need them.
fn hand_on(flows: &mut [Flow], needs: &Needs) {
    for flow in flows {
        for key in needs.get(&flow.name).into_iter().flatten() {
            let mut field = FieldDecl::new(key, FieldType::Text);
            (field.secret, field.required) = (true, true);
            field.help = "A secret that stood in the export as a constant.".into();
            flow.inputs.push(field);
        }
        walk::every(&mut flow.cards, &mut |card| {
            let wanted = called(&card.kind).and_then(|called| needs.get(called));
            let Some(wanted) = wanted else { return };
            if let CardKind::CallFlow { with, .. } | CardKind::CallFlowAsync { with, .. } = &mut card.kind {
                for key in wanted {
                    let place = Reference { root: "input".into(), path: vec![PathPart::Key(key.clone())] };
                    with.insert(key.clone(), Mapping::Reference(place));
                }
            }
        });
    }
}
