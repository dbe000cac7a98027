//! Turns an app file into declarations and ready mappings, once.
//!
//! Must never accept a file with a mapping that cannot be read, or an action without a declared effect.
//! Tests: below and `tests/harness.rs`.

use std::sync::Arc;

use flowdeck_model::app::AppAuth;
use flowdeck_model::{AppName, CardDecl, CardName, CardRole, FieldDecl, FieldType, Mapping, Value};
use indexmap::IndexMap;

use crate::file::action::{Filter, FilterOperator};
use crate::file::{Action, AppFile, Event, Output, Request};

/// Largest app file, in bytes.
const FILE_BYTES_MAX: usize = 4 << 20;

/// Why an app file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("app file {name}: {what}")]
pub struct AppFileError {
    /// Which file.
    pub name: String,
    /// What is wrong, and where.
    pub what: String,
}

/// An app, ready to be used.
#[derive(Debug)]
pub struct App {
    /// The file as written.
    pub file: AppFile,
    /// Its auth declaration; `None` where it needs no connection.
    pub auth: Option<Arc<AppAuth>>,
    /// Its cards in the order of the file: actions, then events.
    pub cards: Vec<Arc<CardDecl>>,
    pub(crate) base_url: Mapping,
    pub(crate) headers: Vec<(String, Mapping)>,
    pub(crate) actions: IndexMap<String, ReadyAction>,
}

/// An action with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyAction {
    pub(crate) action: Action,
    pub(crate) request: ReadyRequest,
    pub(crate) outputs: Vec<ReadyOutput>,
    pub(crate) more_outputs: Option<Mapping>,
    pub(crate) next: Option<Mapping>,
    pub(crate) look_up: Option<ReadyLookUp>,
}

/// A request template with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyRequest {
    pub(crate) method: Mapping,
    pub(crate) path: Mapping,
    pub(crate) query: Vec<(String, ReadyQuery)>,
    pub(crate) more_query: Option<Mapping>,
    pub(crate) headers: Vec<(String, Mapping)>,
    pub(crate) more_headers: Option<Mapping>,
    pub(crate) body: ReadyBody,
}

/// A query parameter with its mappings read.
#[derive(Debug)]
pub(crate) enum ReadyQuery {
    Value(Mapping),
    Filter { text: Option<Mapping>, all: Vec<(String, FilterOperator, Mapping)> },
}

/// A body template.
#[derive(Debug)]
pub(crate) enum ReadyBody {
    None,
    Json { template: Mapping, more: Option<(String, Mapping)> },
    Form(Vec<(String, Mapping)>),
    Text(Mapping),
    AsGiven(Mapping),
}

/// An output with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyOutput {
    pub(crate) key: String,
    pub(crate) source: OutputSource,
}

/// Where an output comes from.
#[derive(Debug)]
pub(crate) enum OutputSource {
    /// The member of the answer's body with the output's key.
    Same,
    /// A mapping.
    Value(Mapping),
    /// A list made item by item.
    List { each: Mapping, item: Mapping },
}

/// A look-up with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyLookUp {
    pub(crate) request: ReadyRequest,
    pub(crate) happened: Mapping,
    pub(crate) did_not: Option<Mapping>,
    pub(crate) outputs: Vec<(String, Mapping)>,
}

impl App {
    /// Reads an app file (YAML or JSON).
    ///
    /// # Errors
    /// [`AppFileError`] that says what is wrong and where.
    pub fn read(name: &str, text: &str) -> Result<Self, AppFileError> {
        let wrong = |what: String| AppFileError { name: name.to_owned(), what };
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let file: AppFile = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        Self::compile(file).map_err(wrong)
    }

