//! Cards in order: each place of the order becomes a card of the flow, notes go to the card that follows them.
//!
//! Must never leave a card out without a word in the report.
//! Tests: `tests/import.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowdeck_model::flow::{Call, Mappings, Wait, WaitUntil};
use flowdeck_model::mapping::{Mapping, TemplatePart};
use flowdeck_model::{Card, CardId, CardKind, CardName, Lane, Value};

use super::build::{Builder, Given, Scope, comment, fed, root};
use super::names::Names;
use super::order::Place;
use super::raw::{Feed, RawCard, RawField};
use super::source::{Source, constant};

impl<'v> Builder<'_, 'v, '_> {
    /// The cards of a lane.
    pub(super) fn places(&mut self, scope: &mut Scope<'v>, places: &[Place]) -> Vec<Card> {
        let level = Arc::clone(&scope.level);
        let mut cards: Vec<Card> = Vec::new();
        let mut note = String::new();
        for (nth, place) in places.iter().enumerate() {
            if cards.last().is_some_and(Card::always_ends) {
                self.never_run(&level, &places[nth..]);
                break;
            }
            let from = cards.len();
            match place {
                Place::Card(at) if level.cards[*at].is("control", "comment") => {
                    let text = comment(&level.cards[*at]);
                    if !text.is_empty() {
                        if !note.is_empty() {
                            note.push_str("\n\n");
                        }
                        note.push_str(&text);
                    }
                }
                Place::Card(at) => self.one(scope, *at, &mut cards),
                Place::If { card, join, then, otherwise } => {
                    let made = self.branch(scope, *card, *join, then, otherwise);
                    cards.push(made);
                }
            }
            if let Some(card) = cards.get_mut(from).filter(|_| !note.is_empty()) {
                card.note = std::mem::take(&mut note);
            }
        }
        if let Some(last) = cards.last_mut().filter(|_| !note.is_empty()) {
            last.note = if last.note.is_empty() { note } else { format!("{}\n\n{note}", last.note) };
        }
        cards
    }

    /// Cards behind a Return do not run, in Okta or here.
    fn never_run(&mut self, level: &super::raw::Level<'v>, places: &[Place]) {
        for at in inside(places) {
            let raw = &level.cards[at];
            if !raw.is("control", "comment") && !raw.is("control", "noop") && !raw.is("control", "join") {
                let what = format!(
                    "`{}` ({}) stood behind a card that always ends the flow, so it never ran: left out",
                    raw.title,
                    raw.name()
                );
                self.import.report.lost(self.flow.as_str(), "", what);
            }
        }
    }

