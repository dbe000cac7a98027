//! Trees to flows: the grammar of the native flow file.
//!
//! Must never look into the catalogue for more than a card's app (slots may be left out); `check` does the rest.
//! Tests: `tests/diagnostics.rs`, `tests/round_trip.rs`.

mod cards;
mod fields;
mod flows;
mod keys;
pub(crate) mod words;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use flowdeck_model::mapping::Mapping;
use flowdeck_model::{CardId, Catalogue, Flow};

use crate::findings::Findings;
use crate::limits::CARDS_MAX;
use crate::link::Link;
use crate::order;
use crate::tree::{Kind, Node};
use flowdeck_model::duration::{DURATION_RULE, parse_duration};

pub(crate) use keys::Keys;

/// A flow with the places of its parts.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) flow: Flow,
    pub(crate) places: Places<'a>,
    /// Places of its helpers, by name.
    pub(crate) helpers: HashMap<String, Places<'a>>,
    /// Helpers in files of their own.
    pub(crate) links: Vec<Link>,
}

/// Where the parts of a flow are in the file.
#[derive(Debug, Clone)]
pub(crate) struct Places<'a> {
    /// The whole flow.
    pub(crate) flow: &'a Node,
    /// Its cards by id.
    pub(crate) cards: HashMap<CardId, &'a Node>,
    /// Whether its slots are those of the flow it helps.
    pub(crate) slots_inherited: bool,
}

/// Reads while it collects what is wrong.
pub(crate) struct Reader<'a, 'f> {
    pub(crate) text: &'a str,
    pub(crate) catalogue: Option<&'f dyn Catalogue>,
    pub(crate) findings: &'f mut Findings,
    cards_seen: usize,
    /// Ids of the flow under way, given and made.
    taken: HashSet<String>,
    counters: HashMap<String, usize>,
    places: HashMap<CardId, &'a Node>,
}

/// Reads all flows of a file.
pub(crate) fn read_documents<'a>(
    text: &'a str,
    documents: &'a [Node],
    catalogue: Option<&dyn Catalogue>,
    findings: &mut Findings,
) -> Vec<Draft<'a>> {
    let mut reader = Reader {
        text,
        catalogue,
        findings,
        cards_seen: 0,
        taken: HashSet::new(),
        counters: HashMap::new(),
        places: HashMap::new(),
    };
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for document in documents {
        match document.get("flows") {
            Some(list) => {
                let mut keys = reader.keys(document, "the file");
                keys.take("flows");
                keys.finish(&["flows"], &mut reader);
                match list.items() {
                    Some(items) => drafts.extend(items.iter().filter_map(|node| reader.flow(node))),
                    None => {
                        reader.expected(list, "`flows` to be a list of flows", "start each flow with `- flow: name`")
                    }
                }
            }
            None => drafts.extend(reader.flow(document)),
        }
    }
    if drafts.is_empty() && !reader.findings.has_errors() {
        let remedy = "start with `flow: name` and `cards:`".to_string();
        reader.findings.error_with("no-flow", &(0..0), "there is no flow in this file", remedy);
    }
    for (i, draft) in drafts.iter().enumerate() {
        if drafts[..i].iter().any(|d| d.flow.name == draft.flow.name) {
            let span = draft.places.flow.get("flow").map_or(0..0, |n| n.span.clone());
            let message = format!("the file already has a flow named `{}`", draft.flow.name);
            reader.findings.error_with("duplicate-flow", &span, message, "give it a name of its own".to_string());
        }
    }
    drafts
}