    fn compile(file: AppFile) -> Result<Self, String> {
        let auth = file.auth.as_ref().map(|auth| {
            Arc::new(AppAuth {
                app: file.app.clone(),
                title: file.title.clone(),
                version: file.version.clone(),
                methods: auth.methods.clone(),
                scopes: auth.scopes.clone(),
                default_scopes: auth.default_scopes.clone(),
                hosts: auth.hosts.clone(),
                private_hosts: auth.private_hosts,
                probe: auth.probe.clone(),
                auth_errors: auth.errors.clone(),
                help: auth.help.clone(),
            })
        });
        let mut cards = Vec::new();
        let mut actions = IndexMap::new();
        for (name, action) in &file.actions {
            let at = |e: String| format!("action {name}: {e}");
            cards.push(Arc::new(action_decl(&file.app, name, action, auth.is_some()).map_err(at)?));
            actions.insert(name.clone(), ready_action(action).map_err(at)?);
        }
        for (name, event) in &file.events {
            let decl = event_decl(&file.app, name, event, auth.is_some());
            cards.push(Arc::new(decl.map_err(|e| format!("event {name}: {e}"))?));
        }
        let base_url = mapping("base_url", &Value::String(file.base_url.clone()))?;
        let headers = mappings("headers", &file.headers)?;
        Ok(Self { auth, cards, base_url, headers, actions, file })
    }
}

fn mapping(place: &str, value: &Value) -> Result<Mapping, String> {
    Mapping::parse(value).map_err(|e| format!("{place}: {} (at {})", e.message, e.offset))
}

fn mappings(place: &str, values: &IndexMap<String, Value>) -> Result<Vec<(String, Mapping)>, String> {
    values.iter().map(|(key, value)| Ok((key.clone(), mapping(&format!("{place} {key}"), value)?))).collect()
}

fn optional(place: &str, value: Option<&Value>) -> Result<Option<Mapping>, String> {
    value.map(|v| mapping(place, v)).transpose()
}

fn ready_request(request: &Request) -> Result<ReadyRequest, String> {
    let form = (!request.form.is_empty()).then_some(&request.form);
    let body = match (&request.json, form, &request.text, &request.body) {
        (None, None, None, None) => ReadyBody::None,
        (Some(json), None, None, None) => {
            let more = request.more_json.as_ref();
            let more = more.map(|m| Ok::<_, String>((m.at.clone(), mapping("more_json", &m.members)?))).transpose()?;
            ReadyBody::Json { template: mapping("json", json)?, more }
        }
        (None, Some(form), None, None) => ReadyBody::Form(mappings("form", form)?),
        (None, None, Some(text), None) => ReadyBody::Text(mapping("text", text)?),
        (None, None, None, Some(body)) => ReadyBody::AsGiven(mapping("body", body)?),
        _ => return Err("a request has one of `json`, `form`, `text` and `body`".into()),
    };
    if request.more_json.is_some() && request.json.is_none() {
        return Err("`more_json` needs `json`".into());
    }
    let query = request.query.iter().map(|(key, value)| Ok((key.clone(), ready_query(key, value)?)));
    Ok(ReadyRequest {
        method: mapping("method", &Value::String(request.method.clone()))?,
        path: mapping("path", &Value::String(request.path.clone()))?,
        query: query.collect::<Result<_, String>>()?,
        more_query: optional("more_query", request.more_query.as_ref())?,
        headers: mappings("headers", &request.headers)?,
        more_headers: optional("more_headers", request.more_headers.as_ref())?,
        body,
    })
}

fn ready_query(key: &str, value: &Value) -> Result<ReadyQuery, String> {
    let place = format!("query {key}");
    if !value.is_object() {
        return Ok(ReadyQuery::Value(mapping(&place, value)?));
    }
    let filter: Filter = serde_json::from_value(value.clone()).map_err(|e| format!("{place}: {e}"))?;
    let mut all = Vec::new();
    for (attribute, tests) in &filter.all {
        for (operator, value) in tests {
            all.push((attribute.clone(), *operator, mapping(&format!("{place} {attribute}"), value)?));
        }
    }
    Ok(ReadyQuery::Filter { text: optional(&place, filter.text.as_ref())?, all })
}

fn ready_action(action: &Action) -> Result<ReadyAction, String> {
    use crate::file::action::NextPage;
    let next = match action.pagination.as_ref().map(|p| &p.next) {
        Some(NextPage::Cursor { value, .. } | NextPage::Url { value }) => Some(mapping("pagination", value)?),
        _ => None,
    };
    if let Some(pages) = &action.pagination
        && !action.outputs.iter().any(|o| o.field.key == pages.output)
    {
        return Err(format!("pagination: there is no output `{}`", pages.output));
    }
    let look_up = match &action.look_up {
        Some(rule) if rule.request.method != "GET" => return Err("look_up: only GET".into()),
        Some(rule) => Some(ReadyLookUp {
            request: ready_request(&rule.request)?,
            happened: mapping("look_up happened", &rule.happened)?,
            did_not: optional("look_up did_not", rule.did_not.as_ref())?,
            outputs: mappings("look_up outputs", &rule.outputs)?,
        }),
        None => None,
    };
    let outputs = action.outputs.iter().map(ready_output).collect::<Result<_, _>>()?;
    let more_outputs = optional("more_outputs", action.more_outputs.as_ref())?;
    let request = ready_request(&action.request)?;
    Ok(ReadyAction { action: action.clone(), request, outputs, more_outputs, next, look_up })
}

