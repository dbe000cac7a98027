//! Turns an app file into declarations.
//!
//! Must never accept a file with a mapping that cannot be read, or an action without a declared effect.
//! Tests: below and `tests/harness.rs`.

use std::sync::{Arc, OnceLock};

use flowdeck_model::app::AppAuth;
use flowdeck_model::{AppName, CardDecl, CardName, CardRole, FieldDecl, FieldType, Mapping, Value};
use indexmap::IndexMap;

use crate::file::expand::expand;
use crate::file::{Action, AppFile, Auth, Event, Verification};
use crate::lint;
use crate::ready::{self, ReadyAction};

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
    /// The file as written, with its shapes and shared pieces written out.
    pub file: AppFile,
    /// Its auth declaration; `None` where it needs no connection.
    pub auth: Option<Arc<AppAuth>>,
    /// Its cards in the order of the file: actions, then events.
    pub cards: Vec<Arc<CardDecl>>,
    /// Addresses by name, for mappings.
    pub(crate) addresses: Vec<(String, String)>,
    pub(crate) base_url: Mapping,
    pub(crate) headers: Vec<(String, Mapping)>,
    ready: IndexMap<String, OnceLock<Option<Box<ReadyAction>>>>,
}

impl App {
    /// Reads an app file (YAML or JSON), every mapping in it too.
    ///
    /// # Errors
    /// [`AppFileError`] that says what is wrong and where.
    pub fn read(name: &str, text: &str) -> Result<Self, AppFileError> {
        let wrong = |what: String| AppFileError { name: name.to_owned(), what };
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let value: Value = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let file: AppFile = serde_path_to_error::deserialize(expand(value).map_err(wrong)?).map_err(|e| {
            // The plain reading knows lines; where it stumbles over something else, as a short form, a path must do.
            let inner = e.inner().to_string();
            let words = inner.split(',').next().unwrap_or_default();
            let by_line = serde_saphyr::from_str::<AppFile>(text).err().map(|e| e.to_string());
            wrong(by_line.filter(|t| t.contains(words)).unwrap_or_else(|| format!("{}: {inner}", e.path())))
        })?;
        let app = Self::compile(file, &IndexMap::new()).map_err(wrong)?;
        app.check().map_err(wrong)?;
        Ok(app)
    }

    /// Reads a built-in app. Its actions' mappings are read when they are first used.
    pub(crate) fn built_in(name: &str, json: &str, variables: &IndexMap<String, String>) -> Result<Self, AppFileError> {
        let wrong = |what: String| AppFileError { name: name.to_owned(), what };
        let value: Value = serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
        let value = expand(value).map_err(wrong)?;
        let file: AppFile =
            serde_path_to_error::deserialize(value).map_err(|e| wrong(format!("{}: {}", e.path(), e.inner())))?;
        Self::compile(file, variables).map_err(wrong)
    }

    /// Reads every mapping.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read.
    pub fn check(&self) -> Result<(), String> {
        for (name, action) in &self.file.actions {
            let ready = ready::action(action).and_then(|ready| lint::names(&ready));
            ready.map_err(|e| format!("action {name}: {e}"))?;
        }
        for (name, event) in &self.file.events {
            let ready = ready::event(event).map(|_| ());
            ready.map_err(|e| format!("event {name}: {e}"))?;
            if event.webhook.as_ref().is_some_and(|own| self.webhook() != Some(own)) {
                return Err(format!(
                    "event {name}: webhook: one address serves all events of an app, so they are verified alike"
                ));
            }
        }
        Ok(())
    }

    /// How deliveries of its events are verified: all in the same way. `None` where it cannot push.
    #[must_use]
    pub fn webhook(&self) -> Option<&Verification> {
        self.file.events.values().find_map(|event| event.webhook.as_ref())
    }

    /// How its events get here, in words; nothing where it has none.
    #[must_use]
    pub fn arrival_words(&self) -> Vec<String> {
        let pushed = self.webhook().map(|proof| format!("pushed to a hook ({})", proof.words()));
        let mut pauses: Vec<u32> = self.file.events.values().filter_map(|e| Some(e.poll.as_ref()?.every_s)).collect();
        pauses.sort_unstable();
        pauses.dedup();
        let asked = pauses.iter().map(|every_s| format!("asked for every {every_s} s"));
        pushed.into_iter().chain(asked).collect()
    }

    /// What mappings see as `app`: these variables and the app's addresses.
    pub(crate) fn variables(&self, known: &Arc<Value>) -> Arc<Value> {
        if self.addresses.is_empty() {
            return Arc::clone(known);
        }
        let mut all = (**known).clone();
        for (key, value) in &self.addresses {
            all[key] = Value::String(value.clone());
        }
        Arc::new(all)
    }