impl<'a> Reader<'a, '_> {
    /// Reports a value of the wrong form: `expected … , found …`.
    pub(crate) fn expected(&mut self, node: &Node, what: &str, remedy: &str) {
        let message = format!("expected {what}, found {}", node.word());
        self.findings.error_with("wrong-form", &node.span, message, Some(remedy.to_string()).filter(|r| !r.is_empty()));
    }

    /// The keys of a map; reports anything else.
    pub(crate) fn keys(&mut self, node: &'a Node, what: &str) -> Keys<'a> {
        match &node.kind {
            Kind::Map(_) => {}
            _ => self.expected(node, &format!("{what} to be a map of keys and values"), "write `key: value` lines"),
        }
        Keys::new(node)
    }

    /// A text.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Number(_) | Kind::Bool(_) => {
                let written = &self.text[node.span.clone()];
                self.expected(node, &format!("{what} to be a text"), &format!("put it in quotes: \"{written}\""));
                None
            }
            _ => {
                self.expected(node, &format!("{what} to be a text"), "");
                None
            }
        }
    }

    /// A name with a rule.
    pub(crate) fn name<T: std::str::FromStr<Err = flowdeck_model::names::NameError>>(
        &mut self,
        node: &Node,
        what: &str,
    ) -> Option<T> {
        let text = self.text(node, what)?;
        self.parse_name(&text, &node.span, what)
    }

    /// A name from a key.
    pub(crate) fn parse_name<T: std::str::FromStr<Err = flowdeck_model::names::NameError>>(
        &mut self,
        text: &str,
        span: &Range<usize>,
        what: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("`{}` cannot be {what}", error.text);
                self.findings.error_with("bad-name", span, message, format!("use {}", error.rule));
                None
            }
        }
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Kind::Bool(b) = node.kind {
            return Some(b);
        }
        self.expected(node, &format!("{what} to be true or false"), "write `true` or `false` without quotes");
        None
    }

    /// A whole number within bounds.
    pub(crate) fn whole(&mut self, node: &Node, what: &str, min: u64, max: u64) -> Option<u64> {
        let number = match &node.kind {
            Kind::Number(n) => n.as_u64(),
            _ => None,
        };
        if let Some(n) = number.filter(|n| (min..=max).contains(n)) {
            return Some(n);
        }
        let written: String = self.text[node.span.clone()].chars().take(40).collect();
        let message = format!("expected {what} to be a whole number from {min} to {max}, found `{written}`");
        let remedy = format!("write a number from {min} to {max} without quotes and unit");
        self.findings.error_with("wrong-number", &node.span, message, remedy);
        None
    }

    /// A duration in milliseconds.
    pub(crate) fn duration(&mut self, node: &Node, what: &str) -> Option<u64> {
        if let Some(ms) = node.text().and_then(parse_duration) {
            return Some(ms);
        }
        let written: String = self.text[node.span.clone()].chars().take(40).collect();
        let message = format!("expected {what} to be a duration, found `{written}`");
        self.findings.error_with("wrong-duration", &node.span, message, format!("write {DURATION_RULE}"));
        None
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<_> = words.iter().map(|(w, _)| format!("`{w}`")).collect();
        let shown: String = text.chars().take(40).collect();
        let message = format!("`{shown}` is not known for {what}");
        self.findings.error_with("unknown-word", &node.span, message, format!("use {}", known.join(" or ")));
        None
    }

    /// A mapping.
    pub(crate) fn mapping(&mut self, node: &Node) -> Option<Mapping> {
        match Mapping::parse(&node.to_value()) {
            Ok(mapping) => Some(mapping),
            Err(error) => {
                let (node, error) = innermost(node).unwrap_or((node, error));
                // Only in an unquoted text on one line do offsets in the value agree with those in the file.
                let written = &self.text[node.span.clone()];
                let shift = usize::from(written.starts_with(['"', '\'']));
                let exact = node.text().is_some_and(|t| written.get(shift..shift + t.len()) == Some(t));
                let start = node.span.start + if exact { (shift + error.offset).min(written.len()) } else { 0 };
                self.findings.error("bad-mapping", &(start..node.span.end.max(start)), error.message);
                None
            }
        }
    }

    /// Mappings by key.
    pub(crate) fn mappings(&mut self, node: &'a Node, what: &str) -> Option<indexmap::IndexMap<String, Mapping>> {
        if matches!(node.kind, Kind::Null) {
            return Some(indexmap::IndexMap::new());
        }
        let errors = self.findings.errors();
        let keys = self.keys(node, what);
        let map = keys
            .entries()
            .iter()
            .filter_map(|e| Some((e.key.clone(), self.mapping(&e.value)?)))
            .collect::<indexmap::IndexMap<_, _>>();
        (self.findings.errors() == errors).then_some(map)
    }

    /// Counts a card; `None` above the limit.
    fn count_card(&mut self, node: &Node) -> Option<()> {
        self.cards_seen += 1;
        if self.cards_seen == CARDS_MAX + 1 {
            let remedy = "split the flow".to_string();
            self.findings.error_with(
                "too-many-cards",
                &node.span,
                format!("the file has more than {CARDS_MAX} cards"),
                remedy,
            );
        }
        (self.cards_seen <= CARDS_MAX).then_some(())
    }

    /// Starts the ids of another flow: those given anywhere in it are taken before any is made.
    fn begin_ids(&mut self, flow: &'a Node) {
        self.taken.clear();
        self.counters.clear();
        self.places.clear();
        let mut nodes: Vec<&Node> = ["cards", "on"].iter().filter_map(|key| flow.get(key)).collect();
        while let Some(node) = nodes.pop() {
            if let Some(id) = node.get("id").and_then(Node::text) {
                self.taken.insert(id.to_string());
            }
            nodes.extend(node.items().into_iter().flatten());
            nodes.extend(node.entries().into_iter().flatten().map(|e| &e.value));
        }
    }

    /// An id for a card that names none: its operation in snake case and a number, the same at each reading.
    fn make_id(&mut self, operation: &str) -> Option<CardId> {
        let base = snake_case(operation);
        loop {
            let counter = self.counters.entry(base.clone()).or_insert(0);
            *counter += 1;
            let id = format!("{base}_{counter}");
            if self.taken.insert(id.clone()) {
                return CardId::new(&id).ok();
            }
        }
    }

    /// Notes where a card is; reports an id that another card has.
    fn place(&mut self, id: &CardId, node: &'a Node) {
        if let Some(first) = self.places.get(id) {
            let full = self.findings.is_full();
            let line = if full { 0 } else { self.text[..first.span.start].matches('\n').count() + 1 };
            let span = node.get("id").map_or(&node.span, |n| &n.span);
            let message = format!("the id `{id}` is already that of the card in line {line}");
            self.findings.error_with(
                "duplicate-id",
                span,
                message,
                "ids are unique in a flow; choose another".to_string(),
            );
        } else {
            self.places.insert(id.clone(), node);
        }
    }
}