fn ready_output(output: &Output) -> Result<ReadyOutput, String> {
    let key = output.field.key.clone();
    let place = format!("output {key}");
    let source = match (&output.value, &output.list) {
        (Some(_), Some(_)) => return Err(format!("{place}: has both `value` and `list`")),
        (Some(value), None) => OutputSource::Value(mapping(&place, value)?),
        (None, Some(list)) => {
            OutputSource::List { each: mapping(&place, &list.each)?, item: mapping(&place, &list.item)? }
        }
        (None, None) => OutputSource::Same,
    };
    Ok(ReadyOutput { key, source })
}

fn card_name(app: &AppName, operation: &str) -> Result<CardName, String> {
    CardName::new(&format!("{app}/{operation}")).map_err(|e| e.to_string())
}

fn unique(fields: &[FieldDecl]) -> Result<(), String> {
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|f| f.key == field.key) {
            return Err(format!("field `{}` is declared twice", field.key));
        }
    }
    Ok(())
}

fn action_decl(app: &AppName, operation: &str, action: &Action, connected: bool) -> Result<CardDecl, String> {
    let mut decl = CardDecl::function(card_name(app, operation)?, &action.title, &action.summary);
    decl.help = action.help.clone();
    decl.role = CardRole::Action;
    decl.app = connected.then(|| app.clone());
    decl.inputs = action.inputs.clone();
    decl.outputs = action.outputs.iter().map(|o| o.field.clone()).collect();
    decl.more_inputs = action.more_inputs.then_some(FieldType::Any);
    decl.more_outputs = action.more_outputs.is_some().then_some(FieldType::Any);
    decl.effect = action.effect;
    decl.scopes = action.scopes.clone();
    decl.in_doubt = action.in_doubt;
    decl.pages = action.pagination.as_ref().map(|p| p.output.clone());
    decl.timeout_ms = action.timeout_ms;
    decl.export_names = action.export_names.clone();
    unique(&decl.inputs)?;
    unique(&decl.outputs)?;
    Ok(decl)
}

fn event_decl(app: &AppName, operation: &str, event: &Event, connected: bool) -> Result<CardDecl, String> {
    let mut decl = CardDecl::function(card_name(app, operation)?, &event.title, &event.summary);
    decl.help = event.help.clone();
    decl.role = CardRole::Event;
    decl.app = connected.then(|| app.clone());
    decl.effect = flowdeck_model::EffectClass::Observe;
    decl.inputs = event.inputs.clone();
    decl.outputs = event.outputs.iter().map(|o| o.field.clone()).collect();
    decl.scopes = event.scopes.clone();
    decl.export_names = event.export_names.clone();
    unique(&decl.outputs)?;
    Ok(decl)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "
app: tiny
title: Tiny
summary: A tiny app.
version: '1'
base_url: https://api.example.com
actions:
  get:
    title: Get
    summary: Gets a thing.
    effect: observe
    inputs: [{ key: id, type: text, required: true }]
    request: { method: GET, path: '/things/${input.id}' }
    outputs: [{ field: { key: name, type: text } }]
";

    #[test]
    fn a_small_file_becomes_a_card() {
        let app = App::read("tiny", SMALL).unwrap();
        assert_eq!(app.cards[0].name.as_str(), "tiny/get");
        assert!(app.auth.is_none() && app.cards[0].app.is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let check = |from: &str, to: &str, expect: &str| {
            let error = App::read("tiny", &SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("effect: observe", "effect: magic", "magic");
        check("method: GET,", "method: GET, json: {}, text: x,", "one of `json`, `form`, `text` and `body`");
        check("title: Get", "titel: Get", "titel");
        check("required: true }]", "required: true }, { key: id }]", "declared twice");
    }
}