    /// An action with its mappings read.
    pub(crate) fn action(&self, name: &str) -> Option<&ReadyAction> {
        let declared = self.file.actions.get(name)?;
        self.ready.get(name)?.get_or_init(|| ready::action(declared).ok().map(Box::new)).as_deref()
    }

    fn compile(mut file: AppFile, variables: &IndexMap<String, String>) -> Result<Self, String> {
        for (key, address) in &mut file.addresses {
            if let Some(stand_in) = variables.get(&format!("{}.{key}", file.app)) {
                address.clone_from(stand_in);
            }
        }
        let addresses: Vec<(String, String)> = file.addresses.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let known = || variables.iter().chain(&file.addresses).map(|(k, v)| (k.as_str(), v.as_str()));
        let auth = file.auth.as_ref().map(|auth| Arc::new(app_auth(&file, auth)));
        let auth = auth.map(|auth| templates(&auth, known()).map(Arc::new)).transpose()?;
        let mut cards = Vec::new();
        for (name, action) in &file.actions {
            let connected = auth.is_some() && action.connection;
            let decl = action_decl(&file, name, action, connected);
            cards.push(Arc::new(decl.map_err(|e| format!("action {name}: {e}"))?));
        }
        for (name, event) in &file.events {
            let decl = event_decl(&file, name, event, auth.is_some());
            cards.push(Arc::new(decl.map_err(|e| format!("event {name}: {e}"))?));
        }
        let base_url = ready::mapping("base_url", &Value::String(file.base_url.clone()))?;
        let headers = ready::mappings("headers", &file.headers)?;
        let ready = file.actions.keys().map(|name| (name.clone(), OnceLock::new())).collect();
        Ok(Self { auth, cards, addresses, base_url, headers, ready, file })
    }
}

fn app_auth(file: &AppFile, auth: &Auth) -> AppAuth {
    AppAuth {
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
    }
}

/// `{app.NAME}` of auth templates filled in.
fn templates<'a>(auth: &AppAuth, known: impl Iterator<Item = (&'a str, &'a str)>) -> Result<AppAuth, String> {
    let mut text = serde_json::to_string(auth).map_err(|e| e.to_string())?;
    if text.contains("{app.") {
        for (key, value) in known {
            let value = serde_json::to_string(value).map_err(|e| e.to_string())?;
            text = text.replace(&format!("{{app.{key}}}"), value.trim_matches('"'));
        }
    }
    serde_json::from_str(&text).map_err(|e| e.to_string())
}

fn card_name(app: &AppName, operation: &str) -> Result<CardName, String> {
    CardName::new(&format!("{app}/{operation}")).map_err(|e| e.to_string())
}

/// Its own names, and that of its operation under every connector.
fn export_names(connectors: &[String], operation: &str, own: &[String]) -> Vec<String> {
    let method = |name: &String| name.split_once('/').map_or(name.clone(), |(_, method)| method.to_owned());
    let methods: Vec<String> = std::iter::once(operation.to_owned()).chain(own.iter().map(method)).collect();
    let all = connectors.iter().flat_map(|c| methods.iter().map(move |m| format!("{c}/{m}")));
    own.iter().cloned().chain(all).collect()
}

fn unique(fields: &[FieldDecl]) -> Result<(), String> {
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|f| f.key == field.key) {
            return Err(format!("field `{}` is declared twice", field.key));
        }
    }
    Ok(())
}

fn action_decl(file: &AppFile, operation: &str, action: &Action, connected: bool) -> Result<CardDecl, String> {
    let (app, connectors) = (&file.app, &file.export_connectors);
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
    decl.export_names = export_names(connectors, operation, &action.export_names);
    unique(&decl.inputs)?;
    unique(&decl.outputs)?;
    Ok(decl)
}

fn event_decl(file: &AppFile, operation: &str, event: &Event, connected: bool) -> Result<CardDecl, String> {
    let (app, connectors) = (&file.app, &file.export_connectors);
    let mut decl = CardDecl::function(card_name(app, operation)?, &event.title, &event.summary);
    decl.help = event.help.clone();
    decl.role = CardRole::Event;
    decl.app = connected.then(|| app.clone());
    decl.effect = flowdeck_model::EffectClass::Observe;
    decl.inputs = event.inputs.clone();
    decl.outputs = event.outputs.iter().map(|o| o.field.clone()).collect();
    decl.scopes = event.scopes.clone();
    decl.more_outputs = event.more_outputs.is_some().then_some(FieldType::Any);
    decl.export_names = export_names(connectors, operation, &event.export_names);
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
        check("method: GET,", "method: GET, json: {}, text: x,", "one of `json`, `form`, `text`, `body` and `parts`");
        check("title: Get", "titel: Get", "titel");
        check("required: true }]", "required: true }, { key: id }]", "declared twice");
    }
}