/// The innermost text whose mapping cannot be read.
fn innermost(node: &Node) -> Option<(&Node, flowdeck_model::mapping::MappingError)> {
    let mut nodes = vec![node];
    while let Some(node) = nodes.pop() {
        if let (Kind::Text(text), false) = (&node.kind, matches!(node.kind, Kind::Null))
            && let Err(error) = Mapping::parse(&serde_json::Value::String(text.clone()))
        {
            return Some((node, error));
        }
        nodes.extend(node.items().into_iter().flatten().rev());
        nodes.extend(node.entries().into_iter().flatten().rev().map(|e| &e.value));
    }
    None
}

/// `listUsersWithFilter` as `list_users_with_filter`, always a card id with room for a number.
pub(crate) fn snake_case(text: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for c in text.chars().take(48) {
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        let c = c.to_ascii_lowercase();
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    if !out.starts_with(|c: char| c.is_ascii_lowercase()) {
        out.insert_str(0, "card_");
    }
    out.truncate(50);
    out.trim_end_matches('_').to_string()
}

/// The kinds of which a card has the word.
pub(crate) fn kinds_of(node: &Node) -> Vec<&'static str> {
    order::KINDS.iter().map(|(word, _)| *word).filter(|word| node.entry(word).is_some()).collect()
}