    /// One card; some need more than one, none at all for those that do nothing.
    fn one(&mut self, scope: &mut Scope<'v>, at: usize, cards: &mut Vec<Card>) {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        if raw.kernel && raw.family == "control" && matches!(raw.method, "noop" | "join" | "callable") {
            return;
        }
        let id = self.id(raw);
        let kind = self.kind(scope, at, &id);
        let card = self.card(raw, id, kind);
        self.with_policy(scope, at, card, cards);
    }

    /// An output that mappings find under this key of the card.
    pub(super) fn gives(&self, scope: &mut Scope<'v>, at: usize, id: &CardId, keys: &[(&str, &str)]) {
        let level = Arc::clone(&scope.level);
        for output in &level.cards[at].outputs {
            let key = keys.iter().find(|(from, _)| *from == output.key).map_or(output.key, |(_, to)| *to);
            scope.sources.insert((at, output.id), Source::place(id.as_str(), [key]));
        }
    }

    fn kind(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        if !raw.kernel {
            return match raw.family {
                "stash" => self.table_card(scope, at, id),
                "httpfunctions" if raw.method == "close" => self.early_answer(scope, at, id),
                _ => self.connector(scope, at, id),
            };
        }
        match (raw.family, raw.method) {
            ("control", "continueIf") => {
                let when = self.condition(scope, at, "", id);
                let message = self.input(scope, at, "otherwise", "message").filter(|given| !given.is_empty());
                CardKind::ContinueIf { when, message: message.map(Given::mapping) }
            }
            ("control", "assignIf") => {
                self.gives(scope, at, id, &[("output", "value")]);
                let when = self.condition(scope, at, "", id);
                let then = self.mapping(scope, at, "valueIfTrue");
                CardKind::AssignIf { when, then, otherwise: self.mapping(scope, at, "valueIfFalse") }
            }
            ("control", "lookup") => {
                self.gives(scope, at, id, &[("result", "value")]);
                let options = raw.inputs.iter().filter(|f| f.group == "options");
                let options = options.map(|f| (f.key.to_owned(), self.given(scope, at, f).mapping())).collect();
                let otherwise = self.mapping(scope, at, "else");
                CardKind::Lookup { key: self.mapping(scope, at, "key"), options, otherwise }
            }
            ("control", "return") => CardKind::Return { with: self.customs(scope, at, &[]) },
            ("control", "returnRaw") => {
                self.gives(scope, at, id, &[]);
                let headers = self.input(scope, at, "", "headers").filter(|given| !given.is_empty());
                CardKind::ReturnRaw {
                    status: self.mapping(scope, at, "statusCode"),
                    headers: headers
                        .map_or_else(|| Mapping::Literal(Value::Object(serde_json::Map::new())), Given::mapping),
                    body: self.mapping(scope, at, "body"),
                    go_on: false,
                }
            }
            ("control", "throw") => self.return_error(scope, at, None),
            ("control", "throwIf") => {
                let when = self.condition(scope, at, "", id);
                self.return_error(scope, at, Some(when))
            }
            ("control", "wait") => CardKind::Wait(Wait { until: self.wait_for(scope, at, id), deadline_ms: None }),
            ("control", "until") => {
                let until = WaitUntil::Time(self.mapping(scope, at, "date"));
                CardKind::Wait(Wait { until, deadline_ms: None })
            }
            ("control", "spawn" | "run" | "times" | "tryCatch" | "branch")
            | ("list", "each" | "asyncEach" | "map" | "filter" | "reduce" | "find" | "sort")
            | ("object", "each" | "map" | "process") => self.steering(scope, at, id),
            ("object", "pick") => self.pick(scope, at, id),
            ("utility", "exportFlo") => self.export_flow(scope, at, id),
            ("string", "compose") => self.compose(scope, at, id),
            _ => self.connector(scope, at, id),
        }
    }

    /// Inputs that the flow's author added, by key.
    pub(super) fn customs(&self, scope: &Scope<'v>, at: usize, base: &[&str]) -> Mappings {
        let level = Arc::clone(&scope.level);
        let own = |f: &&RawField<'v>| f.group.is_empty() && !base.contains(&f.key) && !f.for_error;
        let fields = level.cards[at].inputs.iter().filter(own);
        fields.map(|f| (f.key.to_owned(), self.given(scope, at, f).mapping())).collect()
    }

    fn return_error(&mut self, scope: &Scope<'v>, at: usize, when: Option<Mapping>) -> CardKind {
        let status = self.input(scope, at, "", "statusCode").filter(|given| !given.is_empty());
        let base = ["left-operand", "operator", "right-operand", "message", "statusCode"];
        CardKind::ReturnError {
            message: self.mapping(scope, at, "message"),
            status: status.map(Given::mapping),
            with: self.customs(scope, at, &base),
            when,
        }
    }

    fn wait_for(&mut self, scope: &Scope<'v>, at: usize, id: &CardId) -> WaitUntil {
        let unit = match self.input(scope, at, "", "unit") {
            Some(Given::Literal(Value::String(unit))) => unit.trim().to_lowercase(),
            _ => String::new(),
        };
        let factor: u64 = match unit.trim_end_matches('s') {
            "millisecond" => 1,
            "minute" => 60_000,
            "hour" => 3_600_000,
            "day" => 86_400_000,
            "second" | "" => 1000,
            other => {
                self.lost(id.as_str(), format!("the unit `{other}` of the wait; seconds are used"));
                1000
            }
        };
        WaitUntil::Duration(match self.input(scope, at, "", "delay") {
            Some(Given::Literal(value)) => {
                let number = value.as_f64().or_else(|| value.as_str().and_then(|t| t.trim().parse().ok()));
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on both sides")]
                let ms = (number.unwrap_or(0.0).clamp(0.0, 1e9) * factor as f64).min(9e14) as u64;
                Mapping::Literal(ms.into())
            }
            Some(given) => self.expression(id, &format!("toNumber({}) * {factor}", given.expression())),
            None => Mapping::Literal(0.into()),
        })
    }

    /// If/else: the join's outputs are what the lanes give.
    fn branch(
        &mut self,
        scope: &mut Scope<'v>,
        at: usize,
        join: Option<usize>,
        then: &[Place],
        otherwise: &[Place],
    ) -> Card {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let id = self.id(raw);
        let when = self.condition(scope, at, "", &id);
        let sides = [inside(then), inside(otherwise)];
        let mut then = Lane { cards: self.places(scope, then), give: Mappings::new() };
        let mut otherwise = Lane { cards: self.places(scope, otherwise), give: Mappings::new() };
        if let Some(join) = join {
            self.join(scope, (join, &id), &sides, &mut then, &mut otherwise);
        }
        self.gives(scope, at, &id, &[]);
        self.card(raw, id, CardKind::If { when, then, otherwise })
    }

    fn join(
        &mut self,
        scope: &mut Scope<'v>,
        (join, id): (usize, &CardId),
        sides: &[BTreeSet<usize>; 2],
        then: &mut Lane,
        otherwise: &mut Lane,
    ) {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[join];
        self.became(raw.uuid, raw.name(), id);
        let mut keys = Names::default();
        for input in &raw.inputs {
            let rows = raw.joins.get(input.id).and_then(Value::as_array);
            let Some(output) = rows.and_then(|rows| rows.first()).and_then(|row| row.get("output")?.as_str()) else {
                continue;
            };
            let Some(output) = raw.output(output) else { continue };
            let key = keys.key(output.key);
            let feeds = level.feeds.get(&(join, input.id)).map_or(&[][..], Vec::as_slice);
            let place = |feed: &Feed<'v>| sides.iter().position(|side| side.contains(&root(scope, *feed)));
            for (at, lane) in [&mut *then, &mut *otherwise].into_iter().enumerate() {
                let own = feeds.iter().find(|feed| place(feed) == Some(at));
                // A value from before the lanes would feed both.
                let feed = own.or_else(|| feeds.iter().find(|feed| place(feed).is_none()));
                let value = match feed {
                    Some(feed) => fed(scope, *feed, 0).mapping(),
                    None => constant(input.data.clone()),
                };
                lane.give.insert(key.clone(), value);
            }
            scope.sources.insert((join, output.id), Source::place(id.as_str(), [key.as_str()]));
        }
    }

    /// A function or action, with its fields bound.
    pub(super) fn connector(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let call = self.call(scope, at, id);
        match self.stream(scope, at, id, call) {
            Ok(kind) => kind,
            Err(call) => CardKind::Call(call),
        }
    }

    fn call(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> Call {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let decl = self.import.decl(raw.family, raw.method);
        if decl.is_none() {
            let (why, remedy) = crate::unbound::words(self.import.catalogue, &unbound_name(raw), !raw.kernel);
            self.import.report.unbound(self.flow.as_str(), id.as_str(), raw, why, remedy);
        }
        let slot = self.slot(raw, decl.as_deref());
        let card = decl.as_ref().map_or_else(|| unbound_name(raw), |d| d.name.clone());
        let mut with = Mappings::new();
        for field in &raw.inputs {
            if field.for_error
                || field.group == "Streaming"
                || field.kind == flowdeck_model::FieldType::Any && self.is_flow(field)
            {
                continue;
            }
            self.put_input(scope, at, field, decl.as_deref(), id, &mut with);
        }
        if self.streamed_to(raw).is_none() {
            self.bind_outputs(scope, at, id, decl.as_deref());
        }
        Call { card, slot, unbound: decl.is_none(), with }
    }

    fn is_flow(&self, field: &RawField<'v>) -> bool {
        field.data.as_str().is_some_and(|id| self.import.heads.contains_key(id))
    }

    /// Get Multiple: the outputs that were added are the paths.
    fn pick(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let CardKind::Call(mut call) = self.connector(scope, at, id) else {
            return CardKind::Return { with: Mappings::new() };
        };
        let level = Arc::clone(&scope.level);
        let paths: Vec<Value> = level.cards[at].outputs.iter().map(|f| Value::String(f.key.to_owned())).collect();
        call.with.insert("paths".into(), Mapping::Literal(Value::Array(paths)));
        for output in &level.cards[at].outputs {
            scope.sources.insert((at, output.id), Source::place(id.as_str(), [output.key]));
        }
        CardKind::Call(call)
    }

    /// Compose: values stand in the text where their tokens stood.
    fn compose(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let text = raw.input("", "_text_").and_then(|f| f.data.as_str()).unwrap_or("");
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{{") {
            let inner = &rest[open + 3..];
            let token = inner.find("}}}").map(|close| (&inner[..close], &inner[close + 3..]));
            let field = token.and_then(|(key, after)| Some((raw.input("", key)?, after)));
            let Some((field, after)) = field else {
                parts.push(TemplatePart::Text(rest[..open + 1].to_owned()));
                rest = &rest[open + 1..];
                continue;
            };
            parts.push(TemplatePart::Text(rest[..open].to_owned()));
            match self.given(scope, at, field).source() {
                Source::Place(reference) => parts.push(TemplatePart::Reference(reference)),
                Source::Made(Mapping::Expression(expression)) => parts.push(TemplatePart::Expression(expression)),
                Source::Made(Mapping::Literal(Value::String(text))) => parts.push(TemplatePart::Text(text)),
                Source::Made(Mapping::Literal(Value::Null)) => {}
                Source::Made(Mapping::Literal(value)) => parts.push(TemplatePart::Text(value.to_string())),
                Source::Made(Mapping::Template(inner)) => parts.extend(inner),
                Source::Made(_) => self.lost(id.as_str(), format!("the value of `{}` in the text", field.key)),
            }
            rest = after;
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        self.gives(scope, at, id, &[]);
        let decl = self.import.decl("string", "compose");
        let card = decl.as_ref().map_or_else(|| unbound_name(raw), |d| d.name.clone());
        let with = Mappings::from_iter([("_text_".to_owned(), text_of(parts))]);
        CardKind::Call(Call { card, slot: None, unbound: decl.is_none(), with })
    }
}

/// All cards of a lane, those in lanes inside it too.
fn inside(places: &[Place]) -> BTreeSet<usize> {
    let mut cards = BTreeSet::new();
    let mut left: Vec<&Place> = places.iter().collect();
    while let Some(place) = left.pop() {
        match place {
            Place::Card(card) => drop(cards.insert(*card)),
            Place::If { card, join, then, otherwise } => {
                cards.insert(*card);
                cards.extend(*join);
                left.extend(then.iter().chain(otherwise));
            }
        }
    }
    cards
}

/// A text of parts, as reading it back would give it.
fn text_of(parts: Vec<TemplatePart>) -> Mapping {
    let mut merged: Vec<TemplatePart> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (_, TemplatePart::Text(text)) if text.is_empty() => {}
            (Some(TemplatePart::Text(before)), TemplatePart::Text(text)) => before.push_str(&text),
            (_, part) => merged.push(part),
        }
    }
    let source = Mapping::Template(merged).source();
    // A lone reference keeps its type when it is read back; the field is text, so the card makes it one.
    Mapping::parse(&source).unwrap_or(Mapping::Literal(source))
}

/// `family/method` as a name, whatever it is made of.
pub(super) fn unbound_name(raw: &RawCard<'_>) -> CardName {
    let plain = |text: &str| {
        let text: String =
            text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(100).collect();
        let text = text.trim_start_matches(['-', '.']).to_owned();
        if text.is_empty() { "unknown".to_owned() } else { text }
    };
    let name = CardName::new(&format!("{}/{}", plain(raw.family), plain(raw.method)));
    name.or_else(|_| CardName::new("unknown/unknown")).unwrap_or_else(|_| unreachable!("the name follows its rule"))
}
